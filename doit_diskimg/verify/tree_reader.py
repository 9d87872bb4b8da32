"""FAT: the directories of a volume, from the root down, and the chain of everything in them.

Directories are read in the order of their entries, with an explicit stack: a tree may be deep.
"""

from bisect import bisect_right
from collections.abc import Callable, Sequence

from doit_diskimg.frozen import dataclass
from doit_diskimg.verify import directory, name_reader
from doit_diskimg.verify.allocation import ClusterChain, ClusterTable
from doit_diskimg.verify.boot_sector import VolumeGeometry
from doit_diskimg.verify.directory import MOST, SIZE, DirectoryEntry, Labels
from doit_diskimg.verify.finding import Findings
from doit_diskimg.verify.source import CHARACTERS, DIRECTORIES, ENTRIES, Budget, Window

_FAULTS = {
    "fat-chain-range": "its chain {verb} with {cluster:#x}, the clusters are 2 to {last:#x}",
    "fat-chain-free": "its chain {verb} with cluster {cluster}, which is free",
    "fat-chain-bad": "its chain {verb} with cluster {cluster}, which is marked bad",
    "fat-loop": "its chain comes back to cluster {cluster}",
    "fat-cross-link": "cluster {cluster} belongs to {owner!r} too",
}
_SENSELESS = 8
"""Faults in the entries of a directory from which on it is something else, without . and .. ."""


@dataclass(frozen=True)
class StoredFile:
    """A file or directory of a volume that was read."""

    path: str
    """From the root, without a leading ``/``; a directory's ends with one."""
    size: int
    runs: list[list[int]]
    """[first cluster, count] of each contiguous stretch."""
    attributes: int = 0
    short: str = ""
    """Its short name, by which it is found too."""


@dataclass(frozen=True)
class _Waiting:
    """A directory that was seen and not yet read."""

    path: str
    first: int
    runs: list[list[int]]
    parent: int


class VolumeTree:
    """Everything in a volume; `read` reports what is wrong with it."""

    def __init__(
        self, window: Window, geometry: VolumeGeometry, table: ClusterTable, found: Findings,
        budget: Budget,
    ) -> None:
        self.files: list[StoredFile] = []
        self.places: list[tuple[int, int]] = []
        """(place, length) of the directories in clusters."""
        self.plain_names = True
        self._window = window
        self._geometry = geometry
        self._table = table
        self._found = found
        self._budget = budget
        self._labels = Labels(found)
        self._stack: list[_Waiting] = []

    def read(self) -> None:
        """Read the root directory and everything below it.  Raises SpentError."""
        self._root()
        while self._stack:
            self._subdirectory(self._stack.pop())

    def _root(self) -> None:
        geometry = self._geometry
        if geometry.fat == 32:
            chain = self._chain(geometry.boot.root_cluster, "/", 44)
            data, place = self._read(chain.runs, "/")
        else:
            data = self._window.read(geometry.root_start, geometry.root_length)
            place = _placer([(geometry.root_length, geometry.root_start)])
        self._entries(_Waiting("/", 0, [], 0), data, place)
        self._labels.compare(geometry.boot)

    def _subdirectory(self, waiting: _Waiting) -> None:
        data, place = self._read(waiting.runs, waiting.path)
        self._entries(waiting, data, place)

    def _read(self, runs: list[list[int]], path: str) -> tuple[bytes, Callable[[int], int]]:
        """Return a directory's bytes and the places of them."""
        size, parts, left = self._geometry.cluster_size, list[bytes](), MOST * SIZE
        places = list[tuple[int, int]]()
        for first, count in runs:
            length = min(count * size, left)
            if not length:
                break
            self._budget.spend(DIRECTORIES, length)
            places.append((length, self._geometry.place(first)))
            parts.append(self._window.read(self._geometry.place(first), length))
            left -= length
        if sum(count for _, count in runs) * size > MOST * SIZE:
            text = f"it has more than {MOST:,} entries"
            self._found.add("fat-dir-large", text, at=self._geometry.place(runs[0][0]), path=path)
        self.places += [(place, length) for length, place in places]
        return b"".join(parts), _placer(places)

    def _entries(
        self, waiting: _Waiting, data: bytes, place: Callable[[int], int]
    ) -> None:
        """Look at every entry of a directory, unless its clusters hold something else."""
        path, found = waiting.path, Findings(self._found.where, self._found.base)
        dots = path == "/" or self._check_dots(waiting, data, place, found)
        reader = directory.Reader(path, place, self._geometry.fat == 32, found)
        entries = list(reader.entries(data))
        directory.check_names(entries, path, found)
        faults = found.errors if dots else found.count
        if faults >= max(_SENSELESS, len(entries) if dots else 0):
            text = f"{faults:,} faults in {len(entries):,} entries: no directory is there"
            self._found.add("fat-dir-content", text, at=place(0), length=len(data), path=path)
            return
        self._found.take(found)
        self._follow(waiting, entries)

    def _follow(self, waiting: _Waiting, entries: Sequence[DirectoryEntry]) -> None:
        """Follow the chain of everything in a directory."""
        path, first, below = waiting.path, waiting.first, list[_Waiting]()
        self.plain_names &= all(entry.short.isascii() for entry in entries)
        for index, entry in enumerate(entries):
            if entry.is_label:
                self._labels.add(entry, path)
            elif entry.is_dot:
                if path == "/" or index > 1:
                    text = f"{entry.name!r} is there, only subdirectories begin with it"
                    self._found.add("fat-dot", text, at=entry.place, length=SIZE, path=path)
            else:
                self._budget.spend(ENTRIES)
                self._budget.spend(CHARACTERS, len(path) + len(entry.name))
                if entry.is_directory:
                    below += self._directory(entry, path + entry.name + "/", first)
                else:
                    self._file(entry, path + entry.name)
        self._stack += reversed(below)

    def _directory(self, entry: DirectoryEntry, path: str, parent: int) -> Sequence[_Waiting]:
        """Follow a directory's chain; return it if there is anything to read."""
        if entry.size:
            text = f"{entry.size} bytes, 0 must be"
            self._found.add("fat-dir-size", text, at=entry.place + 28, length=4, path=path)
        if not entry.cluster:
            text = "its first cluster is 0, 2 or more must be"
            self._found.add("fat-dir-start", text, at=entry.place + 26, length=2, path=path)
            return ()
        chain = self._chain(entry.cluster, path, entry.place)
        self._found_file(entry, path, 0, chain)
        if not chain.runs:
            return ()
        return (_Waiting(path, entry.cluster, chain.runs, parent),)

    def _file(self, entry: DirectoryEntry, path: str) -> None:
        """Follow a file's chain and compare it with its size."""
        needed = -(-entry.size // self._geometry.cluster_size)
        chain = ClusterChain([], "", 0)
        if entry.cluster:
            chain = self._chain(entry.cluster, path, entry.place)
        count = chain.count
        if count > needed or (count < needed and not chain.fault):
            code = "fat-chain-long" if count > needed else "fat-chain-short"
            text = f"{count} clusters, its {entry.size:,} bytes need {needed}"
            self._found.add(code, text, at=entry.place + 26, length=6, path=path)
        self._found_file(entry, path, entry.size, chain)

    def _found_file(self, entry: DirectoryEntry, path: str, size: int, chain: ClusterChain) -> None:
        short = name_reader.short_text(entry.short)
        self.files.append(StoredFile(path[1:], size, chain.runs, entry.attributes, short))

    def _chain(self, first: int, path: str, place: int) -> ClusterChain:
        """Follow a chain that an entry at ``place`` begins; report what ends it."""
        chain = self._table.follow(first)
        if chain.fault:
            cluster, last = chain.cluster, self._geometry.last
            owner = ""
            if chain.fault == "fat-cross-link" and not self._found.full(chain.fault):
                owner = self._owner(cluster)
            text = _FAULTS[chain.fault].format(
                verb="goes on" if chain.runs else "begins", cluster=cluster, owner=owner, last=last
            )
            at = self._table.entry_place(cluster) if 2 <= cluster <= last else place
            self._found.add(chain.fault, text, at=at, length=4, path=path)
        return chain

    def _owner(self, cluster: int) -> str:
        """Return the path of what has a cluster."""
        for file in self.files:
            if any(first <= cluster < first + count for first, count in file.runs):
                return f"/{file.path}"
        return "/"

    @staticmethod
    def _dots_of(entry: bytes, wide: bool) -> int:
        """Return the cluster that a dot entry points to."""
        cluster = int.from_bytes(entry[26:28], "little")
        return cluster | int.from_bytes(entry[20:22], "little") << 16 if wide else cluster

    def _check_dots(
        self, waiting: _Waiting, data: bytes, place: Callable[[int], int], found: Findings
    ) -> bool:
        """Compare the first two entries of a subdirectory with what they must be.

        Returns whether one of them is a dot entry, so that a directory is there.
        """
        any_there = False
        for at, name, wanted in ((0, b".", waiting.first), (SIZE, b"..", waiting.parent)):
            entry = data[at : at + SIZE].ljust(SIZE, b"\0")
            cluster = self._dots_of(entry, self._geometry.fat == 32)
            if entry[:11] != name.ljust(11) or entry[11] & 0x18 != 0x10:
                text = f"entry {at // SIZE} is {entry[:11]!r}, {name.decode()!r} must be"
                found.add("fat-dot", text, at=place(at), length=SIZE, path=waiting.path)
                continue
            any_there = True
            if cluster != wanted:
                text = f"{name.decode()!r} points to cluster {cluster}, {wanted} must be"
                found.add("fat-dot", text, at=place(at), length=SIZE, path=waiting.path)
        return any_there


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
