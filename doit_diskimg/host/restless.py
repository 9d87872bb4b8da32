"""Sources that change in every build: what is said of one that changed the last time, too.

"Run doit again" helps with a file that somebody has just saved.  A log, a file of /sys or a
download would change for ever, and the second time the message says so.
"""

import os
from contextlib import suppress

from doit_diskimg.errors import DiskimgError, Problem, SourceChanged, WorldError
from doit_diskimg.host.folder import unlink_in
from doit_diskimg.host.state import StateFolder, read_json, write_json


def known(state: StateFolder, error: DiskimgError) -> DiskimgError:
    """Return the error as it is to be told, and remember which sources changed."""
    paths = sorted({it.where for it in error.problems if isinstance(it, SourceChanged)})
    if not paths or not os.path.isdir(state.path):
        return error
    before: object = []
    with suppress(WorldError):  # where nothing can be written, more is told than this
        before = read_json(_path(state)).get("paths", [])
        write_json(_path(state), {"paths": paths})
    if not isinstance(before, list) or not {*before} & {*paths}:
        return error
    return WorldError(*[_again(it) if it.where in before else it for it in error.problems])


def _again(problem: Problem) -> Problem:
    if not isinstance(problem, SourceChanged):
        return problem
    return SourceChanged(
        problem.where, f"{problem.found}, as in the last build",
        "a file that is written all the time can't be a source", "end what writes it, or copy it "
        "and name the copy",
    )


def forget(state: StateFolder) -> None:
    """Forget what changed: a build came to its end."""
    with suppress(OSError):
        unlink_in(_path(state))


def _path(state: StateFolder) -> str:
    return state.file("changed.json")
