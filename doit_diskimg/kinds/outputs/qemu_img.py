"""`qemu-img convert`, which makes every virtual disk: its arguments, and what it does not like."""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import field
from typing import ClassVar

from doit_diskimg.disk.fields import shown
from doit_diskimg.disk.model import Disk
from doit_diskimg.disk.sockets import Work
from doit_diskimg.errors import BadValue, Problem
from doit_diskimg.frozen import dataclass
from doit_diskimg.kinds.outputs.output_file import OutputFile
from doit_diskimg.plan.recipe import Program, plain

QEMU_IMG = Program("qemu-img", "qemu-utils", ("--version",))

_OPTION = re.compile(r"[a-z][a-z0-9_.-]*")
_OTHER_FILES = ("backing_file", "backing_fmt", "data_file", "data_file_raw")
"""Options by which a disk is more than its own file, of which we could remove and compare none."""


@dataclass(frozen=True)
class VirtualDisk(OutputFile):
    """A disk for a virtual machine.

    ``options`` go to qemu-img's ``-o`` as they are, such as ``{"cluster_size": "128k"}``;
    `qemu-img convert -O FORMAT -o help` lists them.  An option that is a field here, and one that
    names another file, is refused.
    """

    options: Mapping[str, str | int] = field(default_factory=dict, kw_only=True)

    programs: ClassVar[Sequence[Program]] = (QEMU_IMG,)
    FIELDS: ClassVar[Mapping[str, str]] = {}
    """Option of qemu-img's -> the field that decides it."""

    def problems(self, where: str, disk: Disk) -> Iterable[Problem]:
        """Yield what is wrong with the description."""
        if not isinstance(self.options, Mapping):
            yield BadValue(
                f"{where}.options", f"{shown(self.options)} is no mapping",
                "must be options of qemu-img and their values",
                'write for example {"cluster_size": "128k"}',
            )
            return
        for key, value in self.options.items():
            if problem := self._wrong(key, value):
                yield BadValue(f"{where}.options", *problem)

    def _wrong(self, key: object, value: object) -> tuple[str, str, str] | None:
        """Return what is wrong with an option, what must be, and what to change."""
        if not isinstance(key, str) or not _OPTION.fullmatch(key):
            must = "must be the name of an option of qemu-img's"
            return f"{shown(key)} is no option", must, "write its value as the value"
        if not isinstance(value, (str, int)) or "\0" in str(value):
            return f"{key} is {shown(value)}", "must be text or a number", "change it"
        if key in self.FIELDS:
            name = self.FIELDS[key]
            return f"{key!r} is the field {name}", "a value is given once", f"write {name}="
        if key in _OTHER_FILES:
            must = "an output is one file, which needs no other"
            return f"{key!r} is about another file", must, "leave it out"
        return None

    def make(self, disk: Disk, work: Work, where: str) -> str | None:
        """Convert the image; see `Output`."""
        convert(work, self.KIND, self.options)
        return None


def convert(
    work: Work, format_: str, options: Mapping[str, str | int], *flags: str
) -> None:
    """Run the conversion into the target."""
    text = ",".join(f"{key}={_doubled(value)}" for key, value in sorted(options.items()))
    arguments = ["convert", "-q", "-f", "raw", "-O", format_, *flags]
    arguments += ["-o", text] if text else []
    work.run(QEMU_IMG, *arguments, plain(work.image), plain(work.target))


def choice(
    where: str, field_: str, value: object, choices: Sequence[object]
) -> Iterator[Problem]:
    """Yield a problem if ``value`` is not in ``choices``."""
    if value not in choices:
        yield BadValue(
            f"{where}.{field_}", f"{value!r} is unknown",
            f"must be {', '.join(map(repr, choices[:-1]))} or {choices[-1]!r}", "choose one",
        )


def _doubled(value: object) -> str:
    return str(value).replace(",", ",,")
