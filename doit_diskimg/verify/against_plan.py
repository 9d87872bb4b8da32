"""What the image holds, and what was planned: pieces, zeros between them, files in the volumes.

A `picture.Picture` says of every byte what it must be: a piece has bytes or a digest, and what no
piece covers is zero.  That does not say that a reader finds the files, so each volume's files, as
this package reads them, are compared with their sources too.
"""

from collections.abc import Mapping, Sequence
from itertools import islice

from doit_diskimg.extent import Extent, subtract
from doit_diskimg.plan.content import hasher
from doit_diskimg.plan.picture import Picture, Piece
from doit_diskimg.verify.finding import Findings
from doit_diskimg.verify.judge import Checked
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
        text = "bytes that nobody claimed are not zero"
        found.add("not-zero", text, at=place + at, length=len(data.strip(b"\0")))


def _compare_piece(source: Source, piece: Piece, blob: bytes, found: Findings) -> None:
    if not piece.file:
        same = source.read(piece.start, piece.length) == memoryview(blob)[
            piece.offset : piece.offset + piece.length
        ]
        text = "not the bytes that were planned"
    else:
        digest = hasher()
        for start in range(piece.start, piece.end, CHUNK):
            digest.update(source.read(start, min(CHUNK, piece.end - start)))
        same = digest.hexdigest() == piece.digest
        text = f"not the bytes of {piece.file!r}"
    if not same:
        found.add("not-as-planned", text, at=piece.start, length=piece.length)


def compare_files(checked: Checked, wanted: Mapping[str, str | None]) -> None:
    """Report files of a volume that are missing, too many, or not what they must be.

    ``wanted`` gives the digest of each path, and None for directories, whose paths end with ``/``.
    """
    volume, found = checked.volume, checked.found
    if volume is None:
        text = "there is no volume, or it can't be read"
        found.add("file-differs", text, at=0)
        return
    stored = {file.path: file for file in volume.files}
    for path in sorted(wanted.keys() | stored.keys()):
        file, digest = stored.get(path), wanted.get(path)
        if file is None:
            found.add("file-differs", "it is missing", path=f"/{path}")
        elif path not in wanted:
            found.add("file-differs", "nobody wanted it", path=f"/{path}")
        elif digest is not None:
            contents = hasher()
            for data in volume.contents(file, CHUNK):
                contents.update(data)
            if contents.hexdigest() != digest:
                at = volume.geometry.place(file.runs[0][0]) if file.runs else None
                text = f"its {file.size:,} bytes are not those of its source"
                found.add("file-differs", text, at=at, length=file.size, path=f"/{path}")
