"""What one process knows and holds from one task to the next; the skin makes one object of it.

It knows what it has read, so that each file is read once a run, and what it holds.  Two doits
exclude one another with `flock` on a file of the state folder, held by the process from its first
look at the image to the last thing that it makes of it.
"""

import fcntl
import os
import stat
from collections.abc import Callable, Sequence
from contextlib import suppress
from functools import partial
from weakref import WeakMethod

from doit_diskimg.host import folder
from doit_diskimg.host.machine import Signature
from doit_diskimg.plan.content import Entry


class Session:
    """What is known of the files of this machine, and the lock files that this process holds."""

    def __init__(self) -> None:
        self.digests: dict[str, tuple[Signature, str]] = {}
        """Of the files that were read."""
        self.parts: dict[str, tuple[Signature, int, list[str]]] = {}
        """The same of the parts of longer files, with the length of the parts."""
        self.read_at: dict[str, int] = {}
        """When the reading of each file began, by the clock that stamps files."""
        self.empty: dict[str, Signature] = {}
        """Files of size 0 that were found to have no bytes."""
        self.walks: dict[str, tuple[dict[str, Signature | None], list[Entry]]] = {}
        """The last walk through each tree, with its directories as they were before."""
        self._held: dict[str, int] = {}
        """Lock files, with their descriptors."""
        self._folders: list[int] = []
        """The working directory, if `join` was called."""
        forget = WeakMethod(self._forget_in_child)
        os.register_at_fork(after_in_child=lambda: (method := forget()) and method())

    def is_held(self, path: str) -> bool:
        """Return whether this process holds the lock file."""
        return path in self._held

    def hold_alone(self, path: str, waiting: Callable[[str], None]) -> None:
        """Wait until no other process holds the lock file at ``path``, and hold it until `release`.

        It lies in a state folder, which is made if there is none.

        A process may ask again for what it holds.  ``waiting`` is told, with the other's pid, if
        there is somebody to wait for.  Who holds it may remove the file, and the folder that it is
        in.  Raises OSError, and WorldError for a folder that is not ours.
        """
        if path in self._held:
            return
        while (handle := _locked(path, waiting)) is not None:
            try:
                if _is_at(path, handle) and not _has_other_names(path, handle):
                    os.ftruncate(handle, 0)
                    os.pwrite(handle, f"{os.getpid()}\n".encode("ascii"), 0)
                    self._held[path] = handle
                    return
            finally:
                # It was removed while we waited, and another may be there; or it can't be written.
                if path not in self._held:
                    os.close(handle)

    def hold_all(
        self, paths: Sequence[str], waiting: Callable[[str, str], None], spare: Sequence[str] = ()
    ) -> None:
        """Hold all these lock files, and wait for one only while none of the others is taken.

        ``spare`` are those that this process holds and can do without while it waits: they are
        given free then, and taken again.  ``waiting`` is told the path and the other's pid.  A file
        that can't be locked, for whatever reason, is left out: the action that can't write either
        says why.
        """
        wanted, first = [path for path in paths if path not in self._held], ""
        while True:
            taken = list[str]()
            busy = ""
            for path in sorted(wanted, key=lambda path: path != first):
                try:
                    self.hold_alone(path, partial(waiting, path) if path == first else _refuse)
                except _TakenError:
                    busy = path
                    break
                except OSError:
                    continue
                taken.append(path)
            if not busy:
                return
            for path in {*taken, *spare}:
                self.release(path)
            wanted = list(dict.fromkeys([*wanted, *spare]))
            first = busy

    def release(self, path: str) -> None:
        """Let others have the lock file; nothing happens if we do not hold it."""
        handle = self._held.pop(path, None)
        if handle is not None:
            os.close(handle)

    def join(self, folder: str) -> bool:
        """Be known, until this process ends, to others that ask the same of a folder.

        Returns whether no other process is there; False too if that can't be known.
        """
        try:
            handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        except OSError:
            return False
        self._folders.append(handle)
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return True
        except OSError:
            return False

    def joined(self) -> None:
        """Let others come to the folder too, after `join` and what was to be done alone."""
        for handle in self._folders:
            with suppress(OSError):
                fcntl.flock(handle, fcntl.LOCK_SH)

    def _forget_in_child(self) -> None:
        """A forked worker must not keep the lock alive when its parent was killed."""
        while self._held:
            os.close(self._held.popitem()[1])
        while self._folders:
            os.close(self._folders.pop())


class _TakenError(Exception):
    """Another process has the lock file; its text is the pid."""


def _refuse(pid: str) -> None:
    raise _TakenError(pid)


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


def waiting_text(name: str, pid: str) -> str:
    """Return why a build of the disk of that name stands still."""
    return f"{name}: waiting for another doit that builds it (pid {pid})"
