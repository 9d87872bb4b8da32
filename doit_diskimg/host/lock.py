"""Who else has the image: a running QEMU.

QEMU's file driver takes open-file-description locks on single bytes of an image: byte 100 + n while
it uses permission n, byte 200 + n while it forbids permission n to others (0 consistent read,
1 write, 2 write unchanged, 3 resize; QEMU, block/file-posix.c).  Every opener forbids writing to
others, so a lock on byte 201 says that a QEMU has the image, even one that only reads; a lock on
byte 101 does not disturb one that runs, but keeps every QEMU from starting.  `session` has
what keeps two doits apart.
"""

import fcntl
import os
import struct
from contextlib import suppress

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
