"""A name, a place, a source: the parts of a disk.

`Segment` is the user's word for bytes outside the partitions.  `Region` and `PlacedPartition` are
what the layout makes of the description: the same parts with their places fixed.
"""

from dataclasses import dataclass
from os import PathLike, fspath
from typing import TYPE_CHECKING, NamedTuple

from doit_diskimg.content import Files
from doit_diskimg.extent import Extent
from doit_diskimg.picture import Canvas, Picture
from doit_diskimg.units import SizeLike

if TYPE_CHECKING:
    from uuid import UUID


class Identity(NamedTuple):
    """Who a disk is, in the words of either table."""

    guid: "UUID"
    """The disk GUID of a GPT."""
    signature: int
    """The disk signature of an MBR: 32 bits, not 0."""


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
    """From 1, in the order of the description."""
    name: str
    extent: Extent
    type: str
    """A type GUID in lower case, or an MBR type byte as ``0x0c``."""
    guid: str
    """Partition GUID in lower case; empty where the table has none."""
    attributes: int
    active: bool


@dataclass(frozen=True)
class Segment:
    """Bytes outside the partitions: boot code, a stage 2 in the post-MBR gap, a firmware blob.

    ``source`` is a path of the host or bytes as they are; ``start`` is the place on the disk in
    bytes (``512`` or ``"8KiB"``).  The segment is as long as its source and may not overlap
    anything; boot code in sector 0 has bytes 0 to 439, since the partition table follows it.
    """

    name: str
    source: str | PathLike[str] | bytes
    start: SizeLike

    def length(self, files: Files, where: str) -> int:
        """Return the bytes it takes.  Raises WorldError if the source is missing."""
        if isinstance(self.source, bytes):
            return len(self.source)
        return files.size(fspath(self.source), f"{where}.source")

    def fill(self, extent: Extent, files: Files, where: str) -> Picture:
        """Return its bytes at their place."""
        canvas = Canvas()
        if isinstance(self.source, bytes):
            canvas.content(extent.start, self.source)
        else:
            path, where = fspath(self.source), f"{where}.source"
            canvas.file(extent.start, files.size(path, where), path, files.digest(path, where))
        return canvas.picture()
