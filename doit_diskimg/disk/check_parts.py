"""What is wrong with the parts of a disk: partitions, segments, and what needs a table."""

from collections.abc import Iterable, Iterator
from os import PathLike

from doit_diskimg.disk.fields import (
    AUTO,
    REST,
    YES_OR_NO,
    Kind,
    as_size,
    fits,
    keep_problems,
    kind_problems,
    name_problems,
    path_text_problems,
    persist_problems,
    range_problems,
    shown,
    size_problems,
)
from doit_diskimg.disk.model import Disk, Outside, Part, Partition
from doit_diskimg.disk.placed import TABLE
from doit_diskimg.disk.segment import BOOT, CodeSource, Segment, source_of
from doit_diskimg.disk.sockets import Payload
from doit_diskimg.errors import BadSize, BadValue, DuplicateName, Problem, Unaligned
from doit_diskimg.extent import Extent

_PARTITION = {
    "active": YES_OR_NO,
    "logical": Kind(
        lambda value: value is None or isinstance(value, bool), "must be True, False or None",
        "leave it out to have it decided",
    ),
}  # fmt: skip

_OF_THE_TABLE = ("type", "guid", "attributes", "active", "logical", "partition_name")
"""What a table stores of a partition beside its place."""


def partition_problems(disk: Disk, part: Part) -> Iterator[Problem]:
    """Yield what is wrong with one partition alone."""
    it, where, sector_size, length = part.partition, part.where, disk.sector_size, part.wish.length
    yield from name_problems(it.name, f"{where}.name")
    yield from size_problems(it.start, f"{where}.start", sector_size)
    yield from size_problems(it.size, f"{where}.size", sector_size, words=(AUTO, REST))
    yield from size_problems(it.align, f"{where}.align", sector_size, positive=True)
    yield from _start_problems(it, where)
    yield from _unlisted_problems(it, where)
    yield from kind_problems(it, f"{where}.", _PARTITION)
    if not fits(it.payload, Payload):
        found, change = shown(it.payload), 'write for example File("build/root.ext2")'
        if isinstance(it.payload, type):  # forgotten parentheses
            found, change = f"the class {it.payload.__name__}", f"write {it.payload.__name__}(...)"
        yield BadValue(
            f"{where}.payload", f"{found} is not a payload",
            "must be Fat(...), File(...) or an object of your own that fits the Payload port",
            change,
        )
    given = disk.size if disk.is_one_volume and it.size in (None, REST) else it.size
    is_open = given in (None, AUTO, REST)
    yield from persist_problems(it.persist and it.size != REST and is_open, f"{where}.size")
    if (is_open or length is not None) and fits(it.payload, Payload):  # else reported above
        yield from it.payload.problems(where, length, sector_size)


def _start_problems(it: Partition, where: str) -> Iterator[Problem]:
    start, align = as_size(it.start), as_size(it.align)
    if start is not None and align and start % align:
        yield Unaligned(
            f"{where}.start", f"{start} bytes are not aligned",
            f"must be a multiple of its align, {align}",
            f"leave align out, or write {start // align * align + align}",
        )


def _unlisted_problems(it: Partition, where: str) -> Iterator[Problem]:
    if it.in_table:
        return
    for field in _OF_THE_TABLE:
        if getattr(it, field) or getattr(it, field) == "":
            yield BadValue(
                f"{where}.{field}", f"{getattr(it, field)!r} is given",
                "a partition that is not in the table has no place to store it",
                f"leave {field} out, or in_table",
            )


def segment_problems(it: Segment, where: str) -> Iterator[Problem]:
    """Yield what is wrong with one segment alone."""
    yield from name_problems(it.name, f"{where}.name")
    yield from size_problems(it.start, f"{where}.start", 1)
    yield from _segment_size_problems(it, where)
    yield from keep_problems(it.keep, f"{where}.keep")
    is_file = not isinstance(it.source, bytes) and not fits(it.source, CodeSource)
    yield from range_problems(it.offset, it.length, where, is_file=is_file)
    if it.start is None and it.keep:
        yield BadValue(
            f"{where}.keep", f"{shown(it.keep)} is given, and no start",
            "bytes of others are at a place that the segment must span",
            "write its start, or leave keep out",
        )
    if isinstance(it.source, CodeSource) and not isinstance(it.source, type):
        yield from it.source.source_problems(source_of(where), _kept(it))
    elif not isinstance(it.source, (str, PathLike, bytes)):
        yield BadValue(
            source_of(where), f"{shown(it.source)} is not a source",
            "must be the path of a file, bytes, or BootCode(...)",
            'write for example "build/stage2.bin"',
        )
    else:
        yield from path_text_problems(it.source, source_of(where))


def _segment_size_problems(it: Segment, where: str) -> Iterator[Problem]:
    yield from size_problems(it.size, f"{where}.size", 1)
    if it.size is not None and as_size(it.size) == 0:
        yield BadSize(
            f"{where}.size", "0 bytes", "must be 1 byte or more",
            "leave it out for the length of the source",
        )


def _kept(it: Segment) -> list[Extent]:
    """Return the ranges that are not its own; invalid ones are left out."""
    pairs = it.keep if isinstance(it.keep, (list, tuple)) else ()
    bounds = [[*map(as_size, pair)] for pair in pairs if isinstance(pair, (list, tuple))]
    return [
        Extent(low, high - low) for low, high in (pair for pair in bounds if len(pair) == 2)
        if low is not None and high is not None
    ]


def duplicate_problems(disk: Disk, outside: Iterable[Outside]) -> Iterator[Problem]:
    """Names become tasks and state files, and file systems may ignore case."""
    seen: dict[str, str] = {TABLE: "the partition table's own tasks"}
    named = [(part.where, part.name) for part in disk.parts()]
    named += [(where, segment.name) for where, segment in outside]
    for where, name in named:
        key = str(name).casefold()
        if key in seen:
            yield DuplicateName(
                f"{where}.name", f"{name!r} is the name of {seen[key]} too",
                "every partition and segment needs a different name", "rename one",
            )
        seen.setdefault(key, where)


def bare_problems(disk: Disk) -> Iterator[Problem]:
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
    for part in disk.parts():
        where, partition = part.where, part.partition
        for field in _OF_THE_TABLE:
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
