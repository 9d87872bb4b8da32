"""What an MBR can't store of a description, each with the path to it."""

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from doit_diskimg.disk.fields import YES_OR_NO, is_number, kind_problems, size_problems
from doit_diskimg.errors import BadValue, Problem
from doit_diskimg.kinds.tables.described import (
    EXTENDED_TYPES,
    DescribedDisk,
    DescribedPartition,
    active_notes,
    active_problem,
    byte_meant,
    names_to_use,
    signature_problems,
    type_problem,
)
from doit_diskimg.ondisk import mbr_sector as ondisk
from doit_diskimg.ondisk.guids import MBR_TYPES, type_byte, type_guid
from doit_diskimg.units import SECTOR

if TYPE_CHECKING:
    from doit_diskimg.disk.segment import Region
    from doit_diskimg.kinds.tables.mbr import Mbr

_KINDS = {"disk_signature": YES_OR_NO, "several_active": YES_OR_NO}


def of_identity(table: "Mbr", disk: DescribedDisk) -> Iterator[Problem]:
    """Yield what is wrong with the identity of the disk: a GUID, or a signature that is none."""
    yield from kind_problems(table, "table.", _KINDS)
    if disk.guid:
        yield BadValue(
            "guid", f"{disk.guid!r} is given", "must be left out, since an MBR has no place for it",
            "write signature=..., or use Gpt()",
        )
    if disk.signature is not None and table.disk_signature is False:
        yield BadValue(
            "signature", f"{disk.signature!r} is given",
            "must be left out, since disk_signature=False leaves its place to boot code",
            "leave one of the two out",
        )
    else:
        yield from signature_problems(disk.signature)


def of_extended(table: "Mbr") -> Iterator[Problem]:
    """Yield what is wrong with the extended partition, whether there is one or not."""
    number = table.extended_number
    if not is_number(number) or not 1 <= number <= ondisk.ENTRY_COUNT:
        yield BadValue(
            "table.extended_number", repr(number), "must be an entry, 1 to 4",
            "leave it out for 4",
        )
    if type_byte(table.extended_type) not in EXTENDED_TYPES:
        yield BadValue(
            "table.extended_type", f"{table.extended_type!r} is no type of an extended one",
            "must be 0x05, 0x0f or 0x85", 'leave it out for "extended-lba", 0x0f',
        )
    yield from size_problems(table.extended_start, "table.extended_start", SECTOR)
    yield from size_problems(
        table.extended_size, "table.extended_size", SECTOR, positive=True
    )


def of_partitions(table: "Mbr", disk: DescribedDisk) -> Iterator[Problem]:
    """Yield what is wrong with each partition, and with more than one that is active."""
    for index, partition in enumerate(disk.partitions):
        yield from _partition_problems(partition, f"partitions[{index}]")
    active = _active(disk)
    for index in active[1:] if not table.several_active else ():
        where = f"partitions[{index}].active"
        yield active_problem(where, f"partitions[{active[0]}] is active too", "Mbr")


def notes(disk: DescribedDisk, regions: "Sequence[Region]") -> Iterator[str]:
    """Yield what is legal and likely to be trouble; ``regions`` are all that lie on the disk."""
    yield from active_notes(disk, _active(disk), regions)
    for index, partition in enumerate(disk.partitions):
        is_protective = type_byte(partition.type or 0) == ondisk.GPT_PROTECTIVE
        if partition.in_table and is_protective:
            yield (
                f"partitions[{index}].type: 0xee stands for a whole GPT, Linux and parted find no "
                "partitions beside it"
            )


def _active(disk: DescribedDisk) -> list[int]:
    return [index for index, partition in enumerate(disk.partitions) if partition.active]


def _partition_problems(partition: DescribedPartition, where: str) -> Iterator[Problem]:
    yield from _type_problems(partition.type, f"{where}.type")
    for field in ("guid", "attributes", "partition_name"):
        if getattr(partition, field) or getattr(partition, field) == "":
            yield BadValue(
                f"{where}.{field}",
                f"{getattr(partition, field)!r} is given",
                "must be left out, since an MBR has no place for it",
                f"remove {field}, or use Gpt()",
            )


def _type_problems(value: str | int | None, where: str) -> Iterator[Problem]:
    if value is None:
        return
    if type_byte(value) in EXTENDED_TYPES:
        yield type_problem(
            where, value, "must be that of a partition: the table itself has such entries",
            "write logical=True for what lies in an extended partition, which comes by itself",
        )
        return
    if type_byte(value) is not None:
        return
    guid = type_guid(value)
    meant = [name for name in MBR_TYPES if guid and type_guid(name) == guid]
    byte = byte_meant(value)
    if guid and not meant:
        change = "use Gpt(), which knows it"
    elif byte is not None and type_byte(byte) is not None:
        change = f"write {byte:#04x}"
    else:
        change = names_to_use(value, MBR_TYPES, meant)
    must = "must be a name that an MBR has a type for, or a byte from 0x00 to 0xff"
    yield type_problem(where, value, must, change)
