"""Partitions with ``persist=True``: their bytes belong to the guest.

They are made once, from the payload.  From then on no task writes them: a build patches what is
around them, and a new image gets a copy.  Nothing but the task ``P:reset`` gives them up.
"""

import os
from collections.abc import Iterator

from doit_diskimg.chain.guests import places
from doit_diskimg.chain.job import Job
from doit_diskimg.chain.results import layout_of
from doit_diskimg.disk.model import Disk
from doit_diskimg.disk.placed import Layout
from doit_diskimg.errors import KeptBytes, Problem, WorldError
from doit_diskimg.host import kept
from doit_diskimg.host.folder import unlink_in
from doit_diskimg.host.kept import Places
from doit_diskimg.host.patching import alone
from doit_diskimg.host.seal import break_seal
from doit_diskimg.host.state import host_failed
from doit_diskimg.plan.picture import Picture


def check(disk: Disk, layout: Layout, found: Places) -> None:
    """Raise WorldError if an image of that layout had no room for what is the guest's."""
    problems = list(_misfits(disk, layout, found))
    if problems:
        raise WorldError(*problems)


def _misfits(disk: Disk, layout: Layout, found: Places) -> Iterator[Problem]:
    wheres = {part.name: index for index, part in enumerate(disk.partitions) if part.persist}
    for name, place in found.items():
        give_up = f"give it up by doit {disk.name}:{name}:reset"
        if name not in wheres:
            yield KeptBytes(
                "partitions", f"no partition {name!r} has persist=True any more",
                "what its guest wrote may not be lost", f"describe it as it was, or {give_up}",
            )
        elif place is not None and place.length != layout.extent(name).length:
            yield KeptBytes(
                f"partitions[{wheres[name]}].size",
                f"{name!r} would have {layout.extent(name).length:,} bytes",
                f"what its guest wrote has {place.length:,}", f"write that size, or {give_up}",
            )


def places_after(job: Job, found: Places) -> Places:
    """Return where the guest's bytes will lie, if there is room for them.  Raises WorldError."""
    layout = layout_of(job)
    check(job.disk, layout, found)
    return {name: layout.extent(name) for name in job.guests}


def settled(job: Job, layout: Layout, table: Picture) -> Places:
    """Return the places of the guest's bytes in the image, all of them known.

    Without a record, an image whose partition table is the one of this layout has them where this
    layout says.  Raises WorldError.
    """
    disk, state = job.disk, job.state
    found = places(state, job.guests)
    check(disk, layout, found)
    if any(place is None for place in found.values()):
        if not _has_table(state.image, layout, table):
            raise WorldError(*[
                KeptBytes(
                    state.image, f"nothing says where in it {name!r} lies",
                    "what a guest wrote may not be lost",
                    f"copy it out of the image, and run doit {disk.name}:{name}:reset",
                )
                for name, place in found.items() if place is None
            ])
        found = {name: place or layout.extent(name) for name, place in found.items()}
    _check_image(disk, state.image, found)
    return found


def _has_table(image: str, layout: Layout, table: Picture) -> bool:
    """Return whether an image has the length and the partition table of this layout."""
    try:
        with open(image, "rb") as file:
            if os.fstat(file.fileno()).st_size != layout.size:
                return False
            for piece in table.pieces:
                file.seek(piece.start)
                wanted = table.blob[piece.offset : piece.offset + piece.length]
                if file.read(piece.length) != wanted:
                    return False
            return True
    except OSError as error:
        raise host_failed(image, error, "read it") from error


def _check_image(disk: Disk, image: str, found: Places) -> None:
    """Raise WorldError unless the image has the bytes that are on record."""
    try:
        length = os.stat(image).st_size
        text = f"it has {length:,} bytes, and no longer all of"
    except OSError:
        length, text = 0, "it is gone, and with it"
    problems = [
        KeptBytes(
            image, f"{text} what a guest wrote to {name!r}", "it may not be lost",
            f"put the image back, or give it up by doit {disk.name}:{name}:reset",
        )
        for name, place in found.items() if place is not None and place.end > length
    ]
    if problems:
        raise WorldError(*problems)


def give_up(job: Job, name: str) -> str:
    """Take a partition off the record: the next build makes it anew.  Raises WorldError."""
    with alone(job.state):  # with -n the same run may be about to seal, and store the record
        return _give_up(job, name)


def _give_up(job: Job, name: str) -> str:
    state = job.state
    found = places(state, job.guests)
    if name not in found:
        return f"{name}: there is nothing of a guest's to give up"
    break_seal(state)
    for suffix in (".plan", ".injected"):  # what they say is of another time
        _remove(state.file(name, suffix))
    found.pop(name)
    kept.store(state, found)
    return f"{name}: what its guest wrote is given up; the next build makes it anew"


def _remove(path: str) -> None:
    try:
        unlink_in(path)
    except OSError as error:
        raise host_failed(path, error, "remove it") from error


def unlinked(name: str) -> Problem:
    """Return what is wrong with a linked image of a disk with such a partition."""
    return KeptBytes(
        "linked", f"{name!r} has persist=True", "a linked image shows the sources, and no bytes "
        "of a guest", "boot the image itself, or leave persist out",
    )
