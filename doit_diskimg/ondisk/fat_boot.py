"""The first sectors of a FAT volume: boot sector with its BPB, and FAT32's FSInfo.

Microsoft, "FAT32 File System Specification" (FAT: General Overview of On-Disk Format), version
1.03, sections "Boot Sector and BPB" and "FAT32 FSInfo Sector Structure and Backup Boot Sector".
Both structures are 512 bytes, also where a sector is longer: the rest of the sector is zero.
"""

import struct
from typing import NamedTuple

from doit_diskimg.frozen import dataclass

SIZE = 512
"""Bytes in each of the two structures."""

SIGNATURE = b"\x55\xaa"
"""Bytes 510 and 511 of a boot sector, whatever the sector size."""

_COMMON = struct.Struct("<3s8sHBHBHHBHHHII")
_FAT32 = struct.Struct("<IHHIHH12x")
_EXTENDED = struct.Struct("<BxBI11s8s")
_EXTENDED_MARK = 0x29  # BS_BootSig: the three fields after it are there

assert _COMMON.size == 36
assert _COMMON.size + _EXTENDED.size == 62
assert _COMMON.size + _FAT32.size + _EXTENDED.size == 90


class BpbField(NamedTuple):
    """A field of the BPB: the standard's name for it, and the bytes that it has."""

    name: str
    start: int
    size: int
    is_text: bool = False

    @property
    def end(self) -> int:
        """The first byte after it."""
        return self.start + self.size


_FIELDS = (
    BpbField("BPB_BytsPerSec", 11, 2),
    BpbField("BPB_SecPerClus", 13, 1),
    BpbField("BPB_RsvdSecCnt", 14, 2),
    BpbField("BPB_NumFATs", 16, 1),
    BpbField("BPB_RootEntCnt", 17, 2),
    BpbField("BPB_TotSec16", 19, 2),
    BpbField("BPB_Media", 21, 1),
    BpbField("BPB_FATSz16", 22, 2),
    BpbField("BPB_SecPerTrk", 24, 2),
    BpbField("BPB_NumHeads", 26, 2),
    BpbField("BPB_HiddSec", 28, 4),
    BpbField("BPB_TotSec32", 32, 4),
)
_FIELDS_OF_FAT32 = (
    BpbField("BPB_FATSz32", 36, 4),
    BpbField("BPB_ExtFlags", 40, 2),
    BpbField("BPB_FSVer", 42, 2),
    BpbField("BPB_RootClus", 44, 4),
    BpbField("BPB_FSInfo", 48, 2),
    BpbField("BPB_BkBootSec", 50, 2),
    BpbField("BPB_Reserved", 52, 12),
)
_LAST_FIELDS = (
    BpbField("BS_DrvNum", 0, 1),
    BpbField("BS_Reserved1", 1, 1),
    BpbField("BS_BootSig", 2, 1),
    BpbField("BS_VolID", 3, 4),
    BpbField("BS_VolLab", 7, 11, is_text=True),
    BpbField("BS_FilSysType", 18, 8, is_text=True),
)


def fields(fat: int) -> tuple[BpbField, ...]:
    """Return the fields between the OEM name and the code, for FAT12, FAT16 or FAT32."""
    own = _FIELDS_OF_FAT32 if fat == 32 else ()
    start = (*_FIELDS, *own)[-1].end
    return (*_FIELDS, *own, *(last._replace(start=start + last.start) for last in _LAST_FIELDS))


def code_start(fat: int) -> int:
    """Return the first byte of the code."""
    return fields(fat)[-1].end


@dataclass(frozen=True, kw_only=True)
class BootSector:
    """A boot sector, of FAT12 and FAT16 or, if ``sectors_per_fat_16`` is 0, of FAT32."""

    jump: bytes  # BS_jmpBoot
    oem_name: bytes  # BS_OEMName
    bytes_per_sector: int  # BPB_BytsPerSec
    sectors_per_cluster: int  # BPB_SecPerClus
    reserved_sectors: int  # BPB_RsvdSecCnt
    number_of_fats: int  # BPB_NumFATs
    root_entries: int  # BPB_RootEntCnt
    total_sectors_16: int  # BPB_TotSec16
    media: int  # BPB_Media
    sectors_per_fat_16: int  # BPB_FATSz16
    sectors_per_track: int  # BPB_SecPerTrk
    heads: int  # BPB_NumHeads
    hidden_sectors: int  # BPB_HiddSec
    total_sectors_32: int  # BPB_TotSec32

    sectors_per_fat_32: int = 0  # BPB_FATSz32, and the next five: FAT32 only
    ext_flags: int = 0  # BPB_ExtFlags
    version: int = 0  # BPB_FSVer
    root_cluster: int = 0  # BPB_RootClus
    fs_info_sector: int = 0  # BPB_FSInfo
    backup_boot_sector: int = 0  # BPB_BkBootSec

    drive_number: int  # BS_DrvNum
    volume_id: int  # BS_VolID
    volume_label: bytes  # BS_VolLab
    file_system_type: bytes  # BS_FilSysType
    boot_code: bytes = b""

    @property
    def is_fat32(self) -> bool:
        """Whether the sector has the fields of FAT32."""
        return self.sectors_per_fat_16 == 0

    @property
    def total_sectors(self) -> int:
        """Sectors in the volume, from whichever of the two fields counts them."""
        return self.total_sectors_16 or self.total_sectors_32

    @property
    def sectors_per_fat(self) -> int:
        """Sectors in one table, from whichever of the two fields counts them."""
        return self.sectors_per_fat_16 or self.sectors_per_fat_32

    def pack(self) -> bytes:
        """Return the 512 bytes.

        Raises ValueError if a text does not fill its field or the boot code is too long, and
        struct.error if a number does not fit its field.
        """
        parts = [self._pack_common()]
        if self.is_fat32:
            parts.append(self._pack_fat32())
        parts.append(self._pack_extended())
        head = b"".join(parts)
        room = SIZE - len(head) - len(SIGNATURE)
        if len(self.boot_code) > room:
            raise ValueError(f"boot code has {len(self.boot_code)} bytes, at most {room} fit")
        return head + self.boot_code.ljust(room, b"\0") + SIGNATURE

    def _pack_common(self) -> bytes:
        return _COMMON.pack(
            _exactly(3, self.jump),
            _exactly(8, self.oem_name),
            self.bytes_per_sector,
            self.sectors_per_cluster,
            self.reserved_sectors,
            self.number_of_fats,
            self.root_entries,
            self.total_sectors_16,
            self.media,
            self.sectors_per_fat_16,
            self.sectors_per_track,
            self.heads,
            self.hidden_sectors,
            self.total_sectors_32,
        )

    def _pack_fat32(self) -> bytes:
        return _FAT32.pack(
            self.sectors_per_fat_32,
            self.ext_flags,
            self.version,
            self.root_cluster,
            self.fs_info_sector,
            self.backup_boot_sector,
        )

    def _pack_extended(self) -> bytes:
        return _EXTENDED.pack(
            self.drive_number,
            _EXTENDED_MARK,
            self.volume_id,
            _exactly(11, self.volume_label),
            _exactly(8, self.file_system_type),
        )

    @classmethod
    def unpack(cls, data: bytes, *, old: bool = False) -> "BootSector":
        """Return what the first 512 of ``data`` say.

        ``old`` takes a BPB of DOS 2 or 3 too, which ends before the drive number: what lies there
        is code.  Raises ValueError if there are fewer bytes, or one of the two signatures is
        missing.
        """
        if len(data) < SIZE or data[SIZE - 2 : SIZE] != SIGNATURE:
            raise ValueError("not a boot sector: 55 AA is missing at byte 510")
        common = _COMMON.unpack_from(data)
        position = _COMMON.size
        fat32: tuple[int, ...] = (0, 0, 0, 0, 0, 0)
        if common[9] == 0:
            fat32 = _FAT32.unpack_from(data, position)
            position += _FAT32.size
        drive_number, mark, volume_id, label, kind = _EXTENDED.unpack_from(data, position)
        if mark != _EXTENDED_MARK and not old:
            raise ValueError(f"not a boot sector of FAT: 0x29 is missing, {mark:#04x} is there")
        names = [field for field in cls.__dataclass_fields__ if field != "boot_code"]
        values = (*common, *fat32, drive_number, volume_id, label, kind)
        code = data[position + _EXTENDED.size : SIZE - 2].rstrip(b"\0")
        return cls(**dict(zip(names, values, strict=True)), boot_code=code)


_FS_INFO = struct.Struct("<I480xIII12xI")
_LEAD, _STRUCT, _TRAIL = 0x41615252, 0x61417272, 0xAA550000
assert _FS_INFO.size == SIZE

UNKNOWN = 0xFFFFFFFF
"""What FSInfo holds for a number that is not known."""


@dataclass(frozen=True, kw_only=True)
class FsInfo:
    """FAT32's note of what is free, a hint that drivers may use."""

    free_count: int  # FSI_Free_Count
    next_free: int  # FSI_Nxt_Free

    def pack(self) -> bytes:
        """Return the 512 bytes."""
        return _FS_INFO.pack(_LEAD, _STRUCT, self.free_count, self.next_free, _TRAIL)


def _exactly(length: int, text: bytes) -> bytes:
    """Return ``text``, which struct would otherwise cut or fill without a word."""
    if len(text) != length:
        raise ValueError(f"{text!r} has {len(text)} bytes, its field has {length}")
    return text
