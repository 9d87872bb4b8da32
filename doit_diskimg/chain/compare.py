"""Whether an image holds what was sealed; it is read whole to find out, by the judge's code.
"""

import os
from collections.abc import Sequence
from contextlib import suppress

from doit_diskimg.chain.as_planned import compare_bytes
from doit_diskimg.chain.job import Job
from doit_diskimg.disk.placed import Layout, decode_places
from doit_diskimg.errors import WorldError
from doit_diskimg.host import kept
from doit_diskimg.host.kept import Places
from doit_diskimg.host.seal import sealed_receipts
from doit_diskimg.host.state import UNREADABLE, StateFolder, load, need, read, read_json
from doit_diskimg.plan.picture import Picture
from doit_diskimg.plan.stored import decode_plan, decode_receipt
from doit_diskimg.verify.finding import Findings
from doit_diskimg.verify.source import Source


def only_guests_wrote(job: Job, layout: Layout, found: Places) -> bool:
    """Return whether everything else in the image is what was sealed; it is read to find out."""
    state = job.state
    generation = read_json(state.file("generation"))
    receipts = sealed_receipts(state, str(generation.get("id", "")))
    skeleton = load(state.file("layout.json"), decode_places)[1]
    if receipts is None or generation.get("skeleton") != skeleton:
        return False
    if {name: layout.extent(name) for name in job.guests} != found:
        return False
    try:
        pictures = [decode_plan(decode_receipt(need(path))[1]) for path in receipts]
    except UNREADABLE:
        return False
    return _is_same(state.image, layout.size, pictures, found)


def holds_what_was_sealed(state: StateFolder) -> bool:
    """Return whether the image's bytes are what the sealed receipts say; it is read to find out.

    That is the last proof: of a project that was restored without its nanoseconds, or of a backup
    that was put back.  What belongs to a guest may be anything.
    """
    seal = read_json(state.file("seal.json"))
    names, image = seal.get("receipts"), seal.get("image")
    if not isinstance(names, dict) or not isinstance(image, dict):
        return False
    size, guests = image.get("size"), kept.recorded(state) or {}
    # The first seal has receipts of what was made for a guest, who may have overwritten it.
    theirs = {os.path.basename(state.file(name, ".injected")) for name in guests}
    with suppress(*UNREADABLE, WorldError):
        pictures = []
        for name in {os.path.basename(name) for name in names} - theirs:
            receipt = read(os.path.join(state.path, name)) or b""
            generation, plan = decode_receipt(receipt)
            if generation != seal.get("generation"):
                return False
            pictures.append(decode_plan(plan))
        if not isinstance(size, int) or not any(picture.pieces for picture in pictures):
            return False
        return _is_same(state.image, size, pictures, guests)
    return False


def _is_same(image: str, size: int, pictures: Sequence[Picture], guests: Places) -> bool:
    """Return whether the image is what the pictures say, but for what is the guests'."""
    differences = Findings()
    with Source(image) as source:
        compare_bytes(source, size, pictures, differences, list(filter(None, guests.values())))
    return not list(differences)
