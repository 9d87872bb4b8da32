"""Names: which are refused, which are one, and what their short names are."""

import random
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from doit_diskimg.kinds.filesystems.fat import names


def shorts(*given_names):
    """Return the short names as people write them."""
    stored = names.assign(given_names)
    return {
        name: stored[name].short[:8].decode().rstrip()
        + ("." + stored[name].short[8:].decode()).rstrip(" .")
        for name in given_names
    }


@pytest.mark.parametrize(
    ("name", "short", "long"),
    [
        # An upper-case 8.3 name needs nothing else.
        ("KERNEL.ELF", "KERNEL.ELF", False),
        ("BOOTX64.EFI", "BOOTX64.EFI", False),
        ("A", "A", False),
        ("12345678.123", "12345678.123", False),
        ("!#$%&'()", "!#$%&'()", False),
        ("-@^_`{}~.A", "-@^_`{}~.A", False),
        # But for its case: the same short name, and the case in the long one.
        ("kernel.elf", "KERNEL.ELF", True),
        ("Kernel.ELF", "KERNEL.ELF", True),
        ("limine~1.sys", "LIMINE~1.SYS", True),
        # Anything else gets a tail.
        ("long file name.txt", "LONGFI~1.TXT", True),
        ("kernel.elf64", "KERNEL~1.ELF", True),
        ("123456789", "123456~1", True),
        ("MY FILE.TXT", "MYFILE~1.TXT", True),
        ("a b", "AB~1", True),
        (" a", "A~1", True),
        (".bashrc", "BASHRC~1", True),
        ("..x", "X~1", True),
        (". .x", "X~1", True),
        ("a.b.c", "A~1.C", True),
        ("a..b", "A~1.B", True),
        ("archive.tar.gz", "ARCHIV~1.GZ", True),
        ("x+y=z;[1],2", "X_Y_Z_~1", True),
        ("Ü.txt", "_~1.TXT", True),
        ("文書", "__~1", True),
        ("ß.ß", "_~1._", True),
        ("💾💾.iso", "__~1.ISO", True),
        ("\x7f", "_~1", True),
        ("\u0131", "I~1", True),  # dotless i
    ],
)
def test_short_name(name, short, long):
    assert names.fault(name) is None
    assert shorts(name) == {name: short}
    [stored] = names.assign([name]).values()
    assert stored.long == (name if long else "")
    units = len(name.encode("utf-16-le")) // 2
    assert stored.entries == (1 + -(-units // 13) if long else 1)


def test_real_names_come_first():
    assert shorts("longfilename.txt", "LONGFI~1.TXT", "longfi~2.txt", "another long.txt") == {
        "LONGFI~1.TXT": "LONGFI~1.TXT",
        "longfi~2.txt": "LONGFI~2.TXT",
        "longfilename.txt": "LONGFI~3.TXT",
        "another long.txt": "ANOTHE~1.TXT",
    }


def test_a_name_and_what_its_short_name_would_be():
    assert shorts("foo.html", "FOO.HTM") == {"FOO.HTM": "FOO.HTM", "foo.html": "FOO~1.HTM"}
    assert shorts("a b.txt", "ab.txt") == {"ab.txt": "AB.TXT", "a b.txt": "AB~1.TXT"}


def test_longer_numbers_take_from_the_base():
    many = shorts(*(f"longfilename{n:05}.bin" for n in range(12000)))
    assert many["longfilename00000.bin"] == "LONGFI~1.BIN"
    assert many["longfilename00008.bin"] == "LONGFI~9.BIN"
    assert many["longfilename00009.bin"] == "LONGF~10.BIN"
    assert many["longfilename00099.bin"] == "LONG~100.BIN"
    assert many["longfilename11999.bin"] == "LO~12000.BIN"
    assert len(set(many.values())) == len(many)


def test_two_prefixes_that_meet():
    """At ten, ABCDEF and ABCDEG both leave ABCDE."""
    given_names = [f"abcde{c}-long-{n:02}" for c in "fg" for n in range(30)]
    assert len(set(shorts(*given_names).values())) == 60


def test_order_does_not_matter():
    given_names = [f"long name {n}.x" for n in range(40)] + [f"LONGNA~{n}.X" for n in range(9)]
    expected = names.assign(given_names)
    for seed in range(5):
        random.Random(seed).shuffle(given_names)
        assert names.assign(given_names) == expected


def test_work_is_linear():
    """Lines of Python run, which is what a search for a free number would multiply."""

    def steps(count):
        lines = 0

        def trace(frame, event, argument):
            nonlocal lines
            lines += 1
            return trace

        given_names = [f"longfilename{n:05}.bin" for n in range(count)]
        sys.settrace(trace)
        try:
            names.assign(given_names)
        finally:
            sys.settrace(None)
        return lines

    assert steps(4000) < 4.5 * steps(1000)


@given(st.sets(st.text("aAbB~12.é ", min_size=1, max_size=12)))
def test_short_names_are_legal_and_unique(given_names):
    fit = {names.fold(name): name for name in given_names if names.fault(name) is None}
    stored = names.assign(fit.values())
    assert set(stored) == set(fit.values())
    assert len({entry.short for entry in stored.values()}) == len(stored)
    for name, entry in stored.items():
        assert len(entry.short) == 11
        assert not entry.short.startswith(b" ")
        assert entry.long == name or entry.short.replace(b" ", b"") == name.replace(
            ".", ""
        ).encode()


# Refusals ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "found"),
    [
        (".", "has the part '.'"),
        ("..", "has the part '..'"),
        *((f"a{c}b", f"has {c!r}") for c in '"*:<>?\\|\0\n\x1f'),
        ("name.", "has the part 'name.'"),
        ("name ", "has the part 'name '"),
        ("...", "has the part '...'"),
        (" ", "has the part ' '"),
        ("caf\udce9", "has the part 'caf\\udce9'"),
        ("\ud83d", "has the part '\\ud83d'"),
        ("a\uffff", "has U+FFFF"),
        ("x" * 256, "has a part of 256 UTF-16 units"),
        ("💾" * 128, "has a part of 256 UTF-16 units"),
    ],
)
def test_refused(name, found):
    assert names.fault(name)[0] == found


@pytest.mark.parametrize("name", ["x" * 255, "💾" * 127 + "x", "con", "+,;=[]", "...a"])
def test_accepted(name):
    assert names.fault(name) is None


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("kernel.elf", "KERNEL.ELF", True),
        ("Grüße", "GRÜßE", True),
        ("ß", "SS", False),
        ("ß", "ß", True),
        ("я", "Я", True),
        ("a", "\uff41", False),  # full width
    ],
)
def test_names_that_are_one(one, other, same):
    assert (names.fold(one) == names.fold(other)) == same


@pytest.mark.parametrize(
    ("label", "text"),
    [
        ("", "is empty / a volume label has 1 to 11 characters / leave label out"),
        ("TWELVE CHARS", "'TWELVE CHARS' has 12 characters / at most 11 fit / make it shorter"),
        (
            "Boot",
            "'Boot' has lower-case letters / volume labels are upper case / write 'BOOT', or "
            "lower_case_label=True if a system mounts by it",
        ),
        ("NO NAME", "is 'NO NAME' / readers take that for no label / leave label out"),
        (
            " A",
            "' A' begins or ends with a space / readers drop spaces there / remove them",
        ),
        *(
            (
                f"A{c}",
                f"{'A' + c!r} has {c!r} / volume labels are ASCII without "
                '"*+,./:;<=>?[\\]| / remove it',
            )
            for c in '."*+,/:;<=>?[\\]|Ü\x7f\n💾'
        ),
    ],
)
def test_labels_refused(label, text):
    assert " / ".join(names.label_fault(label)) == text
    if label != "Boot":
        assert " / ".join(names.label_fault(label, lower_case=True)) == text


@pytest.mark.parametrize("label", ["ESP", "EFI SYSTEM", "A-B_C$1!~", "12345678901"])
def test_labels_accepted(label):
    assert names.label_fault(label) is None
    assert names.label_fault(label.lower(), lower_case=True) is None
