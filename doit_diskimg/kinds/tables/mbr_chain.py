"""The logical partitions of an MBR: which they are, their numbers, and the chain of EBRs.

An extended partition holds them.  Each has a sector before it, the EBR, of the form of an MBR
without boot code: its first entry is the partition, counted from that EBR, its second one the next
EBR with the partition behind it, counted from the start of the extended partition.  No standard
says so; it is what DOS did, and what Linux (block/partitions/msdos.c), sfdisk and parted do.
"""

from collections.abc import Iterator, Sequence
from dataclasses import replace

from doit_diskimg.disk.segment import PlacedPartition
from doit_diskimg.errors import BadValue, Problem, TooManyPartitions
from doit_diskimg.kinds.tables.described import DescribedDisk
from doit_diskimg.ondisk import mbr_sector as ondisk
from doit_diskimg.ondisk.chs import chs_of
from doit_diskimg.units import SECTOR

FIRST_NUMBER = ondisk.ENTRY_COUNT + 1
"""The number of the first logical partition, whatever entries of the MBR are in use."""

MOST = 56
"""Logical partitions that sfdisk lists: it ends at number 60."""

_NUMBERS = {3: "three", 4: "four"}

_LINK = 0x05
# What every tool writes into the entry that leads to the next EBR.


def logical_indexes(disk: DescribedDisk) -> frozenset[int]:
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


def numbers(disk: DescribedDisk, extended_number: int) -> list[int]:
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


def problems(disk: DescribedDisk) -> Iterator[Problem]:
    """Yield a problem if there are more partitions than entries or links."""
    listed = [part for part in disk.partitions if part.in_table]
    logical = logical_indexes(disk)
    primary = len(listed) - len(logical)
    beside = ondisk.ENTRY_COUNT - 1  # entries that an extended partition leaves
    most = beside if logical else ondisk.ENTRY_COUNT
    if primary > most:
        holds = f"an MBR holds {_NUMBERS[most]}"
        yield TooManyPartitions(
            "partitions",
            f"there are {primary} primary ones",
            f"{holds} beside the extended one" if logical else holds,
            f"write logical=True for {primary - beside} of them or more, leave logical out to "
            "have it decided, or use Gpt()",
        )
    if len(logical) > MOST:
        yield TooManyPartitions(
            "partitions",
            f"there are {len(logical)} logical ones",
            f"must be {MOST} at most, since sfdisk reads no more",
            "leave some out, or use Gpt()",
        )
    for index in sorted(logical):
        if disk.partitions[index].type in (0, "0x0", "0x00"):
            yield BadValue(
                f"partitions[{index}].type", "0x00 is given",
                "must be another in a logical partition, since an empty entry ends the chain",
                "write in_table=False to keep it out of the table",
            )


def entry(partition: PlacedPartition, base: int = 0) -> ondisk.MbrEntry:
    """Return the entry of a partition, its sectors counted from byte ``base`` of the disk."""
    first_lba = partition.extent.start // SECTOR
    sectors = partition.extent.length // SECTOR
    return ondisk.MbrEntry(
        boot_indicator=ondisk.ACTIVE if partition.active else 0,
        first_chs=chs_of(first_lba),
        type=int(partition.type, 16),
        last_chs=chs_of(first_lba + sectors - 1),
        first_lba=first_lba - base // SECTOR,
        sectors=sectors,
    )


def chain(
    partitions: Sequence[PlacedPartition], extended: PlacedPartition
) -> Iterator[tuple[int, ondisk.Mbr]]:
    """Yield each EBR with its place in bytes; all of it but the 72 bytes at its end is zero."""
    links = sorted((part.ebr, part.number, part) for part in partitions if part.ebr is not None)
    for index, (ebr, _, part) in enumerate(links):
        entries = [entry(part, ebr), *[ondisk.UNUSED] * (ondisk.ENTRY_COUNT - 1)]
        for next_ebr, _, following in links[index + 1 : index + 2]:
            entries[1] = _link(next_ebr, following, extended.extent.start)
        yield ebr, ondisk.Mbr(entries=tuple(entries))


def _link(ebr: int, partition: PlacedPartition, base: int) -> ondisk.MbrEntry:
    """Return the entry that leads to the EBR of ``partition``; it covers both."""
    extent = partition.extent._replace(start=ebr, length=partition.extent.end - ebr)
    return entry(
        replace(partition, extent=extent, type=f"{_LINK:#04x}", active=False), base
    )
