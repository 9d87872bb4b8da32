"""Why a task runs: one small object per reason, which says the reason in words.

doit looks at a task's ``uptodate`` objects first, and `doit info` prints those that say no; their
``repr`` is the sentence that a user reads there.

doit's own record is not enough for us in three ways.  It checks a target for existence only; it
is written at the end of a run, so that after a kill a newer target meets an older record; and it
takes a file's state after the action, so that a source that changed meanwhile counts as built.
The objects below close these gaps.  All of doit's ``file_dep`` machinery stays on: it gives the
order of the tasks.
"""

import os
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, ClassVar

from doit_diskimg.errors import WorldError
from doit_diskimg.host.machine import as_made
from doit_diskimg.host.paths import normal
from doit_diskimg.plan.content import Tree
from doit_diskimg.tasks import SESSION
from doit_diskimg.tasks.step import interrupted

if TYPE_CHECKING:
    from doit_diskimg.disk.placed import Layout

_Values = dict[str, Any]


class Reason:
    """A check that remembers in words why it said no."""

    text = ""

    def __call__(self, task: Any, values: _Values) -> bool:
        """Called by doit: may the task be skipped?"""
        try:
            self.text = self.reason(task, values)
        except WorldError as error:
            self.text = str(error)  # the action will run into it and say so
        except KeyboardInterrupt:
            interrupted(task.name)
        return not self.text

    def reason(self, task: Any, values: _Values) -> str:
        """Return in words why the task has to run, empty if nothing makes it.

        May raise WorldError.
        """
        raise NotImplementedError

    def __repr__(self) -> str:
        return self.text or type(self).__doc__ or ""


class Recorded(Reason):
    """The description is as it was, and the task's results are those that it made."""

    KEY = "doit_diskimg"

    def __init__(self, spec: str, outputs: Sequence[str]) -> None:
        self._spec = spec
        self._outputs = outputs

    def configure_task(self, task: Any) -> None:
        """Called by doit when the task is made: ask for a word after each success."""
        task.value_savers.append(self.values)

    def values(self) -> _Values:
        """Return what doit is to store with the task."""
        return {self.KEY: [self._spec, [as_made(path) for path in self._outputs]]}

    def reason(self, task: Any, values: _Values) -> str:
        """Return what is not as it was stored."""
        try:
            spec, outputs = values[self.KEY]
        except (KeyError, TypeError, ValueError):
            return "it has not run yet"
        if spec != self._spec:
            return "its part of the description changed, or doit_diskimg did"
        for path, signature in zip(self._outputs, outputs, strict=False):
            if signature != as_made(path):
                return f"{path!r} is not what this task wrote there"
        return ""


def as_written(
    values: _Values, outputs: Sequence[str], path: str, *, inode: bool = True
) -> bool:
    """Return whether a file is the one that its task wrote; KeyError if nothing is stored.

    Without ``inode`` a copy with its time stamp is, too.
    """
    _, signatures = values[Recorded.KEY]
    written, count = dict(zip(outputs, signatures, strict=False)), 3 if inode else 2
    return bool(written[path]) and written[path][:count] == as_made(path)[:count]


class AsSeen(Reason):
    """What the check sees is what it saw before the task's last run.

    What doit stores with a success is what was there before the action, since that is what it may
    have worked with.  What changes while it runs, or until doit hears of its end, is seen next
    time.
    """

    KEY: ClassVar[str]

    _seen: Any = None

    def configure_task(self, task: Any) -> None:
        """Called by doit when the task is made: ask for a word after each success."""
        task.value_savers.append(self.values)

    def values(self) -> _Values:
        """Return what doit is to store with the task."""
        return {self.KEY: self._seen}

    def reason(self, task: Any, values: _Values) -> str:
        """Look, after the tasks that this one needs, and return the difference."""
        before = values.get(self.KEY)
        self._seen = self.see(before)
        return self.difference(before, self._seen)

    def see(self, before: Any) -> Any:
        """Return what there is now, as plain data; ``before`` is what there was, None at first."""
        raise NotImplementedError

    def difference(self, before: Any, now: Any) -> str:
        """Return in words what makes the task run; empty if nothing does."""
        raise NotImplementedError


class PlaceAsPlanned(AsSeen):
    """The part lies where it lay when the task last ran; what else moved does not matter."""

    KEY = "doit_diskimg:place"

    def __init__(self, layout: str, name: str) -> None:
        self._layout = layout
        self._name = name

    def see(self, before: Any) -> list[int]:
        """Return the place, as the table's task decided it."""
        return stored_places(self._layout)[0].get(self._name, [])

    def difference(self, before: Any, now: list[int]) -> str:
        """Return whether it is another place."""
        return f"{self._name} has another place on the disk" if now != before else ""


class SourcesAsPlanned(Reason):
    """The user's files are those that the task read when it last ran.

    ``record`` is the state file with what it asked and the answers: a task that asked for sizes
    only does not run again for other contents.  ``deps`` are the files that doit compares itself.
    """

    def __init__(self, record: str, deps: Sequence[str], trees: Sequence[Tree]) -> None:
        self._record = record
        self._deps = frozenset(deps)
        self._trees = trees

    def reason(self, task: Any, values: _Values) -> str:
        """Return which file is another, after the tasks that make them.

        The task's ``file_dep`` has done its work by now, which is the order of the tasks.  It holds
        every spelling of each path, since doit links a file to the task that makes it by comparing
        text.  What doit would find out about the user's files the record says better: they are
        looked at once, by us, and not read again to store what they are.
        """
        from doit_diskimg.host import recorded
        from doit_diskimg.host.state import read_record, write_record

        task.file_dep &= self._deps
        record = read_record(self._record)
        found = recorded.latest[self._record] = recorded.ask_again(record, self._trees, SESSION)
        if found.record is not record and found.record != record:
            write_record(self._record, found.record)
        return found.text


class ImageAsSealed(Reason):
    """The image is the one that was sealed last, and no part of it has to move.

    ``guests`` are the partitions that belong to the guest.
    """

    def __init__(self, image: str, guests: Sequence[str] = ()) -> None:
        self._image = normal(image)
        self._guests = guests

    def reason(self, task: Any, values: _Values) -> str:
        """Return what has become of the image."""
        from doit_diskimg.host.seal import sealed_generation
        from doit_diskimg.host.state import StateFolder, read_json

        state = StateFolder(self._image)
        if not os.path.lexists(self._image):
            return f"there is no {self._image!r}"
        generation = read_json(state.file("generation"))
        if os.path.exists(state.building(str(generation.get("id", "")))):
            return "a build is not finished"
        if sealed_generation(state) != generation.get("id"):
            return f"{self._image!r} is not as the last build left it"
        return self._moved(state, generation) or self._unmade(state)

    def _unmade(self, state: Any) -> str:
        if not self._guests:
            return ""
        from doit_diskimg.host.kept import recorded

        known = recorded(state) or {}
        return next((f"{name} has still to be made" for name in self._guests if name not in known),
                    "")

    @staticmethod
    def _moved(state: Any, generation: dict[str, object]) -> str:
        skeleton = stored_places(state.file("layout.json"))[1]
        if not skeleton or skeleton != generation.get("skeleton"):
            return "the layout of the disk changed"
        return ""


def stored_layout(path: str) -> "Layout | None":
    """Return the layout that the table's task wrote, None if there is none that can be read."""
    from doit_diskimg.disk.placed import decode_layout
    from doit_diskimg.host.state import read

    try:
        return decode_layout(read(path) or b"")
    except (ValueError, KeyError, TypeError):
        return None


def stored_places(path: str) -> tuple[dict[str, list[int]], str, int]:
    """Return what `decode_places` finds in the layout that the table's task wrote, if anything."""
    from doit_diskimg.disk.placed import decode_places
    from doit_diskimg.host.state import read

    try:
        return decode_places(read(path) or b"")
    except (ValueError, KeyError, TypeError):
        return {}, "", 0
