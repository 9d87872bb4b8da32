"""Tasks that run when they are asked for, and not merely because `doit` alone runs every task.

To start a machine, to write a medium: nobody wants that from a plain `doit`.  doit's own means is
``DOIT_CONFIG["default_tasks"]``, which is the user's; adding a task to somebody's dodo.py must not
ask for it.  So such a task's reason to run is a subclass of `OnRequest`.  It counts as asked for
if it, or a task that needs it, is named: on the command line, by its target, or in
``default_tasks``; and if a task that does run from a plain `doit` needs it.
"""

import sys
from collections.abc import Iterator
from typing import Any

from doit.dependency import UptodateCalculator

from doit_diskimg.tasks.uptodate import Reason

_Tasks = dict[str, Any]


class OnRequest(Reason, UptodateCalculator):  # type: ignore[misc]  # doit has no types
    """It runs whenever it is asked for."""

    by_group = True
    """Whether to name the task's group is to ask for the task."""

    aloud = False
    """Whether nothing but the task's name on the command line asks for it, letter by letter; or
    the name of a task that needs it.  No pattern, and no ``default_tasks``."""

    def setup(self, dep_manager: Any, tasks_dict: _Tasks) -> None:
        """Called by doit before each check."""
        self._tasks = tasks_dict

    def __call__(self, task: Any, values: dict[str, Any]) -> bool:
        """Called by doit: may the task be skipped?"""
        if _running(task) and not self._asked_for(task):
            # Nothing but this answer shall count, so doit gets nothing else to look at.
            task.file_dep, task.targets = set(), []
            task.custom_title, task.meta = _title, {**(task.meta or {}), _SKIPPED: True}
            self.text = ""
            return True
        return super().__call__(task, values)

    def _asked_for(self, task: Any) -> bool:
        words = set(sys.argv[1:])
        if self.aloud:
            needing = _needing(task, self._tasks, {task.subtask_of})
            return any(other.name in words for other in needing)
        return _asked_for(task, self._tasks, self.by_group, words)

    def reason(self, task: Any, values: dict[str, Any]) -> str:
        """Return why the task has to run now that it is asked for, empty if it need not."""
        return type(self).__doc__ or ""


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
