"""The difference of two pictures: what to write and what to zero so that one becomes the other.

Pure: it compares digests and blobs, never an image.  A file's bytes count as present when the same
digest lies at the same place; metadata is compared sector by sector, so that a grown file rewrites
the sectors of the FAT that differ and not the FAT.
"""

from bisect import bisect_right
from collections.abc import Iterable, Iterator, Sequence
from itertools import pairwise

from doit_diskimg.extent import Extent, subtract
from doit_diskimg.frozen import dataclass
from doit_diskimg.plan.picture import BLOB, Picture, Piece
from doit_diskimg.units import SECTOR, align_down

_STRIDE = 64 * SECTOR
"""Bytes of metadata that are compared at once before looking at single sectors."""


@dataclass(frozen=True)
class ImagePatch:
    """``writes`` and ``zeros`` are sorted and disjoint; all bytes in neither stay as they are."""

    writes: tuple[Piece, ...] = ()
    zeros: tuple[Extent, ...] = ()

    @property
    def extents(self) -> int:
        """How many separate stretches of the disk change; the parts of one file are one."""
        follows = sum(
            (left.file, left.offset + left.length, left.end)
            == (right.file, right.offset, right.start)
            for left, right in pairwise(self.writes)
            if left.file != BLOB
        )
        return len(self.writes) - follows + len(self.zeros)

    @property
    def length(self) -> int:
        """How many bytes of the disk change."""
        return sum(piece.length for piece in self.writes) + sum(
            extent.length for extent in self.zeros
        )


def diff(old: Picture, new: Picture) -> ImagePatch:
    """Return the patch that turns a region that holds ``old`` into one that holds ``new``."""
    present = {(piece.start, piece.length, piece.digest) for piece in old.pieces if piece.digest}
    metadata = _Metadata(old)
    writes: list[Piece] = []
    for piece in new.pieces:
        if not piece.digest:
            writes.extend(metadata.changed(piece, new.blob))
        elif (piece.start, piece.length, piece.digest) not in present:
            writes.append(piece)
    return ImagePatch(tuple(writes), tuple(_left(old, new)) if old.pieces else ())


def _left(old: Picture, new: Picture) -> Iterable[Extent]:
    """Return what the old picture covers and the new one does not."""
    # Pieces that both have need no look, for they overlap nothing else in either.
    before = {Extent(*piece[:2]) for piece in old.pieces}
    after = {Extent(*piece[:2]) for piece in new.pieces}
    return subtract(before - after, after - before)


class _Metadata:
    """The old picture's metadata, asked for by place."""

    def __init__(self, picture: Picture) -> None:
        self._blob = picture.blob
        self._pieces: Sequence[Piece] = picture.pieces
        self._starts = [piece.start for piece in picture.pieces]

    def changed(self, piece: Piece, blob: bytes) -> Iterator[Piece]:
        """Yield the stretches of a new piece of metadata that the disk does not hold yet."""
        data = memoryview(blob)[piece.offset : piece.offset + piece.length]
        run: tuple[int, int] | None = None
        for low, high in _cuts(piece.start, piece.end, _STRIDE):
            step = SECTOR if self._differs(low, data[low - piece.start : high - piece.start]) else 0
            for first, last in _cuts(low, high, step) if step else ():
                if not self._differs(first, data[first - piece.start : last - piece.start]):
                    continue
                if run and run[1] == first:
                    run = (run[0], last)
                else:
                    if run:
                        yield _part(piece, *run)
                    run = (first, last)
        if run:
            yield _part(piece, *run)

    def _differs(self, start: int, data: memoryview) -> bool:
        """Return whether the old bytes at ``start`` are known to be other than ``data``, or are
        not known: those of a file are compared by digest only.
        """
        position, end = start, start + len(data)
        index = max(bisect_right(self._starts, start) - 1, 0)
        while position < end:
            while index < len(self._pieces) and self._pieces[index].end <= position:
                index += 1
            piece = self._pieces[index] if index < len(self._pieces) else None
            if piece is None or piece.start >= end:
                return any(data[position - start :])
            if piece.start > position:
                if any(data[position - start : piece.start - start]):
                    return True
                position = piece.start
            stop = min(piece.end, end)
            offset = piece.offset + position - piece.start
            if (
                piece.digest
                or data[position - start : stop - start]
                != memoryview(self._blob)[offset : offset + stop - position]
            ):
                return True
            position = stop
        return False


def _cuts(start: int, end: int, step: int) -> Iterator[tuple[int, int]]:
    """Yield ``start..end`` cut at the multiples of ``step`` of the disk."""
    while start < end:
        stop = min(align_down(start, step) + step, end)
        yield start, stop
        start = stop


def _part(piece: Piece, start: int, end: int) -> Piece:
    return piece._replace(
        start=start, length=end - start, offset=piece.offset + start - piece.start
    )
