"""GUIDs and their bytes, and the names of partition types.

A GUID is text here, 36 characters in lower case.  On disk its first three fields are
little-endian and the rest is not (UEFI 2.10, appendix A); `guid_bytes` and `guid_text` are the
only places that know.  Each name of a type was checked against ``sfdisk --list-types``.
"""

import re
from uuid import UUID, uuid5

ZERO_GUID = "00000000-0000-0000-0000-000000000000"
"""The type GUID of an unused entry."""

# Text, compiled at the first use: every `doit` imports this module.
_GUID = "-".join(f"[0-9A-Fa-f]{{{digits}}}" for digits in (8, 4, 4, 4, 12))


def parse_guid(value: object) -> str:
    """Return a GUID as text in lower case.

    Raises ValueError, in words for the user, for anything but 8-4-4-4-12 hexadecimal digits, and
    for the one that is all zero, which means "none" wherever a GUID is stored.
    """
    text = str(value).lower()
    if not re.fullmatch(_GUID, text):
        raise ValueError(f"{value!r} is not a GUID")
    if text == ZERO_GUID:
        raise ValueError(f"{text} is the GUID that means 'none'")
    return text


def guid_bytes(text: str) -> bytes:
    """Return the 16 bytes of a GUID as they lie on the disk.

    >>> guid_bytes("c12a7328-f81f-11d2-ba4b-00a0c93ec93b").hex()
    '28732ac11ff8d211ba4b00a0c93ec93b'
    """
    return UUID(text).bytes_le


def guid_text(data: bytes) -> str:
    """Return the GUID that 16 bytes of the disk hold."""
    return str(UUID(bytes_le=data))


def as_uuid(value: object) -> UUID:
    """Return a GUID as an object.  Raises ValueError."""
    return value if isinstance(value, UUID) else UUID(str(value))


def derived_guid(namespace: UUID, name: str) -> UUID:
    """RFC 9562, section 5.5: a GUID that is a function of a namespace and a name."""
    return uuid5(namespace, name)


_BASIC_DATA = "ebd0a0a2-b9e5-4433-87c0-68b6b72699c7"

GPT_TYPES = {
    "esp": "c12a7328-f81f-11d2-ba4b-00a0c93ec93b",
    "bios-boot": "21686148-6449-6e6f-744e-656564454649",
    "linux-filesystem": "0fc63daf-8483-4772-8e79-3d69d8477de4",
    "linux-boot": "bc13c2ff-59e6-4262-a352-b275fd6f7172",  # XBOOTLDR
    "linux-swap": "0657fd6d-a4ab-43c4-84e5-0933c84b4f4f",
    "linux-home": "933ac7e1-2eb4-4f13-b844-0e14e2aef915",
    "linux-srv": "3b8f8425-20e0-4f3b-907f-1a25a76f98e8",
    "linux-var": "4d21b016-b534-45c2-a9fb-5c16e091fd2d",
    "linux-tmp": "7ec6f557-3bc5-4aca-b293-16ef5df639d1",
    "linux-lvm": "e6d6d379-f507-44c2-a23c-238f2a3df928",
    "linux-raid": "a19d880f-05fc-4d3b-a006-743f0f84911e",
    "linux-reserved": "8da63339-0007-60c0-c436-083ac8230908",
    "linux-root-x86": "44479540-f297-41b2-9af7-d131d5f0458a",
    "linux-root-x86-64": "4f68bce3-e8cd-4db1-96e7-fbcaf984b709",
    "linux-root-arm": "69dad710-2ce4-4e3c-b16c-21a1d49abed3",
    "linux-root-arm64": "b921b045-1df0-41c3-af44-4c6f280d3fae",
    "linux-root-riscv32": "60d5a7fe-8e7d-435c-b714-3dd8162144e1",
    "linux-root-riscv64": "72ec70a6-cf74-40e6-bd49-4bda08e8f224",
    "linux-root-loongarch64": "77055800-792c-4f94-b39a-98c91b762bb6",
    "linux-usr-x86": "75250d76-8cc6-458e-bd66-bd47cc81a812",
    "linux-usr-x86-64": "8484680c-9521-48c6-9c11-b0720656f69e",
    "linux-usr-arm": "7d0359a3-02b3-4f0a-865c-654403e70625",
    "linux-usr-arm64": "b0e01050-ee5f-4390-949a-9101b17104e9",
    "linux-usr-riscv32": "b933fb22-5c3f-4f91-af90-e2bb0fa50702",
    "linux-usr-riscv64": "beaec34b-8442-439b-a40b-984381ed097d",
    "linux-usr-loongarch64": "e611c702-575c-4cbe-9a46-434fa0bf7e3f",
    "basic-data": _BASIC_DATA,
    "fat12": _BASIC_DATA,  # a GPT makes no difference between the file systems of Windows
    "fat16": _BASIC_DATA,
    "fat32": _BASIC_DATA,
    "exfat": _BASIC_DATA,
    "ntfs": _BASIC_DATA,
    "microsoft-reserved": "e3c9e316-0b5c-4db8-817d-f92df00215ae",
    "windows-recovery": "de94bba4-06d1-4d40-a16a-bfd50179d6ac",
    "apple-hfs": "48465300-0000-11aa-aa11-00306543ecac",
    "apple-apfs": "7c3457ef-0000-11aa-aa11-00306543ecac",
    "freebsd-boot": "83bd6b9d-7f41-11dc-be0b-001560b84f0f",
    "freebsd-swap": "516e7cb5-6ecf-11d6-8ff8-00022d09712b",
    "freebsd-ufs": "516e7cb6-6ecf-11d6-8ff8-00022d09712b",
    "freebsd-zfs": "516e7cba-6ecf-11d6-8ff8-00022d09712b",
    "netbsd-ffs": "49f48d5a-b10e-11dc-b99b-0019d1879648",
    "netbsd-swap": "49f48d32-b10e-11dc-b99b-0019d1879648",
    "openbsd": "824cc7a0-36a8-11e3-890a-952519ad3f61",
    "haiku": "42465331-3ba3-10f1-802a-4861696b7521",
    "plan9": "c91818f9-8025-47af-89d2-f030d7000c2c",
    "prep": "9e1a2d38-c612-4316-aa26-8b49521e5a8b",
    "chromeos-kernel": "fe3a2a5d-4f32-41a7-b725-accc3285a309",
    "chromeos-root": "3cb8e202-3b7e-47dd-8a3c-7ff2a13cfcec",
    "chromeos-reserved": "2e0a753d-9e48-43b0-8337-b15192cb1b5e",
    "hifive-fsbl": "5b193300-fc78-40cd-8002-e86c45580b47",
    "hifive-bbl": "2e54b353-1271-4842-806f-e436d6af6985",
}
"""Name of a partition type -> type GUID; the frequent ones first."""

MBR_TYPES = {
    "esp": 0xEF,
    "fat12": 0x01,
    "fat16": 0x0E,  # the LBA form; what old tools made is fat16-chs and, below 32 MiB, -small
    "fat32": 0x0C,  # the LBA form
    "fat16-small": 0x04,
    "fat16-chs": 0x06,
    "fat32-chs": 0x0B,
    "basic-data": 0x07,
    "exfat": 0x07,
    "ntfs": 0x07,
    "linux-filesystem": 0x83,
    "linux-boot": 0xEA,  # XBOOTLDR
    "linux-swap": 0x82,
    "linux-lvm": 0x8E,
    "linux-raid": 0xFD,
    "extended": 0x05,
    "extended-lba": 0x0F,
    "non-fs-data": 0xDA,
    "minix": 0x81,
    "freebsd": 0xA5,
    "openbsd": 0xA6,
    "netbsd": 0xA9,
    "haiku": 0xEB,
    "plan9": 0x39,
    "apple-hfs": 0xAF,
    "windows-recovery": 0x27,
    "prep": 0x41,
}
"""Name of a partition type -> type byte; the frequent ones first."""

_BYTE_TEXT = "0[Xx][0-9A-Fa-f]{1,2}"


def type_guid(value: str | int) -> str | None:
    """Return the type GUID that a name or the text of a GUID means; None if it means none."""
    text = str(value)
    if text in GPT_TYPES:
        return GPT_TYPES[text]
    try:
        return parse_guid(text)
    except ValueError:
        return None


def type_byte(value: str | int) -> int | None:
    """Return the type byte that a name, a number or text such as ``"0x0c"`` means.

    None if it means none.  0 marks an unused entry.
    """
    byte: int | None = None
    if isinstance(value, str):
        byte = int(value, 16) if re.fullmatch(_BYTE_TEXT, value) else MBR_TYPES.get(value)
    elif isinstance(value, int) and not isinstance(value, bool):
        byte = value
    return byte if byte is not None and 0 <= byte < 256 else None


def type_name(recorded: str) -> str:
    """Return a type GUID or byte as people know it: ``esp``, ``fat12 (0x01)``, or as it is."""
    if re.fullmatch(_BYTE_TEXT, recorded):
        names = [name for name, byte in MBR_TYPES.items() if byte == int(recorded, 16)]
        return f"{names[0]} ({recorded})" if names else recorded
    return next((name for name, guid in GPT_TYPES.items() if guid == recorded), recorded)
