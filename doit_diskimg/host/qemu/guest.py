"""A run of QEMU: until it is clear what became of the guest, or on the user's terminal."""

import os
import selectors
import subprocess
import tempfile
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import IO

from doit_diskimg.host import folder
from doit_diskimg.host.child import start
from doit_diskimg.host.qemu.monitor import Monitor
from doit_diskimg.host.qemu.verdict import Expectation, Judge
from doit_diskimg.kinds.machines import command

_QUIET = 0.1
"""Seconds without a byte after which an unfinished line counts as said."""

_ENDS = {
    "guest-reset": "the guest restarted the machine, by a triple fault perhaps",
    "guest-shutdown": "the guest switched the machine off",
    "guest-panic": "the guest reported a panic",
}


def boot(
    argv: Sequence[str], log: str, wish: Expectation, screenshot: str | None = None,
    claim: Callable[[str], None] | None = None,
) -> str:
    """Run QEMU until the guest has done what it must, or can't any more.

    What it says on its serial port goes to the file ``log``; ``screenshot`` is where to save its
    screen when it has passed, and ``claim`` is told the new file before that has its name.  Returns
    what went wrong, in words, empty if nothing did.  Raises OSError; whatever happens, QEMU is gone
    afterwards.
    """
    folder.unlink_in(log)  # it may have another name too, and that is not ours to empty
    handle = folder.open_in(log, folder.NEW, make=True)
    with open(handle, "wb") as file, tempfile.TemporaryFile() as complaints:
        guest = _Guest(argv, complaints)
        try:
            return guest.run(Judge(wish), wish, file, screenshot, claim)
        finally:
            guest.close()


class _Guest:
    def __init__(self, argv: Sequence[str], complaints: IO[bytes]) -> None:
        self._complaints = complaints
        self._monitor = Monitor()
        handle = self._monitor.handle
        try:
            self._process = start(
                [*argv, *command.monitor(handle)],
                stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=complaints,
                pass_fds=[handle],
            )
        except OSError:
            self._monitor.close()
            raise
        self._monitor.given()
        assert self._process.stdout is not None
        self._serial = self._process.stdout.fileno()
        self._selector = selectors.DefaultSelector()
        self._selector.register(self._serial, selectors.EVENT_READ)
        self._selector.register(self._monitor, selectors.EVENT_READ)

    def close(self) -> None:
        """End QEMU, at once: what it wrote is thrown away in any case."""
        self._process.kill()
        end(self._process)
        self._selector.close()
        self._monitor.close()
        assert self._process.stdout is not None
        self._process.stdout.close()

    def run(
        self, judge: Judge, wish: Expectation, log: IO[bytes], screenshot: str | None,
        claim: Callable[[str], None] | None,
    ) -> str:
        deadline = time.monotonic() + wish.seconds
        while (left := deadline - time.monotonic()) > 0:
            data = self._listen(min(left, _QUIET))
            if data:
                log.write(data)
                log.flush()  # it can be followed while the guest runs
                judge.hear(data)
            else:
                judge.pause()
            if judge.forbidden is not None:
                return f"the line {judge.forbidden!r} matches {wish.forbid!r}"
            if judge.expected is not None and wish.status is None:
                return self._monitor.screendump(screenshot, claim) if screenshot else ""
            stopped = screenshot is not None and data is None and self._monitor.ended
            if data == b"" or stopped:
                return self._after_the_end(judge, wish)
        return f"{_not_yet(judge, wish)} within {wish.seconds:g} s"

    def _listen(self, seconds: float) -> bytes | None:
        """Return bytes of the serial port: none at its end, None if there are none for now."""
        heard: bytes | None = None
        for key, _ in self._selector.select(seconds):
            if key.fd == self._serial:
                heard = os.read(self._serial, 65536)
            elif not self._monitor.read():
                self._selector.unregister(self._monitor)
        return heard

    def _after_the_end(self, judge: Judge, wish: Expectation) -> str:
        status = None
        with suppress(subprocess.TimeoutExpired):
            status = self._process.wait(_QUIET)  # a stopped guest's QEMU stays
        while self._monitor.read() and status is not None:
            pass  # the reason for the end may still lie in the socket
        if judge.expected is not None or wish.expect is None:
            if status == wish.status:
                return ""
            return f"{self._how(status, wish)}, QEMU's status must be {wish.status}"
        return f"{self._how(status, wish)}, {_not_yet(judge, wish)} before that"

    def _how(self, status: int | None, wish: Expectation) -> str:
        """Return how the guest ended."""
        if wish.exit is not None and (number := wish.exit.number(status)):
            return f"the guest wrote {number:#x} to {wish.exit.where}"
        if self._monitor.ended in _ENDS:
            return _ENDS[self._monitor.ended]
        self._complaints.seek(0)
        said = self._complaints.read().decode("utf-8", errors="replace").strip()
        return f"QEMU ended with status {status}" + (f" and said: {said}" if said else "")


def _not_yet(judge: Judge, wish: Expectation) -> str:
    if judge.expected is None and wish.expect is not None:
        return f"no line matched {wish.expect!r}"
    return f"QEMU did not end with status {wish.status}"


# The process -------------------------------------------------------------------------------------


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
