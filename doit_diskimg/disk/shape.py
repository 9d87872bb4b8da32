"""Fields of the right kind: what has to hold before a description can be asked anything else.

A user may write anything anywhere.  What is checked here is of the kind that every other check may
rely on, so that none of them has to fear a list where a name should be.
"""

from collections.abc import Iterator
from os import fspath
from typing import TYPE_CHECKING

from doit_diskimg.disk.fields import (
    YES_OR_NO,
    Kind,
    is_path,
    kind_problems,
    list_problems,
    name_problems,
    path_problems,
    shown,
)
from doit_diskimg.disk.segment import BOOT, Segment
from doit_diskimg.errors import BadValue, Problem
from doit_diskimg.plan.content import Tree

if TYPE_CHECKING:
    from doit_diskimg.disk.model import Disk, Partition


_IN_TABLE = {"in_table": YES_OR_NO}
_DISK = {"durable": YES_OR_NO, "replace": YES_OR_NO, "power_of_two": YES_OR_NO}
_PARTITION = {
    "active": YES_OR_NO,
    "logical": Kind(
        lambda value: value is None or isinstance(value, bool), "must be True, False or None",
        "leave it out to have it decided",
    ),
}  # fmt: skip


def shape_problems(disk: "Disk", partition: "type[Partition]") -> Iterator[Problem]:
    """Yield every field of a wrong kind; ``partition`` is the class of partitions."""
    from doit_diskimg.disk.ports import Bootloader, Table

    yield from _image_problems(disk.image)
    yield from _name_problems(disk.name, "name")
    if disk.table is not None and not fits(disk.table, Table):
        yield BadValue(
            "table", f"{shown(disk.table)} is no partition table", "must be Gpt(), Mbr() or None",
            "write table=Gpt()",
        )
    yield from list_problems(disk.partitions, partition, "partitions")
    yield from list_problems(disk.segments, Segment, "segments")
    if disk.boot is not None and not fits(disk.boot, Bootloader):
        yield BadValue(
            BOOT, f"{shown(disk.boot)} is no boot code",
            "must be BootCode(...) or an object of your own that fits the Bootloader port",
            'write for example BootCode("build/stage1.bin")',
        )
    for index, part in enumerate(disk.partitions if isinstance(disk.partitions, tuple) else ()):
        if isinstance(part, partition):
            yield from _name_problems(part.name, f"partitions[{index}].name")
            yield from kind_problems(part, f"partitions[{index}].", _IN_TABLE)


def _image_problems(image: object) -> Iterator[Problem]:
    must, change = "must be the path of the image's file", 'write for example "build/os.img"'
    yield from path_problems(image, "image", must, change)
    if is_path(image):
        text = fspath(image)  # type: ignore[call-overload]  # it is one
        if text.rpartition("/")[2] in ("", ".", ".."):
            yield BadValue("image", f"{shown(text)} names a folder", must, change)


def source_problems(disk: "Disk") -> Iterator[Problem]:
    """Yield the sources for which no system has a path, of a disk that is right otherwise."""
    wanted = [want for where, segment in disk.outside for want in segment.sources(where)]
    for index, part in enumerate(disk.partitions):
        wanted += part.payload.sources(f"partitions[{index}]")
    for index, output in enumerate(disk.outputs):
        wanted += output.sources(f"outputs[{index}]", disk)
    for where, source, _ in wanted:
        path = source.dir if isinstance(source, Tree) else source
        if not isinstance(path, bytes):
            must = "a path has a character, no NUL byte and no half of a character"
            yield from path_problems(path, where, must, "correct it")


def disk_kind_problems(disk: "Disk") -> Iterator[Problem]:
    """Yield the fields of a wrong kind on which no other check relies."""
    yield from kind_problems(disk, "", _DISK)


def partition_kind_problems(partition: "Partition", where: str) -> Iterator[Problem]:
    """Yield the fields of a partition of a wrong kind on which no other check relies."""
    from doit_diskimg.disk.ports import Payload

    yield from kind_problems(partition, f"{where}.", _PARTITION)
    if not fits(partition.payload, Payload):
        yield BadValue(
            f"{where}.payload", f"{shown(partition.payload)} is no payload",
            "must be Fat(...), File(...) or an object of your own that fits the Payload port",
            'write for example File("build/root.ext2")',
        )


def fits(value: object, port: type) -> bool:
    """Return whether ``value`` fits a port.

    A class has the methods too, so that forgotten parentheses look as if it did.
    """
    return not isinstance(value, type) and isinstance(value, port)


def _name_problems(name: object, where: str) -> Iterator[Problem]:
    """GUIDs are derived from names, as UTF-8; what else is wrong with a name can be said later."""
    if not isinstance(name, str) or any("\ud800" <= char <= "\udfff" for char in name):
        yield from name_problems(name, where)
