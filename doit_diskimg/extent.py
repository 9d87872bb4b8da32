"""Half-open stretches of bytes.

Inside the library a place is always ``start`` and ``length`` in bytes, ``end`` is the first byte
that does not belong to it.  Inclusive sector numbers exist only in `ondisk`.
"""

from collections.abc import Iterable, Iterator
from typing import NamedTuple


class Extent(NamedTuple):
    """The bytes ``start <= byte < end``."""

    start: int
    length: int

    @property
    def end(self) -> int:
        """The first byte after the extent."""
        return self.start + self.length

    def overlaps(self, other: "Extent") -> bool:
        """Return whether both have a byte in common; an empty extent has none."""
        return max(self.start, other.start) < min(self.end, other.end)

    def contains(self, other: "Extent") -> bool:
        """Return whether every byte of ``other`` is one of ours."""
        return self.start <= other.start and other.end <= self.end

    def __str__(self) -> str:
        return f"{self.start:#x}..{self.end:#x}"


def merged(extents: Iterable[Extent]) -> Iterator[Extent]:
    """Yield the same bytes as ``extents``, sorted, each once, neighbours joined."""
    start = end = -1
    for extent in sorted(extents):
        if extent.length == 0:
            continue
        if extent.start > end:
            if end > start:
                yield Extent(start, end - start)
            start, end = extent.start, extent.end
        else:
            end = max(end, extent.end)
    if end > start:
        yield Extent(start, end - start)


def subtract(extents: Iterable[Extent], holes: Iterable[Extent]) -> Iterator[Extent]:
    """Yield the bytes of ``extents`` that are in none of ``holes``, sorted and joined.

    One pass over both, so that the price is that of sorting them.
    """
    cuts = list(merged(holes))
    first = 0
    for extent in merged(extents):
        start = extent.start
        while first < len(cuts) and cuts[first].end <= start:
            first += 1
        index = first
        while index < len(cuts) and cuts[index].start < extent.end:
            if cuts[index].start > start:
                yield Extent(start, cuts[index].start - start)
            start = max(start, cuts[index].end)
            index += 1
        if start < extent.end:
            yield Extent(start, extent.end - start)


def clipped(extents: Iterable[Extent], bounds: Extent) -> Iterator[Extent]:
    """Yield the parts of ``extents`` that lie in ``bounds``, in their order."""
    for extent in extents:
        start, end = max(extent.start, bounds.start), min(extent.end, bounds.end)
        if start < end:
            yield Extent(start, end - start)
