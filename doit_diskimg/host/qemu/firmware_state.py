"""A machine's state behind its firmware: taken once, gone on from at every start.

UEFI firmware needs seconds before it looks at a disk, and they are the same seconds each time.  So
a machine is started once with a helper of ours as ``-kernel`` (warm/helper.c), which the firmware
starts before it looks at any disk and which waits; what the machine is then is written to a file.
A start that is given the file as ``-incoming`` goes on there: the helper returns, and the firmware
boots whatever disk it has, as it always does.

QEMU goes by what it is told when it loads a state, and does not notice a different processor or
device.  So a state belongs to one command line, one QEMU, one firmware: the caller's key.
"""

import os
import re
import selectors
import signal
import subprocess
import tempfile
import time
from collections.abc import Sequence
from contextlib import suppress
from shlex import quote
from typing import IO

from doit_diskimg.host import child
from doit_diskimg.host.qemu.monitor import Monitor
from doit_diskimg.kinds.machines import command

FORMAT = 1
"""Of a state and of how one is taken."""

HELPERS = os.path.join(os.path.dirname(__file__), "warm")
"""The folder with the helpers, one for each architecture."""

READY = re.compile(rb"firmware is ready\r *\r")
"""What the helper prints when it begins to wait."""

_PASSED = b"BdsDxe: "
"""What the firmware says when it boots disks: it has not started the helper then."""

_WAIT, _GO = "w", "g"
"""The helper's orders: the first letter of ``-append``."""

_QUIET = 0.1
"""Seconds between two looks at the clock."""


class NotTakenError(Exception):
    """There is no state of this machine; the text says why."""


def helper(arch: str) -> str:
    """Return the path of the helper for an architecture, empty if there is none."""
    path = os.path.join(HELPERS, f"{arch}.efi")
    return path if os.path.isfile(path) else ""


def resume(helper: str, state: str) -> list[str]:
    """Return what lets a machine go on from the file ``state``, after its own arguments."""
    return ["-kernel", helper, "-append", _GO, "-incoming", f"exec:cat < {quote(state)}"]


def take(argv: Sequence[str], helper: str, state: int, seconds: float) -> None:
    """Start the machine, wait until its firmware is done, and write its state to a file.

    ``argv`` are the arguments of every start, ``state`` is the open file.  The machine writes to
    none of its disks.  Raises NotTakenError, and OSError if QEMU can't be started; whatever
    happens, it is gone afterwards.
    """
    with tempfile.TemporaryFile() as complaints:
        machine = _Machine(argv, helper, complaints)
        try:
            deadline = time.monotonic() + seconds
            machine.wait(deadline)
            machine.save(state, deadline)
        finally:
            machine.close()


class _Machine:
    """The machine whose state is taken."""

    def __init__(self, argv: Sequence[str], helper: str, complaints: IO[bytes]) -> None:
        self._complaints = complaints
        self._monitor = Monitor()
        handle = self._monitor.handle
        words = [
            *argv, "-snapshot", "-kernel", helper, "-append", _WAIT,
            "-display", "none", "-serial", "stdio", "-no-reboot", *command.monitor(handle),
        ]  # fmt: skip
        try:
            self._process = child.start(
                words, last=signal.SIGKILL, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                stderr=complaints, pass_fds=[handle],
                process_group=0,  # or Ctrl-C would end it, and look like a reason
            )
        except OSError:
            self._monitor.close()
            raise
        self._monitor.given()

    def wait(self, deadline: float) -> None:
        """Wait until the helper waits."""
        assert self._process.stdout is not None
        serial, said = self._process.stdout.fileno(), b""
        with selectors.DefaultSelector() as selector:
            selector.register(serial, selectors.EVENT_READ)
            while not READY.search(said):
                self._check(deadline, "the helper did not answer")
                if selector.select(_QUIET):
                    heard = os.read(serial, 65536)
                    said = said[-4096:] + heard
                    if not heard:
                        raise NotTakenError(self._why_it_ended())
                    if _PASSED in said:
                        raise NotTakenError("the firmware starts no helper, as with Secure Boot")

    def save(self, state: int, deadline: float) -> None:
        """Write the state.  The machine runs on until it is written: so will one that loads it."""
        self._ask("getfd", handle=state, fdname="state")
        self._ask("migrate", uri="fd:state")
        while (status := self._ask("query-migrate").get("status")) != "completed":
            if status in ("failed", "cancelled"):
                raise NotTakenError("QEMU could not write the state")
            self._check(deadline, "QEMU did not write the state")
            time.sleep(0.01)

    def close(self) -> None:
        """End QEMU."""
        self._process.kill()
        self._process.wait()
        self._monitor.close()
        assert self._process.stdout is not None
        self._process.stdout.close()

    def _ask(self, command: str, handle: int | None = None, **arguments: str) -> dict[str, object]:
        answer = self._monitor.call(command, handle, **arguments)
        if "error" in answer:
            raise NotTakenError(str(answer["error"]["desc"]))
        found: dict[str, object] = answer["return"]
        return found

    def _check(self, deadline: float, trouble: str) -> None:
        if time.monotonic() > deadline:
            raise NotTakenError(f"{trouble} in time")

    def _why_it_ended(self) -> str:
        with suppress(subprocess.TimeoutExpired):
            self._process.wait(_QUIET)
        self._complaints.seek(0)
        said = self._complaints.read().decode("utf-8", "replace").strip()
        return said.rpartition("\n")[2] or "the machine ended before its firmware was done"
