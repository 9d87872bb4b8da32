"""QEMU's machine-readable monitor (QMP), as much of it as a test of a boot needs.

Messages are JSON objects, one a line (QEMU's docs/interop/qmp-spec).
"""

import json
import os
import socket
import time
from collections.abc import Callable
from contextlib import suppress
from typing import Any

from doit_diskimg.host.scratch import Scratch

_SECONDS = 20.0
"""How long an answer may take."""


def is_utf8(path: str) -> bool:
    """Return whether a path can be named in JSON; other bytes of it are lone surrogates."""
    return not any("\ud800" <= c <= "\udfff" for c in path)


class Monitor:
    """One end of a pair of sockets; QEMU inherits the other, ``handle``."""

    def __init__(self) -> None:
        self._ours, self._theirs = socket.socketpair()
        self._ours.setblocking(False)
        self._rest = b""
        self._answers: list[dict[str, Any]] = []
        self.ended = ""
        """Why the guest ended, in QEMU's words, such as ``guest-reset``; empty while it runs."""
        self._ask("qmp_capabilities")

    @property
    def handle(self) -> int:
        """The descriptor that QEMU is to have."""
        return self._theirs.fileno()

    def given(self) -> None:
        """QEMU has its end: close our copy, so that its death is noticed."""
        self._theirs.close()

    def close(self) -> None:
        """Close everything."""
        self._ours.close()
        self._theirs.close()

    def fileno(self) -> int:
        """Return the descriptor to wait for."""
        return self._ours.fileno()

    def read(self) -> bool:
        """Take what QEMU has said; return False if it will say nothing more."""
        try:
            data = self._ours.recv(65536)
        except BlockingIOError:
            return True
        except OSError:
            return False
        *lines, self._rest = (self._rest + data).split(b"\n")
        for line in lines:
            self._take(json.loads(line))
        return bool(data)

    def screendump(self, path: str, claim: Callable[[str], None] | None = None) -> str:
        """Save the guest's screen as PNG; return what went wrong, empty if nothing did.

        ``claim`` is told the path of the new file before that is put at ``path``.
        """
        with Scratch(path) as scratch:
            if not is_utf8(os.path.abspath(scratch.target)):
                return f"QEMU's monitor takes no path that is not UTF-8, such as {path!r}"
            self._answers.clear()
            self._ask("screendump", filename=os.path.abspath(scratch.target), format="png")
            error = self._answer()
            if not error:
                if claim is not None:
                    claim(scratch.target)
                scratch.finish()
        return error

    def call(
        self, command: str, handle: int | None = None, **arguments: str
    ) -> dict[str, Any]:
        """Return QEMU's answer to a command, which has an ``error`` or a ``return``.

        ``handle`` is an open file that goes with the command, as ``getfd`` wants it.
        """
        mark = f"{command}-{time.monotonic_ns()}"
        self._ask(command, handle, mark, **arguments)
        deadline = time.monotonic() + _SECONDS
        while time.monotonic() < deadline:
            goes_on = self.read()
            for message in self._answers:
                if message.get("id") == mark:
                    self._answers.remove(message)
                    return message
            if not goes_on:
                break
            time.sleep(0.005)
        return {"error": {"desc": "QEMU does not answer"}}

    def _take(self, message: dict[str, Any]) -> None:
        if message.get("event") == "SHUTDOWN":
            self.ended = str(message["data"].get("reason", "unknown"))
        elif message.get("event") == "GUEST_PANICKED":
            self.ended = "guest-panic"
        elif "return" in message or "error" in message:
            self._answers.append(message)

    def _ask(
        self, command: str, handle: int | None = None, mark: str = "", **arguments: str
    ) -> None:
        message: dict[str, Any] = {"execute": command}
        if arguments:
            message["arguments"] = arguments
        if mark:
            message["id"] = mark
        data = json.dumps(message).encode("ascii") + b"\n"
        with suppress(OSError):  # QEMU is gone: the answer will not come, and that is reported
            if handle is None:
                self._ours.sendall(data)
            else:
                socket.send_fds(self._ours, [data], [handle])

    def _answer(self) -> str:
        deadline = time.monotonic() + _SECONDS
        while not self._answers and time.monotonic() < deadline and self.read():
            time.sleep(0.01)
        if not self._answers:
            return "QEMU does not answer"
        return str(self._answers[0].get("error", {}).get("desc", ""))
