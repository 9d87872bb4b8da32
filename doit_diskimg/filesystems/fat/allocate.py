"""Which clusters each directory and file gets.

Two wishes pull against each other: the image must be a function of the contents alone, and a file
that changed its size should not move the others.  So everything gets a **slot** a little larger
than it is, and the order of the slots depends on their sizes and paths.  A kernel that grows by a
page stays in its slot, and nothing after it moves; a build from nothing makes the same choice.
"""

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from doit_diskimg.ondisk.fat_entries import FIRST_CLUSTER, Run


class Need(NamedTuple):
    """The clusters that something takes, known by its path; an empty file takes none."""

    path: str
    clusters: int


def slot(clusters: int) -> int:
    """Return ``clusters`` rounded up to three significant bits and one more.

    Up to 16 clusters a slot fits exactly; above, at most one eighth of it is slack.
    """
    step = 1 << max(0, clusters.bit_length() - 4)
    return -(-clusters // step) * step


def assign(
    directories: Sequence[Need], files: Sequence[Need], clusters: int
) -> dict[str, Run]:
    """Return the clusters of everything that takes any, by path; each stretch is contiguous.

    Both sequences are in path order.  Directories come first; then files by the size of their
    slots, the largest first, equal ones by path.  If the slots do not fit into ``clusters``, all
    is packed without slack in the same order.  Raises OverflowError if that does not fit either.
    """
    order = [*directories, *sorted(files, key=lambda need: -slot(need.clusters))]
    room = sum(slot(need.clusters) for need in order)
    exact = room > clusters
    if exact and sum(need.clusters for need in order) > clusters:
        raise OverflowError(f"the files do not fit into {clusters} clusters")
    return _in_turn(order, exact=exact)


def _in_turn(order: Iterable[Need], *, exact: bool) -> dict[str, Run]:
    runs = {}
    cluster = FIRST_CLUSTER
    for path, clusters in order:
        if clusters:
            runs[path] = Run(cluster, clusters)
            cluster += clusters if exact else slot(clusters)
    return runs
