"""The tasks of one disk: the steps of the chain, and what else doit can be asked for."""

import os
from collections.abc import Iterable, Iterator
from contextlib import suppress
from functools import cached_property, partial
from os import fspath
from typing import Any

from doit_diskimg.chain.job import Job, Shortcut
from doit_diskimg.chain.step import Step
from doit_diskimg.chain.steps import outputs, steps
from doit_diskimg.disk.model import Disk
from doit_diskimg.disk.sockets import Engines
from doit_diskimg.errors import WorldError
from doit_diskimg.frozen import dataclass
from doit_diskimg.host.paths import normal, spellings, spellings_below
from doit_diskimg.host.state import StateFolder, read_json
from doit_diskimg.host.walk import walk
from doit_diskimg.plan.content import Tree, Wanted
from doit_diskimg.tasks import SESSION
from doit_diskimg.tasks.action import AsBefore, Clean, CleanFile, RunStep
from doit_diskimg.tasks.on_request import LateOnRequest, OnRequest, second_look
from doit_diskimg.tasks.turn import OrderOnly, in_turn

_Task = dict[str, Any]


def _foretold(step: Step) -> str:
    """Return what the step's next run will do, beside why, for `doit info`."""
    if not step.name.endswith(":inject"):
        return ""
    from doit_diskimg.chain.inject import foretell

    return foretell(step.job, step.part)


@dataclass(frozen=True)
class DiskTasks:
    """Makes the tasks of one disk, in the order of the work."""

    disk: Disk
    epoch: int

    def __iter__(self) -> Iterator[_Task]:
        yield {
            "basename": self.disk.name,
            "name": None,
            "doc": f"build the disk image {self.state.image}",
        }
        yield from (in_turn(task, self.state, self.disk.name) for task in self._tasks())

    def _tasks(self) -> Iterator[_Task]:
        yield from map(self.of_step, steps(self.job))
        yield self._verify()
        yield from self._resets()
        yield from self._crosschecks()
        yield from map(self.of_step, outputs(self.job))

    def of_step(self, step: Step) -> _Task:
        """Return the task of a step: doit orders it, `Facts` tells whether it runs."""
        name = self.disk.name
        first = {name: None for tree in step.trees for name in tree.after}  # a set that keeps order
        task = {
            "basename": name,
            "name": step.name,
            "doc": step.doc,
            "actions": [RunStep(step)],
            # For the order alone; see `turn.OrderOnly`.
            "file_dep": [path for want in step.sources for path in _spelled(want)],
            "task_dep": [*first, *(f"{name}:{other}" for other in step.after)],
            # Of what is the guest's nothing has to be there.
            "targets": [] if step.of_guest else step.results,
            "uptodate": [OrderOnly(), AsBefore(step.facts, foretold=partial(_foretold, step))],
            "watch": [normal(tree.dir) for tree in step.trees],
            "verbosity": 2,
        }
        if step.name == "seal":
            task["clean"] = [Clean(self.state.image, name, self.job.guests)]
        if step.claims:
            task["clean"] = [CleanFile(self.state.image, name, step.claims, step.results[0])]
        return task

    def _verify(self) -> _Task:
        """Return the task that reads the finished image back."""
        name = self.disk.name
        return {
            "basename": name,
            "name": "verify",
            "doc": "read the image back and look for defects (when asked for by name)",
            "actions": [LateOnRequest("verify_task.Verify", self.disk, self.epoch, self.job.parts)],
            "task_dep": [f"{name}:seal"],
            "uptodate": [second_look(
                self.state.file("seal.json"), "the seal of the image", "it was not read back yet"
            )],
        }

    def _crosschecks(self) -> Iterator[_Task]:
        """Yield the task of each volume that several engines can make."""
        name = self.disk.name
        for part in self.disk.parts():
            if isinstance(part.payload, Engines):
                late = LateOnRequest("crosscheck.CrossCheck", self.disk, self.epoch, part.index)
                yield {
                    "basename": name,
                    "name": f"{part.name}:crosscheck",
                    "doc": f"make the volume in {part.name} with every engine "
                    "(when asked for by name)",
                    "actions": [late],
                    "task_dep": [f"{name}:{part.name}:populate"],
                    "uptodate": [second_look(
                        self.state.file(part.name, ".plan"), "the plan of the volume",
                        "the other engines have not made it yet",
                    )],
                }

    def _resets(self) -> Iterator[_Task]:
        """Yield a task for each partition that is the guest's, whether it is described or not."""
        for name in self._guests():
            yield {
                "basename": self.disk.name,
                "name": f"{name}:reset",
                "doc": f"give up what the guest wrote to {name} (when asked for by name)",
                "actions": [LateOnRequest("action.GiveUp", self.disk, self.epoch, name)],
                "uptodate": [Reset()],
            }

    def _guests(self) -> Iterable[str]:
        """Return the partitions of the guest's, whether they are described or not."""
        state, names = self.state, self.job.guests
        known = os.path.exists(state.file("kept.json"))
        if not names and not known and not read_json(state.file("generation")).get("persist"):
            return ()  # of most disks
        from doit_diskimg.chain.guests import places

        return dict.fromkeys([*names, *places(state, names)])

    @cached_property
    def job(self) -> Job:
        """What the steps work with, and the shortcuts that there are."""
        return Job(self.disk, self.epoch, shortcut, SESSION)

    @property
    def state(self) -> StateFolder:
        """The state folder of the image."""
        return self.job.state

    @property
    def parts(self) -> list[str]:
        """The names of everything that is injected."""
        return self.job.parts


def shortcut() -> Shortcut | None:
    """Return the quicker way to a plan, if the folder with the shortcuts is there."""
    with suppress(ModuleNotFoundError):
        from doit_diskimg.shortcuts import amending

        return amending
    return None


class Reset(OnRequest):
    """It gives up what a guest wrote, when it is named letter by letter."""

    aloud = True


def _spelled(wanted: Wanted) -> Iterable[str]:
    """Return every spelling of the files of one source as they are now.

    A tree may gain some until the task runs.  Of one with ``after`` nothing is known yet, and
    nothing need be: the order is in the description, and what the files are is in the record.
    """
    if isinstance(wanted.source, Tree):
        if wanted.source.after:
            return ()
        try:
            entries = walk(wanted.source, wanted.where, SESSION)
        except WorldError:
            return ()  # its task will say so
        paths = [entry.source for entry in entries if entry.source]
        return spellings_below(normal(wanted.source.dir), paths)
    return () if isinstance(wanted.source, bytes) else spellings(fspath(wanted.source))
