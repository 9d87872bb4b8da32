"""`qemu-img convert`, which makes every virtual disk: its arguments, and what it does not like."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import field
from typing import ClassVar

from doit_diskimg.errors import BadValue, Problem
from doit_diskimg.frozen import dataclass
from doit_diskimg.outputs.target import DescribedDisk, Target
from doit_diskimg.ports import Work
from doit_diskimg.recipe import Program

QEMU_IMG = Program("qemu-img", "qemu-utils", ("--version",))


@dataclass(frozen=True)
class VirtualDisk(Target):
    """A disk for a virtual machine.

    ``options`` go to qemu-img's ``-o`` as they are, such as ``{"cluster_size": "128k"}``;
    `qemu-img convert -O FORMAT -o help` lists them.
    """

    options: Mapping[str, str | int] = field(default_factory=dict, kw_only=True)

    programs: ClassVar[Sequence[Program]] = (QEMU_IMG,)

    def make(self, disk: DescribedDisk, work: Work, where: str) -> str | None:
        """Convert the image; see `ports.Output`."""
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


def plain(path: str) -> str:
    """Return ``path`` so that neither a colon nor a dash in it means anything to QEMU."""
    return path if path.startswith("/") else f"./{path}"


def choice(
    where: str, field_: str, value: object, choices: Sequence[object]
) -> Iterator[Problem]:
    """Yield a problem if ``value`` is none of ``choices``."""
    if value not in choices:
        yield BadValue(
            f"{where}.{field_}", f"{value!r} is unknown",
            f"must be {', '.join(map(repr, choices[:-1]))} or {choices[-1]!r}", "choose one",
        )


def _doubled(value: object) -> str:
    return str(value).replace(",", ",,")
