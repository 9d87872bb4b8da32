"""What a build may know of the machine it runs on: its clock, what that leaves on files, its boot,
its environment.
"""

import os
import stat
import time
from collections.abc import Sequence
from typing import NamedTuple, Self

DOS_EPOCH = 315532800
"""1980-01-01 00:00:00 UTC, the first moment that FAT can express."""


_LAST = 0xFFFFFFFF
"""The last second since 1970 that 32 bits can count, as some of what we store it in does."""


_CLOCK = getattr(time, "CLOCK_REALTIME_COARSE", time.CLOCK_REALTIME)
"""The clock that stamps files."""

_SETTLED_NS = 20_000_000
"""Age from which a time stamp is trusted: two ticks of the slowest clock that stamps files."""

_SETTLED_WHOLE_NS = 2_000_000_000
"""The same where all stamps are whole seconds: the file system may have no other, or even ones."""


def boot_id() -> str:
    """Return a text that differs after each boot; empty where the system has none.

    It covers a power cut: pages that were written but never reached the disk are gone, yet the
    file's size and time stamps may look right.
    """
    try:
        with open("/proc/sys/kernel/random/boot_id", "rb", buffering=0) as file:
            return file.read().decode("utf-8").strip()
    except OSError:
        return ""


def running_as_root() -> bool:
    """Return whether we could harm the host if we tried."""
    return hasattr(os, "geteuid") and os.geteuid() == 0


def new_generation() -> str:
    """Return a name that no other image file has ever had."""
    import secrets  # late: most runs make no image

    return secrets.token_hex(16)


def now_ns() -> int:
    """Return nanoseconds since 1970, by the clock that stamps files."""
    return time.clock_gettime_ns(_CLOCK)


def settled(stamps: Sequence[int], now: int) -> bool:
    """Return whether a change from ``now`` on is sure to give other time stamps than these."""
    age = now - max(stamps)
    if _SETTLED_NS < age <= _SETTLED_WHOLE_NS:
        return any(stamp % 1_000_000_000 for stamp in stamps)
    return age > _SETTLED_WHOLE_NS


class Signature(NamedTuple):
    """What tells a file from a later state of it, without reading it.

    The one answer to "is it the same file, as it was?".  A place that compares less says why.
    """

    size: int
    mtime_ns: int
    ctime_ns: int
    inode: int

    @classmethod
    def of(cls, file: os.stat_result | str | int) -> Self:
        """Return the signature of a file, by its status, its path or its handle.  Raises OSError.
        """
        status = file if isinstance(file, os.stat_result) else os.stat(file)
        return cls(status.st_size, status.st_mtime_ns, status.st_ctime_ns, status.st_ino)

    def settled(self, now: int) -> bool:
        """Return whether a change from ``now`` on is sure to give another signature."""
        return settled((self.mtime_ns, self.ctime_ns), now)


def code_of(path: str) -> bytes:
    """Return the text of a module of the user's; none if it can't be read, as in an archive."""
    try:
        with open(path, "rb") as file:
            return file.read()
    except OSError:
        return b""


def as_made(path: str) -> list[int]:
    """Return what tells a file of ours from what was put there later; nothing if there is none.

    Without the ctime, which changes when a file takes its name or gets a second one.
    """
    try:
        found = Signature.of(path)
    except OSError:
        return []
    return [found.size, found.mtime_ns, found.inode]


def which(status: os.stat_result) -> tuple[int, int]:
    """Return which file it is, whatever its name and whatever it holds by now.

    After another boot a device may have another number.
    """
    return status.st_dev, status.st_ino


def is_executable(status: os.stat_result) -> bool:
    """Return whether the owner may execute a file of that status."""
    return bool(status.st_mode & stat.S_IXUSR)


def kind_of(mode: int) -> str:
    """Return what a file's mode says it is, for messages."""
    for test, name in (
        (stat.S_ISBLK, "block device"), (stat.S_ISCHR, "character device"),
        (stat.S_ISFIFO, "named pipe"), (stat.S_ISSOCK, "socket"), (stat.S_ISDIR, "directory"),
        (stat.S_ISLNK, "symbolic link"),
    ):
        if test(mode):
            return name
    return "file"


def epoch() -> int:
    """Return the time stamp of everything in an image: SOURCE_DATE_EPOCH if set, else 1980.

    Raises ValueError, in words for the user, if the variable is not a whole number of 32 bits.
    """
    text = os.environ.get("SOURCE_DATE_EPOCH", "")
    if not text:
        return DOS_EPOCH
    if not (text.isascii() and text.isdecimal()):
        raise ValueError(f"{text!r} is not a number of seconds")
    if int(text) > _LAST:
        raise ValueError(f"{text} is after 2106")
    return int(text)
