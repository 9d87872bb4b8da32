"""A disk that is not written: a VMDK descriptor that points into the user's own files.

The descriptor (VMware, "Virtual Disk Format 5.0", section "The Descriptor File") is a text with a
line for each stretch of the disk: so many sectors, of that file, from that sector on.  A picture
says the same.  What is not whole sectors of a large file (metadata, small files, the last partial
sector of each) lies in one sparse file of ours, the **rest**, at its place on the disk.

QEMU would write a guest's changes into the user's files.  It refuses to open a file twice for
writing, so every descriptor names one file twice: it opens with ``snapshot=on`` or
``readonly=on`` only.

Two things that QEMU's reader (7.2) does not do: it skips ``ZERO`` lines, so zeros are holes of the
rest; and after an empty line it takes the first extent twice, so there is none.
"""

from bisect import bisect_right
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import NamedTuple

from doit_diskimg.frozen import dataclass
from doit_diskimg.plan.picture import BLOB, Picture, Piece
from doit_diskimg.units import SECTOR, align_down

MOST_EXTENTS = 200
"""Lines of a descriptor: QEMU keeps every one as an open file."""

_SMALLEST = 16 << 10
"""Bytes from which a file is linked rather than copied into the rest."""

_LONGEST_PATH = 511  # bytes: vmdk_parse_extents() in QEMU's block/vmdk.c


class Link(NamedTuple):
    """Whole sectors of the disk that are those of a file; all in bytes."""

    start: int
    length: int
    file: str
    offset: int


@dataclass(frozen=True)
class Linked:
    """A disk as links, sorted and disjoint, and the rest."""

    links: tuple[Link, ...]
    rest: Picture


def link(pictures: Iterable[Picture], tail: Callable[[str, int, int], bytes]) -> Linked:
    """Return how a disk with those pictures is put together; their paths must be absolute.

    ``tail(file, offset, length)`` returns bytes of a file, less than a sector.
    """
    whole = joined(pictures)
    runs = list(_runs(whole.pieces))
    candidates = sorted(filter(_linkable, runs), key=lambda run: -run.length)
    chosen = set(candidates[: (MOST_EXTENTS - 2) // 2])  # one line each, and one before each
    links, pieces, blob = list[Link](), list[Piece](), bytearray(whole.blob)
    for run in chosen:
        length = align_down(run.length, SECTOR)
        links.append(run._replace(length=length))
        if left := run.length - length:
            pieces.append(Piece(run.start + length, left, BLOB, len(blob), ""))
            blob += tail(run.file, run.offset + length, left)
    inside = sorted(chosen)
    pieces += [piece for piece in whole.pieces if not _within(piece, inside)]
    return Linked(tuple(sorted(links)), Picture(tuple(sorted(pieces)), bytes(blob)))


def _runs(pieces: Iterable[Piece]) -> Iterator[Link]:
    """Yield the stretches of files, as long as they are: a plan may have a file in chunks."""
    run = None
    for start, length, file, offset, _ in pieces:
        if file == BLOB:
            continue
        if run and run == (start - run.length, run.length, file, offset - run.length):
            run = run._replace(length=run.length + length)
            continue
        if run:
            yield run
        run = Link(start, length, file, offset)
    if run:
        yield run


def _within(piece: Piece, runs: Sequence[Link]) -> bool:
    index = bisect_right(runs, piece.start, key=lambda run: run.start) - 1
    return index >= 0 and piece.start < runs[index].start + runs[index].length


def joined(pictures: Iterable[Picture]) -> Picture:
    """Return the pictures of all parts as one of the disk."""
    pieces, blob = list[Piece](), bytearray()
    for picture in pictures:
        for piece in picture.pieces:
            shift = len(blob) if piece.file == BLOB else 0
            pieces.append(piece._replace(offset=piece.offset + shift))
        blob += picture.blob
    return Picture(tuple(sorted(pieces)), bytes(blob))


def _linkable(run: Link) -> bool:
    whole = run.start % SECTOR == run.offset % SECTOR == 0
    return whole and run.length >= _SMALLEST and can_name(run.file)


def can_name(path: str) -> bool:
    """Return whether a descriptor can name that file: it has no way to escape anything."""
    encoded = path.encode("utf-8", "surrogateescape")
    return len(encoded) <= _LONGEST_PATH and not {'"', "\n", "\r"} & set(path)


def descriptor(links: Sequence[Link], rest: str, size: int, content_id: int) -> str:
    """Return the text for a disk of ``size`` bytes whose rest is the file of that path."""
    extents = list(_twice(list(_extents(links, rest, size))))
    lines = [
        "# Disk DescriptorFile",
        "version=1",
        f"CID={content_id % 0xFFFFFFFE:08x}",  # the two largest mean that there is none
        "parentCID=ffffffff",
        'createType="twoGbMaxExtentFlat"',
        *(
            f'RW {extent.length // SECTOR} FLAT "{extent.file}" {extent.offset // SECTOR}'
            for extent in extents
        ),
        'ddb.adapterType = "ide"',
    ]
    return "\n".join(lines) + "\n"


def _extents(links: Sequence[Link], rest: str, size: int) -> Iterator[Link]:
    position = 0
    for extent in links:
        if extent.start > position:
            yield Link(position, extent.start - position, rest, position)
        yield extent
        position = extent.start + extent.length
    if size > position:
        yield Link(position, size - position, rest, position)


def _twice(extents: list[Link]) -> list[Link]:
    """See to it that some file is named twice, which keeps QEMU from opening it for writing."""
    if len({extent.file for extent in extents}) < len(extents):
        return extents
    start, length, file, offset = extents[0]
    first = Link(start, SECTOR, file, offset)
    return [first, Link(start + SECTOR, length - SECTOR, file, offset + SECTOR), *extents[1:]]
