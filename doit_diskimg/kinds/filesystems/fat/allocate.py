"""Which clusters everything in a volume gets.

What the user wants low lies at the beginning, in that order; all else is placed by
`plan.placement`, which moves little when a file is added, removed or changes its size.  A volume
that is too full for that is packed: then an edit may move everything behind it.
"""

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import NamedTuple

from doit_diskimg.ondisk.fat_entries import FIRST_CLUSTER, ClusterRun
from doit_diskimg.plan.placement import Places, Taken, pack, spread, stepped


class ClusterNeeds(NamedTuple):
    """The clusters that everything takes, by path; an empty file takes none."""

    low: Sequence[str]
    """Paths of what comes before all others, in this order."""
    directories: Mapping[str, int]
    roomy: Mapping[str, int]
    """The same with room between the entries, where a directory is better off with some."""
    files: Mapping[str, int]

    @property
    def clusters(self) -> int:
        """How many clusters everything takes, without slack."""
        return sum(self.directories.values()) + sum(self.files.values())

    @property
    def slots(self) -> int:
        """How many clusters everything takes with room to grow in place."""
        return sum(slot(units) for part in (self.roomy, self.files) for units in part.values())


class Allocation(NamedTuple):
    """The clusters of everything that takes any, by path; each run is contiguous."""

    runs: Mapping[str, ClusterRun]
    roomy: bool
    """Whether directories have room between their entries."""
    packed: bool
    """Whether everything lies one behind the other, so that an edit moves much."""


def slot(clusters: int) -> int:
    """Return ``clusters`` rounded up to three significant bits and one more.

    Up to 16 clusters a slot fits exactly; above, at most one eighth of it is slack.
    """
    return stepped(clusters, 3)


def allocate(needs: ClusterNeeds, clusters: int) -> Allocation:
    """Return who gets which of ``clusters``.  Raises OverflowError if they are too few.

    If there is no room for gaps in directories and for files that grow, then there is none.  Many
    sectors say where a directory lies.
    """
    roomy = {**needs.roomy, **needs.files}
    exact = {**needs.directories, **needs.files}
    for lengths, room_of, place in (
        (roomy, slot, partial(spread, steady=needs.roomy)),
        (exact, int, partial(spread, steady=None)),
        (exact, int, pack),
    ):
        runs = _placed(needs.low, lengths, clusters, room_of, place)
        if runs is not None:
            return Allocation(runs, roomy=lengths is roomy, packed=place is pack)
    raise OverflowError(f"the files do not fit into {clusters} clusters")


def _placed(
    low: Sequence[str],
    lengths: Mapping[str, int],
    clusters: int,
    room_of: Callable[[int], int],
    place: Callable[[Mapping[str, int], int, Taken], Places | None],
) -> dict[str, ClusterRun] | None:
    """Return the clusters of everything by path; None if there is no room."""
    starts, end, others = Places(), 0, dict(lengths)
    for path in low:
        starts[path] = end
        end += room_of(others.pop(path))
    found = place(others, clusters, [(0, end)]) if end <= clusters else None
    if found is None:
        return None
    return {
        path: ClusterRun(FIRST_CLUSTER + start, lengths[path])
        for path, start in {**starts, **found}.items()
        if lengths[path]
    }
