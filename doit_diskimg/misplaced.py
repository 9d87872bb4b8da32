"""What can be wrong with places, each in one line: outside the disk, overlapping, too short.

It is given a layout in parts and says what no image can have; `layout` raises it all at once.
"""

from collections.abc import Iterator, Sequence
from itertools import pairwise

from doit_diskimg.errors import ContentTooLarge, OutsideDisk, Overlap, Problem, TooSmall
from doit_diskimg.extent import Extent
from doit_diskimg.ports import Room
from doit_diskimg.segment import BOOT, PlacedPartition, Region
from doit_diskimg.spec import TABLE, Disk
from doit_diskimg.units import MIB, align_up, counted, exact_size, format_size


def without_bytes(disk: Disk, extents: Sequence[Extent]) -> Iterator[Problem]:
    """Yield the partitions that are as long as their content, which has no bytes."""
    for index, extent in enumerate(extents):
        if not extent.length:
            yield TooSmall(
                f"partitions[{index}] {disk.partitions[index].name!r}",
                "it has no bytes",
                f"a partition has {disk.sector_size} bytes or more",
                "give it a size, or content",
            )


def oversized(
    disk: Disk, rooms: Sequence[Room], extents: Sequence[Extent]
) -> Iterator[Problem]:
    """Yield the partitions that are shorter than their content."""
    for index, (part, room) in enumerate(zip(disk.partitions, rooms, strict=True)):
        if room.length <= extents[index].length:
            continue
        change = f"give it size={align_up(room.length, disk.sector_size)} or more, or shrink it"
        if disk.takes_rest(part):
            change = "raise the disk's size, or make the other parts smaller"
        yield ContentTooLarge(
            f"partitions[{index}] {part.name!r}",
            f"its content has {exact_size(room.length)}",
            f"the partition has {exact_size(extents[index].length)}",
            change,
        )


def outside(disk: Disk, size: int, regions: Sequence[Region]) -> list[Problem]:
    """Return the regions that run past the end of the disk or of what its table can record."""
    table = list(disk.table.regions(size)) if disk.table is not None else []
    usable = disk.table.usable(size) if disk.table is not None else Extent(0, size)
    places = sorted(region.extent for region in table)
    clash = any(left.overlaps(right) for left, right in pairwise(places))
    clash |= any(extent.start < 0 or extent.end > size for extent in places)
    if table and (clash or usable.length <= 0):
        return [_no_room_for_table(size, table)]
    problems: list[Problem] = []
    for region in regions:
        if region in table:
            continue
        if region.extent.end > (size if _is_segment(region) else usable.end):
            problems.append(_beyond(disk, size, usable, region, regions))
        elif region.extent.start < usable.start and not _is_segment(region):
            problems.append(
                OutsideDisk(
                    f"{region.where} {region.name!r}",
                    f"{region.extent} begins before the first usable byte at {usable.start:#x}",
                    "the table's own sectors come first",
                    f"give it start={usable.start} or more, or leave start out",
                )
            )
    return problems


def _beyond(
    disk: Disk, size: int, usable: Extent, region: Region, regions: Sequence[Region]
) -> Problem:
    ours = [other.extent.end for other in regions if other.where != TABLE]
    needed: int | None = max(ours, default=0)
    if disk.table is not None:
        needed = disk.table.size_for(max(ours, default=0))
    if needed is None:
        change = "use Gpt(), or place it lower"
    elif needed <= size:
        change = "give it a lower start, or make the parts smaller"
    else:
        needed = align_up(needed, max(disk.sector_size, MIB))
        change = (
            f'raise the disk\'s size from {format_size(size)} to "{needed // MIB}MiB"'
            " or make the parts smaller"
        )
    room, end = ("room that the table leaves", usable.end)
    if end == size or _is_segment(region):
        room, end = "disk", size
    return OutsideDisk(
        f"{region.where} {region.name!r}",
        f"{region.extent} runs past the end of the {room} at {end:#x}",
        "every part must lie inside",
        change,
    )


def _is_segment(region: Region) -> bool:
    return region.where.startswith(("segments", BOOT))


def _no_room_for_table(size: int, table: Sequence[Region]) -> Problem:
    needed = sum(region.extent.length for region in table)
    return TooSmall(
        "size",
        f"the disk has {exact_size(size)}",
        f"the partition table alone takes {exact_size(needed)}",
        'raise the disk\'s size, for example to "4MiB"',
    )


def overlaps(disk: Disk, regions: Sequence[Region]) -> list[Problem]:
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
    start = align_up(left.extent.end, 1 if _is_segment(right) else sector_size)
    remedy = f"give {right.name!r} a start of {start} or more, or shorten {left.name!r}"
    if left.where == TABLE and right.extent.start < left.extent.start:
        before = left.extent.start - right.extent.start
        remedy = f"{right.name!r} may have {before} bytes there"
        if _is_segment(right) and right.extent.end >= left.extent.end:
            remedy += f", or span it with keep=[({before}, {before + left.extent.length})]"
    return Overlap(
        f"{right.where} {right.name!r}",
        f"{right.extent} overlaps {left.name!r} ({left.where}) at {left.extent} by "
        f"{counted(shared, 'byte')}",
        "no byte may belong to two parts",
        remedy,
    )


def intruders(
    usable: Extent, partitions: Sequence[PlacedPartition], extended: PlacedPartition | None
) -> Iterator[Problem]:
    """Yield what lies on the wrong side of the extended partition's border, or that itself."""
    if extended is None:
        return
    if not usable.contains(extended.extent):
        yield OutsideDisk(
            "table.extended_start",
            f"the extended partition at {extended.extent} leaves the room for partitions at "
            f"{usable}",
            "every part must lie inside",
            "give it another start or size, or leave both out",
        )
    for index, part in enumerate(partitions):
        where = f"partitions[{index}] {part.name!r}"
        if part.ebr is not None and not extended.extent.contains(part.extent):
            yield OutsideDisk(
                where,
                f"{part.extent} is not inside the extended partition at {extended.extent}",
                "logical partitions must lie inside",
                "give the extended partition another start or size, or leave both out",
            )
        elif part.ebr is None and extended.extent.overlaps(part.extent):
            yield Overlap(
                where,
                f"{part.extent} overlaps the extended partition at {extended.extent}",
                "only logical partitions lie in it",
                "give it another start, or write logical=True",
            )
