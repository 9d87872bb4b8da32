"""The state folder beside the image: ``.os.img/`` for ``os.img``.

Every file in it is written under a temporary name and renamed, since doit takes any target that
exists for a finished one: after a kill a half-written file would pass for up to date.
"""

import json
import os
import stat
from collections.abc import Callable, Sequence
from contextlib import suppress
from errno import EDQUOT, EFBIG, ELOOP, ENOSPC
from typing import TypeVar
from urllib.parse import quote

from doit_diskimg.errors import HostFailed, StateBroken, WorldError
from doit_diskimg.host import folder
from doit_diskimg.plan.content import digest_of
from doit_diskimg.units import format_size

_T = TypeVar("_T")

UNREADABLE = (ValueError, LookupError, TypeError, AttributeError)
"""What decoders raise of data that is not whole, has another shape or is of another version."""

_LONGEST = 200
"""Characters of a part's name in the name of a file: Linux gives that 255, and our endings 45."""


class StateFolder:
    """Names and files of one image's state; holds no open file and is cheap to make."""

    def __init__(self, image: str) -> None:
        head, tail = os.path.split(image)
        self.image = image
        self.path = os.path.join(head, f".{tail}")

    def file(self, part: str, suffix: str = "") -> str:
        """Return the path of a state file of one part of the disk, such as ``esp`` and ``.plan``.

        Names are free text, so everything but letters, digits and ``_.-~`` is percent-encoded.  Of
        what is too long then, the beginning and a digest stand for the name.
        """
        name = quote(part, safe="")
        if len(name) > _LONGEST:
            name = f"{name[:_LONGEST // 2]}%%{digest_of(part.encode('utf-8'))}"
        return os.path.join(self.path, name + suffix)

    def write_plan(self, part: str, plan: tuple[bytes, bytes]) -> None:
        """Store the plan of a part of the disk, its text and its blob.  Raises WorldError."""
        text, blob = plan
        # The text last: what it needs is there before it is.
        write(self.file(part, ".blob"), blob)
        write(self.file(part, ".plan"), text)

    def generation(self) -> str:
        """Return the name of the generation that is built or finished; empty if there is none."""
        return str(read_json(self.file("generation")).get("id", ""))

    def building(self, generation: str) -> str:
        """Return the path of the image of a new generation, until it is sealed.

        It has the generation's name, so that a file that a killed build left is never another's.
        """
        return os.path.join(self.path, f"new-{generation}.img")

    def current(self, generation: str) -> str:
        """Return the image file that an injection has to write."""
        building = self.building(generation)
        return building if os.path.exists(building) else self.image

    def discard(self) -> None:
        """Remove the images that builds left which were killed.  Raises WorldError."""
        try:
            with folder.entered(self.path) as handle:
                for name in filter(folder.is_building, os.listdir(handle)):
                    os.unlink(name, dir_fd=handle)
        except OSError as error:
            raise host_failed(self.path, error, "remove what an earlier build left") from error

    def make(self) -> None:
        """Create the folder.  Raises WorldError."""
        try:
            with folder.entered(self.path, make=True):
                pass
        except OSError as error:
            raise host_failed(self.path, error, "create the state folder") from error

    def check(self) -> None:
        """Raise WorldError unless the folder is ours, or not there."""
        try:
            with suppress(FileNotFoundError), folder.entered(self.path) as handle:
                lock = os.stat("lock", dir_fd=handle, follow_symlinks=False)
                if stat.S_ISLNK(lock.st_mode):
                    raise folder.link(self.file("lock"))  # without it two builds would mix
        except OSError as error:
            raise host_failed(self.path, error, "look at the state folder") from error

    def remove(self, *, dryrun: bool = False) -> tuple[list[str], list[str]]:
        """Delete the files that we write, and the folder; return their paths, and what is left.

        Nothing else is touched, and no link is followed.  Raises WorldError, as soon as something
        can't be deleted.
        """
        doomed, left = list[str](), list[str]()
        try:
            with suppress(FileNotFoundError), folder.entered(self.path) as handle:
                found = sorted(os.listdir(handle), key=lambda name: (_LAST.get(name, 0), name))
                kept = [name for name in found if self._vouches(name)]
                for name in found:
                    if name in kept or ((kept or left) and name == folder.MARKER):
                        continue  # without it the folder is not known to be ours
                    ours = folder.is_ours(handle, name)
                    (doomed if ours else left).append(os.path.join(self.path, name))
                    if ours and not dryrun:
                        folder.remove(handle, name)
                if not dryrun and not left and not kept:
                    os.rmdir(self.path)
        except OSError as error:
            raise host_failed(self.path, error, "remove it") from error
        return doomed, left

    def forget(self, paths: Sequence[str]) -> None:
        """Remove state files, and the folder if it is empty then.  Raises WorldError."""
        try:
            with suppress(FileNotFoundError), folder.entered(self.path) as handle:
                for path in paths:
                    with suppress(FileNotFoundError):
                        os.unlink(os.path.basename(path), dir_fd=handle)
                found = os.listdir(handle)
                if _LAST.keys() >= set(found):
                    for name in found:
                        os.unlink(name, dir_fd=handle)
                    os.rmdir(self.path)
        except OSError as error:
            raise host_failed(self.path, error, "remove it") from error

    def _vouches(self, name: str) -> bool:
        """Return whether a state file says which file outside is ours, and that is there."""
        if not name.endswith(".output.json"):
            return False
        return os.path.lexists(str(read_json(os.path.join(self.path, name)).get("path", "")))


_LAST = {"lock": 1, folder.MARKER: 2}
"""What is removed at the end: until then it keeps other doits out, and says whose the rest is."""


def read(path: str) -> bytes | None:
    """Return a state file's bytes, None if there is none.  Raises WorldError."""
    head, name = os.path.split(path)
    try:
        with folder.entered(head) as handle:
            return _read(handle, name)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise _failed(path, error, "read a state file") from error


def _read(handle: int, name: str) -> bytes:
    with open(os.open(name, folder.READ, dir_fd=handle), "rb") as file:
        return file.read()


def need(path: str) -> bytes:
    """Return the bytes of a state file that an earlier task made.  Raises WorldError."""
    data = read(path)
    if data is None:
        raise broken(path, "it is missing")
    return data


def load(path: str, decode: Callable[[bytes], _T]) -> _T:
    """Return what ``decode`` makes of a state file that an earlier task made.

    Raises WorldError if the file is missing, or is not one that ``decode`` understands.
    """
    data = need(path)
    try:
        return decode(data)
    except UNREADABLE as error:
        raise broken(path, f"it can't be used: {error}") from error


def load_if_whole(path: str, decode: Callable[[bytes], _T]) -> _T | None:
    """Like `load`, but return None where that finds the file missing or broken."""
    data = read(path)
    with suppress(*UNREADABLE):
        return None if data is None else decode(data)
    return None


def read_json(path: str) -> dict[str, object]:
    """Return a state file's data, empty if there is none or if it is not whole."""
    return _parse(read(path) or b"")


def read_record(path: str) -> dict[str, object]:
    """Like `read_json`, for a record of what was asked: empty too if a byte of it changed.

    It vouches for bytes that are not read again, so nothing in it is believed that was not written.
    """
    body, _, proof = (read(path) or b"").rpartition(_PROOF)
    body += b"}"
    return _parse(body) if proof == f'{digest_of(body)}"}}\n'.encode("ascii") else {}


def _parse(data: bytes) -> dict[str, object]:
    with suppress(ValueError):
        value = json.loads(data)
        return value if isinstance(value, dict) else {}
    return {}


_PROOF = b',\n"proof": "'
"""What comes before the digest of a record."""


def write(path: str, data: bytes) -> bool:
    """Replace a state file in one step, unless it holds ``data`` already.

    Returns whether it was written.  A file that stays keeps its time stamp, so that what depends
    on it stays up to date.  Raises WorldError.
    """
    head, name = os.path.split(path)
    try:
        with folder.entered(head, make=True) as handle:
            with suppress(FileNotFoundError):
                if _read(handle, name) == data:
                    return False
            folder.replace(handle, name, lambda file: folder.write_all(file, data))
        return True
    except OSError as error:
        raise _failed(path, error, "write a state file") from error


def _failed(path: str, error: OSError, action: str) -> WorldError:
    return folder.link(path) if error.errno == ELOOP else host_failed(path, error, action)


def write_json(path: str, data: dict[str, object]) -> bool:
    """Like `write`, for data."""
    return write(path, _lines(data) + b"\n")


def write_record(path: str, record: dict[str, object]) -> bool:
    """Like `write_json`, with the digest that `read_record` compares."""
    body = _lines(record)
    return write(path, body[:-1] + _PROOF + f'{digest_of(body)}"}}\n'.encode("ascii"))


def _lines(data: dict[str, object]) -> bytes:
    # A line for each item, and not indent=1, for which Python has no fast encoder.
    return json.dumps(data, separators=(",\n", ": ")).encode("ascii")


def broken(path: str, found: str) -> WorldError:
    """Return the error for a state file that is not what its task wrote."""
    return WorldError(StateBroken(
        path, found, "an earlier task of this image wrote it",
        "run doit for the whole image, or `doit clean` first",
    ))


def host_failed(path: str, error: OSError, action: str) -> WorldError:
    """Return the error for a system call that failed, in words."""
    if isinstance(error, WorldError):
        return error
    reason = (error.strerror or str(error)) + _free(path, error)
    problem = HostFailed(
        path, reason, f"the build has to {action}", "fix that and run doit again"
    )
    problem.no_room = error.errno in (ENOSPC, EDQUOT, EFBIG)
    return WorldError(problem)


def _free(path: str, error: OSError) -> str:
    """Return how much room there is where there was too little."""
    if error.errno not in (ENOSPC, EDQUOT):
        return ""
    import shutil

    with suppress(OSError):
        free = shutil.disk_usage(os.path.dirname(path) or os.curdir).free
        return f" ({format_size(free)} free)"
    return ""
