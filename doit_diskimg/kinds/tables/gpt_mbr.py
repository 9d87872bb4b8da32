"""The MBR of a GPT disk: protective, or hybrid for those who can't read a GPT.

A hybrid MBR mentions up to three of the partitions beside the protective entry.  No standard knows
it (UEFI 2.10, section 5.2.3 wants one entry); the order of the entries is sgdisk's.
"""

from collections.abc import Iterator, Mapping, Sequence

from doit_diskimg.disk.fields import YES_OR_NO, Kind, is_number, kind_problems
from doit_diskimg.disk.model import Disk
from doit_diskimg.disk.placed import PlacedPartition, Region
from doit_diskimg.errors import (
    BadValue,
    DescriptionError,
    OutsideDisk,
    Problem,
    TooManyPartitions,
    UnknownType,
)
from doit_diskimg.kinds.tables.gpt import Gpt, Hybrid, mirrored
from doit_diskimg.kinds.tables.rules import (
    EXTENDED_TYPES,
    active_notes,
    active_problem,
    signature_problems,
)
from doit_diskimg.ondisk import mbr_sector
from doit_diskimg.ondisk.chs import BEYOND, chs_of
from doit_diskimg.ondisk.guids import MBR_TYPES, type_byte, type_guid

MOST = mbr_sector.ENTRY_COUNT - 1
"""Partitions beside the protective entry."""

_REACH = 0xFFFFFFFF

_NO_MIRROR = {0, *EXTENDED_TYPES, mbr_sector.GPT_PROTECTIVE}
"""Types by which readers take an entry for none, or for a part of the table."""

_KINDS = {
    "protective_number": Kind(
        lambda value: is_number(value) and 1 <= value <= mbr_sector.ENTRY_COUNT,  # type: ignore[operator]
        "must be an entry, 1 to 4", "leave it out for 1",
    ),
    "pmbr_boot": YES_OR_NO,
    "several_active": YES_OR_NO,
}  # fmt: skip


def problems(table: Gpt, disk: Disk) -> Iterator[Problem]:
    """Yield what is wrong with what the description says of the MBR."""
    yield from kind_problems(table, "table.", _KINDS)
    if table.hybrid_order:
        yield from signature_problems(disk.signature)
    elif disk.signature is not None:
        yield BadValue(
            "signature", f"{disk.signature!r} is given",
            "must be left out, since a GPT has no such field and a protective MBR has zeros there",
            "write guid=..., or use Mbr(), or name partitions for a hybrid MBR",
        )
    yield from _hybrid_problems(table.hybrid, disk)
    active = [f"{disk.partitions[index].name!r}" for index in _active(table, disk)]
    if table.pmbr_boot:
        active.insert(0, "the protective entry")
    if len(active) > 1 and not table.several_active:
        yield active_problem("table.hybrid", f"{' and '.join(active)} are active", "Gpt")


def notes(table: Gpt, disk: Disk, regions: Sequence[Region]) -> Iterator[str]:
    """Yield what is legal and likely to be trouble; ``regions`` are all that lie on the disk."""
    active = _active(table, disk)
    yield from active_notes(disk, active, regions)
    if table.pmbr_boot and active:
        yield (
            f"table.pmbr_boot: partitions[{active[0]}] is active too, boot code of the usual kind "
            "refuses such a disk"
        )


def _active(table: Gpt, disk: Disk) -> list[int]:
    """Return the indexes of the active partitions that the MBR mentions."""
    parts = enumerate(disk.partitions)
    return [index for index, part in parts if part.active and part.name in table.hybrid_order]


def _hybrid_problems(hybrid: Hybrid, disk: Disk) -> Iterator[Problem]:
    names = list(mirrored(hybrid))
    is_list = isinstance(hybrid, (Sequence, Mapping)) and not isinstance(hybrid, (str, bytes))
    if not is_list or len(names) != len(hybrid):
        yield BadValue(
            "table.hybrid", f"{hybrid!r} is no list of names",
            "must name the partitions that the MBR mentions too", 'write for example ["esp"]',
        )
        return
    if len(names) > MOST:
        yield TooManyPartitions(
            "table.hybrid", f"there are {len(names)}",
            f"must be {MOST} at most, since the protective entry takes one", "leave some out",
        )
    listed = {part.name: part for part in disk.partitions if part.in_table}
    for name in names:
        if name not in listed or names.count(name) > 1:
            yield BadValue(
                "table.hybrid", f"{name!r} is no partition in the table, or is there twice",
                "must be the name of a partition, once",
                f"the names are {', '.join(listed) or 'none: no partition is in the table'}",
            )
        elif not _has_type(hybrid, name, listed[name].type):
            yield UnknownType(
                "table.hybrid", f"{name!r} has no type that an MBR knows",
                "must say with which type byte the MBR mentions it",
                f"write hybrid={{{name!r}: 0x0c}} for example",
            )


def master_boot_record(
    table: Gpt, signature: int, partitions: Sequence[PlacedPartition], last_lba: int
) -> mbr_sector.MbrSector:
    """Return the end of sector 0; a protective MBR has no ``signature``.

    Raises DescriptionError if a mirrored partition has sectors that 32 bits can't count.
    """
    by_name, sector_size = {part.name: part for part in partitions}, table.sector_size
    chosen = [by_name[name] for name in table.hybrid_order]
    beyond = [part for part in chosen if part.extent.end > (_REACH + 1) * sector_size]
    if beyond:
        raise DescriptionError(*(_unreachable(part, sector_size) for part in beyond))
    first = min((part.extent.start // sector_size for part in chosen), default=last_lba + 1)
    entries = [_mirror(part, table.hybrid, sector_size) for part in chosen]
    entries += [mbr_sector.UNUSED] * (MOST - len(entries))
    entries.insert(table.protective_number - 1, _protective(first - 1, active=table.pmbr_boot))
    return mbr_sector.MbrSector(signature=signature if chosen else 0, entries=tuple(entries))


def _protective(last_lba: int, *, active: bool) -> mbr_sector.MbrEntry:
    """Return the entry that covers the disk up to ``last_lba`` with a partition of type 0xEE.

    Its addresses are as section 5.2.3 wants them: ``FF FF FF`` and 0xFFFFFFFF for what does not
    fit.  sfdisk writes ``FF FF FF`` on small disks too; sgdisk does as we do.
    """
    return mbr_sector.MbrEntry(
        boot_indicator=mbr_sector.ACTIVE if active else 0,
        first_chs=chs_of(1),
        type=mbr_sector.GPT_PROTECTIVE,
        last_chs=chs_of(last_lba, BEYOND),
        first_lba=1,
        sectors=min(last_lba, _REACH),
    )


def _mirror(part: PlacedPartition, hybrid: Hybrid, sector_size: int) -> mbr_sector.MbrEntry:
    first_lba, sectors = part.extent.start // sector_size, part.extent.length // sector_size
    return mbr_sector.MbrEntry(
        boot_indicator=mbr_sector.ACTIVE if part.active else 0,
        first_chs=chs_of(first_lba),
        type=_type(hybrid, part.name, part.type, part.payload_type) or 0,
        last_chs=chs_of(first_lba + sectors - 1),
        first_lba=first_lba,
        sectors=sectors,
    )


def _type(hybrid: Hybrid, name: str, guid: str, payload_type: str = "") -> int | None:
    """Return the type byte: as given, else the file system's, else what means the same."""
    if isinstance(hybrid, Mapping):
        return type_byte(hybrid[name])
    if payload_type in MBR_TYPES and type_guid(payload_type) == guid:
        return MBR_TYPES[payload_type]
    return next((byte for known, byte in MBR_TYPES.items() if type_guid(known) == guid), None)


def _has_type(hybrid: Hybrid, name: str, described: str | int | None) -> bool:
    if isinstance(hybrid, Mapping):
        return (type_byte(hybrid[name]) or 0) not in _NO_MIRROR
    guid = None if described is None else type_guid(described)
    # Without a type of its own it has the payload's; an unknown one is reported with the partition.
    return guid is None or _type(hybrid, name, guid) is not None


def _unreachable(part: PlacedPartition, sector_size: int) -> OutsideDisk:
    return OutsideDisk(
        f"table.hybrid {part.name!r}",
        f"{part.extent} ends behind {(_REACH + 1) * sector_size:#x}",
        "an MBR can't count so far", "place it lower, or leave it out of hybrid",
    )
