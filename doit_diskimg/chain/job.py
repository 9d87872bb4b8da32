"""One disk that is built: its description, its time stamp, its state folder, and the shortcuts."""

import os
from collections.abc import Callable, Sequence
from typing import Any, Protocol

from doit_diskimg.disk.model import Disk
from doit_diskimg.disk.placed import TABLE, decode_places
from doit_diskimg.errors import BadValue, DescriptionError, Problem
from doit_diskimg.host.machine import epoch
from doit_diskimg.host.paths import normal
from doit_diskimg.host.recorded import Answers, ask_again
from doit_diskimg.host.seal import sealed_generation
from doit_diskimg.host.session import Session
from doit_diskimg.host.state import (
    StateFolder,
    load_if_whole,
    read_json,
    read_record,
    write_record,
)
from doit_diskimg.plan.content import Tree

INJECTED_FILES = ".files-injected.json"
"""Ending of the state file with what the injection of a part without a plan asked."""

PLACES = ".places.json"
"""Ending of the state file with what others ask of a volume."""

CLAIMS = ".output.json"
"""Ending of the state file that says which file outside the state folder is ours."""


class Shortcut(Protocol):
    """A quicker way to the same plan, which a skin may hand to the chain; see `shortcuts`."""

    def amend(self, step: Any) -> list[str] | None:
        """Write a plan and what was asked, and return its notes; None if it has to be planned."""
        ...

    def noted(self, step: Any, picture: Any) -> dict[str, Any]:
        """Return what to note in the record of a partition that was planned."""
        ...


class Job:
    """What every step of one disk works with; made by a skin, cheap, and the same for all steps.

    ``shortcut`` returns the shortcut when it is needed first, ``session`` is what the process knows
    of files that it has read; a worker of doit's gets its own.
    """

    def __init__(
        self,
        disk: Disk,
        epoch: int,
        shortcut: Callable[[], Shortcut | None] | None = None,
        session: Session | None = None,
    ) -> None:
        self.disk = disk
        self.epoch = epoch
        self.state = StateFolder(normal(disk.image))
        self.ours: tuple[int, int] | None = None
        """The file in the image's place that was proved to be ours: a build breaks the seal."""
        self._shortcut = shortcut
        self.session = session or Session()

    def __getstate__(self) -> dict[str, Any]:
        return {**vars(self), "session": None}

    @property
    def shortcut(self) -> Shortcut | None:
        """The shortcut, if there is one."""
        return self._shortcut() if self._shortcut else None

    @property
    def parts(self) -> list[str]:
        """The names of everything that is injected."""
        parts = [part.name for part in self.disk.partitions]
        parts += [segment.name for _, segment in self.disk.outside]
        return parts if self.disk.table is None else [*parts, TABLE]

    @property
    def guests(self) -> list[str]:
        """The names of the partitions that the description leaves to the guest."""
        return [part.name for part in self.disk.partitions if part.persist]

    def stored_places(self) -> tuple[dict[str, list[int]], str, int]:
        """Return what `decode_places` finds in the layout that the table's step wrote, if anything.
        """
        return load_if_whole(self.state.file("layout.json"), decode_places) or ({}, "", 0)

    def image_unlike(self) -> str:
        """Return why the image is not the one that was sealed last, or that a part has to move.

        Empty if it is and stays.
        """
        state = self.state
        if not os.path.lexists(state.image):
            return f"there is no {state.image!r}"
        generation = read_json(state.file("generation"))
        if os.path.exists(state.building(str(generation.get("id", "")))):
            return "a build is not finished"
        if sealed_generation(state) != generation.get("id"):
            return f"{state.image!r} is not as the last build left it"
        skeleton = self.stored_places()[1]
        if not skeleton or skeleton != generation.get("skeleton"):
            return "the layout of the disk changed"
        return ""


def checked_epoch(problems: Sequence[Problem]) -> int:
    """Return the time stamp of everything in an image.  Raises DescriptionError.

    ``problems`` are what is wrong with the description.
    """
    try:
        seconds = epoch()
    except ValueError as error:
        wrong = BadValue(
            "SOURCE_DATE_EPOCH", str(error), "must be seconds since 1970, a whole number",
            "unset it, or set it to a number",
        )
        raise DescriptionError(*problems, wrong) from None
    if problems:
        raise DescriptionError(*problems)
    return seconds


class Asked:
    """What a step asked about the user's files: the state file with questions and answers.

    The record vouches for what the step made, so it is written after it: a record that a killed
    build leaves never speaks of results that are not there.
    """

    def __init__(self, job: Job, path: str, trees: Sequence[Tree] = ()) -> None:
        self._job = job
        self.path = path
        self._trees = trees
        self._answers: Answers | None = None

    def changed(self) -> str:
        """Return in words what is not as it was, after the steps that make the files.

        A file that was only touched is read once: its new time stamp goes into the record.
        """
        record = read_record(self.path)
        found = self._answers = self._ask(record)
        if found.record is not record and found.record != record:
            write_record(self.path, found.record)
        return found.text

    def take(self) -> Answers:
        """Return what became of the answers, as `changed` has just found it, once."""
        found, self._answers = self._answers, None
        return found or self._ask(read_record(self.path))

    def _ask(self, record: dict[str, Any]) -> Answers:
        return ask_again(record, self._trees, self._job.session)
