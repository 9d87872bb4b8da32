"""The MBR partition table: four primary partitions in sector 0, or three and logical ones.

It claims bytes 440 to 511 and leaves the boot code before it to segments or a boot loader.  Sectors
have 512 bytes: what firmware makes of an MBR on larger ones differs from machine to machine.

Every `doit` of a disk with an MBR reads this; what checks is in `mbr_problems`, what is written in
`mbr_work`.
"""

from collections.abc import Iterator, Sequence
from typing import Literal

from doit_diskimg.disk.model import Chain, Disk, Identity, Partition, Table
from doit_diskimg.disk.placed import PlacedPartition, Region
from doit_diskimg.errors import Problem
from doit_diskimg.extent import Extent
from doit_diskimg.frozen import dataclass
from doit_diskimg.plan.picture import Picture
from doit_diskimg.units import SECTOR, SizeLike, align_down

_BOOT_CODE = 440  # bytes of sector 0 that are not the table's: `ondisk.mbr_sector.START`
_ENTRIES = 446  # where the entries begin: `ondisk.mbr_sector.ENTRIES_START`

REACH = 2**32 * SECTOR
"""The first byte that no partition of an MBR can have: 2 TiB."""


@dataclass(frozen=True, kw_only=True, described=True)
class Mbr(Table):
    """An MBR with up to four primary partitions, or up to three and logical ones.

    A partition's ``type`` is a name (``"fat32"``) or the byte (``0x0c``, ``"0x0c"``); with 0 its
    entry is written but counts as unused.  ``active`` marks the partition that a BIOS boot sector
    of the usual kind starts.

    With more than four partitions the fourth and all after it are logical, unless some say
    ``logical=True`` themselves.  The extended partition around them has entry
    ``extended_number`` and type ``extended_type``.  It begins with the first of them and ends with
    the last, unless ``extended_start`` and ``extended_size`` (bytes) say otherwise.

    ``disk_signature=False`` leaves bytes 440 to 445 to boot code, which then has 446 bytes: the
    classic MBR, from before Windows NT put its signature there.  ``several_active`` allows more
    than one active partition, for boot code that reads the flag in its own way.
    """

    extended_number: Literal[1, 2, 3, 4] = 4  # the last of `ondisk.mbr_sector.ENTRY_COUNT`
    extended_type: str | int = "extended-lba"
    extended_start: SizeLike | None = None
    extended_size: SizeLike | None = None
    disk_signature: bool = True
    several_active: bool = False

    has_guids = False

    @property
    def sector_size(self) -> int:
        return SECTOR

    def problems(self, disk: Disk) -> Iterator[Problem]:
        from doit_diskimg.kinds.tables import mbr_problems

        return mbr_problems.problems(self, disk)

    def notes(self, disk: Disk, regions: Sequence[Region]) -> Iterator[str]:
        from doit_diskimg.kinds.tables import mbr_problems

        return mbr_problems.notes(disk, regions)

    @property
    def boot_code_length(self) -> int:
        """Bytes of sector 0 before what the table has of it."""
        return _BOOT_CODE if self.disk_signature else _ENTRIES

    def records_signature(self, disk: Disk) -> bool:
        """Return whether the disk signature is on the disk."""
        return self.disk_signature

    def regions(self, size: int) -> Sequence[Region]:
        """Return the end of sector 0: bytes 440 to 511, without a disk signature from 446 on."""
        extent = Extent(self.boot_code_length, SECTOR - self.boot_code_length)
        return [Region(name="MBR", where="table", extent=extent)]

    def usable(self, size: int) -> Extent:
        """Return all after sector 0, as far as 32 bits count sectors."""
        end = align_down(min(size, REACH), SECTOR)
        return Extent(SECTOR, max(0, end - SECTOR))

    def size_for(self, end: int) -> int | None:
        """Return ``end``, for nothing lies behind the partitions; a sector of content at least.

        None beyond 2 TiB.
        """
        return max(end, 2 * SECTOR) if end <= REACH else None

    def numbers(self, disk: Disk) -> Sequence[int]:
        from doit_diskimg.kinds.tables import mbr_work

        return mbr_work.numbers(disk, self.extended_number)

    def chain(self, disk: Disk) -> Chain | None:
        from doit_diskimg.kinds.tables import mbr_work

        return mbr_work.logical_ones(self, disk)

    def type_of(self, partition: Partition, payload_type: str | None) -> str:
        from doit_diskimg.kinds.tables import mbr_work

        return mbr_work.type_of(partition.type, payload_type)

    def encode(
        self, size: int, identity: Identity, partitions: Sequence[PlacedPartition]
    ) -> Picture:
        from doit_diskimg.kinds.tables import mbr_work

        return mbr_work.encode(self, identity, partitions)
