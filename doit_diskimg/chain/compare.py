"""What the image holds, and what was planned or sealed; it is read whole, by the judge's code.

A `picture.Picture` says of every byte what it must be: a piece has bytes or a digest, and what no
piece covers is zero.  That does not say that a reader finds the files: `verify` does.
"""

import os
from collections.abc import Sequence
from contextlib import suppress
from itertools import islice

from doit_diskimg.chain.job import Job
from doit_diskimg.disk.placed import Layout, decode_places
from doit_diskimg.errors import WorldError
from doit_diskimg.extent import Extent, subtract
from doit_diskimg.host import kept
from doit_diskimg.host.hashing import digest_of_chunks
from doit_diskimg.host.kept import Places
from doit_diskimg.host.seal import sealed_receipts
from doit_diskimg.host.state import UNREADABLE, StateFolder, load, need, read, read_json
from doit_diskimg.plan.picture import Picture, Piece
from doit_diskimg.plan.stored import decode_plan, decode_receipt
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


def only_guests_wrote(job: Job, layout: Layout, found: Places) -> bool:
    """Return whether everything else in the image is what was sealed; it is read to find out."""
    state = job.state
    generation = read_json(state.file("generation"))
    receipts = sealed_receipts(state, str(generation.get("id", "")))
    skeleton = load(state.file("layout.json"), decode_places)[1]
    if receipts is None or generation.get("skeleton") != skeleton:
        return False
    if {name: layout.extent(name) for name in job.guests} != found:
        return False
    try:
        pictures = [decode_plan(decode_receipt(need(path))[1]) for path in receipts]
    except UNREADABLE:
        return False
    return _is_same(state.image, layout.size, pictures, found)


def holds_what_was_sealed(state: StateFolder) -> bool:
    """Return whether the image's bytes are what the sealed receipts say; it is read to find out.

    That is the last proof: of a project that was restored without its nanoseconds, or of a backup
    that was put back.  What belongs to a guest may be anything.
    """
    seal = read_json(state.file("seal.json"))
    names, image = seal.get("receipts"), seal.get("image")
    if not isinstance(names, dict) or not isinstance(image, dict):
        return False
    size, guests = image.get("size"), kept.recorded(state) or {}
    # The first seal has receipts of what was made for a guest, who may have overwritten it.
    theirs = {os.path.basename(state.file(name, ".injected")) for name in guests}
    with suppress(*UNREADABLE, WorldError):
        pictures = []
        for name in {os.path.basename(name) for name in names} - theirs:
            receipt = read(os.path.join(state.path, name)) or b""
            generation, plan = decode_receipt(receipt)
            if generation != seal.get("generation"):
                return False
            pictures.append(decode_plan(plan))
        if not isinstance(size, int) or not any(picture.pieces for picture in pictures):
            return False
        return _is_same(state.image, size, pictures, guests)
    return False


def _is_same(image: str, size: int, pictures: Sequence[Picture], guests: Places) -> bool:
    """Return whether the image is what the pictures say, but for what is the guests'."""
    differences = Findings()
    with Source(image) as source:
        compare_bytes(source, size, pictures, differences, list(filter(None, guests.values())))
    return not list(differences)
