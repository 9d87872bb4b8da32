"""What a guest says on its serial port, judged line by line; pure."""

import codecs
import re

from doit_diskimg.frozen import dataclass
from doit_diskimg.kinds.machines.architecture import Exit

_ESCAPES = re.compile(r"\x1b(\[[0-?]*[ -/]*[@-~]|[ -/]+[0-~]|[0-Z\\-~])")
"""Terminal control sequences (ECMA-48, 5.4; ECMA-35, 13.2): firmware clears the screen first."""

_TAIL = 12
"""Lines that a message shows of a log."""


@dataclass(frozen=True)
class Expectation:
    """What a guest must do to pass.

    ``expect``: a line that this pattern is found in must come; ``forbid``: none that this one is
    found in may come before the end of the test.  The end is the expected line or, if ``status``
    is given, QEMU's end with that status after it; ``exit`` is how a guest makes it one.
    ``seconds`` is how long it may take.
    """

    expect: str | None
    forbid: str | None
    status: int | None
    seconds: float
    exit: Exit | None = None


class Judge:
    """Reads the serial port's bytes as they come; `expected` and `forbidden` are lines found."""

    def __init__(self, wish: Expectation) -> None:
        self.expected: str | None = None
        self.forbidden: str | None = None
        self._expect = None if wish.expect is None else re.compile(wish.expect)
        self._forbid = None if wish.forbid is None else re.compile(wish.forbid)
        self._decode = codecs.getincrementaldecoder("utf-8")("replace").decode
        self._line = ""

    def hear(self, data: bytes) -> None:
        """Take more bytes; complete lines are judged at once."""
        *lines, self._line = (self._line + self._decode(data)).split("\n")
        for line in lines:
            self._judge(line)

    def pause(self) -> None:
        """The guest is silent: judge what it has said of a line, such as a prompt."""
        self._judge(self._line)

    def _judge(self, line: str) -> None:
        line = plain(line)
        if self.forbidden is None and self._forbid is not None and self._forbid.search(line):
            self.forbidden = line
        if self.expected is None and self._expect is not None and self._expect.search(line):
            self.expected = line


def plain(line: str) -> str:
    """Return a line of a log as a person reads it: no control sequences, no control characters."""
    line = _ESCAPES.sub("", line)
    return "".join(c for c in line.replace("\t", " ") if c.isprintable()).rstrip()


def tail(log: bytes) -> list[str]:
    """Return the last lines of a log that are not empty."""
    text = log[-16384:].decode("utf-8", errors="replace")
    return [line for line in map(plain, text.split("\n")) if line][-_TAIL:]
