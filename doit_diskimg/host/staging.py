"""Lays out files for a program that makes a payload.

Everything is a copy: a link to a file of the user's would have its mode and times, which a program
would take over, and could be written to.  What is copied is hashed on the way; it must be what the
recipe says.  Stretches of zeros become holes.
"""

import os
from collections.abc import Sequence

from doit_diskimg.host.folder import NEW
from doit_diskimg.host.hashing import buffer, changed
from doit_diskimg.plan.content import hasher
from doit_diskimg.plan.recipe import Staged


def stage(folder: str, staged: Sequence[Staged], seconds: int) -> None:
    """Lay out ``staged`` below ``folder``, which is empty.  Raises OSError and WorldError."""
    for item in staged:
        path = _below(folder, item.path)
        if item.source is None:
            os.mkdir(path, 0o700)
        else:
            handle = os.open(path, NEW, 0o600)
            try:
                _fill(handle, item)
            finally:
                os.close(handle)
    for item in reversed(staged):  # a directory when what is in it has been made
        path = _below(folder, item.path)
        os.chmod(path, item.mode)
        own = seconds if item.seconds is None else item.seconds
        os.utime(path, (own, own))


def _below(folder: str, path: str) -> str:
    """Return the path of a staged file.  Nothing is ever written outside the folder."""
    if path != os.path.normpath(path) or os.path.isabs(path) or path.split("/")[0] in ("..", "."):
        raise ValueError(f"{path!r} is no path below a folder")
    return os.path.join(folder, path)


def _fill(handle: int, item: Staged) -> None:
    if isinstance(item.source, bytes):
        with open(handle, "wb", closefd=False) as file:
            file.write(item.source)
        return
    assert item.source is not None
    digest, view, position = hasher(), buffer(), 0
    with open(item.source, "rb", buffering=0) as source:
        while count := source.readinto(view):
            digest.update(view[:count])
            if any(view[:count]):
                _write(handle, view[:count], position)
            position += count
    if digest.hexdigest() != item.digest:
        raise changed(item.source)
    os.ftruncate(handle, position)


def _write(handle: int, data: memoryview, position: int) -> None:
    while data:
        count = os.pwrite(handle, data, position)
        data, position = data[count:], position + count
