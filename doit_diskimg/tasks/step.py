"""What every action of ours is: a picklable object that never shows a traceback to a user."""

import gc
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from importlib import import_module
from typing import TYPE_CHECKING, NoReturn

from doit_diskimg.errors import DiskimgError
from doit_diskimg.frozen import dataclass
from doit_diskimg.host.state import StateFolder, read_record, write_record
from doit_diskimg.tasks import SESSION

if TYPE_CHECKING:
    from doit.exceptions import TaskFailed

    from doit_diskimg.disk.model import Disk
    from doit_diskimg.errors import Problem
    from doit_diskimg.host.files import RealFiles
    from doit_diskimg.host.written import Written
    from doit_diskimg.plan.recipe import Contents

INJECTED_FILES = ".files-injected.json"
"""Ending of the state file with what the injection of a part without a plan asked."""

CLAIMS = ".output.json"
"""Ending of the state file that says which file outside the state folder is ours."""

PLACES = ".places.json"
"""Ending of the state file with what others ask of a volume."""


_INTERRUPTED = 130
"""What shells report of a program that Ctrl-C ended."""


@dataclass(frozen=True)
class Step:
    """One action on one disk; subclasses say what in `run`.

    Instances of module-level classes with plain fields, since doit pickles them for ``-n`` where
    processes are spawned.
    """

    disk: "Disk"
    epoch: int

    @property
    def state(self) -> StateFolder:
        """The state folder of the disk's image."""
        from doit_diskimg.host.paths import normal

        return StateFolder(normal(self.disk.image))

    @property
    def written(self) -> "Written":
        """What this step's build writes, and what can't be a source of it."""
        from doit_diskimg.tasks.own_sources import written

        return written(self.disk)

    def run(self) -> str | None:
        """Do the work and return what to tell the user, if anything."""
        raise NotImplementedError

    def __call__(self) -> "TaskFailed | None":
        """Called by doit.  The one place where our exceptions become a failed task."""
        from doit_diskimg.host.child import follow_doit
        from doit_diskimg.host.target import check_target
        from doit_diskimg.tasks import proof

        follow_doit()
        try:
            check_target(self.state.image)
            self.state.check()
            proof.check(self.state, replace=self.disk.replace)
            with _no_collector():
                text = self.run()
        except DiskimgError as error:
            from doit.exceptions import TaskFailed

            from doit_diskimg.host.failure import failed
            from doit_diskimg.host.terminal import fitting

            error = failed(self.state, error)
            return TaskFailed(fitting(failure_text(self.disk.name, error)))
        except KeyboardInterrupt:
            interrupted(self.disk.name)
        if text:
            from doit_diskimg.host.terminal import say

            say(text)
        return None


def interrupted(name: str) -> NoReturn:
    """Leave after Ctrl-C."""
    # doit would show where in our code it was; nobody who pressed Ctrl-C asked for that.
    sys.stderr.write(f"{name}: interrupted; the next doit goes on from here\n")
    raise SystemExit(_INTERRUPTED) from None


@dataclass(frozen=True)
class Asking(Step):
    """A step that asks about the user's files.

    The record of what it asked vouches for what it made, so it is written last: a record that a
    killed build leaves never speaks of results that are not there.
    """

    @property
    def record(self) -> str:
        """The state file with what was asked; see `SourcesAsPlanned`."""
        raise NotImplementedError

    @property
    def payload(self) -> str:
        """The file in which a payload goes that programs make."""
        return ""

    def run(self) -> str | None:
        """Do the work, then write down what was asked."""
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


def judge(payload: str, contents: "Contents", where: str) -> "Callable[[], Iterable[Problem]]":
    """Read a volume back that a program makes; see `recipe.Judge`."""
    from doit_diskimg.chain.readback import watch

    return watch(payload, contents, where)


@contextmanager
def _no_collector() -> Iterator[None]:
    """Pause Python's search for cycles: a plan is a hundred thousand tuples and has none."""
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_on:
            gc.enable()


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
    def step(self) -> Step:
        """The step itself."""
        module, _, name = self._step.partition(".")
        step: Step = getattr(import_module(f"{__package__}.{module}"), name)(*self._arguments)
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
