"""Where things lie in a room that they share, as a function of the set that changes little with it.

Units are whatever the room has: clusters, blocks.  Each thing is contiguous.  Three wishes meet:
what is built anew and what is edited must lie in the same places, so history may not decide; what
is added, removed or longer than before should not move the others; and a room that is just large
enough must do.

**The rule.**  The room in use is an arena of about three times the contents where there is so much
(`arena`).  Things go in one by one, those of the longest pitch first, equal ones in the order of
the digests of their keys.  Each takes the first free one of up to 64 places that follow from its
digest alone, all of them multiples of its pitch; if none is free, the first room behind the first
of these places.  This is open addressing with an order between the keys, so that the same set gives
the same table (Amble and Knuth, "Ordered hash tables", 1974), and the arena grows as in linear
hashing (Litwin, 1980), so that few places depend on its length.

That the result is a function of the set: keys differ, so (pitch, digest, key) is a total order in
which the things go in whatever order they come; and where one goes depends on those before it only.

Decision 149 has the measurements.
"""

from collections import defaultdict
from collections.abc import Container, Iterable, Mapping, Sequence
from typing import TypeAlias

from xxhash import xxh3_64_intdigest

from doit_diskimg.units import ceil_div

_LEAST = 4096
"""Units of the smallest arena: below, every second edit would change it."""

_PLACES = 64
"""How many places a thing asks for before it takes the next room that there is."""


Taken: TypeAlias = Sequence[tuple[int, int]]
"""Stretches ``(start, units)`` of the room that belong to somebody else."""

Places: TypeAlias = dict[str, int]
"""Where each thing begins, by its key; what takes no unit has no place."""


def stepped(units: int, bits: int) -> int:
    """Return ``units`` rounded up to a number of ``bits`` significant bits after the first one."""
    step = 1 << max(0, units.bit_length() - 1 - bits)
    return ceil_div(units, step) * step


def digest_number(key: str) -> int:
    """Return 64 bits that follow from a key alone, by which keys have an order and places."""
    return xxh3_64_intdigest(key.encode("utf-8", "surrogatepass"))


def arena(units: int, room: int) -> int:
    """Return how much of the room things of ``units`` in all are spread over.

    Three times as much, since at a load of a third hardly any two want one place; in steps of a
    sixteenth or less, of which each moves as many of the things.
    """
    return min(room, max(_LEAST, stepped(3 * units, 4)))


def spread(
    things: Mapping[str, int], room: int, taken: Taken = (), *,
    steady: Container[str] | None = (),
) -> Places | None:
    """Return where things lie that take so many units each; None if there is no room for one.

    The places of a thing are multiples of its pitch: of its units in steps of up to a quarter, so
    that it may grow and keep them.  ``steady`` ones keep them until they have doubled.  With None
    the pitch is exact, so that things of one length leave no gaps.
    """
    rows = sorted(_by_pitch(things, steady).items(), reverse=True)
    used = sum(things.values()) + sum([units for _, units in taken])
    for length in dict.fromkeys([arena(used, room), room]):
        field, places = _field(length, taken), Places()
        if all(_spread(row, pitch, field, places) for pitch, row in rows):
            return places
    return None


_Row: TypeAlias = list[tuple[int, str, int]]
"""Digest, key and units of each thing of one pitch, in that order."""


def _by_pitch(things: Mapping[str, int], steady: Container[str] | None) -> dict[int, _Row]:
    found: dict[int, _Row] = defaultdict(list)
    lengths = {*things.values()}
    pitches = {units: units if steady is None else stepped(units, 2) for units in lengths}
    doubles = {units: stepped(units, 0) for units in lengths}
    for key, units in things.items():
        if units:
            digest = digest_number(key)
            pitch = doubles[units] if steady and key in steady else pitches[units]
            found[pitch].append((digest, key, units))
    for row in found.values():
        row.sort()
    return found


def _spread(row: _Row, pitch: int, field: bytearray, places: Places) -> bool:
    """Put things of one pitch into the field; return whether there was room."""
    length, is_free = len(field), field.startswith
    # As many bits of a digest as it takes, or one fewer where these lead behind the end.
    mask = (1 << length.bit_length()) - 1
    half = mask >> 1
    # Up to its pitch a thing has an eighth to grow into.
    rooms = {units: min(pitch, stepped(units, 3)) for _, _, units in row}
    stretches = {units: (bytes(room), b"\1" * room) for units, room in rooms.items()}
    for digest, key, units in row:
        free, full = stretches[units]
        start = at if (at := digest & mask) < length else at & half
        start = home = start - start % pitch
        if not is_free(free, start):
            number, stride = digest, digest >> 32 | 1
            for _ in range(1, _PLACES):
                number += stride
                start = at if (at := number & mask) < length else at & half
                start -= start % pitch
                if is_free(free, start):
                    break
            else:
                start = _behind(field, free, home)
                if start < 0:  # there is no room to grow into
                    full = b"\1" * units
                    start = _behind(field, bytes(units), home)
                if start < 0:
                    return False
        field[start : start + len(full)] = full
        places[key] = start
    return True


def _behind(field: bytearray, free: bytes, home: int) -> int:
    """Return the first room at or behind ``home``, or from the beginning on; -1 if there is none.
    """
    start = field.find(free, home)
    return start if start >= 0 else field.find(free, 0, home + len(free) - 1)


def pack(things: Mapping[str, int], room: int, taken: Taken = ()) -> Places | None:
    """Return where things lie one behind the other, the largest first; None if there is no room."""
    field, places, behind = _field(room, taken), Places(), 0
    for units, key in sorted((-units, key) for key, units in things.items() if units):
        free = bytes(-units)
        start = _behind(field, free, behind)
        if start < 0:
            return None
        behind = start - units
        field[start:behind] = b"\1" * len(free)
        places[key] = start
    return places


def _field(length: int, taken: Iterable[tuple[int, int]]) -> bytearray:
    """Return a byte for each unit of the room, not zero where it is taken."""
    field = bytearray(length)
    for start, units in taken:
        stop = min(start + units, length)
        field[start:stop] = b"\1" * (stop - start)
    return field
