"""What is below a directory, in an order that does not depend on the file system."""

import os
import stat
from collections.abc import Sequence
from itertools import chain
from operator import itemgetter
from typing import Any

from doit_diskimg.errors import Problem, SourceKind, SourceMissing, WorldError
from doit_diskimg.host.folder import is_state
from doit_diskimg.host.machine import Signature, kind_of, now_ns
from doit_diskimg.host.paths import no_path, normal
from doit_diskimg.host.session import Session
from doit_diskimg.host.state import host_failed
from doit_diskimg.plan.content import Entry, Tree, digest_of

_MOST_WAYS = 100
"""Links through which one directory is taken; two in each of thirty directories would make a
thousand million paths."""

_DEEPEST = 200
"""Directories in one another; a path on FAT, of up to 260 characters, has no room for more."""


def tree_key(tree: Tree) -> str:
    """Return a text that names the tree and its patterns."""
    return repr((normal(tree.dir), tuple(tree.include), tuple(tree.exclude)))


def entries_digest(entries: Sequence[Entry]) -> str:
    """Return a digest of a list of entries; contents of files do not count."""
    return digest_of(repr([*chain(*entries)]).encode("utf-8", "surrogatepass"))


def walk(tree: Tree, where: str, session: Session | None = None) -> Sequence[Entry]:
    """Return the directories and regular files below ``tree``, sorted by path.

    State folders of ours are left out.  Symbolic links are followed inside the tree and refused
    where they lead out of it or round in a circle; devices, pipes and sockets are refused.  Raises
    WorldError with every problem.

    A tree is looked at when the tasks are made, and again when it is the turn of those that need
    it, since others may have filled it between.  A directory that has its time stamps has its
    names, so a ``session`` that knows them need not look into it again.
    """
    memo = {} if session is None else session.walks
    key, began = tree_key(tree), now_ns()
    known = memo.pop(key, None)
    if known is None or any(_signature(folder) != it for folder, it in known[0].items()):
        walker = _walk(tree, where)
        known = walker.folders, sorted(walker.found, key=_path)
        if walker.has_links or not all(it and it.settled(began) for it in known[0].values()):
            return known[1]
    memo[key] = known
    return known[1]


def _signature(folder: str) -> Signature | None:
    """Return the signature of a directory, None if there is none."""
    try:
        return Signature.of(folder)
    except OSError:
        return None


def _walk(tree: Tree, where: str) -> "_Walker":
    top = normal(tree.dir)
    problems: list[Problem] = []
    try:
        if not stat.S_ISDIR(os.stat(top).st_mode):
            problems = [
                SourceKind(where, f"{top!r} is a file", "Tree(...) takes a directory",
                           f"write {top!r} alone for one file")
            ]
    except FileNotFoundError:
        problems = [
            SourceMissing(where, f"{top!r} does not exist", "must be a directory",
                          "create it or fix the path")
        ]
    except ValueError:
        problems = [no_path(top, where)]
    except OSError as error:
        raise host_failed(f"{where}: {top}", error, "read the tree") from error
    if problems:
        raise WorldError(*problems)
    try:
        walker = _Walker(top, where, tree)
        walker.look_below(top, "", is_taken=not tree.include)
    except OSError as error:
        raise host_failed(f"{where}: {error.filename or top}", error, "read the tree") from error
    if walker.problems:
        raise WorldError(*sorted(walker.problems, key=lambda problem: problem.found))
    return walker


class _Walker:
    """Goes through a tree the way git does, so that the patterns mean what they mean to git.

    Nothing below an excluded directory is looked at; everything below an included one is taken.
    A tree may have tens of thousands of files, and it is walked in every run of doit.
    """

    def __init__(self, top: str, where: str, tree: Tree) -> None:
        self.found: list[Entry] = []
        self.problems: list[Problem] = []
        self.folders: dict[str, Signature | None] = {}
        """The directories that were looked into, as they were before."""
        self.has_links = False
        """Whether anything is decided by what a link leads to, which may be anywhere."""
        self._where = where
        self._include = _patterns(tree.include)
        self._exclude = _patterns(tree.exclude)
        self._parents: list[str] = [top]
        self._ways: dict[str, int] = {}

    def look_below(self, folder: str, prefix: str, *, is_taken: bool) -> None:
        """Add the entries of ``folder``, whose paths in the tree begin with ``prefix``."""
        exclude, found = self._exclude, self.found
        everything = is_taken and exclude is None
        self.folders[folder] = _signature(folder)
        with os.scandir(folder) as children:
            for child in children:
                if everything and child.is_file(follow_symlinks=False):  # the usual case
                    found.append(Entry(prefix + child.name, child.path))
                    continue
                self.has_links = self.has_links or child.is_symlink()
                path, is_directory = prefix + child.name, _is_directory(child)
                if is_directory and child.name[0] == "." and is_state(child.path):
                    continue  # what we note of a file beside it is no part of a tree
                if exclude is not None and exclude.match(path, is_directory=is_directory):
                    continue
                take = is_taken or self._included(path, is_directory=is_directory)
                if not (take or is_directory):
                    continue
                if child.is_symlink() and not self._link_is_fine(child):
                    continue
                if is_directory:
                    self._directory(child, path, is_taken=take)
                elif child.is_file():
                    found.append(Entry(path, child.path))
                else:
                    self._refuse_kind(child)

    def _included(self, path: str, *, is_directory: bool) -> bool:
        return self._include is None or self._include.match(path, is_directory=is_directory)

    def _directory(self, child: os.DirEntry[str], path: str, *, is_taken: bool) -> None:
        if len(self._parents) > _DEEPEST:
            self._refuse(child.path[:100] + "...", f"is more than {_DEEPEST} directories deep")
            return
        before = len(self.found)
        self._parents.append(child.path)
        self.look_below(child.path, path + "/", is_taken=is_taken)
        self._parents.pop()
        if is_taken or len(self.found) > before:
            self.found.append(Entry(path, None))

    def _link_is_fine(self, child: os.DirEntry[str]) -> bool:
        real = os.path.realpath(child.path)
        parents = [os.path.realpath(parent) for parent in self._parents]
        if not (real + os.sep).startswith(parents[0] + os.sep):
            self._refuse(child.path, f"is a symbolic link to {real!r}, outside the tree")
        elif os.path.islink(real):  # what it leads to could not be found out
            self._refuse(child.path, "is a symbolic link that leads back to itself")
        elif not os.path.exists(real):
            self._refuse(child.path, f"is a symbolic link to {real!r}, which does not exist")
        elif any((parent + os.sep).startswith(real + os.sep) for parent in parents):
            self._refuse(child.path, "is a symbolic link to a directory that holds it")
        elif self._has_many_ways(real):
            if self._ways[real] == _MOST_WAYS + 1:
                self._refuse(child.path, f"is one of more than {_MOST_WAYS} ways to a directory")
        else:
            return True
        return False

    def _has_many_ways(self, real: str) -> bool:
        if not os.path.isdir(real):
            return False
        self._ways[real] = self._ways.get(real, 0) + 1
        return self._ways[real] > _MOST_WAYS

    def _refuse_kind(self, child: os.DirEntry[str]) -> None:
        self._refuse(child.path, f"is a {kind_of(child.stat().st_mode)}")

    def _refuse(self, path: str, found: str) -> None:
        self.problems.append(SourceKind(
            self._where, f"{path!r} {found}", "a tree holds directories and regular files",
            "remove it or exclude it",
        ))


def _patterns(lines: Sequence[str]) -> Any:
    if not lines:
        return None
    from doit_diskimg.plan.patterns import Patterns

    return Patterns(lines)


_path = itemgetter(0)


def _is_directory(child: os.DirEntry[str]) -> bool:
    try:
        return child.is_dir()
    except OSError:
        return False  # a link that leads to itself
