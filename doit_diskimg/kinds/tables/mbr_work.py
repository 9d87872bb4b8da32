"""What an MBR records of a disk: entries, logical partitions and their chain of EBRs.

An extended partition holds them.  Each has a sector before it, the EBR, of the form of an MBR
without boot code: its first entry is the partition, counted from that EBR, its second one the next
EBR with the partition behind it, counted from the start of the extended partition.  No standard
says so; it is what DOS did, and what Linux (block/partitions/msdos.c), sfdisk and parted do.
"""

from collections.abc import Iterator, Sequence
from dataclasses import replace

from doit_diskimg.disk.fields import as_size
from doit_diskimg.disk.model import Chain, Disk, Identity
from doit_diskimg.disk.placed import PlacedPartition, given_type
from doit_diskimg.kinds.tables.mbr import Mbr
from doit_diskimg.ondisk import mbr_sector as ondisk
from doit_diskimg.ondisk.guids import type_byte
from doit_diskimg.plan.picture import Canvas, Picture
from doit_diskimg.units import SECTOR

FIRST_NUMBER = ondisk.ENTRY_COUNT + 1
"""The number of the first logical partition, whatever entries of the MBR are in use."""

_LINK = 0x05
# What every tool writes into the entry that leads to the next EBR.


def logical_indexes(disk: Disk) -> frozenset[int]:
    """Return the indexes of the partitions that are logical.

    Those that say so; and if there are more in the table than the MBR has entries, all from the
    fourth on that do not say otherwise.
    """
    listed = [index for index, part in enumerate(disk.partitions) if part.in_table]
    logical = {index for index in listed if disk.partitions[index].logical}
    if not logical and len(listed) > ondisk.ENTRY_COUNT:
        undecided = [index for index in listed if disk.partitions[index].logical is None]
        primary = ondisk.ENTRY_COUNT - 1 - (len(listed) - len(undecided))
        logical = set(undecided[max(0, primary) :])
    return frozenset(logical)


def numbers(disk: Disk, extended_number: int) -> list[int]:
    """Return the number of each partition, 0 for those that are not in the table.

    Logical ones count in the order of the description here, and in that of the disk for good.
    """
    logical = logical_indexes(disk)
    primary = iter(
        number
        for number in range(1, len(disk.partitions) + ondisk.ENTRY_COUNT)
        if not (logical and number == extended_number)
    )
    links = iter(range(FIRST_NUMBER, FIRST_NUMBER + len(disk.partitions)))
    return [
        next(links if index in logical else primary) if part.in_table else 0
        for index, part in enumerate(disk.partitions)
    ]


def logical_ones(table: Mbr, disk: Disk) -> Chain | None:
    """Return the logical partitions, None if all are primary."""
    members = logical_indexes(disk)
    if not members:
        return None
    return Chain(
        members=members,
        number=table.extended_number,
        first_number=FIRST_NUMBER,
        type=f"{type_byte(table.extended_type):#04x}",
        start=as_size(table.extended_start),
        length=as_size(table.extended_size),
    )


def type_of(described: str | int | None, payload_type: str | None) -> str:
    """Return the type byte as text, such as ``0x0c``.

    Raises ValueError, in words for the user, if there is no type or it is unknown.
    """
    given = given_type(described, payload_type)
    byte = type_byte(given)
    if byte is None:
        raise ValueError(f"{given!r} is not a type that an MBR can store")
    return f"{byte:#04x}"


def encode(
    table: Mbr, identity: Identity, partitions: Sequence[PlacedPartition]
) -> Picture:
    """Return the table's end of sector 0, and the EBR before each logical partition."""
    entries = [ondisk.UNUSED] * ondisk.ENTRY_COUNT
    primary = [partition for partition in partitions if partition.ebr is None]
    for partition in primary:
        entries[partition.number - 1] = _entry(partition)
    sector = ondisk.MbrSector(signature=identity.signature, entries=tuple(entries))
    canvas = Canvas()
    canvas.data(table.boot_code_length, sector.pack()[table.boot_code_length - ondisk.START :])
    for extended in primary if len(primary) < len(partitions) else ():
        if extended.number == table.extended_number:
            for ebr, link in _chain(partitions, extended):
                canvas.data(ebr + ondisk.START, link.pack())
    return canvas.picture()


def _entry(partition: PlacedPartition, base: int = 0) -> ondisk.MbrEntry:
    """Return the entry of a partition, its sectors counted from byte ``base`` of the disk."""
    return ondisk.MbrEntry.covering(
        int(partition.type, 16), partition.extent.start // SECTOR,
        partition.extent.length // SECTOR, active=partition.active, counted_from=base // SECTOR,
    )  # fmt: skip


def _chain(
    partitions: Sequence[PlacedPartition], extended: PlacedPartition
) -> Iterator[tuple[int, ondisk.MbrSector]]:
    """Yield each EBR with its place in bytes; all of it but the 72 bytes at its end is zero."""
    links = sorted((part.ebr, part.number, part) for part in partitions if part.ebr is not None)
    for index, (ebr, _, part) in enumerate(links):
        entries = [_entry(part, ebr), *[ondisk.UNUSED] * (ondisk.ENTRY_COUNT - 1)]
        for next_ebr, _, following in links[index + 1 : index + 2]:
            entries[1] = _link(next_ebr, following, extended.extent.start)
        yield ebr, ondisk.MbrSector(entries=tuple(entries))


def _link(ebr: int, partition: PlacedPartition, base: int) -> ondisk.MbrEntry:
    """Return the entry that leads to the EBR of ``partition``; it covers both."""
    extent = partition.extent._replace(start=ebr, length=partition.extent.end - ebr)
    return _entry(
        replace(partition, extent=extent, type=f"{_LINK:#04x}", active=False), base
    )
