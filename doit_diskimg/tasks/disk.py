"""`Disk`: the description with its tasks."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from os import PathLike, fspath
from typing import TYPE_CHECKING, Any

from doit_diskimg import spec
from doit_diskimg.content import Tree
from doit_diskimg.errors import BadValue, DescriptionError, DiskimgError, Problem
from doit_diskimg.fields import is_path, shown
from doit_diskimg.host.machine import epoch
from doit_diskimg.host.paths import normal
from doit_diskimg.tasks import checker
from doit_diskimg.tasks.chain import DiskTasks
from doit_diskimg.tasks.checked import Checked
from doit_diskimg.tasks.guests import guests_of
from doit_diskimg.tasks.step import failure_text

if TYPE_CHECKING:
    from doit_diskimg.ports import Output, Payload
    from doit_diskimg.segment import Segment

checker.register()

_Task = dict[str, Any]


@contextmanager
def _as_doit_says_it(name: str) -> Iterator[None]:
    """Let doit stop before any task runs, with one line for each problem."""
    try:
        yield
    except DiskimgError as error:
        from doit.exceptions import InvalidTask

        raise InvalidTask(failure_text(name, error)) from error


class Disk(spec.Disk):
    """A whole disk, the file that holds it, and the tasks that build it.

    The fields are those of `spec.Disk`.  ``tasks()`` goes into a task function of dodo.py:
    ``return disk.tasks()``.
    """

    @classmethod
    def from_image(
        cls,
        base: str | PathLike[str],
        image: str | PathLike[str],
        partitions: "Mapping[int | str, Payload]",
        *,
        own: "Sequence[spec.Partition | Segment]" = (),
        name: str = "",
        outputs: "Sequence[Output]" = (),
        busy: str = "swap",
        guest_writes: str = "restore",
        durable: bool = False,
    ) -> "Disk":
        """Return a disk that is ``base``, a disk of somebody else's, but for what is ours.

        ``partitions`` maps numbers or GPT names of its partitions to payloads, which fill them;
        their places, types and names stay.  ``own`` is what lies outside of them: a `Segment` with
        bytes, or a `Partition` with a start, a size and ``in_table=False``.  Every other byte is
        the base image's, which is read when dodo.py is and never written.
        """
        from doit_diskimg.tasks.from_image import fields

        return cls(
            image, name=name, outputs=outputs, busy=busy, guest_writes=guest_writes,
            durable=durable, **fields(base, image, partitions, own),
        )

    def tasks(self) -> Iterator[_Task]:
        """Yield the doit tasks that build the image.

        They are named ``<name>:<partition>:<step>`` and form the group ``<name>``.  If anything is
        wrong with the description, doit stops with one line per problem before any task runs.
        """
        with _as_doit_says_it(self.name):
            tasks = [*DiskTasks(self, self._checked_epoch())]
        return (task for task in tasks)  # doit takes a generator and no list

    def linked(self, path: str | PathLike[str] | None = None) -> _Task:
        """Return the task ``<name>:linked``, for ``return disk.linked()`` in a task function.

        It writes a VMDK descriptor (``path``, else the image's path and ``.vmdk``) that points into
        your own files, so that QEMU boots a disk that nobody has written.  QEMU must open it with
        ``snapshot=on``.  ``tasks()`` must be in the same dodo.py; the image itself is not needed.
        """
        from doit_diskimg.tasks.keeping import unlinked
        from doit_diskimg.tasks.outputs import linked_task

        with _as_doit_says_it(self.name):
            wrong: list[Problem] = []
            if path is not None and not is_path(path):
                wrong.append(BadValue(
                    "linked", f"{shown(path)} is no path", "must be the path of the descriptor",
                    'write for example linked("build/os.vmdk"), or linked()',
                ))  # fmt: skip
            seconds = self._checked_epoch([*wrong, *map(unlinked, guests_of(self))])
            return linked_task(
                DiskTasks(self, seconds), normal(path or f"{fspath(self.image)}.vmdk")
            )

    def _checked_epoch(self, more: Sequence[Problem] = ()) -> int:
        """Return the time stamp of everything in the image.

        Raises DescriptionError, and WorldError for a state folder that can't be read.
        """
        # Before anything is asked that the description keeps for later.
        checked = Checked(self)
        problems, seconds = [] if checked else self.problems(), 0
        if not problems:
            checked.remember()
            problems += self._image_among_sources()
        problems += more
        try:
            seconds = epoch()
        except ValueError as error:
            problems.append(
                BadValue("SOURCE_DATE_EPOCH", str(error), "must be seconds since 1970, a whole "
                         "number", "unset it, or set it to a number")
            )
        if problems:
            raise DescriptionError(problems)
        return seconds

    def _image_among_sources(self) -> Iterator[Problem]:
        """An image that is part of itself would never be finished."""
        image = normal(self.image)
        for index, part in enumerate(self.partitions):
            for wanted in part.payload.sources(f"partitions[{index}]"):
                if isinstance(wanted.source, Tree):
                    top = normal(wanted.source.dir)
                    inside = top == "." or image.startswith(top + "/")
                else:
                    inside = not isinstance(wanted.source, bytes) and normal(wanted.source) == image
                if inside:
                    yield BadValue(
                        wanted.where, f"the image {image!r} itself is in it",
                        "an image can't be part of itself",
                        "put the image elsewhere, or name another source",
                    )
