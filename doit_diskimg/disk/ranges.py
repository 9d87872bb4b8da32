"""A range of a file: ``offset`` and ``length``, as `File` and `Segment` have them.

Bytes, half-open: ``offset`` is the first one, without a ``length`` it reaches to the file's end.
"""

from collections.abc import Iterator, Sequence

from doit_diskimg.disk.fields import as_size, size_problems
from doit_diskimg.errors import BadSize, BadValue, Problem, SourceShort, WorldError
from doit_diskimg.extent import Extent
from doit_diskimg.plan.content import FilePart, Files, part_length, parts
from doit_diskimg.units import SizeLike, counted, exact_size, parse_size


def range_problems(
    offset: SizeLike, length: SizeLike | None, where: str, *, is_file: bool
) -> Iterator[Problem]:
    """Yield what is wrong with a range; only of a file is there one."""
    yield from size_problems(offset, f"{where}.offset", 1, needed=True)
    yield from size_problems(length, f"{where}.length", 1)
    if length is not None and as_size(length) == 0:
        yield BadSize(
            f"{where}.length", "0 bytes", "must be 1 byte or more",
            "leave it out for all that follows",
        )
    for field, value in (("offset", offset), ("length", length)):
        if not is_file and as_size(value):
            yield BadValue(
                f"{where}.{field}", f"{value!r} is given", "only a range of a file has one",
                "leave it out: bytes can be sliced, and boot code is whole",
            )


def range_of(
    size: int, offset: SizeLike, length: SizeLike | None, path: str, where: str
) -> Extent:
    """Return the range of a file of ``size`` bytes.  Raises WorldError if the file is too short."""
    start = parse_size(offset)
    end = max(start, size) if length is None else start + parse_size(length)
    if end > size:
        asked = f"all from {start} on" if length is None else f"{start} to {end}"
        raise WorldError(SourceShort(
            where, f"{path!r} has {exact_size(size)}", f"bytes {asked} are asked for",
            f"make the file {counted(end - size, 'byte')} longer, or the range shorter",
        ))
    return Extent(start, end - start)


def range_parts(
    files: Files, path: str, part: Extent, size: int, where: str
) -> Sequence[FilePart]:
    """Return the parts of a range of a file of ``size`` bytes, with their places in the file.

    Where a long range changes in one place, only the part around it is written.
    """
    if part == (0, size):
        return parts(files, path, size, where)
    step = part_length(part.length)
    return [
        FilePart(at, length, files.range_digest(path, at, length, where))
        for at in range(part.start, part.end, step)
        for length in [min(step, part.end - at)]
    ]
