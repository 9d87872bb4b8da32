"""Outside programs: found, asked for their version, run.

By argument list and never through a shell, without input, in the environment that the recipe gives:
no locale, no time zone, no configuration of the user's reaches them.
"""

import os
import shutil
import subprocess

from doit_diskimg.errors import ProgramFailed, ProgramMissing, WorldError
from doit_diskimg.host import child, library
from doit_diskimg.plan.recipe import Command, Program

_ALSO = ("/usr/local/sbin", "/usr/sbin", "/sbin")
"""Where Debian keeps programs such as mke2fs, outside the PATH of its users."""


def find(program: Program) -> str | None:
    """Return the path of a program, None if it is not installed."""
    if program.library:
        return library.find(program.name)
    path = os.pathsep.join([os.environ.get("PATH", os.defpath), *_ALSO])
    found = shutil.which(program.name, path=path)
    return None if found is None else os.path.abspath(found)


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
        return library.version(program.name)
    command = Command(program, program.version)
    return " ".join(run(path, command, os.curdir, {}, where).split())


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
            return library.run(name, folder, command.arguments)
        except library.LibraryError as error:
            raise _failed(where, f"{name}: {error}", what) from error
    try:
        done = child.run(
            [name, *command.arguments],
            executable=path,
            cwd=folder,
            env=surroundings(folder, environment),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            encoding="utf-8",
            errors="replace",
            check=False,
        )
    except OSError as error:
        raise _failed(where, f"{name} can't be run: {error.strerror}", what) from error
    words = [line.strip() for line in done.stderr.splitlines() if line.strip()]
    complaints = [line for line in words if not line.startswith(f"{name} ")]
    if done.returncode not in command.codes or (command.silent and complaints):
        found = _how_it_failed(command, done.returncode, complaints, done.stdout)
        raise _failed(where, found, what)
    said: str = done.stdout + done.stderr
    return said


def surroundings(folder: str, environment: dict[str, str]) -> dict[str, str]:
    """Return the whole environment of a program: nothing that could change what it writes."""
    known = {"PATH": os.defpath, "HOME": os.path.abspath(folder), "LC_ALL": "C", "TZ": "UTC"}
    return {**known, **environment}


def failed(command: Command, code: int, said: str, where: str, what: str) -> WorldError:
    """Return the error for a program that ended with ``code`` and said that."""
    complaints = [line.strip() for line in said.splitlines() if line.strip()]
    return _failed(where, _how_it_failed(command, code, complaints, ""), what)


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
        ProgramFailed(where, found, f"it has to make {what}", "mend that and run doit again")
    )
