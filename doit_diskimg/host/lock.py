"""Who else has the image: a running QEMU, or another doit.

QEMU's file driver takes open-file-description locks on single bytes of an image: byte 100 + n while
it uses permission n, byte 200 + n while it forbids permission n to others (0 consistent read,
1 write, 2 write unchanged, 3 resize; QEMU, block/file-posix.c).  Every opener forbids writing to
others, so a lock on byte 201 says that a QEMU has the image, even one that only reads; and whoever
holds byte 101 is no hindrance to one that runs, but keeps every QEMU from starting.

Two doits exclude one another with `flock` on a file of the state folder, held by the process from
its first look at the image to the last thing that it makes of it.
"""

import fcntl
import os
import stat
import struct
from collections.abc import Callable, Sequence
from contextlib import suppress
from functools import partial

from doit_diskimg.host import folder

_USES, _FORBIDS = 100, 200
_WRITE = 1
_LOCK = "hhqqi4x"
"""struct flock: l_type, l_whence, l_start, l_len, l_pid."""


def hold_writing(handle: int) -> bool:
    """Declare, on an open image, that we write to it: a QEMU that starts now is refused.

    Returns False if a running QEMU forbids it.  The lock ends with the descriptor.  Where the
    system has no such locks nothing can be known, and the answer is True.
    """
    if not hasattr(fcntl, "F_OFD_SETLK"):
        return True
    with suppress(OSError):
        # First ours, then the look at theirs: of two that start at once, one sees the other.
        fcntl.fcntl(handle, fcntl.F_OFD_SETLK, _flock(fcntl.F_RDLCK, _USES + _WRITE, 1))
        answer = fcntl.fcntl(handle, fcntl.F_OFD_GETLK, _flock(fcntl.F_WRLCK, _FORBIDS + _WRITE, 1))
        return bool(struct.unpack(_LOCK, answer)[0] == fcntl.F_UNLCK)
    return True


def is_written(handle: int) -> bool:
    """Keep every QEMU from opening a file that is open here; True if one has it that may write.

    One that only reads, or that writes to a snapshot of its own, leaves the bytes what they are.
    """
    if not hasattr(fcntl, "F_OFD_SETLK"):
        return False
    with suppress(OSError):
        fcntl.fcntl(handle, fcntl.F_OFD_SETLK, _flock(fcntl.F_RDLCK, _USES + _WRITE, 1))
        answer = fcntl.fcntl(handle, fcntl.F_OFD_GETLK, _flock(fcntl.F_WRLCK, _USES + _WRITE, 1))
        return bool(struct.unpack(_LOCK, answer)[0] != fcntl.F_UNLCK)
    return False


def _flock(kind: int, start: int, length: int) -> bytes:
    return struct.pack(_LOCK, kind, os.SEEK_SET, start, length, 0)


def holders(path: str) -> list[int]:
    """Return the processes that hold such locks on the file, as far as /proc lets us see them."""
    found = []
    with suppress(OSError):
        wanted = os.stat(path)
        for name in os.listdir("/proc"):
            if name.isdigit() and int(name) != os.getpid() and _has_locked(name, wanted):
                found.append(int(name))
    return sorted(found)


def _has_locked(pid: str, wanted: os.stat_result) -> bool:
    with suppress(OSError):
        for handle in os.listdir(f"/proc/{pid}/fd"):
            with suppress(OSError):
                if os.path.samestat(os.stat(f"/proc/{pid}/fd/{handle}"), wanted):
                    with open(f"/proc/{pid}/fdinfo/{handle}", encoding="ascii") as file:
                        if "OFDLCK" in file.read():  # proc(5): the locks of the descriptor
                            return True
    return False


_held: dict[str, int] = {}
"""Lock files that this process holds, with their descriptors."""


def is_held(path: str) -> bool:
    """Return whether this process holds the lock file."""
    return path in _held


def hold_alone(path: str, waiting: Callable[[str], None]) -> None:
    """Wait until no other process holds the lock file at ``path``, and hold it until `release`.

    It lies in a state folder, which is made if there is none.

    A process may ask again for what it holds.  ``waiting`` is told, with the other's pid, if there
    is somebody to wait for.  Who holds it may remove the file, and the folder that it is in.
    Raises OSError, and WorldError for a folder that is not ours.
    """
    if path in _held:
        return
    while (handle := _locked(path, waiting)) is not None:
        try:
            if _is_at(path, handle) and not _has_other_names(path, handle):
                os.ftruncate(handle, 0)
                os.pwrite(handle, f"{os.getpid()}\n".encode("ascii"), 0)
                _held[path] = handle
                return
        finally:
            # It was removed while we waited, and another one may be there; or it can't be written.
            if path not in _held:
                os.close(handle)


class _TakenError(Exception):
    """Somebody else has the lock file; its text is his pid."""


def _refuse(pid: str) -> None:
    raise _TakenError(pid)


def hold_all(
    paths: Sequence[str], waiting: Callable[[str, str], None], spare: Sequence[str] = ()
) -> None:
    """Hold all these lock files, and wait for one only while none of the others is taken.

    ``spare`` are those that this process holds and can do without while it waits: they are given
    free then, and taken again.  ``waiting`` is told the path and the other's pid.  A file that
    can't be locked, for whatever reason, is left out: the action that can't write either says why.
    """
    wanted, first = [path for path in paths if path not in _held], ""
    while True:
        taken = list[str]()
        busy = ""
        for path in sorted(wanted, key=lambda path: path != first):
            try:
                hold_alone(path, partial(waiting, path) if path == first else _refuse)
            except _TakenError:
                busy = path
                break
            except OSError:
                continue
            taken.append(path)
        if not busy:
            return
        for path in {*taken, *spare}:
            release(path)
        wanted = list(dict.fromkeys([*wanted, *spare]))
        first = busy


def _locked(path: str, waiting: Callable[[str], None]) -> int | None:
    """Return the lock file, open and locked; None if a task of its holder's started us."""
    handle = folder.open_in(path, os.O_RDWR | os.O_CREAT | os.O_NONBLOCK, make=True)
    try:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            holder = os.pread(handle, 20, 0).decode("ascii", "replace").strip()
            if holder in _ancestors():
                os.close(handle)  # it waits for us
                return None
            waiting(holder)
            fcntl.flock(handle, fcntl.LOCK_EX)
    except BaseException:
        os.close(handle)
        raise
    return handle


def _is_at(path: str, handle: int) -> bool:
    """Return whether an open file is the one of that name."""
    try:
        return os.path.samestat(os.lstat(path), os.fstat(handle))
    except FileNotFoundError:
        return False


def _has_other_names(path: str, handle: int) -> bool:
    """Return whether a file is anything but a regular file of one name, and remove it if it is.

    What has another name too, as after ``cp -al``, is somebody else's as well: our pid may not
    get into it.
    """
    status = os.fstat(handle)
    if stat.S_ISREG(status.st_mode) and status.st_nlink == 1:
        return False
    folder.unlink_in(path)
    return True


def _ancestors() -> set[str]:
    """Return the pids of our parent, its parent and so on."""
    found = {str(os.getppid())}
    pid = str(os.getppid())
    with suppress(OSError, IndexError):
        while pid not in ("0", "1"):
            with open(f"/proc/{pid}/stat", encoding="ascii", errors="replace") as file:
                pid = file.read().rpartition(")")[2].split()[1]
            found.add(pid)
    return found


def release(path: str) -> None:
    """Let others have the lock file; nothing happens if we do not hold it."""
    handle = _held.pop(path, None)
    if handle is not None:
        os.close(handle)


_folder: list[int] = []
"""The working directory, if `join` was called."""


def join(folder: str) -> bool:
    """Be known, until this process ends, to others that ask the same of a folder.

    Returns whether nobody else is there; False too if that can't be known.
    """
    try:
        handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    except OSError:
        return False
    _folder.append(handle)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        return True
    except OSError:
        return False


def joined() -> None:
    """Let others come to the folder too, after `join` and what was to be done alone."""
    for handle in _folder:
        with suppress(OSError):
            fcntl.flock(handle, fcntl.LOCK_SH)


def _forget_in_child() -> None:
    """A forked worker must not keep the lock alive when its parent was killed."""
    while _held:
        os.close(_held.popitem()[1])
    while _folder:
        os.close(_folder.pop())


os.register_at_fork(after_in_child=_forget_in_child)
