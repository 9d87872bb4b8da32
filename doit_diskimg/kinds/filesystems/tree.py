"""The files of a description as a tree: the same words for every file system and archive.

``files`` maps paths in the volume to sources.  Slashes at the beginning of a path and several in a
row count for nothing: ``"/"`` and ``""`` are the root, ``"a//b"`` is ``"a/b"``.  One at its end
says that the path is a directory.  A list of sources is as if each had a key of its own for that
path, and a `content.Tree` is merged into the directory at its path.

Which names there can be, and which of them are the same, is the file system's `Rules`.  Problems
are collected, not raised: a user hears of all of them at once.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from os import PathLike, fsdecode, fspath
from typing import NamedTuple, TypeAlias

from doit_diskimg.disk.fields import path_text_problems, shown
from doit_diskimg.errors import (
    BadPath,
    BadValue,
    ContentTooLarge,
    DuplicatePath,
    Problem,
    WorldError,
)
from doit_diskimg.plan.content import Entry, Tree, each, keyed
from doit_diskimg.plan.patterns import tree_problems


class Rules(NamedTuple):
    """What a file system takes for a name."""

    name: str
    """What messages call it."""
    fault: Callable[[str, str], tuple[str, str, str] | None]
    """For a path and the name at its end: None, or what is, what must be and what to change."""
    fold: Callable[[str], str] = str
    """What two names have in common that are the same to it: the case, for example."""
    most: int | None = None
    """Bytes of the largest file, if there is such a limit."""


@dataclass(slots=True)
class FileNode:
    """A file of the volume; ``source`` is a path of the host, or the bytes themselves."""

    path: str
    name: str
    source: str | bytes
    size: int
    where: str
    """The part of the description that put it here."""
    attributes: int = 0
    """Whatever the file system gives it beside its contents."""

    @property
    def origin(self) -> str:
        """What it is made of, in words."""
        return "inline bytes" if isinstance(self.source, bytes) else f"the file {self.source!r}"


@dataclass(slots=True)
class Directory:
    """A directory of the volume; the root's name and path are empty."""

    path: str
    name: str
    where: str
    children: "dict[str, Node]" = field(default_factory=dict)
    """By folded name, in the order of these."""
    attributes: int = 0

    origin = "a directory"

    def below(self, name: str) -> str:
        """Return the path of a child; `path` may be spelled otherwise than the user did."""
        return f"{self.path}/{name}" if self.path else name

    def everything(self) -> "Iterator[Node]":
        """Yield this directory and all below it, each before what is in it."""
        # A stack of our own: paths may be deeper than Python's.
        stack: list[Node] = [self]
        while stack:
            node = stack.pop()
            yield node
            if isinstance(node, Directory):
                stack.extend(reversed(node.children.values()))

    def find(self, path: str, fold: Callable[[str], str] = str) -> "Node | None":
        """Return what is at ``path``; None if there is nothing."""
        node: Node | None = self
        for part in filter(None, path.split("/")):
            node = node.children.get(fold(part)) if isinstance(node, Directory) else None
        return node


Node: TypeAlias = FileNode | Directory


class Gathered(NamedTuple):
    """The tree, and what is wrong with it."""

    root: Directory
    wrong: list[Problem]
    """The description's problems."""
    failed: list[Problem]
    """The world's: files that are missing, directories that can't be read."""


Walk: TypeAlias = Callable[[Tree, str], Sequence[Entry]]
Measure: TypeAlias = Callable[[str, str], int]


def gather(
    files: object, where: str, rules: Rules, walk: Walk | None = None, size: Measure | None = None
) -> Gathered:
    """Return the tree that ``files``, the field of that name at ``where``, makes.

    ``walk`` and ``size`` are those of `content.Files`.  Without ``walk`` the world is not asked:
    trees are empty, which is enough to check the description alone.  Without ``size`` files of the
    host have no length.  Where one directory has several spellings, the first in the order of keys
    and paths stands.
    """
    gatherer = _Gatherer(f"{where}.files", rules, walk, size)
    for key, sources, here in keyed(files, where):
        gatherer.add(key, sources, here)
    gatherer.sort()
    return Gathered(gatherer.root, gatherer.wrong, gatherer.failed)


def key_path(key: str) -> str:
    """Return the path that a key stands for, without slashes that count for nothing."""
    return "/".join(filter(None, key.split("/")))


class _Gatherer:
    def __init__(
        self, where: str, rules: Rules, walk: Walk | None, size: Measure | None
    ) -> None:
        self.root = Directory("", "", where)
        self.wrong: list[Problem] = []
        self.failed: list[Problem] = []
        self._rules, self._walk, self._size = rules, walk, size
        # By path as it was written, so that the thousandth file of a directory finds it at once;
        # None where there can't be one, which was said when it was first asked for.
        self._directories: dict[str, Directory | None] = {"": self.root}

    def add(self, key: object, sources: object, where: str) -> None:
        """Put what a key is given into the tree."""
        if not isinstance(key, str):
            change = f"write {fspath(key)!r}" if isinstance(key, PathLike) else (
                'write for example "a/b.bin"'
            )
            must = "a key is the path in the volume, as text"
            self._wrong(BadPath, where, f"{key!r} is not text", must, change)
            return
        if isinstance(sources, (list, tuple)) and not sources:
            must = "a list has one source or more"
            self._wrong(BadValue, where, f"{sources!r} is not a source", must, "leave the key out")
        path = key_path(key)
        for here, source in each(sources, where):
            if problem := _source_problem(key, source, here):
                self.wrong.append(problem)
            elif isinstance(source, Tree):
                self._tree(path, source, here)
            elif isinstance(source, (str, bytes, PathLike)):
                plain = source if isinstance(source, bytes) else fsdecode(source)
                self._file(path, plain, here)

    def sort(self) -> None:
        """Bring the children of every directory into order."""
        for directory in filter(None, self._directories.values()):
            directory.children = dict(sorted(directory.children.items()))

    def _tree(self, path: str, tree: Tree, where: str) -> None:
        if self._walk is None:
            self.wrong += tree_problems(tree, where)
        if self._directory(path, where) is None or self._walk is None:
            return
        try:
            entries = self._walk(tree, where)
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
            must, change = "only a Tree can be merged into the root", "give the file a name"
            if isinstance(source, str):
                change += f", or write Tree({source!r}) for what is in a directory"
            self._wrong(BadPath, where, "the path names no file", must, change)
            return
        directory = self._directory(above, where)
        if directory is None or not self._name_fits(path, name, where):
            return
        made = FileNode(directory.below(name), name, source, 0, where)
        other = directory.children.setdefault(self._rules.fold(name), made)
        if other is made:
            made.size = self._length(path, source, where)
        else:
            self._taken(path, made, other)

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
        child = parent.children.setdefault(self._rules.fold(name), made)
        if isinstance(child, Directory):
            return child
        self._taken(path, made, child)
        return None

    def _name_fits(self, path: str, name: str, where: str) -> bool:
        fault = self._rules.fault(path, name)
        if fault is not None:
            found, must, change = fault
            self._wrong(BadPath, where, f"{path!r} {found}", must, change)
        return fault is None

    def _taken(self, path: str, made: Node, other: Node) -> None:
        found = f"{path!r} is {made.origin} here, and {other.origin} in {other.where}"
        if isinstance(made, Directory) or isinstance(other, Directory):
            must, change = "a path is one or the other", "rename one of the two"
        else:
            case = "" if self._rules.fold is str else " whatever its case"
            must, change = f"a path has one source{case}", "remove one of the two"
        self._wrong(DuplicatePath, made.where, found, must, change)

    def _length(self, path: str, source: str | bytes, where: str) -> int:
        if isinstance(source, bytes):
            return len(source)
        if self._size is None:
            return 0
        try:
            size = self._size(source, where)
        except WorldError as error:
            self.failed += error.problems
            return 0
        most = self._rules.most
        if most is not None and size > most:
            found = f"{path!r} has {size:,} bytes"
            must = f"a file on {self._rules.name} has at most {most:,}"
            self._wrong(ContentTooLarge, where, found, must, "split it, or leave it out")
        return size

    def _wrong(self, kind: type[Problem], where: str, found: str, must: str, change: str) -> None:
        self.wrong.append(kind(where, found, must, change))


def _source_problem(key: str, source: object, where: str) -> Problem | None:
    """Return what is wrong with one source under this key."""
    if not isinstance(source, (str, PathLike, bytes, Tree)):
        must = "a source is a path of the host, bytes, or a Tree"
        return BadValue(where, f"{shown(source)} is not a source", must, "change it")
    if key.endswith("/") and key_path(key) and not isinstance(source, Tree):
        name = "NAME" if isinstance(source, bytes) else fsdecode(source).rpartition("/")[2]
        return BadPath(
            where, f"{key!r} is a directory", "a file needs a name in it",
            f"write {key + name!r}, or leave the slash out",
        )
    return next(path_text_problems(source, where), None)
