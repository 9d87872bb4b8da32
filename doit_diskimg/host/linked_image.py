"""A linked image's files, and whether it may be used: `drive` is for those who start QEMU.

The descriptor is as good as the files it points into.  So its state file holds what they were,
and it is not used before all of that has been compared.
"""

import os

from doit_diskimg.errors import SourceChanged, WorldError
from doit_diskimg.host import folder, own
from doit_diskimg.host.machine import boot_id
from doit_diskimg.host.recorded import still_true
from doit_diskimg.host.scratch import Scratch
from doit_diskimg.host.seal import identity
from doit_diskimg.host.state import StateFolder, host_failed, read_json, write_json
from doit_diskimg.kinds.machines.drives import file_option
from doit_diskimg.plan.content import FORMAT, digest_of


def rest_path(state: StateFolder) -> str:
    """Return the path of what is not linked.

    QEMU names this file when it refuses to open a descriptor for writing, so its name says why.
    """
    return state.file("linked-needs-snapshot-on.img")


def receipt_path(state: StateFolder) -> str:
    """Return the path of the receipt for the rest."""
    return state.file("linked.receipt")


def state_path(state: StateFolder) -> str:
    """Return the path of what the descriptor depends on."""
    return state.file("linked.json")


def write_state(
    state: StateFolder, descriptor: str, text: bytes, rest: dict[str, object],
    files: dict[str, object],
) -> None:
    """Record that the descriptor is good while its rest and its files are those."""
    write_json(state_path(state), {
        "format": FORMAT, "boot": boot_id(), "descriptor": descriptor, "text": digest_of(text),
        "rest": rest, "files": files,
    })


def write_descriptor(state: StateFolder, path: str, text: bytes) -> None:
    """Put the descriptor there, in one step, and record that it is ours.  Raises WorldError."""
    try:
        with Scratch(path) as scratch:
            with open(scratch.open(os.path.basename(path), folder.NEW), "wb") as file:
                file.write(text)
            own.claim(state.file("linked", ".output.json"), scratch.target, path)
            scratch.finish()
    except OSError as error:
        raise host_failed(path, error, "write the descriptor") from error


def _read(path: str) -> bytes:
    try:
        with open(os.open(path, folder.READ), "rb") as file:
            return file.read()
    except OSError:
        return b""


def drive(image: str) -> str:
    """Return the value of QEMU's ``-drive`` for the linked image of the disk at ``image``.

    It never lets a guest write to anything.  Raises WorldError if the linked image is not there or
    a file that it points into changed: its task has to run again.
    """
    return f"format=vmdk,snapshot=on,{file_option(ready(image))}"


def ready(image: str) -> str:
    """Return the path of the descriptor, after everything it depends on has been compared."""
    state = StateFolder(image)
    data = read_json(state_path(state))
    path, files = data.get("descriptor"), data.get("files")
    if data.get("format") != FORMAT or not isinstance(path, str) or not isinstance(files, dict):
        raise _stale(image, "it has not been made")
    try:
        rest = identity(os.lstat(rest_path(state)))
    except OSError:
        rest = {}
    if rest != data.get("rest") or boot_id() != data.get("boot"):
        raise _stale(image, f"{rest_path(state)!r} is not what its task wrote")
    if digest_of(_read(path)) != data.get("text"):
        raise _stale(image, f"{path!r} is not what its task wrote")
    if change := still_true(files, ())[0]:
        raise _stale(image, change)
    return path


def _stale(image: str, found: str) -> WorldError:
    return WorldError(SourceChanged(
        f"linked image of {image}", found,
        "it is of use only while everything is as when it was made", "run its task again",
    ))
