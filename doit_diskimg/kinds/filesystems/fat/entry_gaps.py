"""Where the entries of a long directory lie: in the order of names, with free ones between them.

Without gaps an entry that is added moves every one behind it: half of the sectors.  So the entries
are cut into leaves of up to four sectors, most of which end with free entries; where the cuts are,
and how long each part is, must be a function of the names.  A directory is cut before the name with
the least digest, and each part again, as in a treap (Seidel and Aragon, 1996), so that a name that
is added changes the cuts of few parts; and a part's length is a stepped number of sectors, so that
one that grows seldom moves what lies behind it.
"""

from collections.abc import Mapping
from itertools import accumulate
from typing import NamedTuple

from doit_diskimg.plan.placement import digest_number, stepped
from doit_diskimg.units import align_up

_SECTOR = 16
"""Entries in a sector of 512 bytes."""

_LEAF = 4 * _SECTOR
"""Entries of the longest part that is not cut."""

_BITS = 5
"""Significant bits after the first one of the sectors of a part, from 64 on."""

_DEEPEST = 100
"""Cuts within each other that go by digests; of chance it is some 40, names can be chosen."""

LEAST = 8 * _SECTOR
"""Entries up to which a directory has no gaps: it is no longer than a page of the host."""


class Gaps(NamedTuple):
    """Where the entries of names lie, in entries from the beginning of the directory."""

    starts: Mapping[str, int]
    length: int


def with_gaps(before: int, lengths: Mapping[str, int]) -> Gaps:
    """Return where names lie that take so many entries each, in their order.

    ``before`` them are other entries.
    """
    digests = [0, *map(digest_number, lengths)]
    ends, starts = [0, *accumulate([before, *lengths.values()])], [0] * len(digests)

    def lay_out(low: int, high: int, start: int, depth: int) -> int:
        """Lay out the things from number ``low`` to ``high``; return how many entries they take."""
        length = ends[high] - ends[low]
        if high - low > 1 and length > _LEAF:
            cut = digests.index(min(digests[low + 1 : high]), low + 1, high)
            if depth > _DEEPEST:
                cut = (low + high + 1) // 2
            left = lay_out(low, cut, start, depth + 1)
            right = lay_out(cut, high, start + left, depth + 1)
            return stepped((left + right) // _SECTOR, _BITS) * _SECTOR
        for number in range(low, high):
            starts[number] = start + ends[number] - ends[low]
        return align_up(length, _SECTOR)

    length = lay_out(0, len(digests), 0, 0)
    return Gaps(dict(zip(lengths, starts[1:], strict=True)), length)
