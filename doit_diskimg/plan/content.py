"""Where bytes come from, and the one protocol by which planners ask about it.

A planner never opens a file.  It asks `Files` how long a file is, what its digest is, and which
entries a tree has; `host.files` answers from the real file system, tests bring a fake that keeps
a list of what was asked.

This module also owns the choice of the digest.  Its name is stored wherever a digest is stored.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from os import PathLike, fsdecode
from typing import NamedTuple, Protocol, TypeAlias

from doit_diskimg.errors import SourceShort, WorldError
from doit_diskimg.extent import Extent
from doit_diskimg.frozen import dataclass
from doit_diskimg.plan.recipe import Made, Recipe
from doit_diskimg.units import SizeLike, counted, exact_size, parse_size

DIGEST = "xxh3_128"
"""Name of the digest of contents, as stored beside every digest."""


FORMAT = 4
"""Version of every file in the state folder; another version counts as no file at all."""


class Hasher(Protocol):
    """What digests contents piece by piece."""

    def update(self, data: bytes | bytearray | memoryview) -> None:
        """Go on with ``data``."""
        ...

    def hexdigest(self) -> str:
        """Return the digest of all data so far."""
        ...


def hasher() -> Hasher:
    """Return a new hash object for contents."""
    # Imported late: every `doit` imports this module, only a build hashes.
    import xxhash

    return xxhash.xxh3_128()


def digest_of(data: bytes | memoryview) -> str:
    """Return the digest of ``data`` as 32 hexadecimal digits."""
    import xxhash

    return str(xxhash.xxh3_128_hexdigest(data))


@dataclass(frozen=True, described=True)
class Tree:
    """A directory of the host, with everything below it.

    ``include`` and ``exclude`` are patterns in the syntax and with the meaning of gitignore, in
    order, the last that matches decides: ``*.o`` at any depth, ``drivers/*.ko`` and ``/boot``
    relative to ``dir``, ``build/`` a directory, ``**`` any number of directories, ``!keep.o`` not
    that one.  With ``include`` only matching files are taken; what is excluded is left out even
    so, and nothing below an excluded directory can be taken back.  Empty directories are kept; with
    ``include``, those that match.

    ``after`` names the task that fills the tree, or several: they are run first, and the tree is
    looked at when they are done.  Without it, files of the tree that are targets of other tasks are
    built first, as far as they exist when doit starts.
    """

    dir: str | PathLike[str]
    include: str | Sequence[str] = ()
    exclude: str | Sequence[str] = ()
    after: str | Sequence[str] = ()

    def __post_init__(self) -> None:
        for name in ("include", "exclude", "after"):
            value = getattr(self, name)
            # One text would be taken for a sequence of letters.
            several = (value,) if isinstance(value, str) else value
            object.__setattr__(self, name, tuple(several) if _is_list(several) else several)


def _is_list(value: object) -> bool:
    return isinstance(value, Iterable) and not isinstance(value, bytes)


Source: TypeAlias = "str | PathLike[str] | bytes | Tree"
"""A path of the host, bytes as they are, or a tree."""


Sources: TypeAlias = "Source | Sequence[Source]"
"""What a path of a volume is given: a source, or a list of them, whose directories merge."""


class Entry(NamedTuple):
    """Something found in a tree: ``path`` is relative to it, with ``/`` between its parts."""

    path: str
    source: str | None
    """The file on the host; None for a directory."""


@dataclass(frozen=True)
class Wanted:
    """A source and the place in the description that names it, such as ``partitions[0].files``."""

    where: str
    source: Source
    decides_room: bool = False
    """Whether its size decides the room also where the partition has a size."""


def each(sources: object, where: str) -> Iterator[tuple[str, object]]:
    """Yield every source that one path is given, with its place in the description."""
    if isinstance(sources, (list, tuple)):
        for index, source in enumerate(sources):
            yield f"{where}[{index}]", source
    else:
        yield where, sources


def keyed(files: object, where: str) -> Iterator[tuple[object, object, str]]:
    """Yield each path of ``files``, what it is given, and its place in the description.

    What is no mapping is given to the root.
    """
    if not isinstance(files, Mapping):
        yield "/", files, f"{where}.files"
        return
    for key in sorted(files, key=str):
        yield key, files[key], f"{where}.files[{key!r}]"


def wanted_files(files: object, where: str) -> Iterator[Wanted]:
    """Yield the files and trees of the host among ``files``, in the order of their paths."""
    for _, sources, here in keyed(files, where):
        yield from wanted(sources, here)


def wanted(sources: object, where: str) -> Iterator[Wanted]:
    """Yield the files and trees of the host that one path is given."""
    for here, source in each(sources, where):
        if isinstance(source, Tree):
            yield Wanted(here, source)
        elif isinstance(source, (str, PathLike)):
            yield Wanted(here, fsdecode(source))


PART = 1 << 20
"""Bytes of a part of a file: of a longer one maybe only its tail changes."""


class FilePart(NamedTuple):
    """``length`` bytes of a file, from ``offset`` on."""

    offset: int
    length: int
    digest: str


def part_length(size: int) -> int:
    """Return the length of the parts of a file of ``size`` bytes.

    There are up to 4096 parts: from 4 GiB on they grow with the file.
    """
    return max(PART, 1 << max(0, (size - 1).bit_length() - 12))


def parts(files: "Files", path: str, size: int, where: str) -> Sequence[FilePart]:
    """Return the parts of a file of ``size`` bytes, with their digests; of an empty one none."""
    if size <= PART:
        return [FilePart(0, size, files.digest(path, where))] if size else []
    length = part_length(size)
    digests = files.part_digests(path, length, where)
    return [
        FilePart(offset, min(length, size - offset), digest)
        for offset, digest in zip(range(0, size, length), digests, strict=True)
    ]


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
    files: "Files", path: str, part: Extent, size: int, where: str
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


class Files(Protocol):
    """What planners may ask of the outside world.

    ``where`` is the place in the description that names the path, for messages.  Each method
    raises WorldError when the path is missing or of the wrong kind.
    """

    def size(self, path: str, where: str) -> int:
        """Return the length of a regular file in bytes."""
        ...

    def digest(self, path: str, where: str) -> str:
        """Return the digest of a regular file's contents."""
        ...

    def part_digests(self, path: str, length: int, where: str) -> Sequence[str]:
        """Return the digests of a regular file's contents in parts of ``length`` bytes.

        The last part may be shorter.  Asked of files of several parts only; see `parts`.
        """
        ...

    def range_digest(self, path: str, offset: int, length: int, where: str) -> str:
        """Return the digest of ``length`` bytes of a regular file, from ``offset`` on."""
        ...

    def read_range(self, path: str, offset: int, length: int, where: str) -> bytes:
        """Return ``length`` bytes of a regular file, from ``offset`` on; a sector or two."""
        ...

    def crc32(self, path: str, offset: int, length: int, before: int, where: str) -> int:
        """Return the CRC-32 of some bytes with that of ``before``, then a range of a file."""
        ...

    def executable(self, path: str, where: str) -> bool:
        """Return whether the owner of a regular file may execute it."""
        ...

    def make(self, recipe: Recipe, where: str) -> Made:
        """Return the payload that outside programs make by that recipe, at most one for a payload.

        Raises WorldError too when a program is missing or fails.
        """
        ...

    def read(self, path: str, where: str) -> bytes:
        """Return the contents of a regular file; for those of a sector or two."""
        ...

    def mtime(self, path: str, where: str) -> int:
        """Return when a regular file was last changed, in seconds since 1970."""
        ...

    def size_before(self, path: str) -> int | None:
        """Return the length that a file had at the last build, if that is known.

        For messages alone: what is built is not a function of it.
        """
        ...

    def walk(self, tree: Tree, where: str) -> Sequence[Entry]:
        """Return the files and directories below ``tree``, sorted by path."""
        ...
