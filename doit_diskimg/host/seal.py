"""The seal: what makes an image file count as finished.

It stores what the file system says of the image (length, mtime, inode), the generation that was
injected, and the boot it was written in.  The image's mtime is set to a value of ours: seconds
that have already passed and nanoseconds that come from the contents.  So whoever writes to the
image afterwards, however soon and however coarse the file system's clock, leaves another mtime.
"""

import os
from collections.abc import Sequence
from contextlib import suppress

from doit_diskimg.content import FORMAT
from doit_diskimg.host.machine import boot_id, now_ns
from doit_diskimg.host.state import StateFolder, host_failed, read_json, write_json

_SECOND = 1_000_000_000
_GRAIN = 2 * _SECOND
"""The coarsest time stamps of a file system that can hold an image: FAT's."""


def mark(path: str, digest: str) -> dict[str, object]:
    """Set the mtime of the image at ``path`` and return what tells it from any later state.

    ``digest`` is that of what the image holds.  Raises WorldError.
    """
    stamp = now_ns() // _GRAIN * _GRAIN - _GRAIN + int(digest[:16], 16) % _SECOND
    try:
        os.utime(path, ns=(stamp, stamp))
        return identity(os.stat(path))
    except OSError as error:
        raise host_failed(path, error, "set the image's time stamp") from error


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
    the image is not patched: nobody would know which old bytes have to go.
    """
    seal = {"format": FORMAT, "generation": generation, "digest": digest, "boot": boot_id()}
    stamps = {os.path.basename(path): _stamp(path) for path in receipts}
    write_json(state.file("seal.json"), {**seal, "image": image, "receipts": stamps})


def break_seal(state: StateFolder) -> None:
    """Declare the image unfinished, before it is written to.  Raises WorldError."""
    path = state.file("seal.json")
    try:
        with suppress(FileNotFoundError):
            os.unlink(path)
    except OSError as error:
        raise host_failed(path, error, "break the seal of the image") from error


def written_by_others(state: StateFolder) -> bool:
    """Return whether somebody else wrote to the finished image since this boot.

    Our own injections break the seal first, so a seal that disagrees with its image was left by
    somebody who does not know of it.
    """
    seal = read_json(state.file("seal.json"))
    if (seal.get("format"), seal.get("boot")) != (FORMAT, boot_id()):
        return False
    if os.path.exists(state.building(str(seal.get("generation", "")))):
        return False  # the image that it is of has not taken its place: somebody was killed
    return os.path.exists(state.image) and not _agreed(state)


def sealed_generation(state: StateFolder) -> str:
    """Return the generation of the finished image, empty if the file is not the one sealed.

    Empty too if a receipt is gone or is another one: the image is right and can't be patched.
    """
    seal = _agreed(state)
    return "" if _receipts(state, seal) is None else str(seal.get("generation", ""))


def sealed_receipts(state: StateFolder, generation: str) -> list[str] | None:
    """Return the receipts of the image of that generation as it was sealed, whatever it holds now.

    None if it was not sealed, or if a receipt is gone or is another one.
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
    return [*paths] if all(_stamp(path) == stamp for path, stamp in paths.items()) else None


def sealed_digest(image: str, status: os.stat_result | None = None) -> str:
    """Return the digest of what a finished image holds, empty if it is none."""
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
    """Return what the file system says of a file, by which it is known again."""
    return {
        "size": status.st_size,
        "mtime_ns": status.st_mtime_ns,
        "inode": status.st_ino,
        "device": status.st_dev,
    }


def _stamp(path: str) -> list[int]:
    """Return what tells a state file from one that was written later; nothing if there is none."""
    try:
        status = os.stat(path)
    except OSError:
        return []
    return [status.st_size, status.st_mtime_ns, status.st_ino]
