"""Files put into volumes of somebody else's: nothing of theirs is lost, whatever mtools believes.

The volumes are made by mkfs.fat, mformat and mcopy, some of them patched afterwards as a board's
tools or an unclean shutdown leave them; mcopy, fsck.fat and pyfatfs judge what comes out.
"""

import os
import struct
import subprocess

import pytest
from tools import run, tool
from volumes import read_volume

from doit_diskimg import DescriptionError, Fat, WorldError
from doit_diskimg.host.files import RealFiles
from doit_diskimg.kinds.filesystems.fat import engines
from doit_diskimg.plan.content import digest_of
from doit_diskimg.plan.recipe import Made
from doit_diskimg.verify.survey import differences, survey

MIB = 1 << 20
QUIET = {"MTOOLSRC": "/dev/null", "LC_ALL": "C.UTF-8", "TZ": "UTC"}
THEIRS = {
    "docs/long file name.txt": b"theirs" * 3000, "docs/other.bin": bytes(range(256)) * 40,
    "Program Files/x": b"x" * 5000, "\u6587.txt": b"kanji", "FirstNet_One": b"1",
    "FirstNet_Two": b"2" * 700, "EFI/BOOT/BOOTX64.EFI": b"MZ" * 999,
}  # fmt: skip


def mkfs(*arguments, size=40 * MIB):
    def make(path):
        path.write_bytes(b"")
        os.truncate(path, size)
        run("mkfs.fat", *arguments, "-n", "VENDOR", "-i", "CAFE1234", path)
    return make


def mformat(*arguments):
    def make(path):
        path.unlink(missing_ok=True)
        names = ("-v", "VENDOR", "-N", "CAFE1234")
        run("mformat", "-C", "-i", path, *arguments, *names, "::", **QUIET)
    return make


FAT32, FAT16, FAT12 = mkfs("-F", "32"), mkfs("-F", "16"), mkfs("-F", "12", size=8 * MIB)


@pytest.fixture(scope="module")
def volumes(tmp_path_factory):
    """Return volumes with their files in them, each made once, by what makes them."""
    made, folder = {}, tmp_path_factory.mktemp("volumes")

    def volume(make):
        if make not in made:
            made[make] = folder / f"{len(made)}.img"
            filled(made[make], make)
        return made[make]
    return volume


@pytest.fixture
def base_of(volumes):
    """Return what copies such a volume, then writes (byte, hex digits)."""
    def base(folder, make=FAT32, patches=()):
        path = folder / "base.img"
        run("cp", "--sparse=always", volumes(make), path)
        with open(path, "r+b") as image:
            for place, digits in patches:
                image.seek(place)
                image.write(bytes.fromhex(digits))
        return path
    return base


def filled(path, make):
    """Make a volume and put their files into it."""
    make(path)
    folder = path.with_suffix("")
    for directory in ("docs", "Program Files", "EFI", "EFI/BOOT"):
        run("mmd", "-i", path, f"::{directory}", **QUIET)
    for name, data in THEIRS.items():
        file = folder / "theirs" / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(data)
        run("mcopy", "-i", path, file, f"::{name.rpartition('/')[0]}", **QUIET)


def read(path, out):
    """Return every file of a volume, as mcopy reads it, which takes none without heads."""
    out.mkdir()
    copy = out.with_suffix(".img")
    run("cp", "--sparse=always", path, copy)
    with open(copy, "r+b") as image:
        image.seek(24)
        image.write(b"\x3f\0\xff\0")
    run("mcopy", "-s", "-n", "-Q", "-m", "-i", copy, "::*", out, **QUIET)
    return {
        str(found.relative_to(out)): found.read_bytes()
        for found in out.rglob("*") if found.is_file()
    }


def complaints(path):
    """Return of what fsck.fat complains, without the details and what it would do about it."""
    done = subprocess.run([tool("fsck.fat"), "-n", path], capture_output=True, text=True)
    lines = done.stdout.splitlines()[1:]
    rest = (" files, ", "Free cluster summary uninitialized", "Leaving filesystem unchanged")
    return {line for line in lines if line.strip(" ") == line and not any(
        text in line for text in rest)} - {""}  # fmt: skip


# Names that answer to each other -----------------------------------------------------------------

CLASHES = [
    {"long file name.txt": b"A", "LONGFI~1.TXT": b"B"},
    {"long file name.txt": b"A", "longfi~1.txt": b"B", "LONGFI~2.TXT": b"C"},
    {"\u6587": b"A", "_": b"B"},
    {"\u6587": b"A", "\u5b57": b"B", "_": b"C", "_~1": b"D"},
    {"long directory/x": b"A", "LONGDI~1/y": b"B"},
    {"long directory/x": b"A", "LONGDI~1": b"B"},
    {"LONGFI~1/x": b"A", "long file": b"B"},
    {"d e/long file name.txt": b"A", "d e/LONGFI~1.TXT": b"B", "DE~1": b"C", "d e/DE~1/z": b"D"},
    {"a+b.txt": b"A", "A_B.TXT": b"B", "A_B~1.TXT": b"C"},
]


@pytest.mark.parametrize("engine", ["mtools", "pyfatfs"])
@pytest.mark.parametrize("files", CLASHES)
def test_a_new_volume_has_both(bench, files, engine):
    native = survey(bench.make(Fat(files, label="LABEL"), MIB, "native"))
    made = survey(bench.make(Fat(files, label="LABEL"), MIB, engine))
    assert (list(differences(native, made)), made.errors) == ([], ())


@pytest.mark.parametrize("files", CLASHES)
def test_a_base_gets_both(bench, files, base_of):
    made = survey(bench.put(base_of(bench.folder, FAT16), files))
    assert made.errors == ()
    for path, data in files.items():
        assert made.files[path] == (len(data), "a", digest_of(data)), path


class _Recorder(RealFiles):
    """Keeps the recipe and makes nothing."""

    def make(self, recipe, where):
        self.recipe = recipe
        return Made("payload", ())


@pytest.mark.parametrize(("files", "order"), [
    ({"long file name.txt": b"", "LONGFI~1.TXT": b""}, ["LONGFI~1.TXT", "long file name.txt"]),
    ({"long directory/x": b"", "LONGDI~1": b""},
     ["LONGDI~1", "long directory", "long directory/x"]),
    ({"b c/LONGFI~1": b"", "b c/a long file": b"", "BC~1": b"", "a": b""},
     ["BC~1", "a", "b c", "b c/LONGFI~1", "b c/a long file"]),
    ({"b": b"", "a b": b""}, ["a b", "b"]),
])  # fmt: skip
def test_guestfish_makes_in_this_order(bench, files, order):
    """Linux gives a long name the first short name that is free, and finds files by it."""
    files = Fat(files, engine="guestfish")
    recorder = _Recorder()
    bench.record(files, MIB, recorder)
    assert [stored.path.rstrip("/") for stored in recorder.recipe.contents.stored] == order
    (script,) = [one.source for one in recorder.recipe.staged if one.path == "script"]
    places = [
        script.index(f' "{quoted}"\n'.encode())
        for quoted in (engines.engine("guestfish")._quoted(f"/{path}")[1:-1] for path in order)
    ]
    assert places == sorted(places)


SHORT = "a name must not be the short name of another file"
REFUSED = [
    ({"docs/LONGFI~1.TXT": b"B"}, ["p: 'docs/LONGFI~1.TXT' is the short name of 'docs/long file "
     "name.txt' in 'base.img', {SHORT} (rename it, or write 'docs/long file name.txt' if you mean "
     "that)"]),
    ({"Docs/longfi~1.txt": b"B", "firstn~2": b""}, [
        "p: 'Docs/longfi~1.txt' is the short name of 'docs/long file name.txt' in 'base.img', "
        "{SHORT} (rename it, or write 'docs/long file name.txt' if you mean that)",
        "p: 'firstn~2' is the short name of 'FirstNet_Two' in 'base.img', {SHORT} (rename it, or "
        "write 'FirstNet_Two' if you mean that)"]),
    ({"PROGRA~1/x": b"", "PROGRA~1/y/z": b""}, ["p: 'PROGRA~1' is the short name of 'Program "
     "Files' in 'base.img', {SHORT} (rename it, or write 'Program Files' if you mean that)"]),
    ({"_.TXT": b""}, ["p: '_.TXT' is the short name of '\u6587.txt' in 'base.img', {SHORT} (rename "
     "it, or write '\u6587.txt' if you mean that)"]),
    ({"docs": b""}, ["p: 'docs' is a directory in 'base.img', a file can't replace it (rename it, "
     "or use another image)"]),
    ({"firstnet_one/x/y": b""}, ["p: 'firstnet_one' is a file in 'base.img', a directory can't "
     "replace it (rename it, or use another image)"]),
]  # fmt: skip


@pytest.mark.parametrize("make", [FAT12, FAT32])
@pytest.mark.parametrize(("files", "messages"), REFUSED)
def test_a_name_to_which_theirs_answers(bench, monkeypatch, files, messages, make, base_of):
    monkeypatch.chdir(bench.folder)
    base = base_of(bench.folder, make)
    before = base.read_bytes()
    with pytest.raises(DescriptionError) as caught:
        bench.put(base.relative_to(bench.folder), files)
    assert str(caught.value).splitlines() == [text.replace("{SHORT}", SHORT) for text in messages]
    assert base.read_bytes() == before
    assert bench.left("put") == []


def test_a_file_of_theirs_is_replaced_by_its_long_name(bench, base_of):
    files = {"DOCS/Long File Name.TXT": b"ours", "program files/NEW": b"new", "FIRSTN~9": b"9"}
    made = survey(bench.put(base_of(bench.folder), files))
    assert made.errors == ()
    assert set(made.files) == {
        "docs/", "docs/Long File Name.TXT", "docs/other.bin", "Program Files/", "Program Files/x",
        "Program Files/NEW", "\u6587.txt", "FirstNet_One", "FirstNet_Two", "EFI/", "EFI/BOOT/",
        "EFI/BOOT/BOOTX64.EFI", "FIRSTN~9",
    }  # fmt: skip


# What mtools believes of the base ----------------------------------------------------------------

FREE, NEXT = 512 + 488, 512 + 492  # in FSInfo
FAT_1, FAT_2 = 32 * 512, 32 * 512 + 630 * 512
OURS = {"docs/new/our file.bin": b"ours" * 20_000, "EFI/BOOT/BOOTX64.EFI": b"ours" * 3000}
RIGHT = [
    (FAT32, []), (FAT16, []), (FAT12, []),
    (mformat("-T", "81920", "-F"), []), (mformat("-f", "1440"), []), (mformat("-T", "40000"), []),
    (mkfs("-F", "32", "-f", "1"), []), (mkfs("-F", "16", "-s", "8", "-R", "7"), []),
    (FAT32, [(FREE, "00000000")]), (FAT32, [(FREE, "03000000")]), (FAT32, [(FREE, "00100000")]),
    (FAT32, [(FREE, "ffffff00")]), (FAT32, [(FREE, "ffffffff")]),
    (FAT32, [(NEXT, "00000000")]), (FAT32, [(NEXT, "ffffffff")]), (FAT32, [(NEXT, "00ffff00")]),
    (FAT32, [(512, "00")]), (FAT32, [(48, "ffff")]), (FAT32, [(48, "0000")]),
    (FAT32, [(24, "00000000")]), (FAT32, [(24, "0000")]), (FAT32, [(26, "0000")]),
    (FAT16, [(24, "00000000")]), (FAT12, [(24, "00000000")]),
    (FAT32, [(50, "0000")]), (FAT32, [(50, "ffff")]), (FAT32, [(50, "6400")]),
    (FAT32, [(50, "0200")]), (FAT32, [(6 * 512 + 100, "90")]),
    (FAT32, [(40, "8000")]), (FAT32, [(40, "0100")]),
    (FAT32, [(65, "01")]), (FAT32, [(FAT_1 + 4, "ffffff07"), (FAT_2 + 4, "ffffff07")]),
    (FAT32, [(0, "000000")]), (FAT12, [(38, "00")]), (FAT16, [(38, "28")]),
    (FAT32, [(FAT_1 + 80_000, "ffffff0f"), (FAT_2 + 80_000, "ffffff0f")]),
]  # fmt: skip


EXCUSED = {
    # Where BPB_ExtFlags says so, FATs are not mirrored; it knows of no such volumes.
    "FATs differ but appear to be intact.",
    # The last row: it counts when it has given lost clusters free.
    "Free cluster summary wrong (80370 vs. really 80371)",
}


@pytest.mark.parametrize(("make", "patches"), RIGHT)
def test_an_unusual_base_is_filled_rightly(bench, make, patches, base_of):
    base = base_of(bench.folder, make, patches)
    made = bench.put(base, OURS, start=3 * MIB)
    assert read(made, bench.folder / "out") == {**THEIRS, **OURS}
    assert complaints(made) <= complaints(base) | EXCUSED
    with open(base, "rb") as before, open(made, "rb") as after:
        one, two = before.read(512), after.read(512)
    assert struct.unpack_from("<I", two, 28) == (6144,)  # BPB_HiddSec: the only other number
    assert one[:28] == two[:28]
    assert one[32:512] == two[32:512]
    if patches[:1] and patches[0][0] == FREE:
        assert complaints(made) == set()
    assert {path.upper() for path in survey(made).files if path[-1] != "/"} == {
        path.upper() for path in (*THEIRS, *OURS)
    }


def test_what_pyfatfs_reads(bench, base_of):
    made = bench.put(base_of(bench.folder, FAT32, [(FREE, "03000000")]), OURS)
    found = {path.upper(): data for path, data in read_volume(made).items() if path[-1] != "/"}
    assert found == {path.upper(): data for path, data in {**THEIRS, **OURS}.items()}


def test_a_number_that_points_anywhere_is_not_followed(bench, base_of):
    """Where BPB_BkBootSec points to no backup, the bytes there are somebody's."""
    base = base_of(bench.folder, FAT32, [(50, "6400")])
    made = bench.put(base, {"a": b""}, start=3 * MIB)
    assert made.read_bytes()[100 * 512 : 101 * 512] == base.read_bytes()[100 * 512 : 101 * 512]


BAD = [
    ([(40, "8100")], "p.path: 'base.img' has BPB_ExtFlags 0x0081: another FAT than the first one "
     "counts, and mtools writes broken chains then, must be"),
    ([(21, "f0")], "p.path: 'base.img': error fat-media"),
    ([(FAT_1, "f0"), (FAT_2, "f0")], "p.path: 'base.img': error fat-media"),
    ([(FAT_2 + 1000, "01")], "p.path: 'base.img': error fat-differ"),
    ([(42, "0100")], "p.path: 'base.img': error fat-version"),
    ([(36, "01000000")], "p.path: 'base.img': error fat-table-small"),
    ([(44, "00000000")], "p.path: 'base.img': error fat-chain-range"),
    ([(14, "2100")], "p.path: 'base.img': error fat-"),
    ([(13, "00")], "p.path: 'base.img' is not a FAT volume: integer division or modulo by zero"),
    ([(11, "0004")], "p.path: 'base.img' has 41,943,040 bytes, its volume 83,886,080: it is cut "
     "short"),
    ([(FAT_1 + 12, "08000000"), (FAT_2 + 12, "08000000")], "p.path: 'base.img': error "
     "fat-cross-link"),
]  # fmt: skip


@pytest.mark.parametrize(("patches", "message"), BAD)
def test_a_damaged_base_is_refused(bench, monkeypatch, patches, message, base_of):
    monkeypatch.chdir(bench.folder)
    base = base_of(bench.folder, FAT32, patches)
    with pytest.raises(WorldError) as caught:
        bench.put(base.relative_to(bench.folder), OURS)
    lines = str(caught.value).splitlines()
    assert any(line.startswith(message) for line in lines)
    assert all(line.startswith("p.path: 'base.img'") for line in lines)
    assert bench.left("put") == []


# A program that does something else --------------------------------------------------------------

KEEP = "a volume must hold what is described, and what it had before"
ONLY = "a volume must hold what is described and nothing else"
AGAIN = "(use another version of the program, or tell us)"
LOST = [
    ("mdel -i payload ::FirstNet_One", ["'FirstNet_One' of 'base.img' is lost"]),
    ("mdel -i payload ::docs/new/our*", ["'docs/new/our file.bin' is missing"]),
    ("echo x | mcopy -i payload - ::extra", ["'extra' is there and was never asked for"]),
    ("echo x | mcopy -o -i payload - ::docs/other.bin", ["'docs/other.bin' of 'base.img' is "
     "changed"]),
    ("mattrib +h -i payload ::FirstNet_Two ::EFI/BOOT/BOOTX64.EFI",
     ["'EFI/BOOT/BOOTX64.EFI' has the attributes 'ha', 'a' were asked for",
      "'FirstNet_Two' of 'base.img' is changed"]),
    ("echo x | mcopy -o -i payload - ::EFI/BOOT/BOOTX64.EFI", ["'EFI/BOOT/BOOTX64.EFI' has other "
     "contents, of 2 bytes; 12,000 were put there"]),
    ("mdel -i payload ::EFI/BOOT/BOOTX64.EFI; mcopy -i payload tree/EFI/BOOT/BOOTX64.EFI "
     "::EFI/BOOT/BootX64.efi", ["'EFI/BOOT/BOOTX64.EFI' has the name 'BootX64.efi'"]),
]  # fmt: skip


@pytest.fixture
def sabotage(bench, monkeypatch):
    """Return what makes an mcopy that works, and does something more afterwards."""
    def make(command):
        real = tool("mcopy")
        (bench.folder / "bin").mkdir()
        fake = bench.folder / "bin/mcopy"
        command = command.replace(" mcopy ", f" {real} ")
        fake.write_text(
            f'#!/bin/sh\n{real} "$@" || exit 1\n[ "$1" = --version ] && exit\n'
            f'[ -e done ] || case "$*" in *BOOTX64*|*last*) touch done; {command};; esac\n'
        )
        fake.chmod(0o755)
        monkeypatch.setenv("PATH", f"{fake.parent}{os.pathsep}{os.environ['PATH']}")
    return make


@pytest.mark.parametrize(("command", "found"), LOST)
def test_a_loss_is_an_error(bench, monkeypatch, sabotage, command, found, base_of):
    monkeypatch.chdir(bench.folder)
    base = base_of(bench.folder, FAT16)
    sabotage(command)
    with pytest.raises(WorldError) as caught:
        bench.put(base.relative_to(bench.folder), OURS)
    assert sorted(str(caught.value).splitlines()) == [
        f"p: read back, {text}, {KEEP} {AGAIN}" for text in found
    ]
    assert bench.left("put") == []


def test_a_new_volume_is_read_back(bench, sabotage):
    sabotage("mdel -i payload ::a; for n in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20; do "
             "echo x | mcopy -i payload - ::$n; done")  # fmt: skip
    with pytest.raises(WorldError) as caught:
        bench.make(Fat({"a": b"a", "last": b""}), MIB, "mtools")
    lines = str(caught.value).splitlines()
    assert lines[0] == f"p.engine: read back, 'a' is missing, {ONLY} {AGAIN}"
    assert len(lines) == 21
    assert lines[-1] == f"p.engine: read back, 1 more differences, {ONLY} {AGAIN}"
