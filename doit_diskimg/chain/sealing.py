"""The image declared finished and, in a new generation, put in the old one's place."""

import json
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from doit_diskimg.chain.guests import listed, ours
from doit_diskimg.chain.job import Job
from doit_diskimg.chain.results import receipts
from doit_diskimg.disk.placed import decode_places
from doit_diskimg.host import kept, own, seal
from doit_diskimg.host.failure import forget
from doit_diskimg.host.hashing import changed
from doit_diskimg.host.image import ImageFile
from doit_diskimg.host.kept import Places
from doit_diskimg.host.machine import new_generation
from doit_diskimg.host.patching import alone
from doit_diskimg.host.state import StateFolder, broken, host_failed, load
from doit_diskimg.plan.content import digest_of
from doit_diskimg.plan.stored import decode_head


def seal_image(job: Job) -> str | None:
    """Write ``seal.json``; the image is at its path afterwards."""
    with alone(job.state):
        text = _seal(job)
    forget(job.state)
    return text


def _seal(job: Job) -> str | None:
    state, generation = job.state, job.state.generation()
    current, found = state.current(generation), kept.recorded(state) or {}
    after = _after(job, found)
    if current == state.image and found != after:
        raise broken(kept.path_of(state), "it is not of this image")
    if current == state.image and not after and seal.written_by_others(state):
        raise changed(current)
    parts = ours(state, job.parts)
    digest = _digest(job, parts, generation)
    with _carried(state, current, found, after):
        identity = seal.mark(current, digest)
        if job.disk.durable or (after and current != state.image):
            seal.sync(current)
        if after and current != state.image:
            kept.store(state, found, kept.coming(state, generation, after))
        files = [state.file(part, ".injected") for part in parts]
        if current != state.image:
            seal.break_seal(state)  # until the new image is there, the old seal is of use
        seal.write_seal(state, identity, generation, digest, files)
        if current == state.image:
            found = {}
        else:
            own.claim(own.images(state), current, state.image)
            _replace(state, current)
    if after:
        kept.store(state, after)
    if job.disk.durable:
        seal.sync(state.path)
        seal.sync(os.path.dirname(state.image) or os.curdir)
    return f"{listed(found)}: carried over" if found else None


def _after(job: Job, found: Places) -> Places:
    """Return where the guest's bytes will lie."""
    if not found and not job.guests:
        return {}
    from doit_diskimg.chain.keeping import places_after

    return places_after(job, found)


@contextmanager
def _carried(state: StateFolder, current: str, found: Places, after: Places) -> Iterator[None]:
    """Copy what is the guest's into a new image; until the end nobody can write to the old."""
    image = state.image
    if current == image or not found:
        yield
        return
    with kept.held_still(image, listed(found)) as old, ImageFile(current, inside=True) as new:
        for name, place in found.items():
            target = after[name]
            if place is None or target is None:
                raise broken(kept.path_of(state), f"it does not say where {name!r} lies")
            new.carry(old, image, place, target.start)
        yield


def _replace(state: StateFolder, current: str) -> None:
    try:
        os.replace(current, state.image)
    except OSError as error:
        raise host_failed(state.image, error, "put the new image there") from error


def _digest(job: Job, parts: Sequence[str], generation: str) -> str:
    """Return the digest of the whole image; what a guest wrote is another thing each time."""
    state = job.state
    held: list[object] = [*receipts(state, parts, generation, decode_head).values()]
    held += [new_generation()] if job.guests else []
    size = load(state.file("layout.json"), decode_places)[2]
    return digest_of(json.dumps([size, held]).encode("ascii"))
