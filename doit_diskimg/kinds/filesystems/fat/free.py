"""How much of a volume stays free."""

import re
from typing import NamedTuple

from doit_diskimg.kinds.filesystems.fat.geometry import Geometry
from doit_diskimg.units import SizeLike, ceil_div, parse_size

DEFAULT = "10%"
"""What an automatic size leaves free unless told otherwise."""

_PERCENT = re.compile(r"\s*([0-9]+)\s*%\s*")


class Free(NamedTuple):
    """A part of the volume's clusters, or bytes; one of the two is 0."""

    percent: int
    length: int

    def clusters(self, geometry: Geometry) -> int:
        """Return how many clusters of the volume that is, rounded up."""
        part = ceil_div(self.percent * max(0, geometry.clusters), 100)
        return part + ceil_div(self.length, geometry.cluster_size)


def parse_free(free: SizeLike | None) -> Free:
    """Return what ``free`` says: ``"10%"`` of the volume, or a size; nothing for None.

    Raises ValueError, in words for the user, for anything else.
    """
    match = _PERCENT.fullmatch(free) if isinstance(free, str) else None
    if match is None:
        return Free(0, 0 if free is None else parse_size(free))
    percent = int(match[1])
    if percent >= 100:
        raise ValueError(f"{free!r} leaves nothing for the files")
    return Free(percent, 0)
