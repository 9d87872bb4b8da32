"""FAT: the directories of a volume, from the root down, and the chain of everything in them.

Directories are read in the order of their entries, with a stack of our own.
"""

from bisect import bisect_right
from collections.abc import Callable, Sequence

from doit_diskimg.frozen import dataclass
from doit_diskimg.verify import directory
from doit_diskimg.verify.allocation import Chain, Table
from doit_diskimg.verify.boot_sector import Geometry
from doit_diskimg.verify.budget import Budget
from doit_diskimg.verify.directory import MOST, SIZE, Entry
from doit_diskimg.verify.finding import Findings
from doit_diskimg.verify.labels import Labels
from doit_diskimg.verify.source import Window

_FAULTS = {
    "fat-chain-range": "its chain goes on with {0:#x}, the clusters are 2 to {2:#x}",
    "fat-chain-free": "its chain goes on with cluster {0}, which is free",
    "fat-chain-bad": "its chain goes on with cluster {0}, which is marked bad",
    "fat-loop": "its chain comes back to cluster {0}",
    "fat-cross-link": "cluster {0} belongs to {1!r} too",
}


@dataclass(frozen=True)
class StoredFile:
    """A file or directory of a volume that was read."""

    path: str
    """From the root, without a leading ``/``; a directory's ends with one."""
    size: int
    runs: list[list[int]]
    """[first cluster, count] of each contiguous stretch."""
    attributes: int = 0


@dataclass(frozen=True)
class _Waiting:
    """A directory that was seen and not yet read."""

    path: str
    first: int
    runs: list[list[int]]
    parent: int


class Tree:
    """Everything in a volume; `read` reports what is wrong with it."""

    def __init__(
        self, window: Window, geometry: Geometry, table: Table, found: Findings
    ) -> None:
        self.files: list[StoredFile] = []
        self.places: list[tuple[int, int]] = []
        """(place, length) of the directories in clusters."""
        self.plain_names = True
        self._window = window
        self._geometry = geometry
        self._table = table
        self._found = found
        self._budget = Budget()
        self._labels = Labels(found)
        self._owners = [""]  # paths; the number of a chain, from 1, is its index here
        self._stack: list[_Waiting] = []

    @property
    def complete(self) -> bool:
        """Whether everything was read."""
        return not self._budget.spent

    def read(self) -> None:
        """Read the root directory and everything below it."""
        self._root()
        while self._stack and self.complete:
            self._subdirectory(self._stack.pop())
        if self._budget.spent:
            self._found.add("limit", self._budget.spent)

    def _root(self) -> None:
        geometry = self._geometry
        if geometry.fat == 32:
            chain = self._chain(geometry.boot.root_cluster, "/", 44)
            data, place = self._read(chain.runs, "/")
        else:
            data = self._window.read(geometry.root_start, geometry.root_length)
            place = _placer([(geometry.root_length, geometry.root_start)])
        self._entries("/", data, place, 0)
        self._labels.compare(geometry.boot)

    def _subdirectory(self, waiting: _Waiting) -> None:
        data, place = self._read(waiting.runs, waiting.path)
        self._check_dots(waiting, data, place)
        self._entries(waiting.path, data, place, waiting.first)

    def _read(self, runs: list[list[int]], path: str) -> tuple[bytes, Callable[[int], int]]:
        """Return a directory's bytes and the places of them."""
        size, parts, left = self._geometry.cluster_size, list[bytes](), MOST * SIZE
        places = list[tuple[int, int]]()
        for first, count in runs:
            length = min(count * size, left)
            if not length or not self._budget.directory(length):
                break
            places.append((length, self._geometry.place(first)))
            parts.append(self._window.read(self._geometry.place(first), length))
            left -= length
        if sum(count for _, count in runs) * size > MOST * SIZE:
            text = f"more than {MOST:,} entries"
            self._found.add("fat-dir-large", text, at=self._geometry.place(runs[0][0]), path=path)
        self.places += [(place, length) for length, place in places]
        return b"".join(parts), _placer(places)

    def _entries(self, path: str, data: bytes, place: Callable[[int], int], first: int) -> None:
        """Look at every entry of the directory ``path`` that begins with cluster ``first``."""
        reader = directory.Reader(path, place, self._geometry.fat == 32, self._found)
        entries = list(reader.entries(data))
        directory.check_names(entries, path, self._found)
        below = list[_Waiting]()
        self.plain_names &= all(entry.short.isascii() for entry in entries)
        for index, entry in enumerate(entries):
            if entry.is_label:
                self._labels.add(entry, path)
            elif entry.is_dot:
                if path == "/" or index > 1:
                    text = f"{entry.name!r} is there, only subdirectories begin with it"
                    self._found.add("fat-dot", text, at=entry.place, length=SIZE, path=path)
            elif not self._budget.entry(path + entry.name):
                break
            elif entry.is_directory:
                below += self._directory(entry, path + entry.name + "/", first)
            else:
                self._file(entry, path + entry.name)
        self._stack += reversed(below)

    def _directory(self, entry: Entry, path: str, parent: int) -> Sequence[_Waiting]:
        """Follow a directory's chain; return it if there is anything to read."""
        if entry.size:
            text = f"{entry.size} bytes, 0 must be"
            self._found.add("fat-dir-size", text, at=entry.place + 28, length=4, path=path)
        if not entry.cluster:
            text = "its first cluster is 0"
            self._found.add("fat-dir-start", text, at=entry.place + 26, length=2, path=path)
            return ()
        chain = self._chain(entry.cluster, path, entry.place)
        self.files.append(StoredFile(path[1:], 0, chain.runs, entry.attributes))
        if not chain.runs:
            return ()
        return (_Waiting(path, entry.cluster, chain.runs, parent),)

    def _file(self, entry: Entry, path: str) -> None:
        """Follow a file's chain and compare it with its size."""
        needed = -(-entry.size // self._geometry.cluster_size)
        chain = Chain([], "", 0, 0)
        if entry.cluster:
            chain = self._chain(entry.cluster, path, entry.place)
        count = chain.count
        if count > needed or (count < needed and not chain.fault):
            code = "fat-chain-long" if count > needed else "fat-chain-short"
            text = f"{count} clusters, its {entry.size:,} bytes need {needed}"
            self._found.add(code, text, at=entry.place + 26, length=6, path=path)
        self.files.append(StoredFile(path[1:], entry.size, chain.runs, entry.attributes))

    def _chain(self, first: int, path: str, place: int) -> Chain:
        """Follow a chain that an entry at ``place`` begins; report what ends it."""
        self._owners.append(path)
        chain = self._table.follow(first, len(self._owners) - 1)
        if chain.fault:
            last = self._geometry.last
            owner = self._owners[chain.owner]
            text = _FAULTS[chain.fault].format(chain.cluster, owner, last)
            at = self._table.entry_place(chain.cluster) if 2 <= chain.cluster <= last else place
            self._found.add(chain.fault, text, at=at, length=4, path=path)
        return chain

    def _check_dots(self, waiting: _Waiting, data: bytes, place: Callable[[int], int]) -> None:
        """Compare the first two entries of a subdirectory with what they must be."""
        for at, name, wanted in ((0, b".", waiting.first), (SIZE, b"..", waiting.parent)):
            entry = data[at : at + SIZE].ljust(SIZE, b"\0")
            cluster = int.from_bytes(entry[26:28], "little")
            if self._geometry.fat == 32:
                cluster |= int.from_bytes(entry[20:22], "little") << 16
            if entry[:11] != name.ljust(11) or entry[11] & 0x18 != 0x10:
                text = f"entry {at // SIZE} is {entry[:11]!r}, {name.decode()!r} must be"
            elif cluster != wanted:
                text = f"{name.decode()!r} points to cluster {cluster}, {wanted} must be"
            else:
                continue
            self._found.add("fat-dot", text, at=place(at), length=SIZE, path=waiting.path)


def _placer(places: Sequence[tuple[int, int]]) -> Callable[[int], int]:
    """Return the function from bytes of a directory to bytes of the volume."""
    begins, total = list[int](), 0
    for length, _ in places:
        begins.append(total)
        total += length

    def place(at: int) -> int:
        index = max(bisect_right(begins, at) - 1, 0)
        return places[index][1] + at - begins[index] if places else 0

    return place
