"""What doit calls: picklable actions, which never show a traceback to a user, and their check."""

import sys
from collections.abc import Callable, Sequence
from functools import cached_property
from typing import Any, NoReturn

from doit_diskimg.chain.facts import Facts, nothing_unmet
from doit_diskimg.chain.job import Job
from doit_diskimg.chain.step import Step
from doit_diskimg.disk.model import Disk
from doit_diskimg.errors import DiskimgError
from doit_diskimg.frozen import dataclass
from doit_diskimg.host.state import StateFolder
from doit_diskimg.tasks import SESSION

_INTERRUPTED = 130
"""What shells report of a program that Ctrl-C ended."""


@dataclass(frozen=True)
class Action:
    """One action on one disk; subclasses say what in `run`.

    Instances of module-level classes with plain fields, since doit pickles them for ``-n`` where
    processes are spawned.
    """

    disk: Disk
    epoch: int

    @cached_property
    def job(self) -> Job:
        """What the functions of the chain work with."""
        return Job(self.disk, self.epoch, session=SESSION)

    @property
    def state(self) -> StateFolder:
        """The state folder of the disk's image."""
        return self.job.state

    def run(self) -> str | None:
        """Do the work and return what to tell the user, if anything."""
        raise NotImplementedError

    def __call__(self) -> Any:
        """Called by doit."""
        return perform(self.job, self.run)


class RunStep:
    """Runs a step of the chain, for doit."""

    def __init__(self, step: Step) -> None:
        self._step = step

    def __repr__(self) -> str:
        return f"<step {self._step.name}>"

    def __call__(self) -> Any:
        """Called by doit."""
        self._step.job.session = SESSION  # of this process: doit may have handed us to a worker
        return perform(self._step.job, self._step.run)


def perform(job: Job, work: Callable[[], str | None]) -> Any:
    """Do some work on an image; return None or doit's `TaskFailed`.

    This is the one place where our exceptions become a failed task.
    """
    from doit_diskimg.chain.run import run
    from doit_diskimg.host.child import follow_doit
    from doit_diskimg.host.terminal import fitting, say

    follow_doit()
    try:
        text = run(job, work)
    except DiskimgError as error:
        from doit.exceptions import TaskFailed  # late: a machine is described without doit

        return TaskFailed(fitting(failure_text(job.disk.name, error)))
    except KeyboardInterrupt:
        interrupted(job.disk.name)
    if text:
        say(text)
    return None


def interrupted(name: str) -> NoReturn:
    """Leave after Ctrl-C."""
    # doit would show where in our code it was; nobody who pressed Ctrl-C asked for that.
    sys.stderr.write(f"{name}: interrupted; the next doit goes on from here\n")
    raise SystemExit(_INTERRUPTED) from None


@dataclass(frozen=True)
class GiveUp(Action):
    """Gives up the bytes of one partition of the guest's: the next build makes them anew."""

    name: str

    def run(self) -> str:
        """Take the partition off the record.  Raises WorldError."""
        from doit_diskimg.chain.keeping import give_up

        return give_up(self.job, self.name)


class AsBefore:
    """Nothing changed that the task depends on: `chain.facts` for doit.

    doit looks at a task's ``uptodate`` objects first, and `doit info` prints those that say no;
    their ``repr`` is the sentence that a user reads there, which ends with what is ``foretold``.
    A check looks and compares.

    Facts with a path are stored by the action (`Facts.keep`).  Those without one, of a task that
    has no state folder, are kept in doit's database: then ``stored`` is true.
    """

    KEY = "doit_diskimg:facts"
    text = ""

    def __init__(
        self, facts: Facts, *, stored: bool = False, foretold: Callable[[], str] = nothing_unmet
    ) -> None:
        self.facts = facts
        self._stored = stored
        self._foretold = foretold

    def configure_task(self, task: Any) -> None:
        """Called by doit when the task is made: ask for a word after each success."""
        if self._stored:
            task.value_savers.append(lambda: {self.KEY: dict(self.facts.values())})

    def __call__(self, task: Any, values: dict[str, Any]) -> bool:
        """Called by doit: may the task be skipped?"""
        try:
            self.text = self.facts.difference(values.get(self.KEY))
        except KeyboardInterrupt:
            interrupted(task.name)
        return not self.text

    def __repr__(self) -> str:
        if not self.text:
            return "nothing changed that it depends on"
        return "; ".join(filter(None, (self.text, self._foretold())))


class CleanFile:
    """A clean action for a file outside the state folder; ``record`` says which file is ours.

    ``more`` are state files that are of no use without it.
    """

    def __init__(
        self, image: str, name: str, record: str, path: str, more: Sequence[str] = ()
    ) -> None:
        self._arguments = image, name, record, path, more

    def __repr__(self) -> str:
        return f"<removal of {self._arguments[3]}"  # doit drops the first character

    def __call__(self, dryrun: bool) -> None:
        """Called by doit, which looks for that name among the parameters."""
        from doit_diskimg.tasks.clean import clean_file

        clean_file(*self._arguments, dryrun=dryrun)


class Clean:
    """A clean action, whose work is in `clean`; ``doit clean -n`` says what it would remove."""

    def __init__(self, image: str, name: str, guests: Sequence[str]) -> None:
        self._image = image
        self._name = name
        self._guests = guests

    def __repr__(self) -> str:
        return f"<removal of {self._image} and its state folder"  # doit drops the first character

    def __call__(self, dryrun: bool) -> None:
        """Called by doit, which looks for that name among the parameters."""
        from doit_diskimg.tasks.clean import clean

        clean(self._image, self._name, self._guests, dryrun=dryrun)


def failure_text(name: str, error: DiskimgError) -> str:
    """Return all problems, one a line, each beginning with the name of the disk, if it has one."""
    begin = f"{name}: " if name else ""
    return "\n".join(f"{begin}{problem}" for problem in error.problems)
