"""What every `doit` needs to know of partitions that belong to a guest; `keeping` has the rest."""

import os
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

from doit_diskimg.host.state import StateFolder, read_json
from doit_diskimg.tasks.on_request import LateOnRequest, OnRequest
from doit_diskimg.tasks.uptodate import Reason

if TYPE_CHECKING:
    from doit_diskimg.disk.model import Disk
    from doit_diskimg.host.kept import Places


def guests_of(disk: "Disk") -> list[str]:
    """Return the names of the partitions that a description leaves to the guest."""
    return [part.name for part in disk.partitions if part.persist]


def places(state: StateFolder, names: Sequence[str]) -> "Places":
    """Return which partitions of the image there is are the guest's, and where they lie.

    ``names`` are those that the description leaves to it.  Without a record that can be read,
    whatever might be the guest's is, in a place that nobody knows.
    """
    there = os.path.exists(state.file("kept.json"))
    if there:
        from doit_diskimg.host.kept import recorded

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
        from doit_diskimg.host.seal import sealed_generation

        # Nobody wrote to a finished image in which everything was ours.
        lost = [] if sealed_generation(state) else [*names]
    return dict.fromkeys(lost)


class Guests(Reason):
    """The partition is the guest's, so that there is nothing to do.

    Else it has to be made, in this run: nothing of an earlier one counts.
    """

    def __init__(self, state: StateFolder, name: str) -> None:
        self._state = state
        self._name = name

    def reason(self, task: Any, values: dict[str, Any]) -> str:
        """Return that it has to be made, if it has."""
        # Nothing but this answer shall count, so doit gets nothing else to look at or to store.
        task.file_dep, task.targets = set(), []
        from doit_diskimg.host.kept import recorded

        if self._name in (recorded(self._state) or {}):
            return ""
        return f"{self._name} has still to be made"


class Reset(OnRequest):
    """It gives up what a guest wrote, when it is named letter by letter."""

    aloud = True


def left_to_guest(task: dict[str, Any], state: StateFolder) -> dict[str, Any]:
    """Return a task of a partition that has nothing to do once the guest has it."""
    name = task["name"].rpartition(":")[0]
    return {**task, "uptodate": [Guests(state, name)]}


def resets(disk: "Disk", epoch: int, state: StateFolder) -> Iterator[dict[str, Any]]:
    """Yield a task for each partition that is the guest's, whether it is described or not."""
    names = guests_of(disk)
    for name in dict.fromkeys([*names, *places(state, names)]):
        yield {
            "basename": disk.name,
            "name": f"{name}:reset",
            "doc": f"give up what the guest wrote to {name} (when asked for by name)",
            "actions": [LateOnRequest("keeping.GiveUp", disk, epoch, name)],
            "uptodate": [Reset()],
        }


