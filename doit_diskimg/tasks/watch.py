"""The loop: edit, compile, boot.  Runs doit's tasks again whenever one of their sources changes.

This process imports doit and everything of ours once, and stays.  Each round is a fork of it,
which reads dodo.py anew (so that it may change, too), tells which files matter, and runs the
tasks.  Another fork waits for a change; then a QEMU that still runs is ended, and so on.
A round that fails is a round: its error stands on the terminal until the next change.
"""

import json
import multiprocessing
import os
import signal
import sys
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from contextlib import suppress
from fnmatch import fnmatch
from functools import cache, partial, wraps
from importlib import import_module, metadata, util
from itertools import pairwise
from pathlib import Path
from pkgutil import walk_packages
from typing import Any, NoReturn

from doit import cmd_run, plugin
from doit.doit_cmd import DoitMain

from doit_diskimg.host import child
from doit_diskimg.host.changes import States, states, wait
from doit_diskimg.host.qemu import guest
from doit_diskimg.host.terminal import say

USAGE = "usage: python -m doit_diskimg watch [-f DODO.PY] [TASK ...]"
_LEAVE = signal.SIGUSR1


def main(arguments: Sequence[str]) -> int:
    """Run `doit` with these arguments for ever; return an exit code."""
    if {"-h", "--help"} & set(arguments):
        print(f"{USAGE}\n\n{__doc__}", file=sys.stderr)  # noqa: T201
        return 0
    try:
        import watchfiles  # noqa: F401  # once, before the forks
    except ImportError:
        print(  # noqa: T201
            "watch: the package watchfiles is not installed, must be there to notice changes "
            "(pip install 'doit_diskimg[watch]')", file=sys.stderr,
        )
        return 3
    _warm_up()
    with suppress(KeyboardInterrupt):
        _loop(list(arguments))
    return 0


def _loop(arguments: list[str]) -> NoReturn:
    dodo, ours = os.path.abspath(_dodo(arguments)), frozenset(sys.modules)
    before = states([dodo])
    while True:
        with _Fork(partial(_round, arguments, before, ours), farewell=_LEAVE) as building:
            told = building.told()
            if told is None:  # dodo.py can't be read, maybe for what it imports
                modules = Path(dodo).parent.glob("*.py")
                told = {**states(map(str, modules)), **before}
            before = told
            _say(f"watching {len(before)} paths, Ctrl-C ends")
            with _Fork(partial(_wait, before), farewell=signal.SIGKILL) as waiting:
                changed = waiting.told()
        if not isinstance(changed, list):
            _say(f"changes can't be waited for: {changed or 'the process that did is gone'}")
            raise SystemExit(1)
        before |= states(changed)  # all others are as they were
        _say(f"changed: {', '.join(map(os.path.relpath, changed))}")


def _wait(before: States, tell: "_Tell") -> None:
    try:
        tell(wait(before))
    except Exception as error:  # whatever it is, it would come again in each round
        tell(f"{type(error).__name__}: {error}")


def _dodo(arguments: list[str]) -> str:
    """Return the file with the tasks."""
    for option, value in pairwise(arguments):
        if option in ("-f", "--file"):
            return value
    return "dodo.py"


def _round(
    arguments: list[str], before: States, ours: Collection[str], tell: "_Tell"
) -> None:
    """Run doit once; ``tell`` what to watch as soon as that is known.

    What was known ``before`` counts: a file may have changed while dodo.py was read.  ``ours`` are
    the modules that were there before dodo.py was.
    """
    # Before anything is told: without a handler this signal would end us in the middle of a build.
    signal.signal(_LEAVE, _leave)

    class Run(cmd_run.Run):  # type: ignore[misc]  # doit finds the command by this name
        @wraps(cmd_run.Run._execute)  # doit reads the names of its parameters
        def _execute(self, *args: Any, **kwargs: Any) -> Any:
            paths = {*sources(self.task_list, self.sel_tasks or []), *_modules(ours)}
            known = {path: before[path] for path in paths if path in before}
            tell({**known, **states(paths - known.keys())})
            return super()._execute(*args, **kwargs)

    class Main(DoitMain):  # type: ignore[misc]
        DOIT_CMDS = (*(cmd for cmd in DoitMain.DOIT_CMDS if cmd is not cmd_run.Run), Run)

    if Main().run(["run", *arguments]) != 0:
        _say("failed, waiting for a change")


def _leave(*_: object) -> None:
    """End QEMU here and, with ``-n``, in doit's workers, which have this handler too."""
    guest.leave()
    for worker in multiprocessing.active_children():
        if worker.pid is not None:
            os.kill(worker.pid, _LEAVE)


def sources(tasks: Iterable[Any], words: Sequence[str]) -> set[str]:
    """Return the absolute paths that decide about the tasks that ``words`` name.

    ``words`` are as for `doit`: tasks, patterns, targets; none stands for all.  What tasks make is
    not among the paths.
    """
    tasks, here = list(tasks), os.getcwd()

    @cache
    def absolute(path: str) -> str:  # of thousands, so the working directory is asked for once
        return os.path.normpath(os.path.join(here, path))

    made = {absolute(target): task for task in tasks for target in task.targets}
    by_name = {task.name: task for task in tasks}
    queue = [task for task in tasks if not words or any(_named(task, word) for word in words)]
    found, paths = {task.name for task in queue}, set[str]()
    while queue:
        task = queue.pop()
        read = {absolute(path) for path in [*task.file_dep, *task.watch]}
        paths |= read - made.keys()
        needed = [*task.task_dep, *task.setup_tasks, *task.calc_dep]
        needed += [made[path].name for path in read & made.keys()]
        needed += [name for name in by_name for p in task.wild_dep if fnmatch(name, p)]
        queue += [by_name[name] for name in {*needed} - found if name in by_name]
        found.update(needed)
    return paths


def _named(task: Any, word: str) -> bool:
    return word in task.targets or (fnmatch(task.name, word) if "*" in word else task.name == word)


def _modules(ours: Collection[str]) -> Iterator[str]:
    """Yield the project's own Python files that dodo.py is made of: dodo.py and its imports."""
    here = os.getcwd() + os.sep
    for module in [sys.modules[name] for name in sys.modules.keys() - ours]:
        path = os.path.abspath(getattr(module, "__file__", None) or os.sep)
        if path.startswith(here) and not path.startswith(os.path.abspath(sys.prefix) + os.sep):
            yield path


_Tell = Callable[[Any], None]


class _Fork:
    """A child that runs ``function``, which may tell us one thing.

    At the end of the `with` it gets the signal ``farewell``, and we wait until it is gone.
    """

    def __init__(self, function: Callable[[_Tell], None], farewell: int) -> None:
        sys.stdout.flush()
        self._farewell = farewell
        self._from, to = os.pipe()
        here = os.getpid()
        self._pid = os.fork()
        if self._pid == 0:
            os.close(self._from)
            self._run(function, to, here)
        os.close(to)

    @staticmethod
    def _run(function: Callable[[_Tell], None], to: int, parent: int) -> NoReturn:
        def tell(what: Any) -> None:
            with suppress(OSError), os.fdopen(to, "w", encoding="utf-8") as pipe:
                json.dump(what, pipe)

        try:
            child.die_with(parent)
            with suppress(KeyboardInterrupt):
                function(tell)
        finally:
            sys.stdout.flush()
            os._exit(0)

    def __enter__(self) -> "_Fork":
        return self

    def __exit__(self, *_: object) -> None:
        with suppress(ProcessLookupError, ChildProcessError):
            os.kill(self._pid, self._farewell)
            os.waitpid(self._pid, 0)

    def told(self) -> Any:
        """Return what the child told, None if it ended without a word; waits for either."""
        with os.fdopen(self._from, encoding="utf-8") as pipe:
            text = pipe.read()
        return json.loads(text) if text else None


def _warm_up() -> None:
    """Do what the rounds would do, each for itself: import, look for plug-ins, compile patterns."""
    import gc
    import inspect
    import uuid  # noqa: F401

    import xxhash  # noqa: F401

    for room in ("disk", "kinds", "host", "chain", "shortcuts", "tasks"):
        if (package := util.find_spec(f"doit_diskimg.{room}")) is not None:
            for module in walk_packages(package.submodule_search_locations, f"{package.name}."):
                if not module.name.endswith(".pyfat"):  # the library behind it takes long
                    import_module(module.name)

    inspect.getsourcelines(_warm_up)  # doit does so with the functions of dodo.py
    # Which packages are installed is read from all of their metadata, three times a round.
    installed = cache(metadata.entry_points)
    for kind in ("COMMAND", "LOADER", "BACKEND", "REPORTER"):
        installed(group=f"{plugin.PluginDict.entry_point_prefix}.{kind}")
    plugin.entry_points_impl = lambda: installed
    gc.collect()
    gc.freeze()  # or each fork would copy what its collector looks at


def _say(text: str) -> None:
    say(f"── {text}")
