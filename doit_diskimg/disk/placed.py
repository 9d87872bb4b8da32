"""A layout: where everything lies, once it is decided.

`layout` decides it; the steps after that one only look things up.
"""

from doit_diskimg.disk.model import TABLE
from doit_diskimg.disk.segment import PlacedPartition, Region
from doit_diskimg.extent import Extent
from doit_diskimg.frozen import dataclass


@dataclass(frozen=True, kw_only=True)
class Layout:
    """A disk of ``size`` bytes with every region in its place, sorted by start."""

    size: int
    sector_size: int
    regions: tuple[Region, ...]
    partitions: tuple[PlacedPartition, ...]
    """In the order of the description."""
    extended: PlacedPartition | None = None
    """The partition around the logical ones of an MBR; no region, since it has others inside."""

    def extent(self, name: str) -> Extent:
        """Return the place of the partition or segment of that name.  KeyError if none has it.

        A segment that spans what is not its own reaches from its first byte to its last.
        """
        own = [r.extent for r in self.regions if r.name == name and r.where != TABLE]
        if not own:
            raise KeyError(name)
        return Extent(own[0].start, max(extent.end for extent in own) - own[0].start)

    def recorded(self) -> tuple[PlacedPartition, ...]:
        """Return what the table has to mention."""
        extended = [] if self.extended is None else [self.extended]
        return (*(part for part in self.partitions if part.number), *extended)

    def skeleton(self) -> object:
        """Return what may not change while an image is patched in place, as plain data.

        The disk's length, the extents of the partitions and where the other regions begin, all
        with their names: what was injected is remembered by name.  A stage 2 may grow or shrink in
        its gap: nothing else moves, and every region is patched within bounds that no other had.
        A region without bytes bounds nobody, so whether a region has some is part of it.
        """
        names = {partition.name for partition in self.partitions}
        return [
            self.size,
            [[partition.name, *partition.extent] for partition in self.partitions],
            [
                [r.name, r.extent.start, r.extent.length > 0]
                for r in self.regions
                if r.name not in names
            ],
        ]
