"""FAT or not: what the first sector of a disk or of a partition means to be.

One rule for everybody who asks.  A sector is FAT's if it has `MARKS` of the nine marks of a boot
sector: of 118,499 ordinary files none had more than five, one in eight had four.  Where the type
of a partition says FAT and nothing else, a sector that ends with 55 AA is held to it from
`DAMAGED` marks on: a boot sector that somebody wrote over in part.
"""

from doit_diskimg.verify.boot_sector import (
    CLUSTER_SECTORS,
    MEDIA,
    MOST_COPIES,
    SECTOR_SIZES,
    decode,
)

MARKS = 6
DAMAGED = 4
_FOREIGN = (b"NTFS    ", b"EXFAT   ")
"""OEM names of file systems that have the form of FAT's boot sector, and are others."""


def marks(sector: bytes) -> int:
    """Return how many of the nine marks of FAT's boot sector ``sector`` (512 bytes) has."""
    boot = decode(sector)
    return sum([
        boot.sector_size in SECTOR_SIZES,
        boot.cluster_sectors in CLUSTER_SECTORS,
        boot.reserved > 0,
        0 < boot.copies <= MOST_COPIES,
        boot.media in MEDIA,
        boot.sectors > 0,
        boot.table_16 > 0 or 0 < boot.table_32 < 1 << 24,
        boot.jump[:1] in (b"\xeb", b"\xe9"),
        sector[54:57] == b"FAT" or sector[82:85] == b"FAT",
    ])  # fmt: skip


def means_fat(sector: bytes, *, expected: bool = False) -> bool:
    """Return whether a sector of 512 bytes means to be the boot sector of a FAT volume.

    ``expected`` is whether the type of its partition says that it is, and allows nothing else.
    """
    if sector[3:11] in _FOREIGN:
        return False
    damaged = expected and sector[510:512] == b"\x55\xaa"
    return marks(sector) >= (DAMAGED if damaged else MARKS)
