"""FAT: the entries of one directory, from its bytes, and the volume's label among them.

Nothing here follows a cluster; `tree_reader` does.
"""

import struct
from collections.abc import Callable, Iterator

from doit_diskimg.frozen import dataclass
from doit_diskimg.verify import name_reader
from doit_diskimg.verify.boot_sector import BootFields
from doit_diskimg.verify.finding import Findings
from doit_diskimg.verify.name_reader import NamePiece

SIZE = 32
MOST = 65536
"""Entries of the largest directory."""

_VOLUME, _DIRECTORY, _LONG = 0x08, 0x10, 0x0F
_SHORT = struct.Struct("<11sBBBHHHHHHHI")
_DOT, _DOT_DOT = b".".ljust(11), b"..".ljust(11)


@dataclass(frozen=True, kw_only=True)
class DirectoryEntry:
    """A file, a directory, or a label."""

    name: str
    """The long name, or the short one where there is none."""
    short: bytes
    attributes: int
    cluster: int
    size: int
    place: int
    """Byte of the volume where the short entry lies."""
    long: bool

    @property
    def is_label(self) -> bool:
        """Whether it names the volume."""
        return bool(self.attributes & _VOLUME)

    @property
    def is_directory(self) -> bool:
        """Whether there are entries below it."""
        return bool(self.attributes & _DIRECTORY) and not self.is_label

    @property
    def is_dot(self) -> bool:
        """Whether it is one of the two that every subdirectory begins with."""
        return self.short in (_DOT, _DOT_DOT)


class Reader:
    """Reads the entries of one directory and reports what is wrong with single ones.

    ``place`` gives the byte of the volume for a byte of the directory; ``path`` is the directory's
    and ends with ``/``, ``wide`` is whether cluster numbers have their high half.
    """

    def __init__(
        self, path: str, place: Callable[[int], int], wide: bool, found: Findings
    ) -> None:
        self._path = path
        self._place = place
        self._wide = wide
        self._found = found
        self._pieces: list[NamePiece] = []

    def entries(self, data: bytes) -> Iterator[DirectoryEntry]:
        """Yield files, directories, labels and dot entries in their order."""
        for at in range(0, len(data) - SIZE + 1, SIZE):
            first, attributes = data[at], data[at + 11]
            if first == 0:
                self._tail(data, at)
                break
            if first == 0xE5:
                self._orphans()
            elif attributes & 0x3F == _LONG:
                self._piece(data[at : at + SIZE], self._place(at))
            else:
                yield self._entry(data[at : at + SIZE], self._place(at))
        self._orphans()

    def _tail(self, data: bytes, at: int) -> None:
        """Report an entry behind the end that readers who go on would see.

        Formatters of old fill unused entries with anything behind the 00; deleted ones are no
        more to be seen than unused ones.
        """
        rest = data[at:]
        if rest.count(0) == len(rest):
            return
        firsts = rest[::SIZE].translate(None, b"\0\xe5")
        if firsts:
            beyond = rest[::SIZE].index(firsts[:1]) * SIZE
            text = "an entry follows its end"
            self._found.add("fat-dir-tail", text, at=self._place(at + beyond), path=self._path)

    def _orphans(self) -> None:
        """Report pieces that no short entry followed."""
        if self._pieces:
            text = f"{len(self._pieces)} pieces of a long name belong to no entry"
            where = self._pieces[0].place
            self._found.add("fat-long-orphan", text, at=where, length=SIZE, path=self._path)
            self._pieces = []

    def _piece(self, data: bytes, place: int) -> None:
        order, checksum = data[0], data[13]
        piece = NamePiece(order & 0x3F, checksum, data[1:11] + data[14:26] + data[28:32], place)
        if data[12] or data[26] or data[27] or data[11] != _LONG:
            cluster = int.from_bytes(data[26:28], "little")
            text = (
                f"type {data[12]:#04x}, cluster {cluster}, attributes {data[11]:#04x} in a piece "
                "of a long name, 0x00, 0 and 0x0f must be"
            )
            self._found.add("fat-long-fill", text, at=place, length=SIZE, path=self._path)
        if order & 0x40:
            self._orphans()
            if not 1 <= piece.order <= 20 or order & 0x80:
                text = f"a long name of {piece.order} pieces, 1 to 20 must be"
                self._found.add("fat-long-order", text, at=place, length=SIZE, path=self._path)
                return
        elif not self._pieces or order != self._pieces[-1].order - 1:
            code = "fat-long-order" if self._pieces else "fat-long-orphan"
            text = f"piece {order} of a long name does not follow the one before it"
            self._found.add(code, text, at=place, length=SIZE, path=self._path)
            self._pieces = []
            return
        self._pieces.append(piece)

    def _entry(self, data: bytes, place: int) -> DirectoryEntry:
        (short, attributes, case, _, c_time, c_date, a_date, high, m_time, m_date, low,
         size) = _SHORT.unpack(data)
        long = "" if attributes & _VOLUME else self._long_name(short, place)
        self._orphans()
        is_label = attributes & _VOLUME
        shown = name_reader.label_text(short) if is_label else name_reader.short_text(short, case)
        entry = DirectoryEntry(
            name=long or shown, short=short, attributes=attributes,
            cluster=high << 16 | low if self._wide else low, size=size, place=place,
            long=bool(long),
        )  # fmt: skip
        path = self._path + entry.name
        if not entry.is_dot:
            for code, text in name_reader.short_faults(short, label=entry.is_label):
                self._found.add(code, text, at=place, length=11, path=path)
        if attributes & 0xC0 or case & 0xE7:
            text = f"attributes {attributes:#04x}, case {case:#04x}, bits that must be 0 are set"
            self._found.add("fat-attributes", text, at=place + 11, length=2, path=path)
        if not self._wide and high:
            text = f"the high half of its cluster is {high:#x} on a volume that has none"
            self._found.add("fat-attributes", text, at=place + 20, length=2, path=path)
        self._check_times(path, place, (c_date, c_time), (a_date, 0), (m_date, m_time))
        return entry

    def _long_name(self, short: bytes, place: int) -> str:
        """Return the long name that the pieces before a short entry make, or nothing."""
        pieces, path = self._pieces, self._path + name_reader.short_text(short)
        if not pieces or pieces[-1].order != 1:
            return ""
        self._pieces = []
        at, length = pieces[0].place, SIZE * len(pieces)
        wanted = name_reader.checksum(short)
        wrong = next((piece for piece in pieces if piece.checksum != wanted), None)
        if wrong is not None:
            text = f"checksum {wrong.checksum:#04x}, its short name has {wanted:#04x}"
            self._found.add("fat-long-checksum", text, at=wrong.place + 13, path=path)
            return ""
        name, fault = name_reader.long_text(pieces)
        if fault:
            self._found.add("fat-long-fill", fault, at=at, length=length, path=path)
        for code, text in name_reader.long_faults(name):
            self._found.add(code, text, at=at, length=length, path=self._path + name)
        return name

    def _check_times(self, path: str, place: int, *moments: tuple[int, int]) -> None:
        """Report dates and times that do not exist; 0 means that they were not recorded."""
        for date, time in moments:
            day, month = date & 31, date >> 5 & 15
            second, minute, hour = time & 31, time >> 5 & 63, time >> 11
            dated = date == 0 or (1 <= month <= 12 and 1 <= day <= _DAYS[month])
            if not dated or second > 29 or minute > 59 or hour > 23:
                text = (
                    f"date {(date >> 9) + 1980}-{month:02}-{day:02}, "
                    f"time {hour:02}:{minute:02}:{2 * second:02} does not exist"
                )
                self._found.add("fat-time", text, at=place + 13, length=13, path=path)
                return


_DAYS = (0, 31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31, 0, 0, 0)


def check_names(entries: list[DirectoryEntry], path: str, found: Findings) -> None:
    """Report names of one directory that readers can't tell apart."""
    shorts, folded = dict[bytes, DirectoryEntry](), dict[str, DirectoryEntry]()
    for entry in entries:
        if entry.is_label or entry.is_dot:
            continue
        other = shorts.setdefault(entry.short, entry)
        if other is not entry:
            short = name_reader.short_text(entry.short)
            text = f"{other.name!r} and {entry.name!r} have one short name, {short!r}"
            found.add("fat-short-twice", text, at=entry.place, length=11, path=path + entry.name)
    for entry in entries:
        if entry.is_label or entry.is_dot:
            continue
        own = {name_reader.fold(entry.name), name_reader.fold(name_reader.short_text(entry.short))}
        for name in sorted(own):
            other = folded.setdefault(name, entry)
            if other is not entry and other.short != entry.short:
                text = f"{other.name!r} and {entry.name!r} are both {name!r} to a reader"
                found.add("fat-name-twice", text, at=entry.place, length=11,
                          path=path + entry.name)


class Labels:
    """The label entries of one volume."""

    def __init__(self, found: Findings) -> None:
        self._found = found
        self._labels: list[str] = []

    def add(self, entry: DirectoryEntry, path: str) -> None:
        """Take a label that lies in the directory ``path``; report it unless it is the first."""
        text = repr(name_reader.label_text(entry.short))
        if path != "/" or entry.attributes & 0x10 or entry.cluster or entry.size:
            where = "is in a subdirectory" if path != "/" else "has contents"
            self._report("fat-label-place", f"the label {text} {where}", entry, path)
            return
        self._labels.append(name_reader.label_text(entry.short))
        if len(self._labels) > 1:
            words = f"the label {text} follows {self._labels[0]!r}, one at most must be"
            self._report("fat-label-twice", words, entry, path)

    def compare(self, boot: BootFields) -> None:
        """Report a label in the boot sector that is not the one in the root directory."""
        if len(self._labels) > 1:
            return
        noted = (boot.label or b"").decode("cp437").rstrip(" ")
        noted = "" if noted == "NO NAME" or not noted.strip("\0") else noted
        stored = self._labels[0] if self._labels else ""
        if noted != stored:
            text = f"{noted!r} in the boot sector, {stored!r} in the root directory"
            at = 71 if boot.wide else 43
            self._found.add("fat-label-differs", text, at=at, length=11)

    def _report(self, code: str, text: str, entry: DirectoryEntry, path: str) -> None:
        self._found.add(code, text, at=entry.place, length=SIZE, path=path)
