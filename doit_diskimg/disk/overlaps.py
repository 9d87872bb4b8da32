"""What can be wrong with places, each in one line: outside the disk, overlapping, too short.

It is given a layout in parts and says what no image can have; `layout` raises it all at once.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import pairwise

from doit_diskimg.disk.fields import as_size
from doit_diskimg.disk.model import Disk, Part, Yielding
from doit_diskimg.disk.placed import TABLE, PlacedPartition, Region
from doit_diskimg.disk.segment import BOOT
from doit_diskimg.disk.sockets import Room
from doit_diskimg.errors import ContentTooLarge, OutsideDisk, Overlap, Problem, TooSmall
from doit_diskimg.extent import Extent
from doit_diskimg.units import MIB, align_up, counted, exact_size, format_size


def without_bytes(
    parts: Sequence[Part], extents: Sequence[Extent], sector_size: int
) -> Iterator[Problem]:
    """Yield the partitions that are as long as their content, which has no bytes."""
    for part, extent in zip(parts, extents, strict=True):
        if not extent.length:
            yield TooSmall(
                _title(part), "it has no bytes", f"a partition has {sector_size} bytes or more",
                "give it a size, or content",
            )


def oversized(
    parts: Sequence[Part], rooms: Sequence[Room], extents: Sequence[Extent], sector_size: int
) -> Iterator[Problem]:
    """Yield the partitions that are shorter than their content."""
    for part, room, extent in zip(parts, rooms, extents, strict=True):
        if room.length <= extent.length:
            continue
        change = f"give it size={align_up(room.length, sector_size)} or more, or shrink it"
        if part.wish.grows:
            change = "raise the disk's size, or make the other parts smaller"
        yield ContentTooLarge(
            _title(part), f"its content has {exact_size(room.length)}",
            f"the partition has {exact_size(extent.length)}", change,
        )


def _title(part: Part) -> str:
    return f"{part.where} {part.name!r}"


def outgrown(disk: Disk, lengths: Mapping[str, int]) -> Iterator[Problem]:
    """Yield the segments whose source is longer than their room."""
    for where, segment in disk.outside:
        length = lengths[segment.name]
        if length > segment.room(length):
            yield ContentTooLarge(
                f"{where} {segment.name!r}", f"its source has {exact_size(length)}",
                f"its room is {exact_size(segment.room(length))}",
                f"give it size={length} or more, or shrink it",
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
                    ", or ".join(
                        [
                            f"give it start={usable.start} or more", "leave start out",
                            *_ways_before(disk, region.extent),
                        ]
                    ),
                )
            )
    return problems


def _ways_before(disk: Disk, extent: Extent) -> Iterable[str]:
    return disk.table.ways_before(extent) if isinstance(disk.table, Yielding) else ()


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


def overlaps(disk: Disk, size: int, regions: Sequence[Region]) -> list[Problem]:
    """The one rule: neighbours in order of their start may not share a byte."""
    problems: list[Problem] = []
    longest = None
    for left, right in pairwise(region for region in regions if region.extent.length):
        if longest is None or left.extent.end > longest.extent.end:
            longest = left
        if longest.extent.overlaps(right.extent):
            problems.append(_overlap(disk, size, longest, right))
    return problems


def _overlap(disk: Disk, size: int, left: Region, right: Region) -> Problem:
    """Blame the part that the user can change: a table's region stays where it is."""
    if right.where == TABLE and left.where != TABLE:
        left, right = right, left
    shared = min(left.extent.end, right.extent.end) - max(left.extent.start, right.extent.start)
    start = align_up(left.extent.end, 1 if _is_segment(right) else disk.sector_size)
    remedy = f"give {right.name!r} a start of {start} or more, or shorten {left.name!r}"
    if left.where == right.where == TABLE:
        remedy = "give one of the two partitions another start"
    elif left.where == TABLE:
        remedy = _beside_table(disk, size, left, right, start)
    return Overlap(
        f"{right.where} {right.name!r}",
        f"{right.extent} overlaps {left.name!r} ({left.where}) at {left.extent} by "
        f"{counted(shared, 'byte')}",
        "no byte may belong to two parts",
        remedy,
    )


def _beside_table(disk: Disk, size: int, table: Region, part: Region, start: int) -> str:
    """Say how ``part`` comes off a region of the table, which can't be made shorter."""
    assert disk.table is not None
    before = table.extent.start - part.extent.start
    if before > 0:
        remedies = [f"{part.name!r} may have {before} bytes there"]
    elif table.extent.start >= disk.table.usable(size).end:
        remedies = [f"give {part.name!r} a lower start"]
    else:
        remedies = [f"give {part.name!r} a start of {start} or more"]
    segments = {where: as_size(segment.start) for where, segment in disk.outside}
    source = segments.get(part.where)
    if source is not None and before >= 0 and part.extent.end >= table.extent.end:
        low, high = table.extent.start - source, table.extent.end - source
        remedies.append(f"span it with keep=[({low}, {high})]")
    if isinstance(disk.table, Yielding):
        remedies += disk.table.ways_out(table, part.extent)
    return ", or ".join(remedies)


def intruders(
    usable: Extent,
    parts: Sequence[Part],
    places: Sequence[PlacedPartition],
    extended: PlacedPartition | None,
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
    for part, place in zip(parts, places, strict=True):
        if place.ebr is not None and not extended.extent.contains(place.extent):
            yield OutsideDisk(
                _title(part),
                f"{place.extent} is not inside the extended partition at {extended.extent}",
                "logical partitions must lie inside",
                "give the extended partition another start or size, or leave both out",
            )
        elif place.ebr is None and extended.extent.overlaps(place.extent):
            yield Overlap(
                _title(part),
                f"{place.extent} overlaps the extended partition at {extended.extent}",
                "only logical partitions lie in it",
                "give it another start, or write logical=True",
            )
