"""Where everything lies: the only file that places anything.

Table headers, segments and partitions are regions alike, and one rule finds the overlaps.  The
order of work:

1. what is fixed: the table's regions, segments, partitions with a ``start``;
2. the other partitions, in the order of the description, each at the first multiple of ``align``
   behind the one before it where it fits between the fixed regions;
3. checks: inside the disk, inside what the table can record, no two regions overlap.

A layout is a function of the description and of lengths; contents play no part.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

from doit_diskimg.errors import (
    ContentTooLarge,
    OutsideDisk,
    Overlap,
    Problem,
    TooSmall,
    UnknownType,
    refuse,
)
from doit_diskimg.extent import Extent
from doit_diskimg.ondisk.gpt import attributes_value
from doit_diskimg.ports import Room
from doit_diskimg.segment import PlacedPartition, Region
from doit_diskimg.spec import TABLE, Disk, Partition
from doit_diskimg.units import MIB, align_up, exact_size, format_size, parse_size


@dataclass(frozen=True, kw_only=True)
class Layout:
    """A disk of ``size`` bytes with every region in its place, sorted by start."""

    size: int
    sector_size: int
    regions: tuple[Region, ...]
    partitions: tuple[PlacedPartition, ...]

    def extent(self, name: str) -> Extent:
        """Return the place of the partition or segment of that name.  KeyError if none has it."""
        for region in self.regions:
            if region.name == name and region.where != TABLE:
                return region.extent
        raise KeyError(name)

    def skeleton(self) -> object:
        """Return what may not change while an image is patched in place, as plain data.

        The disk's length, the extents of the partitions and where the other regions begin, all
        with their names: what was injected is remembered by name.  A stage 2 may grow or shrink in
        its gap: nothing else moves, and every region is patched within bounds that no other had.
        """
        names = {partition.name for partition in self.partitions}
        return [
            self.size,
            [[partition.name, *partition.extent] for partition in self.partitions],
            [[r.name, r.extent.start] for r in self.regions if r.name not in names],
        ]


def place(disk: Disk, rooms: Sequence[Room], lengths: Mapping[str, int]) -> Layout:
    """Return the layout of ``disk``.

    ``rooms`` answers "how much room?" for each partition, in order; ``lengths`` gives the bytes
    of each segment by its name.  Raises DescriptionError with everything that does not fit.
    """
    size = parse_size(disk.size)
    fixed = list(disk.table.regions(size)) if disk.table is not None else []
    usable = disk.table.usable(size) if disk.table is not None else Extent(0, size)
    for index, segment in enumerate(disk.segments):
        start = parse_size(segment.start)
        fixed.append(
            Region(
                name=segment.name,
                where=f"segments[{index}]",
                extent=Extent(start, lengths[segment.name]),
            )
        )
    wanted = [_length(disk, part, room) for part, room in zip(disk.partitions, rooms, strict=True)]
    extents = _place_partitions(disk, usable, fixed, wanted)
    regions = sorted(
        fixed
        + [
            Region(name=part.name, where=f"partitions[{index}]", extent=extents[index])
            for index, part in enumerate(disk.partitions)
        ],
        key=lambda region: region.extent,
    )
    problems = _empty(disk, extents) + _oversized(disk, rooms, extents)
    problems += _outside(size, usable, regions, disk) or _overlaps(regions, disk)
    partitions, bad_types = _record(disk, rooms, extents)
    refuse(problems + bad_types)
    return Layout(
        size=size,
        sector_size=disk.sector_size,
        regions=tuple(regions),
        partitions=partitions,
    )


def _length(disk: Disk, partition: Partition, room: Room) -> int:
    """Return a partition's length: what it was given, else what fills it, in whole sectors."""
    size = disk.size_of(partition)
    return align_up(room.length, disk.sector_size) if size is None else parse_size(size)


def _place_partitions(
    disk: Disk, usable: Extent, fixed: Sequence[Region], wanted: Sequence[int]
) -> list[Extent]:
    """Return the extent of each partition, in the order of the description."""
    align = parse_size(disk.align)
    given = {
        index: Extent(parse_size(part.start), wanted[index])
        for index, part in enumerate(disk.partitions)
        if part.start is not None
    }
    # Not the table's backup at the end: a partition that reaches it is reported where it would be,
    # as too long for the disk, and not behind the disk's end.
    taken = [region.extent for region in fixed if region.extent.start < usable.end]
    taken += given.values()
    extents = []
    cursor = usable.start
    for index, length in enumerate(wanted):
        extent = given.get(index) or _first_fit(cursor, length, align, taken)
        if disk.table is None:
            extent = Extent(0, length)
        extents.append(extent)
        cursor = extent.end
    return extents


def _first_fit(cursor: int, length: int, align: int, taken: Sequence[Extent]) -> Extent:
    """Return the first aligned extent from ``cursor`` on that overlaps nothing fixed."""
    extent = Extent(align_up(cursor, align), length)
    for other in sorted(taken):
        if extent.overlaps(other):
            extent = Extent(align_up(other.end, align), length)
    return extent


def _empty(disk: Disk, extents: Sequence[Extent]) -> list[Problem]:
    """Return the partitions of no length: an entry's last sector would come before its first."""
    return [
        TooSmall(
            f"partitions[{index}] {part.name!r}",
            "it has no bytes",
            f"a partition has {disk.sector_size} bytes or more",
            "give it a size, or content",
        )
        for index, (part, extent) in enumerate(zip(disk.partitions, extents, strict=True))
        if not extent.length
    ]


def _oversized(disk: Disk, rooms: Sequence[Room], extents: Sequence[Extent]) -> list[Problem]:
    return [
        ContentTooLarge(
            f"partitions[{index}] {part.name!r}",
            f"its content has {exact_size(room.length)}",
            f"the partition has {exact_size(extent.length)}",
            f"give it size={align_up(room.length, disk.sector_size)} or more, or shrink it",
        )
        for index, (part, room, extent) in enumerate(
            zip(disk.partitions, rooms, extents, strict=True)
        )
        if room.length > extent.length
    ]


def _outside(size: int, usable: Extent, regions: Sequence[Region], disk: Disk) -> list[Problem]:
    """Return the regions that run past the end of the disk or of what its table can record."""
    problems: list[Problem] = []
    last = max((region.extent.end for region in regions if region.where != TABLE), default=0)
    needed = align_up(last + size - usable.end, max(disk.sector_size, MIB))
    for region in regions:
        extent = region.extent
        if region.where == TABLE:
            if extent.start < 0 or extent.end > size or usable.length <= 0:
                return [_no_room_for_table(size, regions)]
        elif extent.end > (usable.end if _is_partition(region) else size):
            problems.append(
                OutsideDisk(
                    f"{region.where} {region.name!r}",
                    f"{extent} runs past the end of the {_room_name(region, usable, size)}",
                    "every part must lie inside",
                    f'raise the disk\'s size from {format_size(size)} to "{needed // MIB}MiB"'
                    " or make the parts smaller",
                )
            )
        elif _is_partition(region) and extent.start < usable.start:
            problems.append(
                OutsideDisk(
                    f"{region.where} {region.name!r}",
                    f"{extent} begins before the first usable byte at {usable.start:#x}",
                    "the table's own sectors come first",
                    f"give it start={usable.start} or more, or leave start out",
                )
            )
    return problems


def _is_partition(region: Region) -> bool:
    return region.where.startswith("partitions")


def _no_room_for_table(size: int, regions: Sequence[Region]) -> Problem:
    table = [region.extent for region in regions if region.where == TABLE]
    needed = sum(extent.length for extent in table)
    return TooSmall(
        "size",
        f"the disk has {exact_size(size)}",
        f"the partition table alone takes {exact_size(needed)}",
        'raise the disk\'s size, for example to "4MiB"',
    )


def _overlaps(regions: Sequence[Region], disk: Disk) -> list[Problem]:
    """The one rule: neighbours in order of their start may not share a byte."""
    problems: list[Problem] = []
    longest = None
    for left, right in pairwise(region for region in regions if region.extent.length):
        if longest is None or left.extent.end > longest.extent.end:
            longest = left
        if longest.extent.overlaps(right.extent):
            problems.append(_overlap(longest, right, disk.sector_size))
    return problems


def _overlap(left: Region, right: Region, sector_size: int) -> Problem:
    """Blame the part that the user can change: a table's region stays where it is."""
    if right.where == TABLE and left.where != TABLE:
        left, right = right, left
    shared = min(left.extent.end, right.extent.end) - max(left.extent.start, right.extent.start)
    start = align_up(left.extent.end, sector_size if _is_partition(right) else 1)
    remedy = f"give {right.name!r} a start of {start} or more, or shorten {left.name!r}"
    if left.where == TABLE and right.extent.start < left.extent.start:
        remedy = f"{right.name!r} may have {left.extent.start - right.extent.start} bytes there"
    return Overlap(
        f"{right.where} {right.name!r}",
        f"{right.extent} overlaps {left.name!r} ({left.where}) at {left.extent} by "
        f"{shared} bytes",
        "no byte may belong to two parts",
        remedy,
    )


def _record(
    disk: Disk, rooms: Sequence[Room], extents: Sequence[Extent]
) -> tuple[tuple[PlacedPartition, ...], list[Problem]]:
    """Return the partitions as the table will record them, and the types it can't record."""
    placed, problems = list[PlacedPartition](), list[Problem]()
    for index, (part, room) in enumerate(zip(disk.partitions, rooms, strict=True)):
        type_ = ""
        if disk.table is not None:
            try:
                type_ = disk.table.type_of(part, room.type)
            except ValueError as error:
                problems.append(
                    UnknownType(
                        f"partitions[{index}].type", str(error),
                        "the table must say what the partition is", 'write for example type="esp"',
                    )
                )
        placed.append(
            PlacedPartition(
                number=index + 1,
                name=part.name,
                extent=extents[index],
                type=type_,
                guid=str(disk.identity_of(part)),
                attributes=attributes_value(part.attributes),
                active=part.active,
            )
        )
    return tuple(placed), problems


def _room_name(region: Region, usable: Extent, size: int) -> str:
    if usable.end == size or not _is_partition(region):
        return f"disk at {size:#x}"
    return f"room that the table leaves at {usable.end:#x}"
