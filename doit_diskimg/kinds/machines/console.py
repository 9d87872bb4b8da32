"""Who has the terminal: the serial port, the debug console, the monitor, and what the user says.

QEMU lets one character device have standard input and output.  Ours takes it unless words of the
user's do, and then steps aside.  Whatever has it is what a boot test reads, but for a monitor.
"""

from collections.abc import Iterator, Sequence
from itertools import pairwise, zip_longest
from typing import Literal, NamedTuple, TypeAlias

from doit_diskimg.errors import BadValue, Problem
from doit_diskimg.frozen import dataclass

Console: TypeAlias = Literal["serial", "debugcon", "screen"] | str

CONSOLES = ("serial", "debugcon", "screen")
_STDIO = ("stdio", "mon:stdio")
_DEVICES = ("-serial", "-debugcon", "-qmp", "-parallel")
_MONITOR = ("-monitor", "stdio")
CHARDEV = "chardev:"
"""What the name of a character device follows, whose device is among the user's."""


@dataclass(frozen=True)
class Wiring:
    """What the user wants: ``console`` is what we show and read, the rest are QEMU's words."""

    console: str = "serial"
    serial: tuple[str, ...] = ()
    monitor: str = ""
    arguments: tuple[str, ...] = ()


class _Words(NamedTuple):
    """What the ``arguments`` say of the terminal."""

    serial: list[str]
    taken: list[str]
    """Words that give a device the terminal, such as ``-serial stdio``."""
    nographic: bool
    display: bool


def wiring_of(
    console: str, serial: Sequence[str], monitor: str, arguments: Sequence[str]
) -> Wiring:
    """Return what the user wants: ``-monitor stdio`` among the arguments is a ``monitor``."""
    rest = list(arguments)
    for index, pair in enumerate(pairwise(rest)):
        if pair == _MONITOR:
            del rest[index : index + 2]
            monitor = "stdio"
            break
    return Wiring(console, tuple(serial), monitor, tuple(rest))


def _read(wiring: Wiring) -> _Words:
    arguments = wiring.arguments
    serial, taken = [*wiring.serial], [f"serial {it}" for it in wiring.serial if it in _STDIO]
    for word, value in zip_longest(arguments, arguments[1:], fillvalue=""):
        if word == "-serial":
            serial.append(value)
        if (word in _DEVICES and value in _STDIO) or (word == "-chardev" and _is_stdio(value)):
            taken.append(f"{word} {value}")
    if "-nographic" in arguments and not serial:
        taken.append("-nographic")
    return _Words(serial, taken, "-nographic" in arguments, "-display" in arguments)


def _is_stdio(chardev: str) -> bool:
    return chardev.partition(",")[0] == "stdio"


def attended_words(wiring: Wiring, *, display: bool) -> list[str]:
    """Return what a run before the user's eyes says of the terminal and the screen."""
    words = _read(wiring)
    return [*_console(wiring, words, attended=True), *_screen(words, display=display)]


def watched_words(wiring: Wiring) -> list[str]:
    """Return what an unattended run says: the console on standard output, no screen."""
    words = _read(wiring)
    return [*_screen(words, display=False), *_console(wiring, words, attended=False)]


def ends_by(wiring: Wiring) -> str:
    """Return the keys that end a run before the user's eyes."""
    words = [*attended_words(wiring, display=True), *wiring.arguments]
    muxed = "-nographic" in words or any("mon:" in word or "mux=on" in word for word in words)
    return "Ctrl-A X" if muxed else "Ctrl-C"


def _screen(words: _Words, *, display: bool) -> list[str]:
    return [] if display or words.nographic or words.display else ["-display", "none"]


def _console(wiring: Wiring, words: _Words, *, attended: bool) -> list[str]:
    monitor = attended and wiring.monitor == "stdio"
    argv = list[str]()
    if words.taken:
        pass  # theirs is on the terminal
    elif wiring.console == "serial" and not words.serial:
        argv += ["-serial", "mon:stdio" if monitor else "stdio"]
        monitor = False
    elif wiring.console == "debugcon":
        argv += ["-debugcon", "stdio"]
    elif wiring.console.startswith(CHARDEV):
        argv += ["-chardev", f"stdio,id={wiring.console.removeprefix(CHARDEV)}"]
    argv += [text for port in wiring.serial for text in ("-serial", port)]
    if monitor or wiring.monitor not in ("", "stdio"):
        argv += ["-monitor", wiring.monitor]
    return argv


def console_problems(wiring: Wiring, *, debugcon: bool, arch: str) -> Iterator[Problem]:
    """Yield what can't be; ``debugcon`` says whether the architecture has that device."""
    if wiring.console not in CONSOLES and not wiring.console.startswith(CHARDEV):
        yield BadValue("console", f"{wiring.console!r} is unknown", "must be 'serial', 'debugcon', "
                       "'screen' or 'chardev:ID'", "choose one")
    if wiring.console in ("debugcon", "screen") and not debugcon:
        found = f"it is {wiring.console!r}"
        yield BadValue("console", found, f"{arch} has no such device", "leave it out")
    if "-daemonize" in wiring.arguments:
        yield BadValue("arguments", "'-daemonize' is among them", "a machine ends with its task",
                       "leave it out")
    taken = _read(wiring).taken
    if len(taken) > 1:
        yield BadValue("arguments", f"{taken[0]!r} and {taken[1]!r} both take the terminal",
                       "one device can have it", "leave one out")


def unheard_problems(wiring: Wiring) -> Iterator[Problem]:
    """Yield a problem if a test would read nothing: the console goes elsewhere."""
    words = _read(wiring)
    if wiring.console == "serial" and words.serial and not words.taken:
        yield BadValue(
            "serial" if wiring.serial else "arguments",
            f"the first serial port goes to {words.serial[0]!r}", "a test reads it from 'stdio'",
            "leave that out, or say what the test is to read: console='debugcon'",
        )
