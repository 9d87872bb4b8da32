"""The 32-byte entries of FAT directories: 8.3 entries, long-name entries, dates and times.

Microsoft, "FAT32 File System Specification", version 1.03, sections "FAT Directory Structure",
"Date and Time Formats", "FAT Long Directory Entries".
"""

import struct
from datetime import UTC, datetime

from doit_diskimg.frozen import dataclass

SIZE = 32
"""Bytes in every entry."""

FREE = b"\xe5".ljust(SIZE, b"\0")
"""An entry that is free and has others behind it (DIR_Name[0])."""

FILE_SIZE = 28
"""Offset of DIR_FileSize in an 8.3 entry: four bytes, the last."""

READ_ONLY, HIDDEN, SYSTEM, VOLUME_ID, DIRECTORY, ARCHIVE = 0x01, 0x02, 0x04, 0x08, 0x10, 0x20
"""Bits of DIR_Attr."""

LETTERS = {"r": READ_ONLY, "h": HIDDEN, "s": SYSTEM, "a": ARCHIVE}
"""Bits of DIR_Attr that users set, by the letters of DOS's attrib and of mtools."""

LOWER_BASE, LOWER_EXTENSION = 0x08, 0x10
"""Bits of DIR_NTRes.  The standard reserves the byte; Windows NT and Linux use it."""

LONG_NAME = READ_ONLY | HIDDEN | SYSTEM | VOLUME_ID
"""The attributes by which a long-name entry is known."""

UNITS = 13
"""UTF-16 units of a name in one long-name entry."""

EARLIEST, LATEST = 315532800, 4354819199
"""1980-01-01 00:00:00 and 2107-12-31 23:59:59 UTC, what a date can say, as seconds since 1970."""

_SHORT = struct.Struct("<11sBBBHHHHHHHI")
_LONG = struct.Struct("<B10sBBB12sH4s")
_LAST = 0x40  # LAST_LONG_ENTRY

assert _SHORT.size == SIZE
assert _LONG.size == SIZE


@dataclass(frozen=True, kw_only=True)
class Timestamp:
    """A moment as FAT stores it: a date, a time in steps of two seconds, and the odd second."""

    date: int
    """Bits 0-4 day, 5-8 month, 9-15 years since 1980."""
    time: int
    """Bits 0-4 two-second steps, 5-10 minutes, 11-15 hours."""
    tenths: int
    """Hundredths of a second within the two, 0 to 199; the standard calls them tenths."""

    @classmethod
    def of(cls, epoch: int) -> "Timestamp":
        """Return the moment ``epoch`` seconds after 1970 in UTC, or the nearest that FAT has."""
        moment = datetime.fromtimestamp(min(max(epoch, EARLIEST), LATEST), UTC)
        return cls(
            date=moment.year - 1980 << 9 | moment.month << 5 | moment.day,
            time=moment.hour << 11 | moment.minute << 5 | moment.second // 2,
            tenths=moment.second % 2 * 100,
        )

    def epoch(self) -> int:
        """Return the seconds since 1970, taking the fields as UTC; ValueError for no date."""
        moment = datetime(
            (self.date >> 9) + 1980,
            self.date >> 5 & 15,
            self.date & 31,
            self.time >> 11,
            self.time >> 5 & 63,
            (self.time & 31) * 2 + self.tenths // 100,
            tzinfo=UTC,
        )
        return int(moment.timestamp())


def pack_short(
    name: bytes, attributes: int, time: Timestamp, cluster: int, size: int = 0, *, case: int = 0
) -> bytes:
    """Return an 8.3 entry, of a file, directory or label; all its moments are ``time``.

    ``name`` has 11 bytes.
    """
    date = time.date
    return _SHORT.pack(
        name, attributes, case, time.tenths, time.time, date, date, cluster >> 16, time.time, date,
        cluster & 0xFFFF, size,
    )


_ROTATED = [value >> 1 | value << 7 & 0xFF for value in range(0x100)]


def checksum(name: bytes) -> int:
    """Return the byte that ties long-name entries to the 8.3 entry with this 11-byte name."""
    total = 0
    for byte in name:
        # Rotate right by one, then add: ChkSum() of the standard.
        total = _ROTATED[total] + byte & 0xFF
    return total


def pack_long_name(name: str, short: bytes) -> bytes:
    """Return the long-name entries of ``name``, in the order of the disk: the last piece first.

    ``short`` is the 11-byte name in the 8.3 entry that follows them.
    """
    units = name.encode("utf-16-le")
    if len(units) < 2 * UNITS:  # the usual case: one piece, which has an end
        return _pack_long(1 | _LAST, checksum(short), (units + b"\0\0").ljust(2 * UNITS, b"\xff"))
    # A name that leaves room in its last piece ends with 0, and the rest is filled with ones.
    pieces = -(-len(units) // (2 * UNITS))
    units = (units + b"\0\0").ljust(pieces * 2 * UNITS, b"\xff")
    tie = checksum(short)
    packed = b""
    for order in range(1, pieces + 1):
        piece = units[(order - 1) * 2 * UNITS : order * 2 * UNITS]
        packed = _pack_long(order | _LAST if order == pieces else order, tie, piece) + packed
    return packed


def _pack_long(order: int, tie: int, units: bytes) -> bytes:
    return _LONG.pack(order, units[:10], LONG_NAME, 0, tie, units[10:22], 0, units[22:])
