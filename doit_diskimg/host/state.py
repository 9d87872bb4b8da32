"""The state folder beside the image: ``.os.img/`` for ``os.img``.

Every file in it is written under a temporary name and renamed, since doit takes any target that
exists for a finished one: after a kill a half-written file would pass for up to date.
"""

import json
import os
import re
from contextlib import suppress
from errno import EDQUOT, EFBIG, ENOSPC
from typing import TYPE_CHECKING, BinaryIO
from urllib.parse import quote

from doit_diskimg.content import digest_of
from doit_diskimg.errors import HostFailed, StateBroken, WorldError
from doit_diskimg.units import format_size

if TYPE_CHECKING:
    from doit_diskimg.plan import Plan

_LONGEST = 200
"""Characters of a part's name in the name of a file: Linux gives that 255, and our endings 33."""

WORK = ".work"
"""Ending of a folder in which programs work; what is in it is never used by anybody else."""


_BUILDING = r"new-[0-9a-f]{32}\.img(\.[0-9]+\.tmp)?"
"""Images of new generations, and copies on their way to be one; see `StateFolder.building`."""


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

    def write_plan(self, part: str, plan: "Plan") -> None:
        """Store the plan of a part of the disk.  Raises WorldError."""
        # The text last: what it needs is there before it is.
        write(self.file(part, ".blob"), plan.blob)
        write(self.file(part, ".plan"), plan.text)

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
            for name in os.listdir(self.path):
                if re.fullmatch(_BUILDING, name):
                    os.unlink(os.path.join(self.path, name))
        except OSError as error:
            raise host_failed(self.path, error, "remove what an earlier build left") from error

    def make(self) -> None:
        """Create the folder.  Raises WorldError."""
        try:
            os.makedirs(self.path, exist_ok=True)
        except OSError as error:
            raise host_failed(self.path, error, "create the state folder") from error

    def remove(self, *, dryrun: bool = False) -> list[str]:
        """Delete the image and the files of its state folder; return their paths.

        Raises WorldError, as soon as something can't be deleted.
        """
        from doit_diskimg.host import staging

        doomed = [self.image] if os.path.lexists(self.image) else []
        with suppress(FileNotFoundError):
            found = [
                entry.path
                for entry in os.scandir(self.path)
                if not entry.is_dir() or entry.name.endswith(WORK)
            ]
            lock = self.file("lock")  # at the end: until then it keeps other doits out
            doomed += sorted(found, key=lambda path: (path == lock, path))
        if dryrun:
            return doomed
        for path in doomed:
            try:
                # Whatever has the image's name, it is a file, or it is not ours to remove.
                (os.unlink if path == self.image else staging.remove)(path)
            except OSError as error:
                raise host_failed(path, error, "remove it") from error
        with suppress(OSError):  # it stays if somebody keeps a folder in it
            os.rmdir(self.path)
        return doomed


def read(path: str) -> bytes | None:
    """Return a state file's bytes, None if there is none.  Raises WorldError."""
    try:
        with open(path, "rb") as file:
            return file.read()
    except FileNotFoundError:
        return None
    except OSError as error:
        raise host_failed(path, error, "read a state file") from error


def need(path: str) -> bytes:
    """Return the bytes of a state file that an earlier task made.  Raises WorldError."""
    data = read(path)
    if data is None:
        raise broken(path, "it is missing")
    return data


def read_json(path: str) -> dict[str, object]:
    """Return a state file's data, empty if there is none or if it is not whole.

    It is the caller's to read and not to change: who asks again gets the same.
    """
    return _parse(path, read(path) or b"")


def read_record(path: str) -> dict[str, object]:
    """Like `read_json`, for a record of what was asked: empty too if a byte of it is another.

    It vouches for bytes that nobody reads again, so nothing in it is believed that was not written.
    """
    body, _, proof = (read(path) or b"").rpartition(_PROOF)
    body += b"}"
    return _parse(path, body) if proof == f'{digest_of(body)}"}}\n'.encode("ascii") else {}


def _parse(path: str, data: bytes) -> dict[str, object]:
    known = _parsed.get(path)
    if known is None or known[0] != data:
        value: object = None
        with suppress(ValueError):
            value = json.loads(data)
        known = _parsed[path] = data, value if isinstance(value, dict) else {}
    return known[1]


_PROOF = b',\n"proof": "'
"""What comes before the digest of a record."""

_parsed: dict[str, tuple[bytes, dict[str, object]]] = {}
"""What was last found in each file: a task is judged by its record and then works with it."""


def write(path: str, data: bytes) -> bool:
    """Replace a state file in one step, unless it holds ``data`` already.

    Returns whether it was written.  A file that stays keeps its time stamp, so that what depends
    on it stays up to date.  Raises WorldError.
    """
    temporary = None
    try:
        if read(path) == data:
            return False
        temporary = f"{path}.{os.getpid()}.tmp"  # no two tasks write one file
        with _open_new(temporary) as file:
            file.write(data)
        os.replace(temporary, path)
        return True
    except OSError as error:
        if temporary is not None:
            with suppress(OSError):
                os.unlink(temporary)
        raise host_failed(path, error, "write a state file") from error


def _open_new(path: str) -> BinaryIO:
    """Open a file for writing, in a folder that is there already but for the first time."""
    try:
        return open(path, "wb")
    except FileNotFoundError:
        os.makedirs(os.path.dirname(path), exist_ok=True)
        return open(path, "wb")


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
    return WorldError(
        [
            StateBroken(
                path, found, "an earlier task of this image wrote it",
                "run doit for the whole image, or `doit clean` first",
            )
        ]
    )


def host_failed(path: str, error: OSError, action: str) -> WorldError:
    """Return the error for a system call that failed, in words."""
    if isinstance(error, WorldError):
        return error
    reason = (error.strerror or str(error)) + _free(path, error)
    problem = HostFailed(
        path, reason, f"the build has to {action}", "mend that and run doit again"
    )
    problem.no_room = error.errno in (ENOSPC, EDQUOT, EFBIG)
    return WorldError([problem])


def _free(path: str, error: OSError) -> str:
    """Return how much room there is where there was too little."""
    if error.errno not in (ENOSPC, EDQUOT):
        return ""
    import shutil

    with suppress(OSError):
        free = shutil.disk_usage(os.path.dirname(path) or os.curdir).free
        return f" ({format_size(free)} free)"
    return ""
