"""Which clusters each directory and file gets.

Two wishes pull against each other: the image must be a function of the contents alone, and a file
that changed its size should not move the others.  So everything gets a **slot** a little larger
than it is, and the order of the slots depends on their sizes and paths.  A kernel that grows by a
page stays in its slot, and nothing after it moves; a build from nothing makes the same choice.
"""

from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

from doit_diskimg.ondisk.fat_entries import FIRST_CLUSTER, ClusterRun


class Need(NamedTuple):
    """The clusters that something takes, known by its path; an empty file takes none."""

    path: str
    clusters: int


class ClusterNeeds(NamedTuple):
    """The clusters that everything takes; directories and files are in path order."""

    first: Sequence[Need]
    """What comes before all others, in this order."""
    directories: Sequence[Need]
    files: Sequence[Need]

    def everything(self) -> Iterator[Need]:
        """Yield all needs."""
        for needs in self:
            yield from needs

    @property
    def clusters(self) -> int:
        """How many clusters everything takes, without slack."""
        return sum(need.clusters for need in self.everything())

    @property
    def slots(self) -> int:
        """How many clusters everything takes with room to grow in place."""
        return sum(slot(need.clusters) for need in self.everything())


def slot(clusters: int) -> int:
    """Return ``clusters`` rounded up to three significant bits and one more.

    Up to 16 clusters a slot fits exactly; above, at most one eighth of it is slack.
    """
    step = 1 << max(0, clusters.bit_length() - 4)
    return -(-clusters // step) * step


def assign(needs: ClusterNeeds, clusters: int) -> dict[str, ClusterRun]:
    """Return the clusters of everything that takes any, by path; each stretch is contiguous.

    What comes first, then directories, then files by the size of their slots, the largest first,
    equal ones by path.  If the slots do not fit into ``clusters``, all is packed without slack in
    the same order.  Raises OverflowError if that does not fit either.
    """
    slots = [(slot(need.clusters), need) for need in (*needs.first, *needs.directories)]
    # The sort is stable: files with equal slots stay in path order.
    slots += sorted(((slot(need.clusters), need) for need in needs.files), key=_largest_first)
    if sum(room for room, _ in slots) > clusters:
        slots = [(need.clusters, need) for _, need in slots]
        if sum(room for room, _ in slots) > clusters:
            raise OverflowError(f"the files do not fit into {clusters} clusters")
    return _in_turn(slots)


def _largest_first(slot_and_need: tuple[int, Need]) -> int:
    return -slot_and_need[0]


def _in_turn(slots: Iterable[tuple[int, Need]]) -> dict[str, ClusterRun]:
    runs = {}
    cluster = FIRST_CLUSTER
    for room, (path, clusters) in slots:
        if clusters:
            runs[path] = ClusterRun(cluster, clusters)
            cluster += room
    return runs
