"""Where parts without a place of their own lie, and what of a file is in them: read by dd."""

import re
from pathlib import Path
from typing import Any

import pytest
from layouts import judges
from layouts.drawing import draw
from layouts.good import BOOT, FILES, fat, flat, gpt, mbr, part
from tools import run

from doit_diskimg.disk.model import Disk, Partition
from doit_diskimg.disk.segment import Segment
from doit_diskimg.errors import WorldError
from doit_diskimg.kinds.filesystems.fat.volume import Fat
from doit_diskimg.kinds.filesystems.file import File
from doit_diskimg.kinds.tables.gpt import Gpt
from doit_diskimg.kinds.tables.mbr import Mbr

K = 1024
SPL, STAGE2 = FILES["spl.bin"], FILES["stage2.bin"]
LOOSE = [Segment("s", "stage2.bin"), Segment("t", b"t" * 513), Segment("u", "a.bin")]

PLACES = {
    "without a table from sector 0 on": (
        flat(*LOOSE, size="1MiB"), {"s": 0, "t": 10 * 512, "u": 12 * 512},
    ),
    "behind the sector with the table": (
        mbr(segments=LOOSE), {"s": 512, "t": 11 * 512, "u": 13 * 512},
    ),
    "never in sector 0, where firmware would run it": (
        mbr(segments=[Segment("tiny", b"t")]), {"tiny": 512},
    ),
    "behind boot code too": (mbr(segments=[*LOOSE, BOOT]), {"code": 0, "s": 512}),
    "behind a GPT": (gpt(segments=LOOSE), {"s": 34 * 512, "t": 44 * 512}),
    "before an array that moved": (
        gpt(segments=LOOSE, table=Gpt(entries_lba=16)),
        {"s": 2 * 512, "t": 12 * 512, "u": (16 + 32) * 512},
    ),
    "around what has a start, and not before the one before": (
        mbr(part("a", "64KiB", start=4096), part("b", "64KiB"), align=512, segments=[
            Segment("one", "stage2.bin"), Segment("two", b"2"), Segment("fixed", b"f", 76 * K),
        ]),
        {"a": 4096, "one": 68 * K, "two": 73 * K, "fixed": 76 * K, "b": 76 * K + 512},
    ),
    "before the rest and what is behind it": (
        mbr(part("a", "rest"), part("b", "1MiB"), segments=LOOSE),
        {"s": 512, "a": 1 << 20, "b": 63 << 20},
    ),
    "in sectors of 4096": (
        gpt(segments=LOOSE, table=Gpt(sector_size=4096)), {"s": 6 * 4096, "t": 8 * 4096},
    ),
    "with room to grow": (
        mbr(segments=[Segment("s", "stage2.bin", size="16KiB"), Segment("t", b"t")]),
        {"s": 512, "t": 512 + 16 * K},
    ),
    "nothing has a place too": (
        mbr(segments=[Segment("none", "empty"), Segment("t", b"t")]), {"none": 512, "t": 512},
    ),
}


@pytest.mark.parametrize("case", PLACES)
def test_parts_without_a_start(tmp_path: Path, case: str) -> None:
    disk, expected = PLACES[case]
    layout = draw(disk, FILES, tmp_path / "os.img")
    assert {name: layout.extent(name).start for name in expected} == expected
    for segment in disk.segments:
        source = segment.source if isinstance(segment.source, bytes) else FILES[segment.source]
        assert dd(tmp_path / "os.img", layout.extent(segment.name).start, len(source)) == source


def test_segments_follow_the_order_of_the_description() -> None:
    from layouts.drawing import lay_out

    def places(*segments: Segment) -> list[int]:
        layout = lay_out(mbr(segments=segments), FILES)
        return [layout.extent(segment.name).start for segment in segments]

    assert places(*LOOSE) == sorted(places(*LOOSE))
    assert places(*LOOSE[::-1]) == sorted(places(*LOOSE[::-1]))


RANGES = {
    "all from an offset on": ({"offset": 29_000}, SPL[29_000:]),
    "a range": ({"offset": "1KiB", "length": 700}, SPL[1024:1724]),
    "from the beginning": ({"length": "2KiB"}, SPL[:2048]),
    "all of it": ({"offset": 0, "length": 30_000}, SPL),
    "nothing behind the end": ({"offset": 30_000}, b""),
}


@pytest.mark.parametrize("case", RANGES)
def test_a_range_of_a_file(tmp_path: Path, case: str) -> None:
    """What is beside the range stays zero, in the partition and behind the segment."""
    fields, expected = RANGES[case]
    disk = mbr(
        Partition("p", File("spl.bin", **fields), size="32KiB", type=0xDA), align=512,
        segments=[Segment("s", "spl.bin", 333, keep=[(107, 179)], **fields), Segment("t", b"t")],
    )
    layout = draw(disk, FILES, tmp_path / "os.img")
    place = layout.extent("p").start
    assert dd(tmp_path / "os.img", place, 32 * K) == expected.ljust(32 * K, b"\0")
    found = dd(tmp_path / "os.img", 333, len(expected))
    assert found[:107] == expected[:107]
    assert found[179:] == expected[179:]
    if expected:
        assert layout.extent("s") == (333, len(expected))


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"offset": 29_999, "length": 2}, "'spl.bin' has 30,000 bytes (29.2 KiB), bytes 29999 to "
         "30001 are asked for (make the file 1 byte longer, or the range shorter)"),
        ({"offset": "30KiB"}, "'spl.bin' has 30,000 bytes (29.2 KiB), bytes all from 30720 on are "
         "asked for (make the file 720 bytes longer, or the range shorter)"),
    ],
)
@pytest.mark.parametrize("part", ["partitions[0].payload", "segments[0].source"])
def test_a_file_that_is_too_short(
    tmp_path: Path, part: str, fields: dict[str, object], message: str
) -> None:
    disk = mbr(segments=[Segment("s", "spl.bin", **fields)])
    if part.startswith("partitions"):
        disk = mbr(Partition("p", File("spl.bin", **fields), type=0xDA))
    with pytest.raises(WorldError) as caught:
        draw(disk, FILES, tmp_path / "os.img")
    assert [str(problem) for problem in caught.value.problems] == [f"{part}: {message}"]


def test_volumes_without_a_table_are_read_where_they_are(tmp_path: Path) -> None:
    image = tmp_path / "os.img"
    disk = Disk("os.img", size="auto", table=None, partitions=[
        Partition("a", Fat({"NAME": b"a"}), size="1MiB", start="64KiB"),
        Partition("b", Fat({"NAME": b"b"}, label="SECOND"), size="2MiB", start="4MiB"),
        Partition("root", File("root.ext2"), start="2MiB"),
    ], segments=[Segment("spl", "spl.bin", "8KiB")])
    layout = draw(disk, FILES, image)
    assert judges.run("mtype", "-i", f"{image}@@64K", "::NAME") == "a"
    assert judges.run("mtype", "-i", f"{image}@@4M", "::NAME") == "b"
    assert "is SECOND" in judges.run("mlabel", "-s", "-i", f"{image}@@4M", "::")
    for name in "ab":
        assert judges.fsck(image, *layout.extent(name), tmp_path / name) == ""
    assert dd(image, 8 * K, 30_000) == SPL
    assert dd(image, 2 << 20, 100_000) == FILES["root.ext2"]
    assert image.stat().st_size == 6 << 20


PAGE = Path(__file__).parents[2] / "docs/how-to/floppy.md"
SNIPPETS = [
    text
    for text in re.findall(r"```python\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)
    if "table=None" in text and "segments=[" in text
]


@pytest.mark.parametrize("number", range(2))
def test_disks_without_a_table_of_the_page_can_be_built(tmp_path: Path, number: int) -> None:
    names: dict[str, Any] = {}
    exec(SNIPPETS[number], names)
    files = {"build/boot.bin": b"b" * 512, "build/kernel.bin": b"k" * 9000}
    image, disk = tmp_path / "os.img", names["disk"]
    layout = draw(disk, files, image)
    for volume in disk.partitions:
        assert judges.fsck(image, *layout.extent(volume.name), tmp_path / volume.name) == ""
    for segment in disk.segments:
        source = files[segment.source]
        assert dd(image, layout.extent(segment.name).start, len(source)) == source
    assert len(SNIPPETS) == 2


def test_a_table_is_where_it_was(tmp_path: Path) -> None:
    """Parts that say the same with a start and without lie alike."""
    said = mbr(fat("a", "1MiB"), segments=[Segment("s", "stage2.bin", 512)], table=Mbr())
    left = mbr(fat("a", "1MiB"), segments=[Segment("s", "stage2.bin")], table=Mbr())
    draw(said, FILES, tmp_path / "said.img")
    draw(left, FILES, tmp_path / "left.img")
    run("cmp", tmp_path / "said.img", tmp_path / "left.img")


def dd(image: Path, start: int, length: int) -> bytes:
    """Return bytes of an image as dd finds them."""
    import subprocess

    from tools import tool

    return subprocess.run(
        [tool("dd"), f"if={image}", "iflag=skip_bytes,count_bytes", f"skip={start}",
         f"count={length}", "status=none"],
        capture_output=True, check=True, timeout=60,
    ).stdout
