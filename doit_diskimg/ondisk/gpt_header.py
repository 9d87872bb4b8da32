"""The GUID partition table: header and entry.

UEFI 2.10, section 5.3.2 (GPT header, table 5.5) and 5.3.3 (entry array, tables 5.6 and 5.7).
Sector numbers are inclusive here, as in the standard.  GUIDs are text; their odd byte order is
the business of `guids`.
"""

from collections.abc import Sequence
from dataclasses import fields, replace
from struct import Struct
from zlib import crc32

from doit_diskimg.frozen import dataclass
from doit_diskimg.ondisk.guids import guid_bytes, guid_text

SIGNATURE = b"EFI PART"
REVISION = 0x00010000
"""1.0, the only one there has ever been."""

ENTRY_COUNT = 128
"""Entries of the array: the least that section 5.3.1 allows (16 KiB), and what all tools write."""

_HEADER = Struct(
    "<"
    "8s"  # signature            Signature
    "I"  # revision              Revision
    "I"  # header_size           HeaderSize
    "I"  # header_crc            HeaderCRC32
    "I"  # reserved              Reserved
    "Q"  # my_lba                MyLBA
    "Q"  # alternate_lba         AlternateLBA
    "Q"  # first_usable_lba      FirstUsableLBA
    "Q"  # last_usable_lba       LastUsableLBA
    "16s"  # disk_guid           DiskGUID
    "Q"  # entries_lba           PartitionEntryLBA
    "I"  # entry_count           NumberOfPartitionEntries
    "I"  # entry_size            SizeOfPartitionEntry
    "I"  # entries_crc           PartitionEntryArrayCRC32
)
HEADER_SIZE = _HEADER.size
assert HEADER_SIZE == 92

_ENTRY = Struct(
    "<"
    "16s"  # type_guid       PartitionTypeGUID
    "16s"  # partition_guid  UniquePartitionGUID
    "Q"  # first_lba         StartingLBA
    "Q"  # last_lba          EndingLBA
    "Q"  # attributes        Attributes
    "72s"  # name            PartitionName
)
ENTRY_SIZE = _ENTRY.size
assert ENTRY_SIZE == 128

NAME_UNITS = 36
"""UTF-16 units in a partition name; characters beyond U+FFFF take two."""

ATTRIBUTES = {
    "required": 0,  # the platform needs the partition: leave it alone
    "no-block-io": 1,  # firmware makes no block device of it
    "legacy-bios-bootable": 2,  # a BIOS boot loader may start it
    "grow-file-system": 59,  # Discoverable Partitions Specification
    "read-only": 60,  # basic data and Discoverable Partitions, as the next three
    "shadow-copy": 61,
    "hidden": 62,
    "no-automount": 63,
}
"""Name of an attribute -> its bit; 48 to 63 mean what the owner of the type GUID says."""


def attributes_value(attributes: int | Sequence[str]) -> int:
    """Return the attributes as a number of 64 bits; names are the keys of `ATTRIBUTES`.

    Raises ValueError, in words for the user, for an unknown name, for a number that does not fit,
    and for a lone text, which would otherwise be read letter by letter.
    """
    if isinstance(attributes, int) and not isinstance(attributes, bool):
        if not 0 <= attributes < 1 << 64:
            raise ValueError(f"{attributes:#x} does not fit in 64 bits")
        return attributes
    if isinstance(attributes, (str, bytes)) or not isinstance(attributes, Sequence):
        raise ValueError(f"{attributes!r} is neither a number nor a list of names")
    value = 0
    for name in attributes:
        if not isinstance(name, str) or name not in ATTRIBUTES:
            raise ValueError(f"{name!r} is not an attribute")
        value |= 1 << ATTRIBUTES[name]
    return value


def name_bytes(name: str) -> bytes:
    """Return a partition name as it is stored, without the padding.

    Raises ValueError, in words for the user, if it does not fit: the length is counted in UTF-16
    units, and a NUL would end the name.
    """
    try:
        data = name.encode("utf-16-le")
    except UnicodeEncodeError:
        raise ValueError(f"{name!r} has half of a character (a lone surrogate)") from None
    if len(data) > NAME_UNITS * 2:
        raise ValueError(f"{name!r} has {len(data) // 2} UTF-16 units")
    if "\0" in name:
        raise ValueError(f"{name!r} has a NUL in it")
    return data


@dataclass(frozen=True, kw_only=True)
class GptHeader:
    """One of the two headers; the primary's ``my_lba`` is the backup's ``alternate_lba``."""

    signature: bytes = SIGNATURE
    revision: int = REVISION
    header_size: int = HEADER_SIZE
    header_crc: int = 0
    """CRC-32 of the header with this field zero."""
    reserved: int = 0
    my_lba: int
    alternate_lba: int
    first_usable_lba: int
    last_usable_lba: int
    """The last sector that a partition may have."""
    disk_guid: str
    entries_lba: int
    """Where this header's own copy of the entry array begins."""
    entry_count: int = ENTRY_COUNT
    entry_size: int = ENTRY_SIZE
    entries_crc: int
    """CRC-32 of all entries, unused ones included."""

    def pack(self) -> bytes:
        """Return the 92 bytes; the rest of the sector is zero."""
        return _HEADER.pack(
            self.signature, self.revision, self.header_size, self.header_crc, self.reserved,
            self.my_lba, self.alternate_lba, self.first_usable_lba, self.last_usable_lba,
            guid_bytes(self.disk_guid),
            self.entries_lba, self.entry_count, self.entry_size, self.entries_crc,
        )  # fmt: skip

    @classmethod
    def unpack(cls, data: bytes) -> "GptHeader":
        """Return what 92 bytes say; nothing is checked."""
        # The dataclass has its fields in the order of the struct.
        names = (field.name for field in fields(cls))
        values = dict(zip(names, _HEADER.unpack(data), strict=True))
        values["disk_guid"] = guid_text(values["disk_guid"])
        return cls(**values)

    def sealed(self) -> "GptHeader":
        """Return the same header with the ``header_crc`` that goes with it."""
        return replace(self, header_crc=crc32(replace(self, header_crc=0).pack()))


@dataclass(frozen=True, kw_only=True)
class GptEntry:
    """One partition."""

    type_guid: str
    """What kind it is; all zero for an unused entry."""
    partition_guid: str
    first_lba: int
    last_lba: int
    """Inclusive: a partition of one sector has both equal."""
    attributes: int = 0
    name: str = ""

    def pack(self) -> bytes:
        """Return the 128 bytes.  Raises ValueError for a name that does not fit."""
        return _ENTRY.pack(
            guid_bytes(self.type_guid), guid_bytes(self.partition_guid),
            self.first_lba, self.last_lba, self.attributes, name_bytes(self.name),
        )  # fmt: skip
