"""What a GPT records of a disk, as bytes: two headers and their arrays, and the MBR before them."""

from collections.abc import Iterator, Sequence
from zlib import crc32

from doit_diskimg.disk.model import Identity
from doit_diskimg.disk.placed import PlacedPartition
from doit_diskimg.kinds.tables import gpt_mbr
from doit_diskimg.kinds.tables.gpt import HEADER_LBA, Gpt
from doit_diskimg.ondisk import mbr_sector
from doit_diskimg.ondisk.gpt_header import ENTRY_SIZE, GptEntry, GptHeader, attributes_value
from doit_diskimg.ondisk.guids import parse_guid, type_guid
from doit_diskimg.plan.picture import Canvas, Picture

__all__ = ["attributes_value", "encode", "type_of"]


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
    master = gpt_mbr.master_boot_record(table, signature, partitions, table.last_lba(size))
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
    given = payload_type if described is None else described
    if given is None:
        raise ValueError("no type is given, and the payload has no default type")
    guid = type_guid(given)
    if guid is None:
        raise ValueError(f"{given!r} is no type that a GPT can store")
    return guid
