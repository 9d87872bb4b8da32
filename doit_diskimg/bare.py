"""What a disk without a table can't have: it is one volume, or segments, and nothing else."""

from collections.abc import Iterator
from typing import TYPE_CHECKING

from doit_diskimg.errors import BadValue, Problem
from doit_diskimg.fields import shown
from doit_diskimg.segment import BOOT
from doit_diskimg.units import counted

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
    volume = len(disk.partitions) == 1 and not disk.segments
    if not volume and (disk.partitions or not disk.segments):
        yield BadValue(
            "table",
            f"there is none, but {counted(len(disk.partitions), 'partition')} and "
            f"{counted(len(disk.segments), 'segment')}",
            "a disk without a table is one volume, or segments and nothing else",
            "describe one partition and no segment, or only segments, or write table=Mbr()",
        )
    for field in ("guid", "signature"):
        if getattr(disk, field):
            yield _no_place(field, getattr(disk, field))
    for index, partition in enumerate(disk.partitions):
        for field in (
            "type", "start", "align", "guid", "attributes", "active", "logical", "partition_name",
        ):
            if getattr(partition, field) or getattr(partition, field) == "":
                yield _no_place(f"partitions[{index}].{field}", getattr(partition, field))


def _no_place(where: str, value: object) -> Problem:
    return BadValue(
        where, f"{shown(value)} is given", "a disk without a table has no place to store it",
        f"leave {where.rpartition('.')[2]} out, or write table=Mbr()",
    )
