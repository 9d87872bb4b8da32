"""Opening the image for an injection, also while a QEMU has it.

A new generation is patched where it grows, in the state folder.  A finished image is patched in
place, unless a QEMU has it open: a guest must not see bytes change under its feet.  Then the
injections go into a copy, which takes the image's place when it is sealed, and the guest keeps the
file that it has.
"""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from doit_diskimg.errors import ImageBusy, WorldError
from doit_diskimg.host import folder, kept
from doit_diskimg.host.hashing import changed
from doit_diskimg.host.image import ImageFile, copy_sparse
from doit_diskimg.host.lock import holders
from doit_diskimg.host.seal import break_seal, written_by_others
from doit_diskimg.host.state import StateFolder, host_failed, read_json, write
from doit_diskimg.plan.stored import encode_torn


@contextmanager
def alone(state: StateFolder) -> Iterator[None]:
    """Keep every other injection and seal out while one decides which file it works on.

    With ``-n`` they run in several processes or threads, and what one finds, a copy of the image or
    none, another must not change meanwhile.  Raises WorldError.
    """
    path = state.file("patching")
    try:
        handle = folder.open_in(path, os.O_RDWR | os.O_CREAT | os.O_NONBLOCK, make=True)
    except OSError as error:
        raise host_failed(path, error, "write a state file") from error
    try:
        with suppress(OSError):  # of a file system that knows no locks
            fcntl.flock(handle, fcntl.LOCK_EX)
        yield
    finally:
        os.close(handle)


def open_for_patching(
    state: StateFolder, generation: str, busy: str, receipt: str, guests: str = ""
) -> tuple[ImageFile, str]:
    """Return the image to inject into, and what to tell the user, if anything.

    From then on ``receipt`` says that it is not known what its part holds.  ``busy`` is the
    description's word for what to do when a QEMU has the image.  ``guests`` names what belongs to
    the guest: a copy would not have what a QEMU writes there.  Raises WorldError.
    """
    with alone(state):
        if read_json(state.file("generation")).get("id") != generation:
            raise changed(state.file("generation"))
        image, news = _open(state, generation, busy, guests)
        try:
            write(receipt, encode_torn(generation))
        except WorldError:
            image.close()
            raise
    return image, news


def _open(
    state: StateFolder, generation: str, busy: str, guests: str
) -> tuple[ImageFile, str]:
    path, building = state.current(generation), state.building(generation)
    image = ImageFile(path, inside=path != state.image)
    if path != state.image:
        return image, ""
    free, linked = image.is_free(), image.has_other_names()
    if free and not linked:
        try:
            _check(state, guests)
            if not image.is_the_one(state):
                raise changed(path)
            # Before the first byte: whatever happens from here on, this image is not finished.
            break_seal(state)
        except WorldError:
            image.close()
            raise
        return image, ""
    guest_writes = bool(guests) and not free and image.is_written()
    image.close()
    if guest_writes:
        raise kept.busy(path, guests)
    news = f"{path} has another name too, which keeps the old file" if free else (
        _in_use(path, busy)
    )
    return _copy(state, building, news, guests)


def _check(state: StateFolder, guests: str) -> None:
    """Raise WorldError if something else wrote to the image since it was found to be as sealed.

    What a guest wrote to a disk of which a part is its own was looked at by then.
    """
    if not guests and written_by_others(state):
        raise changed(state.image)


def _in_use(path: str, busy: str) -> str:
    """Return what to say of an image that a QEMU has.  Raises WorldError if that is not wanted."""
    who = _who(holders(path))
    if busy == "error":
        raise WorldError(ImageBusy(
            path, f"it is open in {who}", "busy='error' refuses to build it now",
            "end that program, or leave busy out to have a new file put in its place",
        ))
    return f"{path} is open in {who}, which keeps the old file"


def _copy(
    state: StateFolder, building: str, news: str, guests: str
) -> tuple[ImageFile, str]:
    """Return a copy of the finished image, which takes its place when it is sealed."""
    path = state.image
    if not os.path.exists(state.file("seal.json")):
        raise changed(path)  # opened between two injections, perhaps for writing
    copy_sparse(path, building)
    try:
        _check(state, guests)
    except WorldError:
        folder.unlink_in(building)
        raise
    return ImageFile(building, inside=True), news


def _who(pids: list[int]) -> str:
    return f"QEMU (pid {', '.join(map(str, pids))})" if pids else "a QEMU"
