"""What lies in the reserved sectors, between the boot sector and the first table: a stage 2.

FAT leaves these sectors to code that boots from the volume (BPB_RsvdSecCnt), and no file ever moves
them.  FAT32 has sectors of its own among them: FSInfo, and the copies of it and of the boot sector.
"""

from collections.abc import Iterator, Mapping, Sequence
from itertools import pairwise
from os import PathLike, fsdecode
from typing import NamedTuple

from doit_diskimg.disk.fields import path_text_problems
from doit_diskimg.disk.segment import CodeSource, Stretch
from doit_diskimg.disk.sockets import Place
from doit_diskimg.disk.symbols import Numbers
from doit_diskimg.errors import (
    BadValue,
    ContentTooLarge,
    DescriptionError,
    Overlap,
    Problem,
    WorldError,
    refuse,
)
from doit_diskimg.extent import Extent
from doit_diskimg.kinds.filesystems.fat.geometry import FatGeometry
from doit_diskimg.kinds.filesystems.fat.volume import Fat
from doit_diskimg.plan.content import Files
from doit_diskimg.units import ceil_div

FS_INFO_SECTOR = 1
BACKUP_BOOT_SECTOR = 6
"""The standard: "no value other than 6 is recommended"."""

MOST = 0xFFFF - 12
"""Reserved sectors at most: BPB_RsvdSecCnt, less what aligns the data area."""

_TAKEN = {
    0: "the boot sector",
    FS_INFO_SECTOR: "FSInfo",
    BACKUP_BOOT_SECTOR: "the copy of the boot sector",
    BACKUP_BOOT_SECTOR + FS_INFO_SECTOR: "the copy of FSInfo",
}


class ReservedPart(NamedTuple):
    """A file or bytes, from the beginning of a sector of the volume on."""

    sector: int
    length: int
    """Bytes; 1 where it is not known yet."""
    source: str | bytes | CodeSource
    where: str

    def end(self, sector_size: int) -> int:
        """Return the first sector after it."""
        return self.sector + ceil_div(self.length, sector_size)


class Area(NamedTuple):
    """The parts in the order of the disk, and what is wrong with them."""

    parts: list[ReservedPart]
    wrong: list[Problem]
    failed: list[Problem]


def gather(fat: Fat, files: Files | None, where: str) -> Area:
    """Return what the description puts into the reserved sectors."""
    area = Area([], [], [])
    if not isinstance(fat.reserved, Mapping):
        must, change = "reserved maps sectors to sources", 'write {1: "build/stage2.bin"}'
        area.wrong.append(
            BadValue(f"{where}.reserved", f"{fat.reserved!r} is no mapping", must, change)
        )
        return area
    for sector, source in fat.reserved.items():
        here = f"{where}.reserved[{sector!r}]"
        if isinstance(sector, bool) or not isinstance(sector, int) or not 1 <= sector <= MOST:
            must = f"must be the number of a sector, 1 to {MOST}"
            area.wrong.append(BadValue(here, f"{sector!r} is no sector", must, "write a number"))
        elif isinstance(source, bytes):
            area.parts.append(ReservedPart(sector, len(source), source, here))
        elif isinstance(source, (str, PathLike, CodeSource)):
            kind = source if isinstance(source, CodeSource) else fsdecode(source)
            area.parts.append(_file(sector, kind, here, files, area.failed))
            area.wrong.extend(
                kind.source_problems(here) if isinstance(kind, CodeSource)
                else path_text_problems(source, here)
            )
        else:
            found = f"{source!r} is no source"
            must = "must be the path of a file, bytes, or BootCode(...)"
            area.wrong.append(BadValue(here, found, must, "change it"))
    area.parts.sort(key=lambda part: part.sector)
    return area


def _file(
    sector: int, source: str | CodeSource, where: str, files: Files | None, failed: list[Problem]
) -> ReservedPart:
    length = 1
    try:
        inline = getattr(source, "source", None)  # of boot code
        if isinstance(inline, bytes):
            length = len(inline)
        elif files is not None and isinstance(source, CodeSource):
            length = source.size(files, where)
        elif files is not None:
            length = files.size(str(source), where)
    except WorldError as error:
        failed += error.problems
    return ReservedPart(sector, length, source, where)


def least(parts: Sequence[ReservedPart], sector_size: int) -> int:
    """Return how many reserved sectors there must be for ``parts``."""
    return max((part.end(sector_size) for part in parts), default=0)


def problems(parts: Sequence[ReservedPart], geometry: FatGeometry, where: str) -> Iterator[Problem]:
    """Yield which parts don't fit where the description puts them."""
    size = geometry.sector_size
    for part in parts:
        end = part.end(size)
        span = f"{part.length:,} bytes, sectors {part.sector} to {end - 1},"
        if geometry.fat == 32 and (taken := [s for s in _TAKEN if part.sector <= s < end]):
            yield Overlap(
                part.where, f"{span} cover {_TAKEN[taken[0]]} in sector {taken[0]}",
                "FAT32 has sectors 0, 1, 6 and 7 for itself",
                "put it at sector 8 or later, or something shorter at 2",
            )
        if end > geometry.reserved_sectors:
            yield ContentTooLarge(
                part.where, f"{span} run past the reserved sectors",
                f"the volume has {geometry.reserved_sectors} of them",
                f"write reserved_sectors={end} or more, or leave it out",
            )
    for left, right in pairwise(parts):
        if left.end(size) > right.sector:
            yield Overlap(
                right.where, f"sector {right.sector} is taken by {left.where}, which ends before "
                f"sector {left.end(size)}", "no byte may belong to two parts",
                f"put it at sector {left.end(size)} or later",
            )


def stretches(
    parts: Sequence[ReservedPart], sector_size: int, place: Place, files: Files, numbers: Numbers
) -> dict[int, list[Stretch]]:
    """Return the bytes of the parts that are boot code, by the sector where each begins."""
    found: dict[int, list[Stretch]] = {}
    wrong, failed = list[Problem](), list[Problem]()
    for part in parts:
        if not isinstance(part.source, CodeSource):
            continue
        room = Extent(place.extent.start + part.sector * sector_size, part.length)
        try:
            found[part.sector] = part.source.stretches(room, [room], files, numbers, part.where)
        except DescriptionError as error:
            wrong += error.problems
        except WorldError as error:
            failed += error.problems
    refuse(wrong, failed)
    return found
