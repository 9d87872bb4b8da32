"""What lies before the tables of a volume: the user's own boot sector, and a stage 2 behind it.

FAT leaves the reserved sectors to code that boots from the volume (BPB_RsvdSecCnt), and no file
ever moves them.  FAT32 has sectors of its own among them: FSInfo, and the copies of it and of the
boot sector.

Of a boot sector the jump, the OEM name and the code area are theirs.  The numbers between them (the
BPB) describe the volume and are ours; a boot sector that was assembled with other numbers would
load from wrong places, so each that differs is a problem.  Zero is no statement: such fields are
there to be filled in.  Nor are numbers that the user calls made up: an installer would skip them.
"""

from collections.abc import Iterator, Mapping, Sequence
from itertools import pairwise
from os import PathLike, fsdecode
from typing import NamedTuple

from doit_diskimg.disk.fields import path_text_problems, shown
from doit_diskimg.disk.segment import CodeSource, Stretch
from doit_diskimg.disk.sockets import Place
from doit_diskimg.disk.symbols import Numbers
from doit_diskimg.errors import (
    BadValue,
    BootSectorMismatch,
    ContentTooLarge,
    DescriptionError,
    Overlap,
    Problem,
    WorldError,
    refuse,
)
from doit_diskimg.extent import Extent
from doit_diskimg.kinds.filesystems.fat.geometry import FatGeometry
from doit_diskimg.kinds.filesystems.fat.volume import Fat
from doit_diskimg.ondisk import fat_boot
from doit_diskimg.ondisk.fat_boot import SIGNATURE, SIZE, BpbField
from doit_diskimg.plan.content import Files
from doit_diskimg.units import ceil_div

FS_INFO_SECTOR = 1
BACKUP_BOOT_SECTOR = 6
"""The standard: "no value other than 6 is recommended"."""

MOST = 0xFFFF - 12
"""Reserved sectors at most: BPB_RsvdSecCnt, less what aligns the data area."""

_TAKEN = {
    0: "the boot sector",
    FS_INFO_SECTOR: "FSInfo",
    BACKUP_BOOT_SECTOR: "the copy of the boot sector",
    BACKUP_BOOT_SECTOR + FS_INFO_SECTOR: "the copy of FSInfo",
}


class ReservedPart(NamedTuple):
    """A file or bytes, from the beginning of a sector of the volume on."""

    sector: int
    length: int
    """Bytes; 1 where it is not known yet."""
    source: str | bytes | CodeSource
    where: str

    def end(self, sector_size: int) -> int:
        """Return the first sector after it."""
        return self.sector + ceil_div(self.length, sector_size)


class Area(NamedTuple):
    """The parts in the order of the disk, and what is wrong with them."""

    parts: list[ReservedPart]
    wrong: list[Problem]
    failed: list[Problem]


def gather(fat: Fat, files: Files | None, where: str) -> Area:
    """Return what the description puts into the reserved sectors."""
    area = Area([], [], [])
    if not isinstance(fat.reserved, Mapping):
        must, change = "reserved maps sectors to sources", 'write {1: "build/stage2.bin"}'
        area.wrong.append(
            BadValue(f"{where}.reserved", f"{fat.reserved!r} is not a mapping", must, change)
        )
        return area
    for sector, source in fat.reserved.items():
        here = f"{where}.reserved[{sector!r}]"
        if isinstance(sector, bool) or not isinstance(sector, int) or not 1 <= sector <= MOST:
            must = f"must be the number of a sector, 1 to {MOST}"
            area.wrong.append(BadValue(here, f"{sector!r} is not a sector", must, "write a number"))
        elif isinstance(source, bytes):
            area.parts.append(ReservedPart(sector, len(source), source, here))
        elif isinstance(source, (str, PathLike, CodeSource)):
            kind = source if isinstance(source, CodeSource) else fsdecode(source)
            area.parts.append(_file(sector, kind, here, files, area.failed))
            area.wrong.extend(
                kind.source_problems(here) if isinstance(kind, CodeSource)
                else path_text_problems(source, here)
            )
        else:
            found = f"{shown(source)} is not a source"
            must = "must be the path of a file, bytes, or BootCode(...)"
            area.wrong.append(BadValue(here, found, must, "change it"))
    area.parts.sort(key=lambda part: part.sector)
    return area


def _file(
    sector: int, source: str | CodeSource, where: str, files: Files | None, failed: list[Problem]
) -> ReservedPart:
    length = 1
    try:
        inline = getattr(source, "source", None)  # of boot code
        if isinstance(inline, bytes):
            length = len(inline)
        elif files is not None and isinstance(source, CodeSource):
            length = source.size(files, where)
        elif files is not None:
            length = files.size(str(source), where)
    except WorldError as error:
        failed += error.problems
    return ReservedPart(sector, length, source, where)


def least(parts: Sequence[ReservedPart], sector_size: int) -> int:
    """Return how many reserved sectors there must be for ``parts``."""
    return max((part.end(sector_size) for part in parts), default=0)


def problems(parts: Sequence[ReservedPart], geometry: FatGeometry, where: str) -> Iterator[Problem]:
    """Yield which parts don't fit where the description puts them."""
    size = geometry.sector_size
    for part in parts:
        end = part.end(size)
        span = f"{part.length:,} bytes, sectors {part.sector} to {end - 1},"
        if geometry.fat == 32 and (taken := [s for s in _TAKEN if part.sector <= s < end]):
            yield Overlap(
                part.where, f"{span} cover {_TAKEN[taken[0]]} in sector {taken[0]}",
                "FAT32 has sectors 0, 1, 6 and 7 for itself",
                "put it at sector 8 or later, or something shorter at 2",
            )
        if end > geometry.reserved_sectors:
            yield ContentTooLarge(
                part.where, f"{span} run past the reserved sectors",
                f"the volume has {geometry.reserved_sectors} of them",
                f"write reserved_sectors={end} or more, or leave it out",
            )
    for left, right in pairwise(parts):
        if left.end(size) > right.sector:
            yield Overlap(
                right.where, f"sector {right.sector} is taken by {left.where}, which ends before "
                f"sector {left.end(size)}", "no byte may belong to two parts",
                f"put it at sector {left.end(size)} or later",
            )


def stretches(
    parts: Sequence[ReservedPart], sector_size: int, place: Place, files: Files, numbers: Numbers
) -> dict[int, list[Stretch]]:
    """Return the bytes of the parts that are boot code, by the sector where each begins."""
    found: dict[int, list[Stretch]] = {}
    wrong, failed = list[Problem](), list[Problem]()
    for part in parts:
        if not isinstance(part.source, CodeSource):
            continue
        room = Extent(place.extent.start + part.sector * sector_size, part.length)
        try:
            found[part.sector] = part.source.stretches(room, [room], files, numbers, part.where)
        except DescriptionError as error:
            wrong += error.problems
        except WorldError as error:
            failed += error.problems
    refuse(wrong, failed)
    return found


# The boot sector ---------------------------------------------------------------------------------


_OEM_NAME = b"MSWIN4.1"
# The standard: "the setting least likely to cause compatibility problems".  Some readers take a
# volume for FAT only if they know this name, and none is known to mind it.

_CODE = bytes.fromhex("cd18 f4 ebfd")
# int 18h tells a BIOS that this volume does not boot, so that it tries the next; then hlt for ever.

REPLACE = "replace"
"""The value of `Fat.bpb` for a boot sector whose own BPB and OEM name say nothing."""

_OPTIONS = {
    "BS_OEMName": "oem_name",
    "BPB_SecPerClus": "cluster_size",
    "BPB_RsvdSecCnt": "reserved_sectors",
    "BPB_NumFATs": "number_of_fats",
    "BPB_RootEntCnt": "root_entries",
    "BPB_TotSec16": "size",
    "BPB_TotSec32": "size",
    "BPB_Media": "media",
    "BPB_HiddSec": "hidden_sectors",
    "BS_DrvNum": "drive_number",
    "BS_VolID": "volume_id",
    "BS_VolLab": "label",
    "BS_FilSysType": "fat",
}
"""The option of `Fat` that decides a field."""


class Code(NamedTuple):
    """What of a boot sector is not the BPB."""

    jump: bytes
    oem_name: bytes
    code: bytes
    """From the end of the BPB to byte 509."""


def read_boot_sector(fat: Fat, files: Files, where: str) -> bytes | None:
    """Return the user's boot sector as it is, None without one.

    Raises WorldError or DescriptionError.
    """
    source, where = fat.boot_sector, f"{where}.boot_sector"
    if source is None:
        return None
    if isinstance(source, (str, PathLike)):
        path = fsdecode(source)
        length = files.size(path, where)
        data = files.read(path, where) if length <= SIZE else bytes(length)
    elif isinstance(source, CodeSource):
        length = source.size(files, where)
        within = Extent(0, length)
        data = source.read(within, files, where) if length <= SIZE else bytes(length)
    else:
        assert isinstance(source, bytes), "another kind was refused"
        data = source
    if len(data) > SIZE:
        raise DescriptionError(ContentTooLarge(
            where, f"it has {len(data):,} bytes", f"a boot sector has at most {SIZE}",
            "put the rest behind it: reserved={1: ...}, at sector 8 or later on FAT32",
        ))
    return data.ljust(SIZE, b"\0")


def code_around_bpb(data: bytes | None, oem_name: str | None, fat: int, bpb: str) -> Code:
    """Return what goes around the BPB of a volume of type ``fat``; ``data`` is the user's.

    With ``bpb="replace"`` the OEM name is ours too: installers write bytes 3 to 61, or 89.
    """
    start = fat_boot.code_start(fat)
    oem = f"{oem_name:8}".encode("ascii") if oem_name is not None else _OEM_NAME
    if data is None:
        return Code(bytes([0xEB, start - 2, 0x90]), oem, _CODE)
    theirs = data[3:11] if bpb != REPLACE else b""
    return Code(data[:3], theirs if any(theirs) else oem, data[start : SIZE - len(SIGNATURE)])


def patched_boot_sector(
    fat: Fat, data: bytes, kind: int, files: Files, numbers: Numbers, where: str
) -> bytes:
    """Return the user's boot sector for a volume of type ``kind``, patched.

    No patch may touch the BPB.
    """
    source, where = fat.boot_sector, f"{where}.boot_sector"
    if not isinstance(source, CodeSource):
        return data
    length = source.size(files, where)
    return source.patched(data[:length], kept(kind), files, numbers, where).ljust(SIZE, b"\0")


def kept(kind: int) -> list[Extent]:
    """Return the bytes of a boot sector that no patch may touch: jump, name, BPB, signature."""
    end = SIZE - len(SIGNATURE)
    return [Extent(0, fat_boot.code_start(kind)), Extent(end, SIZE - end)]


def boot_sector_problems(
    data: bytes, ours: bytes, fat: int, fat_oem: str | None, bpb: str, where: str
) -> Iterator[Problem]:
    """Yield what in the user's 512 bytes contradicts ``ours``, the boot sector of the volume."""
    where = f"{where}.boot_sector"
    yield from _jump_problems(data, fat, where)
    if bpb != REPLACE:
        yield from _contradictions(data, ours, fat, fat_oem, where)
    end = data[SIZE - len(SIGNATURE) :]
    if any(end) and end != SIGNATURE:
        yield BootSectorMismatch(
            where, f"bytes 510 and 511 are {end.hex(' ')}", "a boot sector ends with 55 aa",
            "make the code shorter: it has the bytes up to 509",
        )


def _contradictions(
    data: bytes, ours: bytes, fat: int, fat_oem: str | None, where: str
) -> Iterator[Problem]:
    for field in fat_boot.fields(fat):
        theirs, must = data[field.start : field.end], ours[field.start : field.end]
        if theirs != must and not _says_nothing(field, theirs):
            yield _mismatch(field, theirs, must, where)
    oem = None if fat_oem is None else f"{fat_oem:8}".encode("ascii")
    if oem is not None and any(data[3:11]) and data[3:11] != oem:
        yield _mismatch(BpbField("BS_OEMName", 3, 8, is_text=True), data[3:11], oem, where)


def _jump_problems(data: bytes, fat: int, where: str) -> Iterator[Problem]:
    """The first instruction must lead over the BPB: "EB ?? 90" or "E9 ?? ??" (BS_jmpBoot)."""
    start = fat_boot.code_start(fat)
    change = f"begin with a short jump to byte {start} and a nop"
    if data[0] == 0xEB and data[2] == 0x90:
        target = 2 + int.from_bytes(data[1:2], signed=True)
    elif data[0] == 0xE9:
        target = 3 + int.from_bytes(data[1:3], "little", signed=True)
    else:
        yield BootSectorMismatch(
            f"{where}: BS_jmpBoot", f"it begins with {data[:3].hex(' ')}",
            "a boot sector of FAT begins with a jump, eb ?? 90 or e9 ?? ??", change,
        )
        return
    if not start <= target < SIZE - len(SIGNATURE):
        yield BootSectorMismatch(
            f"{where}: BS_jmpBoot", f"it jumps to byte {target}",
            f"the code of FAT{fat} lies in bytes {start} to 509", change,
        )


def _says_nothing(field: BpbField, theirs: bytes) -> bool:
    return not any(theirs) or (field.is_text and theirs.rstrip(b" ") in (b"", b"NO NAME"))


def _mismatch(field: BpbField, theirs: bytes, ours: bytes, where: str) -> Problem:
    option = _OPTIONS.get(field.name)
    change = "write zeros there"
    if option is not None:
        change += f", or describe the volume with another {option}"
    change += f", or write bpb={REPLACE!r} if they are made up"
    return BootSectorMismatch(
        f"{where}: {field.name}", f"byte {field.start} says {_text(field, theirs)}",
        f"the volume has {_text(field, ours)}", change,
    )


def _text(field: BpbField, data: bytes) -> str:
    if field.is_text:
        return repr(data.decode("latin-1"))
    if field.size > 4:
        return data.hex(" ")
    number = int.from_bytes(data, "little")
    return f"{number:#x}" if field.name in ("BPB_Media", "BS_VolID", "BS_DrvNum") else f"{number:,}"
