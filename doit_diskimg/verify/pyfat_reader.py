"""Reads FAT volumes with pyfatfs, which shares no code with what wrote them.

Only pyfatfs's low level is used: ``pyfatfs.PyFatFS`` does not import beside a recent setuptools.
Known defects of pyfatfs 1.1 that matter to a reader:

* It determines the type before it has counted the sectors of the root directory, and so takes
  FAT12 volumes of up to 4084 clusters for FAT16.  `_root_sectors` counts them for it beforehand.
* It takes cluster numbers from 0xFF0 (FAT12) and 0xFFF0 (FAT16) on for marks, although volumes
  of the greatest size have clusters with these numbers.  Files that use them can't be read.
"""

import struct
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from os import PathLike
from typing import BinaryIO

from pyfatfs.FATDirectoryEntry import FATDirectoryEntry
from pyfatfs.PyFat import PyFat, PyFATException


def read_volume(path: str | PathLike[str], offset: int = 0) -> dict[str, bytes]:
    """Return the contents of every file of the volume that begins at byte ``offset``.

    The keys are long names with ``/`` between them; directories end with ``/`` and have no bytes.
    Raises ValueError if pyfatfs takes the volume for damaged, or only warns, or if a file's chain
    and size disagree, or a name occurs twice; OSError if the image can't be read.
    """
    contents: dict[str, bytes] = {}
    with _opened(path, offset) as volume:
        _read_directory(volume, volume.root_dir, "", contents)
    return contents


def listing(path: str | PathLike[str], offset: int = 0) -> dict[str, tuple[int, list[int]]]:
    """Return the size and the clusters of every file and directory of a volume; else as above.

    For a volume in which no chain loops, which pyfatfs would follow for ever.
    """
    found: dict[str, tuple[int, list[int]]] = {}
    with _opened(path, offset) as volume:
        waiting = [("", volume.root_dir)]
        while waiting:
            prefix, directory = waiting.pop()
            directories, files, _ = directory.get_entries()
            below = [(f"{prefix}{entry}/", entry) for entry in directories]
            waiting += below
            for name, entry in [*below, *((f"{prefix}{entry}", entry) for entry in files)]:
                first = entry.get_cluster()
                chain = list(volume.get_cluster_chain(first)) if first else []
                found[name] = entry.filesize, chain
    return found


@contextmanager
def _opened(path: str | PathLike[str], offset: int) -> Iterator[PyFat]:
    """Open a volume; what pyfatfs raises and warns of becomes ValueError."""
    with warnings.catch_warnings(), open(path, "rb") as image:
        warnings.simplefilter("error")
        try:
            volume = PyFat(offset=offset)
            volume.root_dir_sectors = _root_sectors(image, offset)
            volume.set_fp(image)
            yield volume
        except (PyFATException, Warning, IndexError, struct.error, RecursionError) as error:
            raise ValueError(f"pyfatfs can't read the volume: {error}") from error


def _root_sectors(image: BinaryIO, offset: int) -> int:
    """Return the sectors of the root directory, or 0 where there is no boot sector to tell."""
    image.seek(offset)
    boot_sector = image.read(512).ljust(512, b"\0")
    (sector_size,) = struct.unpack_from("<H", boot_sector, 11)  # BPB_BytsPerSec
    (root_entries,) = struct.unpack_from("<H", boot_sector, 17)  # BPB_RootEntCnt
    return -(-root_entries * 32 // sector_size) if sector_size else 0


def _read_directory(
    volume: PyFat, directory: FATDirectoryEntry, path: str, contents: dict[str, bytes]
) -> None:
    directories, files, _ = directory.get_entries()
    for entry in directories:
        name = f"{path}{entry}/"
        _add(contents, name, b"")
        _read_directory(volume, entry, name, contents)
    for entry in files:
        _add(contents, f"{path}{entry}", _read_file(volume, entry))


def _read_file(volume: PyFat, entry: FATDirectoryEntry) -> bytes:
    first, size = entry.get_cluster(), entry.filesize
    clusters = list(volume.get_cluster_chain(first)) if first else []
    needed = -(-size // volume.bytes_per_cluster)
    if len(clusters) != needed:
        raise ValueError(f"{entry} has {len(clusters)} clusters, its size needs {needed}")
    return b"".join(map(volume.read_cluster_contents, clusters))[:size]


def _add(contents: dict[str, bytes], name: str, data: bytes) -> None:
    if name in contents:
        raise ValueError(f"{name!r} occurs twice")
    contents[name] = data
