"""What becomes of an image and its state when a build fails; `failed` is asked once, at the end.

"Run doit again" helps with a source that was just saved.  A log, a file of /sys or a
download would change for ever, and the second time the message says so.

When the room has ended (a full disk, a quota, a limit for files), the unfinished image would hold
all the room that there was until the next build makes it anew, and doit could not even save what it
has done.
"""

import os
from contextlib import suppress

from doit_diskimg.errors import (
    DiskimgError,
    HostFailed,
    Problem,
    ProgramFailed,
    SourceChanged,
    WorldError,
)
from doit_diskimg.host import kept
from doit_diskimg.host.folder import unlink_in
from doit_diskimg.host.state import StateFolder, read_json, write_json

_LITTLE = 1 << 20
"""Bytes that are free where a program has failed for want of room; it says so in its own words."""


def failed(state: StateFolder, error: DiskimgError) -> DiskimgError:
    """Return the error as it is to be told; give back the room if that is why the build failed."""
    error = known(state, error)
    give_back(state, error)
    return error


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


def give_back(state: StateFolder, error: DiskimgError) -> None:
    """Remove the unfinished image of a build that failed, if it failed because the room ended.

    Whatever stands in the way is not told: the failure itself is what matters.
    """
    with suppress(WorldError, OSError):
        generation = state.file("generation")
        building = state.building(str(read_json(generation).get("id", "")))
        if not os.path.exists(building) or not _ran_out(state, error):
            return
        if read_json(kept.path_of(state)).get("next"):
            return  # a guest's bytes: which of two images has them is told by this one's inode
        # First the word that there is one: without it every step that still runs fails by itself.
        os.unlink(generation)
        state.discard()


def _ran_out(state: StateFolder, error: DiskimgError) -> bool:
    if any(isinstance(problem, HostFailed) and problem.no_room for problem in error.problems):
        return True
    status = os.statvfs(state.path)
    is_full = status.f_bavail * status.f_frsize < _LITTLE
    return is_full and any(isinstance(problem, ProgramFailed) for problem in error.problems)
