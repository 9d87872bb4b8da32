"""Where the second part of a loader lies that is loaded by its first sector: two places.

With an MBR it follows sector 0, in the gap before the first partition.  On a GPT the table lies
there, so the loader has a partition of its own, a "BIOS boot partition" (UEFI knows nothing of it;
GRUB chose its type GUID).
"""

from collections.abc import Iterable, Iterator
from os import PathLike
from typing import ClassVar

from doit_diskimg.disk.bootcode import BootCode
from doit_diskimg.disk.model import Disk, Part
from doit_diskimg.disk.segment import draw
from doit_diskimg.disk.sockets import Payload, Place, Room
from doit_diskimg.errors import BadValue, Problem
from doit_diskimg.extent import Extent
from doit_diskimg.frozen import dataclass
from doit_diskimg.kinds.filesystems.file import room_in
from doit_diskimg.ondisk.guids import type_guid
from doit_diskimg.plan.content import Files, Wanted
from doit_diskimg.plan.picture import Canvas, Picture
from doit_diskimg.units import MIB, SECTOR, align_up, exact_size

BIOS_BOOT = "bios-boot"


def gap_is_free(disk: Disk) -> bool:
    """Return whether sector 1 is free: it is the header's on a GPT."""
    sector = Extent(SECTOR, SECTOR)
    regions = disk.table.regions(1 << 30) if disk.table is not None else ()
    return not any(region.extent.overlaps(sector) for region in regions)


def holder(disk: Disk, payload: Payload) -> Part | None:
    """Return the partition that holds the second part, None if none does."""
    return next((part for part in disk.parts() if part.payload == payload), None)


def problems(
    disk: Disk, payload: Payload, where: str, name: str, call: str
) -> Iterator[Problem]:
    """Yield why the second part of the loader ``name`` has no place on the disk.

    ``call`` is what a user writes for ``payload``.
    """
    part = holder(disk, payload)
    if part is None:
        if not gap_is_free(disk):
            yield BadValue(
                where, "sector 1 is the table's, so nothing can follow the boot sector",
                f"{name} on a GPT has a BIOS boot partition",
                f'add Partition("bios", {call}) to the partitions',
            )
        return
    described = part.partition
    if disk.table is None or described.type is None:
        return
    try:
        wanted = disk.table.type_of(described, BIOS_BOOT)
    except ValueError:
        return  # reported with the partition
    if not gap_is_free(disk) and wanted != type_guid(BIOS_BOOT):
        yield BadValue(
            f"{part.where}.type",
            f"{described.type!r} is the type of the partition with {name}'s second part",
            f"{name} looks for a BIOS boot partition", f'leave type out, or write "{BIOS_BOOT}"',
        )


@dataclass(frozen=True)
class SecondPart(Payload):
    """The second part of a loader as what fills a partition of its own, from its beginning on.

    Without a size the partition has whole mebibytes, so that a longer one moves nothing.
    """

    path: str | PathLike[str]

    TERM: ClassVar[str]
    """What it is, for people."""

    def length(self, files: Files, where: str) -> int:
        """Return how many bytes it has.  Raises DescriptionError or WorldError."""
        raise NotImplementedError

    def code(self, start: int) -> BootCode:
        """Return its bytes for a partition that begins at ``start``, a byte of the disk."""
        raise NotImplementedError

    def sources(self, where: str) -> Iterable[Wanted]:
        return [Wanted(f"{where}.payload", self.path)]

    def room(
        self, size: int | None, files: Files, where: str, sector_size: int = SECTOR
    ) -> Room:
        length = self.length(files, f"{where}.payload")
        room = align_up(length, MIB) if size is None else length
        return Room(length=room, type=BIOS_BOOT, facts=((self.TERM, exact_size(length)),))

    def fill(self, place: Place, files: Files, where: str) -> Picture:
        code, where, canvas = self.code(place.extent.start), f"{where}.payload", Canvas()
        own = room_in(place, code.size(files, where), where, self._name)
        draw(canvas, own.start, code.stretches(own, [own], files, None, where))
        return canvas.picture()

    @property
    def _name(self) -> str:
        return self.TERM

    def needed(self, extent: Extent, picture: Picture) -> Iterator[Extent]:
        for piece in picture.pieces:
            yield Extent(piece.start, piece.length)
