"""FAT: the boot sector, decoded for reading, and the geometry that follows from it.

Microsoft, "FAT32 File System Specification" 1.03, sections "Boot Sector and BPB" and "FAT Type
Determination"; the same in ECMA-107 for FAT12 and FAT16.
"""

import struct

from doit_diskimg.frozen import dataclass
from doit_diskimg.verify.finding import Findings
from doit_diskimg.verify.source import Window

SECTOR_SIZES = (512, 1024, 2048, 4096)
CLUSTER_SECTORS = (1, 2, 4, 8, 16, 32, 64, 128)
MEDIA = frozenset({0xF0, *range(0xF8, 0x100)})
MOST_COPIES = 4
_FAT12_BELOW, FAT16_BELOW = 4085, 65525

MARKS = 6
DAMAGED = 4
_FOREIGN = (b"NTFS    ", b"EXFAT   ")
"""OEM names of file systems that have the form of FAT's boot sector, and are others."""

_COMMON = struct.Struct("<3s8sHBHBHHBHHHII")
_FAT32 = struct.Struct("<IHHIHH")


@dataclass(frozen=True, kw_only=True)
class BootFields:
    """The fields as they are, whether they make sense or not."""

    jump: bytes
    sector_size: int
    cluster_sectors: int
    reserved: int
    copies: int
    root_entries: int
    sectors_16: int
    media: int
    table_16: int
    track: int
    heads: int
    hidden: int
    sectors_32: int
    table_32: int
    flags: int
    version: int
    root_cluster: int
    fs_info: int
    backup: int
    dirty: int
    volume_id: int
    extended: bool
    """Whether there are fields behind byte 24: always on FAT32, else with 0x28 or 0x29 at byte 38.

    DOS 2 and 3 have code there; a count of sectors of 32 bits only if that of 16 bits is 0.
    """
    label: bytes | None
    """11 bytes; None where there is none, as without 0x29."""
    type_text: bytes
    signed: bool

    @property
    def wide(self) -> bool:
        """Whether the sector has the fields of FAT32."""
        return self.table_16 == 0

    @property
    def sectors(self) -> int:
        """Sectors of the volume."""
        return self.sectors_16 or self.sectors_32


@dataclass(frozen=True, kw_only=True)
class VolumeGeometry:
    """A volume that can be read: everything in bytes from its beginning."""

    boot: BootFields
    fat: int
    """12, 16 or 32: as the layout is, which decides how entries are read."""
    table_start: int
    table_length: int
    root_start: int
    root_length: int
    """The root directory of FAT12 and FAT16; on FAT32 its length is 0."""
    data_start: int
    cluster_size: int
    clusters: int

    @property
    def last(self) -> int:
        """The greatest cluster number."""
        return self.clusters + 1

    def place(self, cluster: int) -> int:
        """Return where a cluster begins."""
        return self.data_start + (cluster - 2) * self.cluster_size

    @property
    def active(self) -> int:
        """Which copy of the FAT counts."""
        named = self.boot.flags & 0xF if self.boot.flags & 0x80 and self.fat == 32 else 0
        return min(named, self.boot.copies - 1)


def decode(sector: bytes) -> BootFields:
    """Return what 512 bytes say; anything can be decoded."""
    sector = sector.ljust(512, b"\0")
    jump, _, *numbers = _COMMON.unpack_from(sector)
    wide = numbers[7] == 0
    fat32 = _FAT32.unpack_from(sector, 36) if wide else (0, 0, 0, 0, 0, 0)
    tail = sector[64:] if wide else sector[36:]
    extended = wide or tail[2] in (0x28, 0x29)
    return BootFields(
        jump=jump, **dict(zip(_NUMBERS, (*numbers, *fat32), strict=True)),
        dirty=tail[1] if extended else 0, extended=extended,
        volume_id=int.from_bytes(tail[3:7], "little"),
        label=tail[7:18] if tail[2] == 0x29 else None,
        type_text=tail[18:26] if tail[2] == 0x29 else b"", signed=sector[510:512] == b"\x55\xaa",
    )  # fmt: skip


_NUMBERS = (
    "sector_size", "cluster_sectors", "reserved", "copies", "root_entries", "sectors_16", "media",
    "table_16", "track", "heads", "hidden", "sectors_32",
    "table_32", "flags", "version", "root_cluster", "fs_info", "backup",
)  # fmt: skip


def check(boot: BootFields, room: int, window: Window, found: Findings) -> VolumeGeometry | None:
    """Report what is wrong with the fields; return the geometry if the volume can be read.

    ``room`` is the bytes that the volume may take, which may be more than the image has left.
    """
    _check_marks(boot, found)
    if not _check_units(boot, found):
        return None
    size = boot.sector_size
    table = (boot.table_16 or boot.table_32) * size
    root = 0 if boot.wide else -(-boot.root_entries * 32 // size) * size
    table_start = boot.reserved * size
    data_start = table_start + boot.copies * table + root
    cluster_size = boot.cluster_sectors * size
    clusters = (boot.sectors * size - data_start) // cluster_size
    if clusters < 1:
        text = f"{boot.sectors} sectors, the data begins in sector {data_start // size}"
        found.add("fat-no-clusters", text, at=19, length=17)
        return None
    if boot.sectors * size > room:
        text = f"it has {boot.sectors * size:,} bytes, there is room for {room:,}"
        at, length = (19, 2) if boot.sectors_16 else (32, 4)
        found.add("fat-beyond", text, at=at, length=length)
    fat = _check_type(boot, clusters, found)
    if table * 8 // fat < clusters + 2:
        text = f"{table} bytes have {table * 8 // fat:,} entries, {clusters + 2:,} are needed"
        at, length = (36, 4) if boot.wide else (22, 2)
        found.add("fat-table-small", text, at=at, length=length)
        clusters = table * 8 // fat - 2
    if clusters < 1 or table_start >= window.length:
        return None
    return VolumeGeometry(
        boot=boot, fat=fat, table_start=table_start, table_length=table,
        root_start=table_start + boot.copies * table, root_length=root, data_start=data_start,
        cluster_size=cluster_size, clusters=clusters,
    )  # fmt: skip


def _check_marks(boot: BootFields, found: Findings) -> None:
    """Report faults with which the volume can still be read."""
    if not boot.signed:
        found.add("fat-signature", "55 aa is missing", at=510, length=2)
    if not (boot.jump[0] == 0xE9 or (boot.jump[0] == 0xEB and boot.jump[2] == 0x90)):
        text = f"it begins with {boot.jump.hex(' ')}, eb xx 90 or e9 xx xx must be"
        found.add("fat-jump", text, at=0, length=3)
    if boot.media not in MEDIA:
        text = f"the media byte is {boot.media:#04x}, 0xf0 or 0xf8..0xff must be"
        found.add("fat-media", text, at=21)
    if boot.extended and (boot.track == 0 or boot.heads == 0):
        text = f"{boot.track} sectors per track, {boot.heads} heads, neither may be 0"
        found.add("fat-geometry", text, at=24, length=4)
    if boot.extended and boot.sectors_32 not in (0, boot.sectors) and boot.sectors_16:
        text = f"one field has {boot.sectors_16}, the other {boot.sectors_32}"
        found.add("fat-sectors", text, at=32, length=4)
    if boot.wide and boot.root_entries:
        text = f"{boot.root_entries} entries of the root directory, FAT32 must have 0 there"
        found.add("fat-root", text, at=17, length=2)
    if boot.wide and boot.sectors_16:
        text = f"{boot.sectors_16} sectors in the field of 16 bits, FAT32 must have 0 there"
        found.add("fat-sectors", text, at=19, length=2)
    if boot.wide and boot.version:
        text = f"version {boot.version >> 8}.{boot.version & 255}, 0.0 must be"
        found.add("fat-version", text, at=42, length=2)
    if boot.dirty & 3:
        found.add("fat-dirty", "a flag in the boot sector is set", at=65 if boot.wide else 37)


def _check_units(boot: BootFields, found: Findings) -> bool:
    """Report faults that make the volume unreadable; return whether there are none."""
    before = found.errors
    if boot.sector_size not in SECTOR_SIZES:
        text = f"{boot.sector_size} bytes per sector, 512, 1024, 2048 or 4096 must be"
        found.add("fat-sector-size", text, at=11, length=2)
    if boot.cluster_sectors not in CLUSTER_SECTORS:
        text = f"{boot.cluster_sectors} sectors per cluster, a power of two must be"
        found.add("fat-cluster-size", text, at=13)
    elif boot.cluster_sectors * boot.sector_size > 32768:
        size = boot.cluster_sectors * boot.sector_size
        found.add("fat-cluster-large", f"{size:,} bytes per cluster, 32,768 are safe", at=13)
    if boot.reserved == 0:
        found.add("fat-reserved", "0 reserved sectors, 1 or more must be", at=14, length=2)
    if not 1 <= boot.copies <= MOST_COPIES:
        text = f"{boot.copies} copies of the FAT, 1 or 2 must be"
        found.add("fat-copies", text, at=16)
    elif boot.copies > 2:
        found.add("fat-copies", f"{boot.copies} copies of the FAT, 1 or 2 must be", at=16)
        before += 1  # odd, but it can be read
    if not boot.wide and boot.root_entries == 0:
        text = "0 entries of the root directory, FAT12 and FAT16 must have some"
        found.add("fat-root", text, at=17, length=2)
    elif not boot.wide and found.errors == before and boot.root_entries * 32 % boot.sector_size:
        text = f"{boot.root_entries} entries do not fill whole sectors"
        found.add("fat-root", text, at=17, length=2)
        before += 1
    if boot.sectors == 0:
        found.add("fat-sectors", "0 sectors in both fields", at=19, length=2)
    if boot.wide and not boot.table_32:
        found.add("fat-table-small", "a FAT of 0 sectors, 1 or more must be", at=22, length=2)
    return found.errors == before


def _check_type(boot: BootFields, clusters: int, found: Findings) -> int:
    """Return the type that the layout has; report that the number of clusters says another."""
    counted = 12 if clusters < _FAT12_BELOW else 16 if clusters < FAT16_BELOW else 32
    fat = 32 if boot.wide else min(counted, 16)
    if fat != counted:
        text = f"the layout is FAT{fat}'s, {clusters:,} clusters are FAT{counted}'s"
        found.add("fat-type", text, at=13)
    named = boot.type_text.rstrip(b" \0")
    if named.startswith(b"FAT") and named not in (b"FAT", b"FAT%d" % fat):
        text = f"{named.decode('latin-1')!r} is there, the volume is FAT{fat}"
        found.add("fat-type-text", text, at=82 if boot.wide else 54, length=8)
    return fat


def check_hidden(boot: BootFields, allowed: set[int], found: Findings) -> None:
    """Report hidden sectors that are not in ``allowed``, in bytes before the volume."""
    if boot.extended and boot.hidden * boot.sector_size not in allowed:
        sectors = " or ".join(str(start // boot.sector_size) for start in sorted(allowed))
        text = f"{boot.hidden} hidden sectors, {sectors} must be"
        found.add("fat-hidden", text, at=28, length=4)


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
