"""The MBR of a GPT disk: protective, or hybrid for those who can't read a GPT.

A hybrid MBR mentions up to three of the partitions beside the protective entry.  No standard knows
it (UEFI 2.10, section 5.2.3 wants one entry); the order of the entries is sgdisk's.
"""

from collections.abc import Iterator, Mapping, Sequence

from doit_diskimg.errors import (
    BadValue,
    DescriptionError,
    OutsideDisk,
    Problem,
    TooManyPartitions,
    UnknownType,
)
from doit_diskimg.ondisk import mbr
from doit_diskimg.ondisk.chs import BEYOND, chs_of
from doit_diskimg.ondisk.guids import MBR_TYPES, type_byte, type_guid
from doit_diskimg.segment import PlacedPartition
from doit_diskimg.tables.described import RESERVED_TYPES, DescribedDisk
from doit_diskimg.tables.gpt import Hybrid, mirrored

MOST = mbr.ENTRY_COUNT - 1
"""Partitions beside the protective entry."""

_REACH = 0xFFFFFFFF


def problems(hybrid: Hybrid, disk: DescribedDisk) -> Iterator[Problem]:
    """Yield what is wrong with the choice of partitions for the MBR."""
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
    active = [part.name for part in disk.partitions if part.active and part.name in names]
    if len(active) > 1:
        yield BadValue(
            "table.hybrid", f"{' and '.join(map(repr, active))} are active",
            "must be one partition at most, since boot code looks for one",
            "leave active out of all but one",
        )


def master_boot_record(
    hybrid: Hybrid, partitions: Sequence[PlacedPartition], last_lba: int, sector_size: int
) -> mbr.Mbr:
    """Return the end of sector 0.

    Raises DescriptionError if a mirrored partition has sectors that 32 bits can't count.
    """
    by_name = {part.name: part for part in partitions}
    chosen = [by_name[name] for name in mirrored(hybrid)]
    beyond = [part for part in chosen if part.extent.end > (_REACH + 1) * sector_size]
    if beyond:
        raise DescriptionError(_unreachable(part, sector_size) for part in beyond)
    first = min((part.extent.start // sector_size for part in chosen), default=last_lba + 1)
    entries = [_protective(first - 1)]
    entries += [_mirror(part, hybrid, sector_size) for part in chosen]
    entries += [mbr.UNUSED] * (mbr.ENTRY_COUNT - len(entries))
    return mbr.Mbr(entries=tuple(entries))


def _protective(last_lba: int) -> mbr.MbrEntry:
    """Return the entry that covers the disk up to ``last_lba`` with a partition of type 0xEE.

    Its addresses are as section 5.2.3 wants them: ``FF FF FF`` and 0xFFFFFFFF for what does not
    fit.  sfdisk writes ``FF FF FF`` on small disks too; sgdisk does as we do.
    """
    return mbr.MbrEntry(
        first_chs=chs_of(1),
        type=mbr.GPT_PROTECTIVE,
        last_chs=chs_of(last_lba, BEYOND),
        first_lba=1,
        sectors=min(last_lba, _REACH),
    )


def _mirror(part: PlacedPartition, hybrid: Hybrid, sector_size: int) -> mbr.MbrEntry:
    first_lba, sectors = part.extent.start // sector_size, part.extent.length // sector_size
    return mbr.MbrEntry(
        boot_indicator=mbr.ACTIVE if part.active else 0,
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
        return (type_byte(hybrid[name]) or 0) not in {0, *RESERVED_TYPES}
    guid = None if described is None else type_guid(described)
    # Without a type of its own it has the payload's; an unknown one is reported with the partition.
    return guid is None or _type(hybrid, name, guid) is not None


def _unreachable(part: PlacedPartition, sector_size: int) -> OutsideDisk:
    return OutsideDisk(
        f"table.hybrid {part.name!r}",
        f"{part.extent} ends behind {(_REACH + 1) * sector_size:#x}",
        "an MBR can't count so far", "place it lower, or leave it out of hybrid",
    )
