"""The numbers of a FAT volume, and where they put things.

Pure arithmetic in sectors: given a type, a size and a cluster size, `lay_out` finds the rest.  It
does not ask whether the type is right; that is decided in `fat_type`.
"""

from dataclasses import replace

from doit_diskimg.frozen import dataclass
from doit_diskimg.ondisk import fat_dirent
from doit_diskimg.units import KIB, SECTOR, align_up, ceil_div

_DATA_ALIGNMENT = 4 * KIB
# Where the data area begins: host file systems share (reflink) whole blocks of this size.


FAT32_RESERVED = 32
"""Reserved sectors of FAT32 unless asked otherwise, as Windows and mkfs.fat have it."""


@dataclass(frozen=True, kw_only=True)
class Options:
    """What the user asked for; None is "choose"."""

    fat: int | None = None
    prefer: int | None = None
    """The type to take where the length allows it."""
    cluster_size: int | None = None
    """In bytes."""
    root_entries: int | None = None
    reserved_sectors: int | None = None
    """Exactly so many."""
    reserved_least: int = 0
    """At least so many: what lies in them takes them."""
    number_of_fats: int = 2
    media: int | None = None


@dataclass(frozen=True, kw_only=True)
class FatGeometry:
    """The numbers of one volume; `fat` is 12, 16 or 32."""

    options: Options = Options()
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
    floppy: bool = False
    """Whether these are the numbers of a diskette."""

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

    def cluster_start(self, cluster: int) -> int:
        """Return where ``cluster`` begins, in bytes from the start of the volume."""
        return self.data_start + (cluster - 2) * self.cluster_size


# Sectors of a diskette: cluster in sectors, root entries, media, sectors per track.  All have two
# heads.  The numbers are those of DOS's own diskettes and of mformat's; mkfs.fat gives the largest
# fewer entries.
_FLOPPIES = {
    720: (2, 112, 0xFD, 9),
    1440: (2, 112, 0xF9, 9),
    2400: (1, 224, 0xF9, 15),
    2880: (1, 224, 0xF0, 18),
    5760: (2, 240, 0xF0, 36),
}


def floppy_cluster(sectors: int, sector_size: int) -> int | None:
    """Return the sectors in a cluster of a diskette of ``sectors``, or None if there is none."""
    if sector_size != SECTOR or sectors not in _FLOPPIES:
        return None
    return _FLOPPIES[sectors][0]


def lay_out(
    fat: int,
    sectors_per_cluster: int,
    sectors: int,
    sector_size: int,
    options: Options = Options(),  # noqa: B008  # frozen
) -> FatGeometry:
    """Return the volume with these numbers; its count of clusters may belong to another type.

    Of ``options`` only those count that are not among the other arguments.
    """
    return _with_tables(_blank(fat, sectors_per_cluster, sectors, sector_size, options))


def least_length(geometry: FatGeometry, clusters: int) -> int:
    """Return the bytes of the smallest volume with ``clusters`` of the same type and cluster size.

    Diskettes are left out: they have the sizes that they have.
    """
    bits, sector = geometry.fat, geometry.sector_size
    table = ceil_div((clusters + 2) * bits, sector * 8)
    blank = _blank(bits, geometry.sectors_per_cluster, 0, sector, geometry.options)
    root = ceil_div(blank.root_entries * fat_dirent.SIZE, sector)
    start = blank.reserved_sectors + blank.number_of_fats * table + root
    return (align_up(start, _step(blank)) + clusters * blank.sectors_per_cluster) * sector


def _blank(
    fat: int, sectors_per_cluster: int, sectors: int, sector_size: int, options: Options
) -> FatGeometry:
    """Return the numbers that do not depend on the length of the tables."""
    reserved = max(FAT32_RESERVED if fat == 32 else 1, options.reserved_least)
    blank = FatGeometry(
        options=options,
        fat=fat,
        sector_size=sector_size,
        sectors_per_cluster=sectors_per_cluster,
        reserved_sectors=options.reserved_sectors or reserved,
        number_of_fats=options.number_of_fats,
        root_entries=0 if fat == 32 else 512,
        total_sectors=sectors,
    )
    if fat != 32 and sector_size == SECTOR and sectors in _FLOPPIES:
        _, root_entries, media, sectors_per_track = _FLOPPIES[sectors]
        blank = replace(
            blank,
            root_entries=root_entries,
            media=media,
            sectors_per_track=sectors_per_track,
            heads=2,
            floppy=True,
        )
    if options.root_entries is not None and fat != 32:
        blank = replace(blank, root_entries=options.root_entries)
    return blank if options.media is None else replace(blank, media=options.media)


def _step(geometry: FatGeometry) -> int:
    """Return the sectors of which the data area's start is a multiple."""
    if geometry.floppy or geometry.options.reserved_sectors is not None:
        return 1  # diskette controllers, boot sectors and users rely on the true numbers
    return max(1, _DATA_ALIGNMENT // geometry.sector_size)


def _with_tables(blank: FatGeometry) -> FatGeometry:
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


def _sectors_per_fat(geometry: FatGeometry) -> int:
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
