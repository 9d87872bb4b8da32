"""Why a task runs: one small object per reason, which says the reason in words.

doit looks at a task's ``uptodate`` objects first, and `doit info` prints those that say no; their
``repr`` is the sentence that a user reads there.

doit's own record is not enough for us in three ways.  It checks a target for existence only; it
is written at the end of a run, so that after a kill a newer target meets an older record; and it
takes a file's state after the action, so that a source that changed meanwhile counts as built.
The objects below close these gaps.  All of doit's ``file_dep`` machinery stays on: it gives the
order of the tasks.
"""

from collections.abc import Sequence
from typing import Any, ClassVar

from doit_diskimg.chain.job import Job
from doit_diskimg.disk.links import Needs
from doit_diskimg.errors import WorldError
from doit_diskimg.host.machine import as_made
from doit_diskimg.plan.content import Tree
from doit_diskimg.tasks import SESSION
from doit_diskimg.tasks.action import interrupted

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
        found = recorded.ask_again(record, self._trees, SESSION)
        if found.record is not record and found.record != record:
            write_record(self._record, found.record)
        return found.text


class NumbersAsResolved(AsSeen):
    """The numbers of the layout that a linked image shows are those of its last run."""

    KEY = "doit_diskimg:numbers"

    def __init__(self, job: Job, needs: Needs) -> None:
        self._job = job
        self._needs = needs

    def see(self, before: Any) -> _Values:
        """Return each symbol's value, by its text."""
        from doit_diskimg.chain.numbers import resolved

        return resolved(self._job, self._needs)

    def difference(self, before: Any, now: _Values) -> str:
        """Return a number that is new or another one."""
        known = before or {}
        return next((f"{name} changed" for name in now if known.get(name) != now[name]), "")
