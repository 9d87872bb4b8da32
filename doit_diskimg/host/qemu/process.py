"""QEMU as a child that never outlives us."""

import ctypes
import signal
import subprocess
import sys
from collections.abc import Sequence
from typing import Any

_PATIENCE = 5.0
"""Seconds that QEMU gets to end by itself after SIGTERM; it takes some hundredths."""

_PR_SET_PDEATHSIG = 1  # prctl(2)


def start(argv: Sequence[str], **options: Any) -> "subprocess.Popen[bytes]":
    """Start QEMU.  On Linux it gets SIGTERM when we die, however that happens.  Raises OSError."""
    return subprocess.Popen(argv, preexec_fn=die_with_parent, **options)


def end(process: "subprocess.Popen[bytes]") -> None:
    """See to it that QEMU is gone."""
    if process.poll() is None:
        process.terminate()
        try:
            process.wait(_PATIENCE)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


class _Attended:
    """The QEMU on the terminal: at most one in a process."""

    process: "subprocess.Popen[bytes] | None" = None
    leave = False


def attend(argv: Sequence[str]) -> int | None:
    """Run QEMU on the terminal and return its status; None if it was interrupted."""
    if _Attended.leave:
        return None
    process = _Attended.process = start(argv)
    try:
        status = process.wait()
        return None if _Attended.leave else status
    except KeyboardInterrupt:
        return None
    finally:
        end(process)
        _Attended.process = None


def leave() -> None:
    """End the QEMU on the terminal, now or, if there is none yet, before it starts.

    For signal handlers: what is built at this moment is built to its end.
    """
    _Attended.leave = True
    if _Attended.process is not None:
        _Attended.process.terminate()


def die_with_parent() -> None:
    """Ask the system to end this process with the one that started it (Linux only)."""
    if _prctl is not None:
        _prctl(_PR_SET_PDEATHSIG, int(signal.SIGTERM), 0, 0, 0)


# Looked up here: between fork and exec a child should do next to nothing.
_prctl = ctypes.CDLL(None).prctl if sys.platform == "linux" else None
