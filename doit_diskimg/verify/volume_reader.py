"""FAT: one volume, from the boot sector to the last lost cluster.

Each cluster belongs to the chain that came first, so that a loop or a cross-link ends what it is
found in.  `source.Budget` bounds all of it, for all volumes of an image together.

Microsoft, "FAT32 File System Specification" 1.03, section "FAT32 FSInfo Sector Structure and
Backup Boot Sector", for what there is besides on FAT32.
"""

import struct
from collections.abc import Iterator
from dataclasses import dataclass, field

from doit_diskimg import frozen
from doit_diskimg.verify import boot_sector
from doit_diskimg.verify.allocation import ClusterTable, check_copies
from doit_diskimg.verify.boot_sector import VolumeGeometry
from doit_diskimg.verify.finding import Findings
from doit_diskimg.verify.source import VOLUMES, Budget, SpentError, Window
from doit_diskimg.verify.tree_reader import StoredFile, VolumeTree

_FS_INFO = struct.Struct("<I480xIII12xI")
_LEAD, _STRUCT, _TRAIL = 0x41615252, 0x61417272, 0xAA550000
_UNKNOWN = 0xFFFFFFFF
_NONE = (0, 0xFFFF)
_DIRTY = 65  # BS_Reserved1: drivers mark a mounted volume in the first boot sector only


@dataclass
class ReadVolume:
    """A FAT volume as far as it could be read."""

    window: Window
    geometry: VolumeGeometry
    files: list[StoredFile] = field(default_factory=list)
    metadata: list[tuple[int, int]] = field(default_factory=list)
    """(place, length) of everything but the contents of files, in bytes of the volume."""
    plain_names: bool = True
    """Whether every short name and label is ASCII: no code page is needed to read it."""

    def contents(self, file: StoredFile, chunk: int) -> Iterator[bytes]:
        """Yield the bytes of a file, up to ``chunk`` at once."""
        left, size = file.size, self.geometry.cluster_size
        for first, count in file.runs:
            place, length = self.geometry.place(first), min(left, count * size)
            left -= length
            while length > 0:
                data = self.window.read(place, min(chunk, length))
                if not data:
                    return
                yield data
                place, length = place + len(data), length - len(data)


@frozen.dataclass(frozen=True)
class CheckedVolume:
    """One FAT volume that was looked at."""

    title: str
    """``partition 1 'esp'``, or empty for a bare volume."""
    number: int
    """Of the partition; 0 for a bare volume."""
    start: int
    found: Findings
    volume: ReadVolume | None
    looked: bool
    """Whether it was taken for FAT; False for a partition of something else."""


def check(
    window: Window, room: int, hidden: set[int], found: Findings, budget: Budget
) -> ReadVolume | None:
    """Report what is wrong with the FAT volume in ``window``; return what could be read of it.

    ``room`` is how long the volume may be, ``hidden`` what may lie before it; both in bytes.
    """
    boot = boot_sector.decode(window.read(0, 512))
    geometry = boot_sector.check(boot, room, window, found)
    if boot.sector_size:
        boot_sector.check_hidden(boot, hidden, found)
    if geometry is None:
        return None
    table = ClusterTable(geometry, window, budget)
    tree = VolumeTree(window, geometry, table, found, budget)
    try:
        _read(geometry, window, table, tree, found, budget)
    except SpentError as spent:
        found.add("limit", str(spent))
    metadata = [(0, geometry.data_start), *tree.places]
    return ReadVolume(window, geometry, tree.files, metadata, tree.plain_names)


def _read(
    geometry: VolumeGeometry, window: Window, table: ClusterTable, tree: VolumeTree,
    found: Findings, budget: Budget,
) -> None:
    """Read everything behind the boot sector.  Raises SpentError."""
    budget.spend(VOLUMES)
    table.check_place(found)
    check_copies(geometry, window, found, budget)
    _check_reserved(geometry, table, found)
    tree.read()
    used, lost, first = table.used()
    if lost:
        text = f"{lost:,} clusters are in use and no file has them: {', '.join(first)}"
        at = table.entry_place(int(first[0].partition("..")[0]))
        found.add("fat-lost", text, at=at, length=4)
    if geometry.fat == 32:
        _check_backup(geometry, window, found)
        _check_fs_info(geometry, window, used, found)


def _check_reserved(geometry: VolumeGeometry, table: ClusterTable, found: Findings) -> None:
    """Look at FAT[0], which repeats the media byte, and FAT[1], which has the dirty flags."""
    mask, at = table.marks.mask, table.entry_place(0)
    media, second = table[0], table[1]
    if media & 0xFF != geometry.boot.media:
        text = f"FAT[0] has {media & 0xFF:#04x}, the boot sector {geometry.boot.media:#04x}"
        found.add("fat-media", text, at=at)
    flags = 0 if geometry.fat == 12 else 3 << min(geometry.fat, 28) - 2
    if media | 0xFF != mask:
        text = f"FAT[0] is {media:#x}, {mask & ~0xFF | geometry.boot.media:#x} must be"
        found.add("fat-first-entry", text, at=at, length=geometry.fat // 8)
    if second | flags | 7 != mask:
        text = f"FAT[1] is {second:#x}, {mask:#x} must be"
        found.add("fat-second-entry", text, at=table.entry_place(1), length=geometry.fat // 8)
    if flags & ~second:
        text = "a flag in FAT[1] is cleared"
        found.add("fat-dirty", text, at=table.entry_place(1), length=geometry.fat // 8)


def _check_backup(geometry: VolumeGeometry, window: Window, found: Findings) -> None:
    """Report a backup boot sector that differs from the boot sector."""
    boot = geometry.boot
    if boot.backup in _NONE:
        return
    at = boot.backup * boot.sector_size
    if boot.backup >= boot.reserved:
        text = f"it is in sector {boot.backup}, reserved are {boot.reserved}"
        found.add("fat-backup-place", text, at=50, length=2)
        return
    first, second = window.read(0, 512), window.read(at, 512)
    differing = [
        i for i, (a, b) in enumerate(zip(first, second.ljust(512, b"\0"), strict=False))
        if a != b and i != _DIRTY
    ]  # fmt: skip
    if differing:
        text = f"{len(differing)} bytes differ, the first at byte {differing[0]} of the sector"
        found.add("fat-backup-boot", text, at=at + differing[0])


def _check_fs_info(geometry: VolumeGeometry, window: Window, used: int, found: Findings) -> None:
    """Report what is wrong with FSInfo; ``used`` is how many clusters are not free."""
    boot = geometry.boot
    if boot.fs_info in _NONE:
        return
    at = boot.fs_info * boot.sector_size
    if boot.fs_info >= boot.reserved:
        text = f"it is in sector {boot.fs_info}, reserved are {boot.reserved}"
        found.add("fat-fsinfo", text, at=48, length=2)
        return
    sector = window.read(at, 512).ljust(512, b"\0")
    lead, struct_mark, free, next_, trail = _FS_INFO.unpack(sector)
    if (lead, struct_mark, trail) != (_LEAD, _STRUCT, _TRAIL):
        found.add("fat-fsinfo", "a signature is missing", at=at, length=512)
        return
    if free != _UNKNOWN and free != geometry.clusters - used:
        text = f"{free:,} free clusters, there are {geometry.clusters - used:,}"
        found.add("fat-fsinfo-free", text, at=at + 488, length=4)
    if next_ != _UNKNOWN and not 2 <= next_ <= geometry.last:
        text = f"cluster {next_}, the volume has 2 to {geometry.last}"
        found.add("fat-fsinfo-next", text, at=at + 492, length=4)
