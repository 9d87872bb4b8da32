"""Waits until one of some files changes.

What counts is the state of the files and not the events: an event that came too early, for a file
of no interest, or not at all, as on some network file systems, does no harm.
"""

import os
import signal
import stat
from collections.abc import Iterable

from doit_diskimg.host.machine import Signature
from doit_diskimg.plan.content import digest_of

States = dict[str, list[int] | str | None]
"""What tells a file or directory from a later state of it; None where there is nothing."""

_STEP_MS = 5
"""How long it has to be quiet until it is looked what changed: most files are saved by then."""

_POLL_MS = 1000
"""How often the states are looked at without any event."""


def states(paths: Iterable[str]) -> States:
    """Return the states of files, and of directories with all that is below them."""
    return {path: _state(path) for path in paths}


def wait(before: States) -> list[str]:
    """Return, once there are any, the paths whose state is other than ``before``.

    An interrupt ends the process without a word.
    """
    from watchfiles import watch

    signal.signal(signal.SIGINT, signal.SIG_DFL)
    folders = sorted({folder for path in before for folder in _folders(path)})
    events = watch(
        *folders, recursive=False, watch_filter=None, step=_STEP_MS, debounce=400,
        rust_timeout=_POLL_MS, yield_on_timeout=True,
    )
    while not (changed := [path for path in before if _state(path) != before[path]]):
        next(events, None)
    return changed


def _state(path: str) -> list[int] | str | None:
    try:
        status = os.stat(path)
        if not stat.S_ISDIR(status.st_mode):
            return [*Signature.of(status)]
        names = sorted(os.listdir(path))
    except OSError:
        return None
    below = [(name, _state_below(f"{path}/{name}")) for name in names]
    return digest_of(repr(below).encode("utf-8", "surrogatepass"))


def _state_below(path: str) -> list[int] | str | None:
    """Return the same, but of a link where it leads: two to their own folder would have no end."""
    return os.readlink(path) if os.path.islink(path) else _state(path)


def _folders(path: str) -> Iterable[str]:
    """Yield the directories whose events tell of a change at ``path``."""
    parent = os.path.dirname(path)
    if os.path.isdir(parent):
        yield parent
    for folder, _, _ in os.walk(path):
        yield folder
