"""What an MBR can't store of a description, each with the path to it."""

from collections.abc import Iterator, Sequence

from doit_diskimg.disk.fields import YES_OR_NO, is_number, kind_problems, size_problems
from doit_diskimg.disk.model import Disk, Part
from doit_diskimg.disk.placed import Region
from doit_diskimg.errors import BadValue, Problem, TooManyPartitions
from doit_diskimg.kinds.tables.mbr import Mbr
from doit_diskimg.kinds.tables.mbr_work import logical_indexes
from doit_diskimg.kinds.tables.rules import (
    EXTENDED_TYPES,
    active_notes,
    active_problem,
    byte_meant,
    names_to_use,
    signature_problems,
    too_small_problems,
    type_problem,
)
from doit_diskimg.ondisk import mbr_sector as ondisk
from doit_diskimg.ondisk.guids import MBR_TYPES, type_byte, type_guid
from doit_diskimg.units import SECTOR

_MOST_LOGICAL = 56
"""Logical partitions that sfdisk lists: it ends at number 60."""

_NUMBERS = {3: "three", 4: "four"}
_KINDS = {"disk_signature": YES_OR_NO, "several_active": YES_OR_NO}


def problems(table: Mbr, disk: Disk) -> Iterator[Problem]:
    """Yield what an MBR can't store, with the path to each."""
    yield from _identity_problems(table, disk)
    yield from too_small_problems(disk.size, 2 * SECTOR, "an MBR")
    yield from _extended_problems(table)
    yield from _count_problems(disk)
    for part in disk.parts():
        yield from _partition_problems(part)
    active = _active(disk)
    for index in active[1:] if not table.several_active else ():
        where = f"{disk.parts()[index].where}.active"
        yield active_problem(where, f"partitions[{active[0]}] is active too", "Mbr")


def _identity_problems(table: Mbr, disk: Disk) -> Iterator[Problem]:
    """Yield what is wrong with the identity of the disk: a GUID, or an invalid signature."""
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


def _extended_problems(table: Mbr) -> Iterator[Problem]:
    """Yield what is wrong with the extended partition, whether there is one or not."""
    number = table.extended_number
    if not is_number(number) or not 1 <= number <= ondisk.ENTRY_COUNT:
        yield BadValue(
            "table.extended_number", repr(number), "must be an entry, 1 to 4",
            "leave it out for 4",
        )
    if type_byte(table.extended_type) not in EXTENDED_TYPES:
        yield BadValue(
            "table.extended_type",
            f"{table.extended_type!r} is not a type of an extended partition",
            "must be 0x05, 0x0f or 0x85", 'leave it out for "extended-lba", 0x0f',
        )
    yield from size_problems(table.extended_start, "table.extended_start", SECTOR)
    yield from size_problems(
        table.extended_size, "table.extended_size", SECTOR, positive=True
    )


def _count_problems(disk: Disk) -> Iterator[Problem]:
    """Yield a problem if there are more partitions than entries or links."""
    listed = [part for part in disk.partitions if part.in_table]
    logical = logical_indexes(disk)
    primary = len(listed) - len(logical)
    beside = ondisk.ENTRY_COUNT - 1  # entries that an extended partition leaves
    most = beside if logical else ondisk.ENTRY_COUNT
    if primary > most:
        holds = f"an MBR holds {_NUMBERS[most]}"
        yield TooManyPartitions(
            "partitions",
            f"there are {primary} primary ones",
            f"{holds} beside the extended one" if logical else holds,
            f"write logical=True for {primary - beside} of them or more, leave logical out to "
            "have it decided, or use Gpt()",
        )
    if len(logical) > _MOST_LOGICAL:
        yield TooManyPartitions(
            "partitions",
            f"there are {len(logical)} logical ones",
            f"must be {_MOST_LOGICAL} at most, since sfdisk reads no more",
            "leave some out, or use Gpt()",
        )
    for index in sorted(logical):
        if disk.partitions[index].type in (0, "0x0", "0x00"):
            yield BadValue(
                f"partitions[{index}].type", "0x00 is given",
                "must be another in a logical partition, since an empty entry ends the chain",
                "write in_table=False to keep it out of the table",
            )


def notes(disk: Disk, regions: Sequence[Region]) -> Iterator[str]:
    """Yield what is legal and likely to be trouble; ``regions`` are all that lie on the disk."""
    yield from active_notes(disk, _active(disk), regions)
    for part in disk.parts():
        is_protective = type_byte(part.partition.type or 0) == ondisk.GPT_PROTECTIVE
        if part.partition.in_table and is_protective:
            yield (
                f"{part.where}.type: 0xee stands for a whole GPT, Linux and parted find no "
                "partitions beside it"
            )


def _active(disk: Disk) -> list[int]:
    return [index for index, partition in enumerate(disk.partitions) if partition.active]


def _partition_problems(part: Part) -> Iterator[Problem]:
    partition, where = part.partition, part.where
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
