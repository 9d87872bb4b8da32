"""What earlier steps left in the state folder; each raises WorldError for what is broken."""

from collections.abc import Callable, Sequence
from typing import TypeVar

from doit_diskimg.chain.job import Job
from doit_diskimg.disk.placed import Layout, decode_layout
from doit_diskimg.host.state import StateFolder, broken, load, need
from doit_diskimg.plan.picture import Picture
from doit_diskimg.plan.stored import Plan, decode_plan, decode_receipt

_T = TypeVar("_T")


def stored_plan(state: StateFolder, name: str) -> Plan:
    """Return the plan of a part, at which nobody has looked yet."""
    return Plan(need(state.file(name, ".plan")), need(state.file(name, ".blob")))


def planned(state: StateFolder, name: str) -> Picture:
    """Return what an earlier step planned for a part."""
    blob = need(state.file(name, ".blob"))
    return load(state.file(name, ".plan"), lambda text: decode_plan(Plan(text, blob)))


def injected(state: StateFolder, parts: Sequence[str], generation: str) -> dict[str, Picture]:
    """Return what the image holds, by part; every part must be of this generation."""

    def decode(receipt: bytes) -> tuple[str, Picture]:
        injected_into, plan = decode_receipt(receipt)
        return injected_into, decode_plan(plan)

    return receipts(state, parts, generation, decode)


def receipts(
    state: StateFolder,
    parts: Sequence[str],
    generation: str,
    decode: Callable[[bytes], tuple[str, _T]],
) -> dict[str, _T]:
    """Return what ``decode`` finds in each part's receipt beside its generation."""
    found = {}
    for part in parts:
        path = state.file(part, ".injected")
        injected_into, found[part] = load(path, decode)
        if injected_into != generation:
            raise broken(path, "it is of another image")
    return found


def layout_of(job: Job) -> Layout:
    """Return the layout of a disk.  Raises WorldError."""
    return load(job.state.file("layout.json"), decode_layout)
