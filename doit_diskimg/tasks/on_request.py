"""Tasks that run when they are asked for, and not merely because `doit` alone runs every task.

To start a machine, to write a medium: nobody wants that from a plain `doit`.  doit's own means is
``DOIT_CONFIG["default_tasks"]``, which is the user's; adding a task to somebody's dodo.py must not
ask for it.  So such a task has an `OnRequest` in its ``uptodate``.  It counts as asked for
if it, or a task that needs it, is named: on the command line, by its target, or in
``default_tasks``; and if a task that does run from a plain `doit` needs it.
"""

import sys
from collections.abc import Iterator
from importlib import import_module
from typing import Any

from doit.dependency import UptodateCalculator
from doit.exceptions import TaskFailed

from doit_diskimg.chain.facts import Facts
from doit_diskimg.host.state import read
from doit_diskimg.plan.content import digest_of
from doit_diskimg.tasks.action import Action, AsBefore

_Tasks = dict[str, Any]


class OnRequest(UptodateCalculator):  # type: ignore[misc]  # doit has no types
    """It runs whenever it is asked for."""

    by_group = True
    """Whether to name the task's group is to ask for the task."""

    aloud = False
    """Whether nothing but the task's name on the command line asks for it, letter by letter; or
    the name of a task that needs it.  No pattern, and no ``default_tasks``."""

    text = ""

    def __init__(self, reason: AsBefore | None = None) -> None:
        """``reason`` says whether there is anything to do when somebody asks."""
        super().__init__()
        self._reason = reason

    def configure_task(self, task: Any) -> None:
        """Called by doit when the task is made."""
        if self._reason is not None:
            self._reason.configure_task(task)

    def setup(self, dep_manager: Any, tasks_dict: _Tasks) -> None:
        """Called by doit before each check."""
        self._tasks = tasks_dict

    def __call__(self, task: Any, values: dict[str, Any]) -> bool:
        """Called by doit: may the task be skipped?"""
        if _running(task) and not self._asked_for(task):
            # Nothing but this answer shall count, and doit has no other means: it would run the
            # task for a target that is missing, and has no place to note why it did not.
            task.file_dep, task.targets = set(), []
            task.custom_title, task.meta = _title, {**(task.meta or {}), _SKIPPED: True}
            self.text = ""
            return True
        if self._reason is None:
            self.text = type(self).__doc__ or ""
            return False
        may_skip = self._reason(task, values)
        self.text = self._reason.text
        return may_skip

    def __repr__(self) -> str:
        return self.text or type(self).__doc__ or ""

    def _asked_for(self, task: Any) -> bool:
        words = set(sys.argv[1:])
        if self.aloud:
            needing = _needing(task, self._tasks, {task.subtask_of})
            return any(other.name in words for other in needing)
        return _asked_for(task, self._tasks, self.by_group, words)


_SKIPPED = "doit_diskimg:not asked for"


def skipped(task: Any) -> bool:
    """Return whether the task was not asked for: `doit --always` comes to its action even so."""
    return bool((task.meta or {}).get(_SKIPPED))


def _title(task: Any) -> str:
    return f"{task.name} (on request: doit {task.name})"


def _running(task: Any) -> bool:
    """Return whether doit is about to run tasks, and not to tell about them (`doit info`, `list`).

    Before it checks a task in a run, and then only, it gives each its effective verbosity.  Ours
    have none of their own until then, and the highest afterwards: that of all our tasks.
    """
    if task.verbosity is None:
        return False
    task.verbosity = 2
    return True


def _asked_for(task: Any, tasks: _Tasks, by_group: bool, words: set[str]) -> bool:
    """Return whether ``task`` is named, or needed for what is.

    doit parses the options of the tasks that are named as soon as it knows their names, and those
    of all others when they run; a task that needs this one can't have run yet.
    """
    # A target that is named leaves no trace in its task, so the words of the command line count.
    return any(
        other.options is not None or not words.isdisjoint(other.targets) or _runs_anyhow(other)
        for other in _needing(task, tasks, set() if by_group else {task.subtask_of})
    )


def _runs_anyhow(task: Any) -> bool:
    """Return whether a plain `doit` runs the task; a group has nothing to run."""
    return bool(task.actions) and not any(isinstance(item[0], OnRequest) for item in task.uptodate)


def _needing(task: Any, tasks: _Tasks, but: set[str]) -> Iterator[Any]:
    """Yield ``task`` and every task that needs it, directly or not, ``but`` by way of these."""
    found, queue = {task.name, *but}, [task]
    while queue:
        yield (needed := queue.pop())
        for name, other in tasks.items():
            deps = {*other.task_dep, *other.setup_tasks, *other.calc_dep}
            if name not in found and needed.name in deps:
                found.add(name)
                queue.append(other)


class LateOnRequest:
    """A step that is made, and its module imported, when doit runs it because somebody asked.

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

    def __call__(self, task: Any) -> TaskFailed | None:
        """Called by doit."""
        return None if skipped(task) else self.step()


# The second looks at a disk ----------------------------------------------------------------------


class SecondLook(OnRequest):
    """What a state file stands for was not looked at since that file was written."""

    by_group = False  # `doit os.img` builds the image, and that is all


def second_look(path: str, what: str, first: str) -> SecondLook:
    """Return why to look: the state file at ``path`` is not the one of the last look."""
    facts = Facts(lambda before: {what: digest_of(read(path) or b"")}, first=first)
    return SecondLook(AsBefore(facts, stored=True))
