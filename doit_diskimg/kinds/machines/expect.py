"""`Expect`: what a test of a boot waits for and what it types, in order.

A machine and its guest are no part of this: it is text to find and to type, and what to see.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import KW_ONLY, replace
from typing import NamedTuple, Self

from doit_diskimg.disk.fields import (
    Kind,
    kind_problems,
    misuse_problems,
    name_problems,
    shown,
)
from doit_diskimg.errors import BadValue, Problem
from doit_diskimg.frozen import dataclass
from doit_diskimg.kinds.machines.keyboard import keys_of


@dataclass(frozen=True, described=True)
class Screen:
    """A part of the guest's screen whose pixels must have a digest.

    ``x`` and ``y`` are its upper left corner, all numbers pixels.  A test that fails says the
    digest that the part had: leave it empty at first, look at the picture, and write it down.
    """

    x: int
    y: int
    width: int
    height: int
    digest: str = ""

    def __str__(self) -> str:
        return f"the {self.width}x{self.height} pixels at ({self.x}, {self.y})"


class Wait(NamedTuple):
    """A step of a script: a pattern that must be found behind what was found before it.

    Or a part of the screen that must look as it should.  ``seconds`` is how long that may take,
    counted from the step before; None: as the whole test.
    """

    pattern: str | Screen
    seconds: float | None = None


class Typing(NamedTuple):
    """A step of a script: what is typed as soon as the step before it is done."""

    text: str | bytes

    @property
    def data(self) -> bytes:
        """The bytes of it."""
        return self.text if isinstance(self.text, bytes) else self.text.encode("utf-8")


Step = Wait | Typing


@dataclass(frozen=True, described=True)
class Expect:
    """What a guest says and what it is answered: ``Expect("login:").send("root").expect("#")``.

    ``pattern`` is a regular expression that must be found in a line, or a `Screen`; ``timeout`` is
    how many seconds that may take, and as long as the whole test if it is None.  `send` and
    `expect` return a longer script and change nothing.
    """

    pattern: str | Screen
    _: KW_ONLY
    timeout: float | None = None
    then: Sequence[Step] = ()

    def send(self, text: str | bytes) -> Self:
        """Type ``text`` when the pattern before has been found; a line ends in ``\\n``.

        Behind the last one of a script the guest has to switch the machine off.
        """
        return replace(self, then=(*self.then, Typing(text)))

    def expect(self, pattern: str | Screen, *, timeout: float | None = None) -> Self:
        """Wait for another pattern, in the rest of the line or below it, or for a screen.

        ``timeout`` counts from the moment that the one before was found.
        """
        return replace(self, then=(*self.then, Wait(pattern, timeout)))


Expected = str | Screen | Sequence[str | Screen] | Expect | None
"""What a test may be given: a pattern or a screen, several in order, or a script."""


def steps_of(expect: Expected) -> tuple[Step, ...]:
    """Return the steps of what a test expects."""
    if expect is None:
        return ()
    if isinstance(expect, (str, Screen)):
        return (Wait(expect),)
    if isinstance(expect, Expect):
        return (Wait(expect.pattern, expect.timeout), *expect.then)
    return tuple(map(Wait, expect))


# What is wrong with it ---------------------------------------------------------------------------


def wish_problems(
    tests: Mapping[str, object], forbid: object, seconds: object
) -> Iterator[Problem]:
    """Yield what is wrong with what tests of one boot ask of a guest; a name may be empty."""
    for name, expect in tests.items():
        if name:
            yield from name_problems(name, "tests")
        yield from _expect_problems(expect, f"tests[{name!r}]" if name else "test.expect")
    if forbid is not None:
        yield from _pattern_problems(forbid, "test.forbid")
    yield from _seconds_problems(seconds, "test.timeout")


def typing_problems(tests: Mapping[str, Expected], console: str) -> Iterator[Problem]:
    """Yield what can't be typed on a console."""
    texts = [
        step.text for expect in tests.values() for step in steps_of(expect)
        if isinstance(step, Typing)
    ]  # fmt: skip
    if texts and console == "debugcon":
        yield BadValue("test.expect", f"{shown(texts[0])} is sent, and console is 'debugcon'",
                       "a guest can't read that port", "leave it out, or read another console")
    for text in texts if console == "screen" else ():
        if isinstance(text, bytes) or keys_of(text) is None:
            yield BadValue("test.expect", f"{shown(text)} is sent", "a text screen has a US "
                           "keyboard, which has no key for some of it",
                           r'write for example send("ls\n")')


def _expect_problems(expect: object, where: str) -> Iterator[Problem]:
    """Yield what is wrong with what a test expects."""
    if expect is None:
        return
    if isinstance(expect, Expect):
        misused = list(misuse_problems(expect, where))
        yield from misused or _script_problems(expect, where)
    elif isinstance(expect, (list, tuple)):
        if not expect:
            yield BadValue(where, "the list is empty", "must have a pattern at least",
                           "leave it out, or write what the guest says")
        for index, pattern in enumerate(expect):
            yield from _wait_problems(pattern, f"{where}[{index}]")
    else:
        yield from _wait_problems(expect, where)


def _wait_problems(wait: object, where: str) -> Iterator[Problem]:
    if isinstance(wait, Screen):
        yield from _screen_problems(wait, where)
    else:
        yield from _pattern_problems(wait, where)


def _script_problems(script: Expect, where: str) -> Iterator[Problem]:
    for index, step in enumerate(steps_of(script)):
        here = f"{where}[{index}]" if script.then else where
        if isinstance(step, Wait):
            yield from _wait_problems(step.pattern, here)
            if step.seconds is not None:
                yield from _seconds_problems(step.seconds, f"{here}.timeout")
        elif not isinstance(step.text, (str, bytes)):
            yield BadValue(f"{here}.send", f"{shown(step.text)} is given",
                           "must be text, or bytes", r'write for example send("ls\n")')


def _screen_problems(screen: Screen, where: str) -> Iterator[Problem]:
    misused = list(misuse_problems(screen, where))
    yield from misused or kind_problems(screen, f"{where}.", _SCREEN)


_SCREEN = {
    **dict.fromkeys(("x", "y"), Kind(
        lambda value: isinstance(value, int) and value >= 0, "must be pixels", "write 0"
    )),
    **dict.fromkeys(("width", "height"), Kind(
        lambda value: isinstance(value, int) and value > 0, "must be pixels", "write 16"
    )),
    "digest": Kind(lambda value: isinstance(value, str), "must be text", "leave it out at first"),
}  # fmt: skip


def _pattern_problems(pattern: object, where: str) -> Iterator[Problem]:
    """Yield what is wrong with a regular expression."""
    try:
        if not isinstance(pattern, str):
            raise TypeError("it is no text")
        re.compile(pattern)
    except (re.error, TypeError) as error:
        yield BadValue(where, f"{pattern!r} can't be used: {error}",
                       "must be a regular expression of Python's", "fix it")


def _seconds_problems(seconds: object, where: str) -> Iterator[Problem]:
    """Yield what is wrong with a time."""
    if not isinstance(seconds, (int, float)) or not seconds > 0:
        yield BadValue(where, f"it is {seconds!r}", "must be seconds, more than 0", "give it time")
