"""What a GPT, and the MBR before it, can't store of a description, each with the path to it."""

from collections.abc import Collection, Iterator, Mapping, Sequence

from doit_diskimg.disk.fields import YES_OR_NO, Kind, is_number, kind_problems
from doit_diskimg.disk.identity import disk_guid, partition_guid
from doit_diskimg.disk.model import Disk, Partition
from doit_diskimg.disk.placed import Region
from doit_diskimg.errors import (
    BadName,
    BadValue,
    DuplicateGuid,
    Problem,
    TooManyPartitions,
    UnknownType,
)
from doit_diskimg.kinds.tables.gpt import ARRAY_LBA, MOST_ENTRIES, Gpt, Hybrid, mirrored
from doit_diskimg.kinds.tables.gpt_work import MOST_MIRRORED, mirror_type
from doit_diskimg.kinds.tables.rules import (
    EXTENDED_TYPES,
    active_notes,
    active_problem,
    byte_meant,
    count_problems,
    names_to_use,
    signature_problems,
    too_small_problems,
    type_problem,
)
from doit_diskimg.ondisk import gpt_header as ondisk
from doit_diskimg.ondisk import mbr_sector
from doit_diskimg.ondisk.guids import GPT_TYPES, parse_guid, type_byte, type_guid
from doit_diskimg.units import align_up

_NO_MIRROR = {0, *EXTENDED_TYPES, mbr_sector.GPT_PROTECTIVE}
"""Types by which readers take an entry for none, or for a part of the table."""

_MBR_KINDS = {
    "protective_number": Kind(
        lambda value: is_number(value) and 1 <= value <= mbr_sector.ENTRY_COUNT,  # type: ignore[operator]
        "must be an entry, 1 to 4", "leave it out for 1",
    ),
    "pmbr_boot": YES_OR_NO,
    "several_active": YES_OR_NO,
}  # fmt: skip


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
    yield from _mbr_problems(table, disk)
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
    fault = "" if isinstance(name, str) else f"{name!r} is not text"
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


# The MBR ------------------------------------------------------------------------------------------


def _mbr_problems(table: Gpt, disk: Disk) -> Iterator[Problem]:
    """Yield what is wrong with what the description says of the MBR."""
    yield from kind_problems(table, "table.", _MBR_KINDS)
    if table.hybrid_order:
        yield from signature_problems(disk.signature)
    elif disk.signature is not None:
        yield BadValue(
            "signature", f"{disk.signature!r} is given",
            "must be left out, since a GPT has no such field and a protective MBR has zeros there",
            "write guid=..., or use Mbr(), or name partitions for a hybrid MBR",
        )
    yield from _hybrid_problems(table.hybrid, disk)
    active = [f"{disk.partitions[index].name!r}" for index in _active(table, disk)]
    if table.pmbr_boot:
        active.insert(0, "the protective entry")
    if len(active) > 1 and not table.several_active:
        yield active_problem("table.hybrid", f"{' and '.join(active)} are active", "Gpt")


def notes(table: Gpt, disk: Disk, regions: Sequence[Region]) -> Iterator[str]:
    """Yield what is legal and likely to be trouble; ``regions`` are all that lie on the disk."""
    active = _active(table, disk)
    yield from active_notes(disk, active, regions)
    if table.pmbr_boot and active:
        yield (
            f"table.pmbr_boot: partitions[{active[0]}] is active too, boot code of the usual kind "
            "refuses such a disk"
        )


def _active(table: Gpt, disk: Disk) -> list[int]:
    """Return the indexes of the active partitions that the MBR mentions."""
    parts = enumerate(disk.partitions)
    return [index for index, part in parts if part.active and part.name in table.hybrid_order]


def _hybrid_problems(hybrid: Hybrid, disk: Disk) -> Iterator[Problem]:
    names = list(mirrored(hybrid))
    is_list = isinstance(hybrid, (Sequence, Mapping)) and not isinstance(hybrid, (str, bytes))
    if not is_list or len(names) != len(hybrid):
        yield BadValue(
            "table.hybrid", f"{hybrid!r} is not a list of names",
            "must name the partitions that the MBR mentions too", 'write for example ["esp"]',
        )
        return
    if len(names) > MOST_MIRRORED:
        yield TooManyPartitions(
            "table.hybrid", f"there are {len(names)}",
            f"must be {MOST_MIRRORED} at most, since the protective entry takes one",
            "leave some out",
        )
    listed = {part.name: part for part in disk.partitions if part.in_table}
    for name in names:
        if name not in listed or names.count(name) > 1:
            yield BadValue(
                "table.hybrid", f"{name!r} is not a partition in the table, or is there twice",
                "must be the name of a partition, once",
                f"the names are {', '.join(listed) or 'none: no partition is in the table'}",
            )
        elif not _has_type(hybrid, name, listed[name].type):
            yield UnknownType(
                "table.hybrid", f"{name!r} has no type that an MBR knows",
                "must say with which type byte the MBR mentions it",
                f"write hybrid={{{name!r}: 0x0c}} for example",
            )


def _has_type(hybrid: Hybrid, name: str, described: str | int | None) -> bool:
    if isinstance(hybrid, Mapping):
        return (type_byte(hybrid[name]) or 0) not in _NO_MIRROR
    guid = None if described is None else type_guid(described)
    # Without a type of its own it has the payload's; an unknown one is reported with the partition.
    return guid is None or mirror_type(hybrid, name, guid) is not None
