"""`doit clean`: removes the image and its state, and nothing else.

What is not provably ours is left, and told.
"""

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress

from doit_diskimg.chain.guests import places
from doit_diskimg.chain.run import is_proved
from doit_diskimg.errors import KeptBytes, WorldError
from doit_diskimg.host import own
from doit_diskimg.host.own import check_target
from doit_diskimg.host.session import waiting_text
from doit_diskimg.host.state import StateFolder, host_failed
from doit_diskimg.host.terminal import say
from doit_diskimg.tasks import SESSION


def clean(image: str, disk: str, guests: Sequence[str], *, dryrun: bool) -> None:
    """Remove an image and its state, or say with ``dryrun`` what would be removed.

    ``disk`` is the name of its tasks, ``guests`` are the partitions that belong to the guest: if
    one of them is there, nothing is removed.  A doit that builds the image is waited for.
    """
    state = StateFolder(image)
    with _told(), _alone(state, disk, dryrun=dryrun):
        if found := places(state, guests):
            raise WorldError(*[_not_removed(image, disk, name) for name in found])
        _clean_image(state, disk, dryrun=dryrun)
        removed, left = state.remove(dryrun=dryrun)
        for path in removed:
            say(f"removing file {path!r}")
        if left:
            say(f"{disk}: left what is not ours: {', '.join(map(repr, left))}")


@contextmanager
def _alone(state: StateFolder, disk: str, *, dryrun: bool) -> Iterator[None]:
    """Keep every other doit from an image, if there is something of one."""
    lock = state.file("lock")

    def waiting(pid: str) -> None:
        say(waiting_text(disk, pid))

    try:
        state.check()
        if not dryrun and os.path.isdir(state.path):
            with suppress(OSError):  # of a folder in which nothing can be removed either
                SESSION.hold_alone(lock, waiting)
        yield
    finally:
        SESSION.release(lock)


@contextmanager
def _told() -> Iterator[None]:
    """Say what goes wrong, of which doit would show a traceback."""
    try:
        yield
    except WorldError as error:
        say(str(error))


def _clean_image(state: StateFolder, disk: str, *, dryrun: bool) -> None:
    """Remove the image, if there is one and it is ours."""
    if os.path.lexists(state.image):
        _remove(state.image, disk, ours=_is_file(state.image) and _is_ours(state),
                dryrun=dryrun)


def _is_ours(state: StateFolder) -> bool:
    return is_proved(state, os.lstat(state.image))


def clean_file(
    image: str, disk: str, record: str, path: str, more: Sequence[str], *, dryrun: bool
) -> None:
    """Remove a file that was made of an image, if it is the one that ``record`` is of.

    ``more`` are state files that go with it.
    """
    state = StateFolder(image)
    with _told(), _alone(state, disk, dryrun=dryrun):
        if os.path.lexists(path):
            ours = _is_file(path) and own.is_claimed(record, path, seconds=True)
            _remove(path, disk, ours=ours, dryrun=dryrun)
        for file in more:
            if os.path.lexists(file):
                say(f"removing file {file!r}")
        if not dryrun and not os.path.lexists(path):
            state.forget([record, *more])


def _is_file(path: str) -> bool:
    try:
        check_target(path)
    except WorldError:
        return False
    return True


def _remove(path: str, disk: str, *, ours: bool, dryrun: bool) -> None:
    if not ours:
        say(f"{disk}: left {path!r}: nothing proves that it was built here")
        return
    try:
        if not dryrun:
            os.unlink(path)
    except OSError as error:
        raise host_failed(path, error, "remove it") from error
    say(f"removing file {path!r}")


def _not_removed(image: str, disk: str, name: str) -> KeptBytes:
    return KeptBytes(
        image, f"{name!r} in it belongs to its guest", "doit clean leaves it, and removes nothing",
        f"give it up by doit {disk}:{name}:reset",
    )
