"""`Zero`: room that is reserved for whoever runs from the disk, and written by nobody before."""

from collections.abc import Iterable
from typing import TYPE_CHECKING

from doit_diskimg.frozen import dataclass
from doit_diskimg.units import SECTOR

if TYPE_CHECKING:
    from doit_diskimg.disk.sockets import Place, Room
    from doit_diskimg.errors import Problem
    from doit_diskimg.plan.content import Files, Wanted
    from doit_diskimg.plan.picture import Picture


@dataclass(frozen=True)
class Zero:
    """Nothing but zero bytes: swap, a slot for an update, an area that a guest formats.

    Its partition needs a ``size``, for example ``"rest"``.  It takes no room in the image file,
    which is sparse.
    """

    populated = False

    def problems(
        self, where: str, size: int | None, sector_size: int = SECTOR
    ) -> "Iterable[Problem]":
        """Yield nothing: there is nothing to describe."""
        return ()

    def sources(self, where: str) -> "Iterable[Wanted]":
        """Yield nothing."""
        return ()

    def blank(self) -> object:
        """Nothing decides the room but the partition's size."""
        return None

    def room(
        self, size: int | None, files: "Files", where: str, sector_size: int = SECTOR
    ) -> "Room":
        """Return no room at all: without a size of its own the partition is refused."""
        from doit_diskimg.disk.sockets import Room

        return Room(length=0)

    def fill(self, place: "Place", files: "Files", where: str) -> "Picture":
        """Return the empty picture: what nobody covers is zero."""
        from doit_diskimg.plan.picture import Picture

        return Picture()
