"""`Zero`: room that is reserved for what runs from the disk, and that nobody has written yet."""

from doit_diskimg.disk.sockets import Payload, Place
from doit_diskimg.frozen import dataclass
from doit_diskimg.plan.content import Files
from doit_diskimg.plan.picture import Picture


@dataclass(frozen=True, described=True)
class Zero(Payload):
    """Nothing but zero bytes: swap, a slot for an update, an area that a guest formats.

    Its partition needs a ``size``, for example ``"rest"``.  It takes no room in the image file,
    which is sparse.
    """

    def fill(self, place: Place, files: Files, where: str) -> Picture:
        """Return the empty picture: what no piece covers is zero."""
        return Picture()
