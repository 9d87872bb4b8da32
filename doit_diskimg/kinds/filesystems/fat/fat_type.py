"""Which type and cluster size a volume gets.

The rule above all others: **the number of clusters decides the type** (Microsoft, "FAT32 File
System Specification" 1.03, "FAT Type Determination").  So a type is chosen by finding numbers that
give it, never by writing it down.
"""

from collections.abc import Iterator

from doit_diskimg.errors import BadSize, BadValue, DescriptionError, FatTypeImpossible, TooSmall
from doit_diskimg.kinds.filesystems.fat.geometry import (
    FatGeometry,
    Options,
    floppy_cluster,
    lay_out,
    least_length,
)
from doit_diskimg.units import KIB, MIB, SECTOR, ceil_div, format_size

TYPES = (12, 16, 32)

LEAST = {12: 1, 16: 4085, 32: 65525}
"""Clusters from which a volume is of the type."""

MOST = {12: 4084, 16: 65524, 32: 0x0FFFFFF4}
"""Clusters up to which it is.  FAT32's limit is that cluster numbers end below 0x0FFFFFF6."""

LARGEST_CLUSTER = 32 * KIB
"""64 KiB clusters exist, but the standard forbids them and readers overflow on them."""

FAT32_FEWEST_RESERVED = 8
"""Reserved sectors in which a FAT32 volume has its boot sector, FSInfo and the copies of both."""

MAX_SECTORS = 0xFFFFFFFF  # BPB_TotSec32

_MARGIN = 16
# "FAT Type Determination" warns of drivers that are off by 1, 2, 8, 10 or 16 in the limits.

_FAT12_BELOW = 8400 * 512
_FAT32_FROM = 512 * MIB
# The limits of the standard's tables DskTableFAT16 and DskTableFAT32, as mkfs.fat uses them.

_FAT32_ENOUGH = 2 * 1024 * 1024
# With 4 KiB clusters up to 8 GiB, 8 KiB up to 16 GiB and so on, as DskTableFAT32 has it.

_CLUSTERS = {
    12: (512, 1 * KIB, 2 * KIB, 4 * KIB, 8 * KIB, 16 * KIB, 32 * KIB),
    16: (2 * KIB, 4 * KIB, 8 * KIB, 16 * KIB, 32 * KIB, 1 * KIB, 512),
    32: (4 * KIB, 8 * KIB, 16 * KIB, 32 * KIB, 2 * KIB, 1 * KIB, 512),
}
"""Cluster sizes by type, the favourite first."""


def choose(length: int, options: Options, *, where: str, sector_size: int = SECTOR) -> FatGeometry:
    """Return the numbers of a volume of ``length`` bytes.

    Raises DescriptionError if no numbers give the type or the cluster size that was asked for.
    """
    sectors = length // sector_size
    if sectors > MAX_SECTORS:
        raise DescriptionError(_too_long(length, sector_size, where))
    by_choice = options.cluster_size is None
    # Numbers that no driver doubts; else numbers that are right; else right but for a short tail.
    for found in _candidates(length, options, sector_size):
        if by_choice and _comfortable(found):
            return found
    for found in _candidates(length, options, sector_size):
        if _legal(found):
            return found
    for found in _candidates(length, options, sector_size):
        if (trimmed := _trimmed(found)) is not None:
            return trimmed
    raise DescriptionError(_impossible(length, options, sector_size, where))


def writable(length: int, *, up: bool) -> str:
    """Return ``length`` rounded up or down to a size that a user can write: ``33MiB``."""
    unit, name = (MIB, "MiB") if length >= 8 * MIB else (KIB, "KiB")
    return f"{ceil_div(length, unit) if up else length // unit}{name}"


def _candidates(length: int, options: Options, sector_size: int) -> Iterator[FatGeometry]:
    """Yield volumes of every type and cluster size allowed, best first, not all of them legal."""
    sectors = length // sector_size
    for fat in _types(length, options):
        for size in _cluster_sizes(fat, sectors, options, sector_size):
            yield lay_out(fat, size // sector_size, sectors, sector_size, options)


def shapes(options: Options, sector_size: int) -> Iterator[FatGeometry]:
    """Yield an empty volume of every type and cluster size that ``options`` allow."""
    for fat in _types(0, options):
        for size in _cluster_sizes(fat, 0, options, sector_size):
            yield lay_out(fat, size // sector_size, 0, sector_size, options)


def limits(shape: FatGeometry) -> Iterator[int]:
    """Yield the lengths from which on `choose` may prefer another type or cluster size."""
    yield from (_FAT12_BELOW + shape.sector_size, _FAT32_FROM)
    for bound in (LEAST[shape.fat], MOST[shape.fat] + 1):
        for clusters in (bound, bound + _MARGIN, bound - _MARGIN):
            if 1 <= clusters <= MOST[32]:
                yield least_length(shape, clusters)
    if shape.fat == 32:
        yield least_length(shape, _FAT32_ENOUGH + 1)


def undoubted(geometry: FatGeometry) -> bool:
    """Whether the count of clusters is so far from the limits that every driver agrees."""
    low, high = fewest(geometry.fat), MOST[geometry.fat] - _MARGIN
    return low <= geometry.clusters <= high


def fewest(fat: int) -> int:
    """Return the clusters from which on no driver doubts the type."""
    return LEAST[fat] if fat == 12 else LEAST[fat] + _MARGIN


def _types(length: int, options: Options) -> tuple[int, ...]:
    """Return the types to try, best first."""
    if options.fat is not None:
        return (options.fat,)
    if options.cluster_size is not None or length <= _FAT12_BELOW:
        types: tuple[int, ...] = (12, 16, 32)
    else:
        types = (16, 12, 32) if length < _FAT32_FROM else (32, 16, 12)
    if options.prefer is not None:
        types = (options.prefer, *(fat for fat in types if fat != options.prefer))
    return types if _fat32_can(options) else tuple(fat for fat in types if fat != 32)


def _fat32_can(options: Options) -> bool:
    """Whether the other options leave FAT32 its root directory and its reserved sectors."""
    enough = options.reserved_sectors is None or options.reserved_sectors >= FAT32_FEWEST_RESERVED
    return enough and options.root_entries is None


def _cluster_sizes(fat: int, sectors: int, options: Options, sector_size: int) -> Iterator[int]:
    """Yield the cluster sizes to try, in bytes, best first."""
    if options.cluster_size is not None:
        yield options.cluster_size
        return
    if (per_cluster := floppy_cluster(sectors, sector_size)) is not None:
        yield per_cluster * sector_size
    yield from (size for size in _CLUSTERS[fat] if size >= sector_size)


def _legal(geometry: FatGeometry) -> bool:
    return LEAST[geometry.fat] <= geometry.clusters <= MOST[geometry.fat]


def _comfortable(geometry: FatGeometry) -> bool:
    """Whether the count is so far from the limits that drivers which count wrongly agree."""
    fat, clusters = geometry.fat, geometry.clusters
    least = fewest(fat)
    most = _FAT32_ENOUGH if fat == 32 else MOST[fat] - _MARGIN
    if geometry.cluster_size == LARGEST_CLUSTER:
        most = MOST[fat]  # there is nothing larger to turn to
    return least <= clusters <= most


def _trimmed(geometry: FatGeometry) -> FatGeometry | None:
    """Return the volume without its last sectors, where only that gives its clusters a type.

    Tables of the next type are longer.  So there are sizes that have a cluster too many for one
    type and, with the tables of the next, too few for that; a few sectors then stay unused.
    """
    if geometry.fat == 32 or geometry.clusters <= MOST[geometry.fat]:
        return None
    next_type = TYPES[TYPES.index(geometry.fat) + 1]
    sectors, sector_size = geometry.total_sectors, geometry.sector_size
    options = geometry.options
    longer = lay_out(next_type, geometry.sectors_per_cluster, sectors, sector_size, options)
    if longer.clusters >= LEAST[next_type]:
        return None
    length = least_length(geometry, MOST[geometry.fat])
    sectors = length // sector_size
    return lay_out(geometry.fat, geometry.sectors_per_cluster, sectors, sector_size, options)


# Refusals ----------------------------------------------------------------------------------------


def _too_long(length: int, sector_size: int, where: str) -> BadSize:
    return BadSize(
        f"{where}.size",
        f"{format_size(length)} is {length // sector_size:,} sectors",
        f"FAT counts at most {MAX_SECTORS:,}",
        "make the volume smaller than 2TiB",
    )


def _impossible(
    length: int, options: Options, sector_size: int, where: str
) -> FatTypeImpossible | TooSmall | BadValue:
    """Return why none of the candidates would do, with the sizes that would."""
    tried = list(_candidates(length, options, sector_size))
    tried.sort(key=lambda found: (found.sectors_per_cluster, found.fat))
    smallest, largest = tried[0], tried[-1]
    if smallest.clusters < 1 and options.fat in (None, 12):
        return _no_cluster(length, smallest, where)
    if options.fat is None:
        return _too_many_clusters(length, options, largest, where)
    if smallest.clusters < LEAST[options.fat]:
        limit, found, direction = LEAST[options.fat], smallest, "least"
    else:
        limit, found, direction = MOST[options.fat], largest, "most"
    bound = writable(least_length(found, limit), up=direction == "least")
    change = f"drop fat={options.fat}, or make it at {direction} {bound}"
    return FatTypeImpossible(
        f"{where}.fat",
        f"{format_size(length)} has {max(0, found.clusters):,} clusters of "
        f"{format_size(found.cluster_size)}",
        f"FAT{options.fat} has at {direction} {limit:,}",
        change if options.cluster_size is None else f"{change}, or change cluster_size",
    )


def _no_cluster(length: int, smallest: FatGeometry, where: str) -> TooSmall:
    return TooSmall(
        f"{where}.size",
        f"{format_size(length)} has no room for a cluster",
        f"it must be at least {writable(least_length(smallest, 1), up=True)}",
        "make the volume larger",
    )


def _too_many_clusters(length: int, options: Options, largest: FatGeometry, where: str) -> BadValue:
    field, change = "size", "make the volume smaller"
    if options.cluster_size is not None:
        field, change = "cluster_size", "make cluster_size larger, or leave it out"
    elif largest.fat != 32:
        change = "make it smaller, or drop root_entries and reserved_sectors"
    return BadValue(
        f"{where}.{field}",
        f"{format_size(length)} has {largest.clusters:,} clusters of "
        f"{format_size(largest.cluster_size)}",
        f"FAT{largest.fat} has at most {MOST[largest.fat]:,}",
        change,
    )
