"""The image as bytes, for readers that trust nothing in it.

Only regular files are read, checked on the open descriptor.  A read never returns more than was
asked for and never more than there is, so no field of an image can make one long.  Holes are
found by SEEK_DATA: a sparse image costs what is in it.

All volumes of an image share one `Budget`, which bounds time and memory: a table may have thousands
of entries, and all of them may lead to one large volume.
"""

import errno
import os
import stat
from collections.abc import Iterator
from os import PathLike
from typing import Self

from doit_diskimg.errors import HostFailed, ImageKind, SourceLength, WorldError

CHUNK = 1 << 18
"""Bytes that are read at once where much is read."""


ENTRIES = "files and directories"
DIRECTORIES = "bytes of directories"
CHARACTERS = "characters of paths"
CLUSTERS = "clusters"
FRAGMENTS = "fragments of files"
TABLES = "bytes of FATs"
VOLUMES = "FAT volumes"

LIMITS = {
    ENTRIES: 1 << 18,  # some 60 microseconds and 700 bytes each
    DIRECTORIES: 1 << 30,
    CHARACTERS: 1 << 26,  # deep trees make paths long
    CLUSTERS: 1 << 24,  # that are followed, or looked at one by one: half a microsecond each
    FRAGMENTS: 1 << 19,  # 140 bytes each
    TABLES: 4 << 30,  # read, some of them more than once: a second for each GiB
    VOLUMES: 1 << 10,
}


class Source:
    """A regular file, open for reading.  Raises WorldError where the host fails."""

    def __init__(self, path: str | PathLike[str]) -> None:
        self.path = os.fspath(path)
        try:
            # Not blocking: opening a named pipe would wait for a writer.
            flags = os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC
            self.handle = os.open(self.path, flags)
        except OSError as error:
            raise _failed(self.path, error) from error
        status = os.fstat(self.handle)
        if not stat.S_ISREG(status.st_mode):
            os.close(self.handle)
            problem = ImageKind(
                self.path, "it is not a regular file", "an image is a regular file",
                "name the image's file",
            )
            raise WorldError(problem)
        self.length = status.st_size
        if not self.length and self._has_more():
            os.close(self.handle)
            raise _not_as_long(self.path, "it has bytes, and its size is 0")

    def _has_more(self) -> bool:
        """Return whether a file of no size has bytes, as those of /proc have."""
        try:
            return bool(os.pread(self.handle, 1, 0))
        except OSError:
            return True

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        os.close(self.handle)

    def read(self, start: int, length: int) -> bytes:
        """Return up to ``length`` bytes; fewer at the end of the file, none beyond it."""
        length = min(length, self.length - start)
        if start < 0 or length <= 0:
            return b""
        parts = []
        try:
            while length > 0 and (part := os.pread(self.handle, length, start)):
                parts.append(part)
                start, length = start + len(part), length - len(part)
        except OSError as error:
            raise _failed(self.path, error) from error
        if length:
            raise _not_as_long(self.path, f"it ends at byte {start}, and its size is {self.length}")
        return b"".join(parts)

    def chunks(self, start: int, end: int, align: int = 1) -> Iterator[tuple[int, bytes]]:
        """Yield (place, bytes) of what is not zero in ``start..end``, in pieces of `CHUNK`.

        Places are ``start`` plus a multiple of ``align``.
        """
        end = min(end, self.length)
        position = start
        while (found := self._next_data(position)) < end:
            position = max(position, found - (found - start) % align)
            data = self.read(position, min(CHUNK, end - position))
            if data.count(0) != len(data):
                yield position, data
            position += CHUNK

    def _next_data(self, start: int) -> int:
        """Return the first byte from ``start`` on that is not in a hole."""
        try:
            return os.lseek(self.handle, start, os.SEEK_DATA)
        except OSError as error:
            if error.errno == errno.ENXIO:  # nothing but a hole up to the end of the file
                return self.length
            return start  # a file system that knows no holes


class Window:
    """A stretch of a source, such as a partition: places in it count from its beginning.

    ``room`` is how long it may be, ``length`` what the source has of it.
    """

    def __init__(self, source: Source, start: int, length: int) -> None:
        self.source = source
        self.start = start
        self.room = length
        self.length = max(0, min(length, source.length - start))

    def read(self, start: int, length: int) -> bytes:
        """Return up to ``length`` bytes; fewer at the window's end, none beyond it."""
        if start < 0:
            return b""
        return self.source.read(self.start + start, min(length, self.length - start))

    def chunks(self, start: int, end: int, align: int = 1) -> Iterator[tuple[int, bytes]]:
        """See `Source.chunks`."""
        end = min(end, self.length)
        for place, data in self.source.chunks(self.start + start, self.start + end, align):
            yield place - self.start, data


class SpentError(Exception):
    """Raised where more is asked for than is left; its text is for a finding."""


class Budget:
    """Counts down; once one of the kinds is spent, nothing more is read of the image."""

    def __init__(self) -> None:
        self._left = dict(LIMITS)
        self.spent = ""
        """What ran out, in words for a finding; empty as long as nothing did."""

    def spend(self, kind: str, count: int = 1) -> None:
        """Take ``count`` of a key of `LIMITS`.  Raises SpentError if that is too much."""
        self._left[kind] -= count
        if self._left[kind] < 0 and not self.spent:
            self.spent = f"more than {LIMITS[kind]:,} {kind}"
        if self.spent:
            raise SpentError(self.spent)


def _failed(path: str, error: OSError) -> WorldError:
    reason = error.strerror or str(error)
    problem = HostFailed(path, reason, "verify has to read it", "fix that and try again")
    return WorldError(problem)


def _not_as_long(path: str, found: str) -> WorldError:
    return WorldError(SourceLength(
        path, found, "an image must have the bytes that the system says it has", "verify a copy",
    ))
