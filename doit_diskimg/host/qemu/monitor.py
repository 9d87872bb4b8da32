"""QEMU's machine-readable monitor (QMP), as much of it as a test of a boot needs.

Messages are JSON objects, one a line (QEMU's docs/interop/qmp-spec).
"""

import json
import os
import socket
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Any

from doit_diskimg.host.scratch import Scratch

_HOLD = 10
"""Milliseconds for which a key is pressed."""

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
        self._asked = 0
        self._answers: dict[int, dict[str, Any]] = {}
        self.ended = ""
        """Why the guest ended, in QEMU's words, such as ``guest-reset``; empty while it runs."""
        self.ran = False
        """Whether the guest ever ran; not if QEMU refused what it was told, or a state to go on
        from.
        """
        self._send("qmp_capabilities")

    @property
    def handle(self) -> int:
        """The descriptor that QEMU is to have."""
        return self._theirs.fileno()

    def given(self) -> None:
        """QEMU has its end: close our copy, so that its death is noticed."""
        self._theirs.close()

    def run(self) -> None:
        """Let a machine run that was started with ``-S``: QEMU tells no event to a monitor that has
        not greeted it yet, and a small guest has ended by then.
        """
        self._send("cont")

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
            target = os.path.abspath(scratch.target)
            answer = self.call("screendump", filename=target, format="png")
            error = str(answer.get("error", {}).get("desc", ""))
            if not error:
                if claim is not None:
                    claim(scratch.target)
                scratch.finish()
        return error

    def picture(self, path: str, format: str) -> bool:
        """Save the guest's screen in a file that QEMU can open; some machines have none."""
        # Before QEMU 7.1 there was no other format.
        more: dict[str, Any] = {} if format == "ppm" else {"format": format}
        return "error" not in self.call("screendump", filename=path, **more)

    def registers(self) -> str:
        """Return QEMU's table of the registers of a processor, empty if it does not answer."""
        return self.command("info registers")

    def memory(self, start: int, length: int, path: str) -> bool:
        """Write a piece of the guest's memory to a file that QEMU can open."""
        words: dict[str, Any] = {"val": start, "size": length, "filename": path}
        return "error" not in self.call("pmemsave", **words)

    def press(self, keys: Sequence[str]) -> None:
        """Press keys together, for a moment."""
        codes = [{"type": "qcode", "data": key} for key in keys]
        words: dict[str, Any] = {"keys": codes, "hold-time": _HOLD}
        self.call("send-key", **words)

    def command(self, line: str) -> str:
        """Return what QEMU's monitor for people says to a line, empty if it does not answer."""
        words: dict[str, Any] = {"command-line": line}
        return str(self.call("human-monitor-command", **words).get("return", ""))

    def call(
        self, command: str, handle: int | None = None, **arguments: str
    ) -> dict[str, Any]:
        """Return QEMU's answer to a command, which has an ``error`` or a ``return``.

        ``handle`` is an open file that goes with the command, as ``getfd`` wants it.
        """
        number = self._send(command, handle, **arguments)
        deadline = time.monotonic() + _SECONDS
        while number not in self._answers and time.monotonic() < deadline and self.read():
            time.sleep(0.005)
        return self._answers.pop(number, {"error": {"desc": "QEMU does not answer"}})

    def _take(self, message: dict[str, Any]) -> None:
        if message.get("event") == "SHUTDOWN":
            self.ended = str(message["data"].get("reason", "unknown"))
        elif message.get("event") == "RESUME":
            self.ran = True
        elif message.get("event") == "GUEST_PANICKED":
            self.ended = "guest-panic"
        elif "id" in message:
            self._answers[message["id"]] = message

    def _send(self, command: str, handle: int | None = None, **arguments: str) -> int:
        """Send a command; return the number that its answer will have."""
        self._asked += 1
        message: dict[str, Any] = {"execute": command, "id": self._asked}
        if arguments:
            message["arguments"] = arguments
        data = json.dumps(message).encode("ascii") + b"\n"
        with suppress(OSError):  # QEMU is gone: the answer will not come, and that is reported
            if handle is None:
                self._ours.sendall(data)
            else:
                socket.send_fds(self._ours, [data], [handle])
        return self._asked
