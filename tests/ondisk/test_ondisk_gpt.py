import re
from collections.abc import Sequence
from dataclasses import replace
from zlib import crc32

import pytest

from doit_diskimg.ondisk.gpt_header import (
    GptEntry,
    GptHeader,
    attributes_value,
    name_bytes,
)

# truncate -s 64M g.img; sfdisk g.img <<E; xxd -s 512 -l 92 g.img; xxd -s 1024 -l 128 g.img
#   label: gpt
#   label-id: 11111111-2222-3333-4444-555555555555
#   first-lba: 34
#   start=2048, size=8192, type=C12A7328-F81F-11D2-BA4B-00A0C93EC93B, name="esp",
#       uuid=AAAAAAAA-BBBB-CCCC-DDDD-EEEEEEEEEEEE,
#       attrs="RequiredPartition LegacyBIOSBootable GUID:63"
SFDISK_HEADER = bytes.fromhex(
    "4546492050415254 00000100 5c000000 2463e8a4 00000000"
    "0100000000000000 ffff010000000000 2200000000000000 deff010000000000"
    "11111111222233334444555555555555"
    "0200000000000000 80000000 80000000 06831a6f"
)
SFDISK_ENTRY = bytes.fromhex(
    "28732ac11ff8d211ba4b00a0c93ec93b aaaaaaaabbbbccccddddeeeeeeeeeeee"
    "0008000000000000 ff27000000000000 0500000000000080 650073007000"
).ljust(128, b"\0")

HEADER = GptHeader(
    header_crc=0xA4E86324,
    my_lba=1,
    alternate_lba=131071,
    first_usable_lba=34,
    last_usable_lba=131038,
    disk_guid="11111111-2222-3333-4444-555555555555",
    entries_lba=2,
    entries_crc=0x6F1A8306,
)
ENTRY = GptEntry(
    type_guid="c12a7328-f81f-11d2-ba4b-00a0c93ec93b",
    partition_guid="aaaaaaaa-bbbb-cccc-dddd-eeeeeeeeeeee",
    first_lba=2048,
    last_lba=10239,
    attributes=1 << 63 | 0b101,
    name="esp",
)


def test_packed_as_sfdisk_does() -> None:
    assert HEADER.pack() == SFDISK_HEADER
    assert ENTRY.pack() == SFDISK_ENTRY


def test_unpacked_from_what_sfdisk_wrote() -> None:
    assert GptHeader.unpack(SFDISK_HEADER) == HEADER


def test_the_checksums_are_those_of_sfdisk() -> None:
    assert replace(HEADER, header_crc=0).sealed() == HEADER
    assert HEADER.sealed() == HEADER  # the old checksum does not count
    assert crc32(SFDISK_ENTRY.ljust(128 * 128, b"\0")) == HEADER.entries_crc


def test_nothing_is_lost_of_bytes_that_nobody_should_write() -> None:
    odd = bytes(range(92))
    assert GptHeader.unpack(odd).pack() == odd


@pytest.mark.parametrize(
    ("name", "units"),
    [("", 0), ("esp", 3), ("x" * 36, 36), ("ж" * 36, 36), ("\U0001f4be" * 18, 36)],
)
def test_names_that_fit(name: str, units: int) -> None:
    assert len(name_bytes(name)) == units * 2
    assert replace(ENTRY, name=name).pack()[56:].decode("utf-16-le").rstrip("\0") == name


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("x" * 37, f"'{'x' * 37}' has 37 UTF-16 units"),
        ("\U0001f4be" * 19, f"'{chr(0x1F4BE) * 19}' has 38 UTF-16 units"),
        ("x" * 35 + "\U0001f4be", f"'{'x' * 35}{chr(0x1F4BE)}' has 37 UTF-16 units"),
        ("a\0b", "'a\\x00b' has a NUL in it"),
        ("a\udc80", "'a\\udc80' has half of a character (a lone surrogate)"),
    ],
)
def test_names_that_do_not_fit(name: str, message: str) -> None:
    with pytest.raises(ValueError, match=re.escape(message)):
        replace(ENTRY, name=name).pack()


@pytest.mark.parametrize(
    ("attributes", "value"),
    [
        ((), 0),
        (0, 0),
        (5, 5),
        (2**64 - 1, 2**64 - 1),
        (["required"], 1),
        (["no-block-io"], 2),
        (["legacy-bios-bootable"], 4),
        (["grow-file-system"], 1 << 59),
        (["read-only"], 1 << 60),
        (["shadow-copy"], 1 << 61),
        (["hidden"], 1 << 62),
        (["no-automount"], 1 << 63),
        (("required", "no-automount", "required"), 1 << 63 | 1),
    ],
)
def test_attributes(attributes: int | Sequence[str], value: int) -> None:
    assert attributes_value(attributes) == value


@pytest.mark.parametrize(
    ("attributes", "message"),
    [
        (["bootable"], "'bootable' is not an attribute"),
        ([3], "3 is not an attribute"),
        ([[]], "[] is not an attribute"),
        ("required", "'required' is neither a number nor a list of names"),
        (2**64, "0x10000000000000000 does not fit in 64 bits"),
        (-1, "-0x1 does not fit in 64 bits"),
        (True, "True is neither a number nor a list of names"),
        (None, "None is neither a number nor a list of names"),
    ],
)
def test_what_are_no_attributes(attributes: int | Sequence[str], message: str) -> None:
    with pytest.raises(ValueError, match=re.escape(message)):
        attributes_value(attributes)
