"""Every layout that can be built, drawn and read by other people's tools."""

from pathlib import Path

import pytest
from layouts import judges
from layouts.drawing import draw
from layouts.good import BARE, FILES, GPTS, MBRS, SECTORS_OF_4096, SIZES, TYPICAL, Good

from doit_diskimg.kinds.filesystems.fat.volume import Fat
from doit_diskimg.kinds.tables.gpt import Gpt

WITH_A_TABLE = [*TYPICAL, *SIZES, *MBRS, *GPTS]
ALL = [*WITH_A_TABLE, *SECTORS_OF_4096, *BARE]


def name(case: Good) -> str:
    return case.name


def test_each_layout_has_a_name_of_its_own() -> None:
    assert len({case.name for case in ALL}) == len(ALL)


@pytest.mark.parametrize("case", WITH_A_TABLE, ids=name)
def test_tools_see_what_was_described(tmp_path: Path, case: Good) -> None:
    image = tmp_path / "os.img"
    layout = draw(case.disk, FILES, image)
    assert layout.size == image.stat().st_size == case.size * 512
    assert judges.sfdisk(image) == case.expected
    # sfdisk takes an MBR without partitions for none that is worth a verdict.
    assert judges.sfdisk_verdict(image) == [] or not case.expected
    if case.parted:
        places = [line.split()[:3] for line in case.expected if line.split()[3] != "00"]
        seen = [line.split() for line in judges.parted(image)]
        assert sorted(seen) == sorted(places)
    if isinstance(case.disk.table, Gpt):
        said = judges.sgdisk_verdict(image)
        assert len(said) == len(case.sgdisk), said
        expected = sorted(case.sgdisk.items())
        for (words, detail), sentence in zip(expected, sorted(said), strict=True):
            assert sentence.startswith(words)
            assert detail in sentence


@pytest.mark.parametrize("case", SECTORS_OF_4096, ids=name)
def test_parted_sees_what_was_described_in_sectors_of_4096(tmp_path: Path, case: Good) -> None:
    image = tmp_path / "os.img"
    layout = draw(case.disk, FILES, image)
    assert layout.size == case.size * 4096
    assert judges.parted(image, 4096) == case.expected


@pytest.mark.parametrize("case", BARE, ids=name)
def test_a_bare_disk_is_as_long_as_described(tmp_path: Path, case: Good) -> None:
    assert draw(case.disk, FILES, tmp_path / "os.img").size == case.size * 512


@pytest.mark.parametrize(
    "case",
    [case for case in ALL if any(isinstance(p.payload, Fat) for p in case.disk.partitions)],
    ids=name,
)
def test_fsck_is_content_with_each_volume(tmp_path: Path, case: Good) -> None:
    layout = draw(case.disk, FILES, tmp_path / "os.img")
    for part in case.disk.partitions:
        if isinstance(part.payload, Fat):
            extent = layout.extent(part.name)
            scratch = tmp_path / part.name
            assert judges.fsck(tmp_path / "os.img", *extent, scratch) == ""


@pytest.mark.parametrize(
    ("name_", "kept"),
    [
        ("code that spans the table", [(440, 512)]),
        ("code that spans the header and the array", [(440, 17 * 1024)]),
        ("code that spans an EBR", [(9216, 10240)]),
    ],
)
def test_a_segment_writes_all_but_what_it_keeps(
    tmp_path: Path, name_: str, kept: list[tuple[int, int]]
) -> None:
    (case,) = (case for case in ALL if case.name == name_)
    draw(case.disk, FILES, tmp_path / "os.img")
    segment = case.disk.segments[0]
    source = segment.source if isinstance(segment.source, bytes) else FILES[str(segment.source)]
    with (tmp_path / "os.img").open("rb") as image:
        image.seek(int(segment.start))
        found = image.read(len(source))
    own = [n for n in range(len(source)) if not any(low <= n < high for low, high in kept)]
    assert len(own) < len(source)
    assert all(found[n] == source[n] for n in own)
    assert any(found[n] != source[n] for low, high in kept for n in range(low, high))


def test_mtools_read_what_is_not_in_the_table(tmp_path: Path) -> None:
    (case,) = (case for case in ALL if case.name == "FAT that is not in the table")
    draw(case.disk, FILES, tmp_path / "os.img")
    assert judges.run("mtype", "-i", f"{tmp_path / 'os.img'}@@1M", "::HELLO.TXT") == "hello"
