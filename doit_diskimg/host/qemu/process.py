"""QEMU as a child that never outlives us."""

import subprocess
from collections.abc import Sequence

from doit_diskimg.host.child import start

_PATIENCE = 5.0
"""Seconds that QEMU gets to end by itself after SIGTERM; it takes some hundredths."""


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
