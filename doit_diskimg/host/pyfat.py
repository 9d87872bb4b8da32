"""Fills a FAT volume by pyfatfs's low level, the part of it that does not lose data.

Create only, and by hand what the library has no call for: it never overwrites, shortens or deletes
(its `FatIO` breaks chains there), each directory is written once, the FAT once, at the end.

`make` gets a description of the volume, as `filesystems.fat.engines.pyfatfs` writes it.
"""

import json
import os
import struct
import warnings
from collections.abc import Iterator
from itertools import pairwise
from typing import Any

from pyfatfs.EightDotThree import EightDotThree
from pyfatfs.FATDirectoryEntry import FATDirectoryEntry, make_lfn_entry
from pyfatfs.PyFat import PyFat, PyFATException

from doit_diskimg.host.program import LibraryError
from doit_diskimg.ondisk import fat_dirent
from doit_diskimg.ondisk.fat_boot import FsInfo
from doit_diskimg.plan.recipe import PAYLOAD

_Node = dict[str, Any]
_CHUNK = 1 << 20


def make(folder: str, description: str) -> None:
    """Fill the payload in ``folder``; ``description`` is the name of a file there.

    Raises LibraryError in the words of pyfatfs, and OSError.
    """
    with open(os.path.join(folder, description), encoding="ascii") as file:
        wanted = json.load(file)
    payload = os.path.join(folder, PAYLOAD)
    with open(payload, "r+b") as image:
        for offset, data in wanted["blank"]:
            image.seek(offset)
            image.write(bytes.fromhex(data))
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            _Volume(payload, folder, wanted).fill()
    except (PyFATException, Warning, IndexError, struct.error) as error:
        raise LibraryError(" ".join(str(error).split())) from error


class _Volume:
    """A blank volume that is open in pyfatfs."""

    def __init__(self, payload: str, folder: str, wanted: _Node) -> None:
        self._folder = folder
        self._wanted = wanted
        self._fat = PyFat()
        # It needs this number for the type before it has counted it (pyfatfs 1.1).
        self._fat.root_dir_sectors = wanted["root_sectors"]
        self._payload = payload

    def fill(self) -> None:
        """Write everything, and close the volume."""
        fat = self._fat
        with open(self._payload, "r+b") as image:
            fat.set_fp(image)
            clusters = self._wanted["clusters"]
            # Its table may be longer than the volume, and it allocates to the end of the table but
            # for the last entry: so it gets the clusters that there are, and one that nobody gets.
            fat.fat = [*([*fat.fat, 0][: clusters + 2]), 1]
            try:
                self._root(self._wanted["root"])
            except BaseException:
                fat.initialized = False  # else its destructor would write, to a file that is closed
                raise
            fat.fat = fat.fat[: clusters + 2]
            fat.flush_fat()
            free, first = fat.fat.count(0), fat.fat.index(0) if 0 in fat.fat else 0xFFFFFFFF
            fat.close()
        if self._wanted["fs_info"]:
            self._count(free, first)

    def _root(self, root: _Node) -> None:
        entries = list(self._entries(root, 0))
        if root["label"]:
            entries.insert(0, self._entry({**root, "short": root["label"], "long": ""}, 0, 0))
        for entry in entries:
            self._fat.root_dir.add_subdirectory(entry)
        self._fat.update_directory_entry(self._fat.root_dir)

    def _entries(self, directory: _Node, cluster: int) -> Iterator[FATDirectoryEntry]:
        """Yield the entries of a directory that begins with ``cluster``; write what is below."""
        for node in directory["children"]:
            if "children" in node:
                first = self._allocate(node["length"])[0]
                self._directory(node, first, cluster)
                yield self._entry(node, first, 0)
            else:
                clusters = self._allocate(node["length"])
                self._write(node["file"], clusters)
                yield self._entry(node, clusters[0] if clusters else 0, node["length"])

    def _directory(self, node: _Node, first: int, parent: int) -> None:
        dots = {**node, "long": "", "attributes": fat_dirent.DIRECTORY}
        entries = [
            self._entry({**dots, "short": ".".ljust(11)}, first, 0),
            self._entry({**dots, "short": "..".ljust(11)}, parent, 0),
            *self._entries(node, first),
        ]
        data = b"".join(map(bytes, entries))
        self._fat.write_data_to_cluster(data, first, extend_cluster=False, erase=True)

    def _allocate(self, length: int) -> list[int]:
        clusters: list[int] = self._fat.allocate_bytes(length) if length else []
        return clusters

    def _write(self, name: str, clusters: list[int]) -> None:
        """Copy a file into its clusters, a contiguous stretch at a time."""
        if not clusters:
            return
        with open(os.path.join(self._folder, name), "rb") as source:
            for first, count in _runs(clusters):
                place = self._fat.get_data_cluster_address(first)
                left = count * self._fat.bytes_per_cluster
                while left and (data := source.read(min(left, _CHUNK))):
                    if any(data):  # what is zero is a hole already
                        self._fat._write_data_to_address(data, place)
                    place, left = place + len(data), left - len(data)

    def _entry(self, node: _Node, cluster: int, size: int) -> FATDirectoryEntry:
        short = EightDotThree()
        short.set_byte_name(node["short"].encode("ascii"))
        date, time, tenths = node["time"]
        entry = FATDirectoryEntry(
            DIR_Name=short, DIR_Attr=node["attributes"], DIR_NTRes=node["case"],
            DIR_CrtTimeTenth=tenths, DIR_CrtTime=time, DIR_CrtDate=date, DIR_LstAccessDate=date,
            DIR_FstClusHI=0, DIR_WrtTime=time, DIR_WrtDate=date, DIR_FstClusLO=0, DIR_FileSize=size,
            lfn_entry=make_lfn_entry(node["long"], short) if node["long"] else None,
        )  # fmt: skip
        entry.set_cluster(cluster)
        return entry

    def _count(self, free: int, first: int) -> None:
        """Write FSInfo and its copy, which pyfatfs leaves as they were."""
        data = FsInfo(free_count=free, next_free=first).pack()
        with open(self._payload, "r+b") as image:
            for offset in self._wanted["fs_info"]:
                image.seek(offset)
                image.write(data)


def _runs(clusters: list[int]) -> Iterator[tuple[int, int]]:
    """Yield (first, count) of the contiguous stretches."""
    first = clusters[0]
    for left, right in pairwise([*clusters, -1]):
        if right != left + 1:
            yield first, left - first + 1
            first = right
