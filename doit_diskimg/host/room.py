"""What a build gives back when the room has ended: a full disk, a quota, a limit for files.

An image that is not finished is made anew by the next build in any case.  Until then it would hold
all the room that there was, and doit could not even save what it has done.
"""

import os
from contextlib import suppress

from doit_diskimg.errors import DiskimgError, HostFailed, ProgramFailed, WorldError
from doit_diskimg.host import kept
from doit_diskimg.host.state import StateFolder, read_json

_LITTLE = 1 << 20
"""Bytes that are free where a program has failed for want of room; it says so in its own words."""


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
