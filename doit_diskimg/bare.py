"""What a disk without a table can't have: whatever a table would store, and places to be found."""

from collections.abc import Iterator
from typing import TYPE_CHECKING

from doit_diskimg.errors import BadValue, Problem
from doit_diskimg.fields import shown
from doit_diskimg.segment import BOOT

if TYPE_CHECKING:
    from doit_diskimg.spec import Disk


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
