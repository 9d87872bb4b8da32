"""From the size of a volume to all the numbers of its boot sector.

Pure arithmetic in sectors.  The rule above all others: **the number of clusters decides the type**
(Microsoft, "FAT32 File System Specification" 1.03, "FAT Type Determination"), so a type is chosen
by finding numbers that give it, never by writing it down.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace

from doit_diskimg.errors import BadSize, BadValue, DescriptionError, FatTypeImpossible, TooSmall
from doit_diskimg.ondisk import fat_dirent
from doit_diskimg.units import KIB, MIB, SECTOR, align_up, ceil_div, format_size

TYPES = (12, 16, 32)

LEAST = {12: 1, 16: 4085, 32: 65525}
"""Clusters from which a volume is of the type."""

MOST = {12: 4084, 16: 65524, 32: 0x0FFFFFF4}
"""Clusters up to which it is.  FAT32's limit is that cluster numbers end below 0x0FFFFFF6."""

LARGEST_CLUSTER = 32 * KIB
"""64 KiB clusters exist, but the standard forbids them and readers overflow on them."""

MAX_SECTORS = 0xFFFFFFFF  # BPB_TotSec32

_MARGIN = 16
# "FAT Type Determination" warns of drivers that are off by 1, 2, 8, 10 or 16 in the limits.

_DATA_ALIGNMENT = 4 * KIB
# Where the data area begins: host file systems share (reflink) whole blocks of this size.

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


@dataclass(frozen=True, kw_only=True)
class Options:
    """What the user asked for; None is "choose"."""

    fat: int | None = None
    cluster_size: int | None = None


@dataclass(frozen=True, kw_only=True)
class Geometry:
    """The numbers of one volume; `fat` is 12, 16 or 32."""

    fat: int
    sector_size: int
    sectors_per_cluster: int
    reserved_sectors: int
    number_of_fats: int = 2
    sectors_per_fat: int = 0
    root_entries: int
    total_sectors: int
    media: int = 0xF8
    sectors_per_track: int = 63
    heads: int = 255

    @property
    def cluster_size(self) -> int:
        """Bytes in a cluster."""
        return self.sectors_per_cluster * self.sector_size

    @property
    def fat_start(self) -> int:
        """Where the first table begins, in bytes from the start of the volume."""
        return self.reserved_sectors * self.sector_size

    @property
    def fat_length(self) -> int:
        """Bytes in one table."""
        return self.sectors_per_fat * self.sector_size

    @property
    def root_start(self) -> int:
        """Where the root directory of FAT12 and FAT16 begins, in bytes."""
        return self.fat_start + self.number_of_fats * self.fat_length

    @property
    def data_start(self) -> int:
        """Where cluster 2 begins, in bytes."""
        root = self.root_entries * fat_dirent.SIZE
        return self.root_start + align_up(root, self.sector_size)

    @property
    def clusters(self) -> int:
        """How many clusters the data area has; not positive if the volume is too small for any."""
        return (self.total_sectors * self.sector_size - self.data_start) // self.cluster_size

    @property
    def floppy(self) -> bool:
        """Whether the volume has the numbers of a diskette."""
        return self.heads == 2

    def cluster_start(self, cluster: int) -> int:
        """Return where ``cluster`` begins, in bytes from the start of the volume."""
        return self.data_start + (cluster - 2) * self.cluster_size

    def clusters_for(self, length: int) -> int:
        """Return how many clusters ``length`` bytes take."""
        return ceil_div(length, self.cluster_size)


# Sectors of a diskette: cluster in sectors, root entries, media, sectors per track.  All have two
# heads.  The numbers are those of DOS's own diskettes, and of mkfs.fat's.
_FLOPPIES = {
    720: (2, 112, 0xFD, 9),
    1440: (2, 112, 0xF9, 9),
    2400: (1, 224, 0xF9, 15),
    2880: (1, 224, 0xF0, 18),
    5760: (2, 224, 0xF0, 36),
}


def choose(
    length: int, options: Options, *, where: str, sector_size: int = SECTOR
) -> Geometry:
    """Return the numbers of a volume of ``length`` bytes.

    Raises DescriptionError if no numbers give the type or the cluster size that was asked for.
    """
    sectors = length // sector_size
    if sectors > MAX_SECTORS:
        raise DescriptionError([_too_long(length, sector_size, where)])
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
    raise DescriptionError([_impossible(length, options, sector_size, where)])


def least_length(geometry: Geometry, clusters: int) -> int:
    """Return the bytes of the smallest volume with ``clusters`` of the same type and cluster size.

    Diskettes are left out: they have the sizes that they have.
    """
    bits, sector = geometry.fat, geometry.sector_size
    table = ceil_div((clusters + 2) * bits, sector * 8)
    blank = _blank(bits, geometry.sectors_per_cluster, 0, sector)
    root = ceil_div(blank.root_entries * fat_dirent.SIZE, sector)
    start = blank.reserved_sectors + blank.number_of_fats * table + root
    return (align_up(start, _step(blank)) + clusters * blank.sectors_per_cluster) * sector


def writable(length: int, *, up: bool) -> str:
    """Return ``length`` rounded up or down to a size that a user can write: ``33MiB``."""
    unit, name = (MIB, "MiB") if length >= 8 * MIB else (KIB, "KiB")
    return f"{ceil_div(length, unit) if up else length // unit}{name}"


def _candidates(length: int, options: Options, sector_size: int) -> Iterator[Geometry]:
    """Yield volumes of every type and cluster size allowed, best first, not all of them legal."""
    sectors = length // sector_size
    for fat in _types(length, options):
        for size in _cluster_sizes(fat, sectors, options, sector_size):
            yield _lay_out(_blank(fat, size // sector_size, sectors, sector_size))


def _types(length: int, options: Options) -> tuple[int, ...]:
    """Return the types to try, best first."""
    if options.fat is not None:
        return (options.fat,)
    if options.cluster_size is not None or length <= _FAT12_BELOW:
        return (12, 16, 32)
    return (16, 12, 32) if length < _FAT32_FROM else (32, 16, 12)


def _cluster_sizes(
    fat: int, sectors: int, options: Options, sector_size: int
) -> Iterator[int]:
    """Yield the cluster sizes to try, in bytes, best first."""
    if options.cluster_size is not None:
        yield options.cluster_size
        return
    if sector_size == SECTOR and sectors in _FLOPPIES:
        yield _FLOPPIES[sectors][0] * sector_size
    yield from (size for size in _CLUSTERS[fat] if size >= sector_size)


def _blank(fat: int, sectors_per_cluster: int, sectors: int, sector_size: int) -> Geometry:
    """Return the numbers that do not depend on the length of the tables."""
    blank = Geometry(
        fat=fat,
        sector_size=sector_size,
        sectors_per_cluster=sectors_per_cluster,
        # FAT32 keeps FSInfo, a third boot sector and copies of all three below sector 9.
        reserved_sectors=32 if fat == 32 else 1,
        root_entries=0 if fat == 32 else 512,
        total_sectors=sectors,
    )
    if fat == 32 or sector_size != SECTOR or sectors not in _FLOPPIES:
        return blank
    _, root_entries, media, sectors_per_track = _FLOPPIES[sectors]
    return replace(
        blank,
        root_entries=root_entries,
        media=media,
        sectors_per_track=sectors_per_track,
        heads=2,
    )


def _step(geometry: Geometry) -> int:
    """Return the sectors of which the data area's start is a multiple."""
    if geometry.floppy:
        return 1  # diskette controllers and boot sectors rely on the true numbers
    return max(1, _DATA_ALIGNMENT // geometry.sector_size)


def _lay_out(blank: Geometry) -> Geometry:
    """Return ``blank`` with tables as short as can be and the data area aligned.

    One more reserved sector moves the data area by one sector, except where it makes the tables
    a sector shorter, which happens at most once within so short a distance.
    """
    reserved = blank.reserved_sectors
    found = blank
    for extra in range(_step(blank) + 2 * blank.number_of_fats):
        found = replace(blank, reserved_sectors=reserved + extra)
        found = replace(found, sectors_per_fat=_sectors_per_fat(found))
        if found.data_start // found.sector_size % _step(found) == 0:
            break
    return found


def _sectors_per_fat(geometry: Geometry) -> int:
    """Return the length of the shortest table that has an entry for every cluster.

    Let f be the sectors of one of n tables, S the bits in a sector, b the bits of an entry, s the
    sectors of a cluster, and R the sectors left for tables and data.  A table of f sectors leaves

        c = floor((R - n f) / s)    clusters, which need    b (c + 2) <= f S    bits.

    A floor takes off less than 1, so c >= (R - n f - s + 1) / s, and every f that is enough obeys

        f >= b (R + s + 1) / (S s + b n).

    Without the floor, f >= b (R + 2 s) / (S s + b n) is enough.  The bounds differ by
    b (s - 1) / (S s + b n) < b / S < 1: the first one rounded up is the answer or one below it.
    (The standard's own formula in "FAT Data Structure" may be up to 8 sectors too long.)
    """
    bits, sector_bits = geometry.fat, geometry.sector_size * 8
    per_cluster, tables = geometry.sectors_per_cluster, geometry.number_of_fats
    # data_start knows no tables yet: sectors_per_fat is still 0.
    room = geometry.total_sectors - geometry.data_start // geometry.sector_size
    sectors = ceil_div(bits * (room + per_cluster + 1), sector_bits * per_cluster + bits * tables)
    sectors = max(1, sectors)
    clusters = (room - tables * sectors) // per_cluster
    return sectors if bits * (clusters + 2) <= sectors * sector_bits else sectors + 1


def _legal(geometry: Geometry) -> bool:
    return LEAST[geometry.fat] <= geometry.clusters <= MOST[geometry.fat]


def _comfortable(geometry: Geometry) -> bool:
    """Whether the count is so far from the limits that drivers which count wrongly agree."""
    fat, clusters = geometry.fat, geometry.clusters
    least = LEAST[fat] if fat == 12 else LEAST[fat] + _MARGIN
    most = _FAT32_ENOUGH if fat == 32 else MOST[fat] - _MARGIN
    if geometry.cluster_size == LARGEST_CLUSTER:
        most = MOST[fat]  # there is nothing larger to turn to
    return least <= clusters <= most


def _trimmed(geometry: Geometry) -> Geometry | None:
    """Return the volume without its last sectors, where only that gives its clusters a type.

    Tables of the next type are longer.  So there are sizes that have a cluster too many for one
    type and, with the tables of the next, too few for that; a few sectors then stay unused.
    """
    if geometry.fat == 32 or geometry.clusters <= MOST[geometry.fat]:
        return None
    next_type = TYPES[TYPES.index(geometry.fat) + 1]
    sectors, sector_size = geometry.total_sectors, geometry.sector_size
    longer = _lay_out(_blank(next_type, geometry.sectors_per_cluster, sectors, sector_size))
    if longer.clusters >= LEAST[next_type]:
        return None
    length = least_length(geometry, MOST[geometry.fat])
    return _lay_out(replace(
        _blank(geometry.fat, geometry.sectors_per_cluster, sectors, sector_size),
        total_sectors=length // sector_size,
    ))


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
    tried.sort(key=lambda found: found.sectors_per_cluster)
    smallest, largest = tried[0], tried[-1]
    if max(found.clusters for found in tried) < 1:
        least = min(least_length(found, LEAST[12]) for found in tried if found.fat == tried[0].fat)
        return TooSmall(
            f"{where}.size",
            f"{format_size(length)} has no room for a cluster",
            f"it must be at least {writable(least, up=True)}",
            "make the volume larger",
        )
    if options.fat is None:
        field, change = "size", "make the volume smaller"
        if options.cluster_size is not None:
            field, change = "cluster_size", "make cluster_size larger, or leave it out"
        return BadValue(
            f"{where}.{field}",
            f"{format_size(length)} has {largest.clusters:,} clusters of "
            f"{format_size(largest.cluster_size)}",
            f"FAT32 has at most {MOST[32]:,}",
            change,
        )
    name = f"FAT{options.fat}"
    if smallest.clusters < LEAST[options.fat]:
        least = least_length(smallest, LEAST[options.fat])
        found, must = smallest.clusters, f"{name} has at least {LEAST[options.fat]:,}"
        change = f"drop fat={options.fat}, or make it at least {writable(least, up=True)}"
        per_cluster = format_size(smallest.cluster_size)
    else:
        most = least_length(largest, MOST[options.fat])
        found, must = largest.clusters, f"{name} has at most {MOST[options.fat]:,}"
        change = f"drop fat={options.fat}, or make it at most {writable(most, up=False)}"
        per_cluster = format_size(largest.cluster_size)
    return FatTypeImpossible(
        f"{where}.fat",
        f"{format_size(length)} has {found:,} clusters of {per_cluster}",
        must,
        change if options.cluster_size is None else f"{change}, or change cluster_size",
    )
