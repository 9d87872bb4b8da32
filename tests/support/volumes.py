"""The contents of a FAT volume as pyfatfs reads them."""

from os import PathLike

from pyfatfs.FATDirectoryEntry import FATDirectoryEntry
from pyfatfs.PyFat import PyFat

from doit_diskimg.verify.pyfat_reader import opened


def read_volume(path: str | PathLike[str], offset: int = 0) -> dict[str, bytes]:
    """Return the contents of every file of the volume that begins at byte ``offset``.

    The keys are long names with ``/`` between them; directories end with ``/`` and have no bytes.
    Raises ValueError if pyfatfs takes the volume for damaged, or only warns, or if a file's chain
    and size disagree, or a name occurs twice; OSError if the image can't be read.
    """
    contents: dict[str, bytes] = {}
    with opened(path, offset) as volume:
        _read_directory(volume, volume.root_dir, "", contents)
    return contents


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
