"""Reads FAT volumes with pyfatfs, which shares no code with what wrote them.

Only pyfatfs's low level is used: ``pyfatfs.PyFatFS`` does not import beside a recent setuptools.
Known defects of pyfatfs 1.1 that matter to a reader:

* It determines the type before it has counted the sectors of the root directory, and so takes
  FAT12 volumes of up to 4084 clusters for FAT16.  `_open` counts them for it beforehand.
* It takes cluster numbers from 0xFF0 (FAT12) and 0xFFF0 (FAT16) on for marks, although volumes
  of the greatest size have clusters with these numbers.  Files that use them can't be read.
"""

import struct
import warnings
from os import PathLike

from pyfatfs.FATDirectoryEntry import FATDirectoryEntry
from pyfatfs.PyFat import PyFat


def read_volume(path: str | PathLike[str], offset: int = 0) -> dict[str, bytes]:
    """Return the contents of every file of the volume that begins at byte ``offset``.

    The keys are long names with ``/`` between them; directories end with ``/`` and have no bytes.
    Raises ValueError if a file's chain and size disagree or a name occurs twice, and what pyfatfs
    raises, its warnings included, if it takes the volume for damaged.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        volume = _open(path, offset)
        try:
            contents: dict[str, bytes] = {}
            _read_directory(volume, volume.root_dir, "", contents)
            return contents
        finally:
            volume.close()


def _open(path: str | PathLike[str], offset: int) -> PyFat:
    volume = PyFat(offset=offset)
    with open(path, "rb") as file:
        file.seek(offset)
        boot_sector = file.read(512)
    if len(boot_sector) == 512:
        (sector_size,) = struct.unpack_from("<H", boot_sector, 11)
        (root_entries,) = struct.unpack_from("<H", boot_sector, 17)
        volume.root_dir_sectors = -(-root_entries * 32 // sector_size) if sector_size else 0
    volume.open(path, read_only=True)
    return volume


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
