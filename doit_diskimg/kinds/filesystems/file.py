"""A file that goes into its partition as it is: a file system that another program made.

Or boot code with patches: a GPT may have a partition for it.
"""

from collections.abc import Iterable, Iterator
from dataclasses import KW_ONLY
from os import PathLike, fspath

from doit_diskimg.disk.fields import range_problems, shown
from doit_diskimg.disk.segment import CodeSource, draw
from doit_diskimg.disk.sockets import Payload, Place, Room
from doit_diskimg.disk.symbols import Symbol
from doit_diskimg.errors import BadValue, ContentTooLarge, DescriptionError, Problem
from doit_diskimg.extent import Extent
from doit_diskimg.frozen import dataclass
from doit_diskimg.plan.content import Files, Wanted, range_of, range_parts
from doit_diskimg.plan.picture import Canvas, Picture
from doit_diskimg.units import SECTOR, SizeLike, exact_size


@dataclass(frozen=True, described=True)
class File(Payload):
    """The bytes of ``path``, from the partition's first byte on; `BootCode` has patches in them.

    ``offset`` and ``length`` are bytes of the file: the partition has those alone, from ``offset``
    on, and without a ``length`` all that follow.  A file that ends before is an error.

    Without a size of its own the partition is as long as that, in whole sectors.  In a longer
    partition the rest is zero.
    """

    path: str | PathLike[str] | CodeSource
    _: KW_ONLY
    offset: SizeLike = 0
    length: SizeLike | None = None

    def problems(
        self, where: str, size: int | None, sector_size: int = SECTOR
    ) -> Iterator[Problem]:
        where, is_file = f"{where}.payload", isinstance(self.path, (str, PathLike))
        if isinstance(self.path, CodeSource):
            yield from self.path.source_problems(where)
        elif not is_file or not fspath(self.path):
            yield BadValue(
                where, f"{self.path!r} is not a path", "File(...) takes the path of a file",
                'write for example File("build/root.ext2")',
            )
        yield from range_problems(self.offset, self.length, where, is_file=is_file)

    def sources(self, where: str) -> Iterable[Wanted]:
        where = f"{where}.payload"
        if isinstance(self.path, (str, PathLike)):
            return [Wanted(where, self.path)]
        return self.path.wanted(where)

    def asks(self, where: str) -> Iterable[tuple[str, Symbol]]:
        if isinstance(self.path, (str, PathLike)):
            return ()
        return self.path.asks(f"{where}.payload")

    def room(
        self, size: int | None, files: Files, where: str, sector_size: int = SECTOR
    ) -> Room:
        length = self._range(files, f"{where}.payload").length
        return Room(length=length, facts=(("content", exact_size(length)),))

    def fill(self, place: Place, files: Files, where: str) -> Picture:
        where = f"{where}.payload"
        part = self._range(files, where)
        name = fspath(self.path) if isinstance(self.path, (str, PathLike)) else (
            getattr(self.path, "source", "its source")
        )
        own = room_in(place, part.length, where, shown(name))
        canvas, start = Canvas(), place.extent.start
        if isinstance(self.path, (str, PathLike)):
            path = fspath(self.path)
            found = range_parts(files, path, part, files.size(path, where), where)
            canvas.parts(start - part.start, path, found)
        else:
            draw(canvas, start, self.path.stretches(own, [own], files, place.numbers, where))
        return canvas.picture()

    def needed(self, extent: Extent, picture: Picture) -> Iterator[Extent]:
        for piece in picture.pieces:
            yield Extent(piece.start, piece.length)

    def _range(self, files: Files, where: str) -> Extent:
        """Return the bytes of the source that are in the partition."""
        if isinstance(self.path, (str, PathLike)):
            path = fspath(self.path)
            return range_of(files.size(path, where), self.offset, self.length, path, where)
        return Extent(0, self.path.size(files, where))


def room_in(place: Place, length: int, where: str, what: str) -> Extent:
    """Return where ``length`` bytes lie that fill a partition from its beginning on.

    Raises DescriptionError if they are more than it has, by a change since it was placed.
    """
    if length > place.extent.length:
        raise DescriptionError(ContentTooLarge(
            where, f"{what} has {exact_size(length)}",
            f"its partition has {exact_size(place.extent.length)}",
            "run doit again if it has just grown, else raise the partition's size",
        ))
    return Extent(place.extent.start, length)
