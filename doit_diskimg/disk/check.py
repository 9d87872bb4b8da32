"""What is wrong with a description, in its own order; the path to each place in it.

A user may write anything anywhere.  First comes what every other check relies on: fields of the
right kind.  Of symbols of parts that are wrong otherwise nothing is said.
"""

from collections.abc import Iterator
from os import fspath
from posixpath import normpath

from doit_diskimg.disk.check_links import link_problems
from doit_diskimg.disk.check_parts import (
    bare_problems,
    duplicate_problems,
    partition_problems,
    segment_problems,
)
from doit_diskimg.disk.fields import (
    AUTO,
    YES_OR_NO,
    as_size,
    fits,
    is_path,
    kind_problems,
    list_problems,
    misuse_problems,
    name_problems,
    path_problems,
    rest_problems,
    shown,
    size_problems,
)
from doit_diskimg.disk.model import STEPS, Bootloader, Disk, Output, Partition, Table
from doit_diskimg.disk.placed import TABLE
from doit_diskimg.disk.segment import BOOT, Segment
from doit_diskimg.errors import BadSize, BadValue, DuplicateName, Problem
from doit_diskimg.frozen import UNKNOWN
from doit_diskimg.plan.content import Tree

_IN_TABLE = {"in_table": YES_OR_NO}
_DISK = {"durable": YES_OR_NO, "replace": YES_OR_NO, "power_of_two": YES_OR_NO}


def problems(disk: Disk) -> list[Problem]:
    """Return everything that is wrong with a description."""
    wrong = list(misuse_problems(disk, ""))
    if any(problem.found != UNKNOWN for problem in wrong):
        return wrong  # without what is missing nothing else can be said
    return wrong + (
        list(_shape_problems(disk))
        or list(_disk_problems(disk))
        or [*_source_problems(disk), *link_problems(disk)]
    )


def _shape_problems(disk: Disk) -> Iterator[Problem]:
    """Yield the fields of a wrong kind of which no other check could make anything."""
    yield from _image_problems(disk.image)
    yield from _name_problems(disk.name, "name")
    if disk.table is not None and not fits(disk.table, Table):
        yield BadValue(
            "table", f"{shown(disk.table)} is not a partition table",
            "must be Gpt(), Mbr() or None", "write table=Gpt()",
        )
    yield from list_problems(disk.partitions, Partition, "partitions")
    yield from list_problems(disk.segments, Segment, "segments")
    if disk.boot is not None and not fits(disk.boot, Bootloader):
        yield BadValue(
            BOOT, f"{shown(disk.boot)} is not boot code",
            "must be BootCode(...) or an object of your own that fits the Bootloader port",
            'write for example BootCode("build/stage1.bin")',
        )
    for index, part in enumerate(disk.partitions if isinstance(disk.partitions, tuple) else ()):
        if isinstance(part, Partition):
            yield from _name_problems(part.name, f"partitions[{index}].name")
            yield from kind_problems(part, f"partitions[{index}].", _IN_TABLE)


def _image_problems(image: object) -> Iterator[Problem]:
    must, change = "must be the path of the image's file", 'write for example "build/os.img"'
    yield from path_problems(image, "image", must, change)
    if is_path(image):
        text = fspath(image)  # type: ignore[call-overload]  # it is one
        if text.rpartition("/")[2] in ("", ".", ".."):
            yield BadValue("image", f"{shown(text)} names a folder", must, change)


def _name_problems(name: object, where: str) -> Iterator[Problem]:
    """GUIDs are derived from names, as UTF-8; what else is wrong with a name can be said later."""
    if not isinstance(name, str) or any("\ud800" <= char <= "\udfff" for char in name):
        yield from name_problems(name, where)


def _disk_problems(disk: Disk) -> Iterator[Problem]:
    sector_size = disk.sector_size
    yield from name_problems(disk.name, "name")
    yield from size_problems(
        disk.size, "size", sector_size, needed=True, positive=True, words=(AUTO,)
    )
    yield from size_problems(disk.align, "align", sector_size, needed=True)
    if as_size(disk.align) == 0:
        yield BadSize("align", "0 is not a step", "must be a sector or more", 'write "1MiB"')
    yield from kind_problems(disk, "", _DISK)
    yield from _choice_problems(disk)
    yield from bare_problems(disk) if disk.table is None else disk.table.problems(disk)
    for part in disk.parts():
        yield from partition_problems(disk, part)
    yield from _outside_problems(disk)
    yield from rest_problems([part.size for part in disk.partitions])
    yield from _output_problems(disk)


def _outside_problems(disk: Disk) -> Iterator[Problem]:
    """A bootloader that does not suit the disk is not asked what it would become."""
    found = []
    if disk.boot is not None and disk.table is not None:
        found = list(disk.boot.problems(BOOT, disk))
    yield from found
    outside = disk.own_segments if found or disk.table is None else disk.outside
    for where, segment in outside:
        yield from segment_problems(segment, where)
    yield from duplicate_problems(disk, outside)


def _choice_problems(disk: Disk) -> Iterator[Problem]:
    for field, values in (("busy", ("swap", "error")), ("guest_writes", ("restore", "error"))):
        if getattr(disk, field) not in values:
            yield BadValue(
                field, f"{getattr(disk, field)!r} is not a choice",
                f"must be {' or '.join(map(repr, values))}",
                f"leave it out for {values[0]!r}",
            )


def _output_problems(disk: Disk) -> Iterator[Problem]:
    """Names become tasks, beside the disk's own, and every file is the target of one task."""
    if not isinstance(disk.outputs, tuple):
        yield BadValue(
            "outputs", f"{shown(disk.outputs)} is not a list", "must be a list of outputs",
            "put it in brackets",
        )
        return
    tasks = {step: f"the task {disk.name}:{step}" for step in (TABLE, *STEPS)}
    files = {normpath(fspath(disk.image)): "the image"} if is_path(disk.image) else {}
    for index, output in enumerate(disk.outputs):
        where = f"outputs[{index}]"
        problem = _no_output(output, where)
        if problem is not None:
            yield problem
            continue
        yield from output.problems(where, disk)
        yield from name_problems(output.name.replace(":", "-"), f"{where}.name")
        yield from _taken(output.name, tasks, where, "name")
        yield from _taken(normpath(fspath(output.path)), files, where, "path")


def _no_output(output: Output, where: str) -> Problem | None:
    if not fits(output, Output):
        return BadValue(
            where, f"{shown(output)} is not an output",
            "must be Qcow2(...), Compressed(...) or an object of your own that fits the Output "
            "port", 'write for example Qcow2("build/os.qcow2")',
        )
    for problem in path_problems(
        output.path, f"{where}.path", "must be that of a file", 'write for example "build/os.qcow2"'
    ):
        return problem
    if not isinstance(output.name, str):
        return BadValue(
            f"{where}.name", f"{shown(output.name)} is not a name", "must be text",
            "leave it out for that of its kind",
        )
    return None


def _taken(value: str, taken: dict[str, str], where: str, field: str) -> Iterator[Problem]:
    if value in taken:
        yield DuplicateName(
            f"{where}.{field}", f"{value!r} is that of {taken[value]} too",
            f"every output needs a different {field}", f"give it another {field}",
        )
    taken.setdefault(value, where)


def _source_problems(disk: Disk) -> Iterator[Problem]:
    """Yield the sources for which no system has a path, of a disk that is right otherwise."""
    wanted = [want for where, segment in disk.outside for want in segment.sources(where)]
    for part in disk.parts():
        wanted += part.payload.sources(part.where)
    for index, output in enumerate(disk.outputs):
        wanted += output.sources(f"outputs[{index}]", disk)
    for want in wanted:
        path = want.source.dir if isinstance(want.source, Tree) else want.source
        if not isinstance(path, bytes):
            must = "a path has a character, no NUL byte and no half of a character"
            yield from path_problems(path, want.where, must, "fix it")
