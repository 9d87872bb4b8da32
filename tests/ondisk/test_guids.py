import re
import subprocess
import sys
from uuid import UUID

import pytest
from tools import run

from doit_diskimg.ondisk.guids import (
    GPT_TYPES,
    MBR_TYPES,
    guid_bytes,
    guid_text,
    parse_guid,
    type_byte,
    type_guid,
    type_name,
)

# (GUID, the bytes at 1024 of an image where sfdisk made a partition of that type)
STORED = [
    ("c12a7328-f81f-11d2-ba4b-00a0c93ec93b", "28732ac11ff8d211ba4b00a0c93ec93b"),
    ("0fc63daf-8483-4772-8e79-3d69d8477de4", "af3dc60f838472478e793d69d8477de4"),
    ("21686148-6449-6e6f-744e-656564454649", b"Hah!IdontNeedEFI".hex()),  # GRUB's joke
]

SFDISK_GPT_NAMES = {
    "esp": "EFI System",
    "bios-boot": "BIOS boot",
    "linux-filesystem": "Linux filesystem",
    "linux-boot": "Linux extended boot",
    "linux-swap": "Linux swap",
    "linux-home": "Linux home",
    "linux-srv": "Linux server data",
    "linux-var": "Linux variable data",
    "linux-tmp": "Linux temporary data",
    "linux-lvm": "Linux LVM",
    "linux-raid": "Linux RAID",
    "linux-reserved": "Linux reserved",
    "linux-root-x86": "Linux root (x86)",
    "linux-root-x86-64": "Linux root (x86-64)",
    "linux-root-arm": "Linux root (ARM)",
    "linux-root-arm64": "Linux root (ARM-64)",
    "linux-root-riscv32": "Linux root (RISC-V-32)",
    "linux-root-riscv64": "Linux root (RISC-V-64)",
    "linux-root-loongarch64": "Linux root (LoongArch-64)",
    "linux-usr-x86": "Linux /usr (x86)",
    "linux-usr-x86-64": "Linux /usr (x86-64)",
    "linux-usr-arm": "Linux /usr (ARM)",
    "linux-usr-arm64": "Linux /usr (ARM-64)",
    "linux-usr-riscv32": "Linux /usr (RISC-V-32)",
    "linux-usr-riscv64": "Linux /usr (RISC-V-64)",
    "linux-usr-loongarch64": "Linux /usr (LoongArch-64)",
    "basic-data": "Microsoft basic data",
    "fat12": "Microsoft basic data",
    "fat16": "Microsoft basic data",
    "fat32": "Microsoft basic data",
    "exfat": "Microsoft basic data",
    "ntfs": "Microsoft basic data",
    "microsoft-reserved": "Microsoft reserved",
    "windows-recovery": "Windows recovery environment",
    "apple-hfs": "Apple HFS/HFS+",
    "apple-apfs": "Apple APFS",
    "freebsd-boot": "FreeBSD boot",
    "freebsd-swap": "FreeBSD swap",
    "freebsd-ufs": "FreeBSD UFS",
    "freebsd-zfs": "FreeBSD ZFS",
    "netbsd-ffs": "NetBSD FFS",
    "netbsd-swap": "NetBSD swap",
    "openbsd": "OpenBSD data",
    "haiku": "Haiku BFS",
    "plan9": "Plan 9 partition",
    "prep": "PowerPC PReP boot",
    "chromeos-kernel": "ChromeOS kernel",
    "chromeos-root": "ChromeOS root fs",
    "chromeos-reserved": "ChromeOS reserved",
    "hifive-fsbl": "HiFive FSBL",
    "hifive-bbl": "HiFive BBL",
}

SFDISK_MBR_NAMES = {
    "esp": "EFI (FAT-12/16/32)",
    "fat12": "FAT12",
    "fat16": "W95 FAT16 (LBA)",
    "fat32": "W95 FAT32 (LBA)",
    "fat16-small": "FAT16 <32M",
    "fat16-chs": "FAT16",
    "fat32-chs": "W95 FAT32",
    "basic-data": "HPFS/NTFS/exFAT",
    "exfat": "HPFS/NTFS/exFAT",
    "ntfs": "HPFS/NTFS/exFAT",
    "linux-filesystem": "Linux",
    "linux-boot": "Linux extended boot",
    "linux-swap": "Linux swap / Solaris",
    "linux-lvm": "Linux LVM",
    "linux-raid": "Linux raid autodetect",
    "extended": "Extended",
    "extended-lba": "W95 Ext'd (LBA)",
    "non-fs-data": "Non-FS data",
    "minix": "Minix / old Linux",
    "freebsd": "FreeBSD",
    "openbsd": "OpenBSD",
    "netbsd": "NetBSD",
    "haiku": "BeOS fs",
    "plan9": "Plan 9",
    "apple-hfs": "HFS / HFS+",
    "windows-recovery": "Hidden NTFS WinRE",
    "prep": "PPC PReP Boot",
}


def sfdisk_types(label: str) -> dict[str, str]:
    """Return what the installed sfdisk calls each type of a table."""
    lines = run("sfdisk", "--label", label, "--list-types").splitlines()
    pairs = (re.fullmatch(r"\s*([0-9A-Fa-f-]+)  (.+)", line) for line in lines)
    return {pair[1].lower(): pair[2] for pair in pairs if pair}


@pytest.mark.parametrize(("text", "stored"), STORED)
def test_a_guid_is_stored_as_other_tools_store_it(text: str, stored: str) -> None:
    assert guid_bytes(text).hex() == stored


@pytest.mark.parametrize(("text", "stored"), STORED)
def test_a_stored_guid_is_read_as_other_tools_read_it(text: str, stored: str) -> None:
    assert guid_text(bytes.fromhex(stored)) == text


def test_sfdisk_calls_every_gpt_type_what_we_mean() -> None:
    known = sfdisk_types("gpt")
    assert {name: known[guid] for name, guid in GPT_TYPES.items()} == SFDISK_GPT_NAMES


def test_sfdisk_calls_every_mbr_type_what_we_mean() -> None:
    known = sfdisk_types("dos")
    assert {name: known[f"{byte:x}"] for name, byte in MBR_TYPES.items()} == SFDISK_MBR_NAMES


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("c12a7328-f81f-11d2-ba4b-00a0c93ec93b", "c12a7328-f81f-11d2-ba4b-00a0c93ec93b"),
        ("C12A7328-F81F-11D2-BA4B-00A0C93EC93B", "c12a7328-f81f-11d2-ba4b-00a0c93ec93b"),
        (UUID(int=1), "00000000-0000-0000-0000-000000000001"),
    ],
)
def test_guids_of_users(value: str | UUID, expected: str) -> None:
    assert parse_guid(value) == expected


@pytest.mark.parametrize(
    ("value", "message"),
    [
        ("", "'' is not a GUID"),
        ("c12a7328", "'c12a7328' is not a GUID"),
        ("{c12a7328-f81f-11d2-ba4b-00a0c93ec93b}", "is not a GUID"),
        ("c12a7328f81f11d2ba4b00a0c93ec93b", "is not a GUID"),
        ("g12a7328-f81f-11d2-ba4b-00a0c93ec93b", "is not a GUID"),
        ("c12a7328-f81f-11d2-ba4b-00a0c93ec93b\n", "is not a GUID"),
        (UUID(int=0), "is the GUID that means 'none'"),
    ],
)
def test_what_is_no_guid_is_refused(value: str | UUID, message: str) -> None:
    with pytest.raises(ValueError, match=re.escape(message)):
        parse_guid(value)


@pytest.mark.parametrize(
    ("value", "guid", "byte"),
    [
        ("esp", "c12a7328-f81f-11d2-ba4b-00a0c93ec93b", 0xEF),
        ("fat32", "ebd0a0a2-b9e5-4433-87c0-68b6b72699c7", 0x0C),
        ("fat16", "ebd0a0a2-b9e5-4433-87c0-68b6b72699c7", 0x0E),
        ("bios-boot", "21686148-6449-6e6f-744e-656564454649", None),
        ("fat16-chs", None, 0x06),
        (0x0C, None, 0x0C),
        (255, None, 0xFF),
        ("0x0c", None, 0x0C),
        ("0XC", None, 0x0C),
        ("c", None, None),  # hexadecimal or a name? nobody can tell
        ("12", None, None),
        ("0x1ff", None, None),
        (256, None, None),
        (-1, None, None),
        (0, None, 0),
        ("0x00", None, 0),
        (True, None, None),
        ("ESP", None, None),
        ("", None, None),
    ],
)
def test_what_a_type_means_in_each_table(
    value: str | int, guid: str | None, byte: int | None
) -> None:
    assert type_guid(value) == guid
    assert type_byte(value) == byte


def test_importing_the_tables_is_cheap() -> None:
    code = (
        "import sys, doit_diskimg.kinds.tables.gpt, doit_diskimg.kinds.tables.mbr;"
        "print({'uuid', 'difflib', 'xxhash', 'hashlib'} & set(sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "set()\n"


@pytest.mark.parametrize(
    ("recorded", "name"),
    [
        ("c12a7328-f81f-11d2-ba4b-00a0c93ec93b", "esp"),
        ("ebd0a0a2-b9e5-4433-87c0-68b6b72699c7", "basic-data"),
        ("aaaaaaaa-bbbb-cccc-dddd-eeeeeeeeeeee", "aaaaaaaa-bbbb-cccc-dddd-eeeeeeeeeeee"),
        ("0x0c", "fat32 (0x0c)"),
        ("0x83", "linux-filesystem (0x83)"),
        ("0xfe", "0xfe"),
        ("", ""),
    ],
)
def test_a_recorded_type_is_shown_by_its_name(recorded, name):
    assert type_name(recorded) == name
