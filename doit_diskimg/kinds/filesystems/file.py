"""A file that goes into its partition as it is: a file system that another program made.

Or boot code with patches: a GPT may have a partition for it.
"""

from collections.abc import Iterable, Iterator
from dataclasses import KW_ONLY
from os import PathLike, fspath
from typing import TYPE_CHECKING

from doit_diskimg.errors import BadValue, ContentTooLarge, DescriptionError, Problem
from doit_diskimg.frozen import dataclass
from doit_diskimg.plan.content import Files, Wanted
from doit_diskimg.units import SECTOR, SizeLike, exact_size

if TYPE_CHECKING:
    from doit_diskimg.disk.bootcode import BootCode
    from doit_diskimg.disk.sockets import Place, Room
    from doit_diskimg.disk.symbols import Symbol
    from doit_diskimg.extent import Extent
    from doit_diskimg.plan.picture import Picture


@dataclass(frozen=True)
class File:
    """The bytes of ``path``, from the partition's first byte on; `BootCode` has patches in them.

    ``offset`` and ``length`` are bytes of the file: the partition has those alone, from ``offset``
    on, and without a ``length`` all that follow.  A file that ends before is an error.

    Without a size of its own the partition is as long as that, in whole sectors.  In a longer
    partition the rest is zero.
    """

    path: "str | PathLike[str] | BootCode"
    _: KW_ONLY
    offset: SizeLike = 0
    length: SizeLike | None = None

    populated = False

    def problems(
        self, where: str, size: int | None, sector_size: int = SECTOR
    ) -> Iterator[Problem]:
        """Yield what is wrong with the description; see `ports.Payload`."""
        from doit_diskimg.disk.bootcode import BootCode
        from doit_diskimg.disk.fields import range_problems

        if isinstance(self.path, BootCode):
            yield from self.path.source_problems(f"{where}.payload")
        elif not isinstance(self.path, (str, PathLike)) or not fspath(self.path):
            yield BadValue(
                f"{where}.payload", f"{self.path!r} is no path",
                "File(...) takes the path of a file", 'write for example File("build/root.ext2")',
            )
        is_file = not isinstance(self.path, BootCode)
        yield from range_problems(
            self.offset, self.length, f"{where}.payload", is_file=is_file
        )

    def sources(self, where: str) -> Iterable[Wanted]:
        """Yield the file."""
        where = f"{where}.payload"
        if isinstance(self.path, (str, PathLike)):
            return [Wanted(where, self.path)]
        return self.path.wanted(where)

    def asks(self, where: str) -> "Iterator[tuple[str, Symbol]]":
        """Yield the symbols in it; see `abilities.Asking`."""
        if not isinstance(self.path, (str, PathLike)):
            yield from self.path.asks(f"{where}.payload")

    def blank(self) -> object:
        """Nothing but the length decides the room."""
        return None

    def room(
        self, size: int | None, files: Files, where: str, sector_size: int = SECTOR
    ) -> "Room":
        """Return the length of the file or its range.  Raises WorldError if it is not there."""
        from doit_diskimg.disk.sockets import Room

        length = self._range(files, f"{where}.payload").length
        return Room(length=length, facts=(("content", exact_size(length)),))

    def fill(self, place: "Place", files: Files, where: str) -> "Picture":
        """Return the file; of boot code, what is between its patches too."""
        from doit_diskimg.disk.segment import draw
        from doit_diskimg.extent import Extent
        from doit_diskimg.plan.content import range_parts
        from doit_diskimg.plan.picture import Canvas

        where = f"{where}.payload"
        part = self._range(files, where)
        length = part.length
        if length > place.extent.length:
            raise DescriptionError(
                ContentTooLarge(
                    where, f"{self._name!r} has {exact_size(length)}",
                    f"its partition has {exact_size(place.extent.length)}",
                    "run doit again if it has just grown, else raise the partition's size",
                )
            )
        canvas, start = Canvas(), place.extent.start
        if isinstance(self.path, (str, PathLike)):
            path = fspath(self.path)
            found = range_parts(files, path, part, files.size(path, where), where)
            canvas.parts(start - part.start, path, found)
        else:
            own = Extent(start, length)
            draw(canvas, start, self.path.stretches(own, [own], files, place.numbers, where))
        return canvas.picture()

    def _range(self, files: Files, where: str) -> "Extent":
        """Return the bytes of the file that are in the partition."""
        from doit_diskimg.extent import Extent
        from doit_diskimg.plan.content import range_of

        if isinstance(self.path, (str, PathLike)):
            path = fspath(self.path)
            return range_of(files.size(path, where), self.offset, self.length, path, where)
        return Extent(0, self.path.size(files, where))

    @property
    def _name(self) -> object:
        return fspath(self.path) if isinstance(self.path, (str, PathLike)) else self.path.source

    def needed(self, extent: "Extent", picture: "Picture") -> "Iterator[Extent]":
        """Yield the file, zeros and all: what they mean is its file system's business."""
        from doit_diskimg.extent import Extent

        for piece in picture.pieces:
            yield Extent(piece.start, piece.length)
