"""Which description was checked last, and found right.

dodo.py is read on every `doit`, and to look for what is wrong with a description means to import
the code of its file systems and tables.  What they say is a function of the description alone, so
one that was right is right as long as it and the code that judges it are the same.
"""

import os
import pickle
from contextlib import suppress
from io import BytesIO
from typing import Any

from doit_diskimg.disk.fields import is_path
from doit_diskimg.errors import WorldError
from doit_diskimg.host.paths import normal
from doit_diskimg.host.state import StateFolder
from doit_diskimg.plan.content import FORMAT, digest_of


class Checked:
    """The state file with what was found right; made before anybody asks the description."""

    def __init__(self, disk: Any) -> None:
        self._words = _words(disk)
        known = self._words and is_path(disk.image)
        self._state = StateFolder(normal(disk.image)) if known else None
        self.trouble: WorldError | None = None
        """Why the state folder can't be read; what is wrong with the description comes first."""

    def __bool__(self) -> bool:
        """Whether this description was found right before."""
        from doit_diskimg.host.state import read

        try:
            return self._state is not None and read(self._state.file("checked")) == self._words
        except WorldError as error:
            self.trouble = error
            return False

    def remember(self) -> None:
        """Note that this description is right; not before there is something built of it."""
        from doit_diskimg.host.state import write

        if self._state is not None and os.path.isdir(self._state.path):
            with suppress(WorldError):  # it is checked again the next time
                write(self._state.file("checked"), self._words)


def _words(disk: Any) -> bytes:
    """Return a text that is another for another description, none if it must always be checked.

    Types count, since a `Path` is no size though it reads like one.
    """
    stream = BytesIO()
    try:
        _Pickler(stream, protocol=5).dump(disk)
    except Exception:  # also whatever an object of the user's raises
        return b""
    return f"{FORMAT} {code()} {digest_of(stream.getvalue())}\n".encode("ascii")


class _Pickler(pickle.Pickler):
    """Refuses what is neither plain data nor ours: a check that is the user's may ask the world."""

    def reducer_override(self, value: Any) -> Any:
        """Called by pickle for everything but plain data."""
        home = getattr(value, "__module__", None) or type(value).__module__
        if home.partition(".")[0] not in _KNOWN:
            raise pickle.PicklingError(home)
        return NotImplemented


_KNOWN = {__name__.partition(".")[0], "pathlib", "uuid", "builtins", "copyreg"}


def code() -> str:
    """Return a text that is another after our own code was replaced."""
    top = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
    folders = [top]
    for folder in folders:
        folders += [it.path for it in os.scandir(folder) if it.is_dir() and it.name[0] != "_"]
    return digest_of(repr([(path, os.stat(path).st_mtime_ns) for path in folders]).encode())
