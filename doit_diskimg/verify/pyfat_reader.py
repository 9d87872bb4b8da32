"""Lists FAT volumes with pyfatfs, which shares no code with what wrote them.

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

from pyfatfs.PyFat import PyFat, PyFATException


def listing(path: str | PathLike[str], offset: int = 0) -> dict[str, tuple[int, list[int]]]:
    """Return the size and the clusters of every file and directory of a volume.

    It begins at byte ``offset``; no chain in it loops, which pyfatfs would follow for ever.  Keys
    are long names with ``/`` between them, and one at the end of a directory's.  Raises ValueError
    if pyfatfs takes the volume for damaged, or only warns; OSError if it can't be read.
    """
    found: dict[str, tuple[int, list[int]]] = {}
    with opened(path, offset) as volume:
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
def opened(path: str | PathLike[str], offset: int) -> Iterator[PyFat]:
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
