"""What every action of ours is: a picklable object that never shows a traceback to a user."""

import sys
from collections.abc import Callable, Sequence
from functools import cached_property
from importlib import import_module
from typing import TYPE_CHECKING, NoReturn

from doit_diskimg.chain.job import Job
from doit_diskimg.chain.step import Step
from doit_diskimg.errors import DiskimgError
from doit_diskimg.frozen import dataclass
from doit_diskimg.host.state import StateFolder, read_record, write_record
from doit_diskimg.tasks import SESSION

if TYPE_CHECKING:
    from doit.exceptions import TaskFailed

    from doit_diskimg.disk.model import Disk
    from doit_diskimg.host.files import RealFiles
    from doit_diskimg.host.written import Written

CLAIMS = ".output.json"
"""Ending of the state file that says which file outside the state folder is ours."""

_INTERRUPTED = 130
"""What shells report of a program that Ctrl-C ended."""


@dataclass(frozen=True)
class Action:
    """One action on one disk; subclasses say what in `run`.

    Instances of module-level classes with plain fields, since doit pickles them for ``-n`` where
    processes are spawned.
    """

    disk: "Disk"
    epoch: int

    @cached_property
    def job(self) -> Job:
        """What the functions of the chain work with."""
        return Job(self.disk, self.epoch, session=SESSION)

    @property
    def state(self) -> StateFolder:
        """The state folder of the disk's image."""
        return self.job.state

    @property
    def written(self) -> "Written":
        """What this action's build writes, and what can't be a source of it."""
        from doit_diskimg.chain.own_sources import written

        return written(self.disk)

    def run(self) -> str | None:
        """Do the work and return what to tell the user, if anything."""
        raise NotImplementedError

    def __call__(self) -> "TaskFailed | None":
        """Called by doit."""
        return perform(self.job, self.run)


class RunStep:
    """Runs a step of the chain, for doit."""

    def __init__(self, step: Step) -> None:
        self._step = step

    def __repr__(self) -> str:
        return f"<step {self._step.name}>"

    def __call__(self) -> "TaskFailed | None":
        """Called by doit."""
        self._step.job.session = SESSION  # of this process: doit may have handed us to a worker
        return perform(self._step.job, self._step.run)


def perform(job: Job, work: Callable[[], str | None]) -> "TaskFailed | None":
    """Do some work on an image.  The one place where our exceptions become a failed task."""
    from doit_diskimg.chain.run import run
    from doit_diskimg.host.child import follow_doit
    from doit_diskimg.host.terminal import fitting, say

    follow_doit()
    try:
        text = run(job, work)
    except DiskimgError as error:
        from doit.exceptions import TaskFailed

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
class AskingAction(Action):
    """A step that asks about the user's files.

    The record of what it asked vouches for what it made, so it is written last: a record that a
    killed build leaves never speaks of results that are not there.
    """

    @property
    def record(self) -> str:
        """The state file with what was asked; see `chain.job.Asked`."""
        raise NotImplementedError

    @property
    def payload(self) -> str:
        """The file in which a payload goes that programs make."""
        return ""

    def run(self) -> str | None:
        """Do the work, then write down what was asked."""
        from doit_diskimg.chain.populate import judge
        from doit_diskimg.host.files import RealFiles

        files = RealFiles(
            read_record(self.record), self.payload, self.written, judge, SESSION
        )
        text = self.work(files)
        write_record(self.record, files.record())
        return text

    def work(self, files: "RealFiles") -> str | None:
        """Do the work and return what to tell the user, if anything."""
        raise NotImplementedError


@dataclass(frozen=True)
class GiveUp(Action):
    """Gives up the bytes of one partition of the guest's: the next build makes them anew."""

    name: str

    def run(self) -> str:
        """Take the partition off the record.  Raises WorldError."""
        from doit_diskimg.chain.keeping import give_up

        return give_up(self.job, self.name)


class Late:
    """A step that is made, and its module imported, when doit runs it: most runs need few steps.

    ``step`` is the module of `doit_diskimg.tasks` and the name in it, ``arguments`` are the step's.
    """

    def __init__(self, step: str, *arguments: object) -> None:
        self._step = step
        self._arguments = arguments

    def __repr__(self) -> str:
        return f"<step {self._step}>"

    @property
    def step(self) -> Action:
        """The step itself."""
        module, _, name = self._step.partition(".")
        step: Action = getattr(import_module(f"{__package__}.{module}"), name)(*self._arguments)
        return step

    def __call__(self) -> "TaskFailed | None":
        """Called by doit."""
        return self.step()


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
