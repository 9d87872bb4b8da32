"""What a guest shows and says, and what it is told: its console, its screen, its keyboard."""

import os
from collections.abc import Sequence
from contextlib import suppress
from typing import IO

from doit_diskimg.host.qemu import text_screen
from doit_diskimg.host.qemu.monitor import Monitor
from doit_diskimg.host.qemu.pixels import Pixels, read_pixels
from doit_diskimg.host.qemu.text_screen import TextScreen
from doit_diskimg.host.qemu.transcript import Transcript
from doit_diskimg.host.qemu.verdict import Judge, Lines
from doit_diskimg.kinds.machines.keyboard import keys_of

_KEYS = 4
"""Keys that are pressed between two looks at the screen.  QEMU holds each for a moment, and what
waits meanwhile has little room."""

_LOOK = 0.2
"""Seconds between two looks at a screen while the guest talks: a picture has megabytes."""


class GuestConsole:
    """The console of a guest: the port whose input is ``keyboard``, or the text ``screen``.

    ``exchange`` is an open file that QEMU has too, for what fits no message.
    """

    def __init__(
        self, monitor: Monitor, keyboard: int, exchange: IO[bytes], transcript: Transcript, *,
        screen: bool,
    ) -> None:
        self._monitor, self._keyboard, self._exchange = monitor, keyboard, exchange
        self._transcript, self._lines, self._unsent = transcript, Lines(), b""
        self._text = TextScreen() if screen else None
        self._next_look = 0.0
        os.set_blocking(keyboard, False)  # a guest that does not read must not stop us

    def tell(self, judges: Sequence[Judge], data: bytes | None, now: float) -> None:
        """Let the judges hear what was said and see what is shown, and write it down.

        ``data`` are bytes of the port, if there were any.
        """
        if self._text is None:
            heard = self._lines.listen(data or b"")
            self._transcript.write(data or b"")
        else:
            heard = self._text.look(self._memory(text_screen.START, text_screen.LENGTH))
        for line, finished in heard:
            if self._text is not None and finished and line:
                self._transcript.write(f"{line}\n".encode())
            for judge in judges:
                judge.hear(line, now, finished=finished)
        if any(judge.looks_at for judge in judges) and (not data or now >= self._next_look):
            self._next_look = now + _LOOK
            pixels = self._pixels()
            for judge in judges:
                judge.see(pixels.digest, now)

    def close(self) -> None:
        """Write down the last line, if that is not there yet."""
        if self._text is not None:
            self._transcript.write(f"{self._text.rest}\n".encode())

    def type(self, judges: Sequence[Judge]) -> None:
        """Type what the judges want to be typed."""
        self._unsent += b"".join(judge.take_typed() for judge in judges)
        if self._text is not None:
            now, self._unsent = self._unsent[:_KEYS], self._unsent[_KEYS:]
            for keys in keys_of(now.decode("ascii")) or []:
                self._monitor.press(keys)
            return
        with suppress(BlockingIOError, BrokenPipeError):
            while self._unsent:
                self._unsent = self._unsent[os.write(self._keyboard, self._unsent) :]

    def picture(self) -> bytes:
        """Return a PNG file of the screen, empty if there is none."""
        return self._exchanged(self._monitor.picture(self._path, "png")) or b""

    def _pixels(self) -> Pixels:
        return read_pixels(self._exchanged(self._monitor.picture(self._path, "ppm")) or b"")

    def _memory(self, start: int, length: int) -> bytes | None:
        """Return a piece of the guest's memory, None if QEMU has gone."""
        return self._exchanged(self._monitor.memory(start, length, self._path))

    def _exchanged(self, done: bool) -> bytes | None:
        if not done:
            return None
        self._exchange.seek(0)
        return self._exchange.read()

    @property
    def _path(self) -> str:
        return f"/dev/fd/{self._exchange.fileno()}"
