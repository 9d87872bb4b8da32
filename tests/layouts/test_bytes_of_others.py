"""Layouts that other tools can make too: the same bytes, or the same chain where places differ."""

from pathlib import Path

import pytest
from layouts.drawing import draw
from layouts.good import FILES, MBRS, Good, fat, gpt, part
from tools import run

from doit_diskimg.disk.identity import disk_guid, identity_of
from doit_diskimg.disk.placed import Layout
from doit_diskimg.kinds.tables.gpt import Gpt

WITH_LOGICAL = [
    case for case in MBRS
    if any(line.startswith("5 ") for line in case.expected)
    # Not the bytes of the partitions, nor what only we can describe.
    and case.name not in (
        "FAT in a logical one", "code that spans an EBR", "extended with room at its start",
        "code that spans a table without a signature",
    )
]


def tables(image: Path) -> dict[int, bytes]:
    """Return every sector that ends like an MBR."""
    data = image.read_bytes()
    sectors = {n // 512: data[n : n + 512] for n in range(0, len(data), 512)}
    return {number: bytes_ for number, bytes_ in sectors.items() if bytes_[510:] == b"\x55\xaa"}


def script(layout: Layout, signature: int) -> str:
    """Return the description of the same table for sfdisk, in the order of the numbers."""
    lines = ["label: dos", f"label-id: {signature:#x}", ""]
    for entry in sorted(layout.recorded(), key=lambda entry: entry.number):
        extent = entry.extent
        lines.append(
            f"{entry.number} : start={extent.start // 512}, size={extent.length // 512}, "
            f"type={entry.type.removeprefix('0x')}"
        )
    return "\n".join(lines) + "\n"


@pytest.mark.parametrize("case", WITH_LOGICAL, ids=lambda case: case.name)
def test_the_chain_is_that_of_sfdisk(tmp_path: Path, case: Good) -> None:
    """sfdisk puts each EBR right before a partition whose start it is told, where we align it."""
    ours, theirs = tmp_path / "ours.img", tmp_path / "theirs.img"
    layout = draw(case.disk, FILES, ours)
    with theirs.open("xb") as file:
        file.truncate(layout.size)
    script_ = script(layout, identity_of(case.disk).signature)
    run("sfdisk", "--quiet", "--no-tell-kernel", theirs, stdin=script_)
    found, expected = tables(ours), tables(theirs)
    assert found[0] == expected[0]
    assert len(found) == len(expected)
    base = layout.extended.extent.start // 512  # type: ignore[union-attr]
    assert chain(found, base) == chain(expected, base)


def chain(sectors: dict[int, bytes], base: int) -> list[tuple[int, ...]]:
    """Follow the links: partition's first sector, sectors, type and addresses; type of the link."""
    links, at = [], base
    while True:
        entry, link = sectors[at][446:462], sectors[at][462:478]
        assert not any(sectors[at][:446])
        assert not any(sectors[at][478:510])
        links.append((at + number(entry, 8), number(entry, 12), *entry[:8], link[4]))
        if not any(link):
            return links
        end = number(link, 8) + number(link, 12)
        at = base + number(link, 8)
        first = at + number(sectors[at][446:462], 8) + number(sectors[at][446:462], 12)
        assert base + end == first, "a link covers the EBR and the partition behind it"


def number(data: bytes, offset: int) -> int:
    return int.from_bytes(data[offset : offset + 4], "little")


def test_automatic_places_of_logical_partitions_are_those_of_sfdisk(tmp_path: Path) -> None:
    """Sizes alone are given; sfdisk has the extended partition fill the disk."""
    from layouts.good import mbr

    sizes = ["1MiB", 1500 * 1024, 512, "3MiB"]
    disk = mbr(*[part(f"p{n}", size, logical=True) for n, size in enumerate(sizes)])
    layout = draw(disk, FILES, tmp_path / "ours.img")
    theirs = tmp_path / "theirs.img"
    with theirs.open("xb") as file:
        file.truncate(layout.size)
    lines = ["label: dos", "label-id: 0x1", "", "4 : start=2048, type=f"]
    lines += [
        f"{n} : size={p.extent.length // 512}, type=83" for n, p in enumerate(layout.partitions, 5)
    ]
    run("sfdisk", "--quiet", "--no-tell-kernel", theirs, stdin="\n".join(lines) + "\n")
    assert {at: data for at, data in tables(theirs).items() if at} == {
        at: data for at, data in tables(tmp_path / "ours.img").items() if at
    }


@pytest.mark.parametrize(
    ("table", "arguments"),
    [
        (Gpt(entries_lba=4096), ["--move-main-table=4096"]),
        (Gpt(entry_count=56, first_usable_lba=16), ["--resize-table=56"]),
        (Gpt(entry_count=256), ["--resize-table=256"]),
    ],
)
def test_an_array_elsewhere_or_of_another_length_is_that_of_sgdisk(
    tmp_path: Path, table: Gpt, arguments: list[str]
) -> None:
    disk = gpt(part("a", "1MiB", start="8MiB"), table=table)
    layout = draw(disk, FILES, tmp_path / "ours.img")
    theirs, (entry,) = tmp_path / "theirs.img", layout.partitions
    with theirs.open("xb") as file:
        file.truncate(layout.size)
    identity = f"--disk-guid={disk_guid(disk)}"
    run("sgdisk", "--clear", "--set-alignment=1", identity, *arguments, theirs)
    run(
        "sgdisk", "--set-alignment=1", "--new=1:16384:18431", f"--typecode=1:{entry.type}",
        f"--partition-guid=1:{entry.guid}", "--change-name=1:a", theirs,
    )
    assert (tmp_path / "ours.img").read_bytes() == theirs.read_bytes()


HYBRIDS = [
    (["a"], "1", "30MiB"),
    (["b", "a"], "2:1", "30MiB"),
    (["c", "a", "b"], "3:1:2", "30MiB"),
    (["a", "b", "c"], "1:2:3", "9GiB"),  # cylinders count to 7.8 GiB
]


@pytest.mark.parametrize(("names", "numbers", "start"), HYBRIDS)
def test_a_hybrid_mbr_is_that_of_sgdisk(
    tmp_path: Path, names: list[str], numbers: str, start: str
) -> None:
    disk = gpt(
        fat("a", "8MiB", type="esp"), part("b", "4MiB", start=start), part("c", "10MiB"),
        table=Gpt(hybrid=names), size="auto",
    )
    layout = draw(disk, FILES, tmp_path / "ours.img")
    theirs = tmp_path / "theirs.img"
    with theirs.open("xb") as file:
        file.truncate(layout.size)
    argv = ["--clear", "--set-alignment=1"]
    for entry in layout.partitions:
        first, end = entry.extent.start // 512, entry.extent.end // 512
        argv += [
            f"--new={entry.number}:{first}:{end - 1}", f"--typecode={entry.number}:{entry.type}",
        ]
    run("sgdisk", *argv, f"--hybrid={numbers}", theirs)
    with theirs.open("rb") as one, (tmp_path / "ours.img").open("rb") as other:
        assert other.read(512)[440:] == one.read(512)[440:]


def test_the_active_flag_of_a_hybrid_mbr(tmp_path: Path) -> None:
    disk = gpt(fat("a", "8MiB", active=True), part("b", "1MiB"), table=Gpt(hybrid=["b", "a"]))
    draw(disk, FILES, tmp_path / "os.img")
    with (tmp_path / "os.img").open("rb") as image:
        entries = image.read(510)[446:]
    # protective, b, a: Linux, and FAT16 by its file system though the GPT says basic data
    assert [entries[n] for n in (0, 16, 32, 48)] == [0, 0, 0x80, 0]
    assert [entries[n + 4] for n in (0, 16, 32, 48)] == [0xEE, 0x83, 0x0E, 0]
