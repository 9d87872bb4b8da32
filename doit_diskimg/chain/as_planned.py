"""What the image holds, and what was planned: pieces, and zeros between them.

A `picture.Picture` says of every byte what it must be: a piece has bytes or a digest, and what no
piece covers is zero.  That does not say that a reader finds the files: `verify` does.
"""

from collections.abc import Sequence
from itertools import islice

from doit_diskimg.extent import Extent, subtract
from doit_diskimg.host.hashing import digest_of_chunks
from doit_diskimg.plan.picture import Picture, Piece
from doit_diskimg.verify.finding import Findings
from doit_diskimg.verify.source import CHUNK, Source

_GHOSTS = 100
"""Chunks of bytes that should be zero that are looked at once one is not."""


def compare_bytes(
    source: Source,
    length: int,
    pictures: Sequence[Picture],
    found: Findings,
    apart: Sequence[Extent] = (),
) -> None:
    """Report where the image, which must have ``length`` bytes, is not what ``pictures`` say.

    What lies in ``apart``, where no picture has a piece, may be anything.
    """
    if source.length != length:
        text = f"the image has {source.length:,} bytes, {length:,} were planned"
        found.add("not-as-planned", text)
    pieces = [(piece, picture.blob) for picture in pictures for piece in picture.pieces]
    for piece, blob in sorted(pieces, key=lambda pair: pair[0].start):
        _compare_piece(source, piece, blob, found)
    claimed = [*(Extent(piece.start, piece.length) for piece, _ in pieces), *apart]
    for gap in subtract([Extent(0, length)], claimed):
        _compare_zero(source, gap.start, gap.end, found)


def _compare_zero(source: Source, start: int, end: int, found: Findings) -> None:
    for place, data in islice(source.chunks(start, end), _GHOSTS):
        at = len(data) - len(data.lstrip(b"\0"))
        text = "bytes that belong to no part of the disk are not zero"
        found.add("not-zero", text, at=place + at, length=len(data.strip(b"\0")))


def _compare_piece(source: Source, piece: Piece, blob: bytes, found: Findings) -> None:
    if not piece.file:
        same = source.read(piece.start, piece.length) == memoryview(blob)[
            piece.offset : piece.offset + piece.length
        ]
        text = "not the bytes that were planned"
    else:
        starts = range(piece.start, piece.end, CHUNK)
        chunks = (source.read(start, min(CHUNK, piece.end - start)) for start in starts)
        same = digest_of_chunks(chunks) == piece.digest
        text = f"not the bytes of {piece.file!r}"
    if not same:
        found.add("not-as-planned", text, at=piece.start, length=piece.length)
