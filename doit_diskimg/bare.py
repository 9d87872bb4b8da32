"""What a disk without a table can't have: it is one volume, or segments, and nothing else."""

from collections.abc import Iterator
from typing import TYPE_CHECKING

from doit_diskimg.errors import BadValue, Problem
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
    for index, partition in enumerate(disk.partitions):
        for field in ("type", "start", "align", "guid", "attributes", "active", "logical"):
            if getattr(partition, field):
                yield BadValue(
                    f"partitions[{index}].{field}",
                    f"{getattr(partition, field)!r} is given",
                    "a disk without a table has no place to store it",
                    f"leave {field} out, or write table=Mbr()",
                )
