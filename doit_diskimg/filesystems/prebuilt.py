"""A file that goes into its partition as it is: a file system that another program made."""

from collections.abc import Iterable, Iterator
from os import PathLike, fspath

from doit_diskimg.content import Files, Wanted, parts
from doit_diskimg.errors import BadValue, ContentTooLarge, DescriptionError, Problem
from doit_diskimg.extent import Extent
from doit_diskimg.frozen import dataclass
from doit_diskimg.picture import Canvas, Picture
from doit_diskimg.ports import Place, Room
from doit_diskimg.units import SECTOR, exact_size


@dataclass(frozen=True)
class File:
    """The bytes of ``path``, from the partition's first byte on.

    Without a size of its own the partition is as long as the file, in whole sectors.  In a longer
    partition the rest is zero.
    """

    path: str | PathLike[str]

    populated = False

    def problems(
        self, where: str, size: int | None, sector_size: int = SECTOR
    ) -> Iterator[Problem]:
        """Yield what is wrong with the description; see `ports.Payload`."""
        if not isinstance(self.path, (str, PathLike)) or not fspath(self.path):
            yield BadValue(
                f"{where}.payload", f"{self.path!r} is no path",
                "File(...) takes the path of a file", 'write for example File("build/root.ext2")',
            )

    def sources(self, where: str) -> Iterable[Wanted]:
        """Yield the file."""
        return [Wanted(f"{where}.payload", self.path)]

    def blank(self) -> object:
        """Nothing but the file's length decides the room."""
        return None

    def room(
        self, size: int | None, files: Files, where: str, sector_size: int = SECTOR
    ) -> Room:
        """Return the length of the file.  Raises WorldError if there is none."""
        length = files.size(fspath(self.path), f"{where}.payload")
        return Room(length=length, facts=(("content", exact_size(length)),))

    def fill(self, place: Place, files: Files, where: str) -> Picture:
        """Return the file."""
        path, where = fspath(self.path), f"{where}.payload"
        length = files.size(path, where)
        if length > place.extent.length:
            raise DescriptionError(
                [
                    ContentTooLarge(
                        where, f"{path!r} has {exact_size(length)}",
                        f"its partition has {exact_size(place.extent.length)}",
                        "run doit again if it has just grown, else raise the partition's size",
                    )
                ]
            )
        canvas = Canvas()
        canvas.parts(place.extent.start, path, parts(files, path, length, where))
        return canvas.picture()

    def needed(self, extent: Extent, picture: Picture) -> Iterator[Extent]:
        """Yield the file, zeros and all: what they mean is its file system's business."""
        for piece in picture.pieces:
            yield Extent(piece.start, piece.length)
