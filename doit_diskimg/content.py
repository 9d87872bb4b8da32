"""Where bytes come from, and the one protocol by which planners ask about it.

A planner never opens a file.  It asks `Files` how long a file is, what its digest is, and which
entries a tree has; `host.files` answers from the real file system, tests bring a fake that keeps
a list of what was asked.

This module also owns the choice of the digest.  Its name is stored wherever a digest is stored.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from os import PathLike
from typing import TYPE_CHECKING, NamedTuple, Protocol, TypeAlias

if TYPE_CHECKING:
    import xxhash

DIGEST = "xxh3_128"
"""Name of the digest of contents, as stored beside every digest."""


def hasher() -> "xxhash.xxh3_128":
    """Return a new hash object for contents; ``hexdigest()`` is the digest."""
    # Imported late: every `doit` imports this module, only a build hashes.
    import xxhash

    return xxhash.xxh3_128()


def digest_of(data: bytes | memoryview) -> str:
    """Return the digest of ``data`` as 32 hexadecimal digits."""
    import xxhash

    return str(xxhash.xxh3_128_hexdigest(data))


@dataclass(frozen=True)
class Tree:
    """A directory of the host, with everything below it.

    ``include`` and ``exclude`` are patterns in the syntax of gitignore: ``*.o`` at any depth,
    ``drivers/*.ko`` relative to ``dir``.  With ``include`` only matching files are taken; what is
    excluded is left out even so.  Empty directories are kept.
    """

    dir: str | PathLike[str]
    include: Sequence[str] = ()
    exclude: Sequence[str] = ()


Source: TypeAlias = "str | PathLike[str] | bytes | Tree"
"""A path of the host, bytes as they are, or a tree."""


class Entry(NamedTuple):
    """Something found in a tree: ``path`` is relative to it, with ``/`` between its parts."""

    path: str
    source: str | None
    """The file on the host; None for a directory."""


class Wanted(NamedTuple):
    """A source and the place in the description that names it, such as ``partitions[0].files``."""

    where: str
    source: Source


class Files(Protocol):
    """What planners may ask of the outside world.

    ``where`` is the place in the description that names the path, for messages.  Each method
    raises WorldError when the path is missing or of the wrong kind.
    """

    def size(self, path: str, where: str) -> int:
        """Return the length of a regular file in bytes."""
        ...

    def digest(self, path: str, where: str) -> str:
        """Return the digest of a regular file's contents."""
        ...

    def walk(self, tree: Tree, where: str) -> Sequence[Entry]:
        """Return the files and directories below ``tree``, sorted by path."""
        ...
