"""The tree of a volume as files for a program: which, under which names, with which times."""

from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple, Protocol

from doit_diskimg.content import FilePart
from doit_diskimg.filesystems.fat.contents import ROOT
from doit_diskimg.filesystems.fat.names import StoredName
from doit_diskimg.filesystems.fat.tree import Directory, File
from doit_diskimg.ondisk.fat_dirent import Timestamp
from doit_diskimg.recipe import Staged


class Load(NamedTuple):
    """What goes into a volume, whatever the volume; the fields are those of `build.Volume`."""

    root: Directory
    stored: Mapping[str, Mapping[str, StoredName]]
    digests: Mapping[str, Sequence[FilePart]]
    time: Timestamp
    times: Mapping[str, Timestamp]


class Laden(Protocol):
    """A `Load` or a `build.Volume`."""

    @property
    def root(self) -> Directory: ...  # noqa: D102
    @property
    def stored(self) -> Mapping[str, Mapping[str, StoredName]]: ...  # noqa: D102
    @property
    def digests(self) -> Mapping[str, Sequence[FilePart]]: ...  # noqa: D102
    @property
    def time(self) -> Timestamp: ...  # noqa: D102
    @property
    def times(self) -> Mapping[str, Timestamp]: ...  # noqa: D102


def name(volume: Laden, node: File | Directory) -> str:
    """Return the name that readers will see: on a volume without long names, the short one."""
    stored = volume.stored[_above(node.path)][node.name]
    if stored.long or stored.case:
        return node.name
    base, extension = stored.short[:8].decode("ascii"), stored.short[8:].decode("ascii")
    return f"{base.rstrip()}.{extension.rstrip()}".rstrip(".")


def paths(volume: Laden) -> Iterator[tuple[str, File | Directory]]:
    """Yield everything but the root, in path order, with the path that readers will see."""
    seen = {ROOT: ""}
    for node in volume.root.everything():
        if node.path == ROOT:
            continue
        seen[node.path] = f"{seen[_above(node.path)]}{name(volume, node)}"
        yield seen[node.path], node
        seen[node.path] += "/"


def file(volume: Laden, node: File, path: str) -> Staged:
    """Return a file as it is laid out at ``path``."""
    digest = ""
    source = node.source
    if isinstance(source, str):
        # An empty file was never digested; any digest of nothing is that of empty bytes.
        source, digest = (source, volume.digests[source][0].digest) if node.size else (b"", "")
    time = volume.times.get(node.path, volume.time)
    return Staged(path, source, digest, seconds=time.epoch())


def _above(path: str) -> str:
    return path.rpartition("/")[0]
