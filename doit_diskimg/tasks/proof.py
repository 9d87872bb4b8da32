"""Whether the file in the image's place is ours; asked before a step writes anything."""

import os
from contextlib import suppress

from doit_diskimg.errors import WorldError
from doit_diskimg.host.machine import which
from doit_diskimg.host.state import StateFolder, read, read_json

_sure: dict[str, tuple[int, int]] = {}
"""The image of each path that this process has found to be ours: a build breaks the seal."""


def check(state: StateFolder, *, replace: bool) -> None:
    """Raise WorldError unless the image is ours, or not there, or may be replaced whatever it is.
    """
    if not replace and not is_ours(state):
        from doit_diskimg.host.own import foreign

        raise foreign(state.image)


def is_ours(state: StateFolder) -> bool:
    """Return whether the file in the image's place is ours to replace, or there is none."""
    try:
        status = os.lstat(state.image)
    except FileNotFoundError:
        return True
    key = which(status)
    if _sure.get(state.image) != key:
        if not _is_as_sealed(state, status) and not _is_recorded(state) and not _holds(state):
            return False
        _sure[state.image] = key
    return True


def _is_as_sealed(state: StateFolder, status: os.stat_result) -> bool:
    """Return whether the image is as it was sealed, or, in a state folder from before there were
    records, the file that was sealed.
    """
    from doit_diskimg.host import own

    recorded = own.is_recorded(own.images(state))
    for name in ("seal.json", "broken.json"):
        found = read_json(state.file(name)).get("image")
        if not isinstance(found, dict) or found.get("size") != status.st_size:
            continue
        if found.get("mtime_ns") == status.st_mtime_ns:
            if not recorded:  # it was lost, or never there
                own.claim(own.images(state), state.image, state.image)
            return True
        if not recorded and found.get("inode") == status.st_ino:
            return True
    return False


def _is_recorded(state: StateFolder) -> bool:
    from doit_diskimg.host import own

    return own.is_claimed(own.images(state), state.image)


def _holds(state: StateFolder) -> bool:
    """Return whether the image's bytes are what the sealed receipts say; it is read to find out.

    That is the last proof: of a project that was restored without its nanoseconds, or of a backup
    that was put back.  What belongs to a guest may be anything.
    """
    from doit_diskimg.chain.as_planned import compare_bytes
    from doit_diskimg.host import kept
    from doit_diskimg.plan.stored import decode_plan, decode_receipt
    from doit_diskimg.verify.finding import Findings
    from doit_diskimg.verify.source import Source

    seal = read_json(state.file("seal.json"))
    names, image = seal.get("receipts"), seal.get("image")
    if not isinstance(names, dict) or not isinstance(image, dict):
        return False
    size, guests = image.get("size"), kept.recorded(state) or {}
    # The first seal has receipts of what was made for a guest, who may have overwritten it.
    theirs = {os.path.basename(state.file(name, ".injected")) for name in guests}
    with suppress(ValueError, KeyError, TypeError, WorldError):
        pictures = []
        for name in {os.path.basename(name) for name in names} - theirs:
            receipt = read(os.path.join(state.path, name)) or b""
            generation, plan = decode_receipt(receipt)
            if generation != seal.get("generation"):
                return False
            pictures.append(decode_plan(plan))
        if not isinstance(size, int) or not any(picture.pieces for picture in pictures):
            return False
        differences = Findings()
        with Source(state.image) as source:
            compare_bytes(source, size, pictures, differences, list(filter(None, guests.values())))
        return not list(differences)
    return False
