"""`doit clean`: removes the image and its state, and nothing else."""

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from typing import Any

from doit_diskimg.errors import KeptBytes, WorldError
from doit_diskimg.host.lock import hold_alone, release
from doit_diskimg.host.state import StateFolder
from doit_diskimg.host.terminal import say
from doit_diskimg.tasks.guests import places
from doit_diskimg.tasks.turn import waiting_text


def clean(image: str, disk: str, guests: Sequence[str], *, dryrun: bool) -> None:
    """Remove an image and its state, or say with ``dryrun`` what would be removed.

    ``disk`` is the name of its tasks, ``guests`` are the partitions that belong to the guest: if
    one of them is there, nothing is removed.  A doit that builds the image is waited for.
    """
    state = StateFolder(image)
    with _alone(state, disk, dryrun=dryrun):
        _clean(state, disk, guests, dryrun=dryrun)


def clean_targets(task: Any, image: str, disk: str, *, dryrun: bool) -> None:
    """Remove what a task made of an image, or say so; a doit that is at it is waited for."""
    from doit.task import clean_targets

    with _alone(StateFolder(image), disk, dryrun=dryrun):
        clean_targets(task, dryrun)


@contextmanager
def _alone(state: StateFolder, disk: str, *, dryrun: bool) -> Iterator[None]:
    """Keep every other doit from an image, if there is something of one."""
    lock = state.file("lock")

    def waiting(pid: str) -> None:
        say(waiting_text(disk, pid))  # doit keeps what goes to stderr

    try:
        if not dryrun and os.path.isdir(state.path):
            with suppress(OSError):  # of a folder in which nothing can be removed either
                hold_alone(lock, waiting)
        yield
    finally:
        release(lock)


def _clean(state: StateFolder, disk: str, guests: Sequence[str], *, dryrun: bool) -> None:
    try:
        if found := places(state, guests):
            raise WorldError([_not_removed(state.image, disk, name) for name in found])
        for path in state.remove(dryrun=dryrun):
            say(f"removing file {path!r}")  # as doit's own clean does
    except WorldError as error:
        say(str(error))  # doit would show a traceback


def _not_removed(image: str, disk: str, name: str) -> KeptBytes:
    return KeptBytes(
        image, f"{name!r} in it belongs to its guest", "doit clean leaves it, and removes nothing",
        f"give it up by doit {disk}:{name}:reset",
    )
