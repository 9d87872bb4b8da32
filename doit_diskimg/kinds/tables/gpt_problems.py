"""What a GPT can't store of a description, each with the path to it."""

from collections.abc import Collection, Iterator

from doit_diskimg.disk.identity import disk_guid, partition_guid
from doit_diskimg.disk.model import Disk, Partition
from doit_diskimg.errors import BadName, BadValue, DuplicateGuid, Problem
from doit_diskimg.kinds.tables import gpt_mbr
from doit_diskimg.kinds.tables.gpt import ARRAY_LBA, MOST_ENTRIES, Gpt, mirrored
from doit_diskimg.kinds.tables.rules import (
    byte_meant,
    count_problems,
    names_to_use,
    too_small_problems,
    type_problem,
)
from doit_diskimg.ondisk import gpt_header as ondisk
from doit_diskimg.ondisk.guids import GPT_TYPES, parse_guid, type_byte, type_guid
from doit_diskimg.units import align_up


def problems(table: Gpt, disk: Disk) -> Iterator[Problem]:
    """Yield what a GPT can't store, with the path to each."""
    shape = list(_shape_problems(table))
    yield from shape
    if not shape:
        usable = table.first_lba * table.sector_size
        least = usable + table.sector_size + table.tail
        yield from too_small_problems(disk.size, least, "a GPT")
        yield from count_problems(
            sum(part.in_table for part in disk.partitions), table.entry_count, "a GPT",
            f"leave some out, or write Gpt(entry_count={align_up(len(disk.partitions), 4)})",
        )
    names = mirrored(table.hybrid)
    for part in disk.parts():
        yield from _partition_problems(part.partition, part.where, names)
    yield from gpt_mbr.problems(table, disk)
    yield from _guid_problems(disk)


def _shape_problems(table: Gpt) -> Iterator[Problem]:
    """Yield what is wrong with the numbers that decide where the table lies."""
    if not isinstance(table.sector_size, int) or table.sector_size not in (512, 4096):
        yield BadValue(
            "table.sector_size", repr(table.sector_size), "must be 512 or 4096",
            "leave it out for 512",
        )
        return
    for field, least, most in (
        ("entry_count", 1, MOST_ENTRIES), ("entries_lba", ARRAY_LBA, 1 << 32),
    ):
        value = getattr(table, field)
        if not isinstance(value, int) or not least <= value <= most:
            yield BadValue(
                f"table.{field}", repr(value), f"must be {least} to {most}",
                f"leave it out for {getattr(Gpt, field)}",
            )
            return
    first, least = table.first_usable_lba, table.entries_lba + table.array_sectors
    if first is not None and (not isinstance(first, int) or first < least):
        yield BadValue(
            "table.first_usable_lba", repr(first),
            f"must be {least} or more, behind the entry array",
            "leave it out to have it chosen",
        )


def _guid_problems(disk: Disk) -> Iterator[Problem]:
    """Each GUID must be valid, and no two the same, derived ones included."""
    given = [("guid", disk.guid)]
    given += [(f"{part.where}.guid", part.partition.guid) for part in disk.parts()]
    owners: dict[str, str] = {}
    malformed = False
    for where, value in given:
        if not value:
            continue
        try:
            guid = parse_guid(value)
        except ValueError as error:
            malformed = True
            yield BadValue(
                where, str(error), "must be 8-4-4-4-12 hexadecimal digits, not all zero",
                "leave it out to have one derived",
            )
            continue
        if guid in owners:
            yield _duplicate(where, guid, owners[guid])
        owners.setdefault(guid, "the disk" if where == "guid" else where)
    if not malformed:
        yield from _derived_twice(disk, owners)


def _derived_twice(disk: Disk, owners: dict[str, str]) -> Iterator[Problem]:
    """One part may have been given the GUID that another derives from its name."""
    derived = [] if disk.guid else [("guid", disk_guid(disk))]
    derived += [
        (f"{part.where}.guid", partition_guid(disk, part.partition))
        for part in disk.parts()
        if not part.partition.guid and isinstance(part.name, str)
    ]
    for where, value in derived:
        if str(value) in owners:
            yield _duplicate(owners[str(value)], str(value), f"{where}, which is derived,")


def _duplicate(where: str, guid: str, owner: str) -> DuplicateGuid:
    return DuplicateGuid(
        "guid" if where == "the disk" else where, f"{guid} is that of {owner} too",
        "must be the only one of its kind", "leave it out to have one derived",
    )


def _partition_problems(
    partition: Partition, where: str, mirrored: Collection[str]
) -> Iterator[Problem]:
    """Yield what is wrong with one partition; ``mirrored`` are those that the MBR has too."""
    yield from _type_problems(partition.type, f"{where}.type")
    yield from _name_problems(partition, where)
    try:
        ondisk.attributes_value(partition.attributes)
    except ValueError as error:
        yield BadValue(
            f"{where}.attributes", str(error), "must be a 64-bit number or a list of names",
            f"the names are {', '.join(ondisk.ATTRIBUTES)}",
        )
    if partition.active and partition.name not in mirrored:
        yield BadValue(
            f"{where}.active", "is set", "must be left out, since a GPT has no such flag",
            "write attributes=['legacy-bios-bootable'] if a BIOS is to start the partition",
        )
    if partition.logical is not None:
        yield BadValue(
            f"{where}.logical", f"{partition.logical!r} is given",
            "must be left out, since all partitions of a GPT are alike", "leave it out",
        )


def _name_problems(partition: Partition, where: str) -> Iterator[Problem]:
    field = "name" if partition.partition_name is None else "partition_name"
    name = getattr(partition, field)
    fault = "" if isinstance(name, str) else f"{name!r} is no text"
    if fault and field == "name":
        return  # reported with the disk
    try:
        ondisk.name_bytes("" if fault else name)
    except ValueError as error:
        fault = str(error)
    if fault:
        yield BadName(
            f"{where}.{field}", fault,
            f"must be text of {ondisk.NAME_UNITS} UTF-16 units at most, without NUL",
            "give another name" if field != "name" else "give another name, or a partition_name, "
            "which the table stores instead",
        )


def _type_problems(value: str | int | None, where: str) -> Iterator[Problem]:
    if value is None or type_guid(value) is not None:
        return
    byte = type_byte(value)
    byte = byte_meant(value) if byte is None else byte
    meant = [name for name in GPT_TYPES if byte is not None and type_byte(name) == byte]
    yield type_problem(
        where, value, "must be a name that a GPT has a type for, or a type GUID",
        names_to_use(value, GPT_TYPES, meant),
    )
