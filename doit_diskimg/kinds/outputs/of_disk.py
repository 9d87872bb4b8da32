"""What all outputs have in common: a file and the name of its task."""

from collections.abc import Iterable, Sequence
from dataclasses import KW_ONLY
from os import PathLike
from typing import TYPE_CHECKING, Any, ClassVar, Protocol

from doit_diskimg.errors import Problem
from doit_diskimg.frozen import dataclass, keep_copies
from doit_diskimg.plan.content import Wanted
from doit_diskimg.plan.recipe import Program

if TYPE_CHECKING:
    from uuid import UUID


class DescribedDisk(Protocol):
    """The few attributes of `doit_diskimg.disk.model.Disk` that an output looks at."""

    @property
    def image(self) -> str | PathLike[str]: ...  # see spec.Disk
    @property
    def partitions(self) -> Sequence[Any]: ...
    @property
    def outputs(self) -> Sequence[Any]: ...
    @property
    def identity(self) -> "UUID": ...


@dataclass(frozen=True)
class Target:
    """A file at ``path``; its task is called ``name``, that of its kind unless given."""

    path: str | PathLike[str]
    _: KW_ONLY
    name: str = ""

    KIND: ClassVar[str]
    programs: ClassVar[Sequence[Program]] = ()

    def __post_init__(self) -> None:
        keep_copies(self)
        object.__setattr__(self, "name", self.name or self._kind())

    def _kind(self) -> str:
        return self.KIND

    @property
    def made_with(self) -> str:
        """Nothing but its programs decides its bytes; see `ports.Output`."""
        return ""

    def problems(self, where: str, disk: DescribedDisk) -> Iterable[Problem]:
        """Nothing can be wrong with it."""
        return ()

    def sources(self, where: str, disk: DescribedDisk) -> Iterable[Wanted]:
        """It is made of the image alone."""
        return ()
