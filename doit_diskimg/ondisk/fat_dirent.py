"""The 32-byte entries of FAT directories: 8.3 entries, long-name entries, dates and times.

Microsoft, "FAT32 File System Specification", version 1.03, sections "FAT Directory Structure",
"Date and Time Formats", "FAT Long Directory Entries".
"""

import struct
from datetime import UTC, datetime

from doit_diskimg.frozen import dataclass

SIZE = 32
"""Bytes in every entry."""

FILE_SIZE = 28
"""Offset of DIR_FileSize in an 8.3 entry: four bytes, the last."""

READ_ONLY, HIDDEN, SYSTEM, VOLUME_ID, DIRECTORY, ARCHIVE = 0x01, 0x02, 0x04, 0x08, 0x10, 0x20
"""Bits of `ShortEntry.attributes`."""

LOWER_BASE, LOWER_EXTENSION = 0x08, 0x10
"""Bits of `ShortEntry.case`.  The standard reserves the byte; Windows NT and Linux use it."""

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


@dataclass(frozen=True, kw_only=True)
class ShortEntry:
    """An 8.3 entry: the entry of every file, directory and label."""

    name: bytes  # DIR_Name
    attributes: int  # DIR_Attr
    case: int = 0  # DIR_NTRes
    created: Timestamp  # DIR_CrtTimeTenth, DIR_CrtTime, DIR_CrtDate
    accessed: int  # DIR_LstAccDate
    modified: Timestamp  # DIR_WrtTime, DIR_WrtDate
    cluster: int  # DIR_FstClusHI, DIR_FstClusLO
    size: int  # DIR_FileSize

    def pack(self) -> bytes:
        """Return the 32 bytes; ValueError if the name has not 11."""
        if len(self.name) != 11:
            raise ValueError(f"{self.name!r} has {len(self.name)} bytes, a short name has 11")
        return _SHORT.pack(
            self.name,
            self.attributes,
            self.case,
            self.created.tenths,
            self.created.time,
            self.created.date,
            self.accessed,
            self.cluster >> 16,
            self.modified.time,
            self.modified.date,
            self.cluster & 0xFFFF,
            self.size,
        )

    @classmethod
    def unpack(cls, data: bytes) -> "ShortEntry":
        """Return what 32 bytes say."""
        name, attributes, case, tenths, c_time, c_date, accessed, high, *rest = _SHORT.unpack(data)
        m_time, m_date, low, size = rest
        return cls(
            name=name,
            attributes=attributes,
            case=case,
            created=Timestamp(date=c_date, time=c_time, tenths=tenths),
            accessed=accessed,
            modified=Timestamp(date=m_date, time=m_time, tenths=0),
            cluster=high << 16 | low,
            size=size,
        )


def pack_short(
    name: bytes, attributes: int, time: Timestamp, cluster: int, size: int = 0, *, case: int = 0
) -> bytes:
    """Return the bytes of a `ShortEntry` whose moments are all ``time``: a volume has thousands."""
    date = time.date
    return _SHORT.pack(
        name, attributes, case, time.tenths, time.time, date, date, cluster >> 16, time.time, date,
        cluster & 0xFFFF, size,
    )


@dataclass(frozen=True, kw_only=True)
class LongEntry:
    """One piece of a long name; the pieces lie before the 8.3 entry, the last piece first."""

    order: int  # LDIR_Ord
    last: bool  # LAST_LONG_ENTRY in LDIR_Ord
    checksum: int  # LDIR_Chksum
    units: bytes  # LDIR_Name1, LDIR_Name2, LDIR_Name3: 13 UTF-16LE units

    def pack(self) -> bytes:
        """Return the 32 bytes; ValueError if there are not 13 units."""
        if len(self.units) != 2 * UNITS:
            raise ValueError(f"{len(self.units)} bytes of a long name, an entry has {2 * UNITS}")
        order = self.order | _LAST if self.last else self.order
        return _pack_long(order, self.checksum, self.units)

    @classmethod
    def unpack(cls, data: bytes) -> "LongEntry":
        """Return what 32 bytes say; ValueError unless they are an entry of this kind."""
        order, first, attributes, kind, checksum, second, cluster, third = _LONG.unpack(data)
        if (attributes, kind, cluster) != (LONG_NAME, 0, 0):
            raise ValueError("not a long-name entry")
        return cls(
            order=order & ~_LAST,
            last=bool(order & _LAST),
            checksum=checksum,
            units=first + second + third,
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
