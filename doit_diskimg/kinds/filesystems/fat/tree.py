"""The directory tree of a volume: every source of the description at its path.

Problems are collected, not raised: a user hears of all of them at once.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from doit_diskimg.errors import (
    BadPath,
    ContentTooLarge,
    DuplicatePath,
    Problem,
    WorldError,
)
from doit_diskimg.kinds.filesystems.fat import names
from doit_diskimg.kinds.filesystems.mapped import mapped
from doit_diskimg.ondisk.fat_dirent import ARCHIVE, DIRECTORY
from doit_diskimg.plan.content import Files, Sources, Tree

LARGEST_FILE = 0xFFFFFFFF  # DIR_FileSize


@dataclass(slots=True)
class File:
    """A file of the volume; ``source`` is a path of the host, or the bytes themselves."""

    path: str
    name: str
    source: str | bytes
    size: int
    where: str
    """The part of the description that put it here."""
    attributes: int = ARCHIVE


@dataclass(slots=True)
class Directory:
    """A directory of the volume; the root's name and path are empty."""

    path: str
    name: str
    where: str
    children: "dict[str, File | Directory]" = field(default_factory=dict)
    """By folded name, in the order of the entries."""
    attributes: int = DIRECTORY

    def below(self, name: str) -> str:
        """Return the path of a child; `path` may be spelled otherwise than the user did."""
        return f"{self.path}/{name}" if self.path else name

    def everything(self) -> "Iterator[File | Directory]":
        """Yield this directory and all below it, in path order."""
        # A stack of our own: paths may be deeper than Python's.
        stack: list[File | Directory] = [self]
        while stack:
            node = stack.pop()
            yield node
            if isinstance(node, Directory):
                stack.extend(reversed(node.children.values()))


    def find(self, path: str) -> "File | Directory | None":
        """Return what is at ``path``, whatever its case; None if there is nothing."""
        node: File | Directory | None = self
        for part in filter(None, path.split("/")):
            node = node.children.get(names.fold(part)) if isinstance(node, Directory) else None
        return node

    def bring_first(self, nodes: "Sequence[File | Directory]") -> None:
        """Move ``nodes`` before the other entries of their directories, in their order."""
        for node in reversed(nodes):
            parent = self.find(node.path.rpartition("/")[0])
            if isinstance(parent, Directory):
                folded = names.fold(node.name)
                parent.children = {folded: node, **parent.children}


class Gathered(NamedTuple):
    """The tree, and what is wrong with it."""

    root: Directory
    wrong: list[Problem]
    """The description's problems."""
    failed: list[Problem]
    """The world's: files that are missing, directories that can't be read."""


def gather(
    sources: Mapping[str, Sources], files: Files | None, where: str, *, long_names: bool = True
) -> Gathered:
    """Return the tree that ``sources`` make.

    Where one directory has several spellings, the first in the order of keys and paths stands.
    Without ``files`` the world is not asked: trees are empty and files have no size, which is
    enough to check the description alone.
    """
    gatherer = _Gatherer(files, where, long_names)
    if isinstance(sources, Mapping):  # anything else is reported with the other fields
        for key in sorted(sources, key=str):
            gatherer.add(key, sources[key], f"{where}.files[{key!r}]")
    gatherer.sort()
    return Gathered(gatherer.root, gatherer.wrong, gatherer.failed)


class _Gatherer:
    def __init__(self, files: Files | None, where: str, long_names: bool) -> None:
        self.root = Directory("", "", f"{where}.files")
        self.wrong: list[Problem] = []
        self.failed: list[Problem] = []
        self._files = files
        self._long_names = long_names
        # By path as it was written, so that the thousandth file of a directory finds it at once;
        # None where there can't be one, which was said when it was first asked for.
        self._directories: dict[str, Directory | None] = {"": self.root}

    def add(self, key: object, sources: object, where: str) -> None:
        """Put one entry of the description into the tree."""
        for one in mapped(key, sources, where):
            if isinstance(one, Problem):
                self.wrong.append(one)
            elif isinstance(one.source, Tree):
                self._tree(one.path, one.source, one.where)
            else:
                self._file(one.path, one.source, one.where)

    def sort(self) -> None:
        """Bring the children of every directory into the order of their entries."""
        for directory in filter(None, self._directories.values()):
            directory.children = dict(sorted(directory.children.items()))

    def _tree(self, path: str, tree: Tree, where: str) -> None:
        if self._files is None:
            self.wrong += tree.problems(where)
        if self._directory(path, where) is None or self._files is None:
            return
        try:
            entries = self._files.walk(tree, where)
        except WorldError as error:
            self.failed += error.problems
            return
        prefix = f"{path}/" if path else ""
        for below, source in entries:
            if source is None:
                self._directory(prefix + below, where)
            else:
                self._file(prefix + below, source, where)

    def _file(self, path: str, source: str | bytes, where: str) -> None:
        above, _, name = path.rpartition("/")
        if not name:
            must = "only a Tree can be merged into the root"
            self._problem(BadPath, where, "the path names no file", must, "give the file a name")
            return
        directory = self._directory(above, where)
        if directory is None or not self._name_fits(path, name, where):
            return
        folded = names.fold(name)
        other = directory.children.get(folded)
        if other is not None:
            self._taken(path, source, where, other)
            return
        size = self._size(path, source, where)
        directory.children[folded] = File(directory.below(name), name, source, size, where)

    def _directory(self, path: str, where: str) -> Directory | None:
        """Return the directory at ``path``, making what is missing; None if there can't be one."""
        missing = []
        while path not in self._directories:
            missing.append(path)
            path = path.rpartition("/")[0]
        directory = self._directories[path]
        for below in reversed(missing):
            directory = directory and self._child(directory, below, where)
            self._directories[below] = directory
        return directory

    def _child(self, parent: Directory, path: str, where: str) -> Directory | None:
        """Return the directory at ``path`` in ``parent``, made unless it is there."""
        name = path.rpartition("/")[2]
        if not self._name_fits(path, name, where):
            return None
        made = Directory(parent.below(name), name, where)
        child = parent.children.setdefault(names.fold(name), made)
        if isinstance(child, Directory):
            return child
        found = f"{path!r} is a directory here, and {_origin(child.source)} in {child.where}"
        must, change = "a path is one or the other", "rename one of the two"
        self._problem(DuplicatePath, where, found, must, change)
        return None

    def _name_fits(self, path: str, name: str, where: str) -> bool:
        fault = names.fault(name, long_names=self._long_names)
        if fault is not None:
            found, must = fault
            self._problem(BadPath, where, f"{path!r} {found}", must, "rename it or leave it out")
        return fault is None

    def _taken(self, path: str, source: str | bytes, where: str, other: File | Directory) -> None:
        if isinstance(other, Directory):
            found = f"{path!r} is {_origin(source)} here, and a directory in {other.where}"
            must, change = "a path is one or the other", "rename one of the two"
        else:
            there = f"{_origin(other.source)} in {other.where}"
            found = f"{path!r} is {_origin(source)} here, and {there}"
            must, change = "a path has one source whatever its case", "remove one of the two"
        self._problem(DuplicatePath, where, found, must, change)

    def _size(self, path: str, source: str | bytes, where: str) -> int:
        if isinstance(source, bytes):
            return len(source)
        if self._files is None:
            return 0
        try:
            size = self._files.size(source, where)
        except WorldError as error:
            self.failed += error.problems
            return 0
        if size > LARGEST_FILE:
            found = f"{path!r} has {size:,} bytes"
            must = f"a file on FAT has at most {LARGEST_FILE:,}"
            self._problem(ContentTooLarge, where, found, must, "split it, or leave it out")
        return size

    def _problem(self, kind: type[Problem], where: str, found: str, must: str, change: str) -> None:
        self.wrong.append(kind(where, found, must, change))


def _origin(source: str | bytes) -> str:
    return "inline bytes" if isinstance(source, bytes) else f"the file {source!r}"
