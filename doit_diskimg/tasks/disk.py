"""`Disk`: the description with its tasks."""

import sys
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import wraps
from os import PathLike, fspath
from types import FrameType
from typing import TYPE_CHECKING, Any, Literal
from weakref import WeakSet, WeakValueDictionary

from doit_diskimg.disk import model
from doit_diskimg.disk.fields import path_problems
from doit_diskimg.errors import BadValue, DescriptionError, DiskimgError, Problem
from doit_diskimg.host.machine import epoch
from doit_diskimg.host.paths import normal, one_place
from doit_diskimg.tasks import checker
from doit_diskimg.tasks.chain import DiskTasks
from doit_diskimg.tasks.checked import Checked
from doit_diskimg.tasks.guests import guests_of
from doit_diskimg.tasks.step import failure_text
from doit_diskimg.tasks.turn import arrive

if TYPE_CHECKING:
    from doit_diskimg.disk.model import Output
    from doit_diskimg.disk.segment import Segment
    from doit_diskimg.disk.sockets import Payload

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


class Disk(model.Disk):
    """A whole disk, the file that holds it, and the tasks that build it.

    The fields are those of `model.Disk`.  ``tasks()`` goes into a task function of dodo.py:
    ``return disk.tasks()``.
    """

    @classmethod
    def from_image(
        cls,
        base: str | PathLike[str],
        image: str | PathLike[str],
        partitions: "Mapping[int | str, Payload]",
        *,
        own: "Sequence[model.Partition | Segment]" = (),
        name: str = "",
        outputs: "Sequence[Output]" = (),
        busy: Literal["swap", "error"] = "swap",
        guest_writes: Literal["restore", "error"] = "restore",
        durable: bool = False,
        replace: bool = False,
    ) -> "Disk":
        """Return a disk that is ``base``, a disk of somebody else's, but for what is ours.

        ``partitions`` maps numbers or GPT names of its partitions to payloads, which fill them;
        their places, types and names stay.  ``own`` is what lies outside of them: a `Segment` with
        a start and either bytes or a size, or a `Partition` with a start, a size and
        ``in_table=False``.  Every other byte is the base image's, which is read when dodo.py is and
        never written.
        """
        from doit_diskimg.tasks.from_image import fields

        return cls(
            image, name=name, outputs=outputs, busy=busy, guest_writes=guest_writes,
            durable=durable, replace=replace, **fields(base, image, partitions, own),
        )

    def tasks(self) -> Iterator[_Task]:
        """Yield the doit tasks that build the image.

        They are named ``<name>:<partition>:<step>`` and form the group ``<name>``.  If anything is
        wrong with the description, doit stops with one line per problem before any task runs.
        """
        _asked[id(self)] = self
        if getattr(sys.stdout, "encoding", None) not in ("utf-8", None):
            from doit_diskimg.host.terminal import accept_everything

            accept_everything()
        with _as_doit_says_it(self.name):
            tasks = [*DiskTasks(self, self._checked_epoch())]
            self._note(tasks)
        return (task for task in tasks)  # doit takes a generator and no list

    def _note(self, tasks: Sequence[_Task]) -> None:
        """Keep in the task of the seal what is made of what.

        Raises DescriptionError if another disk has this name, or if anything would be made of
        itself, maybe by way of another disk.
        """
        image, outputs = one_place(self.image), [output.name for output in self.outputs]
        of_image = [task.get("file_dep", ()) for task in tasks if task["name"] not in outputs]
        makers = [_Maker(image, of_image, self.name)]
        if any(maker.disk == self.name for maker in _makers):
            from doit_diskimg.tasks.circle import refuse_namesake

            refuse_namesake(makers[0], _makers)
        for task in tasks:
            if task["name"] in outputs:
                makers.append(_Maker(task["targets"], [task["file_dep"], image]))
            elif task["name"] == "seal":
                task["meta"] = {__name__: makers}
        if _makers or outputs:
            from doit_diskimg.tasks.circle import refuse_circles

            refuse_circles(makers, _makers)
        _makers.update(makers)

    def linked_task(self, path: str | PathLike[str] | None = None) -> _Task:
        """Return the task ``<name>:linked``, for ``return disk.linked_task()`` in a task function.

        It writes a VMDK descriptor (``path``, else the image's path and ``.vmdk``) that points into
        your own files, so that QEMU boots a disk that nobody has written.  QEMU must open it with
        ``snapshot=on``.  ``tasks()`` must be in the same dodo.py; the image itself is not needed.
        """
        from doit_diskimg.tasks.keeping import unlinked
        from doit_diskimg.tasks.output_task import linked_task
        from doit_diskimg.tasks.own_sources import linked_problems

        _asked[id(self)] = self
        with _as_doit_says_it(self.name):
            wrong: list[Problem] = []
            if path is not None:
                must = "must be the path of the descriptor"
                wrong += path_problems(
                    path, "linked", must,
                    'write for example linked_task("build/os.vmdk"), or linked_task()'
                )
            seconds = self._checked_epoch([*wrong, *map(unlinked, guests_of(self))])
            where = normal(path or f"{fspath(self.image)}.vmdk")
            if wrong := [*linked_problems(self, where)]:
                raise DescriptionError(*wrong)
            return linked_task(DiskTasks(self, seconds), where)

    def _checked_epoch(self, more: Sequence[Problem] = ()) -> int:
        """Return the time stamp of everything in the image.

        Raises DescriptionError, and WorldError for a state folder that can't be read.
        """
        # Before anything is asked that the description keeps for later.
        checked = Checked(self)
        problems, seconds = [] if checked else self._all_problems(), 0
        if not problems:
            checked.remember()
        problems += more
        try:
            seconds = epoch()
        except ValueError as error:
            problems.append(
                BadValue("SOURCE_DATE_EPOCH", str(error), "must be seconds since 1970, a whole "
                         "number", "unset it, or set it to a number")
            )
        if problems:
            raise DescriptionError(*problems)
        if checked.trouble is not None:
            raise checked.trouble
        return seconds

    def _all_problems(self) -> list[Problem]:
        """Return what is wrong with the description, or with the files that it names as ours."""
        from doit_diskimg.tasks import own_sources

        return self.problems() or [*own_sources.problems(self)]


_look_for_the_forgotten()
