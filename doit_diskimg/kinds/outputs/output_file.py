"""What all outputs have in common: a file and the name of its task."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import KW_ONLY
from os import PathLike
from typing import ClassVar

from doit_diskimg.disk.model import Disk
from doit_diskimg.errors import BadValue, Problem
from doit_diskimg.frozen import dataclass, keep_copies
from doit_diskimg.plan.content import Wanted
from doit_diskimg.plan.recipe import Program


@dataclass(frozen=True)
class OutputFile:
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
        """Nothing but its programs decides its bytes; see `Output`."""
        return ""

    def problems(self, where: str, disk: Disk) -> Iterable[Problem]:
        return ()

    def sources(self, where: str, disk: Disk) -> Iterable[Wanted]:
        return ()


def unknown(where: str, name: object, disk: Disk) -> Iterator[Problem]:
    """Yield a problem if the disk has no partition of that name."""
    names = [partition.name for partition in disk.partitions]
    if name not in names:
        yield BadValue(
            where, f"{name!r} is not a partition of this disk", "must be the name of one",
            f"it has {', '.join(map(repr, names))}" if names else "describe one",
        )
