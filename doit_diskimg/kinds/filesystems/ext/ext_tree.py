"""What goes into an ext volume: every source of the description at its path.

Problems are collected, not raised: a user hears of all of them at once.
"""

from typing import TYPE_CHECKING, NamedTuple

from doit_diskimg.errors import BadPath, DuplicatePath, Problem, WorldError
from doit_diskimg.kinds.filesystems.mapped import mapped
from doit_diskimg.plan.content import Files, Tree

if TYPE_CHECKING:
    from doit_diskimg.kinds.filesystems.ext.ext_volume import Ext

LONGEST_NAME = 255  # EXT2_NAME_LEN, in bytes
LOST_AND_FOUND = "lost+found"


class Node(NamedTuple):
    """A file, or a directory if it has no source."""

    source: str | bytes | None
    where: str
    """The part of the description that put it here."""


class Gathered:
    """The volume's files and directories by path, without the root; and what is wrong with them."""

    def __init__(self) -> None:
        self.nodes: dict[str, Node] = {}
        self.problems: list[Problem] = []
        """The description's."""
        self.failed: list[Problem] = []
        """The world's."""

    def directory(self, path: str, where: str) -> bool:
        """Put a directory at ``path``, and those above it; return whether it is there."""
        if not path:
            return True
        there = self.nodes.get(path)
        if there is not None:
            if there.source is not None:
                self._taken(path, "a directory", where, there)
            return there.source is None
        above, _, name = path.rpartition("/")
        if not self.directory(above, where) or not self._name_fits(path, name, where):
            return False
        self.nodes[path] = Node(None, where)
        return True

    def file(self, path: str, source: str | bytes, where: str) -> None:
        """Put a file at ``path``, and the directories above it."""
        above, _, name = path.rpartition("/")
        if not name:
            self._bad_path(where, "the path names no file", "give the file a name")
        elif self.directory(above, where) and self._name_fits(path, name, where):
            there = self.nodes.get(path)
            if there is not None:
                self._taken(path, _origin(source), where, there)
            else:
                self.nodes[path] = Node(source, where)

    def _name_fits(self, path: str, name: str, where: str) -> bool:
        """A lone surrogate can't be a name of the host's either; it stands for no byte."""
        try:
            length = len(name.encode("utf-8", "surrogateescape"))
        except UnicodeEncodeError:
            length = LONGEST_NAME + 1
        if name in (".", "..") or "\0" in name:
            self._bad_path(where, f"{path!r} has the part {name!r}", "write the path without it")
        elif length > LONGEST_NAME:
            self._bad_path(
                where, f"{path!r} has a name of more than {LONGEST_NAME} bytes", "shorten it"
            )
        elif path == LOST_AND_FOUND:
            self._bad_path(where, f"{path!r} is mke2fs's own", "rename it or leave it out")
        else:
            return True
        return False

    def _bad_path(self, where: str, found: str, change: str) -> None:
        must = "an ext volume has names of 1 to 255 bytes"
        self.problems.append(BadPath(where, found, must, change))

    def _taken(self, path: str, what: str, where: str, there: Node) -> None:
        found = f"{path!r} is {what} here, and {_origin(there.source)} in {there.where}"
        must, change = "a path has one source", "remove one of the two"
        self.problems.append(DuplicatePath(where, found, must, change))


def gather(ext: "Ext", files: Files | None, where: str) -> Gathered:
    """Return what the description and its trees make, directories before what is in them.

    Without ``files`` the world is not asked, and trees are empty.
    """
    gathered = Gathered()
    for key in sorted(ext.mapping, key=str):
        for one in mapped(key, ext.mapping[key], ext.place_of(key, where)):
            if isinstance(one, Problem):
                gathered.problems.append(one)
            elif isinstance(one.source, Tree):
                _tree(gathered, one.path, one.source, files, one.where)
            else:
                gathered.file(one.path, one.source, one.where)
    gathered.nodes = dict(sorted(gathered.nodes.items()))
    return gathered


def _tree(gathered: Gathered, path: str, tree: Tree, files: Files | None, where: str) -> None:
    if files is None:
        gathered.problems += tree.problems(where)
    if not gathered.directory(path, where) or files is None:
        return
    try:
        entries = files.walk(tree, where)
    except WorldError as error:
        gathered.failed += error.problems
        return
    for entry in entries:
        below = f"{path}/{entry.path}" if path else entry.path
        if entry.source is None:
            gathered.directory(below, where)
        else:
            gathered.file(below, entry.source, where)


def _origin(source: str | bytes | None) -> str:
    if source is None:
        return "a directory"
    return "inline bytes" if isinstance(source, bytes) else f"the file {source!r}"
