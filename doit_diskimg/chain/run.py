"""Work on one image: is the file in its place ours, and what becomes of it when work fails?"""

import os
from collections.abc import Callable

from doit_diskimg.chain.job import Job
from doit_diskimg.chain.step import no_collector
from doit_diskimg.errors import DiskimgError
from doit_diskimg.host import own
from doit_diskimg.host.failure import failed
from doit_diskimg.host.machine import which
from doit_diskimg.host.state import StateFolder, read_json


def run(job: Job, work: Callable[[], str | None]) -> str | None:
    """Do the work on an image, which must be ours; return what to tell the user, if anything.

    Raises DescriptionError or WorldError, with what is known of sources that change all the time;
    an unfinished image is removed if its room has ended.
    """
    try:
        own.check_target(job.state.image)
        job.state.check()
        _check(job)
        with no_collector():
            return work()
    except DiskimgError as error:
        raise failed(job.state, error) from error


def _check(job: Job) -> None:
    """Raise WorldError unless the image is ours, or not there, or may be replaced whatever it is.
    """
    if not job.disk.replace and not is_ours(job):
        raise own.foreign(job.state.image)


def is_ours(job: Job) -> bool:
    """Return whether the file in the image's place is ours to replace, or there is none."""
    try:
        status = os.lstat(job.state.image)
    except FileNotFoundError:
        return True
    key = which(status)
    if job.ours != key:
        if not is_proved(job.state, status):
            return False
        job.ours = key
    return True


def is_proved(state: StateFolder, status: os.stat_result) -> bool:
    """Return whether anything in the state folder proves that the image of that status is ours."""
    return _is_as_sealed(state, status) or _is_recorded(state) or _holds(state)


def _is_as_sealed(state: StateFolder, status: os.stat_result) -> bool:
    """Return whether the image is as it was sealed, or, in a state folder from before there were
    records, the file that was sealed.
    """
    recorded = own.is_recorded(own.images(state))
    for name in ("seal.json", "broken.json"):
        found = read_json(state.file(name)).get("image")
        if not isinstance(found, dict) or found.get("size") != status.st_size:
            continue
        if found.get("mtime_ns") == status.st_mtime_ns:
            if not recorded:  # it was lost, or never there
                own.claim(own.images(state), state.image, state.image)
            return True
        if not recorded and found.get("inode") == status.st_ino:
            return True
    return False


def _is_recorded(state: StateFolder) -> bool:
    return own.is_claimed(own.images(state), state.image)


def _holds(state: StateFolder) -> bool:
    from doit_diskimg.chain.compare import holds_what_was_sealed

    return holds_what_was_sealed(state)
