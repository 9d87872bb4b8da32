"""Bytes that belong to a guest: where they lie, on record, and how they get into a new image.

The bytes themselves are in the image and nowhere else.  The record says which stretch of it they
are.  While a new image takes the old one's place it says so of both, and which of them has the
image's name decides; so the record is that of the image at every moment.
"""

import json
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from typing import Any, TypeAlias

from doit_diskimg.errors import ImageBusy, WorldError
from doit_diskimg.extent import Extent
from doit_diskimg.host.lock import holders, is_written
from doit_diskimg.host.machine import which
from doit_diskimg.host.seal import sync
from doit_diskimg.host.state import StateFolder, host_failed, load_if_whole, write_json

FORMAT = 1
"""Of this record alone: a new version of the package may not forget what it knows."""

Places: TypeAlias = dict[str, Extent | None]
"""Where each partition of the guest's lies in the image; None if that is not known."""


def path_of(state: StateFolder) -> str:
    """Return the path of the record."""
    return state.file("kept.json")


def recorded(state: StateFolder) -> Places | None:
    """Return what is on record, None if there is no record that can be read."""

    def decode(text: bytes) -> Places | None:
        data: dict[str, Any] = json.loads(text)
        if data["format"] != FORMAT:
            return None
        places, coming = _decoded(data["parts"]), data["next"]
        if coming is None or os.path.exists(state.building(coming["generation"])):
            return places
        # The new image took its name, or it was removed: its inode says which.
        after = _decoded(coming["parts"])
        return after if _inode(state.image) == coming["inode"] or after == places else None

    return load_if_whole(path_of(state), decode)


def store(state: StateFolder, places: Places, coming: "Coming | None" = None) -> None:
    """Record where the bytes lie, and that they are safe on the disk of the host.

    ``coming`` is said of an image that is about to take the place of this one.  Raises WorldError.
    """
    data = {"format": FORMAT, "parts": _encoded(places), "next": coming}
    if write_json(path_of(state), data):
        sync(path_of(state))
        sync(state.path)


Coming: TypeAlias = Mapping[str, object]


def coming(state: StateFolder, generation: str, places: Places) -> Coming:
    """Return what `store` is told of the image of a new generation."""
    inode = _inode(state.building(generation))
    return {"generation": generation, "inode": inode, "parts": _encoded(places)}


def _encoded(places: Places) -> dict[str, list[int] | None]:
    return {name: place and [*place] for name, place in places.items()}


def _decoded(data: Mapping[str, list[int] | None]) -> Places:
    return {
        name: None if place is None else Extent(int(place[0]), int(place[1]))
        for name, place in data.items()
    }


def _inode(path: str) -> list[int]:
    """Return which file it is, for a guest writes to it; nothing if there is none."""
    try:
        return [*which(os.stat(path))]
    except OSError:
        return []


@contextmanager
def held_still(path: str, names: str) -> Iterator[int]:
    """Open an image from which a guest's bytes are taken; no QEMU can start to write to it.

    ``names`` are the partitions, for the message.  Raises WorldError, also if a QEMU that has it
    may write to it: what it wrote later would be lost.
    """
    try:
        handle = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK)
    except OSError as error:
        raise host_failed(path, error, f"take {names} out of it") from error
    try:
        if is_written(handle):
            raise busy(path, names)
        yield handle
    finally:
        with suppress(OSError):
            os.close(handle)


def busy(path: str, names: str) -> WorldError:
    """Return the error for an image that a running guest may write to."""
    pids = ", ".join(map(str, holders(path)))
    who = f"QEMU (pid {pids})" if pids else "a QEMU"
    return WorldError(ImageBusy(
        path, f"it is open in {who}, which may write to {names}",
        "a new image takes over what a guest wrote and can't follow one that runs",
        "end that program and run doit again",
    ))
