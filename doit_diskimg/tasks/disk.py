"""What is behind `Disk.tasks` and `Disk.linked_task`, the door from a description to doit.

Where doit runs, the face of the package imports this with the first name of a disk: doit's database
is looked at before doit opens it, and a disk that nobody asks for its tasks is told.
"""

import sys
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import wraps
from os import PathLike, fspath
from types import FrameType
from typing import Any
from weakref import WeakSet, WeakValueDictionary

from doit_diskimg.chain.job import checked_epoch
from doit_diskimg.disk.fields import path_problems
from doit_diskimg.disk.model import Disk
from doit_diskimg.errors import DescriptionError, DiskimgError, Problem
from doit_diskimg.host.paths import normal, one_place
from doit_diskimg.tasks import checker
from doit_diskimg.tasks.action import failure_text
from doit_diskimg.tasks.chain import DiskTasks
from doit_diskimg.tasks.turn import arrive

checker.register()
arrive()

_Task = dict[str, Any]


class _Maker:
    """What an image or an output is, and what has to be there first; see `circle`."""

    def __init__(
        self, makes: Sequence[str], needs: Sequence[Collection[str]], disk: str = ""
    ) -> None:
        self.makes = makes
        self.needs = needs
        self.disk = disk
        """The name of the disk, if it is an image."""
        self.reading: object = _reading() if disk else None

    def __reduce__(self) -> tuple[type[str], tuple[()]]:
        # A worker of doit's has no use for it; it would be all paths once more.
        return str, ()


def _reading() -> FrameType | None:
    """Return which reading of dodo.py this is: the frame in which doit makes its tasks.

    None if somebody else asks.  As long as one is held, no other is taken for it.
    """
    frame: FrameType | None = sys._getframe(1)
    while frame is not None and frame.f_code.co_name != "load_tasks":
        frame = frame.f_back
    return frame


_makers: WeakSet[_Maker] = WeakSet()
"""Those of this reading of dodo.py: one disk does not know of another.

They live as long as their tasks do and not as long as the process: a loop that reads dodo.py again
begins with none.
"""


@contextmanager
def _as_doit_says_it(name: str) -> Iterator[None]:
    """Let doit stop before any task runs, with one line for each problem."""
    try:
        yield
    except DiskimgError as error:
        from doit.exceptions import InvalidTask

        raise InvalidTask(failure_text(name, error)) from error


_asked: "WeakValueDictionary[int, Disk]" = WeakValueDictionary()
"""The disks that somebody asked for tasks, by id: to compare disks takes longer."""


def _look_for_the_forgotten() -> None:
    """Let doit look, when it has made all tasks of dodo.py, for disks that have none.

    doit has no place for this, so its function gets a successor that calls it first.
    """
    loader: Any = sys.modules.get("doit.loader")  # where doit runs
    load = getattr(loader, "load_tasks", None)
    if load is None:
        return

    @wraps(load)
    def looking(namespace: Mapping[str, Any], *args: Any, **options: Any) -> Any:
        tasks = load(namespace, *args, **options)
        if any(isinstance(it, Disk) and id(it) not in _asked for it in namespace.values()):
            from doit_diskimg.tasks.forgotten import forgotten

            sys.stderr.write("".join(forgotten(namespace, tasks, [*_asked.values()])))
        return tasks

    loader.load_tasks = looking


def tasks(disk: Disk) -> Iterator[_Task]:
    """Yield the tasks of `Disk.tasks`."""
    _asked[id(disk)] = disk
    if getattr(sys.stdout, "encoding", None) not in ("utf-8", None):
        from doit_diskimg.host.terminal import accept_everything

        accept_everything()
    with _as_doit_says_it(disk.name):
        tasks = [*DiskTasks(disk, _checked_epoch(disk))]
        _note(disk, tasks)
    return (task for task in tasks)  # doit takes a generator and no list


def _note(disk: Disk, tasks: Sequence[_Task]) -> None:
    """Keep in the task of the seal what is made of what.

    Raises DescriptionError if another disk has this name, or if anything would be made of
    itself, maybe by way of another disk.
    """
    image, outputs = one_place(disk.image), [output.name for output in disk.outputs]
    of_image = [task.get("file_dep", ()) for task in tasks if task["name"] not in outputs]
    makers = [_Maker(image, of_image, disk.name)]
    if any(maker.disk == disk.name for maker in _makers):
        from doit_diskimg.tasks.circle import refuse_namesake

        refuse_namesake(makers[0], _makers)
    for task in tasks:
        if task["name"] in outputs:
            makers.append(_Maker(task["targets"], [task["file_dep"], image]))
        elif task["name"] == "seal":
            task["meta"] = {**task["meta"], __name__: makers}
    if _makers or outputs:
        from doit_diskimg.tasks.circle import refuse_circles

        refuse_circles(makers, _makers)
    _makers.update(makers)


def linked_task(disk: Disk, path: str | PathLike[str] | None = None) -> _Task:
    """Return the task of `Disk.linked_task`."""
    from doit_diskimg.chain.keeping import unlinked
    from doit_diskimg.chain.own_sources import linked_problems
    from doit_diskimg.tasks.linked_task import linked_task as task_of

    _asked[id(disk)] = disk
    with _as_doit_says_it(disk.name):
        wrong: list[Problem] = []
        if path is not None:
            must = "must be the path of the descriptor"
            wrong += path_problems(
                path, "linked", must,
                'write for example linked_task("build/os.vmdk"), or linked_task()'
            )
        wrong += [unlinked(part.name) for part in disk.partitions if part.persist]
        seconds = _checked_epoch(disk, wrong)
        where = normal(path or f"{fspath(disk.image)}.vmdk")
        if wrong := [*linked_problems(disk, where)]:
            raise DescriptionError(*wrong)
        return task_of(DiskTasks(disk, seconds), where)


def _checked_epoch(disk: Disk, more: Sequence[Problem] = ()) -> int:
    """Return the time stamp of everything in the image.

    Raises DescriptionError, and WorldError for a state folder that can't be read.
    """
    try:
        from doit_diskimg.shortcuts.checked import found_right
    except ModuleNotFoundError:  # the shortcuts may be deleted
        from doit_diskimg.chain.own_sources import all_problems

        return checked_epoch([*all_problems(disk), *more])
    return found_right(disk, lambda problems: checked_epoch([*problems, *more]))


_look_for_the_forgotten()
