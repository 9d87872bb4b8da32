"""A build of a project with a fault of `faults`: it may be killed, and may fail.

`doit` is a real doit, `chain` what its tasks do, without it: half of the time.
"""

import os
from pathlib import Path

from doit_server import CHAIN
from project import USUAL, Project

HERE = str(Path(__file__).parents[1] / "safety")
"""Where `faults` lies, which a dodo.py imports."""

STEP = int(os.environ.get("STEP", "3"))
"""Every how many changes one goes wrong; each scenario begins elsewhere, so together they miss few.
"""


def doit(project: Project, fault: str = "none:0") -> tuple[int, str]:
    """Call doit; return the exit code and the output."""
    return _built(project, fault, [])


def chain(project: Project, fault: str = "none:0") -> tuple[int, str]:
    """Build the ``disk`` of dodo.py; return what `doit` does."""
    return _built(project, fault, CHAIN)


def _built(project: Project, fault: str, args: list[str]) -> tuple[int, str]:
    done = USUAL.run(args, project.folder, {**os.environ, **project.env, "FAULT": fault})
    return done.returncode, done.stdout + done.stderr
