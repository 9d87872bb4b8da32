"""Which description was checked last, and found right.

dodo.py is read on every `doit`, and to look for what is wrong with a description means to import
the code of its file systems and tables.  What they say is a function of the description alone, so
one that was right is right as long as it and the code that judges it are the same.
"""

import os
import pickle
from collections.abc import Callable, Sequence
from contextlib import suppress
from io import BytesIO
from typing import Any

from doit_diskimg.disk.fields import is_path
from doit_diskimg.errors import Problem, WorldError
from doit_diskimg.host.paths import normal
from doit_diskimg.host.state import StateFolder, read, write
from doit_diskimg.plan.content import FORMAT, digest_of


def found_right(disk: Any, check: Callable[[Sequence[Problem]], int]) -> int:
    """Return what ``check`` makes of the problems of a description.

    They are looked for unless this description was found right before.  Raises WorldError for a
    state folder that can't be read; what is wrong with the description comes first.
    """
    words = _words(disk)  # before anybody asks what the description keeps for later
    if not words or not is_path(disk.image):
        return check(_all_problems(disk))
    state, trouble = StateFolder(normal(disk.image)), None
    try:
        known = read(state.file("checked")) == words
    except WorldError as error:
        known, trouble = False, error
    problems = [] if known else _all_problems(disk)
    seconds = check(problems)
    if trouble is not None:
        raise trouble
    # Not before there is something built of it.
    if not known and os.path.isdir(state.path):
        with suppress(WorldError):  # it is checked again the next time
            write(state.file("checked"), words)
    return seconds


def _all_problems(disk: Any) -> list[Problem]:
    from doit_diskimg.chain.own_sources import all_problems

    return all_problems(disk)


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
