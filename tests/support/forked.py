"""A real doit, forked from this process: it saves its start, and can be killed all the same."""

import os
import sys
from pathlib import Path

from doit.doit_cmd import DoitMain

import doit_diskimg

# Loaded once, here, so that a forked doit has them: everything that dodo.py and the actions import.
for name in doit_diskimg.__all__:
    getattr(doit_diskimg, name)

HERE = str(Path(__file__).parents[1] / "safety")
"""Where `faults` lies, which a dodo.py imports."""


def doit(project, fault="none:0"):
    """Call doit, with a fault of `faults`; return the exit code and the output."""
    said, report = project.folder / "said.txt", project.folder / "report.txt"
    report.unlink(missing_ok=True)
    pid = os.fork()
    if pid == 0:
        os.chdir(project.folder)
        os.environ["FAULT"] = fault
        handle = os.open(said, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
        os.dup2(handle, 1)
        os.dup2(handle, 2)
        sys.stdout, sys.stderr = os.fdopen(1, "w", 1), os.fdopen(2, "w", 1)
        sys.dont_write_bytecode = True
        # doit took hold of the standard output of pytest when it was imported.
        code = DoitMain().run(["run", "-o", "report.txt"])
        sys.stdout.flush()
        os._exit(code)
    _, status = os.waitpid(pid, 0)
    text = report.read_text() if report.exists() else ""
    return os.waitstatus_to_exitcode(status), said.read_text() + text
