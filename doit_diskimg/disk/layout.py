"""Where everything lies: the only file that places anything.

Table headers, segments and partitions are regions alike, and one rule finds the overlaps.  The
order of work:

1. what is fixed: the table's regions, segments and partitions with a ``start``;
2. the other segments, in the order of the description, each at the first sector behind the one
   before it where it fits between the fixed regions;
3. the other partitions, behind those segments, in the order of the description, each at the first
   multiple of its ``align`` behind the one before it where it fits between the fixed regions;
   those after a partition of size "rest" from the end of the disk backwards;
4. the size of the disk, if it is as large as it has to be;
5. the partition with the rest, which asks its payload once more now that its length is known;
6. checks: inside the disk, inside what the table can record, no two regions overlap.

A layout is a function of the description and of lengths; contents play no part.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple, TypeAlias

from doit_diskimg.disk.arrange import NO_PARTITION, Block, arrange
from doit_diskimg.disk.identity import partition_guid
from doit_diskimg.disk.model import Chain, Disk, Marking, Outside, Part, Partition, Wish
from doit_diskimg.disk.overlaps import (
    intruders,
    outgrown,
    outside,
    overlaps,
    oversized,
    without_bytes,
)
from doit_diskimg.disk.placed import TABLE, Layout, PlacedPartition, Region
from doit_diskimg.disk.sockets import Room
from doit_diskimg.errors import Problem, UnknownType, refuse
from doit_diskimg.extent import Extent
from doit_diskimg.units import align_up, parse_size

Settle: TypeAlias = Callable[[int, int], Room]
"""Asks the payload of a partition (by index) what becomes of it in that many bytes."""

_ENDLESS = 1 << 60
"""The length of the disk on which a disk of size "auto" is laid out first."""


def place(
    disk: Disk,
    rooms: Sequence[Room],
    lengths: Mapping[str, int],
    settle: Settle | None = None,
) -> Layout:
    """Return the layout of ``disk``.

    ``rooms`` answers "how much room?" for each partition, in order, where it is asked first
    (`Disk.asked_first`; else its length does not count); ``lengths`` gives the bytes of each
    segment's source by its name; ``settle`` is asked about the partition that has the rest.
    Raises DescriptionError with everything that does not fit.
    """
    work = _Work(disk, rooms, lengths)
    size = work.least_size() if disk.length is None else disk.length
    extents, ebrs, segments = work.places(size)
    rooms = [
        settle(part.index, extents[part.index].length) if settle and part.wish.grows else room
        for part, room in zip(work.parts, rooms, strict=True)
    ]
    chain = work.extended(extents, ebrs)
    regions = work.regions(size, extents, ebrs, segments)
    partitions, problems = _record(disk, work.parts, rooms, extents, ebrs)
    refuse(
        [
            *without_bytes(work.parts, extents, disk.sector_size),
            *oversized(work.parts, rooms, extents, disk.sector_size),
            *outgrown(disk, lengths),
            *(outside(disk, size, regions) or overlaps(disk, size, regions)),
            *intruders(work.usable(size), work.parts, partitions, chain),
            *problems,
        ]
    )
    return Layout(
        size=size,
        sector_size=disk.sector_size,
        regions=tuple(regions),
        partitions=partitions,
        extended=chain,
    )


class _Places(NamedTuple):
    """Where everything lies that no table claims."""

    partitions: list[Extent]
    ebrs: dict[int, int]
    """Where the EBRs of logical partitions are, by index."""
    segments: list[Region]


class _Work:
    """One description on its way to a layout."""

    def __init__(self, disk: Disk, rooms: Sequence[Room], lengths: Mapping[str, int]) -> None:
        self._disk = disk
        self.parts = disk.parts()
        self._chain: Chain | None = disk.table.chain(disk) if disk.table is not None else None
        self._lengths = lengths
        self._fixed, self._loose = list[Region](), list[Outside]()
        for one in disk.outside:
            if one.segment.start is None:
                self._loose.append(one)
            else:
                self._fixed += self._regions_of(one, parse_size(one.segment.start))
        self._wanted = [
            _least(part.wish, room.length, disk.sector_size)
            for part, room in zip(self.parts, rooms, strict=True)
        ]

    def _regions_of(self, one: Outside, start: int) -> list[Region]:
        where, segment = one
        extents = segment.extents(self._lengths[segment.name], start)
        return [Region(name=segment.name, where=where, extent=extent) for extent in extents]

    def least_size(self) -> int:
        """Return the size of the smallest disk that holds everything."""
        disk = self._disk
        extents, ebrs, segments = self.places(_ENDLESS, growing=False)
        ends = [extent.end for extent in extents]
        ends += [region.extent.end for region in segments]
        chain = self.extended(extents, ebrs)
        end = max([*ends, chain.extent.end if chain else 0, disk.sector_size])
        if disk.table is None:
            return disk.rounded(align_up(end, disk.sector_size))
        size = disk.table.size_for(end)
        # What the table can't reach is reported where it lies, on a disk without a table's tail.
        return disk.rounded(align_up(end if size is None else size, parse_size(disk.align)))

    def places(self, size: int, *, growing: bool = True) -> _Places:
        """Return where each partition and segment lies on a disk of ``size``."""
        disk = self._disk
        if disk.is_one_volume:
            grows = growing and self.parts[0].wish.grows
            return _Places([Extent(0, size if grows else self._wanted[0])], {}, [])
        usable = self.usable(size)
        # Not the table's backup at the end: a partition that reaches it is reported where it would
        # be, as too long for the disk, and not behind the disk's end.
        table = [] if disk.table is None else disk.table.regions(size)
        taken = [region.extent for region in table if region.extent.start < usable.end]
        taken += [region.extent for region in self._fixed]
        blocks = [self._block(index, usable, growing=growing) for index in self._order()]
        loose = [self._loose_block(one, size) for one in self._loose]
        placed = arrange([*loose, *blocks], taken)
        segments = [*self._fixed]
        for one, extent in zip(self._loose, placed, strict=False):
            segments += self._regions_of(one, extent.start)
        found = dict(zip((b.index for b in blocks), placed[len(loose) :], strict=True))
        heads = {block.index: block.head for block in blocks}
        extents = [
            Extent(found[index].start + heads[index], found[index].length - heads[index])
            for index in range(len(self.parts))
        ]
        ebrs = {index: found[index].start for index in found if heads[index]}
        return _Places(extents, self._with_first_ebr(ebrs), segments)

    def _loose_block(self, one: Outside, size: int) -> Block:
        """Sector 0 of a disk with a table is left to those who name it: firmware runs it."""
        sector = self._disk.sector_size
        low = 0 if self._disk.table is None else sector
        return Block(
            index=NO_PARTITION,
            length=one.segment.room(self._lengths[one.segment.name]),
            align=sector,
            bounds=Extent(low, max(0, size - low)),
        )

    def usable(self, size: int) -> Extent:
        """Return where partitions may lie on a disk of ``size`` bytes."""
        table = self._disk.table
        return Extent(0, size) if table is None else table.usable(size)

    def _order(self) -> list[int]:
        """Return the indexes of the partitions in the order in which they are placed.

        The members of a chain lie together, where the first of them is described.
        """
        indexes = range(len(self.parts))
        members = self._chain.members if self._chain else frozenset()
        first = min(members, default=0)
        before = [index for index in indexes if index < first and index not in members]
        after = [index for index in indexes if index > first and index not in members]
        return [*before, *sorted(members), *after] if members else list(indexes)

    def _block(self, index: int, usable: Extent, *, growing: bool) -> Block:
        chain, sector = self._chain, self._disk.sector_size
        wish, head, bounds = self.parts[index].wish, 0, usable
        if chain and index in chain.members:
            # An EBR has an aligned place of its own, or the sector before a partition whose place
            # is given: so do sfdisk and parted.
            head = sector if wish.start is not None else align_up(sector, wish.align)
            low = usable.start if chain.start is None else chain.start
            high = usable.end if chain.length is None else low + chain.length
            bounds = Extent(low, high - low)
        elif chain and chain.start is not None and chain.length is not None:
            end = chain.start + chain.length
            if index > min(chain.members):
                bounds = Extent(end, max(0, usable.end - end))
            else:
                bounds = Extent(usable.start, chain.start - usable.start)
        return Block(
            index=index,
            length=self._wanted[index],
            head=head,
            align=wish.align,
            start=wish.start,
            bounds=bounds,
            rest=sector if growing and wish.grows else 0,
        )

    def _with_first_ebr(self, ebrs: dict[int, int]) -> dict[int, int]:
        """The first EBR is where the extended partition begins, if the user says where."""
        if self._chain and self._chain.start is not None and ebrs:
            first = min(ebrs, key=lambda index: ebrs[index])
            ebrs[first] = min(self._chain.start, ebrs[first])
        return ebrs

    def extended(
        self, extents: Sequence[Extent], ebrs: Mapping[int, int]
    ) -> PlacedPartition | None:
        """Return the extended partition around the chained ones, None if there are none."""
        chain = self._chain
        if chain is None:
            return None
        start = min(ebrs.values()) if chain.start is None else chain.start
        end = max(extents[index].end for index in chain.members)
        length = end - start if chain.length is None else chain.length
        return PlacedPartition(
            number=chain.number, name="extended", extent=Extent(start, length), type=chain.type,
            guid="", attributes=0, active=False,
        )

    def regions(
        self,
        size: int,
        extents: Sequence[Extent],
        ebrs: Mapping[int, int],
        segments: Sequence[Region],
    ) -> list[Region]:
        """Return everything that takes room, sorted by place."""
        disk = self._disk
        found = list(disk.table.regions(size)) if disk.table is not None else []
        found += segments
        for part in self.parts:
            found.append(Region(name=part.name, where=part.where, extent=extents[part.index]))
            if part.index in ebrs:
                extent = Extent(ebrs[part.index], disk.sector_size)
                found.append(Region(name=f"EBR of {part.name}", where=TABLE, extent=extent))
        return sorted(found, key=lambda region: region.extent)


def _least(wish: Wish, room: int, sector: int) -> int:
    """Return the length of a partition, or of the smallest that may take the rest."""
    if wish.length is not None:
        return wish.length
    length = room if wish.asked_first else 0
    return max(align_up(length, sector), sector if wish.grows else 0)


def _record(
    disk: Disk,
    parts: Sequence[Part],
    rooms: Sequence[Room],
    extents: Sequence[Extent],
    ebrs: Mapping[int, int],
) -> tuple[tuple[PlacedPartition, ...], list[Problem]]:
    """Return the partitions as the table will record them, and the types it can't record."""
    numbers = _numbers(disk, extents)
    placed, problems = list[PlacedPartition](), list[Problem]()
    for part, room in zip(parts, rooms, strict=True):
        index, described, type_ = part.index, part.partition, ""
        if disk.table is not None and numbers[index]:
            try:
                type_ = disk.table.type_of(described, room.type)
            except ValueError as error:
                must = "the table must say what the partition is"
                if described.type is None and room.type is not None:
                    must = f"{type(described.payload).__name__}(...) brings it, and {must}"
                change = 'write for example type="linux-filesystem"'
                problems.append(UnknownType(f"{part.where}.type", str(error), must, change))
        placed.append(
            PlacedPartition(
                number=numbers[index],
                name=part.name,
                extent=extents[index],
                type=type_,
                guid=str(partition_guid(disk, described)),
                attributes=_attributes(disk, described),
                active=described.active,
                partition_name=described.partition_name,
                payload_type=room.type or "",
                ebr=ebrs.get(index),
            )
        )
    return tuple(placed), problems


def _attributes(disk: Disk, described: Partition) -> int:
    if isinstance(disk.table, Marking):
        return disk.table.attributes_of(described)
    return 0


def _numbers(disk: Disk, extents: Sequence[Extent]) -> list[int]:
    """Return the number of each partition; a chain is numbered in the order of the disk."""
    if disk.table is None:
        return [int(disk.is_one_volume)] * len(disk.partitions)
    numbers = list(disk.table.numbers(disk))
    chain = disk.table.chain(disk)
    if chain is not None:
        links = sorted(chain.members, key=lambda index: extents[index].start)
        for number, index in enumerate(links, start=chain.first_number):
            numbers[index] = number
    return numbers
