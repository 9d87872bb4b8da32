"""What a GPT records of a disk, as bytes: two headers and their arrays, and the MBR before them.

That MBR is protective, or hybrid for those who can't read a GPT: then it mentions up to three of
the partitions beside the protective entry.  No standard knows it (UEFI 2.10, section 5.2.3 wants
one entry); the order of the entries is sgdisk's.
"""

from collections.abc import Iterator, Mapping, Sequence
from zlib import crc32

from doit_diskimg.disk.model import Identity
from doit_diskimg.disk.placed import PlacedPartition, given_type
from doit_diskimg.errors import DescriptionError, OutsideDisk
from doit_diskimg.kinds.tables.gpt import HEADER_LBA, Gpt, Hybrid
from doit_diskimg.ondisk import mbr_sector
from doit_diskimg.ondisk.gpt_header import ENTRY_SIZE, GptEntry, GptHeader, attributes_value
from doit_diskimg.ondisk.guids import MBR_TYPES, parse_guid, type_byte, type_guid
from doit_diskimg.ondisk.mbr_sector import BEYOND, MbrEntry, MbrSector, chs_of
from doit_diskimg.plan.picture import Canvas, Picture

__all__ = ["MOST_MIRRORED", "attributes_value", "encode", "mirror_type", "type_of"]

MOST_MIRRORED = mbr_sector.ENTRY_COUNT - 1
"""Partitions that the MBR has beside the protective entry."""

_REACH = 0xFFFFFFFF


def encode(
    table: Gpt, size: int, identity: Identity, partitions: Sequence[PlacedPartition]
) -> Picture:
    """Return the table's bytes, those of the protective or hybrid MBR included.

    Raises DescriptionError if a mirrored partition lies beyond what an MBR can record.
    """
    array = bytearray(table.entry_count * ENTRY_SIZE)
    for partition in partitions:
        start = (partition.number - 1) * ENTRY_SIZE
        array[start : start + ENTRY_SIZE] = _entry(table, partition).pack()
    sector, array_start = table.sector_size, table.entries_lba * table.sector_size
    signature = identity.signature if identity.signature_given else 0
    master = _master_boot_record(table, signature, partitions, table.last_lba(size))
    canvas = Canvas()
    canvas.data(mbr_sector.START, master.pack())
    canvas.data(array_start, array)
    if table.backup:
        canvas.again((table.last_usable_lba(size) + 1) * sector, len(array), array_start)
    for header in _headers(table, size, parse_guid(identity.guid), crc32(array)):
        canvas.data(header.my_lba * sector, header.sealed().pack())
    return canvas.picture()


def _headers(table: Gpt, size: int, guid: str, entries_crc: int) -> Iterator[GptHeader]:
    """Yield the two headers, which differ in where they and their arrays are.

    Without a backup the one header still says where it would be: parted refuses a disk whose
    header names itself as the other (genimage's way), and reads this one.
    """
    last_lba, last_usable_lba = table.last_lba(size), table.last_usable_lba(size)
    places = [(HEADER_LBA, last_lba, table.entries_lba)]
    if table.backup:
        places.append((last_lba, HEADER_LBA, last_usable_lba + 1))
    for my_lba, other_lba, entries_lba in places:
        yield GptHeader(
            my_lba=my_lba,
            alternate_lba=other_lba,
            first_usable_lba=table.first_lba,
            last_usable_lba=last_usable_lba,
            disk_guid=guid,
            entries_lba=entries_lba,
            entry_count=table.entry_count,
            entries_crc=entries_crc,
        )


def _entry(table: Gpt, partition: PlacedPartition) -> GptEntry:
    extent, name = partition.extent, partition.partition_name
    return GptEntry(
        type_guid=partition.type,
        partition_guid=partition.guid,
        first_lba=extent.start // table.sector_size,
        last_lba=extent.end // table.sector_size - 1,
        attributes=partition.attributes,
        name=partition.name if name is None else name,
    )


def type_of(described: str | int | None, payload_type: str | None) -> str:
    """Return the type GUID in lower case.

    Raises ValueError, in words for the user, if there is no type or it is unknown.
    """
    given = given_type(described, payload_type)
    guid = type_guid(given)
    if guid is None:
        raise ValueError(f"{given!r} is not a type that a GPT can store")
    return guid


# The MBR ------------------------------------------------------------------------------------------


def _master_boot_record(
    table: Gpt, signature: int, partitions: Sequence[PlacedPartition], last_lba: int
) -> MbrSector:
    """Return the end of sector 0; a protective MBR has no ``signature``.

    Raises DescriptionError if a mirrored partition has sectors that 32 bits can't count.
    """
    by_name, sector_size = {part.name: part for part in partitions}, table.sector_size
    chosen = [by_name[name] for name in table.hybrid_order]
    beyond = [part for part in chosen if part.extent.end > (_REACH + 1) * sector_size]
    if beyond:
        raise DescriptionError(*(_unreachable(part, sector_size) for part in beyond))
    first = min((part.extent.start // sector_size for part in chosen), default=last_lba + 1)
    entries = [_mirror(part, table.hybrid, sector_size) for part in chosen]
    entries += [mbr_sector.UNUSED] * (MOST_MIRRORED - len(entries))
    entries.insert(table.protective_number - 1, _protective(first - 1, active=table.pmbr_boot))
    return MbrSector(signature=signature if chosen else 0, entries=tuple(entries))


def _protective(last_lba: int, *, active: bool) -> MbrEntry:
    """Return the entry that covers the disk up to ``last_lba`` with a partition of type 0xEE.

    Its addresses are as section 5.2.3 wants them: ``FF FF FF`` and 0xFFFFFFFF for what does not
    fit.  sfdisk writes ``FF FF FF`` on small disks too; sgdisk does as we do.
    """
    return MbrEntry(
        boot_indicator=mbr_sector.ACTIVE if active else 0,
        first_chs=chs_of(1),
        type=mbr_sector.GPT_PROTECTIVE,
        last_chs=chs_of(last_lba, BEYOND),
        first_lba=1,
        sectors=min(last_lba, _REACH),
    )


def _mirror(part: PlacedPartition, hybrid: Hybrid, sector_size: int) -> MbrEntry:
    byte = mirror_type(hybrid, part.name, part.type, part.payload_type) or 0
    first_lba, sectors = part.extent.start // sector_size, part.extent.length // sector_size
    return MbrEntry.covering(byte, first_lba, sectors, active=part.active)


def mirror_type(hybrid: Hybrid, name: str, guid: str, payload_type: str = "") -> int | None:
    """Return the type byte: as given, else the file system's, else what means the same."""
    if isinstance(hybrid, Mapping):
        return type_byte(hybrid[name])
    if payload_type in MBR_TYPES and type_guid(payload_type) == guid:
        return MBR_TYPES[payload_type]
    return next((byte for known, byte in MBR_TYPES.items() if type_guid(known) == guid), None)


def _unreachable(part: PlacedPartition, sector_size: int) -> OutsideDisk:
    return OutsideDisk(
        f"table.hybrid {part.name!r}",
        f"{part.extent} ends behind {(_REACH + 1) * sector_size:#x}",
        "an MBR can't count so far", "place it lower, or leave it out of hybrid",
    )
