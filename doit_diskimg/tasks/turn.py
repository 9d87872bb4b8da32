"""Two doits at once: each has an image to itself from its first task to its last.

doit tells nobody when it begins and when it is done, so a run is followed by what doit does say.
A task is checked before it runs (`Turn`), is found up to date (`TurnOver`), or succeeded (doit
calls ``value_savers`` then).  The first check takes every image of which this run has tasks.  An
image is given free a moment after the last of them, or when the process ends.

No run waits for one image while it has another: two that need the same in different order would
wait for each other for ever.
"""

import os
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from fnmatch import fnmatch
from functools import partial
from threading import Lock, Timer
from typing import TYPE_CHECKING, Any, ClassVar

from doit.dependency import UptodateCalculator

from doit_diskimg.host.session import waiting_text
from doit_diskimg.tasks import SESSION
from doit_diskimg.tasks.action import interrupted

if TYPE_CHECKING:
    from doit_diskimg.host.state import StateFolder

_Tasks = dict[str, Any]

_META = "doit_diskimg:turn"
"""Where the turn of a task is among what doit keeps for us."""

_MOMENT = 1.0
"""Seconds from the end of our last task until the image is free.

A doit that has nothing else to do writes its database and ends within that time, so the one that
waits finds what was done.  One that goes on does not keep others waiting.
"""


def in_turn(task: dict[str, Any], state: "StateFolder", disk: str) -> dict[str, Any]:
    """Return a task that runs while this process has the image of the disk of that name."""
    turn, checks = Turn(state, disk), task["uptodate"]
    return {
        **task,
        "uptodate": [turn, *checks, TurnOver(turn, checks)],
        "meta": {**(task.get("meta") or {}), _META: turn},
    }


def arrive() -> None:
    """Look at doit's database while doit has not opened it yet: when dodo.py imports us."""
    if "doit.doit_cmd" not in sys.modules:
        return
    alone = SESSION.join(os.curdir)
    try:
        if os.path.exists(".doit.db.dir"):
            from doit_diskimg.tasks import database

            database.look(alone=alone)
    finally:
        SESSION.joined()


class Turn(UptodateCalculator):  # type: ignore[misc]  # doit has no types
    """Takes the image for this process before anything is decided about the task.

    Says nothing about the task itself.  While another doit has the image it waits; that one's work
    is then found done.
    """

    def __init__(self, state: "StateFolder", disk: str) -> None:
        super().__init__()
        self.lock = state.file("lock")
        self.disk = disk
        self._state = state
        self._task = ""
        self._tasks: _Tasks = {}

    def __repr__(self) -> str:
        return f"takes turns with others that build {self._state.image!r}"

    def __reduce__(self) -> tuple[type[str], tuple[()]]:
        return str, ()  # a worker of doit's has no use for it, and it knows all tasks

    def configure_task(self, task: Any) -> None:
        """Called by doit when the task is made: be called after its success too."""
        self._task = task.name
        task.value_savers.append(self._succeeded)

    def setup(self, dep_manager: Any, tasks_dict: _Tasks) -> None:
        """Called by doit before each check."""
        self._tasks = tasks_dict

    def __call__(self) -> None:
        """Called by doit; None says nothing about the task."""
        try:
            _Turns.of(self._tasks).begin(self._task, self)
        except KeyboardInterrupt:
            interrupted(self._task)

    def over(self, *, ran: bool) -> None:
        """Note that the task has nothing to do any more in this run."""
        _Turns.of(self._tasks).end(self._task, self.lock, ran=ran)

    def _succeeded(self) -> dict[str, Any]:
        self.over(ran=True)
        return {}

    def can_be_taken(self) -> bool:
        """Return whether there may be such an image; else the action says what is wrong."""
        from doit_diskimg.host.own import check_target

        with suppress(OSError):
            check_target(self._state.image)
            self._state.check()
            # What lies beside no state of ours is refused before anything is written.
            there = os.path.lexists(self._state.image)
            return not there or os.path.lexists(self._state.path)
        return False

    @property
    def ran(self) -> bool:
        """Whether some task of the image did something in this run."""
        return self.lock in _Turns.of(self._tasks).ran


class OrderOnly:
    """Takes from doit the files that gave it the order of the tasks, which is settled by now.

    ``file_dep`` holds every spelling of each path, since doit links a file to the task that makes
    it by comparing text.  What doit would find out about the user's files the facts say better:
    they are looked at once, by us, and not read again to store what they are.
    """

    def __call__(self, task: Any) -> None:
        """Called by doit; None says nothing about the task."""
        task.file_dep.clear()


class TurnOver:
    """Notes that a task is up to date.

    Says nothing about the task itself: it comes last, after all other checks.
    """

    def __init__(self, turn: Turn, checks: Sequence[Any]) -> None:
        self._turn = turn
        self._checks = checks

    def __call__(self, task: Any) -> None:
        """Called by doit; None says nothing about the task."""
        # What doit compares itself, after us, is as it was if no task of ours did anything yet.
        sure = all(map(os.path.lexists, task.targets)) and not (task.file_dep and self._turn.ran)
        if sure and not any(getattr(check, "text", "") for check in self._checks):
            self._turn.over(ran=False)


class _Turns:
    """What is left to do in one run, and which images it has for that."""

    _current: ClassVar["_Turns | None"] = None

    def __init__(self, tasks: _Tasks) -> None:
        self.tasks = tasks
        self.ran: set[str] = set()
        """Images, by their lock file, of which a task did something."""
        self._left: dict[str, set[str]] = {}
        """Lock file -> the tasks after which the image is free.  Those that others need are not
        among them: when the others begin, these are over."""
        self._going: dict[str, set[str]] = {}
        self._turns: dict[str, Turn] = {}
        self._timers: dict[str, Timer] = {}
        self._mutex = Lock()
        self._has_waited = False
        self._foresee()
        sys.excepthook = partial(self._show, sys.excepthook)

    @classmethod
    def of(cls, tasks: _Tasks) -> "_Turns":
        """Return the run of these tasks."""
        if cls._current is None or cls._current.tasks is not tasks:
            cls._current = cls(tasks)
        return cls._current

    def _foresee(self) -> None:
        wanted = list(_closure(self.tasks))
        locks = {task.name: turn.lock for task in wanted if (turn := _turn_of(task))}
        needed = {
            name
            for task in wanted
            for name in (*task.task_dep, *task.setup_tasks, *task.calc_dep)
            if locks.get(task.name) == locks.get(name)
        }
        for task in wanted:
            if (turn := _turn_of(task)) and task.name not in needed:
                self._left.setdefault(turn.lock, set()).add(task.name)
                self._turns[turn.lock] = turn

    def begin(self, name: str, turn: Turn) -> None:
        """Take the image for a task, and with it all others that this run will need."""
        with self._mutex:
            if (timer := self._timers.pop(turn.lock, None)) is not None:
                timer.cancel()
            self._turns[turn.lock] = turn
            left, going = self._left.setdefault(turn.lock, set()), self._going
            going.setdefault(turn.lock, set()).add(name)
            going[turn.lock].difference_update(self.tasks[name].task_dep)
            if not left:
                left.add(name)  # nobody could foresee it: a task that was made in this run
            if SESSION.is_held(turn.lock):
                return
            wanted = [lock for lock in self._left if self._left[lock]]
            spare = [lock for lock in wanted if SESSION.is_held(lock) and not going.get(lock)]
        can = [lock for lock in wanted if self._turns[lock].can_be_taken()]
        SESSION.hold_all(can, self._waiting, spare)
        if self._has_waited:
            from doit_diskimg.tasks.anew import start_anew

            self._has_waited = False
            start_anew(self.tasks)

    def _waiting(self, lock: str, pid: str) -> None:
        self._has_waited = True
        text = waiting_text(self._turns[lock].disk, pid)
        print(text, file=sys.stderr, flush=True)  # noqa: T201

    def end(self, name: str, lock: str, *, ran: bool) -> None:
        """Note that a task is over; the last one of an image gives it free in a moment."""
        if ran:
            self.ran.add(lock)
        with self._mutex:
            self._going.get(lock, set()).discard(name)
            left = self._left.get(lock, set())
            left.discard(name)
            if not left and lock not in self._timers:
                self._timers[lock] = timer = Timer(_MOMENT, self._free, [lock])
                timer.daemon = True  # the end of the process frees it, too
                timer.start()

    def _free(self, lock: str) -> None:
        with self._mutex:
            if self._timers.pop(lock, None) is not None:
                SESSION.release(lock)

    @classmethod
    def leave(cls, lock: str) -> None:
        """Give an image free at once, unless a task of it may be running."""
        if cls._current is None or not cls._current._going.get(lock):
            SESSION.release(lock)

    def _show(self, before: Callable[..., Any], kind: type, error: Any, trace: Any) -> None:
        """Say in one line that Ctrl-C met doit itself, which waits while its workers do our work.

        Who pressed it need not know where doit was; a task of the user's own is shown as ever.
        """
        if issubclass(kind, KeyboardInterrupt) and any(self._going.values()):
            sys.stderr.write("doit: interrupted; the next doit goes on from here\n")
        else:
            before(kind, error, trace)


leave: Callable[[str], None] = _Turns.leave


def _turn_of(task: Any) -> Turn | None:
    return (task.meta or {}).get(_META)


def _closure(tasks: _Tasks) -> Iterator[Any]:
    """Yield the tasks that this run is about to check: those that are named, and what they need.

    doit tells nobody which they are, so the words of the command line count.  If none of them names
    a task, all may run.
    """
    words = sys.argv[1:]
    named = [task for task in tasks.values() if any(map(partial(_is_named, task), words))]
    queue = named or list(tasks.values())
    found = {task.name for task in queue}
    while queue:
        yield (task := queue.pop())
        needed = {*task.task_dep, *task.setup_tasks, *task.calc_dep} - found
        queue += [tasks[name] for name in needed if name in tasks]
        found |= needed


def _is_named(task: Any, word: str) -> bool:
    return word == task.name or word in task.targets or ("*" in word and fnmatch(task.name, word))

