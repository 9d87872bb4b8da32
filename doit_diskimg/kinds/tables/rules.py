"""What is wrong with a description whatever its table, in the words of all tables."""

import re
from collections.abc import Collection, Iterable, Iterator, Sequence
from difflib import get_close_matches

from doit_diskimg.disk.fields import is_number
from doit_diskimg.disk.model import Disk
from doit_diskimg.disk.placed import Region
from doit_diskimg.errors import (
    BadValue,
    Problem,
    TooManyPartitions,
    TooSmall,
    UnknownType,
)
from doit_diskimg.ondisk.guids import ZERO_GUID
from doit_diskimg.units import SizeLike, parse_size

EXTENDED_TYPES = (0x05, 0x0F, 0x85)
"""DOS's, its LBA form, and Linux's own, which DOS overlooks."""


def count_problems(count: int, limit: int, table: str, change: str) -> Iterator[Problem]:
    """Yield a problem if ``count`` partitions are more than the ``limit`` entries of ``table``."""
    if count > limit:
        yield TooManyPartitions(
            "partitions",
            f"there are {count}",
            f"must be {limit} at most, the entries of {table}",
            change,
        )


def too_small_problems(size: SizeLike, least: int, table: str) -> Iterator[Problem]:
    """Yield a problem if a disk of ``size`` has not the ``least`` bytes that ``table`` needs.

    ``"auto"`` and what is not a size are checked elsewhere.
    """
    try:
        length = parse_size(size)
    except ValueError:
        return
    if length < least:
        yield TooSmall(
            "size",
            f"{length} bytes",
            f"must be {least} bytes at least, for {table} and a sector of content",
            f"raise the size to {least} or more",
        )


def signature_problems(signature: object) -> Iterator[Problem]:
    """Yield what is wrong with a disk signature, if there is one."""
    if signature is None or (is_number(signature) and 0 < signature < 1 << 32):  # type: ignore[operator]
        return
    # Zero would be "no signature", which Windows replaces by one of its own.
    yield BadValue(
        "signature",
        f"{signature:#x}" if is_number(signature) else repr(signature),
        "must be a number from 1 to 0xffffffff",
        "leave it out to have one derived",
    )


def active_problem(where: str, found: str, table: str) -> Problem:
    """Return the problem of more than one active entry where that is not wanted."""
    return BadValue(
        where, found, "must be one partition at most, since boot code looks for one",
        f"leave active out of all but one, or write {table}(several_active=True) for boot code "
        "of your own",
    )


def active_notes(
    disk: Disk, active: Sequence[int], regions: Sequence[Region]
) -> Iterator[str]:
    """Yield what a person should know of the ``active`` partitions of an MBR, by index."""
    for index in active[1:]:
        yield (
            f"partitions[{index}].active: partitions[{active[0]}] is active too, boot code of the "
            "usual kind refuses such a disk"
        )
    if active and not any(region.extent.start == 0 and region.extent.length for region in regions):
        yield (
            f"partitions[{active[0]}].active: it is active, and there is no boot code in sector 0 "
            "to start it, a BIOS finds nothing to run"
        )


def type_problem(where: str, value: str | int, must: str, change: str) -> Problem:
    """Return the problem of a type that the table does not know."""
    found = f"{value:#04x}" if isinstance(value, int) else repr(value)
    what = "marks an entry that is not used" if str(value) == ZERO_GUID else "is no such type"
    return UnknownType(where, f"{found} {what}", must, change)


def byte_meant(value: str | int) -> int | None:
    """Return the type byte of a value that reads like one of other tools: ``"83"``, ``0xef00``.

    Of sgdisk's codes of four digits those that end in 00 are the byte and nothing more.
    """
    if isinstance(value, str):
        digits = value.lower().removeprefix("0x")
        if not re.fullmatch(r"[0-9a-f]{1,2}|[0-9a-f]{2}00", digits):
            return None
        value = int(digits, 16)
    if not isinstance(value, int):
        return None
    return value >> 8 if value > 0xFFF and not value & 0xFF else value


def names_to_use(value: str | int, known: Iterable[str], meant: Collection[str]) -> str:
    """Return an advice which names of ``known`` to use instead of ``value``.

    ``meant`` are those that say the same in another table's words; else names that look like it
    are advised, else the most frequent ones.
    """
    text = str(value).lower()
    names = list(known)
    letters = re.compile(".*".join(map(re.escape, text)))  # "linux-fs" for "linux-filesystem"
    short_for = [name for name in names if len(text) > 2 and letters.search(name)]
    near = sorted(meant) or short_for or get_close_matches(text, names)
    *most, last = map(repr, (near or names)[:3])
    advised = f"{', '.join(most)} or {last}" if most else last
    return f"use {advised}" if near else f"use a name such as {advised}"
