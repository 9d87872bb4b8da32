"""Checksums to check a download by: a file that `sha256sum --check` reads."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import KW_ONLY
from hashlib import sha256
from os import PathLike, fspath
from posixpath import normpath
from typing import ClassVar

from doit_diskimg.disk.fields import is_path, shown
from doit_diskimg.disk.model import Disk
from doit_diskimg.disk.sockets import Work
from doit_diskimg.errors import BadValue, Problem
from doit_diskimg.frozen import dataclass
from doit_diskimg.kinds.outputs.output_file import OutputFile
from doit_diskimg.plan.content import Wanted
from doit_diskimg.plan.recipe import plain


@dataclass(frozen=True, described=True)
class Sha256(OutputFile):
    """SHA-256 sums of files, one a line, by their names as seen from the folder of ``path``.

    ``of`` are the files; unless given, the image and every other output of the disk.
    """

    _: KW_ONLY
    of: Sequence[str | PathLike[str]] | None = None

    KIND: ClassVar[str] = "sha256"

    def problems(self, where: str, disk: Disk) -> Iterator[Problem]:
        is_list = isinstance(self.of, Sequence) and not isinstance(self.of, (str, bytes))
        if self.of is not None and not (is_list and self.of and all(map(is_path, self.of))):
            yield BadValue(
                f"{where}.of", f"{shown(self.of)} is not a list of files", "must have one or more",
                "leave it out for the image and all outputs",
            )

    def sources(self, where: str, disk: Disk) -> Iterator[Wanted]:
        """Yield the files but the image, whose contents the task compares anyway."""
        for path in self._files(disk):
            if normpath(path) != normpath(disk.image):
                yield Wanted(f"{where}.of", path)

    def make(self, disk: Disk, work: Work, where: str) -> str | None:
        lines = [_line(work.relative(path), work.read_file(path)) for path in self._files(disk)]
        work.create()
        work.write(0, "".join(lines).encode("utf-8", "surrogateescape"))
        return None

    def _files(self, disk: Disk) -> list[str]:
        if self.of is not None:
            return [fspath(path) for path in self.of]
        others = [output for output in disk.outputs if not isinstance(output, Sha256)]
        return [fspath(disk.image), *(fspath(output.path) for output in others)]


def _line(name: str, data: Iterable[memoryview]) -> str:
    """Return a line as `sha256sum` prints it: a name with a backslash or newline is escaped.

    A file of the name ``-`` gets a path: to sha256sum that name alone is its input.
    """
    name = plain(name) if name == "-" else name
    digest = sha256()
    for block in data:
        digest.update(block)
    escaped = name.replace("\\", "\\\\").replace("\n", "\\n").replace("\r", "\\r")
    return f"{'' if escaped == name else chr(92)}{digest.hexdigest()}  {escaped}\n"
