"""Outside programs: found, asked for their version, run.

By argument list and never through a shell, without input, in the environment that the recipe gives:
no locale, no time zone, no configuration of the user's reaches them.

A Python package can make payloads as programs do.  Each has one module of ours that calls it, which
works in this process and has to see that nothing of the surroundings gets in.
"""

import os
import shutil
import subprocess
from collections.abc import Iterable, Iterator, Sequence
from importlib import import_module, metadata
from importlib.util import find_spec
from tempfile import TemporaryFile
from threading import Thread
from typing import Any, NamedTuple

from doit_diskimg.errors import ProgramFailed, ProgramMissing, WorldError
from doit_diskimg.host import child
from doit_diskimg.host.hashing import CHUNK
from doit_diskimg.host.machine import Signature
from doit_diskimg.plan.recipe import Command, Program

_ALSO = ("/usr/local/sbin", "/usr/sbin", "/sbin")
"""Where Debian keeps programs such as mke2fs, outside the PATH of its users."""

_CALLERS = {"pyfatfs": "doit_diskimg.host.pyfat"}
"""The module that calls a package; its `make` gets the folder and the arguments of the recipe."""

_MOST_TEXT = 1 << 16


class LibraryError(Exception):
    """A package could not make what it had to; its text is one line."""


class Answer(NamedTuple):
    """What a program said."""

    code: int
    text: str
    """What it printed, the first 64 KiB of it."""


def find_program(name: str) -> str | None:
    """Return the path of a program, None if it is not installed."""
    path = os.pathsep.join([os.environ.get("PATH", os.defpath), *_ALSO])
    found = shutil.which(name, path=path)
    return None if found is None else os.path.abspath(found)


def find(program: Program) -> str | None:
    """Return the path of a program, or of the file that a package begins with, None if it is not
    installed.
    """
    if not program.library:
        return find_program(program.name)
    try:
        spec = find_spec(program.name)
    except (ImportError, ValueError):
        return None
    return None if spec is None else spec.origin


def missing(program: Program, where: str, what: str = "the payload") -> ProgramMissing:
    """Return the problem for a program that is not installed; ``what`` is what it has to make."""
    kind = "Python package" if program.library else "program"
    return ProgramMissing(
        where, f"the {kind} {program.name} is not installed", f"it has to make {what}",
        f"pip install {program.package}" if program.library
        else f"install it; in Debian it is in the package {program.package}",
    )


def version(program: Program, path: str, where: str) -> str:
    """Return what the program says of its version, in one line.  Raises WorldError."""
    if program.library:
        try:
            return f"{program.name} {metadata.version(program.name)}"
        except metadata.PackageNotFoundError:
            return f"{program.name}, of no known version"
    command = Command(program, program.version)
    return " ".join(run(path, command, os.curdir, {}, where).split())


def installed(program: Program, known: Sequence[Any]) -> list[Any]:
    """Return a program's file, that file's signature, and its version, as plain data.

    ``known`` is what was found before, and what is returned as long as the version is that one; a
    program that is gone is missed when it is needed again, for what it made is still right.  It is
    asked for its version only if its file is not the one that is known.
    """
    path = find(program)
    if path is None:
        return [*known]
    try:
        file = [path, [*Signature.of(path)]]
        if [*known[:2]] == file:
            return [*known]
        found = [*file, version(program, path, program.name)]
    except (OSError, WorldError) as error:
        found = [path, [], str(error)]  # the task will run into it and say so
    return [*known] if [*known[2:]] == found[2:] else found


def run(
    path: str,
    command: Command,
    folder: str,
    environment: dict[str, str],
    where: str,
    what: str = "the payload",
) -> str:
    """Run the program at ``path`` in ``folder`` and return what it prints.

    Raises WorldError if it fails, with its last words; ``what`` is what it has to make.
    """
    name = command.program.name
    if command.program.library:
        try:
            import_module(_CALLERS[name]).make(folder, *command.arguments)
        except LibraryError as error:
            raise _failed(where, f"{name}: {error}", what) from error
        return ""
    try:
        done = child.run(
            [name, *command.arguments],
            executable=path,
            cwd=folder,
            env=_surroundings(folder, environment),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            encoding="utf-8",
            errors="replace",
            check=False,
        )
    except OSError as error:
        raise _failed(where, f"{name} can't be run: {error.strerror}", what) from error
    complaints = [line for line in _lines(done.stderr) if not line.startswith(f"{name} ")]
    if done.returncode not in command.codes or (command.silent and complaints):
        found = _how_it_failed(command, done.returncode, complaints, done.stdout)
        raise _failed(where, found, what)
    said: str = done.stdout + done.stderr
    return said


def _lines(text: str) -> list[str]:
    return [line.strip() for line in text.splitlines() if line.strip()]


def _surroundings(folder: str, environment: dict[str, str]) -> dict[str, str]:
    """Return the whole environment of a program: nothing that could change what it writes."""
    known = {"PATH": os.defpath, "HOME": os.path.abspath(folder), "LC_ALL": "C", "TZ": "UTC"}
    return {**known, **environment}


def _how_it_failed(command: Command, code: int, complaints: list[str], printed: str) -> str:
    """Return what became of a program, with its own reason: of one that goes on after an error
    the first, else the last.
    """
    name = command.program.name
    said = (complaints or printed.splitlines() or [""])[0 if command.silent else -1].strip()
    reason = said.removeprefix(f"{name}: ") or "it does not say why"
    if code == 0:
        return f"{name} had an error: {reason}"
    if code < 0:
        return f"{name} was killed by signal {-code}: {reason}"
    return f"{name} ended with {code}: {reason}"


def _failed(where: str, found: str, what: str) -> WorldError:
    return WorldError(
        ProgramFailed(where, found, f"it has to make {what}", "fix that and run doit again")
    )


def ask_program(name: str, arguments: list[str], handle: int, timeout: int = 60) -> Answer | None:
    """Run a program that may read the open file ``handle``; wait ``timeout`` seconds at most.

    Returns None if it is not installed, did not end, or could not be started: no answer.
    """
    program = find_program(name)
    if program is None:
        return None
    try:
        done = child.run(
            [program, *arguments], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT, pass_fds=(handle,), timeout=timeout, check=False,
            env={**os.environ, "LC_ALL": "C"},
        )  # fmt: skip
    except (OSError, subprocess.SubprocessError):
        return None
    return Answer(done.returncode, done.stdout[:_MOST_TEXT].decode("utf-8", "replace"))


def run_filter(
    path: str,
    command: Command,
    data: Iterable[bytes | memoryview],
    environment: dict[str, str],
    where: str,
    what: str,
) -> Iterator[bytes]:
    """Feed ``data`` to the program at ``path`` and yield what it writes.

    Raises WorldError if it fails, with its last words, and whatever ``data`` raises.
    """
    with TemporaryFile() as complaints:  # a file, for a pipe that is not read could fill up
        with child.start(
            [command.program.name, *command.arguments], executable=path, bufsize=0,
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=complaints,
            env=_surroundings(os.curdir, environment),
        ) as process:
            feeder = _Feeder(process, data)
            feeder.start()
            try:
                assert process.stdout is not None
                while block := process.stdout.read(CHUNK):
                    yield block
            except GeneratorExit:
                process.kill()
                raise
            finally:
                feeder.join()
        if feeder.error is not None:
            raise feeder.error
        if process.returncode:
            complaints.seek(0)
            words = _lines(complaints.read().decode("utf-8", "replace"))
            raise _failed(where, _how_it_failed(command, process.returncode, words, ""), what)


class _Feeder(Thread):
    """Writes a program's input while its output is read."""

    def __init__(
        self, process: "subprocess.Popen[bytes]", data: Iterable[bytes | memoryview]
    ) -> None:
        super().__init__(daemon=True)
        self.error: BaseException | None = None
        self._process, self._data = process, data

    def run(self) -> None:
        """Write everything; the reader of the output raises what went wrong."""
        stdin = self._process.stdin
        assert stdin is not None
        try:
            with stdin:
                for block in self._data:
                    view = memoryview(block)
                    while view:
                        view = view[stdin.write(view) :]
        except BrokenPipeError:
            pass  # it ended early: its status says why
        except BaseException as error:
            self.error = error
            self._process.kill()
