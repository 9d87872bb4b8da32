"""The size of a volume that nobody gave a size.

The smallest that holds its files, leaves ``free`` free and has room for every file to grow in its
slot; in steps of an eighth, so that a kernel that grows does not move the partitions behind it at
every build.  With ``free=0`` it is exactly as long as it must be.

Type and cluster size depend on the length (`choose`), and not in one direction: across the limit
of a type a longer volume may have smaller clusters and longer tables.  So lengths are tried, in
order, with everything counted for each, and the first that does is the answer.
"""

from collections.abc import Iterable, Iterator

from doit_diskimg.errors import DescriptionError
from doit_diskimg.kinds.filesystems.fat import allocate
from doit_diskimg.kinds.filesystems.fat.choose import (
    MAX_SECTORS,
    MOST,
    choose,
    fewest,
    limits,
    shapes,
    undoubted,
)
from doit_diskimg.kinds.filesystems.fat.contents import Contents
from doit_diskimg.kinds.filesystems.fat.free import Free
from doit_diskimg.kinds.filesystems.fat.geometry import Geometry, Options, least_length
from doit_diskimg.units import MIB, align_up, ceil_div

NOTHING = Free(0, 0)


def fits(contents: Contents, geometry: Geometry, free: Free) -> bool:
    """Return whether the clusters are enough."""
    return contents.needs(geometry).clusters + free.clusters(geometry) <= geometry.clusters


def smallest(
    contents: Contents, options: Options, free: Free, minimum: int, *, sector_size: int
) -> Geometry | None:
    """Return the smallest volume that does, of ``minimum`` bytes or more; None if none does."""
    least = max(minimum, sum(file.size for file in contents.files))
    if free == NOTHING:
        lengths: Iterable[int] = turning_points(contents, options, free, least, sector_size)
    else:
        lengths = steps(least)
    for length in lengths:
        if length // sector_size > MAX_SECTORS:
            break
        try:
            found = choose(length, options, where="", sector_size=sector_size)
        except DescriptionError:
            continue
        if _does(contents, found, free):
            return found
    return None


def _does(contents: Contents, found: Geometry, free: Free) -> bool:
    # Diskettes have few entries and other numbers: they are for those who ask for them.
    if found.floppy or not undoubted(found) or not fits(contents, found, free):
        return False
    return free == NOTHING or contents.needs(found).slots <= found.clusters


def steps(least: int) -> Iterator[int]:
    """Yield the sizes that automatic volumes have: MiB of up to four significant bits."""
    size = max(1, ceil_div(least, MIB))
    while True:
        size = allocate.slot(size)
        yield size * MIB
        size += 1


def turning_points(
    contents: Contents, options: Options, free: Free, least: int, sector_size: int
) -> list[int]:
    """Return every length that can be the smallest: one that just fits, or just gets a type.

    A type and cluster size have the files from some length on, and are chosen between limits; so
    the smallest length of all is one where the files just fit, or a limit.
    """
    lengths = {align_up(least, sector_size)}
    for shape in shapes(options, sector_size):
        used = contents.needs(shape).clusters + ceil_div(free.length, shape.cluster_size)
        clusters = max(ceil_div(used * 100, 100 - free.percent), fewest(shape.fat))
        if clusters <= MOST[shape.fat]:
            lengths.add(least_length(shape, clusters))
        lengths.update(limits(shape))
    return sorted(length for length in lengths if length >= least)
