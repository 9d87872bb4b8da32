"""A name, a place, a source: the parts of a disk.

`Segment` is the user's word for bytes outside the partitions.  `Region` and `PlacedPartition` are
what the layout makes of the description: the same parts with their places fixed.
"""

from collections.abc import Iterator, Sequence
from dataclasses import KW_ONLY
from os import PathLike, fspath
from typing import TYPE_CHECKING, NamedTuple

from doit_diskimg.disk.bootcode import BootCode, draw
from doit_diskimg.disk.fields import (
    as_size,
    keep_problems,
    name_problems,
    path_text_problems,
    shown,
    size_problems,
)
from doit_diskimg.errors import BadSize, BadValue, Problem
from doit_diskimg.extent import Extent, subtract
from doit_diskimg.frozen import dataclass
from doit_diskimg.plan.content import Files, Wanted
from doit_diskimg.units import SizeLike, parse_size

if TYPE_CHECKING:
    from uuid import UUID

    from doit_diskimg.disk.symbols import Numbers, Symbol
    from doit_diskimg.plan.picture import Canvas, Picture


BOOT = "boot"
"""The place in the description of a bootloader that is one segment."""


class Identity(NamedTuple):
    """Who a disk is, in the words of either table."""

    guid: "UUID"
    """The disk GUID of a GPT."""
    signature: int
    """The disk signature of an MBR: 32 bits, not 0."""
    signature_given: bool = False
    """Whether the description has it; a hybrid MBR has none unless it is given."""


@dataclass(frozen=True, kw_only=True)
class Region:
    """A named stretch of the disk; everything that takes room is one."""

    name: str
    where: str
    """The part of the description that claims it, such as ``partitions[1]`` or ``table``."""
    extent: Extent


@dataclass(frozen=True, kw_only=True)
class PlacedPartition:
    """A partition as the table will record it."""

    number: int
    """From 1, in the order of the description; the logical ones of an MBR from 5, in that of the
    disk; 0 if the table does not mention the partition."""
    name: str
    extent: Extent
    type: str
    """A type GUID in lower case, or an MBR type byte as ``0x0c``."""
    guid: str
    """Partition GUID in lower case; empty where the table has none."""
    attributes: int
    active: bool
    partition_name: str | None = None
    """What a GPT calls it; None for ``name``."""
    payload_type: str = ""
    """The type that the payload would choose, by name; empty if it has none."""
    ebr: int | None = None
    """Where the sector that records a logical partition begins; None for all others."""


@dataclass(frozen=True)
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
    source: str | PathLike[str] | bytes | BootCode
    start: SizeLike | None = None
    _: KW_ONLY
    size: SizeLike | None = None
    offset: SizeLike = 0
    length: SizeLike | None = None
    keep: Sequence[tuple[SizeLike, SizeLike]] = ()

    def problems(self, where: str) -> Iterator[Problem]:
        """Yield what is wrong with the description itself."""
        from doit_diskimg.disk.ranges import range_problems

        yield from name_problems(self.name, f"{where}.name")
        yield from size_problems(self.start, f"{where}.start", 1)
        yield from self._size_problems(where)
        yield from keep_problems(self.keep, f"{where}.keep")
        is_file = not isinstance(self.source, (bytes, BootCode))
        yield from range_problems(self.offset, self.length, where, is_file=is_file)
        if self.start is None and self.keep:
            yield BadValue(
                f"{where}.keep", f"{shown(self.keep)} is given, and no start",
                "bytes of others are at a place that the segment must span",
                "write its start, or leave keep out",
            )
        if isinstance(self.source, BootCode):
            yield from self.source.source_problems(source_of(where), self._kept())
        elif not isinstance(self.source, (str, PathLike, bytes)):
            yield BadValue(
                source_of(where), f"{self.source!r} is no source",
                "must be the path of a file, bytes, or BootCode(...)",
                'write for example "build/stage2.bin"',
            )
        else:
            yield from path_text_problems(self.source, source_of(where))

    def _size_problems(self, where: str) -> Iterator[Problem]:
        yield from size_problems(self.size, f"{where}.size", 1)
        if self.size is not None and as_size(self.size) == 0:
            yield BadSize(
                f"{where}.size", "0 bytes", "must be 1 byte or more",
                "leave it out for the length of the source",
            )

    def _kept(self) -> list[Extent]:
        """Return the ranges that are not its own, those that are none left out."""
        pairs = self.keep if isinstance(self.keep, (list, tuple)) else ()
        bounds = [[*map(as_size, pair)] for pair in pairs if isinstance(pair, (list, tuple))]
        return [
            Extent(low, high - low) for low, high in (pair for pair in bounds if len(pair) == 2)
            if low is not None and high is not None
        ]

    def sources(self, where: str) -> Iterator[Wanted]:
        """Yield the files that it is made of; inline bytes are left out."""
        if isinstance(self.source, BootCode):
            yield from self.source.wanted(source_of(where))
        elif not isinstance(self.source, bytes):
            yield Wanted(source_of(where), self.source)

    def asks(self, where: str) -> "Iterator[tuple[str, Symbol]]":
        """Yield the symbols in it, each with its place in the description."""
        if isinstance(self.source, BootCode):
            yield from self.source.asks(source_of(where))

    def measure(self, files: Files, where: str) -> int:
        """Return the bytes of its source.  Raises WorldError if they are not there."""
        return self._range(files, source_of(where)).length

    def _range(self, files: Files, where: str) -> Extent:
        """Return which bytes of its source it takes."""
        if isinstance(self.source, BootCode):
            return Extent(0, self.source.size(files, where))
        if isinstance(self.source, bytes):
            return Extent(0, len(self.source))
        path = fspath(self.source)
        if not self._is_range():
            return Extent(0, files.size(path, where))
        from doit_diskimg.disk.ranges import range_of

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
        self, files: Files, where: str, numbers: "Numbers | None" = None, start: int | None = None
    ) -> "Picture":
        """Return its bytes at their places, from ``start`` on where it has none of its own.

        Raises DescriptionError or WorldError; ``numbers`` are needed if there are symbols in it.
        """
        from doit_diskimg.plan.picture import Canvas

        canvas, here = Canvas(), source_of(where)
        first = parse_size(self.start or 0) if start is None else start
        if self._is_range():
            self._draw_range(canvas, first, files, here)
            return canvas.picture()
        source = self.source
        code = source if isinstance(source, BootCode) else BootCode(source)
        where = here if code is source else where
        place = Extent(first, code.size(files, where))
        draw(canvas, first, code.stretches(place, self._own(place), files, numbers, where))
        return canvas.picture()

    def _is_range(self) -> bool:
        return bool(parse_size(self.offset)) or self.length is not None

    def _draw_range(self, canvas: "Canvas", start: int, files: Files, where: str) -> None:
        """Put a range of a file at ``start``."""
        from doit_diskimg.disk.ranges import range_parts

        assert isinstance(self.source, (str, PathLike))
        path, part = fspath(self.source), self._range(files, where)
        shift = start - part.start
        for own in self._own(Extent(start, part.length)):
            piece = Extent(own.start - shift, own.length)
            found = range_parts(files, path, piece, files.size(path, where), where)
            canvas.parts(shift, path, found)


def source_of(where: str) -> str:
    """Return what a segment's source is called: `BootCode` is both where it is ``Disk(boot=...)``.
    """
    return where if where == BOOT else f"{where}.source"
