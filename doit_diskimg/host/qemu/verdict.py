"""What a guest says on its console, judged line by line; pure.

`Lines` makes lines of bytes, and a `Judge` follows one script through them: each step is looked for
behind what the step before it found.  Time comes in as a number.
"""

import codecs
import re
from collections.abc import Callable, Iterator

from doit_diskimg.frozen import dataclass
from doit_diskimg.kinds.machines.architecture import Exit
from doit_diskimg.kinds.machines.expect import Screen, Step, Typing, Wait

_ESCAPES = re.compile(r"\x1b(\[[0-?]*[ -/]*[@-~]|[ -/]+[0-~]|[0-Z\\-~])")
"""Terminal control sequences (ECMA-48, 5.4; ECMA-35, 13.2): firmware clears the screen first."""

_TAIL = 12
"""Lines that a message shows of a log."""

_LONGEST = 4096
"""Characters of a line at most; a longer one is judged in pieces, in a time that its length decides
and not the square of it."""


@dataclass(frozen=True)
class Expectation:
    """What a guest must do to pass.

    ``steps``: what must be found in its lines, in this order, and what is typed; ``forbid``: a
    pattern that must be found in no line before the end of the test.  The end is the last step or,
    if ``status`` is given, QEMU's end with that status after it; ``exit`` is how a guest makes it
    one.  With neither, and behind what is typed last, it is that the guest switches the machine
    off.  ``seconds`` is how long it may take.
    """

    steps: tuple[Step, ...]
    forbid: str | None
    status: int | None
    seconds: float
    exit: Exit | None = None

    @property
    def off(self) -> bool:
        """Whether the guest has to switch the machine off."""
        return self.status is None and not isinstance(self.steps[-1] if self.steps else None, Wait)

    @property
    def stays(self) -> bool:
        """Whether the machine stays when its guest is done, so that it can still be asked.

        With a status to wait for it has to go, and newer versions of QEMU would keep isa-debug-exit
        from ending it.  Nor must it stay where a power-off is all that is waited for, and a device
        that every such board has could give that a status.
        """
        always = self.exit is not None and not self.exit.words
        return self.status is None and not (self.off and always)

    @property
    def types(self) -> bool:
        """Whether the guest is told anything."""
        return any(isinstance(step, Typing) for step in self.steps)

    @property
    def said(self) -> list[object]:
        """What the guest says, shows and is told, without its time, for comparison."""
        return [
            [step.data.hex()] if isinstance(step, Typing)
            else step.pattern if isinstance(step.pattern, str) else repr(step.pattern)
            for step in self.steps
        ]  # fmt: skip


class Lines:
    """Makes lines, as a person reads them, of the bytes of a console."""

    def __init__(self) -> None:
        self._decode = codecs.getincrementaldecoder("utf-8")("replace").decode
        self._rest = ""

    def hear(self, data: bytes) -> Iterator[str]:
        """Take more bytes and yield the lines that are complete by then."""
        *lines, self._rest = (self._rest + self._decode(data)).split("\n")
        for line in lines:
            yield from map(plain, _pieces(line) or [""])
        *pieces, self._rest = _pieces(self._rest) or [""]
        yield from map(plain, pieces)

    def listen(self, data: bytes) -> Iterator[tuple[str, bool]]:
        """Like `hear`, with whether each line is finished; a pause ends what was said of a line."""
        for line in self.hear(data):
            yield line, True
        if not data:
            yield self.rest, False

    @property
    def rest(self) -> str:
        """A line that is not finished, such as a prompt."""
        return plain(self._rest)


def _pieces(line: str) -> list[str]:
    return [line[start : start + _LONGEST] for start in range(0, len(line), _LONGEST)]


class Judge:
    """Follows one script through the lines of a guest, from the second ``now`` on."""

    def __init__(self, wish: Expectation, now: float) -> None:
        self.wish = wish
        self.forbidden: str | None = None
        """The line that must not have come."""
        self._said = ""
        self._forbid = None if wish.forbid is None else re.compile(wish.forbid)
        self._patterns = [
            re.compile(step.pattern)
            if isinstance(step, Wait) and isinstance(step.pattern, str) else None
            for step in wish.steps
        ]  # fmt: skip
        self._seen = ""
        self._at = 0
        self._place = 0
        """Where in the present line the next step is looked for."""
        self._typed = b""
        self._began = self._step_began = now

    @property
    def is_through(self) -> bool:
        """Whether all steps are done."""
        return self._at == len(self.wish.steps)

    @property
    def has_passed(self) -> bool:
        """Whether nothing that the guest may still do can change that it passed."""
        passed = self.is_through and self.wish.status is None and not self.wish.off
        return passed and self.forbidden is None

    def hear(self, line: str, now: float, *, finished: bool = True) -> None:
        """Take a line; one that is not finished comes again, and may be longer then."""
        if self.has_passed or self.forbidden is not None:
            return
        self._said = line or self._said
        if self._forbid is not None and self._forbid.search(line):
            self.forbidden = line
            return
        self._follow(line, now)
        if finished:
            self._place = 0

    def _follow(self, line: str, now: float) -> None:
        while not self.is_through:
            step, pattern = self.wish.steps[self._at], self._patterns[self._at]
            if isinstance(step, Typing):
                self._typed += step.data
            elif pattern is None:
                return  # it must be seen
            else:
                found = pattern.search(line, min(self._place, len(line)))
                if found is None:
                    return
                self._place, self._step_began = found.end(), now
            self._at += 1

    @property
    def looks_at(self) -> Screen | None:
        """The part of the screen that is waited for now, if it is one."""
        step = None if self.is_through or self.forbidden is not None else self.wish.steps[self._at]
        found = step.pattern if isinstance(step, Wait) else None
        return found if isinstance(found, Screen) else None

    def see(self, digest: Callable[[Screen], str], now: float) -> None:
        """Look at the screen, if that is waited for: ``digest`` returns that of a part."""
        while (part := self.looks_at) is not None:
            self._seen = digest(part)
            if self._seen != part.digest or not self._seen:
                return
            self._at, self._step_began = self._at + 1, now
            self._follow("", now)

    def take_typed(self) -> bytes:
        """Return what is to be typed now, once."""
        typed, self._typed = self._typed, b""
        return typed

    @property
    def deadline(self) -> float:
        """The second at which the guest's time is over."""
        seconds = self._own_seconds
        end = self._began + self.wish.seconds
        return end if seconds is None else min(end, self._step_began + seconds)

    def trouble(self, now: float) -> str:
        """Return what is wrong already, while the guest runs; empty if nothing is."""
        if self.forbidden is not None:
            return f"the line {self.forbidden!r} matches {self.wish.forbid!r}"
        if self.has_passed or now < self.deadline:
            return ""
        seconds, since = self._own_seconds, ""
        if seconds is None or self._began + self.wish.seconds <= self._step_began + seconds:
            seconds = self.wish.seconds
        elif self._number > 1:
            since = " of the step before"
        said = f"the last line is {self._said!r}" if self._said else "it said nothing"
        return f"{self.not_yet} within {seconds:g} s{since}, {said}"

    def trouble_at_the_end(self, how: str, status: int | None, *, off: bool) -> str:
        """Return what is wrong now that QEMU or the guest has ended; empty if nothing is.

        ``how`` says in words how it ended, ``status`` is QEMU's, None if it has not ended by
        itself; ``off`` tells whether the guest switched the machine off.
        """
        wish = self.wish
        if self.forbidden is not None or self.has_passed:
            return self.trouble(self._began)
        if not self.is_through:
            return f"{how}, {self.not_yet} before that"
        if wish.status is None:
            return "" if off else f"{how}, it must switch the machine off"
        return "" if status == wish.status else f"{how}, QEMU's status must be {wish.status}"

    @property
    def _own_seconds(self) -> float | None:
        step = None if self.is_through else self.wish.steps[self._at]
        return step.seconds if isinstance(step, Wait) else None

    @property
    def _number(self) -> int:
        """How many patterns the guest has to say, up to the one that is waited for."""
        return sum(isinstance(step, Wait) for step in self.wish.steps[: self._at + 1])

    @property
    def not_yet(self) -> str:
        """What has not happened."""
        if not self.is_through:
            step = self.wish.steps[self._at]
            assert isinstance(step, Wait), "what is typed is typed at once"
            count = sum(isinstance(step, Wait) for step in self.wish.steps)
            which = f" (step {self._number} of {count})" if count > 1 else ""
            if isinstance(step.pattern, Screen):
                seen = f"have the digest {self._seen!r}" if self._seen else "are not on the screen"
                return f"{step.pattern} {seen}{which}"
            return f"no line matched {step.pattern!r}{which}"
        if self.wish.status is None:
            return "the guest did not switch the machine off"
        return f"QEMU did not end with status {self.wish.status}"


def plain(line: str) -> str:
    """Return a line of a log as a person reads it: no control sequences, no control characters."""
    if not line.isprintable():
        line = _ESCAPES.sub("", line)
        line = "".join(c for c in line.replace("\t", " ") if c.isprintable())
    return line.rstrip()


def tail(log: bytes) -> list[str]:
    """Return the last lines of a log that are not empty."""
    text = log[-16384:].decode("utf-8", errors="replace")
    return [line for line in map(plain, text.split("\n")) if line][-_TAIL:]
