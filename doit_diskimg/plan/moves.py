"""What became of the files of a picture: which were added or removed, and which had to move.

For people: it decides no byte.  Only pieces in which two pictures differ are looked at.
"""

from bisect import bisect_left
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple, TypeAlias

from doit_diskimg.plan.picture import BLOB, Picture, Piece
from doit_diskimg.units import counted, format_size

_NAMED = 3
"""How many files that moved a message names."""

_Copies: TypeAlias = Mapping[str, Mapping[int, Sequence[Piece]]]
"""The pieces of each file, by where it would begin: it may lie in several places."""


class Moved(NamedTuple):
    """A file whose bytes are as they were, and lie elsewhere."""

    file: str
    length: int
    """Bytes of the pieces that lie elsewhere."""
    places: Sequence[Piece]
    """Where it was."""


def in_words(old: Picture, new: Picture) -> tuple[str, str, list[str]]:
    """Return what was added and removed, how much of other files moved, and a line for each of the
    longest: why.  All empty if contents changed and nothing else, or if all is new.

    Of both pictures, pieces in which they differ will do.  Files are those of the host: what has no
    byte, and what is inline, is none.
    """
    if not old.pieces:
        return "", "", []
    before, after = _copies(old), _copies(new)
    moved = sorted(_moved(before, after), key=lambda it: (-it.length, it.file))
    numbers = ((_begun(after, before), "added"), (_begun(before, after), "removed"))
    edits = [f"{counted(number, 'file')} {what}" for number, what in numbers if number]
    if not (edits or moved):
        return "", "", []
    length = sum(it.length for it in moved)
    starts = [piece.start for piece in new.pieces]
    lines = [f"moved: {it.file} ({_why(it, new, starts)})" for it in moved[:_NAMED]]
    if more := len(moved) - len(lines):
        lines.append(f"moved: {counted(more, 'more file')}")
    return ", ".join(edits), f"{format_size(length)} of others moved", lines


def _why(it: Moved, new: Picture, starts: Sequence[int]) -> str:
    """Return who lies where a file was; ``starts`` are those of the pieces of ``new``."""
    for place in it.places:
        # Pieces overlap no other, so the last that begins before its end reaches farthest.
        taker = new.pieces[max(bisect_left(starts, place.end) - 1, 0)]
        if taker.start < place.end and place.start < taker.end and taker.file != it.file:
            if not taker.file and taker.digest:
                return "inline bytes lie there now"
            return f"{taker.file or 'a directory'} lies there now"
    return "another place comes first for it now"


def _copies(picture: Picture) -> _Copies:
    found: dict[str, dict[int, list[Piece]]] = defaultdict(lambda: defaultdict(list))
    for piece in picture.pieces:
        if piece.file != BLOB:
            found[piece.file][piece.start - piece.offset].append(piece)
    return found


def _begun(copies: _Copies, others: _Copies) -> int:
    """Return how many files are here and not there; of a long one a part may be alone there."""
    return sum(
        any(piece.offset == 0 for pieces in copies[file].values() for piece in pieces)
        for file in copies.keys() - others.keys()
    )


def _moved(before: _Copies, after: _Copies) -> Iterator[Moved]:
    """Yield each file that has other places and the same contents."""
    for file in before.keys() & after.keys():
        gone = [it for base, its in before[file].items() if base not in after[file] for it in its]
        come = [it for base, its in after[file].items() if base not in before[file] for it in its]
        if come and {it[3:] for it in gone} == {it[3:] for it in come}:
            yield Moved(file, sum(it.length for it in come), gone)
