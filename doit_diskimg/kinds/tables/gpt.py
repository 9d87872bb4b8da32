"""The GUID partition table, UEFI 2.10, sections 5.2.3 and 5.3.

    sector 0       protective MBR        (its boot code is not ours)
    1              header
    2 ...          entry array, 16 KiB   (to sector 33, or 5 of 4096 bytes)
    ...            partitions
    ... last - 1   backup entry array
    last           backup header

Every `doit` of a disk with a GPT imports this module, so it imports next to nothing; what checks is
in `gpt_problems` and `gpt_mbr`, what is written in `ondisk.gpt`.
"""

import dataclasses
from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

from doit_diskimg.errors import BadValue, Problem
from doit_diskimg.frozen import dataclass, keep_copies
from doit_diskimg.units import SECTOR, align_up, ceil_div

if TYPE_CHECKING:
    from doit_diskimg.disk.ports import Chain
    from doit_diskimg.disk.segment import Identity, PlacedPartition, Region
    from doit_diskimg.extent import Extent
    from doit_diskimg.kinds.tables.described import DescribedDisk, DescribedPartition
    from doit_diskimg.ondisk.gpt_header import GptEntry, GptHeader
    from doit_diskimg.plan.picture import Picture

_HEADER_LBA = 1
_ARRAY_LBA = 2

_ENTRY_COUNT, _ENTRY_SIZE = 128, 128  # those of `ondisk.gpt`

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


@dataclass(frozen=True, kw_only=True)
class Gpt:
    """A GPT with 128 entries.

    ``sector_size`` is 512, or 4096 for a disk that is to be used as a drive with such sectors.  A
    partition's ``type`` is a name (``"esp"``) or a GUID, its ``attributes`` are a number or names
    (`ondisk.gpt.ATTRIBUTES`).

    ``hybrid`` names up to three partitions that the MBR in sector 0 mentions too, in that order;
    as a mapping it says with which MBR type.  ``active`` is allowed for one of them, or for more
    with ``several_active``, and the disk may have a ``signature``.  ``protective_number`` is the
    entry of the MBR, 1 to 4, that protects the GPT, and ``pmbr_boot`` makes it active.

    What boot ROMs that read fixed sectors ask for: ``entries_lba`` moves the entry array,
    ``entry_count`` makes it shorter (or longer), ``first_usable_lba`` is where partitions may
    begin (behind the array, and not before sector 34 or, of 4096 bytes, 6), ``backup=False``
    does not write the copy at the end of the disk, but keeps partitions away from its place.
    """

    sector_size: int = SECTOR
    entries_lba: int = _ARRAY_LBA
    entry_count: int = _ENTRY_COUNT
    first_usable_lba: int | None = None
    backup: bool = True
    hybrid: Sequence[str] | Mapping[str, str | int] = ()
    protective_number: int = 1
    pmbr_boot: bool = False
    several_active: bool = False
    hybrid_order: tuple[str, ...] = dataclasses.field(default=(), init=False, repr=False)
    """A field, so that another order of a mapping is another description."""

    has_guids = True

    def __post_init__(self) -> None:
        keep_copies(self)
        object.__setattr__(self, "hybrid_order", tuple(mirrored(self.hybrid)))

    def problems(self, disk: "DescribedDisk") -> Iterator[Problem]:
        """Yield what a GPT can't store, with the path to each."""
        from doit_diskimg.kinds.tables import gpt_mbr, gpt_problems
        from doit_diskimg.kinds.tables.described import count_problems, too_small_problems

        shape = list(self._shape_problems())
        yield from shape
        if not shape:
            usable = self._first_usable_lba * self.sector_size
            least = usable + self.sector_size + self._tail
            yield from too_small_problems(disk.size, least, "a GPT")
            yield from count_problems(
                sum(part.in_table for part in disk.partitions), self.entry_count, "a GPT",
                f"leave some out, or write Gpt(entry_count={align_up(len(disk.partitions), 4)})",
            )
        names = mirrored(self.hybrid)
        for index, partition in enumerate(disk.partitions):
            yield from gpt_problems.of_partition(partition, f"partitions[{index}]", names)
        yield from gpt_mbr.problems(self, disk)
        yield from gpt_problems.of_guids(disk)

    def notes(self, disk: "DescribedDisk", regions: "Sequence[Region]") -> Iterator[str]:
        """Yield what is legal and likely to be trouble; see `abilities.Noting`."""
        from doit_diskimg.kinds.tables import gpt_mbr

        return gpt_mbr.notes(self, disk, regions)

    def records_signature(self, disk: "DescribedDisk") -> bool:
        """Return whether there is a disk signature: in a hybrid MBR, if it is given."""
        return bool(self.hybrid_order) and disk.signature is not None

    def _shape_problems(self) -> Iterator[Problem]:
        """Yield what is wrong with the numbers that decide where the table lies."""
        if not isinstance(self.sector_size, int) or self.sector_size not in (512, 4096):
            yield BadValue(
                "table.sector_size", repr(self.sector_size), "must be 512 or 4096",
                "leave it out for 512",
            )
            return
        for field, least, most in (
            ("entry_count", 1, MOST_ENTRIES), ("entries_lba", _ARRAY_LBA, 1 << 32),
        ):
            value = getattr(self, field)
            if not isinstance(value, int) or not least <= value <= most:
                yield BadValue(
                    f"table.{field}", repr(value), f"must be {least} to {most}",
                    f"leave it out for {getattr(Gpt, field)}",
                )
                return
        first, least = self.first_usable_lba, self.entries_lba + self._array_sectors
        if first is not None and (not isinstance(first, int) or first < least):
            yield BadValue(
                "table.first_usable_lba", repr(first),
                f"must be {least} or more, behind the entry array",
                "leave it out to have it chosen",
            )

    def regions(self, size: int) -> "Sequence[Region]":
        """Return the parts of the table, in the order of the disk.

        The protective MBR's part has all of sector 0 behind the boot code, which must be zero.
        """
        from doit_diskimg.disk.segment import Region
        from doit_diskimg.extent import Extent
        from doit_diskimg.ondisk import mbr_sector

        sector, array = self.sector_size, self._array_sectors * self.sector_size
        parts = [
            ("protective MBR", mbr_sector.START, sector - mbr_sector.START),
            ("GPT header", _HEADER_LBA * sector, sector),
            (_ARRAY, self.entries_lba * sector, array),
        ]
        if self.backup:
            last = self._last_lba(size) * sector
            parts += zip(_BACKUP, (last - array, last), (array, sector), strict=True)
        return [
            Region(name=name, where="table", extent=Extent(start, length))
            for name, start, length in parts
        ]

    def usable(self, size: int) -> "Extent":
        """Return all between the entry array and its backup; nothing if the disk is too small."""
        from doit_diskimg.extent import Extent

        start = self._first_usable_lba * self.sector_size
        end = (self._last_usable_lba(size) + 1) * self.sector_size
        return Extent(start, max(0, end - start))

    def ways_out(self, region: "Region", extent: "Extent") -> Iterator[str]:
        """Yield which field moves or removes a region; see `abilities.Yielding`."""
        if region.name == _ARRAY:
            yield f"write Gpt(entries_lba={ceil_div(extent.end, self.sector_size)})"
        elif region.name in _BACKUP:
            yield "write Gpt(backup=False)"

    def ways_before(self, extent: "Extent") -> Iterator[str]:
        """Yield how low the array, or what is behind it, would have to lie."""
        start = extent.start // self.sector_size
        moved = self.entries_lba > _ARRAY_LBA
        if self.first_usable_lba is not None and start >= self.entries_lba + self._array_sectors:
            yield f"write Gpt(first_usable_lba={start})"
        elif self.first_usable_lba is None and moved and start >= self._usual_first_lba:
            lba = start - self._array_sectors
            if lba >= _ARRAY_LBA:
                yield f"write Gpt(entries_lba={lba}) or less"

    def size_for(self, end: int) -> int:
        """Return the bytes of the smallest disk with usable bytes up to ``end``."""
        least = (self._first_usable_lba + 1) * self.sector_size
        return align_up(max(end, least), self.sector_size) + self._tail

    def numbers(self, disk: "DescribedDisk") -> Sequence[int]:
        """Return the entry numbers, from 1 in the order of the description."""
        from doit_diskimg.kinds.tables.described import listed_numbers

        return listed_numbers(disk)

    def chain(self, disk: "DescribedDisk") -> "Chain | None":
        """Return None: a GPT has no logical partitions."""
        return None

    def type_of(self, partition: "DescribedPartition", payload_type: str | None) -> str:
        """Return the type GUID in lower case.

        Raises ValueError, in words for the user, if nobody names a type or it is not a known one.
        """
        from doit_diskimg.ondisk.guids import type_guid

        given = payload_type if partition.type is None else partition.type
        if given is None:
            raise ValueError("no type is given, and the payload has none of its own")
        guid = type_guid(given)
        if guid is None:
            raise ValueError(f"{given!r} is no type that a GPT can store")
        return guid

    def encode(
        self, size: int, identity: "Identity", partitions: "Sequence[PlacedPartition]"
    ) -> "Picture":
        """Return the table's bytes, those of the protective or hybrid MBR included.

        Raises DescriptionError if a mirrored partition lies beyond what an MBR can record.
        """
        from zlib import crc32

        from doit_diskimg.kinds.tables import gpt_mbr
        from doit_diskimg.ondisk import mbr_sector
        from doit_diskimg.ondisk.guids import parse_guid
        from doit_diskimg.plan.picture import Canvas

        array = bytearray(self.entry_count * _ENTRY_SIZE)
        for partition in partitions:
            start = (partition.number - 1) * _ENTRY_SIZE
            array[start : start + _ENTRY_SIZE] = self._entry(partition).pack()
        sector, array_start = self.sector_size, self.entries_lba * self.sector_size
        signature = identity.signature if identity.signature_given else 0
        master = gpt_mbr.master_boot_record(self, signature, partitions, self._last_lba(size))
        canvas = Canvas()
        canvas.data(mbr_sector.START, master.pack())
        canvas.data(array_start, array)
        if self.backup:
            canvas.again((self._last_usable_lba(size) + 1) * sector, len(array), array_start)
        for header in self._headers(size, parse_guid(identity.guid), crc32(array)):
            canvas.data(header.my_lba * sector, header.sealed().pack())
        return canvas.picture()

    def _headers(self, size: int, guid: str, entries_crc: int) -> "Iterator[GptHeader]":
        """Yield the two headers, which differ in where they and their arrays are.

        Without a backup the one header still says where it would be: parted refuses a disk whose
        header names itself as the other (genimage's way), and reads this one.
        """
        from doit_diskimg.ondisk.gpt_header import GptHeader

        last_lba, last_usable_lba = self._last_lba(size), self._last_usable_lba(size)
        places = [(_HEADER_LBA, last_lba, self.entries_lba)]
        if self.backup:
            places.append((last_lba, _HEADER_LBA, last_usable_lba + 1))
        for my_lba, other_lba, entries_lba in places:
            yield GptHeader(
                my_lba=my_lba,
                alternate_lba=other_lba,
                first_usable_lba=self._first_usable_lba,
                last_usable_lba=last_usable_lba,
                disk_guid=guid,
                entries_lba=entries_lba,
                entry_count=self.entry_count,
                entries_crc=entries_crc,
            )

    def _entry(self, partition: "PlacedPartition") -> "GptEntry":
        from doit_diskimg.ondisk.gpt_header import GptEntry

        extent, name = partition.extent, partition.partition_name
        return GptEntry(
            type_guid=partition.type,
            partition_guid=partition.guid,
            first_lba=extent.start // self.sector_size,
            last_lba=extent.end // self.sector_size - 1,
            attributes=partition.attributes,
            name=partition.name if name is None else name,
        )

    @property
    def _array_sectors(self) -> int:
        return ceil_div(self.entry_count * _ENTRY_SIZE, self.sector_size)

    @property
    def _first_usable_lba(self) -> int:
        """As asked for, else behind the array, and where other tools have it if that is later.

        A shorter array moves it nowhere: values below 34 made a Raspberry Pi 5 and Windows trip.
        """
        if self.first_usable_lba is not None:
            return self.first_usable_lba
        return max(self._usual_first_lba, self.entries_lba + self._array_sectors)

    @property
    def _usual_first_lba(self) -> int:
        return _ARRAY_LBA + _ENTRY_COUNT * _ENTRY_SIZE // self.sector_size

    @property
    def _tail(self) -> int:
        """Bytes of the backup, which stay unused without one: who repairs it destroys nothing."""
        return (self._array_sectors + 1) * self.sector_size

    def _last_lba(self, size: int) -> int:
        """The last whole sector of the disk."""
        return size // self.sector_size - 1

    def _last_usable_lba(self, size: int) -> int:
        return self._last_lba(size) - self._tail // self.sector_size
