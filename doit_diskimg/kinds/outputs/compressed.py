"""The image, compressed; the suffix of the path says how."""

import zlib
from collections.abc import Iterator, Sequence
from dataclasses import KW_ONLY
from os import fspath
from pathlib import PurePath

from doit_diskimg.disk.fields import is_path, shown
from doit_diskimg.disk.model import Disk
from doit_diskimg.disk.sockets import Work
from doit_diskimg.errors import BadValue, Problem
from doit_diskimg.frozen import dataclass
from doit_diskimg.kinds.outputs.output_file import OutputFile
from doit_diskimg.plan.recipe import Program

_LEVELS = {"gz": (1, 6, 9), "xz": (0, 6, 9), "zst": (1, 3, 19)}
"""Lowest, usual and highest level of each format."""


@dataclass(frozen=True, described=True)
class Compressed(OutputFile):
    """The image in the format that the suffix names: ``.gz``, ``.xz`` or ``.zst``.

    ``level`` is that of gzip (1 to 9), xz (0 to 9) or zstd (1 to 19).  gzip and xz are Python's
    own, zstd is the program.  Long stretches of zeros cost no time.
    """

    _: KW_ONLY
    level: int | None = None

    @property
    def _format(self) -> str:
        return PurePath(self.path).suffix.removeprefix(".").lower() if is_path(self.path) else ""

    def _kind(self) -> str:
        return self._format or "compressed"

    @property
    def programs(self) -> Sequence[Program]:  # type: ignore[override]  # it depends on the suffix
        from doit_diskimg.kinds.outputs.streams import ZSTD

        return (ZSTD,) if self._format == "zst" else ()

    @property
    def made_with(self) -> str:
        """The version of zlib; liblzma does not tell its own to Python."""
        return zlib.ZLIB_RUNTIME_VERSION if self._format == "gz" else ""

    def problems(self, where: str, disk: Disk) -> Iterator[Problem]:
        if self._format not in _LEVELS:
            yield BadValue(
                f"{where}.path", f"{fspath(self.path)!r} has no suffix that names a format",
                "must end in .gz, .xz or .zst", f'write "{fspath(self.path)}.zst"',
            )
            return
        low, _, high = _LEVELS[self._format]
        level = self.level
        if level is not None and not (isinstance(level, int) and low <= level <= high):
            yield BadValue(
                f"{where}.level", f"it is {shown(level)}",
                f"must be {low} to {high} for .{self._format}", "leave it out for the usual one",
            )

    def make(self, disk: Disk, work: Work, where: str) -> str | None:
        from doit_diskimg.kinds.outputs.streams import compressed

        level = _LEVELS[self._format][1] if self.level is None else self.level
        work.create()
        end = 0
        for part in compressed(self._format, level, work):
            work.write(end, part)
            end += len(part)
        return f"{100 * end // work.size} % of {work.size:,} bytes"
