"""`ports.Work` on the real machine: reads a finished image and makes one file of it.

The file is made in a folder of its own beside its final path; then it is moved into place.  So a
target is whole or it is the old one.
"""

import os
from collections.abc import Iterable, Iterator, Sequence
from functools import cached_property
from typing import Self

from doit_diskimg.disk.placed import PlacedPartition
from doit_diskimg.errors import WorldError
from doit_diskimg.extent import Extent
from doit_diskimg.frozen import dataclass
from doit_diskimg.host import folder
from doit_diskimg.host import program as programs
from doit_diskimg.host.hashing import CHUNK, buffer, changed
from doit_diskimg.host.own import check_target
from doit_diskimg.host.paths import normal
from doit_diskimg.host.scratch import Scratch
from doit_diskimg.host.state import host_failed
from doit_diskimg.host.walk import walk
from doit_diskimg.plan.content import Entry, Tree
from doit_diskimg.plan.recipe import Command, Program


@dataclass(frozen=True, kw_only=True)
class RealWork:
    """Makes ``final`` of the image; use it in a ``with``, and end with `finish`."""

    image: str
    final: str
    size: int
    epoch: int
    partitions: Sequence[PlacedPartition]
    covered: Sequence[Extent]
    needed: Sequence[Extent]

    @property
    def target(self) -> str:
        return self._scratch.target

    @cached_property
    def _scratch(self) -> Scratch:
        return Scratch(self.final)

    def __enter__(self) -> Self:
        check_target(self.final)
        try:
            self._scratch.__enter__()
        except OSError as error:
            raise host_failed(self._scratch.path, error, "create a folder") from error
        return self

    def __exit__(self, *error: object) -> None:
        self._scratch.__exit__(*error)

    def finish(self) -> None:
        """Put the target where it belongs."""
        try:
            self._scratch.finish()
        except OSError as error:
            raise host_failed(self.final, error, "put the new file there") from error

    def extent(self, partition: str) -> Extent:
        return next(part.extent for part in self.partitions if part.name == partition)

    def read(self, extent: Extent) -> Iterator[memoryview]:
        return _blocks(self.image, extent.start, extent.length)

    def read_file(self, path: str) -> Iterator[memoryview]:
        return _blocks(normal(path), 0, None)

    def entries(self, tree: Tree, where: str) -> Sequence[Entry]:
        return walk(tree, where)

    def relative(self, path: str) -> str:
        return os.path.relpath(path, os.path.dirname(self.final) or os.curdir)

    def create(self, length: int = 0) -> None:
        try:
            with open(self._open(os.O_WRONLY | os.O_CREAT | os.O_TRUNC), "wb") as file:
                file.truncate(length)
        except OSError as error:
            raise host_failed(self.final, error, f"create a file of {length:,} bytes") from error

    def write(self, offset: int, data: bytes | memoryview) -> None:
        try:
            with open(self._open(os.O_RDWR), "r+b", buffering=0) as file:
                view = memoryview(data)
                while view:
                    count = os.pwrite(file.fileno(), view, offset)
                    offset, view = offset + count, view[count:]
        except OSError as error:
            what = f"write {len(data):,} bytes at {offset:#x}"
            raise host_failed(self.final, error, what) from error

    def written(self, offset: int, length: int) -> bytes:
        try:
            with open(self._open(os.O_RDONLY), "rb") as file:
                file.seek(offset)
                return file.read(length)
        except OSError as error:
            raise host_failed(self.final, error, "read what was written") from error

    def beside(self, name: str, data: Iterable[bytes | memoryview]) -> str:
        path = os.path.join(self._scratch.path, name)
        try:
            with open(self._scratch.open(name, folder.NEW), "wb") as file:
                file.writelines(data)
        except OSError as error:
            raise host_failed(path, error, "write a file") from error
        return path

    def run(self, program: Program, *arguments: str) -> str:
        command = Command(program, arguments)
        path, what = self._find(program), os.path.basename(self.final)
        return programs.run(path, command, os.curdir, self._environment, self.final, what)

    def filter(
        self, program: Program, arguments: Sequence[str], data: Iterable[bytes | memoryview]
    ) -> Iterator[bytes]:
        command = Command(program, tuple(arguments))
        path, what = self._find(program), os.path.basename(self.final)
        return programs.run_filter(path, command, data, self._environment, self.final, what)

    def _open(self, flags: int) -> int:
        return self._scratch.open(os.path.basename(self.final), flags)

    def _find(self, program: Program) -> str:
        path = programs.find(program)
        if path is None:
            raise WorldError(
                programs.missing(program, self.final, os.path.basename(self.final))
            )
        return path

    @property
    def _environment(self) -> dict[str, str]:
        return {"SOURCE_DATE_EPOCH": str(self.epoch)}


def _blocks(path: str, start: int, length: int | None) -> Iterator[memoryview]:
    """Yield ``length`` bytes of a file from ``start`` on, or all that follow."""
    try:
        with open(path, "rb", buffering=0) as file:
            view = buffer()
            while length is None or length:
                part = view if length is None else view[: min(length, CHUNK)]
                count = os.preadv(file.fileno(), [part], start)
                if count == 0:
                    break
                yield view[:count]
                start, length = start + count, None if length is None else length - count
    except OSError as error:
        raise host_failed(path, error, "read it") from error
    if length:
        raise changed(path)
