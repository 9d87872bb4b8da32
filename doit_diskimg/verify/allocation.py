"""FAT: the allocation table, and the chains of clusters in it.

The table is read by pages of `_PAGE` entries, and `_KEPT` pages at most are in memory; what was
visited is a bit for each cluster, in pages with a visited cluster.  Each cluster is visited once.
"""

import struct
import sys
from array import array
from collections.abc import Iterator
from dataclasses import dataclass

from doit_diskimg.verify.boot_sector import VolumeGeometry
from doit_diskimg.verify.finding import Findings
from doit_diskimg.verify.source import CHUNK, CLUSTERS, FRAGMENTS, TABLES, Budget, Window

_PAGE = 1 << 14
_KEPT = 256
"""Pages in memory: 16 MiB of FAT32, or four million clusters."""

_FREE = 0
_SHOWN = 8
"""Runs of lost clusters that are named."""


@dataclass
class ClusterChain:
    """A chain as far as it goes."""

    runs: list[list[int]]
    """[first cluster, count] of each contiguous stretch, in the order of the chain."""
    fault: str
    """The code of what ends it, empty if its end is marked."""
    cluster: int
    """Where the fault is."""

    @property
    def count(self) -> int:
        """How many clusters it has."""
        return sum(count for _, count in self.runs)

    def has(self, cluster: int) -> bool:
        """Return whether a cluster is in it."""
        return any(first <= cluster < first + count for first, count in self.runs)


class Marks:
    """The numbers that mean no cluster, for one type."""

    def __init__(self, fat: int) -> None:
        self.mask = (1 << min(fat, 28)) - 1
        self.bad = self.mask - 8
        self.end = self.mask - 7  # and above


class ClusterTable:
    """The entries of the FAT that counts."""

    def __init__(self, geometry: VolumeGeometry, window: Window, budget: Budget) -> None:
        self.geometry = geometry
        self.marks = Marks(geometry.fat)
        self._window = window
        self._budget = budget
        self._start = geometry.table_start + geometry.active * geometry.table_length
        self._end = self._start + geometry.table_length
        self._pages: dict[int, array[int]] = {}
        self._visited: dict[int, bytearray] = {}
        self._counts: dict[int, int] = {}  # of the bits in a page

    def check_place(self, found: Findings) -> None:
        """Report that the image ends before the table does."""
        if self._end > self._window.length:
            text = f"the table ends at {self._end:#x}, the image has {self._window.length:#x}"
            found.add("fat-beyond", text, at=self._start)

    def __getitem__(self, cluster: int) -> int:
        page, index = self._page(cluster // _PAGE), cluster % _PAGE
        return page[index] & self.marks.mask if index < len(page) else _FREE

    def _page(self, number: int) -> "array[int]":
        """Return a page of entries, from memory or from the volume."""
        page = self._pages.get(number)
        if page is None:
            if len(self._pages) >= _KEPT:
                self._pages.pop(next(iter(self._pages)))
            page = self._pages[number] = self._read(number)
        return page

    def _read(self, number: int) -> "array[int]":
        if self.geometry.fat == 12:
            length = min(self.geometry.table_length, 8192)
            return _decode12(self._window.read(self._start, length)) if number == 0 else array("I")
        length = _PAGE * self.geometry.fat // 8
        place = self._start + number * length
        data = self._window.read(place, min(length, self._end - place))
        self._budget.spend(TABLES, len(data))
        return _decode(data, self.geometry.fat)

    def _used_pages(self) -> "Iterator[tuple[int, array[int]]]":
        """Yield the number and the entries of each page that is not all zero; holes are skipped."""
        if self.geometry.fat == 12:
            yield 0, self._page(0)
            return
        size = self.geometry.fat // 8
        for place, data in self._window.chunks(self._start, self._end, align=CHUNK):
            self._budget.spend(TABLES, len(data))
            for at in range(0, len(data), _PAGE * size):
                part = data[at : at + _PAGE * size]
                if part.count(0) != len(part):
                    yield (place - self._start + at) // size // _PAGE, _decode(part, 8 * size)

    def used(self) -> tuple[int, int, list[str]]:
        """Return how many clusters are not free, how many of these are lost, and the first ones.

        Lost clusters belong to no file; those marked bad are not counted as lost.
        """
        total = lost = 0
        runs, following, last = list[list[int]](), -1, self.geometry.last
        for number, page in self._used_pages():
            base = number * _PAGE
            low, high = max(2 - base, 0), max(last + 1 - base, 0)
            entries = _masked(page[low:high], self.marks.mask)
            in_use = len(entries) - entries.count(_FREE)
            total += in_use
            if in_use == self._counts.get(number, 0):
                continue  # all of them were visited
            for cluster in self._lost(number, entries, low):
                lost += 1
                if cluster == following:
                    runs[-1][1] += 1
                elif len(runs) < _SHOWN:
                    runs.append([cluster, 1])
                else:
                    continue
                following = cluster + 1
        return total, lost, [f"{first}..{first + count - 1}" for first, count in runs]

    def _lost(self, number: int, entries: "array[int]", low: int) -> Iterator[int]:
        """Yield the clusters of a page that are in use and were not visited."""
        self._budget.spend(CLUSTERS, len(entries))
        visited = self._visited.get(number, bytes(_PAGE >> 3))
        bad = self.marks.bad
        for index, entry in enumerate(entries, low):
            if entry not in (_FREE, bad) and not visited[index >> 3] >> (index & 7) & 1:
                yield number * _PAGE + index

    def follow(self, first: int) -> ClusterChain:
        """Return the chain that begins with ``first``, and note which clusters it has.

        It ends at the first fault: no cluster is visited twice, by whatever chain.
        """
        runs, mask, last, end = list[list[int]](), self.marks.mask, self.geometry.last, -1
        spend, cluster, number = self._budget.spend, first, -1
        while 2 <= cluster <= last:
            if cluster // _PAGE != number:
                number = cluster // _PAGE
                page = self._page(number)
                visited = self._visited.setdefault(number, bytearray(_PAGE >> 3))
            index = cluster % _PAGE
            entry = page[index] & mask if index < len(page) else _FREE
            if entry == _FREE:
                return ClusterChain(runs, "fat-chain-free", cluster)
            if entry == self.marks.bad and entry > last:
                return ClusterChain(runs, "fat-chain-bad", cluster)
            if visited[index >> 3] >> (index & 7) & 1:
                chain = ClusterChain(runs, "fat-cross-link", cluster)
                chain.fault = "fat-loop" if chain.has(cluster) else chain.fault
                return chain
            visited[index >> 3] |= 1 << (index & 7)
            self._counts[number] = self._counts.get(number, 0) + 1
            spend(CLUSTERS)
            if cluster == end:
                runs[-1][1] += 1
            else:
                spend(FRAGMENTS)
                runs.append([cluster, 1])
            end = cluster + 1
            if entry > last and entry >= self.marks.end:
                return ClusterChain(runs, "", 0)
            cluster = entry
        return ClusterChain(runs, "fat-chain-range", cluster)

    def entry_place(self, cluster: int) -> int:
        """Return where in the volume the entry of a cluster lies."""
        return self._start + cluster * self.geometry.fat // 8


def _decode12(data: bytes) -> "array[int]":
    data += bytes(-len(data) % 3)
    page = array("I")
    for low, middle, high in struct.iter_unpack("3B", data):
        page.append(low | (middle & 15) << 8)
        page.append(middle >> 4 | high << 4)
    return page


def _decode(data: bytes, fat: int) -> "array[int]":
    size = fat // 8
    page = array("H" if size == 2 else "I")
    page.frombytes(data[: len(data) // size * size])
    if sys.byteorder == "big":
        page.byteswap()
    return page


def _masked(entries: "array[int]", mask: int) -> "array[int]":
    """Return entries of FAT32 without their four high bits, which are reserved."""
    if mask <= 0xFFFF or not entries or max(entries) <= mask:
        return entries
    whole = int.from_bytes(entries.tobytes(), "little")
    pattern = int.from_bytes(mask.to_bytes(4, "little") * len(entries), "little")
    return _decode((whole & pattern).to_bytes(4 * len(entries), "little"), 32)


def check_copies(geometry: VolumeGeometry, window: Window, found: Findings, budget: Budget) -> None:
    """Report where a copy of the FAT is not the one that counts."""
    length = min(geometry.table_length, -(-(geometry.clusters + 2) * geometry.fat // 8))
    if geometry.boot.flags & 0x80 and geometry.fat == 32:
        return  # not mirrored: the others are whatever they are
    first = geometry.table_start
    for copy in range(1, geometry.boot.copies):
        other = first + copy * geometry.table_length
        for at in _differences(window, first, other, length, budget):
            text = f"copy {copy + 1} differs from the first"
            found.add("fat-differ", text, at=other + at)
            break


def _differences(
    window: Window, left: int, right: int, length: int, budget: Budget
) -> Iterator[int]:
    """Yield a place within the first of each pair of chunks that differ."""
    for here, there in ((left, right), (right, left)):
        for place, data in window.chunks(here, here + length, align=CHUNK):
            budget.spend(TABLES, 2 * len(data))
            other = window.read(place - here + there, len(data))
            if data != other:
                pairs = zip(data, other.ljust(len(data), b"\0"), strict=True)
                at = next((at for at, (a, b) in enumerate(pairs) if a != b), 0)
                yield place - here + at
