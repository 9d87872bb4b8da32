"""The seal: what makes an image file count as finished.

It stores what the file system says of the image (length, mtime, inode), the generation that was
injected, and the boot it was written in.  The image's mtime is set to a value of ours: seconds
that have already passed and nanoseconds that come from the contents.  So a write to the
image afterwards, however soon and however coarse the file system's clock, leaves another mtime.
"""

import os
from collections.abc import Sequence
from contextlib import suppress

from doit_diskimg.host.folder import READ, entered
from doit_diskimg.host.machine import Signature, as_made, boot_id, now_ns
from doit_diskimg.host.state import StateFolder, host_failed, read_json, write_json
from doit_diskimg.plan.content import FORMAT

_SECOND = 1_000_000_000
_GRAIN = 2 * _SECOND
"""The coarsest time stamps of a file system that can hold an image: FAT's."""


def mark(path: str, digest: str) -> dict[str, object]:
    """Set the mtime of the image at ``path`` and return what tells it from any later state.

    ``digest`` is that of what the image holds.  Raises WorldError.
    """
    stamp = _stamp_of(int(digest[:16], 16))
    try:
        handle = os.open(path, READ)
        try:
            os.utime(handle, ns=(stamp, stamp))
            return identity(os.fstat(handle))
        finally:
            os.close(handle)
    except OSError as error:
        raise host_failed(path, error, "set the image's time stamp") from error


def _stamp_of(number: int) -> int:
    """Return a time stamp that has already passed, with nanoseconds that come from a number."""
    return now_ns() // _GRAIN * _GRAIN - _GRAIN + number % _SECOND


def sync(path: str) -> None:
    """Wait until a file has reached the disk.  Raises WorldError."""
    try:
        handle = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)
    except OSError as error:
        raise host_failed(path, error, "wait for the disk") from error


def write_seal(
    state: StateFolder,
    image: dict[str, object],
    generation: str,
    digest: str,
    receipts: Sequence[str] = (),
) -> None:
    """Record that the image of that identity is finished.  Raises WorldError.

    ``receipts`` are the state files that say what it holds.  Unless each of them is as it is now,
    the image is not patched: it would not be known which old bytes have to go.
    """
    seal = {"format": FORMAT, "generation": generation, "digest": digest, "boot": boot_id()}
    stamps = {os.path.basename(path): as_made(path) for path in receipts}
    write_json(state.file("seal.json"), {**seal, "image": image, "receipts": stamps})


def break_seal(state: StateFolder) -> None:
    """Declare the image unfinished, before it is written to.  Raises WorldError."""
    path = state.file("seal.json")
    try:
        with suppress(FileNotFoundError), entered(state.path) as folder:
            # What it said stays known: it tells whether the image was written to since.
            os.replace("seal.json", "broken.json", src_dir_fd=folder, dst_dir_fd=folder)
    except OSError as error:
        raise host_failed(path, error, "break the seal of the image") from error


def note_ours(state: StateFolder, handle: int) -> None:
    """Record what the open image, whose seal we broke, looks like after a write of ours.

    A later write is told from it, as from a seal.  Raises OSError and WorldError.
    """
    stamp = _stamp_of(int.from_bytes(os.urandom(4), "little"))
    os.utime(handle, ns=(stamp, stamp))
    image = identity(os.fstat(handle))
    write_json(state.file("broken.json"), {"format": FORMAT, "boot": boot_id(), "image": image})


def written_by_others(state: StateFolder) -> bool:
    """Return whether something else wrote to the finished image.

    Our own injections break the seal first, so a seal that disagrees with its image means that
    a program that does not know of the seal wrote to it.
    """
    return doubt(state) == WRITTEN


WRITTEN = "something else wrote to it since it was built"
UNKNOWN = "nothing tells whether something else wrote to it since it was built"


def doubt(state: StateFolder) -> str:
    """Return why the image may not be as we left it, in words; empty if it is, or if it is gone.

    That is not to say that it is finished.
    """
    try:
        status = os.lstat(state.image)
    except OSError:
        return ""
    seal = read_json(state.file("seal.json"))
    # A seal whose image has not taken its place is of no use: a build was killed.
    if seal and not os.path.lexists(state.building(str(seal.get("generation", "")))):
        agrees = _is_as_left(seal, status)
        if agrees is not None:
            return "" if agrees else WRITTEN
    return "" if _is_as_left(read_json(state.file("broken.json")), status) else UNKNOWN


def _is_as_left(record: dict[str, object], status: os.stat_result) -> bool | None:
    """Return whether an image is as a record says; None if that can't be read.

    After another boot a device may have another number.
    """
    image = record.get("image")
    if not isinstance(image, dict) or not image:
        return None
    found = identity(status)
    names = found.keys() - (set() if record.get("boot") == boot_id() else {"device"})
    return all(image.get(name) == found[name] for name in names)


def is_the_one(state: StateFolder, handle: int) -> bool:
    """Return whether an open file is the image that was sealed last, whatever it holds by now."""
    status = os.fstat(handle)
    for name in ("seal.json", "broken.json"):
        image = read_json(state.file(name)).get("image")
        if isinstance(image, dict) and image.get("inode") == status.st_ino:
            return True
    return False


def sealed_generation(state: StateFolder) -> str:
    """Return the generation of the finished image, empty if the file is not the one sealed.

    Empty too if a receipt is missing or changed: the image is right and can't be patched.
    """
    seal = _agreed(state)
    return "" if _receipts(state, seal) is None else str(seal.get("generation", ""))


def sealed_receipts(state: StateFolder, generation: str) -> list[str] | None:
    """Return the receipts of the image of that generation as it was sealed, whatever it holds now.

    None if it was not sealed, or if a receipt is missing or changed.
    """
    seal = read_json(state.file("seal.json"))
    if (seal.get("format"), seal.get("generation")) != (FORMAT, generation):
        return None
    return _receipts(state, seal)


def _receipts(state: StateFolder, seal: dict[str, object]) -> list[str] | None:
    """Return the paths of a seal's receipts, None unless each is as it was."""
    stamps = seal.get("receipts")
    if not isinstance(stamps, dict):
        return None
    paths = {os.path.join(state.path, name): stamp for name, stamp in stamps.items()}
    return [*paths] if all(as_made(path) == stamp for path, stamp in paths.items()) else None


def sealed_digest(image: str, status: os.stat_result | None = None) -> str:
    """Return the digest of what a finished image holds, empty if it is not finished."""
    return str(_agreed(StateFolder(image), status).get("digest", ""))


def _agreed(state: StateFolder, status: os.stat_result | None = None) -> dict[str, object]:
    """Return the seal if the image agrees with it, else nothing."""
    seal = read_json(state.file("seal.json"))
    try:
        found = identity(status or os.stat(state.image))
    except OSError:
        return {}
    if (seal.get("format"), seal.get("boot"), seal.get("image")) != (FORMAT, boot_id(), found):
        return {}
    return seal


def identity(status: os.stat_result) -> dict[str, object]:
    """Return what the file system says of an image, by which it is known again.

    Without the ctime, which changes when the image takes its name; with the device, since another
    file may be there under the same inode when something is mounted.
    """
    found = Signature.of(status)
    return {
        "size": found.size,
        "mtime_ns": found.mtime_ns,
        "inode": found.inode,
        "device": status.st_dev,
    }
