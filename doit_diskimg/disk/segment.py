"""`Segment`: bytes outside the partitions, with a place.

Their source is a file, bytes, or code with numbers of the layout in it, which this module knows by
its socket alone (`CodeSource`).
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import KW_ONLY
from os import PathLike, fsdecode, fspath
from typing import Protocol, runtime_checkable

from doit_diskimg.disk.fields import as_size
from doit_diskimg.disk.symbols import Numbers, Symbol
from doit_diskimg.errors import Problem
from doit_diskimg.extent import Extent, subtract
from doit_diskimg.frozen import dataclass
from doit_diskimg.plan.content import Files, Wanted, digest_of, range_of, range_parts
from doit_diskimg.plan.picture import BLOB, Canvas, Picture
from doit_diskimg.units import SizeLike, parse_size

BOOT = "boot"
"""The place in the description of a bootloader that is one segment."""


_SIGNATURE = b"\x55\xaa"
_SIGNATURE_AT = 510


@dataclass(frozen=True)
class Stretch:
    """Bytes of a source from ``offset`` on, either of a file or given."""

    offset: int
    length: int
    source: str | bytes
    """The path of the file, of which these bytes begin at ``offset``, or the bytes."""
    digest: str
    """Of the bytes; empty for patched ones, which are compared one by one."""


@runtime_checkable
class CodeSource(Protocol):
    """A source that is not copied as it is, such as `BootCode`."""

    def source_problems(self, where: str, kept: Sequence[Extent] = ()) -> Iterable[Problem]:
        """Yield what is wrong with the description; ``kept`` are bytes that it must not change."""
        ...

    def wanted(self, where: str) -> Iterable[Wanted]:
        """Yield the files that it is made of."""
        ...

    def asks(self, where: str) -> Iterable[tuple[str, Symbol]]:
        """Yield its symbols, each with its place in the description."""
        ...

    def size(self, files: Files, where: str) -> int:
        """Return how many bytes it has.  Raises WorldError if its file is missing."""
        ...

    def stretches(
        self,
        place: Extent,
        own: Iterable[Extent],
        files: Files,
        numbers: Numbers | None,
        where: str,
    ) -> list[Stretch]:
        """Return its bytes.

        ``place`` is where it lies on the disk, ``own`` are the bytes of the disk that it may have.
        Raises DescriptionError or WorldError with all that is wrong.
        """
        ...

    def read(self, part: Extent, files: Files, where: str) -> bytes:
        """Return some bytes of it, as they are without patches."""
        ...

    def patched(
        self, data: bytes, kept: Sequence[Extent], files: Files, numbers: Numbers | None, where: str
    ) -> bytes:
        """Return ``data``, which is all of it, with its patches; none may touch what is ``kept``.

        Raises what `stretches` raises.
        """
        ...


def draw(canvas: Canvas, start: int, stretches: Iterable[Stretch]) -> None:
    """Put what `CodeSource.stretches` returned at ``start``, a byte of the disk."""
    for stretch in stretches:
        place = start + stretch.offset
        if isinstance(stretch.source, str):
            canvas.file(place, stretch.length, stretch.source, stretch.digest, stretch.offset)
        elif stretch.digest:
            canvas.content(place, stretch.source)
        else:
            canvas.whole(place, stretch.source)


def stretch_of(
    source: str | PathLike[str] | bytes, part: Extent, size: int, files: Files, where: str
) -> Stretch:
    """Return the bytes ``part`` of a source that has ``size`` bytes, as they are."""
    if isinstance(source, bytes):
        data = source[part.start : part.end]
        return Stretch(*part, data, digest_of(data))
    path = fsdecode(source)
    if part == (0, size) == (0, files.size(path, where)):
        return Stretch(*part, path, files.digest(path, where))
    return Stretch(*part, path, files.range_digest(path, *part, where))


@dataclass(frozen=True, described=True)
class Segment:
    """Bytes outside the partitions: boot code, a stage 2 in the post-MBR gap, a firmware blob.

    ``source`` is a path of the host, bytes as they are, or `BootCode`, which has patches.  Of a
    file, ``offset`` and ``length`` are the bytes to take: from ``offset`` on, without a ``length``
    all that follow.  ``start`` is the place on the disk in bytes (``512`` or ``"8KiB"``).  Without
    one it is the next free sector behind the segment before it, and behind sector 0 on a disk with
    a table.  Boot code in sector 0 has bytes 0 to 439, since the partition table follows it.

    The segment is as long as its source, and may not overlap anything.  With a ``size`` it has that
    room: its source may grow within it, and what the source does not fill is zero.

    ``keep`` are ranges of the source, half-open and in bytes, that are not the segment's own: boot
    code that spans the partition table leaves it alone with ``keep=[(440, 512)]``.
    """

    name: str
    source: str | PathLike[str] | bytes | CodeSource
    start: SizeLike | None = None
    _: KW_ONLY
    size: SizeLike | None = None
    offset: SizeLike = 0
    length: SizeLike | None = None
    keep: Sequence[tuple[SizeLike, SizeLike]] = ()

    def sources(self, where: str) -> Iterator[Wanted]:
        """Yield the files that it is made of; inline bytes are left out."""
        if isinstance(self.source, (str, PathLike)):
            yield Wanted(source_of(where), self.source)
        elif not isinstance(self.source, bytes):
            yield from self.source.wanted(source_of(where))

    def asks(self, where: str) -> Iterator[tuple[str, Symbol]]:
        """Yield the symbols in it, each with its place in the description."""
        if not isinstance(self.source, (str, PathLike, bytes)):
            yield from self.source.asks(source_of(where))

    def measure(self, files: Files, where: str) -> int:
        """Return the bytes of its source.  Raises WorldError if they are not there."""
        return self._range(files, source_of(where)).length

    def _range(self, files: Files, where: str) -> Extent:
        """Return which bytes of its source it takes."""
        if isinstance(self.source, bytes):
            return Extent(0, len(self.source))
        if not isinstance(self.source, (str, PathLike)):
            return Extent(0, self.source.size(files, where))
        path = fspath(self.source)
        return range_of(files.size(path, where), self.offset, self.length, path, where)

    def room(self, length: int) -> int:
        """Return the bytes from its first to its last if its source has ``length`` bytes."""
        return length if self.size is None else parse_size(self.size)

    @property
    def known_room(self) -> int | None:
        """The bytes from its first to its last, None if the length of a file decides."""
        if self.size is not None:
            return as_size(self.size)
        return len(self.source) if isinstance(self.source, bytes) else None

    def extents(self, length: int, start: int) -> list[Extent]:
        """Return what it takes of the disk from ``start`` on, if its source has ``length`` bytes.

        Often one extent.  Without any bytes it is an empty extent at its start.
        """
        return self._own(Extent(start, self.room(length))) or [Extent(start, 0)]

    def _own(self, place: Extent) -> list[Extent]:
        """Return the bytes of the disk in ``place`` that are not kept."""
        kept = [(parse_size(low), parse_size(high)) for low, high in self.keep]
        holes = [Extent(place.start + low, high - low) for low, high in kept]
        return list(subtract([place], holes))

    def fill(
        self, files: Files, where: str, numbers: Numbers | None = None, start: int | None = None
    ) -> Picture:
        """Return its bytes at their places, from ``start`` on where it has none of its own.

        Raises DescriptionError or WorldError; ``numbers`` are needed if there are symbols in it.
        """
        canvas, here, source = Canvas(), source_of(where), self.source
        first = parse_size(self.start or 0) if start is None else start
        if not isinstance(source, (str, PathLike, bytes)):
            place = Extent(first, source.size(files, here))
            draw(canvas, first, source.stretches(place, self._own(place), files, numbers, here))
            return canvas.picture()
        part = self._range(files, here)
        shift = first - part.start
        for own in self._own(Extent(first, part.length)):
            piece = Extent(own.start - shift, own.length)
            is_range = parse_size(self.offset) or self.length is not None
            if is_range and not isinstance(source, bytes):
                path = fspath(source)
                found = range_parts(files, path, piece, files.size(path, here), here)
                canvas.parts(shift, path, found)
            else:
                draw(canvas, first, [stretch_of(source, piece, part.length, files, here)])
        return canvas.picture()


def source_of(where: str) -> str:
    """Return what a segment's source is called: `BootCode` is both where it is ``Disk(boot=...)``.
    """
    return where if where == BOOT else f"{where}.source"


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
