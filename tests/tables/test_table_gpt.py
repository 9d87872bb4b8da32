"""The GPT, judged by sgdisk, sfdisk, fdisk and parted."""

import json
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from uuid import UUID

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tools import paint, run

from doit_diskimg.disk.identity import identity_of
from doit_diskimg.disk.model import Disk, Identity, Table
from doit_diskimg.disk.placed import PlacedPartition
from doit_diskimg.extent import Extent
from doit_diskimg.kinds.tables import gpt
from doit_diskimg.kinds.tables.gpt import Gpt
from doit_diskimg.ondisk import gpt_header as ondisk
from doit_diskimg.ondisk.guids import GPT_TYPES
from doit_diskimg.units import MIB, TIB

GUID = UUID("11111111-2222-3333-4444-555555555555")
IDENTITY = Identity(GUID, 0x55555555)

PROTECTIVE_END = slice(446 + 5, 446 + 8)
"""EndingCHS of the protective MBR: sfdisk and fdisk write FF FF FF on every disk, UEFI (5.2.3)
asks for the address of the last sector where there is one; sgdisk does as UEFI says."""

SFDISK_ATTRIBUTES = {0: "RequiredPartition", 1: "NoBlockIOProtocol", 2: "LegacyBIOSBootable"}


def placed(
    number: int,
    name: str,
    first: int,
    sectors: int,
    type_: str,
    attributes: int = 0,
    sector_size: int = 512,
) -> PlacedPartition:
    """Return a partition whose place is given in sectors."""
    return PlacedPartition(
        number=number,
        name=name,
        extent=Extent(first * sector_size, sectors * sector_size),
        type=GPT_TYPES[type_],
        guid=f"aaaaaaaa-bbbb-cccc-dddd-{number:012x}",
        attributes=attributes,
        active=False,
    )


FOUR = [
    placed(1, "esp", 2048, 4096, "esp", 0b101),
    placed(2, "корень \U0001f4be", 6144, 2048, "linux-root-arm64", 1 << 59 | 1 << 60),
    placed(3, "x" * 36, 34, 1, "bios-boot", 1 << 63 | 0b10),
    placed(4, "last", 16350, 1, "basic-data", 1 << 62 | 1 << 61),
]
SIZE = 8 * MIB


def test_the_numbers_that_are_here_and_on_the_disk_are_the_same() -> None:
    assert (ondisk.ENTRY_COUNT, ondisk.ENTRY_SIZE) == (gpt._ENTRY_COUNT, gpt._ENTRY_SIZE)


def ours(
    path: Path, size: int, partitions: list[PlacedPartition], sector_size: int = 512
) -> Path:
    return paint(Gpt(sector_size=sector_size).encode(size, IDENTITY, partitions), path, size)


def empty(path: Path, size: int) -> Path:
    with open(path, "xb") as file:
        file.truncate(size)
    return path


def sgdisks(path: Path, size: int, partitions: list[PlacedPartition]) -> Path:
    """Let sgdisk make the same table."""
    argv = ["--clear", "--set-alignment=1"]
    for part in partitions:
        number, first, end = part.number, part.extent.start // 512, part.extent.end // 512
        argv += [
            f"--new={number}:{first}:{end - 1}",
            f"--typecode={number}:{part.type}",
            f"--partition-guid={number}:{part.guid}",
            f"--change-name={number}:{part.name}",
        ]
        argv += [f"--attributes={number}:set:{bit}" for bit in bits(part.attributes)]
    run("sgdisk", *argv, f"--disk-guid={GUID}", empty(path, size))
    return path


def script(partitions: list[PlacedPartition], sector_size: int = 512) -> str:
    """Return the description of the same table for sfdisk and fdisk."""
    first_usable = 2 + 16384 // sector_size
    lines = ["label: gpt", f"label-id: {GUID}", f"first-lba: {first_usable}", ""]
    lines += [
        f"start={part.extent.start // sector_size}, size={part.extent.length // sector_size}, "
        f'type={part.type}, uuid={part.guid}, name="{part.name}", '
        f'attrs="{sfdisk_attributes(part.attributes)}"'
        for part in partitions
    ]
    return "\n".join(lines) + "\n"


def sfdisk_attributes(attributes: int) -> str:
    names = [SFDISK_ATTRIBUTES.get(bit, f"GUID:{bit}") for bit in bits(attributes)]
    # The bits of the type are listed together: "GUID:59,60".
    own = [name.removeprefix("GUID:") for name in names if name.startswith("GUID:")]
    words = [name for name in names if not name.startswith("GUID:")]
    return " ".join([*words, f"GUID:{','.join(own)}"] if own else words)


def bits(value: int) -> list[int]:
    return [bit for bit in range(64) if value >> bit & 1]


def ends(path: Path) -> bytes:
    """Return the first and the last 64 KiB, which hold the whole table."""
    with open(path, "rb") as file:
        head = file.read(65536)
        file.seek(-65536, 2)
        return head + file.read()


def without_protective_end(data: bytes) -> bytes:
    masked = bytearray(data)
    masked[PROTECTIVE_END] = b"\xff\xff\xff"
    return bytes(masked)


def last_sector(size: int) -> int:
    return size // 512 - 1


@pytest.mark.parametrize(
    ("size", "partitions"),
    [
        (SIZE, FOUR),
        (SIZE, []),
        (SIZE, list(reversed(FOUR))),
        (128 * 1024, [placed(1, "all", 34, 256 - 67, "esp")]),
        (64 * MIB, [placed(1, "all", 34, last_sector(64 * MIB) - 33 - 33, "linux-filesystem")]),
        (64 * MIB, [placed(128, "the last entry", 2048, 8, "linux-swap")]),
        (1024 * 255 * 63 * 512, []),  # the last sector has the last address in cylinders
        (1024 * 255 * 63 * 512 + 512, []),  # and here it has none
        (2 * TIB, []),  # 2**32 - 1 sectors after the protective MBR
        (3 * TIB, [placed(1, "beyond 32 bits", 2**32, 2**30, "linux-lvm")]),
    ],
)
def test_the_bytes_are_those_of_sgdisk(
    tmp_path: Path, size: int, partitions: list[PlacedPartition]
) -> None:
    in_order = sorted(partitions, key=lambda part: part.number)
    theirs = sgdisks(tmp_path / "theirs.img", size, in_order)
    image = ours(tmp_path / "ours.img", size, partitions)
    assert ends(image) == ends(theirs)
    assert "No problems found" in run("sgdisk", "--verify", image)


# sfdisk reads characters beyond U+FFFF but stores no name that has one.
PLAIN = [replace(part, name=part.name.replace("\U0001f4be", "漢")) for part in FOUR]


@pytest.mark.parametrize("partitions", [PLAIN, []])
def test_the_bytes_are_those_of_sfdisk(tmp_path: Path, partitions: list[PlacedPartition]) -> None:
    theirs = empty(tmp_path / "theirs.img", SIZE)
    run("sfdisk", "--quiet", theirs, stdin=script(partitions))
    image = ours(tmp_path / "ours.img", SIZE, partitions)
    assert without_protective_end(image.read_bytes()) == theirs.read_bytes()


FOUR_4K = [
    placed(1, "esp", 6, 250, "esp", 0b101, 4096),
    placed(2, "корень 漢", 256, 512, "linux-root-arm64", 1 << 59, 4096),
    placed(3, "last", 2042, 1, "basic-data", 1 << 62, 4096),
]


@pytest.mark.parametrize("partitions", [FOUR_4K, []])
def test_the_bytes_for_sectors_of_4096_are_those_of_fdisk(
    tmp_path: Path, partitions: list[PlacedPartition]
) -> None:
    theirs = empty(tmp_path / "theirs.img", SIZE)
    description = tmp_path / "description"
    description.write_text(script(partitions, 4096), encoding="utf-8")
    run("fdisk", "--sector-size", "4096", theirs, stdin=f"I\n{description}\nw\n")
    image = ours(tmp_path / "ours.img", SIZE, partitions, 4096)
    assert without_protective_end(image.read_bytes()) == theirs.read_bytes()


def test_sfdisk_reads_what_we_wrote(tmp_path: Path) -> None:
    image = ours(tmp_path / "os.img", SIZE, FOUR)
    assert "No errors detected." in run("sfdisk", "--verify", image)
    found = json.loads(run("sfdisk", "--json", image))["partitiontable"]
    assert found == as_sfdisk_says(image, SIZE, FOUR)


def as_sfdisk_says(
    image: Path, size: int, partitions: list[PlacedPartition]
) -> dict[str, object]:
    """Return what ``sfdisk --json`` has to say; it leaves out what is empty."""
    found: list[dict[str, object]] = []
    for part in sorted(partitions, key=lambda part: part.number):
        found.append(
            {
                "node": f"{image}{part.number}",
                "start": part.extent.start // 512,
                "size": part.extent.length // 512,
                "type": part.type.upper(),
                "uuid": part.guid.upper(),
            }
        )
        if part.name:
            found[-1]["name"] = part.name
        if part.attributes:
            found[-1]["attrs"] = sfdisk_attributes(part.attributes)
    table: dict[str, object] = {
        "label": "gpt",
        "id": str(GUID).upper(),
        "device": str(image),
        "unit": "sectors",
        "firstlba": 34,
        "lastlba": size // 512 - 34,
        "sectorsize": 512,
    }
    return {**table, "partitions": found} if found else table


def test_sgdisk_reads_what_we_wrote(tmp_path: Path) -> None:
    # sgdisk garbles characters beyond U+FFFF when it prints them, so the name has none.
    image = ours(tmp_path / "os.img", SIZE, PLAIN)
    assert run("sgdisk", "--info=2", image).splitlines() == [
        "Partition GUID code: B921B045-1DF0-41C3-AF44-4C6F280D3FAE (Linux ARM64 root (/))",
        "Partition unique GUID: AAAAAAAA-BBBB-CCCC-DDDD-000000000002",
        "First sector: 6144 (at 3.0 MiB)",
        "Last sector: 8191 (at 4.0 MiB)",
        "Partition size: 2048 sectors (1024.0 KiB)",
        "Attribute flags: 1800000000000000",
        "Partition name: 'корень 漢'",
    ]


@pytest.mark.parametrize(
    ("sector_size", "partitions", "found"),
    [
        (
            512,
            PLAIN,
            [
                "3:34s:34s:1s::{x}:bios_grub;",
                "1:2048s:6143s:4096s::esp:boot, hidden, legacy_boot, esp;",
                "2:6144s:8191s:2048s::корень 漢:;",
                "4:16350s:16350s:1s::last:msftdata;",
            ],
        ),
        (
            4096,
            FOUR_4K,
            [
                "1:6s:255s:250s::esp:boot, hidden, legacy_boot, esp;",
                "2:256s:767s:512s::корень 漢:;",
                "3:2042s:2042s:1s::last:msftdata;",
            ],
        ),
    ],
)
def test_parted_reads_what_we_wrote(
    tmp_path: Path, sector_size: int, partitions: list[PlacedPartition], found: list[str]
) -> None:
    image = ours(tmp_path / "os.img", SIZE, partitions, sector_size)
    # "hidden" is its word for the attribute "required"; it has none for the bits of the types,
    # and prints no name with a character beyond U+FFFF.
    said = run(
        "parted", "-s", "-m", image, "unit", "s", "print", PARTED_SECTOR_SIZE=str(sector_size)
    )
    assert said.splitlines()[1:] == [
        f"{image}:{SIZE // sector_size}s:file:{sector_size}:{sector_size}:gpt::;",
        *(line.replace("{x}", "x" * 36) for line in found),
    ]


@pytest.mark.parametrize("guid", ["0f0e0d0c-0b0a-0908-0706-050403020100", UUID(int=2**127 + 5)])
def test_sfdisk_reads_the_guid_that_the_user_gave(tmp_path: Path, guid: str | UUID) -> None:
    identity = identity_of(Disk("os.img", size=SIZE, table=Gpt(), guid=guid))
    image = paint(Gpt().encode(SIZE, identity, []), tmp_path / "os.img", SIZE)
    assert json.loads(run("sfdisk", "--json", image))["partitiontable"]["id"] == str(guid).upper()


def test_both_arrays_share_their_bytes_in_the_blob() -> None:
    pieces = Gpt().encode(SIZE, IDENTITY, FOUR).pieces
    primary = [piece for piece in pieces if 1024 <= piece.start < 34 * 512]
    backup = [piece for piece in pieces if SIZE - 33 * 512 <= piece.start < SIZE - 512]
    assert [(piece.offset, piece.length) for piece in primary] == [(72, 512)]
    assert [(piece.offset, piece.length) for piece in backup] == [(72, 512)]


@pytest.mark.parametrize(
    ("sector_size", "expected"),
    [
        (
            512,
            [
                ("protective MBR", 440, 512),
                ("GPT header", 512, 1024),
                ("GPT entry array", 1024, 34 * 512),
                ("backup GPT entry array", SIZE - 33 * 512, SIZE - 512),
                ("backup GPT header", SIZE - 512, SIZE),
            ],
        ),
        (
            4096,
            [
                ("protective MBR", 440, 4096),
                ("GPT header", 4096, 8192),
                ("GPT entry array", 8192, 6 * 4096),
                ("backup GPT entry array", SIZE - 5 * 4096, SIZE - 4096),
                ("backup GPT header", SIZE - 4096, SIZE),
            ],
        ),
    ],
)
def test_regions(sector_size: int, expected: list[tuple[str, int, int]]) -> None:
    regions = Gpt(sector_size=sector_size).regions(SIZE)
    assert [(part.name, part.extent.start, part.extent.end) for part in regions] == expected
    assert {part.where for part in regions} == {"table"}


@pytest.mark.parametrize("sector_size", [512, 4096])
@pytest.mark.parametrize("size", [SIZE, SIZE + 4096, 3 * TIB])
def test_all_bytes_lie_in_the_regions(sector_size: int, size: int) -> None:
    table = Gpt(sector_size=sector_size)
    parts = [part.extent for part in table.regions(size)]
    full = [
        placed(number, f"{number}", 100 + number, 1, "esp", 0, sector_size)
        for number in range(1, 129)
    ]
    for piece in table.encode(size, IDENTITY, full).pieces:
        assert any(part.contains(Extent(piece.start, piece.length)) for part in parts)
    assert not any(part.overlaps(table.usable(size)) for part in parts)


@pytest.mark.parametrize(
    ("sector_size", "size", "usable"),
    [
        (512, 0, Extent(34 * 512, 0)),
        (512, 67 * 512, Extent(34 * 512, 0)),
        (512, 68 * 512, Extent(34 * 512, 512)),
        (512, 68 * 512 + 511, Extent(34 * 512, 512)),
        (512, SIZE, Extent(34 * 512, SIZE - 67 * 512)),
        (4096, 11 * 4096, Extent(6 * 4096, 0)),
        (4096, 12 * 4096, Extent(6 * 4096, 4096)),
        (4096, SIZE, Extent(6 * 4096, SIZE - 11 * 4096)),
    ],
)
def test_usable(sector_size: int, size: int, usable: Extent) -> None:
    assert Gpt(sector_size=sector_size).usable(size) == usable


def test_it_fits_the_socket() -> None:
    table: Table = Gpt()
    assert isinstance(table, Table)
    assert table.sector_size == 512


@st.composite
def partition_lists(draw: st.DrawFn) -> list[PlacedPartition]:
    """Return partitions that do not overlap, with entries and names in any order."""
    count = draw(st.integers(0, 8))
    limits = st.integers(34, SIZE // 512 - 33)
    cuts = sorted(draw(st.sets(limits, min_size=2 * count, max_size=2 * count)))
    numbers = draw(st.lists(st.integers(1, 128), min_size=count, max_size=count, unique=True))
    # Letters of four alphabets, one of them beyond U+FFFF; sfdisk's script can't quote a quote.
    names = st.text(st.sampled_from("ab ZÄжя漢字\U0001f4be\U00010400.-_"), max_size=18)
    attributes = st.sets(st.sampled_from([0, 1, 2, *range(48, 64)])).map(
        lambda chosen: sum(1 << bit for bit in chosen)
    )
    return [
        placed(
            number,
            draw(names),
            first,
            end - first,
            draw(st.sampled_from(list(GPT_TYPES))),
            draw(attributes),
        )
        for number, first, end in zip(numbers, cuts[::2], cuts[1::2], strict=True)
    ]


@settings(max_examples=60, deadline=None, derandomize=True)
@given(partition_lists())
def test_sfdisk_reads_any_legal_table(partitions: list[PlacedPartition]) -> None:
    with TemporaryDirectory() as folder:
        image = ours(Path(folder, "os.img"), SIZE, partitions)
        assert "No errors detected." in run("sfdisk", "--verify", image)
        found = json.loads(run("sfdisk", "--json", image))["partitiontable"]
        assert found == as_sfdisk_says(image, SIZE, partitions)


@settings(max_examples=10, deadline=None, derandomize=True)
@given(partition_lists())
def test_sgdisk_accepts_any_legal_table(partitions: list[PlacedPartition]) -> None:
    with TemporaryDirectory() as folder:
        image = ours(Path(folder, "os.img"), SIZE, partitions)
        assert "No problems found" in run("sgdisk", "--verify", image)
