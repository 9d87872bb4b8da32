"""A build, forked from this process: it saves its start, and can be killed all the same.

`doit` is a real doit, `chain` what its tasks do, without it: a third of the time.
"""

import os
import runpy
import sys
import traceback
from pathlib import Path

from doit.doit_cmd import DoitMain
from doit_server import preload

from doit_diskimg import DiskimgError
from doit_diskimg.chain.build import build
from doit_diskimg.tasks.chain import shortcut

preload()

HERE = str(Path(__file__).parents[1] / "safety")
"""Where `faults` lies, which a dodo.py imports."""


def doit(project, fault="none:0"):
    """Call doit, with a fault of `faults`; return the exit code and the output."""
    report = project.folder / "report.txt"
    report.unlink(missing_ok=True)
    # doit took hold of the standard output of pytest when it was imported.
    code, said = _forked(project, fault, lambda: DoitMain().run(["run", "-o", "report.txt"]))
    return code, said + (report.read_text() if report.exists() else "")


def chain(project, fault="none:0"):
    """Build the ``disk`` of dodo.py; return what `doit` does."""
    return _forked(project, fault, _build)


def _build():
    sys.path.insert(0, "")
    disk = runpy.run_path("dodo.py")["disk"]
    try:
        done = build(disk, shortcut=shortcut)
    except DiskimgError as error:
        print(*(f"{disk.name}: {problem}" for problem in error.problems), sep="\n")
        return 1
    for step in done:
        print(f"{'. ' if step.ran else '--'} {disk.name}:{step.step}")
        if step.text:
            print(step.text)
    return 0


def _forked(project, fault, work):
    said = project.folder / "said.txt"
    pid = os.fork()
    if pid == 0:
        os.chdir(project.folder)
        os.environ["FAULT"] = fault
        handle = os.open(said, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
        os.dup2(handle, 1)
        os.dup2(handle, 2)
        sys.stdout, sys.stderr = os.fdopen(1, "w", 1), os.fdopen(2, "w", 1)
        sys.dont_write_bytecode = True
        code = 1
        try:
            code = work()
        except BaseException:
            traceback.print_exc()
        sys.stdout.flush()
        os._exit(code)
    _, status = os.waitpid(pid, 0)
    return os.waitstatus_to_exitcode(status), said.read_text()
