"""What may be where a file of ours is to be (an image, an output, a descriptor): nothing, or ours.

It is a regular file, and there is a proof that it is ours: before a file of ours takes its name, a
record in the state folder says which file it is: its inode and when that was made, since the inode
of a removed file is soon that of another.  What somebody wrote into it since does not matter: it is
still ours to replace.  A copy of the whole project has other inodes; there the length and the time
stamp tell.
"""

import os
import stat
import sys
from contextlib import suppress

from doit_diskimg.errors import ImageKind, NotOurs, OwnFile, WorldError
from doit_diskimg.host import folder
from doit_diskimg.host.folder import MARKER
from doit_diskimg.host.machine import kind_of, which
from doit_diskimg.host.state import StateFolder, host_failed, read_json, write_json

FORMAT = 1
"""Of the records."""

_SECOND = 1_000_000_000
_Entry = list[int | None]
"""Device, inode, nanoseconds of its birth if the system tells, size, mtime in nanoseconds."""


def images(state: StateFolder) -> str:
    """Return the path of the record of the files that may have the image's name."""
    return state.file("images.json")


def claim(record: str, new: str, place: str) -> None:
    """Record that the file ``new`` is ours, before it is put at ``place``.

    What is recorded of the file that is there now stays, for the two may be looked at in between.
    Raises WorldError.
    """
    try:
        entry = _entry(new)
        before = [old for old in _entries(record) if _is_file(old, place)]
    except OSError as error:
        raise host_failed(new, error, "look at it") from error
    kept = [old for old in before if old[:3] != entry[:3]]
    write_json(record, {"format": FORMAT, "path": place, "made": [*kept, entry]})


def is_claimed(record: str, place: str, *, seconds: bool = False) -> bool:
    """Return whether the file at ``place`` is one that was recorded.

    With ``seconds`` a time stamp of whole seconds is enough, as archives keep them.
    """
    with suppress(FileNotFoundError):
        status = os.lstat(place)
        if stat.S_ISREG(status.st_mode):
            return any(
                _is_file(entry, place) or _is_like(entry, status, seconds=seconds)
                for entry in _entries(record)
            )
    return False


def is_recorded(record: str) -> bool:
    """Return whether there is a record that can be read."""
    return bool(_entries(record))


def check_file(record: str, place: str, *, replace: bool) -> None:
    """Raise WorldError if there is a file at ``place`` that is not ours, unless it may go."""
    if not replace and os.path.lexists(place) and not is_claimed(record, place, seconds=True):
        raise foreign(place)


_CHANGE = "move it away, delete it, or write Disk(..., replace=True)"


def foreign(path: str, change: str = _CHANGE) -> WorldError:
    """Return the error for a file that is not ours in the place of one of ours."""
    return WorldError(NotOurs(
        path, "it is a file that nothing in the state folder proves to be built here",
        "what is not ours is never replaced", change,
    ))


def _entries(record: str) -> list[_Entry]:
    data = read_json(record)
    made = data.get("made")
    if data.get("format") != FORMAT or not isinstance(made, list):
        return []
    return [entry for entry in made if isinstance(entry, list) and len(entry) == 5]


def _entry(path: str) -> _Entry:
    handle = os.open(path, folder.READ)
    try:
        status = os.fstat(handle)
        # No ctime: the file is about to take its name.
        return [*which(status), _birth(handle), status.st_size, status.st_mtime_ns]
    finally:
        os.close(handle)


def _is_file(entry: _Entry, path: str) -> bool:
    """Return whether a file is the one of an entry, whatever it holds by now."""
    try:
        status = os.lstat(path)
        if not stat.S_ISREG(status.st_mode) or entry[1] != status.st_ino:
            return False
        device, inode, birth, size, _ = _entry(path)
    except PermissionError:
        return False
    except FileNotFoundError:
        return False
    if birth is not None and entry[2] is not None:
        return entry[1:3] == [inode, birth]
    # Inodes are used again: where their age is not known, the length has to be the same too.
    return [entry[0], entry[1], entry[3]] == [device, inode, size]


def _is_like(entry: _Entry, status: os.stat_result, *, seconds: bool) -> bool:
    """Return whether a file has the length and the time stamp of an entry."""
    _, _, _, size, stamp = entry
    if size != status.st_size or stamp is None:
        return False
    whole = seconds and status.st_mtime_ns % _SECOND == 0
    return status.st_mtime_ns == (stamp // _SECOND * _SECOND if whole else stamp)


def _birth(handle: int) -> int | None:
    """Return when a file's inode was made, None where the system does not tell (statx(2))."""
    if sys.platform != "linux":
        return None
    import ctypes  # late: most runs neither make a file nor doubt one

    statx = getattr(ctypes.CDLL(None), "statx", None)
    found = ctypes.create_string_buffer(256)
    if statx is None or statx(handle, b"", _EMPTY_PATH, _BIRTH, found):
        return None
    if not int.from_bytes(found.raw[:4], sys.byteorder) & _BIRTH:  # stx_mask
        return None
    seconds = int.from_bytes(found.raw[80:88], sys.byteorder, signed=True)  # stx_btime
    return seconds * _SECOND + int.from_bytes(found.raw[88:92], sys.byteorder)


_EMPTY_PATH, _BIRTH = 0x1000, 0x800
"""AT_EMPTY_PATH, STATX_BTIME."""


# What may be there -------------------------------------------------------------------------------


def check_target(path: str) -> None:
    """Raise WorldError if an image may not be at ``path``: if something else is there.

    A symbolic link is something else, whatever it leads to: a new image replaces what has the
    name, and the file behind the link would stay what it was.  Nothing may be in a state folder,
    whatever image that is of: two would write and remove there.
    """
    _check_state(path)
    try:
        mode = os.lstat(path).st_mode
    except FileNotFoundError:
        _check_folder(path)
        return
    except OSError as error:
        raise host_failed(path, error, "look at the image") from error
    if not stat.S_ISREG(mode):
        raise not_an_image(path, mode)


def _check_state(path: str) -> None:
    folder = os.path.dirname(path) or os.curdir
    if os.path.lexists(os.path.join(folder, MARKER)):
        raise WorldError(OwnFile(
            path, f"{folder!r} is the state folder of an image",
            "a build writes nothing else there", "name a file elsewhere",
        ))


def _check_folder(path: str) -> None:
    """Refuse a new file among the devices, where a wrong letter would have been a disk."""
    folder = os.path.realpath(os.path.dirname(path) or os.curdir)
    if (folder + "/").startswith("/dev/") and not (folder + "/").startswith("/dev/shm/"):
        raise WorldError(ImageKind(
            path, "it would lie among the host's devices",
            "an image is a regular file and nothing else",
            "name a file elsewhere; nothing was written",
        ))


def not_an_image(path: str, mode: int) -> WorldError:
    """Return the error for a file of that mode in the place of an image."""
    return WorldError(ImageKind(
        path, f"it is a {kind_of(mode)}", "an image is a regular file and nothing else",
        "name another file; nothing was written",
    ))
