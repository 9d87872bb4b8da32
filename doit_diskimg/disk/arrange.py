"""Arithmetic of places: where the next part fits, from either end of the disk.

It knows extents and alignment, and nothing of disks, tables or descriptions.
"""

from collections.abc import Sequence

from doit_diskimg.extent import Extent
from doit_diskimg.frozen import dataclass
from doit_diskimg.units import align_down, align_up

NO_PARTITION = -1
"""The `Block.index` of a segment."""


@dataclass(frozen=True, kw_only=True)
class Block:
    """What is placed in one piece: a partition and, before it, whatever the table needs there; or
    a segment.
    """

    index: int
    """Of the partition in the description, or `NO_PARTITION`."""
    length: int
    """Bytes of the partition itself."""
    head: int = 0
    """Bytes before it: a multiple of ``align`` unless ``start`` is given."""
    align: int = 1
    start: int | None = None
    """Where the partition must begin; None for the next place that is free."""
    bounds: Extent
    """Where the whole block should lie."""
    rest: int = 0
    """Of which number of bytes the partition takes as many as it can; 0 if it does not grow."""

    @property
    def given(self) -> Extent | None:
        """The place of the whole block, if the description gives one."""
        if self.start is None:
            return None
        return Extent(self.start - self.head, self.head + self.length)


def arrange(blocks: Sequence[Block], taken: Sequence[Extent]) -> list[Extent]:
    """Return the place of each block, ``taken`` being what none may touch.

    Blocks without a start follow the one before them.  Is one of them the rest, then those after
    it lie as far back as they can, and it takes all from its start to whatever follows.  If that
    does not fit, the answer is the one without a rest, and has a block beyond its bounds.
    """
    fixed = [*taken, *(block.given for block in blocks if block.given is not None)]
    forward = _forward(blocks, fixed)
    rest = next((number for number, block in enumerate(blocks) if block.rest), None)
    if rest is None:
        return forward
    places = forward[: rest + 1] + _backward(blocks[rest + 1 :], forward[rest], fixed)
    room = _end_of_rest(blocks[rest], forward[rest], [*fixed, *places]) - forward[rest].start
    head = blocks[rest].head
    end = forward[rest].start + head + align_down(room - head, blocks[rest].rest)
    if end < forward[rest].end or any(
        forward[rest].overlaps(place) for place in places[rest + 1 :]
    ):
        return forward
    places[rest] = Extent(forward[rest].start, end - forward[rest].start)
    return places


def _forward(blocks: Sequence[Block], fixed: Sequence[Extent]) -> list[Extent]:
    places: list[Extent] = []
    cursor = furthest = 0
    for block in blocks:
        # Behind a block with a start, which may be anywhere, others may have been placed already.
        others = fixed if cursor >= furthest else [*fixed, *places]
        place = block.given or _first_fit(max(cursor, block.bounds.start), block, others)
        places.append(place)
        cursor, furthest = place.end, max(furthest, place.end)
    return places


def _backward(
    blocks: Sequence[Block], rest: Extent, fixed: Sequence[Extent]
) -> list[Extent]:
    places: list[Extent] = []
    limit: int | None = None
    for block in reversed(blocks):
        end = block.bounds.end if limit is None else min(limit, block.bounds.end)
        place = block.given or _last_fit(end, block, [*fixed, *places])
        places.append(place)
        if place.start >= rest.start:  # else it lies before the rest, where its user put it
            limit = place.start
    return places[::-1]


def _first_fit(cursor: int, block: Block, fixed: Sequence[Extent]) -> Extent:
    """Return the first aligned place from ``cursor`` on that overlaps nothing fixed."""
    length = block.head + block.length
    place = Extent(align_up(cursor, block.align), length)
    for other in sorted(fixed):
        if place.overlaps(other):
            place = Extent(align_up(other.end, block.align), length)
    return place


def _last_fit(end: int, block: Block, fixed: Sequence[Extent]) -> Extent:
    """Return the last aligned place before ``end`` that overlaps nothing fixed."""
    length = block.head + block.length
    place = Extent(align_down(end - length, block.align), length)
    for other in sorted(fixed, key=lambda extent: extent.end, reverse=True):
        if place.overlaps(other):
            place = Extent(align_down(other.start - length, block.align), length)
    return place


def _end_of_rest(block: Block, place: Extent, others: Sequence[Extent]) -> int:
    """Return where the rest must end: at the next thing behind its start, or at its bounds."""
    behind = [other.start for other in others if other.start >= place.end and other.length]
    return min([block.bounds.end, *behind])
