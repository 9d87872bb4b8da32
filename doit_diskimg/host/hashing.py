"""Reading the user's files: their digests, and what tells one state of a file from another.

Each file is read once a run, however often its digest is asked, and not at all while its size,
mtime_ns, ctime_ns and inode are as recorded.
"""

import os
import stat
import threading
from collections.abc import Iterable, Iterator

from doit_diskimg.errors import SourceChanged, SourceLength, WorldError
from doit_diskimg.host import machine
from doit_diskimg.host.machine import Signature
from doit_diskimg.host.session import Session
from doit_diskimg.plan.content import PART, digest_of, hasher, part_length

CHUNK = 1 << 20
"""Bytes that are read at once."""

_SMALL = 1 << 16
"""Bytes of a file up to which it is read with one call, as most are."""

_buffers = threading.local()



def buffer() -> memoryview:
    """Return this thread's buffer of `CHUNK` bytes."""
    view: memoryview | None = getattr(_buffers, "view", None)
    if view is None:
        view = _buffers.view = memoryview(bytearray(CHUNK))
    return view


def digest_file(
    path: str,
    session: Session,
    known: tuple[Signature, str] | None = None,
    status: os.stat_result | None = None,
) -> tuple[Signature, str]:
    """Return the signature and the digest of a file; read it only if neither ``known`` nor the
    ``session`` has them already.

    ``status`` is what was found when the file was looked at, if it was.  Raises OSError, and
    WorldError if the file changed by now, or while it is read, or if it has more or fewer
    bytes than its size.
    """
    status = status or os.stat(path)
    if not stat.S_ISREG(status.st_mode):
        raise changed(path)  # to open a pipe would be to wait for a writer
    signature = Signature.of(status)
    for remembered in (session.digests.get(path), known):
        if remembered and remembered[0] == signature:
            return remembered
    session.read_at[path] = machine.now_ns()
    handle = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        digest, parts, count = _digests(handle, signature.size)
        after = os.fstat(handle)
    finally:
        os.close(handle)
    check_read(path, count, signature, after)
    if parts is not None:
        session.parts[path] = signature, parts.length, parts.digests()
    session.digests[path] = signature, digest
    return signature, digest


def _digests(handle: int, size: int) -> "tuple[str, PartHasher | None, int]":
    """Return the digest of an open file, those of the parts of a longer one, and how many bytes it
    has: ``size``, fewer, or more if it is one more.
    """
    if size <= _SMALL:
        data = os.read(handle, size + 1)
        if len(data) >= size:
            return digest_of(data), None, len(data)
    digest, parts = hasher(), PartHasher(part_length(size)) if size > PART else None
    view, position = buffer(), 0
    # Never a read that finds nothing: it would be one of two for a small file.
    while position < size and (
        count := os.preadv(handle, [view[: min(size + 1 - position, CHUNK)]], position)
    ):
        digest.update(view[:count])
        if parts is not None:
            parts.update(view[:count])
        position += count
    if position == size and size % CHUNK == 0:  # or the last read has asked for more
        position += os.preadv(handle, [view[:1]], position)
    return digest.hexdigest(), parts, position


def digest_of_chunks(chunks: Iterable[bytes]) -> str:
    """Return the digest of contents that come in pieces."""
    digest = hasher()
    for data in chunks:
        digest.update(data)
    return digest.hexdigest()


def check_read(path: str, count: int, signature: Signature, after: os.stat_result) -> None:
    """Raise WorldError unless the file was read whole: ``count`` bytes, one more for more."""
    if Signature.of(after) != signature:
        raise changed(path)
    if count != signature.size:
        found = f"gives {count} bytes" if count < signature.size else "gives more bytes than that"
        raise WorldError(SourceLength(
            path, f"its size is {signature.size}, and it {found}",
            "a source must have the bytes that the system says it has, and such a file is "
            "made while it is read", "copy it, and name the copy",
        ))


def check_empty(path: str, status: os.stat_result, session: Session) -> None:
    """Raise WorldError if a regular file of size 0 has bytes, as files of /proc do; and OSError."""
    signature = Signature.of(status)
    if session.empty.get(path) != signature:
        handle = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
        try:
            check_read(path, len(os.read(handle, 1)), signature, os.fstat(handle))
        finally:
            os.close(handle)
        session.empty[path] = signature


def is_sure(path: str, signature: Signature, session: Session) -> bool:
    """Return whether any change since the file was read is sure to give another signature.

    One that was not read by this process had that signature before, which was settled then.
    """
    return path not in session.read_at or signature.settled(session.read_at[path])


def unknown(signature: Signature) -> Signature:
    """Return one that no file has, since none has that inode, to be recorded where the right one
    can't be trusted.
    """
    return Signature(signature.size, 0, 0, 0)


class PartHasher:
    """Digests of bytes in parts of one length."""

    def __init__(self, length: int) -> None:
        self.length = length
        self._left = length
        self._digest = hasher()
        self._done: list[str] = []

    def update(self, data: memoryview) -> None:
        """Take the next bytes."""
        while data:
            now = data[: self._left]
            self._digest.update(now)
            data, self._left = data[len(now) :], self._left - len(now)
            if not self._left:
                self._done.append(self._digest.hexdigest())
                self._digest, self._left = hasher(), self.length

    def digests(self) -> list[str]:
        """Return the digests, that of the last part too if there is any of it."""
        rest = [] if self._left == self.length else [self._digest.hexdigest()]
        return [*self._done, *rest]


def stretch(path: str, offset: int, length: int, signature: Signature) -> Iterator[memoryview]:
    """Yield a range of the file that has that signature; each view is valid until the next.

    Raises OSError, and WorldError if the file changed by now or has no such range.
    """
    with open(path, "rb", buffering=0) as file:
        left = length
        file.seek(offset)
        while left and (count := file.readinto(buffer()[: min(left, CHUNK)])):
            yield buffer()[:count]
            left -= count
        after = Signature.of(file.fileno())
    if left or after != signature:
        raise changed(path)


def changed(path: str) -> WorldError:
    """Return the error for a source that changed under our hands."""
    return WorldError(SourceChanged(
        path, "it changed while the image was built",
        "must stay as it is until the build is done", "run doit again",
    ))
