"""What differs between the image and the plan of one part of the disk, written into the image.

The steps before decide; here the image is patched.
"""

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import TypeVar

from doit_diskimg.chain.guests import listed
from doit_diskimg.chain.job import Job
from doit_diskimg.chain.results import receipts, stored_plan
from doit_diskimg.chain.step import Step
from doit_diskimg.errors import WorldError
from doit_diskimg.host import kept
from doit_diskimg.host.image import ImageFile
from doit_diskimg.host.patching import alone, open_for_patching
from doit_diskimg.host.state import UNREADABLE, StateFolder, broken, read, write
from doit_diskimg.plan.moves import in_words
from doit_diskimg.plan.patch import diff
from doit_diskimg.plan.picture import Picture
from doit_diskimg.plan.stored import (
    Plan,
    decode_differing,
    decode_plan,
    decode_receipt,
    encode_plan,
    encode_receipt,
    encode_torn,
)
from doit_diskimg.units import counted, format_size

_T = TypeVar("_T")

_NOTHING = encode_plan(Picture())
"""What a new image holds."""


def inject(step: Step) -> str:
    """Inject what an earlier step planned."""
    job, name = step.job, step.part
    return left_alone(job, name) or inject_plan(step, stored_plan(job.state, name))


def left_alone(job: Job, name: str) -> str:
    """Return what to say of a partition that is the guest's own; empty of all others.

    One that the guest has not got yet is made in a new image.
    """
    if name not in job.guests:
        return ""
    if name not in (kept.recorded(job.state) or {}):
        if job.state.current(job.state.generation()) == job.state.image:
            raise broken(kept.path_of(job.state), f"it does not know {name!r}")
        return ""
    return f"{name} is the guest's own: nothing written"


def inject_plan(step: Step, plan: Plan) -> str:
    """Make the part of the image hold what is planned; write ``P.injected``."""
    job, name = step.job, step.part
    state, receipt = job.state, job.state.file(name, ".injected")
    generation = state.generation()
    held = _held(state, name, generation)
    old, new = _pictures(state, name, held, plan)
    patch, news = diff(old, new), ""
    if patch.extents:
        image, news = open_for_patching(
            state, generation, job.disk.busy, receipt, listed(job.guests)
        )
        with image, _noted(job, image):
            # Only of a file that nobody has finished yet is it sure what it holds otherwise.
            fresh = held == _NOTHING and image.path != state.image
            image.apply(patch, plan.blob, fresh=fresh)
        step.written = image.written
    write(receipt, encode_receipt(plan, generation))
    edits, moved, lines = in_words(old, new)
    extents = f"{counted(patch.extents, 'extent')}, {format_size(step.written)} written"
    said = f"{edits}{': ' * bool(edits)}{extents}{', ' * bool(moved)}{moved}"
    return "\n".join(filter(None, (news, said, *lines)))


def foretell(job: Job, name: str) -> str:
    """Return which files the injection of a plan will add, remove and move, and why; empty if none.
    """
    with suppress(WorldError):
        state = job.state
        held = _held(state, name, state.generation())
        old, new = _pictures(state, name, held, stored_plan(state, name))
        edits, moved, lines = in_words(old, new)
        return "; ".join(filter(None, (edits, moved, *lines)))
    return ""


@contextmanager
def _noted(job: Job, image: ImageFile) -> Iterator[None]:
    """Note what a finished image looks like after our write, also if that failed."""
    try:
        yield
    finally:
        if job.disk.guest_writes == "error" and image.path == job.state.image:
            with suppress(OSError), alone(job.state):
                image.note_ours(job.state)


def _pictures(
    state: StateFolder, name: str, held: Plan, plan: Plan
) -> tuple[Picture, Picture]:
    """Return what the image holds and what it must hold, without what is in both."""
    try:
        return decode_differing(held, plan)
    except UNREADABLE as error:
        with suppress(*UNREADABLE):
            decode_plan(plan)
            raise _unusable(state.file(name, ".injected"), error) from error
        raise _unusable(state.file(name, ".plan"), error) from error


def _held(state: StateFolder, name: str, generation: str) -> Plan:
    """Return what the image holds: in a new one, which has no receipt yet, nothing."""
    data = read(state.file(name, ".injected")) or b""
    is_new = state.current(generation) != state.image
    if is_new and data != encode_torn(generation):
        with suppress(*UNREADABLE):
            injected_into, plan = decode_receipt(data)
            decode_plan(plan)
            return plan if injected_into == generation else _NOTHING
        return _NOTHING
    return receipts(state, [name], generation, _decode_whole)[name]


def _decode_whole(receipt: bytes) -> tuple[str, Plan]:
    """Return what `decode_receipt` finds, if the plan is all there."""
    injected_into, plan = decode_receipt(receipt)
    plan.total()
    return injected_into, plan


def _unusable(path: str, error: Exception) -> WorldError:
    return broken(path, f"it can't be used: {error}")
