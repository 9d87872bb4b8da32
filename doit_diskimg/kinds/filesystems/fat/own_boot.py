"""A boot sector of the user's own: their code around our BPB.

The jump, the OEM name and the code area are theirs.  The numbers between them (the BPB) describe
the volume and are ours; a boot sector that was assembled with other numbers would load from wrong
places, so each that differs is a problem.  Zero is no statement: such fields are there to be
filled in.  Nor are numbers that the user calls made up: an installer would skip them.
"""

from collections.abc import Iterator
from os import PathLike, fsdecode
from typing import NamedTuple

from doit_diskimg.disk.segment import CodeSource
from doit_diskimg.disk.symbols import Numbers
from doit_diskimg.errors import BootSectorMismatch, ContentTooLarge, DescriptionError, Problem
from doit_diskimg.extent import Extent
from doit_diskimg.kinds.filesystems.fat.volume import Fat
from doit_diskimg.ondisk import fat_boot
from doit_diskimg.ondisk.fat_boot import SIGNATURE, SIZE, BpbField
from doit_diskimg.plan.content import Files

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


def read(fat: Fat, files: Files, where: str) -> bytes | None:
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
        raise DescriptionError(
            ContentTooLarge(
                where, f"it has {len(data):,} bytes", f"a boot sector has at most {SIZE}",
                "put the rest behind it: reserved={1: ...}, at sector 8 or later on FAT32",
            )
        )
    return data.ljust(SIZE, b"\0")


def code(data: bytes | None, oem_name: str | None, fat: int, bpb: str) -> Code:
    """Return what goes around the BPB of a volume of type ``fat``; ``data`` is the user's.

    With ``bpb="replace"`` the OEM name is ours too: installers write bytes 3 to 61, or 89.
    """
    start = fat_boot.code_start(fat)
    oem = f"{oem_name:8}".encode("ascii") if oem_name is not None else _OEM_NAME
    if data is None:
        return Code(bytes([0xEB, start - 2, 0x90]), oem, _CODE)
    theirs = data[3:11] if bpb != REPLACE else b""
    return Code(data[:3], theirs if any(theirs) else oem, data[start : SIZE - len(SIGNATURE)])


def patched(
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


def problems(
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
