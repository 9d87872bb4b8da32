"""A doit that had to wait starts anew: it has read doit's database of before the wait.

By that the work of the other doit would not be found done, and doit's default database, of which a
process reads the index once, can't be read at all when another one has written it.  The process
replaces itself by the same command (execv), so nobody who waits for it notices.
"""

import multiprocessing
import os
import sys
import threading
from typing import Any

import doit


def start_anew(tasks: dict[str, Any]) -> None:
    """Replace this process by a new one of the same command; return if that is not possible.

    It is not once a task ran, here or in a worker, whose result doit has not stored yet; and not in
    a program of somebody's that calls doit.
    """
    alone = threading.active_count() == 1 and not multiprocessing.active_children()
    if not alone or any(task.executed for task in tasks.values()) or not _is_doit():
        return
    sys.stdout.flush()
    sys.stderr.flush()
    os.chdir(doit.get_initial_workdir())
    os.execv(sys.executable, [sys.executable, *sys.orig_argv[1:]])


def _is_doit() -> bool:
    """Return whether the command of this process is doit itself, with the arguments that it has."""
    command = sys.orig_argv[1 : len(sys.orig_argv) - len(sys.argv) + 1]
    script = os.path.basename(command[-1]) if command else ""
    is_doit = command[-2:] == ["-m", "doit"] or script in ("doit", "doit.exe")
    return is_doit and sys.orig_argv[len(command) + 1 :] == sys.argv[1:]
