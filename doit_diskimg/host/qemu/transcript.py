"""The file with what a guest said, which has an end even if the guest has none.

A kernel that prints in a loop fills a disk in an hour.  The beginning tells how it came to that and
the end what it said last, so these two are kept.
"""

from collections import deque
from typing import IO

from doit_diskimg.host import folder
from doit_diskimg.units import MIB

HEAD, TAIL = 48 * MIB, 16 * MIB
"""Bytes that are kept of the beginning and of the end."""


class Transcript:
    """A new log file at ``path`` in a state folder.  Raises OSError."""

    def __init__(self, path: str, head: int = HEAD, tail: int = TAIL) -> None:
        folder.unlink_in(path)  # it may have another name too, and that is not ours to empty
        self._file: IO[bytes] = open(folder.open_in(path, folder.NEW, make=True), "wb")  # noqa: SIM115
        self._room, self._tail = head, tail
        self._end: deque[bytes] = deque()
        self._length = self._left_out = 0

    def write(self, data: bytes) -> None:
        """Take what the guest said; the file can be followed until its first part is full."""
        head, rest = data[: self._room], data[self._room :]
        self._room -= len(head)
        if head:
            self._file.write(head)
            self._file.flush()
        if rest:
            self._end.append(rest)
            self._length += len(rest)
        while self._end and self._length - len(self._end[0]) >= self._tail:
            dropped = len(self._end.popleft())
            self._length -= dropped
            self._left_out += dropped

    def close(self) -> None:
        """Write the end, if the beginning is not all."""
        with self._file as file:
            if self._left_out:
                file.write(f"\n[... {self._left_out:,} bytes left out ...]\n".encode("ascii"))
            file.writelines(self._end)
