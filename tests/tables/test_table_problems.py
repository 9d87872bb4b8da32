"""What tables refuse, with the whole message; good and bad together."""

import re
from typing import Any
from uuid import UUID

import pytest

from doit_diskimg.disk.identity import disk_guid, partition_guid
from doit_diskimg.disk.model import Disk, Partition
from doit_diskimg.errors import (
    BadName,
    BadValue,
    DuplicateGuid,
    Problem,
    TooManyPartitions,
    TooSmall,
    Unaligned,
    UnknownType,
)
from doit_diskimg.kinds.filesystems.file import File
from doit_diskimg.kinds.tables.gpt import Gpt
from doit_diskimg.kinds.tables.mbr import Mbr
from doit_diskimg.units import SizeLike

GUID = "aaaaaaaa-bbbb-cccc-dddd-eeeeeeeeeeee"
OTHER = "aaaaaaaa-bbbb-cccc-dddd-ffffffffffff"
ESP = "c12a7328-f81f-11d2-ba4b-00a0c93ec93b"


def part(name: str = "esp", **fields: object) -> Partition:
    return Partition(name, File("esp.img"), **fields)  # type: ignore[arg-type]


def problems(
    table: Gpt | Mbr,
    *partitions: Partition,
    size: SizeLike = "64MiB",
    **fields: Any,
) -> list[Problem]:
    disk = Disk("os.img", size=size, table=table, partitions=partitions, **fields)
    return list(table.problems(disk))


@pytest.mark.parametrize(
    "found",
    [
        problems(Mbr()),
        problems(Mbr(), *[part(f"{n}") for n in range(4)]),
        problems(Mbr(), signature=1),
        problems(Mbr(), signature=0xFFFFFFFF),
        problems(Mbr(), part(type="fat16"), part(type=0x0C), part(type="0x0c"), part(type=255)),
        problems(Mbr(), part(active=True), part()),
        problems(Mbr(), *[part(f"{n}") for n in range(5)]),
        problems(Mbr(), *[part(f"{n}") for n in range(3 + 56)]),
        problems(Mbr(), *[part(f"{n}", in_table=n < 4) for n in range(9)]),
        problems(Mbr(), part(type=0)),
        problems(Mbr(extended_number=1, extended_type=5, extended_start="1MiB"), part()),
        problems(Mbr(), part("long names are not stored, so they may be as long as you like")),
        problems(Mbr(), size="auto"),
        problems(Mbr(), size=1024),
        problems(Gpt()),
        problems(Gpt(sector_size=4096)),
        problems(Gpt(), part(guid=OTHER), guid=GUID.upper()),
        problems(Gpt(), part(guid=UUID(OTHER)), guid=UUID(GUID)),
        problems(Gpt(), part(guid=OTHER), guid=GUID),
        problems(Gpt(), *[part(f"{n}") for n in range(128)]),
        problems(Gpt(), part(type="fat32"), part(type="linux-filesystem"), part(type=ESP.upper())),
        problems(Gpt(), *[part(f"{n}", in_table=n < 128) for n in range(200)]),
        problems(Gpt(entry_count=132), *[part(f"{n}") for n in range(132)]),
        problems(Gpt(entries_lba=4096, entry_count=4, first_usable_lba=8192, backup=False)),
        problems(Gpt(hybrid=["esp"]), part(active=True, type="esp")),
        problems(Gpt(hybrid={"esp": 0x20}), part(type="bios-boot")),
        problems(Gpt(), part("x" * 36), part("\U0001f4be" * 18)),
        problems(Gpt(), part(attributes=["required"]), part(attributes=1 << 63)),
        problems(Gpt(), size="auto"),
        problems(Gpt(), size=68 * 512),
        problems(Gpt(sector_size=4096), size=12 * 4096),
    ],
)
def test_what_can_be_stored_is_no_problem(found: list[Problem]) -> None:
    assert found == []


MBR_TYPE = "must be a name that an MBR has a type for, or a byte from 0x00 to 0xff"
GPT_TYPE = "must be a name that a GPT has a type for, or a type GUID"
NO_PLACE = "must be left out, since an MBR has no place for it"
SIGNATURE = "must be a number from 1 to 0xffffffff (leave it out to have one derived)"
NOT_A_GUID = (
    "must be 8-4-4-4-12 hexadecimal digits, not all zero (leave it out to have one derived)"
)
TWICE = "must be the only one of its kind (leave it out to have one derived)"
ATTRIBUTES = (
    "must be a 64-bit number or a list of names (the names are required, no-block-io, "
    "legacy-bios-bootable, grow-file-system, read-only, shadow-copy, hidden, no-automount)"
)

BAD = [
    # the table's own fields
    (
        Gpt(sector_size=520), [], BadValue,
        "table.sector_size: 520, must be 512 or 4096 (leave it out for 512)",
    ),
    # how many
    (
        Mbr(), [part(f"{n}", logical=False) for n in range(5)], TooManyPartitions,
        "partitions: there are 5 primary ones, an MBR holds four (write logical=True for 2 of them "
        "or more, leave logical out to have it decided, or use Gpt())",
    ),
    (
        Mbr(), [part("l", logical=True), *[part(f"{n}") for n in range(4)]], TooManyPartitions,
        "partitions: there are 4 primary ones, an MBR holds three beside the extended one (write "
        "logical=True for 1 of them or more, leave logical out to have it decided, or use Gpt())",
    ),
    (
        Mbr(), [part(f"{n}") for n in range(3 + 57)], TooManyPartitions,
        "partitions: there are 57 logical ones, must be 56 at most, since sfdisk reads no more "
        "(leave some out, or use Gpt())",
    ),
    (
        Mbr(), [part(type=0, logical=True)], BadValue,
        "partitions[0].type: 0x00 is given, must be another in a logical partition, since an "
        "empty entry ends the chain (write in_table=False to keep it out of the table)",
    ),
    (
        Mbr(extended_number=5), [], BadValue,
        "table.extended_number: 5, must be an entry, 1 to 4 (leave it out for 4)",
    ),
    (
        Mbr(extended_type=0x83), [], BadValue,
        "table.extended_type: 131 is not a type of an extended partition, must be "
        "0x05, 0x0f or 0x85 "
        '(leave it out for "extended-lba", 0x0f)',
    ),
    (
        Mbr(extended_start=100), [], Unaligned,
        "table.extended_start: 100 bytes are not whole sectors, must be a multiple of 512 "
        "(the nearest are 0 and 512)",
    ),
    (
        Gpt(), [part(f"{n}") for n in range(129)], TooManyPartitions,
        "partitions: there are 129, must be 128 at most, the entries of a GPT "
        "(leave some out, or write Gpt(entry_count=132))",
    ),
    (
        Gpt(entry_count=0), [], BadValue,
        "table.entry_count: 0, must be 1 to 1024 (leave it out for 128)",
    ),
    (
        Gpt(entries_lba=1), [], BadValue,
        "table.entries_lba: 1, must be 2 to 4294967296 (leave it out for 2)",
    ),
    (
        Gpt(first_usable_lba=33), [], BadValue,
        "table.first_usable_lba: 33, must be 34 or more, behind the entry array "
        "(leave it out to have it chosen)",
    ),
    (
        Gpt(), [part(logical=True)], BadValue,
        "partitions[0].logical: True is given, must be left out, since all partitions of a GPT "
        "are alike (leave it out)",
    ),
    # the hybrid MBR
    (
        Gpt(hybrid="esp"), [part()], BadValue,
        "table.hybrid: 'esp' is not a list of names, must name the partitions that "
        "the MBR mentions "
        "too (write for example [\"esp\"])",
    ),
    (
        Gpt(hybrid=["esp", "boot"]), [part()], BadValue,
        "table.hybrid: 'boot' is not a partition in the table, or is there twice, must "
        "be the name of "
        "a partition, once (the names are esp)",
    ),
    (
        Gpt(hybrid=["a", "b", "c", "d"]), [part(name) for name in "abcd"], TooManyPartitions,
        "table.hybrid: there are 4, must be 3 at most, since the protective entry takes one "
        "(leave some out)",
    ),
    (
        Gpt(hybrid=["esp"]), [part(type="bios-boot")], UnknownType,
        "table.hybrid: 'esp' has no type that an MBR knows, must say with which type byte the MBR "
        "mentions it (write hybrid={'esp': 0x0c} for example)",
    ),
    (
        Gpt(hybrid=["a", "b"]), [part("a", active=True), part("b", active=True)], BadValue,
        "table.hybrid: 'a' and 'b' are active, must be one partition at most, since boot code "
        "looks for one (leave active out of all but one, or write Gpt(several_active=True) for "
        "boot code of your own)",
    ),
    # types
    (
        Mbr(), [part(), part(type="linux")], UnknownType,
        f"partitions[1].type: 'linux' is no such type, {MBR_TYPE} "
        "(use 'linux-filesystem', 'linux-boot' or 'linux-swap')",
    ),
    (
        Mbr(), [part(type="FAT32")], UnknownType,
        f"partitions[0].type: 'FAT32' is no such type, {MBR_TYPE} (use 'fat32' or 'fat32-chs')",
    ),
    (
        Mbr(), [part(type="bios-boot")], UnknownType,
        f"partitions[0].type: 'bios-boot' is no such type, {MBR_TYPE} "
        "(use Gpt(), which knows it)",
    ),
    (
        Mbr(), [part(type=ESP)], UnknownType,
        f"partitions[0].type: '{ESP}' is no such type, {MBR_TYPE} (use 'esp')",
    ),
    (
        Mbr(), [part(type=0x1EF)], UnknownType,
        f"partitions[0].type: 0x1ef is no such type, {MBR_TYPE} "
        "(use a name such as 'esp', 'fat12' or 'fat16')",
    ),
    (
        Gpt(), [part(type=0x83)], UnknownType,
        f"partitions[0].type: 0x83 is no such type, {GPT_TYPE} (use 'linux-filesystem')",
    ),
    (
        Gpt(), [part(type="0x07")], UnknownType,
        f"partitions[0].type: '0x07' is no such type, {GPT_TYPE} "
        "(use 'basic-data', 'exfat' or 'ntfs')",
    ),
    (
        Gpt(), [part(type="root-x86-64")], UnknownType,
        f"partitions[0].type: 'root-x86-64' is no such type, {GPT_TYPE} "
        "(use 'linux-root-x86-64')",
    ),
    (
        Gpt(), [part(type="biosboot")], UnknownType,
        f"partitions[0].type: 'biosboot' is no such type, {GPT_TYPE} "
        "(use 'bios-boot')",
    ),
    (
        Gpt(), [part(type="")], UnknownType,
        f"partitions[0].type: '' is no such type, {GPT_TYPE} "
        "(use a name such as 'esp', 'bios-boot' or 'linux-filesystem')",
    ),
    (
        Gpt(), [part(type=ESP[:-1])], UnknownType,
        f"partitions[0].type: '{ESP[:-1]}' is no such type, {GPT_TYPE} "
        "(use a name such as 'esp', 'bios-boot' or 'linux-filesystem')",
    ),
    # names
    (
        Gpt(), [part("x" * 37)], BadName,
        f"partitions[0].name: '{'x' * 37}' has 37 UTF-16 units, "
        "must be text of 36 UTF-16 units at most, without NUL (give another name, or "
        "a partition_name, which the table stores instead)",
    ),
    (
        Gpt(), [part("\U0001f4be" * 19)], BadName,
        f"partitions[0].name: '{chr(0x1F4BE) * 19}' has 38 UTF-16 units, "
        "must be text of 36 UTF-16 units at most, without NUL (give another name, or "
        "a partition_name, which the table stores instead)",
    ),
    # GUIDs
    (
        Gpt(), [part(guid="x")], BadValue,
        f"partitions[0].guid: 'x' is not a GUID, {NOT_A_GUID}",
    ),
    (
        Gpt(), [part(guid=GUID), part(), part(guid=UUID(GUID))], DuplicateGuid,
        f"partitions[2].guid: {GUID} is that of partitions[0].guid too, {TWICE}",
    ),
    (
        Mbr(), [part(guid=GUID)], BadValue,
        f"partitions[0].guid: '{GUID}' is given, {NO_PLACE} (remove guid, or use Gpt())",
    ),
    # flags
    (
        Mbr(), [part(attributes=["required"])], BadValue,
        f"partitions[0].attributes: ['required'] is given, {NO_PLACE} "
        "(remove attributes, or use Gpt())",
    ),
    (
        Mbr(), [part(active=True), part(), part(active=True)], BadValue,
        "partitions[2].active: partitions[0] is active too, must be one partition at most, "
        "since boot code looks for one (leave active out of all but one, or write "
        "Mbr(several_active=True) for boot code of your own)",
    ),
    (
        Gpt(), [part(active=True)], BadValue,
        "partitions[0].active: is set, must be left out, since a GPT has no such flag "
        "(write attributes=['legacy-bios-bootable'] if a BIOS is to start the partition)",
    ),
    (
        Gpt(), [part(attributes=["bootable"])], BadValue,
        f"partitions[0].attributes: 'bootable' is not an attribute, {ATTRIBUTES}",
    ),
    (
        Gpt(), [part(attributes="required")], BadValue,
        "partitions[0].attributes: 'required' is neither a number nor a list of names, "
        + ATTRIBUTES,
    ),
    (
        Gpt(), [part(attributes=2**64)], BadValue,
        f"partitions[0].attributes: 0x10000000000000000 does not fit in 64 bits, {ATTRIBUTES}",
    ),
]


@pytest.mark.parametrize(("table", "partitions", "kind", "message"), BAD)
def test_what_cannot_be_stored_is_named(
    table: Gpt | Mbr, partitions: list[Partition], kind: type[Problem], message: str
) -> None:
    assert [(type(each), str(each)) for each in problems(table, *partitions)] == [(kind, message)]


IDENTITIES = [
    (Mbr(), {"signature": 0}, f"signature: 0x0, {SIGNATURE}"),
    (Mbr(), {"signature": -1}, f"signature: -0x1, {SIGNATURE}"),
    (Mbr(), {"signature": 2**32}, f"signature: 0x100000000, {SIGNATURE}"),
    (Mbr(), {"signature": "0x12345678"}, f"signature: '0x12345678', {SIGNATURE}"),
    (Mbr(), {"signature": True}, f"signature: True, {SIGNATURE}"),
    (
        Mbr(), {"guid": GUID},
        f"guid: '{GUID}' is given, {NO_PLACE} (write signature=..., or use Gpt())",
    ),
    (
        Gpt(), {"signature": 5},
        "signature: 5 is given, must be left out, since a GPT has no such field and a protective "
        "MBR has zeros there (write guid=..., or use Mbr(), or name partitions for a hybrid MBR)",
    ),
    (Gpt(), {"guid": "1234"}, f"guid: '1234' is not a GUID, {NOT_A_GUID}"),
    (
        Gpt(), {"guid": UUID(int=0)},
        f"guid: 00000000-0000-0000-0000-000000000000 is the GUID that means 'none', {NOT_A_GUID}",
    ),
]


@pytest.mark.parametrize(("table", "fields", "message"), IDENTITIES)
def test_the_disks_own_identity_fits_its_table(
    table: Gpt | Mbr, fields: dict[str, Any], message: str
) -> None:
    assert [str(each) for each in problems(table, **fields)] == [message]


def test_a_partition_with_the_guid_of_the_disk_is_refused() -> None:
    assert [str(each) for each in problems(Gpt(), part(guid=GUID), guid=GUID.upper())] == [
        f"partitions[0].guid: {GUID} is that of the disk too, {TWICE}"
    ]


@pytest.mark.parametrize(
    ("table", "size", "least", "name"),
    [
        (Mbr(), 512, 1024, "an MBR"),
        (Gpt(), 67 * 512, 68 * 512, "a GPT"),
        (Gpt(), "16KiB", 68 * 512, "a GPT"),
        (Gpt(sector_size=4096), 11 * 4096, 12 * 4096, "a GPT"),
    ],
)
def test_a_disk_without_room_for_the_table_is_refused(
    table: Gpt | Mbr, size: SizeLike, least: int, name: str
) -> None:
    (found,) = problems(table, size=size)
    assert isinstance(found, TooSmall)
    assert re.fullmatch(
        rf"size: \d+ bytes, must be {least} bytes at least, for {name} and a sector of content "
        rf"\(raise the size to {least} or more\)",
        str(found),
    )
    assert problems(table, size=least) == []
    assert table.usable(least).length == table.sector_size


def test_all_problems_are_told_at_once() -> None:
    found = problems(
        Gpt(sector_size=1), part("x" * 40, type="?", guid="?", active=True), size=1, guid="?"
    )
    assert [each.where for each in found] == [
        "table.sector_size",
        "partitions[0].type",
        "partitions[0].name",
        "partitions[0].active",
        "guid",
        "partitions[0].guid",
    ]


@pytest.mark.parametrize(
    ("table", "given", "payload", "expected"),
    [
        (Gpt(), None, "fat12", "ebd0a0a2-b9e5-4433-87c0-68b6b72699c7"),
        (Gpt(), None, "fat16", "ebd0a0a2-b9e5-4433-87c0-68b6b72699c7"),
        (Gpt(), None, "fat32", "ebd0a0a2-b9e5-4433-87c0-68b6b72699c7"),
        (Gpt(), "esp", "fat32", ESP),
        (Gpt(), ESP.upper(), None, ESP),
        (Gpt(), "linux-filesystem", None, "0fc63daf-8483-4772-8e79-3d69d8477de4"),
        (Mbr(), None, "fat12", "0x01"),
        (Mbr(), None, "fat16", "0x0e"),
        (Mbr(), None, "fat32", "0x0c"),
        (Mbr(), "esp", "fat32", "0xef"),
        (Mbr(), 0x0C, "fat16", "0x0c"),
        (Mbr(), "0x0C", None, "0x0c"),
        (Mbr(), 0, "fat12", "0x00"),
    ],
)
def test_the_type_of_the_description_wins(
    table: Gpt | Mbr, given: str | int | None, payload: str | None, expected: str
) -> None:
    assert table.type_of(part(type=given), payload) == expected


@pytest.mark.parametrize(
    ("table", "given", "payload", "message"),
    [
        (Gpt(), None, None, "no type is given, and the payload has no default type"),
        (Mbr(), None, None, "no type is given, and the payload has no default type"),
        (Gpt(), None, "fat99", "'fat99' is not a type that a GPT can store"),
        (Mbr(), None, "bios-boot", "'bios-boot' is not a type that an MBR can store"),
        (Gpt(), 0, "fat12", "0 is not a type that a GPT can store"),
    ],
)
def test_a_type_that_nobody_knows_is_refused(
    table: Gpt | Mbr, given: str | int | None, payload: str | None, message: str
) -> None:
    with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
        table.type_of(part(type=given), payload)


def test_a_guid_that_another_part_derives_from_its_name_is_refused() -> None:
    plain = Disk("os.img", size="64MiB", table=Gpt(), partitions=[part("a"), part("b")])
    a, disk = str(partition_guid(plain, plain.partitions[0])), str(disk_guid(plain))
    assert [str(each) for each in problems(Gpt(), part("a"), part("b", guid=a))] == [
        f"partitions[1].guid: {a} is that of partitions[0].guid, which is derived, too, {TWICE}"
    ]
    assert [str(each) for each in problems(Gpt(), part("a", guid=disk))] == [
        f"partitions[0].guid: {disk} is that of guid, which is derived, too, {TWICE}"
    ]
