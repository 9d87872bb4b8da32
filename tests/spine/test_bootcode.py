"""Patches, symbols and boot code alone: formats, places, and what is read of the user's file."""

from dataclasses import dataclass, field
from uuid import UUID

import pytest
from fakes import FakeFiles, render

from doit_diskimg import BootCode, DescriptionError, Disk, Gpt, Mbr, Patch, Segment, at
from doit_diskimg.disk.check_parts import segment_problems
from doit_diskimg.disk.symbols import Symbol
from doit_diskimg.extent import Extent

GUID = UUID("00112233-4455-6677-8899-aabbccddeeff")


@dataclass
class FakeNumbers:
    """Answers from tables, and keeps a list of what was asked."""

    extents: dict[str, Extent] = field(default_factory=dict)
    sector_size: int = 512
    asked: list[str] = field(default_factory=list)

    def extent(self, name, where):
        self.asked.append(name)
        return self.extents[name]

    def file(self, partition, path, where):
        self.asked.append(f"{partition}:{path}")
        return self.extents[f"{partition}:{path}"]

    def crc32(self, name, path, where):
        return 0x89ABCDEF

    def partition_guid(self, name):
        return GUID

    def disk_guid(self):
        return GUID

    def disk_signature(self):
        return 0x12345678


NUMBERS = FakeNumbers(
    {"a": Extent(1024, 1025), "odd": Extent(700, 5), "v:k": Extent(1 << 40, 512), "z": Extent(0, 0)}
)


@pytest.mark.parametrize(
    ("symbol", "value"),
    [
        (at.lba("a"), 2),
        (at.lba("a") + 1, 3),
        (1 + at.lba("a") - 3, 0),
        (at.sectors("a"), 3),
        (at.sectors("z"), 0),
        (at.start("odd"), 700),
        (at.length("a"), 1025),
        (at.file_lba("v", "k"), 1 << 31),
        (at.file_sectors("v", "k"), 1),
        (at.file_length("v", "k"), 512),
        (at.crc32("a"), 0x89ABCDEF),
        (at.disk_signature(), 0x12345678),
        # UEFI: the first three fields are little-endian on the disk.
        (at.partition_guid("a"), bytes.fromhex("33221100 5544 7766 8899aabbccddeeff")),
        (at.disk_guid(), bytes.fromhex("33221100 5544 7766 8899aabbccddeeff")),
    ],
)
def test_what_a_symbol_becomes(symbol, value):
    assert symbol.resolve(NUMBERS, "here") == value


def test_sectors_are_those_of_the_disk():
    numbers = FakeNumbers({"a": Extent(8192, 4097)}, sector_size=4096)
    assert (at.lba("a").resolve(numbers, ""), at.sectors("a").resolve(numbers, "")) == (2, 2)


@pytest.mark.parametrize(
    ("symbol", "text"),
    [
        (at.lba("stage2"), "at.lba('stage2')"),
        (at.file_lba("boot", "k") + 1, "at.file_lba('boot', 'k') + 1"),
        (at.crc32("a") - 2, "at.crc32('a') - 2"),
        (at.disk_guid(), "at.disk_guid()"),
    ],
)
def test_a_symbol_reads_as_it_was_written(symbol, text):
    assert str(symbol) == text


def test_a_symbol_adds_integers_only():
    with pytest.raises(TypeError):
        at.lba("a") + 0.5
    with pytest.raises(TypeError):
        at.lba("a") - at.lba("b")


def test_what_begins_within_a_sector_has_no_lba():
    with pytest.raises(DescriptionError) as caught:
        at.lba("odd").resolve(NUMBERS, "boot.patches[0]")
    assert str(caught.value) == (
        "boot.patches[0]: at.lba('odd'): odd begins at byte 700, what has an LBA begins at a "
        "multiple of 512 (move it, or write at.start('odd'))"
    )


def patched(*patches, source=bytes(32)):
    code = BootCode(source, patches=patches)
    assert not list(code.source_problems("here"))
    segment = Segment("s", code, 0)
    return render(segment.fill(FakeFiles(), "boot", NUMBERS), len(source), {})


@pytest.mark.parametrize(
    ("patch", "at", "data"),
    [
        (Patch(2, "<Q", at.lba("a")), 2, "0200000000000000"),
        (Patch(2, ">I", at.lba("a")), 2, "00000002"),
        (Patch(2, "!H", at.lba("a")), 2, "0002"),
        (Patch(2, "B", 255), 2, "ff"),
        (Patch(2, "<h", -2), 2, "feff"),
        (Patch(2, "b", at.lba("a") - 130), 2, "80"),
        (Patch(2, "3s", b"ab"), 2, "616200"),
        (Patch(2, "16s", at.partition_guid("a")), 2, "33221100554477668899aabbccddeeff"),
        (Patch(28, "<I", 0xFFFFFFFF), 28, "ffffffff"),
    ],
)
def test_how_a_value_is_stored(patch, at, data):
    source = b"\7" * 32
    expected = bytearray(source)
    expected[at : at + len(data) // 2] = bytes.fromhex(data)
    assert patched(patch, source=source) == expected


def test_neighbouring_fields_do_not_overlap():
    assert patched(Patch(0, "<H", 0x1111), Patch(2, "<H", 0x2222))[:4] == b"\x11\x11\x22\x22"


FORMAT = (
    "is not a format of one field, must be a byte order and one of b B h H i I l L q Q, or a "
    'length and s (write for example "<Q", "B" or "16s")'
)

BAD = [
    *(([Patch(offset, "B", 1)], f"w.patches[0].offset: {offset!r} is not an offset, must "
                                f"be bytes from "
       "the beginning of the source, or the name of an ELF symbol (write for example 0x5c)")
      for offset in (-1, "", 1.5, None, True)),
    *(([Patch(0, text, 1)], f"w.patches[0].format: {text!r} {FORMAT}")
      for text in ("H", "@H", "=Q", "<2H", "<HH", "", "0s", "<d", "<P", "x", None, 4)),
    ([Patch(0, "<H", "5")], "w.patches[0].value: '5' is not a value, must be a symbol, "
                            "an integer or "
     'bytes (write for example at.lba("stage2"))'),
    ([Patch(0, "<H", Symbol("lba", 5))], "w.patches[0].value: Symbol(kind='lba', name=5, path=None,"
     " plus=0) is not a value, must be a symbol, an integer or bytes (write for example "
     'at.lba("stage2"))'),
    ([Patch(0, "<H", b"ab")], "w.patches[0].format: \"<H\" does not hold bytes, b'ab' is bytes "
     '(write for example "16s")'),
    ([Patch(0, "16s", at.lba("a"))],
     "w.patches[0].format: \"16s\" does not hold an integer, at.lba('a') "
     'is an integer (write for example "<Q")'),
    ([Patch(0, "<Q", at.disk_guid())],
     'w.patches[0].format: "<Q" does not hold bytes, at.disk_guid() is '
     'bytes (write for example "16s")'),
    ([Patch(0, "16s", at.disk_guid() + 1)],
     "w.patches[0].value: at.disk_guid() + 1 adds to a GUID, only "
     "numbers can be added to (leave the number out)"),
    ([Patch(0, "B", 256)], 'w.patches[0]: 256, the field at 0x0 ("B") holds 255 at most (use a '
     'wider field such as "<H", or make it smaller)'),
    ([Patch(0, "<i", -(1 << 31) - 1)], "w.patches[0]: -2,147,483,649, the field at 0x0 (\"<i\") "
     'holds -2,147,483,648 at least (use a wider field such as "<Q", or make it larger)'),
    ([Patch(0, "3s", b"abcd")], 'w.patches[0]: the value has 4 bytes, the field at 0x0 ("3s") '
     'holds 3 (write "4s")'),
    ([Patch(30, "<I", 1)], 'w.patches[0]: the field at 0x1e ("<I") ends at byte 34, the source has '
     "32 bytes (correct the offset, or make the source longer)"),
    ([Patch(0, "<I", 1), Patch(3, "B", 1)], 'w.patches[1]: the field at 0x3 ("B") begins before '
     'the field at 0x0 ("<I") of w.patches[0] ends, no byte may belong to two fields (move one, or '
     "give w.patches[0] a shorter format)"),
    ([Patch(7, "<H", 1)], 'w.patches[0]: the field at 0x7 ("<H") is among bytes 8 to 15, those are '
     "not the boot code's own (move the field)"),
    (["x"], "w.patches[0]: 'x' is not a patch, must be Patch(offset, format, value) (write for "
     'example Patch(0x5c, "<Q", at.lba("stage2")))'),
    ("x", "w.patches: 'x' is not a list, must be a list of patches (put it in brackets)"),
]  # fmt: skip


@pytest.mark.parametrize(("patches", "problem"), BAD)
def test_a_bad_patch_is_told_what_to_change(patches, problem):
    code = BootCode(bytes(32), patches=patches)
    assert list(map(str, code.source_problems("w", [Extent(8, 8)]))) == [problem]


def test_all_that_is_wrong_is_said_at_once():
    code = BootCode(bytes(8), patches=[Patch(-1, "H", 1), Patch(0, "B", 300), Patch(9, "B", 1)])
    assert len(list(code.source_problems("w"))) == 4


def test_numbers_that_do_not_fit_are_listed_together():
    code = BootCode(bytes(64), patches=[
        Patch(0, "B", at.length("a")), Patch(8, "<H", at.lba("odd")), Patch(16, "<H",
        at.file_lba("v", "k")),
    ])  # fmt: skip
    with pytest.raises(DescriptionError) as caught:
        Segment("s", code, 0).fill(FakeFiles(), "boot", NUMBERS)
    assert [str(problem).split(",")[0] for problem in caught.value.problems] == [
        "boot.patches[0]: a: 1", "boot.patches[1]: at.lba('odd'): odd begins at byte 700",
        "boot.patches[2]: k: LBA 2",
    ]  # fmt: skip
    assert str(caught.value.problems[2]).endswith(
        "or place it lower, with low=['k'] in its volume)"
    )


def test_of_a_large_file_only_the_patched_sectors_are_read():
    data = bytes(range(256)) * (1 << 12)
    files = FakeFiles({"big": data})
    code = BootCode("big", patches=[Patch(0x10004, "<I", at.lba("a")), Patch(0x803FE, "<I", 1)])
    picture = Segment("s", code, 1024).fill(files, "segments[0]", NUMBERS)
    assert len(picture.blob) == 3 * 512
    assert [piece.length for piece in picture.pieces] == [
        0x10000, 512, 0x80200 - 0x10200, 1024, len(data) - 0x80600,
    ]  # fmt: skip
    expected = bytearray(data)
    expected[0x10004:0x10008], expected[0x803FE:0x80402] = b"\2\0\0\0", b"\1\0\0\0"
    assert render(picture, 1024 + len(data), {"big": data})[1024:] == expected
    assert "read" not in {question for question, *_ in files.asked}


def test_a_patched_sector_of_zeros_is_there_for_its_reader():
    """Block maps leave out what no piece covers: a loader would read what was there before."""
    picture = Segment("s", BootCode(bytes(1024), patches=[Patch(520, "<I", 0)]), 0).fill(
        FakeFiles(), "segments[0]", NUMBERS
    )
    assert [(piece.start, piece.end) for piece in picture.pieces] == [(0, 512), (512, 1024)]


def test_patched_sectors_are_those_of_the_disk():
    """A segment that begins within a sector: the grid is the disk's, as that of patching is."""
    code = BootCode(bytes([7]) * 2000, patches=[Patch(500, "B", 1)])
    picture = Segment("s", code, 100).fill(FakeFiles(), "segments[0]", NUMBERS)
    assert [(piece.start, piece.end) for piece in picture.pieces] == [
        (100, 512), (512, 1024), (1024, 2100),
    ]  # fmt: skip


def test_kept_bytes_stay_with_their_owner_whatever_is_patched_beside_them():
    code = BootCode(bytes([7]) * 1024, patches=[Patch(439, "B", 1), Patch(512, "<H", 0x0202)])
    segment = Segment("s", code, 0, keep=[(440, 512)])
    assert not list(segment_problems(segment, "segments[0]"))
    disk = render(segment.fill(FakeFiles(), "segments[0]", NUMBERS), 1024, {})
    assert disk == b"\7" * 439 + b"\1" + bytes(72) + b"\2\2" + b"\7" * 510


def test_a_patch_over_kept_bytes_is_refused():
    code = BootCode("file", patches=[Patch(446, "<I", at.lba("a"))])
    segment = Segment("s", code, 0, keep=[(440, 512)])
    assert [str(problem) for problem in segment_problems(segment, "segments[0]")] == [
        'segments[0].source.patches[0]: the field at 0x1be ("<I") is among bytes 440 to 511, those '
        "are not the boot code's own (move the field)"
    ]


BOOT = [
    (b"\xf4" * 440, None),
    (b"\xf4" * 440 + bytes(72), None),
    (b"\xf4" * 440 + bytes(70) + b"\x55\xaa", None),
    (b"\xf4" * 440 + bytes(10), None),
    (b"\xf4" * 441, "boot: its 441 bytes reach over the partition table: byte 440 is not zero, "
     "bytes 440 to 511 are the table's; a binary of 512 may have zeros there and 55 aa at the end "
     "(make the code 1 bytes shorter, or let it load a stage 2)"),
    (b"\xf4" * 440 + bytes(69) + b"\1\x55\xaa", "boot: its 512 bytes reach over the partition "
     "table: byte 509 is not zero, bytes 440 to 511 are the table's; a binary of 512 may have "
     "zeros there and 55 aa at the end (make the code 70 bytes shorter, or let it load a "
     "stage 2)"),
    (b"\xf4" * 440 + bytes(70) + b"\x55\xab", "boot: its 512 bytes reach over the partition table: "
     "byte 511 is not zero, bytes 440 to 511 are the table's; a binary of 512 may have zeros there "
     "and 55 aa at the end (make the code 72 bytes shorter, or let it load a stage 2)"),
    (bytes(513), "boot: the boot code has 513 bytes, sector 0 has 440 for it, before the partition "
     'table (load the rest from elsewhere: Segment("stage2", "build/stage2.bin", 512); what spans '
     "the table by itself is a segment with keep=[(440, 512)])"),
]  # fmt: skip


@pytest.mark.parametrize(("data", "problem"), BOOT)
@pytest.mark.parametrize("source", ["file", "bytes"])
def test_boot_code_leaves_the_table_alone(data, problem, source):
    code = BootCode("stage1.bin" if source == "file" else data)
    (segment,) = code.segments(Disk("os.img", size="1MiB", table=Gpt()))
    files = FakeFiles({"stage1.bin": data})
    if problem is None:
        picture = segment.fill(files, "boot", NUMBERS)
        assert render(picture, 512, files.contents) == data[:440].ljust(512, b"\0")
        return
    with pytest.raises(DescriptionError) as caught:
        segment.fill(files, "boot", NUMBERS)
    assert str(caught.value) == problem


SHORTER = (
    "boot: its {0} bytes reach over the partition table: byte {1} is not zero, bytes {2} to 511 "
    "are the table's; a binary of 512 may have zeros there and 55 aa at the end (make the code {3} "
    "bytes shorter, or let it load a stage 2{4})"
)
CAN_DO = ", or write Mbr(disk_signature=False)"


@pytest.mark.parametrize(
    ("signature", "data", "problem"),
    [
        (False, b"\xf4" * 446, None),
        (False, b"\xf4" * 446 + bytes(64) + b"\x55\xaa", None),
        (False, b"\xf4" * 447, SHORTER.format(447, 446, 446, 1, "")),
        (True, b"\xf4" * 446, SHORTER.format(446, 445, 440, 6, CAN_DO)),
        (True, b"\xf4" * 447, SHORTER.format(447, 446, 440, 7, "")),
    ],
)
def test_an_mbr_can_do_without_a_signature(signature, data, problem):
    table = Mbr(disk_signature=signature)
    (segment,) = BootCode(data).segments(Disk("os.img", size="1MiB", table=table))
    if problem is None:
        picture = segment.fill(FakeFiles({}), "boot", NUMBERS)
        assert render(picture, 512, {}) == data[:446].ljust(512, b"\0")
        return
    with pytest.raises(DescriptionError) as caught:
        segment.fill(FakeFiles({}), "boot", NUMBERS)
    assert str(caught.value) == problem
