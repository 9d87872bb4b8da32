"""FAT32: what there is besides: the backup boot sector and FSInfo.

Microsoft, "FAT32 File System Specification" 1.03, section "FAT32 FSInfo Sector Structure and
Backup Boot Sector".
"""

import struct

from doit_diskimg.verify.boot_sector import Geometry
from doit_diskimg.verify.finding import Findings
from doit_diskimg.verify.source import Window

_FS_INFO = struct.Struct("<I480xIII12xI")
_LEAD, _STRUCT, _TRAIL = 0x41615252, 0x61417272, 0xAA550000
_UNKNOWN = 0xFFFFFFFF
_NONE = (0, 0xFFFF)
_DIRTY = 65  # BS_Reserved1: drivers mark a mounted volume in the first boot sector only


def check_backup(geometry: Geometry, window: Window, found: Findings) -> None:
    """Report a backup boot sector that is no copy of the boot sector."""
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


def check_fs_info(geometry: Geometry, window: Window, used: int, found: Findings) -> None:
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
