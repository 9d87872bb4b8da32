"""Bytes with places: what a region of the disk will hold, before anything is written.

A `Picture` is a sorted list of pieces.  Each piece is a range of some file, either of one of the
user's own files or of the picture's **blob**, which holds the metadata that we make (boot sectors,
tables, directories).  What no piece covers is zero, so a picture of a 64 GiB volume is as small as
what is in it.  Kinds draw pictures with `Canvas`; `plan` stores and `patch` compares them.
"""

from collections.abc import Iterable
from dataclasses import field
from typing import NamedTuple
from zlib import crc32

from doit_diskimg.extent import Extent
from doit_diskimg.frozen import dataclass
from doit_diskimg.plan.content import FilePart, Files, digest_of
from doit_diskimg.plan.recipe import Made
from doit_diskimg.units import SECTOR, align_down

BLOB = ""
"""The `Piece.file` of bytes that lie in the picture's own blob."""


_ZEROS = memoryview(bytes(1 << 16))


class Piece(NamedTuple):
    """``length`` bytes for ``start`` (bytes from the beginning of the disk)."""

    start: int
    length: int
    file: str
    offset: int
    """Where they begin within ``file``."""
    digest: str
    """Digest of exactly these bytes; empty for pieces of the blob, which are compared directly."""

    @property
    def end(self) -> int:
        """The first byte of the disk after the piece."""
        return self.start + self.length


@dataclass(frozen=True)
class Spot:
    """One place where a file of the host shows in a picture, in bytes of the disk."""

    source: str
    """Its path on the host, as the pieces have it."""
    start: int
    """Where its contents begin."""
    field: int
    """Where four bytes say how long it is, the lowest first."""


@dataclass(frozen=True)
class Outline:
    """What of a picture depends on the contents of which file.

    ``unit`` is the length of a cluster in bytes.  With every place of a file in ``spots`` its
    planner promises: as long as the file takes as many units, no other byte of the blob depends on
    its contents or its length, unless the planner has read it (`content.Files.read` and the like).
    Files that have no spot may show anywhere.
    """

    unit: int
    spots: tuple[Spot, ...]


@dataclass(frozen=True)
class Picture:
    """Pieces sorted by ``start``, no two of which overlap, and the blob that some refer to."""

    pieces: tuple[Piece, ...] = ()
    blob: bytes = b""
    notes: tuple[str, ...] = field(default=(), compare=False)
    """What a person should know though it can be built; no part of what the disk will hold."""
    outline: Outline | None = field(default=None, compare=False)
    """How it would be with other contents of its files, if the planner knows; see `amend`."""

    def crc32(self, extent: Extent, files: Files, where: str) -> int:
        """Return the CRC-32 of the bytes in ``extent``, of which no piece is only in part."""
        value, position = 0, extent.start
        for piece in self.pieces:
            if not extent.contains(Extent(piece.start, piece.length)):
                continue
            value = _crc32_of_zeros(piece.start - position, value)
            if piece.file == BLOB:
                value = crc32(self.blob[piece.offset : piece.offset + piece.length], value)
            else:
                value = files.crc32(piece.file, piece.offset, piece.length, value, where)
            position = piece.end
        return _crc32_of_zeros(extent.end - position, value)

    @property
    def written(self) -> int:
        """How many bytes of the disk the pieces cover."""
        return sum(piece.length for piece in self.pieces)


def _crc32_of_zeros(length: int, value: int) -> int:
    while length > 0:
        value = crc32(_ZEROS[:length], value)
        length -= len(_ZEROS)
    return value


class Canvas:
    """Collects what a kind wants to see on the disk and returns it as a `Picture`."""

    def __init__(self) -> None:
        self._pieces: list[Piece] = []
        self._blob = bytearray()

    def data(self, start: int, data: bytes | bytearray) -> None:
        """Put bytes of ours at ``start``.

        Sectors that are all zero leave no piece, for zero is what an uncovered byte is; the first
        and the last sector may be partial.
        """
        run = 0  # beginning of the current stretch of non-zero sectors
        position = 0
        while position < len(data):
            # Sectors of the disk, not of the data, so that two pictures cut in the same places.
            step = align_down(start + position, SECTOR) + SECTOR - start
            if not any(data[position:step]):
                self._blob_piece(start + run, data[run:position])
                run = step
            position = step
        self._blob_piece(start + run, data[run:])

    def whole(self, start: int, data: bytes) -> None:
        """Put bytes of ours at ``start``, zeros included, since they are read."""
        self._blob_piece(start, data)

    def again(self, start: int, length: int, source: int) -> None:
        """Repeat at ``start`` the bytes that this canvas already has at ``source``.

        FAT's second table costs no second copy in the blob.
        """
        for piece in list(self._pieces):
            low, high = max(piece.start, source), min(piece.end, source + length)
            if low < high:
                self._pieces.append(
                    piece._replace(
                        start=low - source + start,
                        length=high - low,
                        offset=piece.offset + low - piece.start,
                    )
                )

    def file(self, start: int, length: int, file: str, digest: str, offset: int = 0) -> None:
        """Put ``length`` bytes of a file of the user's at ``start``; none leave no piece.

        ``digest`` is that of exactly these bytes, which begin at ``offset`` in the file.
        """
        if length:
            self._pieces.append(Piece(start, length, file, offset, digest))

    def parts(self, start: int, file: str, parts: Iterable[FilePart]) -> None:
        """Put a file of the user's at ``start``, of which these are the parts."""
        for part in parts:
            self._pieces.append(
                Piece(start + part.offset, part.length, file, part.offset, part.digest)
            )

    def made(self, start: int, made: Made) -> None:
        """Put a payload that programs made at ``start``."""
        for chunk in made.chunks:
            self.file(start + chunk.offset, chunk.length, made.file, chunk.digest, chunk.offset)

    def content(self, start: int, data: bytes) -> None:
        """Put the user's own inline bytes at ``start``: one piece, known by its digest."""
        if data:
            self._pieces.append(
                Piece(start, len(data), BLOB, len(self._blob), digest_of(data))
            )
            self._blob += data

    def picture(self, notes: Iterable[str] = ()) -> Picture:
        """Return everything, sorted.  Raises ValueError if two pieces overlap: a kind's own bug."""
        pieces = sorted(self._pieces)
        end = 0
        for piece in pieces:
            if piece[0] < end:
                left = pieces[pieces.index(piece) - 1]
                raise ValueError(f"pieces overlap: {left} and {piece}")
            end = piece[0] + piece[1]
        return Picture(tuple(pieces), bytes(self._blob), tuple(notes))

    def _blob_piece(self, start: int, data: bytes | bytearray) -> None:
        if data:
            self._pieces.append(Piece(start, len(data), BLOB, len(self._blob), ""))
            self._blob += data
