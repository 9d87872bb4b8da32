"""Another picture of a volume, without planning it anew: a file changed and moved nothing.

Names, clusters, directories and tables of a volume depend on its files by their names and by the
number of clusters that each takes.  A file that takes as many as before shows in two places only:
where its contents lie, and in the four bytes of its directory entry that say how long it is.  The
planner says where these are (`picture.Outline`); `amended` returns what it would have returned.
"""

from bisect import bisect_right
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from doit_diskimg.plan.content import FilePart
from doit_diskimg.plan.picture import BLOB, Piece, Spot
from doit_diskimg.units import ceil_div

_FIELD = 4
"""Bytes of the number that says how long a file is."""


class Change(NamedTuple):
    """One file of the host that changed."""

    spots: Sequence[Spot]
    """Every place where it shows."""
    length: int
    parts: Sequence[FilePart]
    """Its new contents."""


class Amended(NamedTuple):
    """What becomes of some pieces of a picture."""

    pieces: list[Sequence[Piece]]
    """For each of them, in their order, what is in its place."""
    blob: bytes


def amended(
    pieces: Sequence[Piece], blob: bytes, unit: int, changes: Mapping[str, Change]
) -> Amended | None:
    """Return what becomes of the pieces; None if it takes a planner to say what.

    ``pieces`` are those of a picture, in their order: all of metadata and all of the changed files
    at least.  ``changes`` are known by the paths that pieces may have.
    """
    numbers, places, lengths = _Numbers(pieces, blob), {}, Counter[tuple[str, int]]()
    for piece in pieces:
        lengths[piece.file, piece.start - piece.offset] += piece.length
    for change in changes.values():
        if not change.spots or not change.length:
            return None  # it was empty, or is
        units = ceil_div(change.length, unit)
        for spot in change.spots:
            place = spot.source, spot.start
            places[place] = change
            if units != ceil_div(lengths[place], unit):
                return None
            if not numbers.store(spot.field, change.length):
                return None
    found: list[Sequence[Piece]] = []
    for piece in pieces:
        if piece.file == BLOB or piece.file not in changes:
            found.append((piece,))
            continue
        change_here = places.get((piece.file, piece.start - piece.offset))
        if change_here is None:
            return None  # it shows in boot code or reserved sectors, too
        found.append(_pieces(piece, change_here.parts) if piece.offset == 0 else ())
    return Amended(found, bytes(numbers.data))


def _pieces(first: Piece, parts: Sequence[FilePart]) -> list[Piece]:
    """Return the pieces of a file whose first one was ``first``."""
    return [
        Piece(first.start + part.offset, part.length, first.file, part.offset, part.digest)
        for part in parts
    ]


class _Numbers:
    """The blob of a picture, in which single numbers are replaced."""

    def __init__(self, pieces: Sequence[Piece], blob: bytes) -> None:
        self.data = bytearray(blob)
        self._pieces = pieces
        self._starts = [piece[0] for piece in pieces]

    def store(self, place: int, value: int) -> bool:
        """Put ``value`` at ``place``, a byte of the disk; return whether there is room for it."""
        index = bisect_right(self._starts, place) - 1
        piece = self._pieces[index] if index >= 0 else None
        if piece is None or piece.file != BLOB or piece.digest or place + _FIELD > piece.end:
            return False
        if value >= 1 << 8 * _FIELD:
            return False
        offset = piece.offset + place - piece.start
        self.data[offset : offset + _FIELD] = value.to_bytes(_FIELD, "little")
        return True
