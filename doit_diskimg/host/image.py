"""The image file: the only file of the user's that is ever written.

It is a regular file and nothing else, checked on the open descriptor, so that nothing can take
its place between check and use.  It counts what it writes.
"""

import os
import stat
import threading
from collections.abc import Iterator, Sequence
from contextlib import suppress
from errno import ELOOP, ENXIO
from typing import Self

from doit_diskimg.extent import Extent, clipped, subtract
from doit_diskimg.host import folder, seal
from doit_diskimg.host.hashing import CHUNK, buffer, changed
from doit_diskimg.host.lock import hold_writing, is_written
from doit_diskimg.host.own import not_an_image
from doit_diskimg.host.side_by_side import side_by_side
from doit_diskimg.host.state import StateFolder, host_failed
from doit_diskimg.plan.content import digest_of, hasher
from doit_diskimg.plan.patch import ImagePatch
from doit_diskimg.plan.picture import BLOB, Piece

_ZEROS = bytes(CHUNK)

_BLOCK = 1 << 16
"""Bytes of a source that are not written to a fresh image if all are zero."""

_LARGE = 1 << 18
"""Bytes of a piece from which on the system works on it for longer than Python."""

_MUCH = 4 << 20
"""Bytes in large pieces from which on threads save more than it takes to start them."""

_GAP = 1 << 12
"""Less than this between two small files is written with them, which is quicker than to skip it."""


def copy_sparse(source: str, target: str) -> None:
    """Make ``target`` a copy of an image, holes included, unless another process was faster.

    It lies in a state folder.  The host shares the blocks where its file system can.  Raises
    WorldError.
    """
    head, name = os.path.split(target)
    try:
        with folder.entered(head) as state:
            temporary = folder.temporary_name(name)
            old = os.open(source, folder.READ)
            try:
                new = os.open(temporary, folder.NEW, 0o666, dir_fd=state)
                try:
                    os.ftruncate(new, os.fstat(old).st_size)
                    for start, end in data_of(old):
                        _copy_range(old, new, start, end)
                    _name_if_free(state, temporary, name)
                finally:
                    os.close(new)
                    with suppress(FileNotFoundError):
                        os.unlink(temporary, dir_fd=state)
            finally:
                os.close(old)
    except OSError as error:
        raise host_failed(target, error, "copy the image") from error


def _name_if_free(state: int, temporary: str, name: str) -> None:
    """Give a new file its name unless another has it."""
    try:
        os.link(temporary, name, src_dir_fd=state, dst_dir_fd=state)
    except FileExistsError:
        return
    except OSError:  # of a file system without links, such as FAT; other doits are kept out
        with suppress(FileNotFoundError):
            os.stat(name, dir_fd=state, follow_symlinks=False)
            return
        os.rename(temporary, name, src_dir_fd=state, dst_dir_fd=state)


def data_of(handle: int) -> Iterator[tuple[int, int]]:
    """Yield the stretches of a file that are no holes."""
    end = 0
    try:
        while True:
            start = os.lseek(handle, end, os.SEEK_DATA)
            end = os.lseek(handle, start, os.SEEK_HOLE)
            yield start, end
    except OSError as error:
        if error.errno != ENXIO:  # no data from here on; else the file system knows no holes
            yield end, os.fstat(handle).st_size


def _copy_range(source: int, target: int, start: int, end: int) -> None:
    while start < end:
        data = os.pread(source, min(CHUNK, end - start), start)
        if not data:
            return
        start += os.pwrite(target, data, start)


def create_sparse(path: str, size: int) -> None:
    """Make a new file of ``size`` zero bytes in a state folder; it takes no room yet.

    Raises WorldError.
    """
    head, name = os.path.split(path)
    try:
        with folder.entered(head, make=True) as state:
            with suppress(FileNotFoundError):
                os.unlink(name, dir_fd=state)  # never its bytes: the plans start from zeros
            handle = os.open(name, folder.NEW, 0o666, dir_fd=state)
            try:
                os.ftruncate(handle, size)
            except OSError:
                os.unlink(name, dir_fd=state)
                raise
            finally:
                os.close(handle)
    except OSError as error:
        raise host_failed(path, error, f"create an image of {size:,} bytes") from error


class ImageFile:
    """An image that is open for patching; ``written`` counts the bytes.

    ``inside`` says that it lies in a state folder, which is verified.  Raises WorldError.
    """

    def __init__(self, path: str, *, inside: bool = False) -> None:
        self.path = path
        self.written = 0
        self._counting = threading.Lock()
        try:
            flags = os.O_RDWR | os.O_CLOEXEC | os.O_NONBLOCK | os.O_NOFOLLOW
            self._handle = folder.open_in(path, flags) if inside else os.open(path, flags)
        except OSError as error:
            if error.errno == ELOOP:
                raise not_an_image(path, stat.S_IFLNK) from None
            raise host_failed(path, error, "open the image") from error
        mode = os.fstat(self._handle).st_mode
        if not stat.S_ISREG(mode):
            os.close(self._handle)
            raise not_an_image(path, mode)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    def is_free(self) -> bool:
        """Keep every QEMU from opening the image from now on; False if one has it already."""
        return hold_writing(self._handle)

    def is_written(self) -> bool:
        """Keep every QEMU from opening the image from now on; True if one has it that may write."""
        return is_written(self._handle)

    def has_other_names(self) -> bool:
        """Return whether the file has another name too: what is written shows there."""
        return os.fstat(self._handle).st_nlink > 1

    def is_the_one(self, state: StateFolder) -> bool:
        """Return whether it is the image that was sealed last."""
        return seal.is_the_one(state, self._handle)

    def note_ours(self, state: StateFolder) -> None:
        """Record that what it looks like now is our doing; see `seal.note_ours`."""
        seal.note_ours(state, self._handle)

    def close(self) -> None:
        """Close the image, and let others have it."""
        os.close(self._handle)

    def apply(self, patch: ImagePatch, blob: bytes, *, fresh: bool = False) -> None:
        """Carry out ``patch``; ``blob`` is the one its pieces refer to.

        ``fresh`` says that wherever it writes the image holds zeros and nothing else: zeros
        of the sources are not written, and stay holes.  Raises WorldError: when a write fails, and
        when a source is not what was planned.
        """
        for extent in patch.zeros:
            self._zero(extent)

        def put(pieces: Sequence[Piece]) -> None:
            first = pieces[0]
            if first.file == BLOB:
                view = memoryview(blob)[first.offset : first.offset + first.length]
                self._write(first.start, view)
            elif first.length > CHUNK:
                self._copy(first, fresh=fresh)
            elif first is pieces[-1] and first.length <= _BLOCK:
                self._copy_block(first, fresh=fresh)
            else:
                self._copy_small(pieces, fresh=fresh)

        jobs = list(_together(patch.writes, fresh=fresh))
        large = [pieces for pieces in jobs if pieces[0].length >= _LARGE]
        if sum(pieces[0].length for pieces in large) >= _MUCH:
            side_by_side(put, large)
            jobs = [pieces for pieces in jobs if pieces[0].length < _LARGE]
        for pieces in jobs:
            put(pieces)

    def carry(self, old: int, path: str, source: Extent, start: int) -> None:
        """Make our bytes from ``start`` on those at ``source`` of another image; holes stay holes.

        ``old`` is that image, open, and ``path`` its name.  Raises WorldError.
        """
        shift = start - source.start
        data = [Extent(low, high - low) for low, high in data_of(old)]
        for extent in clipped(data, source):
            position = extent.start
            while position < extent.end:
                view = buffer()[: min(CHUNK, extent.end - position)]
                _fill(old, path, view, position)
                self._write(position + shift, view)
                position += len(view)
        ours = [Extent(low, high - low) for low, high in data_of(self._handle)]
        for hole in subtract([source], data):
            for stale in clipped(ours, Extent(hole.start + shift, hole.length)):
                self._zero(stale)

    def _copy(self, piece: Piece, *, fresh: bool) -> None:
        """Copy a range of a source, and hash what was copied: the plan says what it must be."""
        digest, position, end = hasher(), piece.offset, piece.offset + piece.length
        source = _open(piece.file)
        try:
            while position < end:
                view = buffer()[: min(CHUNK, end - position)]
                _fill(source, piece.file, view, position)
                digest.update(view)
                self._write_new(piece.start + position - piece.offset, view, fresh=fresh)
                position += len(view)
        finally:
            os.close(source)
        if digest.hexdigest() != piece.digest:
            raise changed(piece.file)

    def _copy_block(self, piece: Piece, *, fresh: bool) -> None:
        """Copy what one call reads, once it is known to be as planned."""
        source = _open(piece.file)
        try:
            data = os.pread(source, piece.length, piece.offset)
        except OSError as error:
            raise host_failed(piece.file, error, "read it") from error
        finally:
            os.close(source)
        if digest_of(data) != piece.digest:
            raise changed(piece.file)
        if not fresh or data.strip(b"\0"):
            self._write(piece.start, data)

    def _copy_small(self, pieces: Sequence[Piece], *, fresh: bool) -> None:
        """Copy what fits into the buffer with one write, once it is known to be as planned."""
        view, base = buffer(), pieces[0].start
        position = 0
        for piece in pieces:
            start, end = piece.start - base, piece.end - base
            view[position:start] = _ZEROS[: start - position]
            source = _open(piece.file)
            try:
                _fill(source, piece.file, view[start:end], piece.offset)
            finally:
                os.close(source)
            if digest_of(view[start:end]) != piece.digest:
                raise changed(piece.file)
            position = end
        self._write_new(base, view[:position], fresh=fresh)

    def _write_new(self, start: int, data: memoryview, *, fresh: bool) -> None:
        """Write bytes of a source, of which blocks of zeros may be there already."""
        position = 0
        for low in range(0, len(data), _BLOCK) if fresh else ():
            block = data[low : low + _BLOCK]
            # Of most blocks it is enough to look at two bytes.
            if not block[0] and not block[-1] and block.tobytes() == _ZEROS[: len(block)]:
                self._write(start + position, data[position:low])
                position = low + len(block)
        self._write(start + position, data[position:])

    def _zero(self, extent: Extent) -> None:
        for start in range(extent.start, extent.end, CHUNK):
            self._write(start, memoryview(_ZEROS)[: min(CHUNK, extent.end - start)])

    def _write(self, start: int, data: bytes | memoryview) -> None:
        try:
            while data:
                count = os.pwrite(self._handle, data, start)
                with self._counting:
                    self.written += count
                start, data = start + count, data[count:]
        except OSError as error:
            what = f"write {len(data):,} bytes at {start:#x}"
            raise host_failed(self.path, error, what) from error


def _together(pieces: Sequence[Piece], *, fresh: bool) -> Iterator[list[Piece]]:
    """Yield the pieces, in a fresh image several at once that one write puts there.

    Between them are the ends of their last clusters, which belong to nothing else.
    """
    run: list[Piece] = []
    for piece in pieces:
        fits = (
            fresh
            and run
            and BLOB not in (run[0].file, piece.file)
            and 0 <= piece.start - run[-1].end < _GAP
            and piece.end - run[0].start <= CHUNK
        )
        if run and not fits:
            yield run
            run = []
        run.append(piece)
    if run:
        yield run


def _open(path: str) -> int:
    """Open a source that was there when its bytes were planned."""
    try:
        return os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except FileNotFoundError:
        raise changed(path) from None
    except OSError as error:
        raise host_failed(path, error, "read it") from error


def _fill(handle: int, path: str, view: memoryview, offset: int) -> None:
    """Read as many bytes as the view has.  Raises WorldError if there are fewer."""
    try:
        while view:
            count = os.preadv(handle, [view], offset)
            if count == 0:
                raise changed(path)
            view, offset = view[count:], offset + count
    except OSError as error:
        raise host_failed(path, error, "read it") from error
