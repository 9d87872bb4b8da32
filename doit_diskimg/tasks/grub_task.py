"""`GrubBios`, `GrubEfi`, `GrubCd`: images of GRUB's as descriptions with their tasks."""

from collections.abc import Iterable, Sequence
from dataclasses import KW_ONLY
from os import PathLike, fspath
from typing import TYPE_CHECKING, Any

from doit_diskimg.chain.facts import FACTS, Facts, Found
from doit_diskimg.disk.fields import misuse_problems
from doit_diskimg.errors import BadValue, DiskimgError, Problem
from doit_diskimg.frozen import dataclass
from doit_diskimg.host.child import follow_doit
from doit_diskimg.host.grub_mkimage import made_of, make
from doit_diskimg.host.paths import normal, spellings
from doit_diskimg.host.state import StateFolder
from doit_diskimg.kinds.bootloaders.grub import Grub
from doit_diskimg.kinds.bootloaders.grub_image import GrubImage
from doit_diskimg.tasks import SESSION
from doit_diskimg.tasks.action import AsBefore, CleanFile, failure_text

if TYPE_CHECKING:
    from doit.exceptions import TaskFailed

_Values = dict[str, Any]

_STEP = "grub"
"""What messages begin with, and the file with what the image was made of."""


@dataclass(frozen=True, described=True)
class GrubEfi:
    """GRUB for UEFI: a file for an EFI system partition, made by ``grub-mkimage``.

    It stands wherever the path of a file may, so ``Esp({"EFI/BOOT/BOOTX64.EFI": grub})``.  The
    fields are those of `GrubImage`.
    """

    path: str | PathLike[str]
    _: KW_ONLY
    format: str = "x86_64-efi"
    prefix: str = "/boot/grub"
    modules: Sequence[str] | None = None
    config: str | PathLike[str] | bytes | None = None
    directory: str | PathLike[str] | None = None
    program: str = "grub-mkimage"

    def __fspath__(self) -> str:
        return fspath(self.path)

    @property
    def image(self) -> GrubImage:
        """What grub-mkimage is to make."""
        return GrubImage(
            self.path, format=self.format, prefix=self.prefix, modules=self.modules,
            config=self.config, directory=self.directory, program=self.program,
        )  # fmt: skip

    def task(self) -> _Values:
        """Return the task that makes the file, for ``return grub.task()`` in a task function."""
        _refuse(misuse_problems(self, ""))
        return image_task(self.image)


@dataclass(frozen=True, described=True)
class GrubCd(GrubEfi):
    """GRUB for a BIOS on a CD: the file of an `Iso` that its ``bios`` names.

    The fields are those of `GrubImage`.
    """

    _: KW_ONLY
    format: str = "i386-pc-eltorito"


class GrubBios(Grub):
    """GRUB for a BIOS, and the task that makes its core.img; the fields are those of `Grub`."""

    def task(self) -> _Values:
        """Return the task that makes core.img, for ``return grub.task()`` in a task function."""
        problems = [*misuse_problems(self, ""), *self.own_problems("")]
        if self.path is None and not problems:
            problems.append(BadValue(
                "core_image", f"{self.core_image!r} is there already", "must be made by a task",
                "leave the task out, or name a path and not a core_image",
            ))
        _refuse(problems)
        return image_task(self.image)


def image_task(image: GrubImage) -> _Values:
    """Return the task that makes an image of GRUB's.  Raises doit's InvalidTask."""
    _refuse(image.problems())
    target = normal(image.path)
    state = StateFolder(target)
    config = [] if image.config is None or isinstance(image.config, bytes) else [image.config]
    facts_file = state.file(_STEP, FACTS)
    return {
        "actions": [MakeGrub(image)],
        "file_dep": [text for path in config for text in spellings(path)],
        "targets": [target],
        "uptodate": [AsBefore(_facts(image))],
        "clean": [CleanFile(target, _STEP, state.file("images.json"), target, [facts_file])],
        "verbosity": 2,
    }  # fmt: skip


def _facts(image: GrubImage) -> Facts:
    target = normal(image.path)

    def find(before: Found) -> Found:
        return made_of(image, before, SESSION)

    return Facts(find, StateFolder(target).file(_STEP, FACTS), results=[target])


@dataclass(frozen=True)
class MakeGrub:
    """Makes the image."""

    image: GrubImage

    def __call__(self) -> "TaskFailed | None":
        """Called by doit."""
        follow_doit()
        facts = _facts(self.image)
        try:
            facts.look()
            make(self.image, SESSION)
            facts.keep()
        except DiskimgError as error:
            from doit.exceptions import TaskFailed

            return TaskFailed(failure_text(_STEP, error))
        return None


def _refuse(problems: Iterable[Problem]) -> None:
    """Stop doit before any task runs, with one line for each problem."""
    lines = [f"grub: {problem}" for problem in problems]
    if lines:
        from doit.exceptions import InvalidTask

        raise InvalidTask("\n".join(lines))
