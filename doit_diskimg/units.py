"""Sizes, sectors and alignment.

Integers only: a size that went through a float is wrong above 2**53 and, long before that, a
sector off.  Nothing here knows about disks; it is arithmetic with the field's words.
"""

import re
from typing import Final, NewType, TypeAlias

KIB, MIB, GIB, TIB = 1 << 10, 1 << 20, 1 << 30, 1 << 40

MOST = (1 << 63) - 1
"""Bytes of the longest file that POSIX systems can express (off_t)."""

SECTOR: Final = 512
"""Bytes in the smallest logical sector, and the grain in which metadata is compared."""

Lba = NewType("Lba", int)
"""The number of a logical sector, counted from the start of the disk."""

SizeLike: TypeAlias = int | str
"""What a user may write for a size: bytes, or text such as ``"33MiB"``."""

FLOPPIES = {
    "360K": 360 * KIB,
    "720K": 720 * KIB,
    "1.2M": 1200 * KIB,
    "1.44M": 1440 * KIB,
    "2.88M": 2880 * KIB,
}
"""Bytes of a diskette by the name on its box, whose M is 1000 KiB."""

_UNITS = {
    "": 1, "B": 1, "K": KIB, "M": MIB, "G": GIB, "T": TIB,
    "KiB": KIB, "MiB": MIB, "GiB": GIB, "TiB": TIB,
}
_SIZE = r"\s*([0-9]+)\s*([A-Za-z]*)\s*"
_FLOPPY = r"\s*([0-9.]+[KM])\s+floppy\s*"


def parse_size(size: SizeLike) -> int:
    """Return ``size`` in bytes.

    Text is a whole number and a binary unit: ``B``, ``KiB``, ``MiB``, ``GiB``, ``TiB`` or the
    first letter alone.  ``MB`` is refused: half the field means 10**6 by it, the other 2**20.
    A diskette is called by its name: ``"1.44M floppy"`` (`FLOPPIES`).

    Raises ValueError, with words for the user, for anything else and for negative numbers.
    """
    if isinstance(size, bool) or not isinstance(size, (int, str)):
        raise ValueError(f"{size!r} is not a size")
    if isinstance(size, int):
        if size < 0:
            raise ValueError(f"{size} is negative")
        if size > MOST:
            raise ValueError(f"{size} is more than a file can have")
        return size
    plain = size.lstrip("0123456789")
    if plain in _UNITS and plain != size:
        return parse_size(int(size[: len(size) - len(plain)]) * _UNITS[plain])
    # All else costs the compilation of an expression, which dodo.py would pay at every `doit`.
    floppy = re.fullmatch(_FLOPPY, size)
    if floppy and floppy[1] in FLOPPIES:
        return FLOPPIES[floppy[1]]
    match = re.fullmatch(_SIZE, size)
    if match is None:
        hint = f", but '{size} floppy' is" if size in FLOPPIES else ""
        raise ValueError(f"{size!r} is not a size{hint}")
    number, unit = match.groups()
    factor = _UNITS.get(unit)
    if factor is None:
        raise ValueError(f"{size!r} has the unknown unit {unit!r}")
    return parse_size(int(number) * factor)


def format_size(length: int) -> str:
    """Return ``length`` bytes for people: ``512 B``, ``1.2 MiB``, ``64 MiB``."""
    for unit, factor in (("TiB", TIB), ("GiB", GIB), ("MiB", MIB), ("KiB", KIB)):
        if length >= factor:
            whole, tenths = divmod(length * 10 // factor, 10)
            return f"{whole}.{tenths} {unit}" if tenths else f"{whole} {unit}"
    return f"{length} B"


def exact_size(length: int) -> str:
    """Return ``length`` bytes for people, with the exact number where rounding would hide it."""
    text = format_size(length)
    factor = max((unit for unit in (TIB, GIB, MIB, KIB, 1) if unit <= length), default=1)
    return text if length % factor == 0 else f"{length:,} bytes ({text})"


def counted(number: int, noun: str) -> str:
    """Return how many there are, for people: ``1 byte``, ``2 bytes``."""
    return f"{number} {noun}{'s' * (number != 1)}"


def is_power_of_two(number: int) -> bool:
    """Return whether ``number`` is 1, 2, 4, 8 and so on."""
    return number > 0 and number & (number - 1) == 0


def next_power_of_two(number: int) -> int:
    """Return the smallest power of two that is not below ``number``, which is 1 or more."""
    return 1 << (number - 1).bit_length()


def ceil_div(number: int, divisor: int) -> int:
    """Return ``number / divisor`` rounded up."""
    return -(-number // divisor)


def align_up(number: int, step: int) -> int:
    """Return the smallest multiple of ``step`` that is not below ``number``."""
    return ceil_div(number, step) * step


def align_down(number: int, step: int) -> int:
    """Return the largest multiple of ``step`` that is not above ``number``."""
    return number // step * step
