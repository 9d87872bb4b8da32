"""Which partitions belong to a guest; `keeping` has the rest."""

import os
from collections.abc import Iterable, Sequence

from doit_diskimg.host.kept import Places, recorded
from doit_diskimg.host.seal import sealed_generation
from doit_diskimg.host.state import StateFolder, read_json


def places(state: StateFolder, names: Sequence[str]) -> Places:
    """Return which partitions of the image there is are the guest's, and where they lie.

    ``names`` are those that the description leaves to it.  Without a record that can be read,
    whatever might be the guest's is, in a place that nobody knows.
    """
    there = os.path.exists(state.file("kept.json"))
    if there:
        found = recorded(state)
        if found is not None:
            return found
    if not os.path.lexists(state.image):
        return {}
    before = read_json(state.file("generation")).get("persist")
    lost = [str(name) for name in before] if isinstance(before, list) else []
    if not lost and there:
        lost = [*names] or ["?"]
    if not lost and names:
        # Nobody wrote to a finished image in which everything was ours.
        lost = [] if sealed_generation(state) else [*names]
    return dict.fromkeys(lost)


def unmade(state: StateFolder, names: Sequence[str]) -> str:
    """Return which of the guest's partitions has to be made; empty if the guest has them all."""
    known = recorded(state) or {}
    return next((f"{name} has still to be made" for name in names if name not in known), "")


def ours(state: StateFolder, parts: Sequence[str]) -> list[str]:
    """Return the parts of the disk that our tasks write."""
    guests = recorded(state) or {}
    return [part for part in parts if part not in guests]


def listed(names: Iterable[str]) -> str:
    """Return the names as a user reads them."""
    return ", ".join(map(repr, names))
