"""FAT: the allocation table, and the chains of clusters in it.

Everything is kept by pages of `_PAGE` entries, and a page that is all zero is not kept at all: a
sparse volume of 64 GiB costs what is allocated in it.  At most `LIMIT` bytes of the table are
looked at that are not zero, and each cluster is visited once.
"""

import struct
import sys
from array import array
from collections.abc import Iterator
from dataclasses import dataclass

from doit_diskimg.verify.boot_sector import Geometry
from doit_diskimg.verify.finding import Findings
from doit_diskimg.verify.source import CHUNK, Window

LIMIT = 64 << 20
"""Bytes of one FAT that are read and not zero: 16 million clusters of FAT32 in use."""

_PAGE = 1 << 14
_FREE = 0
_SHOWN = 8
"""Runs of lost clusters that are named."""


@dataclass
class Chain:
    """A chain as far as it goes."""

    runs: list[list[int]]
    """[first cluster, count] of each contiguous stretch, in the order of the chain."""
    fault: str
    """The code of what ends it, empty if its end is marked."""
    cluster: int
    """Where the fault is."""
    owner: int
    """Who has that cluster already."""

    @property
    def count(self) -> int:
        """How many clusters it has."""
        return sum(count for _, count in self.runs)


class Marks:
    """The numbers that mean no cluster, for one type."""

    def __init__(self, fat: int) -> None:
        self.mask = (1 << min(fat, 28)) - 1
        self.bad = self.mask - 8
        self.end = self.mask - 7  # and above


class Table:
    """The entries of the FAT that counts."""

    def __init__(self, geometry: Geometry) -> None:
        self.geometry = geometry
        self.marks = Marks(geometry.fat)
        self.complete = True
        self._pages: dict[int, array[int]] = {}
        self._owners: dict[int, array[int]] = {}

    def load(self, window: Window, found: Findings) -> None:
        """Read the table from the volume; report if not all of it can be read."""
        geometry, budget = self.geometry, LIMIT
        start = geometry.table_start + geometry.active * geometry.table_length
        end = start + geometry.table_length
        if end > window.length:
            text = f"the table ends at {end:#x}, the image has {window.length:#x}"
            found.add("fat-beyond", text, at=start)
        if geometry.fat == 12:
            self._load12(window.read(start, min(geometry.table_length, 8192)))
            return
        for place, data in window.chunks(start, end, align=CHUNK):
            budget -= len(data)
            if budget < 0:
                text = f"more than {LIMIT >> 20} MiB of a FAT are not zero"
                found.add("limit", text, at=place)
                self.complete = False
                return
            self._load((place - start) * 8 // geometry.fat, data)

    def _load12(self, data: bytes) -> None:
        data += bytes(-len(data) % 3)
        page = array("I")
        for low, middle, high in struct.iter_unpack("3B", data):
            page.append(low | (middle & 15) << 8)
            page.append(middle >> 4 | high << 4)
        if len(page):
            self._pages[0] = page

    def _load(self, first: int, data: bytes) -> None:
        """Keep the pages of entries that begin with number ``first``."""
        size = self.geometry.fat // 8
        for at in range(0, len(data), _PAGE * size):
            part = data[at : at + _PAGE * size]
            if part.count(0) == len(part):
                continue
            page = array("H" if size == 2 else "I")
            page.frombytes(part[: len(part) // size * size])
            if sys.byteorder == "big":
                page.byteswap()
            self._pages[(first + at // size) // _PAGE] = page

    def __getitem__(self, cluster: int) -> int:
        page = self._pages.get(cluster // _PAGE)
        index = cluster % _PAGE
        return page[index] & self.marks.mask if page is not None and index < len(page) else _FREE

    def used(self) -> tuple[int, int, list[str]]:
        """Return how many clusters are not free, how many of these nobody has, and the first ones.

        Clusters marked bad belong to nobody and are not counted among the second.
        """
        total = lost = 0
        runs, following = list[list[int]](), -1
        last, mask, bad = self.geometry.last, self.marks.mask, self.marks.bad
        nobody = array("I", bytes(4 * _PAGE))
        for number, page in sorted(self._pages.items()):
            base = number * _PAGE
            low, high = max(2 - base, 0), max(last + 1 - base, 0)
            entries, owners = page[low:high], self._owners.get(number, nobody)[low:high]
            total += sum(1 for entry in entries if entry & mask)
            numbers = zip(range(base + low, base + high), entries, owners, strict=False)
            for cluster, entry, owner in numbers:
                if owner or not entry & mask or entry & mask == bad:
                    continue
                lost += 1
                if cluster == following:
                    runs[-1][1] += 1
                elif len(runs) < _SHOWN:
                    runs.append([cluster, 1])
                else:
                    continue
                following = cluster + 1
        return total, lost, [f"{first}..{first + count - 1}" for first, count in runs]

    def follow(self, first: int, owner: int) -> "Chain":
        """Return the chain that begins with ``first``, and note that it is ``owner``'s (from 1).

        It ends at the first fault: no cluster is visited twice, by whatever chain.
        """
        runs, mask, last, end = list[list[int]](), self.marks.mask, self.geometry.last, -1
        cluster, number = first, -1
        while 2 <= cluster <= last:
            if cluster // _PAGE != number:
                number = cluster // _PAGE
                page, owners = self._page(number)
            index = cluster % _PAGE
            entry = page[index] & mask if index < len(page) else _FREE
            if entry == _FREE:
                return Chain(runs, "fat-chain-free", cluster, 0)
            if entry == self.marks.bad and entry > last:
                return Chain(runs, "fat-chain-bad", cluster, 0)
            if owners[index]:
                code = "fat-loop" if owners[index] == owner else "fat-cross-link"
                return Chain(runs, code, cluster, owners[index])
            owners[index] = owner
            if cluster == end:
                runs[-1][1] += 1
            else:
                runs.append([cluster, 1])
            end = cluster + 1
            if entry > last and entry >= self.marks.end:
                return Chain(runs, "", 0, 0)
            cluster = entry
        return Chain(runs, "fat-chain-range", cluster, 0)

    def _page(self, number: int) -> "tuple[array[int], array[int]]":
        """Return the entries and the owners of a page; a page of free entries has no owners."""
        page = self._pages.get(number)
        if page is None:
            return array("I"), array("I")
        if number not in self._owners:
            self._owners[number] = array("I", bytes(4 * _PAGE))
        return page, self._owners[number]

    def entry_place(self, cluster: int) -> int:
        """Return where in the volume the entry of a cluster lies."""
        geometry = self.geometry
        start = geometry.table_start + geometry.active * geometry.table_length
        return start + cluster * geometry.fat // 8


def check_copies(geometry: Geometry, window: Window, found: Findings) -> None:
    """Report where a copy of the FAT is not the one that counts."""
    length = min(geometry.table_length, -(-(geometry.clusters + 2) * geometry.fat // 8))
    if geometry.boot.flags & 0x80 and geometry.fat == 32:
        return  # not mirrored: the others are whatever they are
    first = geometry.table_start
    for copy in range(1, geometry.boot.copies):
        other = first + copy * geometry.table_length
        for at in _differences(window, first, other, length):
            text = f"copy {copy + 1} has other bytes than the first"
            found.add("fat-differ", text, at=other + at)
            break


def _differences(window: Window, left: int, right: int, length: int) -> Iterator[int]:
    """Yield a place within the first of each pair of chunks that differ."""
    budget = LIMIT
    for here, there in ((left, right), (right, left)):
        for place, data in window.chunks(here, here + length, align=CHUNK):
            budget -= len(data)
            other = window.read(place - here + there, len(data))
            if data != other:
                pairs = zip(data, other.ljust(len(data), b"\0"), strict=True)
                at = next((at for at, (a, b) in enumerate(pairs) if a != b), 0)
                yield place - here + at
            if budget < 0:
                return
