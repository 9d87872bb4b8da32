"""A folder of our own beside a file that is being made, on the same file system.

The file is made in it under its final name, since some formats store their own file name, and takes
its place when it is whole.  Its folder has a random name, no other user may enter it, and it is
made and never found.  One that a kill left is removed by the next run, if its marker says that it
is ours and no process holds the marker's lock any more.
"""

import fcntl
import json
import os
import re
import stat
from contextlib import suppress
from typing import Self

from doit_diskimg.host import folder
from doit_diskimg.host.folder import MARKER

_LONGEST = 150
"""Bytes of the file's name that the folder's name has: Linux gives that 255."""


class Scratch:
    """The folder for the file ``final``; use it in a ``with``.  Raises OSError."""

    def __init__(self, final: str) -> None:
        head, self._name = os.path.split(final)
        self._head = head or os.curdir
        self._above = self._folder = self._marker = -1
        self._scratch = f"{_beginning(self._name)}{os.urandom(8).hex()}.new"

    @property
    def path(self) -> str:
        return os.path.join("" if self._head == os.curdir else self._head, self._scratch)

    @property
    def target(self) -> str:
        """The file to make."""
        return os.path.join(self.path, self._name)

    def __enter__(self) -> Self:
        os.makedirs(self._head, exist_ok=True)
        self._above = os.open(self._head, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            _discard(self._above, self._name)
            os.mkdir(self._scratch, 0o700, dir_fd=self._above)
            self._folder = os.open(self._scratch, folder.FOLDER, dir_fd=self._above)
            self._marker = os.open(_marker(self._name), folder.NEW, 0o600, dir_fd=self._folder)
            with suppress(OSError):  # of a file system that knows no locks
                fcntl.flock(self._marker, fcntl.LOCK_EX)
            folder.write_all(self._marker, _words(self._name))
        except BaseException:
            self._close()
            raise
        return self

    def __exit__(self, *error: object) -> None:
        self._close()

    def _close(self) -> None:
        with suppress(OSError):
            if self._folder >= 0:
                folder.remove(self._above, self._scratch)
        for handle in (self._marker, self._folder, self._above):
            if handle >= 0:
                os.close(handle)
        self._above = self._folder = self._marker = -1

    def open(self, name: str, flags: int) -> int:
        """Open a file in the folder; its own name is no link."""
        flags |= os.O_CLOEXEC | os.O_NOFOLLOW
        return os.open(name, flags, 0o666, dir_fd=self._folder)

    def finish(self, name: str = "") -> None:
        """Put the target where it belongs; ``name`` is its name in the folder, if not its own."""
        os.replace(name or self._name, self._name, src_dir_fd=self._folder, dst_dir_fd=self._above)


def _beginning(name: str) -> str:
    return f".{os.fsdecode(os.fsencode(name)[:_LONGEST])}."


def _marker(name: str) -> str:
    return MARKER if name != MARKER else f"other-{MARKER}"


def _words(name: str) -> bytes:
    return json.dumps({"format": folder.FORMAT, "work for": name}).encode("ascii") + b"\n"


def _discard(above: int, name: str) -> None:
    """Remove what killed runs left of the same file."""
    pattern = re.escape(_beginning(name)) + r"[0-9a-f]{16}\.new"
    for found in os.listdir(above):
        if re.fullmatch(pattern, found):
            with suppress(OSError):
                _discard_one(above, found, name)


def _discard_one(above: int, found: str, name: str) -> None:
    handle = os.open(found, folder.FOLDER, dir_fd=above)
    try:
        status = os.fstat(handle)
        if status.st_uid != os.geteuid() or status.st_mode & 0o077:
            return
        marker = os.open(_marker(name), folder.READ, dir_fd=handle)
        try:
            if not stat.S_ISREG(os.fstat(marker).st_mode):
                return
            fcntl.flock(marker, fcntl.LOCK_EX | fcntl.LOCK_NB)  # its maker is gone
            if os.read(marker, 1 << 16) == _words(name):
                folder.remove(above, found)
        finally:
            os.close(marker)
    finally:
        os.close(handle)
