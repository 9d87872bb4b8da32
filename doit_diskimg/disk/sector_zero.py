"""Boot code in sector 0, which it shares with the partition table."""

from collections.abc import Iterable, Sequence
from dataclasses import field
from os import PathLike

from doit_diskimg.disk.bootcode import BootCode, Stretch
from doit_diskimg.disk.bootfield import Patch
from doit_diskimg.disk.segment import Segment
from doit_diskimg.disk.symbols import Numbers
from doit_diskimg.errors import ContentTooLarge, DescriptionError, OverTable, Problem
from doit_diskimg.extent import Extent
from doit_diskimg.frozen import dataclass
from doit_diskimg.ondisk import mbr_sector
from doit_diskimg.plan.content import Files
from doit_diskimg.units import SECTOR

NAME = "bootcode"
"""The name of its segment.  Not ``boot``: partitions are called that."""

BOOT_CODE = mbr_sector.START
"""Bytes before the disk signature and the partition table; without a signature there are more."""

KEEP = [(BOOT_CODE, SECTOR)]
"""What boot code of a whole sector leaves to the table, whatever its own file has there."""

_TABLE_END = 510
_SIGNATURE = b"\x55\xaa"


def segment(
    source: str | PathLike[str] | bytes,
    patches: Sequence[Patch],
    elf: str | PathLike[str] | None,
    room: int | None,
) -> Segment:
    """Return the segment that boot code becomes as ``Disk(boot=...)``.

    ``room`` is what an MBR leaves it, None for a table that leaves what all others do.
    """
    code = SectorZero(
        source, patches=patches, elf=elf, room=room or BOOT_CODE, optional=room == BOOT_CODE
    )
    return Segment(NAME, code, 0, keep=[(code.room, SECTOR)])


@dataclass(frozen=True)
class SectorZero(BootCode):
    """Boot code whose last bytes, from ``room`` on, are the partition table's if it has them."""

    room: int = field(default=BOOT_CODE, kw_only=True)
    optional: bool = field(default=False, kw_only=True)
    """Whether the table can do without a disk signature, which lies there."""

    def size(self, files: Files, where: str) -> int:
        """Return how many bytes it has.  Raises DescriptionError if they are more than a sector."""
        length = super().size(files, where)
        if length > SECTOR:
            raise DescriptionError(
                ContentTooLarge(
                    where, f"the boot code has {length:,} bytes",
                    f"sector 0 has {self.room} for it, before the partition table",
                    'load the rest from elsewhere: Segment("stage2", "build/stage2.bin", 512); '
                    "what spans the table by itself is a segment with "
                    f"keep=[({self.room}, {SECTOR})]",
                )
            )
        return length

    def stretches(
        self,
        place: Extent,
        own: Iterable[Extent],
        files: Files,
        numbers: Numbers | None,
        where: str,
    ) -> list[Stretch]:
        """Return its bytes; see `BootCode`.  None may lie where the table does."""
        if place.length > self.room:
            tail = self.read(Extent(self.room, place.length - self.room), files, where)
            table, end = tail[: _TABLE_END - self.room], tail[_TABLE_END - self.room :]
            if any(table) or (any(end) and end != _SIGNATURE[: len(end)]):
                raise DescriptionError(self._over_table(tail, place.length, where))
        return super().stretches(place, own, files, numbers, where)

    def _over_table(self, tail: bytes, length: int, where: str) -> Problem:
        room = self.room
        if tail[_TABLE_END - room :] == _SIGNATURE:
            tail = tail[: _TABLE_END - room]
        last = room + max(index for index, byte in enumerate(tail) if byte)
        change = f"make the code {last + 1 - room} bytes shorter, or let it load a stage 2"
        if self.optional and last < mbr_sector.ENTRIES_START:
            change += ", or write Mbr(disk_signature=False)"
        return OverTable(
            where, f"its {length:,} bytes reach over the partition table: byte {last} is not zero",
            f"bytes {room} to {SECTOR - 1} are the table's; a binary of {SECTOR} may have zeros "
            "there and 55 aa at the end",
            change,
        )
