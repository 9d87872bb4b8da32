"""A name, a place, a source: the parts of a disk.

`Segment` is the user's word for bytes outside the partitions.  `Region` and `PlacedPartition` are
what the layout makes of the description: the same parts with their places fixed.
"""

from collections.abc import Iterator, Sequence
from dataclasses import KW_ONLY
from os import PathLike, fspath
from typing import TYPE_CHECKING, NamedTuple

from doit_diskimg.bootcode import BootCode, draw
from doit_diskimg.content import Files, Wanted
from doit_diskimg.errors import BadValue, Problem
from doit_diskimg.extent import Extent, subtract
from doit_diskimg.fields import (
    as_size,
    keep_problems,
    name_problems,
    path_text_problems,
    size_problems,
)
from doit_diskimg.frozen import dataclass
from doit_diskimg.units import SizeLike, parse_size

if TYPE_CHECKING:
    from uuid import UUID

    from doit_diskimg.picture import Picture
    from doit_diskimg.symbols import Numbers, Symbol


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

    ``source`` is a path of the host, bytes as they are, or `BootCode`, which has patches; ``start``
    is the place on the disk in bytes (``512`` or ``"8KiB"``).  The segment is as long as its source
    and may not overlap anything; boot code in sector 0 has bytes 0 to 439, since the partition
    table follows it.

    ``keep`` are ranges of the source, half-open and in bytes, that are not the segment's own: boot
    code that spans the partition table leaves it alone with ``keep=[(440, 512)]``.
    """

    name: str
    source: str | PathLike[str] | bytes | BootCode
    start: SizeLike
    _: KW_ONLY
    keep: Sequence[tuple[SizeLike, SizeLike]] = ()

    def problems(self, where: str) -> Iterator[Problem]:
        """Yield what is wrong with the description itself."""
        yield from name_problems(self.name, f"{where}.name")
        yield from size_problems(self.start, f"{where}.start", 1, needed=True)
        yield from keep_problems(self.keep, f"{where}.keep")
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

    def length(self, files: Files, where: str) -> int:
        """Return the bytes of its source.  Raises WorldError if there is none."""
        if isinstance(self.source, BootCode):
            return self.source.size(files, source_of(where))
        if isinstance(self.source, bytes):
            return len(self.source)
        return files.size(fspath(self.source), source_of(where))

    def extents(self, length: int) -> list[Extent]:
        """Return what it takes of the disk if its source has ``length`` bytes: often one extent.

        Without any bytes it is an empty extent at its start.
        """
        start = parse_size(self.start)
        whole = Extent(start, length)
        kept = [(parse_size(low), parse_size(high)) for low, high in self.keep]
        holes = [Extent(start + low, high - low) for low, high in kept]
        return list(subtract([whole], holes)) or [Extent(start, 0)]

    def fill(self, files: Files, where: str, numbers: "Numbers | None" = None) -> "Picture":
        """Return its bytes at their places.

        Raises DescriptionError or WorldError; ``numbers`` are needed if there are symbols in it.
        """
        from doit_diskimg.picture import Canvas

        source = self.source
        code = source if isinstance(source, BootCode) else BootCode(source)
        canvas, where = Canvas(), source_of(where) if code is source else where
        place = Extent(parse_size(self.start), code.size(files, where))
        own = self.extents(place.length)
        draw(canvas, place.start, code.stretches(place, own, files, numbers, where))
        return canvas.picture()


def source_of(where: str) -> str:
    """Return what a segment's source is called: `BootCode` is both where it is ``Disk(boot=...)``.
    """
    return where if where == BOOT else f"{where}.source"
