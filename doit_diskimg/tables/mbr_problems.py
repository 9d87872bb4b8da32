"""What an MBR can't store of a description, each with the path to it."""

from collections.abc import Iterator
from typing import TYPE_CHECKING

from doit_diskimg.errors import BadValue, Problem
from doit_diskimg.fields import is_number, size_problems
from doit_diskimg.ondisk import mbr as ondisk
from doit_diskimg.ondisk.guids import MBR_TYPES, type_byte, type_guid
from doit_diskimg.tables.described import (
    EXTENDED_TYPES,
    RESERVED_TYPES,
    DescribedDisk,
    DescribedPartition,
    byte_meant,
    names_to_use,
    type_problem,
)
from doit_diskimg.units import SECTOR

if TYPE_CHECKING:
    from doit_diskimg.tables.mbr import Mbr


def of_identity(disk: DescribedDisk) -> Iterator[Problem]:
    """Yield what is wrong with the identity of the disk: a GUID, or a signature that is none."""
    if disk.guid:
        yield BadValue(
            "guid", f"{disk.guid!r} is given", "must be left out, since an MBR has no place for it",
            "write signature=..., or use Gpt()",
        )
    signature = disk.signature
    if signature is None or (is_number(signature) and 0 < signature < 1 << 32):
        return
    # Zero would be "no signature", which Windows replaces by one of its own.
    yield BadValue(
        "signature",
        f"{signature:#x}" if is_number(signature) else repr(signature),
        "must be a number from 1 to 0xffffffff",
        "leave it out to have one derived",
    )


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


def of_partitions(disk: DescribedDisk) -> Iterator[Problem]:
    """Yield what is wrong with each partition, and with more than one that is active."""
    for index, partition in enumerate(disk.partitions):
        yield from _partition_problems(partition, f"partitions[{index}]")
    active = [index for index, partition in enumerate(disk.partitions) if partition.active]
    for index in active[1:]:
        yield BadValue(
            f"partitions[{index}].active",
            f"partitions[{active[0]}] is active too",
            "must be one partition at most, since boot code looks for one",
            "leave active out of all but one",
        )


def _partition_problems(partition: DescribedPartition, where: str) -> Iterator[Problem]:
    yield from _type_problems(partition.type, f"{where}.type")
    for field in ("guid", "attributes"):
        if getattr(partition, field):
            yield BadValue(
                f"{where}.{field}",
                f"{getattr(partition, field)!r} is given",
                "must be left out, since an MBR has no place for it",
                f"remove {field}, or use Gpt()",
            )


def _type_problems(value: str | int | None, where: str) -> Iterator[Problem]:
    if value is None:
        return
    if type_byte(value) in RESERVED_TYPES:
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
