"""Other people's programs: by argument list, never by a shell, never for ever."""

import os
import shutil
import subprocess
from typing import NamedTuple

from doit_diskimg.host import child

_PLACES = ("/usr/sbin", "/sbin")
"""Where Debian has them, though a user's PATH may not."""

_MOST_TEXT = 1 << 16


class Answer(NamedTuple):
    """What a program said."""

    code: int
    text: str
    """What it printed, the first 64 KiB of it."""


def find_program(name: str) -> str | None:
    """Return the path of a program, None if it is not installed."""
    path = os.pathsep.join([os.environ.get("PATH", os.defpath), *_PLACES])
    return shutil.which(name, path=path)


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
