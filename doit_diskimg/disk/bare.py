"""What a disk without a table can't have: whatever a table would store, and places to be found."""

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

from doit_diskimg.disk.fields import shown
from doit_diskimg.disk.segment import BOOT
from doit_diskimg.errors import BadValue, Problem
from doit_diskimg.extent import Extent
from doit_diskimg.plan.content import Files
from doit_diskimg.plan.picture import BLOB, Picture

if TYPE_CHECKING:
    from doit_diskimg.disk.model import Disk


def bare_problems(disk: "Disk") -> Iterator[Problem]:
    """Yield what a disk without a table has and has no place for."""
    if disk.boot is not None:
        yield BadValue(
            BOOT, f"{type(disk.boot).__name__}(...) is given",
            "a disk without a table has none beside its volume and its segments",
            'write Fat(boot_sector=...) and Fat(reserved={...}), or Segment("boot", ..., 0), '
            "or table=Mbr()",
        )
    if not disk.partitions and not disk.segments:
        yield BadValue(
            "table", "there is none, and neither a partition nor a segment",
            "a disk without a table has one or the other",
            "describe what is on it, or write table=Mbr()",
        )
    for field in ("guid", "signature"):
        if getattr(disk, field):
            yield _no_place(field, getattr(disk, field))
    for index, partition in enumerate(disk.partitions):
        where = f"partitions[{index}]"
        for field in ("type", "guid", "attributes", "active", "logical", "partition_name"):
            if getattr(partition, field) or getattr(partition, field) == "":
                yield _no_place(f"{where}.{field}", getattr(partition, field))
        if disk.is_one_volume and partition.align:
            yield BadValue(
                f"{where}.align", f"{shown(partition.align)} is given",
                "a volume that is the whole disk begins with it", "leave align out",
            )
        elif not disk.is_one_volume and partition.start is None:
            yield BadValue(
                f"{where}.start", "there is none",
                "without a table nothing but its start says where a volume is",
                "write for example start=0, or table=Mbr()",
            )


def _no_place(where: str, value: object) -> Problem:
    return BadValue(
        where, f"{shown(value)} is given", "a disk without a table has no place to store it",
        f"leave {where.rpartition('.')[2]} out, or write table=Mbr()",
    )


_SIGNATURE = b"\x55\xaa"
_SIGNATURE_AT = 510


def signature_note(
    where: str, extent: Extent, others: Iterable[Extent], picture: Picture, files: Files
) -> str:
    """Return what to say of a segment in sector 0 that a BIOS would not start; else nothing.

    ``extent`` is the segment's, ``others`` are those of what lies beside it: if 55 AA may be theirs
    nothing is said.  ``picture`` holds the segment's bytes.
    """
    marks = Extent(_SIGNATURE_AT, len(_SIGNATURE))
    if extent.start or not extent.length or any(other.overlaps(marks) for other in others):
        return ""
    found = b"".join(_byte(picture, at, files, where) for at in range(marks.start, marks.end))
    if found == _SIGNATURE:
        return ""
    return (
        f"note: {where}: bytes 510 and 511 of the disk are {found.hex(' ')} and not 55 aa, without "
        "which no BIOS starts it"
    )


def _byte(picture: Picture, at: int, files: Files, where: str) -> bytes:
    """Return a byte of the disk; what no piece covers is zero."""
    for piece in picture.pieces:
        if piece.start <= at < piece.end:
            offset = piece.offset + at - piece.start
            if piece.file == BLOB:
                return picture.blob[offset : offset + 1]
            return files.read_range(piece.file, offset, 1, where)
    return b"\0"
