"""The image file: the only file of the user's that is ever written.

It is a regular file and nothing else, checked on the open descriptor, so that nothing can take
its place between check and use.  It counts what it writes.
"""

import os
import stat
from collections.abc import Iterator, Sequence
from contextlib import suppress
from errno import ELOOP
from types import TracebackType
from typing import TYPE_CHECKING, Self

from doit_diskimg.content import hasher
from doit_diskimg.errors import ImageKind, WorldError
from doit_diskimg.extent import Extent
from doit_diskimg.host.files import CHUNK, buffer, changed, kind_of
from doit_diskimg.host.lock import hold_writing
from doit_diskimg.host.state import host_failed
from doit_diskimg.picture import BLOB, Piece

if TYPE_CHECKING:
    from doit_diskimg.patch import Patch

_ZEROS = bytes(CHUNK)


def check_target(path: str) -> None:
    """Raise WorldError if an image may not be at ``path``: if something else is there.

    A symbolic link is something else, whatever it leads to: a new image replaces what has the
    name, and the file behind the link would stay what it was.
    """
    try:
        mode = os.lstat(path).st_mode
    except FileNotFoundError:
        _check_folder(path)
        return
    except OSError as error:
        raise host_failed(path, error, "look at the image") from error
    if not stat.S_ISREG(mode):
        raise _not_an_image(path, mode)


def _check_folder(path: str) -> None:
    """Refuse a new file among the devices, where a wrong letter would have been a disk."""
    folder = os.path.realpath(os.path.dirname(path) or os.curdir)
    if (folder + "/").startswith("/dev/") and not (folder + "/").startswith("/dev/shm/"):
        raise WorldError(
            [
                ImageKind(
                    path, "it would lie among the host's devices",
                    "an image is a regular file and nothing else",
                    "name a file elsewhere; nothing was written",
                )
            ]
        )


def copy_sparse(source: str, target: str) -> None:
    """Make ``target`` a copy of an image, holes included, unless somebody else was faster.

    The host shares the blocks where its file system can.  Raises WorldError.
    """
    temporary = f"{target}.{os.getpid()}.tmp"
    try:
        with open(source, "rb", buffering=0) as old, open(temporary, "xb", buffering=0) as new:
            os.ftruncate(new.fileno(), os.fstat(old.fileno()).st_size)
            for start, end in data_of(old.fileno()):
                _copy_range(old.fileno(), new.fileno(), start, end)
        with suppress(FileExistsError):
            os.link(temporary, target)
    except OSError as error:
        raise host_failed(target, error, "copy the image") from error
    finally:
        with suppress(OSError):
            os.unlink(temporary)


def data_of(handle: int) -> Iterator[tuple[int, int]]:
    """Yield the stretches of a file that are no holes."""
    end = 0
    with suppress(OSError):  # ENXIO: no data from here on
        while True:
            start = os.lseek(handle, end, os.SEEK_DATA)
            end = os.lseek(handle, start, os.SEEK_HOLE)
            yield start, end


def _copy_range(source: int, target: int, start: int, end: int) -> None:
    while start < end:
        data = os.pread(source, min(CHUNK, end - start), start)
        if not data:
            return
        start += os.pwrite(target, data, start)


def create_sparse(path: str, size: int) -> None:
    """Make a new file of ``size`` zero bytes that takes no room yet.  Raises WorldError."""
    try:
        if os.path.lexists(path):
            os.unlink(path)  # never its bytes: a file of zeros is what the plans start from
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC
        handle = os.open(path, flags, 0o666)
        try:
            os.ftruncate(handle, size)
        except OSError:
            os.unlink(path)
            raise
        finally:
            os.close(handle)
    except OSError as error:
        raise host_failed(path, error, f"create an image of {size:,} bytes") from error


class ImageFile:
    """An image that is open for patching; ``written`` counts the bytes."""

    def __init__(self, path: str) -> None:
        self.path = path
        self.written = 0
        try:
            flags = os.O_RDWR | os.O_CLOEXEC | os.O_NONBLOCK | os.O_NOFOLLOW
            self._handle = os.open(path, flags)
        except OSError as error:
            if error.errno == ELOOP:
                raise _not_an_image(path, stat.S_IFLNK) from None
            raise host_failed(path, error, "open the image") from error
        mode = os.fstat(self._handle).st_mode
        if not stat.S_ISREG(mode):
            os.close(self._handle)
            raise _not_an_image(path, mode)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def is_free(self) -> bool:
        """Keep every QEMU from opening the image from now on; False if one has it already."""
        return hold_writing(self._handle)

    def close(self) -> None:
        """Close the image, and let others have it."""
        os.close(self._handle)

    def apply(self, patch: "Patch", blob: bytes) -> None:
        """Carry out ``patch``; ``blob`` is the one its pieces refer to.

        Raises WorldError: when a write fails, and when a source is not what was planned.
        """
        for extent in patch.zeros:
            self._zero(extent)
        for piece in patch.writes:
            if piece.file == BLOB:
                view = memoryview(blob)[piece.offset : piece.offset + piece.length]
                self._write(piece.start, view)
            else:
                self._copy(piece)

    def _copy(self, piece: Piece) -> None:
        """Copy a range of a source, and hash what was copied: the plan says what it must be."""
        digest, view = hasher(), buffer()
        position, left = piece.offset, piece.length
        try:
            source = os.open(piece.file, os.O_RDONLY | os.O_CLOEXEC)
        except FileNotFoundError:
            raise changed(piece.file) from None
        except OSError as error:
            raise host_failed(piece.file, error, "read it") from error
        try:
            while left:
                count = _read(source, piece.file, view[: min(left, CHUNK)], position)
                if count == 0:
                    raise changed(piece.file)
                digest.update(view[:count])
                self._write(piece.start + position - piece.offset, view[:count])
                position, left = position + count, left - count
        finally:
            os.close(source)
        if digest.hexdigest() != piece.digest:
            raise changed(piece.file)

    def _zero(self, extent: Extent) -> None:
        for start in range(extent.start, extent.end, CHUNK):
            self._write(start, memoryview(_ZEROS)[: min(CHUNK, extent.end - start)])

    def _write(self, start: int, data: memoryview) -> None:
        try:
            while data:
                count = os.pwrite(self._handle, data, start)
                self.written += count
                start, data = start + count, data[count:]
        except OSError as error:
            what = f"write {len(data):,} bytes at {start:#x}"
            raise host_failed(self.path, error, what) from error


def _read(handle: int, path: str, view: memoryview, offset: int) -> int:
    try:
        buffers: Sequence[memoryview] = [view]
        return os.preadv(handle, buffers, offset)
    except OSError as error:
        raise host_failed(path, error, "read it") from error


def _not_an_image(path: str, mode: int) -> WorldError:
    return WorldError(
        [
            ImageKind(
                path, f"it is a {kind_of(mode)}", "an image is a regular file and nothing else",
                "name another file; nothing was written",
            )
        ]
    )
