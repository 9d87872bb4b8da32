"""The proof that a state folder is ours, and the only way into it.

A folder is ours if it has a marker that we wrote, is a real directory, belongs to us or to the
owner of the folder that it is in, and no other user may write to it.  What is in it is reached
through a descriptor of that folder and never through a link, so that we write to the folder
that was verified, even if something else takes its place meanwhile.

Every name that we write there is in the tables below: no file is made of another name, and
`doit clean` removes none.
"""

import json
import os
import re
import stat
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from errno import ELOOP, ENOTDIR

from doit_diskimg.errors import NotOurs, WorldError
from doit_diskimg.host.machine import kind_of

MARKER = "owner.json"
"""The file that says whose state a folder holds."""

FORMAT = 1
"""Of the marker."""

READ = os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK
"""How a file is opened to be read; at a pipe in its place it does not wait for a writer."""

NEW = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC | os.O_NOFOLLOW
"""How a file is opened that must not be there yet."""

FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC | os.O_NOFOLLOW
"""How a folder is opened."""

WORK = ".work"
"""Ending of a folder in which programs work; what is in it is never used by others."""

NAMES = frozenset({
    MARKER, "broken.json", "changed.json", "checked", "generation", "images.json", "kept.json",
    "layout.json", "linked-needs-snapshot-on.img", "linked.json", "linked.receipt",
    "linked.sources.json", "lock", "patching", "seal.json",
})  # fmt: skip
"""The files of the image as a whole."""

SUFFIXES = frozenset({
    ".blob", ".boot.json", ".boot.lock", ".cold.json", ".facts", ".failed.log", ".failed.png",
    ".files-geometry.json", ".files-injected.json", ".files.json", ".geometry.json", ".injected",
    ".made.json", ".outline.json", ".output.json", ".payload", ".places.json", ".plan",
    ".serial.log", ".volume", ".warm", ".warm.json",
})  # fmt: skip
"""What the files of one part of the disk end in; its name comes first."""

BUILDING = r"new-[0-9a-f]{32}\.img"
"""An image of a new generation."""

_TEMPORARY = r"\.([0-9a-f]{16}|[0-9]+)\.tmp"
"""The rest of a name until a file is whole; some versions wrote a process id there."""

_PART = r"[A-Za-z0-9_.~%-]+"
"""What `StateFolder.file` makes of the name of a part."""

_PROOFS = {
    "generation": {"format", "id", "skeleton", "persist"},
    "seal.json": {"format", "generation", "digest", "boot", "image", "receipts"},
    "kept.json": {"format", "parts", "next"},
    "linked.json": {"format", "boot", "descriptor", "text", "rest", "files"},
}
"""Files of folders from before there were markers, and what each of them must say."""


def _any(texts: frozenset[str]) -> str:
    return "|".join(map(re.escape, sorted(texts)))


_OURS = rf"({_any(NAMES)}|{BUILDING}|{_PART}({_any(SUFFIXES)}))({_TEMPORARY})?"


@contextmanager
def entered(path: str, *, make: bool = False) -> Iterator[int]:
    """Yield a descriptor of the state folder at ``path``, which is verified.

    Without ``make``, what is not there raises FileNotFoundError.  Raises OSError, and WorldError
    for a folder that is not ours.
    """
    handle = _opened(path, make=make)
    try:
        _verify(path, handle, make=make)
        yield handle
    finally:
        os.close(handle)


def _opened(path: str, *, make: bool) -> int:
    try:
        return os.open(path, FOLDER)
    except FileNotFoundError:
        if not make:
            raise
    except OSError as error:
        if error.errno not in (ELOOP, ENOTDIR):
            raise
        raise _no_folder(path) from None
    above = os.path.dirname(path) or os.curdir
    os.makedirs(above, exist_ok=True)
    with suppress(FileExistsError):
        # Never more than the folder above lets others do, whatever the umask is.
        mode = os.stat(above).st_mode
        os.mkdir(path, 0o755 if mode & stat.S_ISVTX else 0o755 | mode & 0o022)
    return os.open(path, FOLDER)


def _verify(path: str, handle: int, *, make: bool) -> None:
    _verify_mode(path, os.fstat(handle))
    if not _has_marker(path, handle):
        names = os.listdir(handle)
        if not _has_marker(path, handle):  # it may have been written between the two looks
            empty = all(is_marker(name) and name != MARKER for name in names)
            if empty and not make:
                raise FileNotFoundError(path)  # there is no state
            if not empty and not _is_of_old(handle, names):
                raise _foreign(path)
            _write_marker(path, handle)


def _verify_mode(path: str, folder: os.stat_result) -> None:
    above = os.stat(os.path.dirname(path) or os.curdir)
    if folder.st_uid not in (os.geteuid(), above.st_uid):
        raise _refused(
            path, f"it belongs to user {folder.st_uid}",
            "must belong to you or to the owner of the folder that it is in",
            "delete it, or change its owner",
        )
    # In a sticky folder others may make files, and neither rename nor remove ours.
    shared = 0 if above.st_mode & stat.S_ISVTX else above.st_mode
    if folder.st_mode & 0o022 & ~shared:
        raise _refused(
            path, f"others may write to it, its mode is {stat.S_IMODE(folder.st_mode):o}",
            "only those may who may rename files in the folder that it is in",
            f"chmod go-w {path}",
        )


def image_of(path: str) -> str:
    """Return the file name of the image whose state folder is at ``path``."""
    return os.path.basename(path)[1:]


def _marker(path: str) -> bytes:
    return json.dumps({"format": FORMAT, "image": image_of(path)}).encode("ascii") + b"\n"


def _has_marker(path: str, handle: int) -> bool:
    data = _read(handle, MARKER)
    if data == _marker(path):
        return True
    with suppress(ValueError):
        found = json.loads(data or b"")
        if isinstance(found, dict) and found.get("image", image_of(path)) != image_of(path):
            raise _of_another(path, found["image"])
    return False  # there is none, or it was damaged: what else is there has to tell


def is_state(path: str) -> bool:
    """Return whether a folder has the marker of a state folder of that name."""
    with suppress(OSError):
        handle = os.open(path, FOLDER)
        try:
            return _read(handle, MARKER) == _marker(path)
        finally:
            os.close(handle)
    return False


def _read(folder: int, name: str) -> bytes | None:
    """Return the bytes of a regular file, None if there is none."""
    try:
        handle = os.open(name, READ, dir_fd=folder)
    except OSError:
        return None
    try:  # every look into a folder reads its marker: no file object for so few bytes
        status = os.fstat(handle)
        return os.read(handle, status.st_size) if stat.S_ISREG(status.st_mode) else None
    finally:
        os.close(handle)


def _is_of_old(handle: int, names: list[str]) -> bool:
    """Return whether a folder without a marker was written by us before there were markers."""
    if not all(is_ours(handle, name) for name in names):
        return False
    return any(_says(_read(handle, name), keys) for name, keys in _PROOFS.items() if name in names)


def is_ours(folder: int, name: str) -> bool:
    """Return whether what has a name in a folder is a file or a folder as we make them there."""
    kind = os.stat(name, dir_fd=folder, follow_symlinks=False).st_mode
    if stat.S_ISDIR(kind):
        return is_folder_of_ours(name)
    return stat.S_ISREG(kind) and is_file_of_ours(name)


def _says(data: bytes | None, keys: set[str]) -> bool:
    with suppress(ValueError):
        found = json.loads(data or b"")
        return isinstance(found, dict) and keys <= found.keys()
    return False


def _write_marker(path: str, handle: int) -> None:
    replace(handle, MARKER, lambda file: write_all(file, _marker(path)))


def replace(folder: int, name: str, fill: Callable[[int], None]) -> None:
    """Put a new file at ``name``, in one step, when ``fill`` has filled it.  Raises OSError."""
    check_name(name)
    temporary = temporary_name(name)
    handle = os.open(temporary, NEW, 0o666, dir_fd=folder)
    try:
        try:
            fill(handle)
        finally:
            os.close(handle)
        os.replace(temporary, name, src_dir_fd=folder, dst_dir_fd=folder)
    except BaseException:
        with suppress(OSError):
            os.unlink(temporary, dir_fd=folder)
        raise


def is_file_of_ours(name: str) -> bool:
    """Return whether we write files of that name."""
    return re.fullmatch(_OURS, name) is not None


def is_folder_of_ours(name: str) -> bool:
    """Return whether we make folders of that name, with whatever a program puts there."""
    return re.fullmatch(rf"{_PART}\.payload{re.escape(WORK)}", name) is not None


def is_building(name: str) -> bool:
    """Return whether it is an image that a build did not finish."""
    return re.fullmatch(rf"{BUILDING}({_TEMPORARY})?", name) is not None


def is_marker(name: str) -> bool:
    """Return whether it is the marker, or one that is about to be written."""
    return re.fullmatch(rf"{re.escape(MARKER)}({_TEMPORARY})?", name) is not None


def check_name(name: str) -> None:
    """Raise ValueError for a name that is not in the tables above: it would never be removed."""
    if not is_file_of_ours(name):
        raise ValueError(f"{name!r} is not the name of a state file")


def temporary_name(name: str) -> str:
    """Return a name that can't be guessed."""
    return f"{name}.{os.urandom(8).hex()}.tmp"


def write_all(handle: int, data: bytes) -> None:
    """Write all of ``data`` into an open file."""
    with open(handle, "wb", closefd=False) as file:
        file.write(data)


def open_in(path: str, flags: int, *, make: bool = False) -> int:
    """Open a file of a state folder; its own name is no link.  Raises OSError."""
    head, name = os.path.split(path)
    if flags & os.O_CREAT and name != "lock":  # which every run opens
        check_name(name)
    try:
        with entered(head, make=make) as folder:
            return os.open(name, flags | os.O_NOFOLLOW | os.O_CLOEXEC, 0o666, dir_fd=folder)
    except OSError as error:
        if error.errno == ELOOP:
            raise link(path) from None
        raise


def unlink_in(path: str) -> None:
    """Remove a file of a state folder if it is there.  Raises OSError."""
    head, name = os.path.split(path)
    with suppress(FileNotFoundError), entered(head) as folder:
        os.unlink(name, dir_fd=folder)


def remove(folder: int, name: str) -> None:
    """Remove what has that name in an open folder, with all that is in it, whatever its modes.

    No link is followed.  Raises OSError.
    """
    if not stat.S_ISDIR(os.stat(name, dir_fd=folder, follow_symlinks=False).st_mode):
        os.unlink(name, dir_fd=folder)
        return
    try:
        handle = os.open(name, FOLDER, dir_fd=folder)
    except PermissionError:
        os.chmod(name, 0o700, dir_fd=folder)
        handle = os.open(name, FOLDER, dir_fd=folder)
    try:
        os.fchmod(handle, 0o700)
        for below in os.listdir(handle):
            remove(handle, below)
    finally:
        os.close(handle)
    os.rmdir(name, dir_fd=folder)


def link(path: str) -> WorldError:
    """Return the error for a symbolic link in the place of a state file."""
    return _refused(path, "it is a symbolic link", "a state file is a regular file",
                    "remove the link")


def _no_folder(path: str) -> WorldError:
    kind = kind_of(os.lstat(path).st_mode)
    return _refused(
        path, f"it is a {kind}", f"the state of the image {image_of(path)!r} needs a folder there",
        "move it away, or give the image another name",
    )


def _foreign(path: str) -> WorldError:
    return _refused(
        path, f"it is not the state folder of an image {image_of(path)!r}: it has no {MARKER!r} "
        "that says so", "nothing is written to or removed from what is not ours",
        "move it away, or give the image another name",
    )


def _of_another(path: str, image: object) -> WorldError:
    return _refused(
        path, f"its {MARKER!r} says that it is the state folder of an image {image!r}",
        f"the state of the image {image_of(path)!r} can't lie in it",
        "rename both back, or move it away, or give the image another name",
    )


def _refused(path: str, found: str, must: str, change: str) -> WorldError:
    return WorldError(NotOurs(path, found, must, change))
