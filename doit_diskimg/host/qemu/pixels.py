"""Pixels of a guest's screen, from the picture in netpbm's PPM format that QEMU takes; pure."""

import re
from typing import NamedTuple

from doit_diskimg.kinds.machines.expect import Screen
from doit_diskimg.plan.content import digest_of

_HEAD = re.compile(rb"P6\s+(\d+)\s+(\d+)\s+255\s")
"""ppm(5): width, height, the largest value of a sample."""


class Pixels(NamedTuple):
    """A picture: three bytes a pixel, row by row from the upper left; empty if there is none."""

    width: int
    height: int
    data: bytes

    def digest(self, part: Screen) -> str:
        """Return the digest of a part, empty if that is not in the picture."""
        if part.x + part.width > self.width or part.y + part.height > self.height:
            return ""
        rows = (
            self.data[3 * (row * self.width + part.x) :][: 3 * part.width]
            for row in range(part.y, part.y + part.height)
        )
        return digest_of(b"".join(rows))


def read_pixels(data: bytes) -> Pixels:
    """Return the picture of a file."""
    head = _HEAD.match(data)
    if head is None:
        return Pixels(0, 0, b"")
    return Pixels(int(head[1]), int(head[2]), data[head.end() :])
