"""Programs and workers that never outlive the doit that needs them.

On Linux a process can ask for a signal that comes when the thread that started it ends, however
that happens (prctl(2), PR_SET_PDEATHSIG).  A program of ours asks for SIGTERM, or for SIGKILL if
nothing of it is of use then: a machine that hangs minds no other.  With ``-n`` it is started by a
worker of doit's, which goes on when doit is killed: so the worker asks too, for
SIGKILL, before it does anything of ours.  It would go on to write to an image that the next doit
has taken meanwhile, and then wait for ever for its next task.

Other systems have no such thing; there a program ends by itself, and a machine when it is ended.
"""

import os
import signal
import subprocess
import sys
from collections.abc import Sequence
from typing import Any

_PR_SET_PDEATHSIG = 1  # prctl(2)


def start(
    argv: Sequence[str], *, last: int = signal.SIGTERM, **options: Any
) -> "subprocess.Popen[Any]":
    """Start a program, which gets the signal ``last`` when this thread ends.  Raises OSError.

    ``options`` are those of `subprocess.Popen`.
    """
    return subprocess.Popen(argv, preexec_fn=_follower(last), **options)


def run(argv: Sequence[str], **options: Any) -> "subprocess.CompletedProcess[Any]":
    """Run a program, which dies with this thread, to its end; like `subprocess.run`."""
    return subprocess.run(argv, preexec_fn=_follower(signal.SIGTERM), **options)


def _follower(last: int) -> "_Follow":
    follow_doit()
    # Between fork and exec a child does next to nothing.
    return _Follow(os.getpid(), last, _prctl())


class _Follow:
    """What a program's process does before it becomes the program."""

    def __init__(self, parent: int, last: int, prctl: Any) -> None:
        self._parent, self._last, self._prctl = parent, last, prctl

    def __call__(self) -> None:
        _die_with(self._parent, self._last, self._prctl)


def die_with(parent: int, number: int = signal.SIGTERM) -> None:
    """Get the signal ``number`` when ``parent``, which started this process, ends; or has ended.
    """
    _die_with(parent, number, _prctl())


def _die_with(parent: int, number: int, prctl: Any) -> None:
    if prctl is not None:
        prctl(_PR_SET_PDEATHSIG, int(number), 0, 0, 0)
        if os.getppid() != parent:  # it was gone before we asked
            os.kill(os.getpid(), number)


def _prctl() -> Any:
    if sys.platform != "linux":
        return None
    import ctypes

    return ctypes.CDLL(None).prctl


def follow_doit() -> None:
    """Let this process die with doit, if it is a worker of it (``-n`` without ``-P thread``)."""
    if "multiprocessing" not in sys.modules:
        return
    from multiprocessing import get_start_method, parent_process

    parent = parent_process()
    if parent is not None and parent.pid is not None:
        # A fork server starts the workers itself, and ends with doit.
        by_server = get_start_method() == "forkserver"
        die_with(os.getppid() if by_server else parent.pid, signal.SIGKILL)
