"""The files that a build writes itself, none of which can be one of its sources.

A path has many spellings, and a file may have several names: links, links in the folders above it,
hard links.  So files are compared as the system finds them, by their real paths as long as they
are not there, and by device and inode when they are read.
"""

import os
from collections.abc import Sequence
from contextlib import suppress
from functools import cached_property
from typing import NamedTuple

from doit_diskimg.errors import OwnFile, Problem, WorldError
from doit_diskimg.host.machine import which
from doit_diskimg.host.paths import place
from doit_diskimg.host.state import StateFolder


class Target(NamedTuple):
    """A file that is written, and what it is, in words."""

    path: str
    what: str


class Written:
    """What one build writes: ``targets``, and everything in the state folder, if there is one."""

    def __init__(self, targets: Sequence[Target], state: StateFolder | None = None) -> None:
        self._targets = targets
        self._state = state

    def refuse(self, status: os.stat_result, path: str, where: str) -> None:
        """Raise WorldError if the file of that status, which is a source, is one that we write."""
        what = self._files.get(which(status))
        if what is not None:
            raise WorldError(is_source(where, path, what))

    @cached_property
    def _files(self) -> dict[tuple[int, int], str]:
        """What is written and there already, by device and inode."""
        found = dict[tuple[int, int], str]()
        if self._state is not None:
            with suppress(OSError):
                device = os.stat(self._state.path).st_dev
                with os.scandir(self._state.path) as entries:
                    found = {(device, entry.inode()): STATE for entry in entries}
        for path, what in self._targets:
            with suppress(OSError, ValueError):
                found[which(os.stat(path))] = what
        return found

    def named(self, path: str) -> str:
        """Return what the file of that name is of ours, in words; empty if it is not ours."""
        with suppress(OSError, ValueError):
            if what := self._files.get(which(os.stat(path))):
                return what
        real = os.path.realpath(path)
        for target in self._targets:
            if place(target.path) == real:
                return target.what
        return STATE if self._state and is_below(real, place(self._state.path)) else ""

    def inside(self, folder: str) -> list[Target]:
        """Return the targets that lie in that folder, at any depth."""
        top = os.path.realpath(folder)
        return [target for target in self._targets if is_below(place(target.path), top)]


STATE = "a file of the build's state"


def is_below(path: str, folder: str) -> bool:
    """Return whether a real path is that of the folder or of something in it."""
    return os.path.join(path, "").startswith(os.path.join(folder, ""))


def is_source(where: str, path: str, what: str) -> Problem:
    """Return the problem of a source that is what we write."""
    return OwnFile(
        where, f"{path!r} is {what}", "what a build writes can't be one of its sources",
        "name another file, or have it built elsewhere",
    )
