"""The GUID partition table, UEFI 2.10, sections 5.2.3 and 5.3.

    sector 0       protective MBR        (its boot code is not ours)
    1              header
    2 ...          entry array, 16 KiB   (to sector 33, or 5 of 4096 bytes)
    ...            partitions
    ... last - 1   backup entry array
    last           backup header
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from zlib import crc32

from doit_diskimg.errors import BadName, BadValue, DuplicateGuid, Problem
from doit_diskimg.extent import Extent
from doit_diskimg.ondisk import gpt as ondisk
from doit_diskimg.ondisk import mbr
from doit_diskimg.ondisk.chs import BEYOND, chs_of
from doit_diskimg.ondisk.guids import GPT_TYPES, parse_guid, type_byte, type_guid
from doit_diskimg.picture import Canvas, Picture
from doit_diskimg.segment import Identity, PlacedPartition, Region
from doit_diskimg.tables.described import (
    DescribedDisk,
    DescribedPartition,
    count_problems,
    names_to_use,
    size_problems,
    type_problem,
)
from doit_diskimg.units import SECTOR

_ARRAY_LENGTH = ondisk.ENTRY_COUNT * ondisk.ENTRY_SIZE
_HEADER_LBA = 1
_ARRAY_LBA = 2


@dataclass(frozen=True, kw_only=True)
class Gpt:
    """A GPT with 128 entries.

    ``sector_size`` is 512, or 4096 for a disk that is to be used as a drive with such sectors.  A
    partition's ``type`` is a name (``"esp"``) or a GUID, its ``attributes`` are a number or names
    (`ondisk.gpt.ATTRIBUTES`).
    """

    sector_size: int = SECTOR

    def problems(self, disk: DescribedDisk) -> Iterator[Problem]:
        """Yield what a GPT can't store, with the path to each."""
        if self.sector_size not in (512, 4096):
            yield BadValue(
                "table.sector_size", repr(self.sector_size), "must be 512 or 4096",
                "leave it out for 512",
            )
        else:
            # Both arrays and headers, the protective MBR, and one sector between them.
            least = 2 * _ARRAY_LENGTH + 4 * self.sector_size
            yield from size_problems(disk.size, least, "a GPT")
        yield from count_problems(
            len(disk.partitions), ondisk.ENTRY_COUNT, "a GPT", "leave some out"
        )
        for index, partition in enumerate(disk.partitions):
            yield from _partition_problems(partition, f"partitions[{index}]")
        if disk.signature is not None:
            yield BadValue(
                "signature", f"{disk.signature!r} is given",
                "must be left out, since a GPT has no such field", "write guid=..., or use Mbr()",
            )
        yield from _guid_problems(disk)

    def regions(self, size: int) -> Sequence[Region]:
        """Return the five parts of the table, in the order of the disk.

        The protective MBR's part has all of sector 0 behind the boot code, which must be zero.
        """
        sector, array_start = self.sector_size, _ARRAY_LBA * self.sector_size
        backup = self._last_lba(size) * sector
        parts = (
            ("protective MBR", mbr.START, sector - mbr.START),
            ("GPT header", _HEADER_LBA * sector, sector),
            ("GPT entry array", array_start, _ARRAY_LENGTH),
            ("backup GPT entry array", backup - _ARRAY_LENGTH, _ARRAY_LENGTH),
            ("backup GPT header", backup, sector),
        )
        return [
            Region(name=name, where="table", extent=Extent(start, length))
            for name, start, length in parts
        ]

    def usable(self, size: int) -> Extent:
        """Return all between the entry array and its backup; nothing if the disk is too small."""
        start = self._first_usable_lba * self.sector_size
        end = (self._last_usable_lba(size) + 1) * self.sector_size
        return Extent(start, max(0, end - start))

    def type_of(self, partition: DescribedPartition, payload_type: str | None) -> str:
        """Return the type GUID in lower case.

        Raises ValueError, in words for the user, if nobody names a type or it is not a known one.
        """
        given = payload_type if partition.type is None else partition.type
        if given is None:
            raise ValueError("no type is given, and the payload has none of its own")
        guid = type_guid(given)
        if guid is None:
            raise ValueError(f"{given!r} is no type that a GPT can store")
        return guid

    def encode(
        self, size: int, identity: Identity, partitions: Sequence[PlacedPartition]
    ) -> Picture:
        """Return the table's bytes, the protective MBR's included."""
        array = bytearray(_ARRAY_LENGTH)
        for partition in partitions:
            start = (partition.number - 1) * ondisk.ENTRY_SIZE
            array[start : start + ondisk.ENTRY_SIZE] = self._entry(partition).pack()
        sector, backup_lba = self.sector_size, self._last_usable_lba(size) + 1
        canvas = Canvas()
        canvas.data(mbr.START, _protective(self._last_lba(size)).pack())
        canvas.data(_ARRAY_LBA * sector, array)
        canvas.again(backup_lba * sector, _ARRAY_LENGTH, _ARRAY_LBA * sector)
        for header in self._headers(size, parse_guid(identity.guid), crc32(array)):
            canvas.data(header.my_lba * sector, header.sealed().pack())
        return canvas.picture()

    def _headers(self, size: int, guid: str, entries_crc: int) -> Iterator[ondisk.GptHeader]:
        """Yield the two headers, which differ in where they and their arrays are."""
        last_lba, last_usable_lba = self._last_lba(size), self._last_usable_lba(size)
        for my_lba, alternate_lba, entries_lba in (
            (_HEADER_LBA, last_lba, _ARRAY_LBA),
            (last_lba, _HEADER_LBA, last_usable_lba + 1),
        ):
            yield ondisk.GptHeader(
                my_lba=my_lba,
                alternate_lba=alternate_lba,
                first_usable_lba=self._first_usable_lba,
                last_usable_lba=last_usable_lba,
                disk_guid=guid,
                entries_lba=entries_lba,
                entries_crc=entries_crc,
            )

    def _entry(self, partition: PlacedPartition) -> ondisk.GptEntry:
        extent = partition.extent
        return ondisk.GptEntry(
            type_guid=partition.type,
            partition_guid=partition.guid,
            first_lba=extent.start // self.sector_size,
            last_lba=extent.end // self.sector_size - 1,
            attributes=partition.attributes,
            name=partition.name,
        )

    @property
    def _array_sectors(self) -> int:
        return _ARRAY_LENGTH // self.sector_size

    @property
    def _first_usable_lba(self) -> int:
        return _ARRAY_LBA + self._array_sectors

    def _last_lba(self, size: int) -> int:
        """The last whole sector of the disk."""
        return size // self.sector_size - 1

    def _last_usable_lba(self, size: int) -> int:
        return self._last_lba(size) - self._array_sectors - 1


def _protective(last_lba: int) -> mbr.Mbr:
    """Return the MBR that covers the disk with one partition of type 0xEE.

    Its addresses are as section 5.2.3 wants them: ``FF FF FF`` and 0xFFFFFFFF for what does not
    fit.  sfdisk writes ``FF FF FF`` on small disks too; sgdisk does as we do.
    """
    entry = mbr.MbrEntry(
        first_chs=chs_of(1),
        type=mbr.GPT_PROTECTIVE,
        last_chs=chs_of(last_lba, BEYOND),
        first_lba=1,
        sectors=min(last_lba, 0xFFFFFFFF),
    )
    return mbr.Mbr(entries=(entry, mbr.UNUSED, mbr.UNUSED, mbr.UNUSED))


def _guid_problems(disk: DescribedDisk) -> Iterator[Problem]:
    """Each GUID must be one, and no two the same."""
    given = [("guid", disk.guid)]
    given += [(f"partitions[{n}].guid", part.guid) for n, part in enumerate(disk.partitions)]
    owners: dict[str, str] = {}
    for where, value in given:
        if value is None:
            continue
        try:
            guid = parse_guid(value)
        except ValueError as error:
            yield BadValue(
                where, str(error), "must be 8-4-4-4-12 hexadecimal digits",
                "leave it out to have one derived",
            )
            continue
        if guid in owners:
            yield DuplicateGuid(
                where, f"{guid} is that of {owners[guid]} too",
                "must be the only one of its kind", "leave it out to have one derived",
            )
        owners.setdefault(guid, "the disk" if where == "guid" else where)


def _partition_problems(partition: DescribedPartition, where: str) -> Iterator[Problem]:
    yield from _type_problems(partition.type, f"{where}.type")
    if isinstance(partition.name, str):
        try:
            ondisk.name_bytes(partition.name)
        except ValueError as error:
            yield BadName(
                f"{where}.name", str(error),
                f"must be text of {ondisk.NAME_UNITS} UTF-16 units at most, without NUL",
                "give another name",
            )
    try:
        ondisk.attributes_value(partition.attributes)
    except ValueError as error:
        yield BadValue(
            f"{where}.attributes", str(error), "must be a 64-bit number or a list of names",
            f"the names are {', '.join(ondisk.ATTRIBUTES)}",
        )
    if partition.active:
        yield BadValue(
            f"{where}.active", "is set", "must be left out, since a GPT has no such flag",
            "write attributes=['legacy-bios-bootable'] if a BIOS is to start the partition",
        )


def _type_problems(value: str | int | None, where: str) -> Iterator[Problem]:
    if value is None or type_guid(value) is not None:
        return
    byte = type_byte(value)
    meant = [name for name in GPT_TYPES if byte and type_byte(name) == byte]
    yield type_problem(
        where, value, "must be a name that a GPT has a type for, or a type GUID",
        names_to_use(value, GPT_TYPES, meant),
    )
