"""The table of a base image, which stays as it is.

It is read once, when the description is made, and gives its partitions their places.  Its bytes
belong to the segment that is the rest of the image, so it claims no region and draws nothing.
"""

from collections.abc import Iterator, Sequence
from typing import NamedTuple

from doit_diskimg.disk.fields import as_size
from doit_diskimg.disk.model import Disk, Identity, Partition, Table
from doit_diskimg.disk.placed import PlacedPartition
from doit_diskimg.errors import Overlap, Problem
from doit_diskimg.extent import Extent
from doit_diskimg.frozen import dataclass
from doit_diskimg.plan.picture import Picture

BASE = "base"
"""The name of the segment that is the rest of the image."""


class TheirPart(NamedTuple):
    """A partition of the base image that gets a payload of ours."""

    name: str
    """Of the partition in our description."""
    number: int
    type: str


class Taken(NamedTuple):
    """A stretch of the base image that what is ours may not cover."""

    what: str
    extent: Extent
    spares: frozenset[int] = frozenset()
    """Numbers of the partitions that may lie there; `UNLISTED` is what no table of theirs lists."""


UNLISTED = 0


_BETWEEN = (
    "what has no place in their table must lie between their partitions",
    "move it, or name that partition",
)
_CLEAR = (
    "a partition of ours must be clear of their table and of all other partitions",
    "name another partition, or change the table of that image",
)


@dataclass(frozen=True, kw_only=True)
class Theirs(Table):
    """The partition table of ``path``; ``faults`` are what is wrong with it, or with our wishes."""

    path: str
    bytes_per_sector: int = 512
    parts: tuple[TheirPart, ...] = ()
    taken: tuple[Taken, ...] = ()
    faults: tuple[Problem, ...] = ()

    @property
    def sector_size(self) -> int:
        return self.bytes_per_sector

    def problems(self, disk: Disk) -> Iterator[Problem]:
        """Yield the faults, and what of ours would cover something of theirs."""
        yield from self.faults
        for where, number, ours in self._ours(disk):
            for taken in self.taken:
                if number not in taken.spares and ours.overlaps(taken.extent):
                    found = f"it covers {taken.what} of {self.path!r} at {taken.extent.start:#x}"
                    yield Overlap(where, found, *(_BETWEEN if number == UNLISTED else _CLEAR))

    def _ours(self, disk: Disk) -> Iterator[tuple[str, int, Extent]]:
        """Yield what of ours has a place that is known now, with its number in their table."""
        for part in disk.parts():
            start, size = part.wish.start, part.wish.length
            number = self.parts[part.index].number if part.index < len(self.parts) else UNLISTED
            if start is not None and size is not None:
                yield f"{part.where} {part.name!r}", number, Extent(start, size)
        for where, segment in disk.own_segments:
            start, length = as_size(segment.start), segment.known_room
            if segment.name != BASE and length is not None and start is not None:
                yield f"{where} {segment.name!r}", UNLISTED, Extent(start, length)

    def numbers(self, disk: Disk) -> Sequence[int]:
        known = {part.name: part.number for part in self.parts}
        return [known.get(part.name, 0) for part in disk.partitions]

    def type_of(self, partition: Partition, payload_type: str | None) -> str:
        """Return the type that their table says, whatever the payload."""
        return next(part.type for part in self.parts if part.name == partition.name)

    def encode(
        self, size: int, identity: Identity, partitions: Sequence[PlacedPartition]
    ) -> Picture:
        return Picture()
