"""Limine's file for hard disks: a boot sector and a stage 2, and how the one finds the other.

The boot sector has the place of stage 2 in bytes from the beginning of the disk, in one of two
ways, which we call generations:

    8, up to 8.x   0x1a4  2 bytes  size of the first half, the larger: whole sectors, in bytes
                   0x1a6  2 bytes  size of the second half
                   0x1a8  8 bytes  place of the first half
                   0x1b0  8 bytes  place of the second half: right behind the first, for us
    9, later       0x1a4  8 bytes  place of stage 2, of which it always reads 63 sectors

(Limine's stage1/hdd/bootsect.asm and host/limine.c.)  Which it is shows in its code: it loads the
address of the first place, 0x7da8 or 0x7da4, into a register.
"""

import re
from struct import pack
from typing import NamedTuple

from doit_diskimg.errors import BadValue, DescriptionError, SourceMissing, WorldError
from doit_diskimg.plan.content import Files
from doit_diskimg.units import SECTOR, ceil_div

FIELDS = 0x1A4
"""Where the boot sector has the place of stage 2."""

TIME = slice(218, 224)
"""Where systems of Microsoft's may note the time; ``limine bios-install`` leaves it as it is."""

MOST = {8: 0xFFFF // SECTOR * SECTOR * 2, 9: 63 * SECTOR}
"""Generation -> bytes of a stage 2 that its boot sector can load."""

_CODE = {8: b"\xbf\xa8\x7d", 9: b"\xbf\xa4\x7d"}
"""Generation -> ``mov di`` with the address of the first place."""

_ARRAY = re.compile(rb"\{([^{}]*)\}")


class Hdd(NamedTuple):
    """The two parts of Limine's file for hard disks."""

    stage1: bytes
    stage2: bytes


def read(path: str, files: Files, where: str) -> Hdd:
    """Return what is in a ``limine-bios-hdd.bin`` or ``.h``.

    Raises WorldError, and DescriptionError if it is a different kind of file.
    """
    try:
        data = files.read(path, where)
    except WorldError as error:
        if not any(isinstance(problem, SourceMissing) for problem in error.problems):
            raise
        raise WorldError(SourceMissing(
            where, f"{path!r} does not exist", "must be in the folder of a release of Limine's",
            "correct the folder, or write hdd=... for the name of the file",
        )) from None
    if path.endswith(".h"):
        data = _from_header(data)
    if len(data) <= SECTOR or data[510:SECTOR] != b"\x55\xaa":
        raise DescriptionError(BadValue(
            where, f"{path!r} is no boot sector with a stage 2", "must be Limine's "
            "limine-bios-hdd.bin, or the C header of it", "write hdd=... for the name of that file",
        ))
    return Hdd(data[:SECTOR], data[SECTOR:])


def _from_header(text: bytes) -> bytes:
    """Return the bytes of the array in a C header, none if there is none."""
    match = _ARRAY.search(text)
    try:
        words = match[1].split(b",") if match is not None else []
        return bytes(int(word, 0) for word in words if word.strip())
    except ValueError:
        return b""


def generation_of(stage1: bytes) -> int | None:
    """Return which of the two ways a boot sector knows its stage 2 by, None if it does not show."""
    found = [generation for generation, code in _CODE.items() if code in stage1]
    return found[0] if len(found) == 1 else None


def fields(generation: int, length: int, place: int) -> bytes:
    """Return what the boot sector has in `FIELDS` for a stage 2 of that length at that place."""
    if generation != 8:
        return pack("<Q", place)
    count = ceil_div(length, SECTOR)
    first, second = ceil_div(count, 2) * SECTOR, count // 2 * SECTOR
    return pack("<HHQQ", first, second, place, place + first)
