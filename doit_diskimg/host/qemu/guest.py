"""A run of QEMU: until it is clear what became of the guest, or on the user's terminal."""

import os
import selectors
import signal
import subprocess
import tempfile
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import IO, NamedTuple

from doit_diskimg.host.child import start
from doit_diskimg.host.qemu.guest_console import GuestConsole
from doit_diskimg.host.qemu.monitor import Monitor
from doit_diskimg.host.qemu.registers import Standing, standing
from doit_diskimg.host.qemu.transcript import Transcript
from doit_diskimg.host.qemu.verdict import Expectation, Judge
from doit_diskimg.kinds.machines import command

_QUIET = 0.1
"""Seconds without a byte after which an unfinished line counts as said."""

_ENDS = {
    "guest-reset": "the guest restarted the machine, by a triple fault perhaps",
    "guest-shutdown": "the guest switched the machine off",
    "guest-panic": "the guest reported a panic",
}


class Ending(NamedTuple):
    """What became of a boot."""

    troubles: list[str]
    """For each test what went wrong, in words, empty if nothing did."""
    seconds: Sequence[float] = ()
    """How long each took, from the start of the machine."""
    stood: Standing | None = None
    """Where the processor stood when something had gone wrong, if QEMU could still tell."""
    screen: bytes = b""
    """A PNG file of the screen at that moment."""


def boot(
    argv: Sequence[str], log: str, wishes: Sequence[Expectation], screenshot: str | None = None,
    claim: Callable[[str], None] | None = None, *, warm: bool = False, screen: bool = False,
) -> Ending:
    """Run QEMU until it is clear for each of the tests whether the guest passes it.

    What it says on its console, or with ``screen`` on a PC's text screen, goes to the file ``log``;
    ``screenshot`` is where to save its screen when it has passed, and ``claim`` is told the new
    file before that has its name.  Raises OSError, and with ``warm`` StateRefusedError; whatever
    happens, QEMU is gone afterwards.
    """
    transcript = Transcript(log)
    stay = all(wish.stays for wish in wishes)
    try:
        with tempfile.TemporaryFile() as complaints, tempfile.TemporaryFile() as exchange:
            guest = _Guest(argv, complaints, exchange, stay=stay, warm=warm)
            try:
                console = guest.console(exchange, transcript, screen=screen)
                report = guest.run([Judge(wish, time.monotonic()) for wish in wishes], console)
                if screenshot is not None and not any(report.troubles):
                    trouble = guest.screendump(screenshot, claim)
                    report = report._replace(troubles=[trouble] * len(wishes))
                return report
            finally:
                guest.close()
    finally:
        transcript.close()


class _Guest:
    def __init__(
        self, argv: Sequence[str], complaints: IO[bytes], exchange: IO[bytes], *, stay: bool,
        warm: bool,
    ) -> None:
        self._complaints, self._stays, self._warm = complaints, stay, warm
        self._monitor = Monitor()
        handle = self._monitor.handle
        try:
            self._process = start(
                [*argv, "-S", *command.monitor(handle)],  # see Monitor.run
                stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=complaints,
                pass_fds=[handle, exchange.fileno()], process_group=0,
                last=signal.SIGKILL,
            )
        except OSError:
            self._monitor.close()
            raise
        self._monitor.given()
        self._monitor.run()
        assert self._process.stdout is not None
        self._serial = self._process.stdout.fileno()
        self._selector = selectors.DefaultSelector()
        self._selector.register(self._serial, selectors.EVENT_READ)
        self._selector.register(self._monitor, selectors.EVENT_READ)

    def close(self) -> None:
        """End QEMU, at once: what it wrote is thrown away in any case."""
        with suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGKILL)  # a program that starts QEMU dies with it
        self._process.wait()
        self._selector.close()
        self._monitor.close()
        for pipe in (self._process.stdin, self._process.stdout):
            assert pipe is not None
            pipe.close()

    def console(
        self, exchange: IO[bytes], transcript: Transcript, *, screen: bool
    ) -> GuestConsole:
        """Return the guest's console."""
        assert self._process.stdin is not None
        keyboard = self._process.stdin.fileno()
        return GuestConsole(self._monitor, keyboard, exchange, transcript, screen=screen)

    def run(self, judges: Sequence[Judge], console: GuestConsole) -> Ending:
        """Listen until all is clear."""
        found, times, began = dict[Judge, str](), dict[Judge, float](), time.monotonic()
        while left := [judge for judge in judges if judge not in found]:
            stopped = self._has_stopped
            data = self._listen(0 if stopped else self._patience(left))
            now = time.monotonic()
            console.tell(left, data, now)
            if data == b"" or (stopped and data is None):
                found |= self._after_the_end(left, gone=data == b"")
                times |= dict.fromkeys(left, now - began)
                break
            for judge in left:
                if (trouble := judge.trouble(now)) or judge.has_passed:
                    found[judge], times[judge] = trouble, now - began
            console.type(left)
        console.close()
        troubles = [found[judge] for judge in judges]
        seconds = [times[judge] for judge in judges]
        if not any(troubles):
            return Ending(troubles, seconds)
        stood = standing(self._monitor.registers())
        return Ending(troubles, seconds, stood, console.picture())

    @property
    def _has_stopped(self) -> bool:
        """Whether the guest has ended and QEMU has not; what it said may still be in the pipe."""
        ended = self._monitor.ended
        return bool(ended) and (self._stays or ended == "guest-panic")

    def _patience(self, judges: Sequence[Judge]) -> float:
        end = min(judge.deadline for judge in judges)
        return max(0, min(_QUIET, end - time.monotonic()))

    def _listen(self, seconds: float) -> bytes | None:
        """Return bytes of the serial port: none at its end, None if there are none for now."""
        heard: bytes | None = None
        for key, _ in self._selector.select(seconds):
            if key.fd == self._serial:
                heard = os.read(self._serial, 65536)
            elif not self._monitor.read():
                self._selector.unregister(self._monitor)
        return heard

    def _after_the_end(self, judges: Sequence[Judge], *, gone: bool) -> dict[Judge, str]:
        status = None
        if gone:
            with suppress(subprocess.TimeoutExpired):
                status = self._process.wait(_PATIENCE)
            while self._monitor.read() and status is not None:
                pass  # the reason for the end may still lie in the socket
        if self._warm:
            _check_went_on(status, self._monitor)
        # RISC-V's sifive_test and ARM's semihosting end QEMU at once, in some versions.
        ended = "guest-shutdown" if status == 0 and self._monitor.ran else ""
        off = (self._monitor.ended or ended) == "guest-shutdown" and not status
        return {
            judge: judge.trouble_at_the_end(self._how(status, judge.wish), status, off=off)
            for judge in judges
        }

    def _how(self, status: int | None, wish: Expectation) -> str:
        """Return how the guest ended."""
        way = None if wish.status is None else wish.exit
        if way is not None and (number := way.number(status)) is not None:
            return f"the guest wrote {number:#x} to {way.where}"
        if self._monitor.ended in _ENDS and not status:
            return _ENDS[self._monitor.ended]
        self._complaints.seek(0)
        said = self._complaints.read().decode("utf-8", errors="replace").strip()
        return f"QEMU ended with status {status}" + (f" and said: {said}" if said else "")

    def screendump(self, path: str, claim: Callable[[str], None] | None) -> str:
        """Save the screen; return what went wrong."""
        return self._monitor.screendump(path, claim)


class StateRefusedError(Exception):
    """QEMU did not go on from the state that it was given; nothing has run."""


def _check_went_on(status: int | None, monitor: Monitor) -> None:
    if status == 1 and not monitor.ran:
        raise StateRefusedError


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


def attend(argv: Sequence[str], *, warm: bool = False) -> int | None:
    """Run QEMU on the terminal and return its status; None if it was interrupted.

    With ``warm`` it goes on from a state; raises StateRefusedError if it did not.
    """
    if _Attended.leave:
        return None
    monitor = Monitor() if warm else None
    words, handles = ([], ()) if monitor is None else (
        command.monitor(monitor.handle), (monitor.handle,)
    )
    process = _Attended.process = start([*argv, *words], pass_fds=handles)
    try:
        if monitor is not None:
            monitor.given()
        status = process.wait()
        if monitor is not None and not _Attended.leave:
            while monitor.read():
                pass
            _check_went_on(status, monitor)
        return None if _Attended.leave else status
    except KeyboardInterrupt:
        return None
    finally:
        end(process)
        _Attended.process = None
        if monitor is not None:
            monitor.close()


def leave() -> None:
    """End the QEMU on the terminal, now or, if there is none yet, before it starts.

    For signal handlers: what is built at this moment is built to its end.
    """
    _Attended.leave = True
    if _Attended.process is not None:
        _Attended.process.terminate()
