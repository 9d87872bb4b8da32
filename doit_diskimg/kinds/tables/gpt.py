"""The GUID partition table, UEFI 2.10, sections 5.2.3 and 5.3.

    sector 0       protective MBR        (its boot code is not ours)
    1              header
    2 ...          entry array, 16 KiB   (to sector 33, or 5 of 4096 bytes)
    ...            partitions
    ... last - 1   backup entry array
    last           backup header

Every `doit` of a disk with a GPT reads this; what checks is in `gpt_problems`, what is
written in `gpt_work`.
"""

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import field
from typing import Literal

from doit_diskimg.disk.model import Disk, Identity, Partition, Table
from doit_diskimg.disk.placed import PlacedPartition, Region
from doit_diskimg.errors import Problem
from doit_diskimg.extent import Extent
from doit_diskimg.frozen import dataclass, keep_copies
from doit_diskimg.plan.picture import Picture
from doit_diskimg.units import SECTOR, align_up, ceil_div

HEADER_LBA = 1
ARRAY_LBA = 2

_ENTRY_COUNT, _ENTRY_SIZE = 128, 128  # those of `ondisk.gpt_header`
_BOOT_CODE = 440  # bytes of sector 0 that are not the table's: `ondisk.mbr_sector.START`

_ARRAY = "GPT entry array"
_BACKUP = ("backup GPT entry array", "backup GPT header")

MOST_ENTRIES = 1024
"""Entries of the largest array that we write: 128 KiB at either end of the disk."""

Hybrid = Sequence[str] | Mapping[str, str | int]


def mirrored(hybrid: Hybrid) -> Collection[str]:
    """Return the names of the partitions that the MBR mentions; none if ``hybrid`` is nonsense."""
    if isinstance(hybrid, (str, bytes)) or not isinstance(hybrid, (Sequence, Mapping)):
        return ()
    return [name for name in hybrid if isinstance(name, str)]


@dataclass(frozen=True, kw_only=True, described=True)
class Gpt(Table):
    """A GPT with 128 entries.

    ``sector_size`` is 512, or 4096 for a disk that is to be used as a drive with such sectors.  A
    partition's ``type`` is a name (``"esp"``) or a GUID, its ``attributes`` are a number or names
    (`ondisk.gpt_header.ATTRIBUTES`).

    ``hybrid`` names up to three partitions that the MBR in sector 0 mentions too, in that order;
    as a mapping it says with which MBR type.  ``active`` is allowed for one of them, or for more
    with ``several_active``, and the disk may have a ``signature``.  ``protective_number`` is the
    entry of the MBR, 1 to 4, that protects the GPT, and ``pmbr_boot`` makes it active.

    What boot ROMs that read fixed sectors ask for: ``entries_lba`` moves the entry array,
    ``entry_count`` makes it shorter (or longer), ``first_usable_lba`` is where partitions may
    begin (behind the array, and not before sector 34 or, of 4096 bytes, 6), ``backup=False``
    does not write the copy at the end of the disk, but keeps partitions away from its place.
    """

    sector_size: Literal[512, 4096] = SECTOR
    entries_lba: int = ARRAY_LBA
    entry_count: int = _ENTRY_COUNT
    first_usable_lba: int | None = None
    backup: bool = True
    hybrid: Sequence[str] | Mapping[str, str | int] = ()
    protective_number: Literal[1, 2, 3, 4] = 1
    pmbr_boot: bool = False
    several_active: bool = False
    hybrid_order: tuple[str, ...] = field(default=(), init=False, repr=False)
    """A field, so that the order of a mapping is a part of the description."""

    has_guids = True

    def __post_init__(self) -> None:
        keep_copies(self)
        object.__setattr__(self, "hybrid_order", tuple(mirrored(self.hybrid)))

    def problems(self, disk: Disk) -> Iterator[Problem]:
        from doit_diskimg.kinds.tables import gpt_problems

        return gpt_problems.problems(self, disk)

    def notes(self, disk: Disk, regions: Sequence[Region]) -> Iterator[str]:
        from doit_diskimg.kinds.tables import gpt_problems

        return gpt_problems.notes(self, disk, regions)

    def records_signature(self, disk: Disk) -> bool:
        """Return whether there is a disk signature: in a hybrid MBR, if it is given."""
        return bool(self.hybrid_order) and disk.signature is not None

    def regions(self, size: int) -> Sequence[Region]:
        """Return the parts of the table, in the order of the disk.

        The protective MBR's part has all of sector 0 behind the boot code, which must be zero.
        """
        sector, array = self.sector_size, self.array_sectors * self.sector_size
        parts = [
            ("protective MBR", _BOOT_CODE, sector - _BOOT_CODE),
            ("GPT header", HEADER_LBA * sector, sector),
            (_ARRAY, self.entries_lba * sector, array),
        ]
        if self.backup:
            last = self.last_lba(size) * sector
            parts += zip(_BACKUP, (last - array, last), (array, sector), strict=True)
        return [
            Region(name=name, where="table", extent=Extent(start, length))
            for name, start, length in parts
        ]

    def usable(self, size: int) -> Extent:
        """Return all between the entry array and its backup; nothing if the disk is too small."""
        start = self.first_lba * self.sector_size
        end = (self.last_usable_lba(size) + 1) * self.sector_size
        return Extent(start, max(0, end - start))

    def ways_out(self, region: Region, extent: Extent) -> Iterator[str]:
        if region.name == _ARRAY:
            yield f"write Gpt(entries_lba={ceil_div(extent.end, self.sector_size)})"
        elif region.name in _BACKUP:
            yield "write Gpt(backup=False)"

    def ways_before(self, extent: Extent) -> Iterator[str]:
        """Yield how low the array, or what is behind it, would have to lie."""
        start = extent.start // self.sector_size
        moved = self.entries_lba > ARRAY_LBA
        if self.first_usable_lba is not None and start >= self.entries_lba + self.array_sectors:
            yield f"write Gpt(first_usable_lba={start})"
        elif self.first_usable_lba is None and moved and start >= self._usual_first_lba:
            lba = start - self.array_sectors
            if lba >= ARRAY_LBA:
                yield f"write Gpt(entries_lba={lba}) or less"

    def size_for(self, end: int) -> int:
        least = (self.first_lba + 1) * self.sector_size
        return align_up(max(end, least), self.sector_size) + self.tail

    def type_of(self, partition: Partition, payload_type: str | None) -> str:
        from doit_diskimg.kinds.tables import gpt_work

        return gpt_work.type_of(partition.type, payload_type)

    def attributes_of(self, partition: Partition) -> int:
        from doit_diskimg.kinds.tables import gpt_work

        return gpt_work.attributes_value(partition.attributes)

    def encode(
        self, size: int, identity: Identity, partitions: Sequence[PlacedPartition]
    ) -> Picture:
        from doit_diskimg.kinds.tables import gpt_work

        return gpt_work.encode(self, size, identity, partitions)

    @property
    def array_sectors(self) -> int:
        """Sectors of the entry array."""
        return ceil_div(self.entry_count * _ENTRY_SIZE, self.sector_size)

    @property
    def first_lba(self) -> int:
        """As asked for, else behind the array, and where other tools have it if that is later.

        A shorter array moves it nowhere: values below 34 made a Raspberry Pi 5 and Windows trip.
        """
        if self.first_usable_lba is not None:
            return self.first_usable_lba
        return max(self._usual_first_lba, self.entries_lba + self.array_sectors)

    @property
    def _usual_first_lba(self) -> int:
        return ARRAY_LBA + _ENTRY_COUNT * _ENTRY_SIZE // self.sector_size

    @property
    def tail(self) -> int:
        """Bytes of the backup, which stay unused without one: who repairs it destroys nothing."""
        return (self.array_sectors + 1) * self.sector_size

    def last_lba(self, size: int) -> int:
        """Return the last whole sector of the disk."""
        return size // self.sector_size - 1

    def last_usable_lba(self, size: int) -> int:
        """Return the last sector that partitions may have."""
        return self.last_lba(size) - self.tail // self.sector_size
