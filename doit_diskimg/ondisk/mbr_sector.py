"""The master boot record: the partition table in the last 72 bytes of sector 0.

UEFI 2.10, section 5.2.1, tables 5.1 and 5.2; the protective MBR of a GPT (section 5.2.3) has the
same form.  The 440 bytes before it are boot code, which is not our matter here.
"""

from dataclasses import field
from struct import Struct

from doit_diskimg.frozen import dataclass
from doit_diskimg.ondisk.chs import NOWHERE, Chs

START = 440
"""Where in sector 0 `MbrSector` begins; bytes 0 to 439 are boot code."""

ENTRIES_START = 446
"""Where the four entries begin: behind the disk signature and two bytes that Windows NT uses."""

ENTRY_COUNT = 4

ACTIVE = 0x80
"""The boot indicator of the active partition."""

GPT_PROTECTIVE = 0xEE
"""The type of the entry that keeps old tools from taking a GPT disk for an empty one."""

BOOT_SIGNATURE = 0xAA55
"""Bytes ``55 AA``, without which no BIOS starts the sector."""

_ENTRY = Struct(
    "<"
    "B"  # boot_indicator  BootIndicator
    "3s"  # first_chs      StartingCHS
    "B"  # type            OSType
    "3s"  # last_chs       EndingCHS
    "I"  # first_lba       StartingLBA
    "I"  # sectors         SizeInLBA
)
assert _ENTRY.size == 16

_MBR = Struct(
    "<"
    "I"  # signature       UniqueMBRDiskSignature
    "H"  # unknown         Unknown
    "64s"  # entries       PartitionRecord
    "H"  # boot_signature  Signature
)
assert _MBR.size == 512 - START


@dataclass(frozen=True, kw_only=True)
class MbrEntry:
    """One of the four primary partitions."""

    boot_indicator: int = 0
    """0x80 for the active partition, else 0."""
    first_chs: Chs = NOWHERE
    type: int = 0
    """The type byte; 0 for an unused entry."""
    last_chs: Chs = NOWHERE
    first_lba: int = 0
    """First sector, 0 to 2**32 - 1."""
    sectors: int = 0
    """Number of sectors, 0 to 2**32 - 1."""

    def pack(self) -> bytes:
        """Return the 16 bytes.  Raises struct.error if a number is out of its range."""
        return _ENTRY.pack(
            self.boot_indicator, self.first_chs.pack(), self.type, self.last_chs.pack(),
            self.first_lba, self.sectors,
        )  # fmt: skip

    @classmethod
    def unpack(cls, data: bytes) -> "MbrEntry":
        """Return what 16 bytes say."""
        boot_indicator, first_chs, type_, last_chs, first_lba, sectors = _ENTRY.unpack(data)
        return cls(
            boot_indicator=boot_indicator,
            first_chs=Chs.unpack(first_chs),
            type=type_,
            last_chs=Chs.unpack(last_chs),
            first_lba=first_lba,
            sectors=sectors,
        )


UNUSED = MbrEntry()
"""The entry that is no partition: all zero."""


@dataclass(frozen=True, kw_only=True)
class MbrSector:
    """Bytes 440 to 511 of sector 0."""

    signature: int = 0
    """The disk signature, 0 to 2**32 - 1; 0 in a protective MBR."""
    unknown: int = 0
    """Zero; 0x5A5A marks a disk as read-only for Windows NT."""
    entries: tuple[MbrEntry, ...] = field(default=(UNUSED,) * ENTRY_COUNT)
    """Four of them, unused ones included."""
    boot_signature: int = BOOT_SIGNATURE

    def pack(self) -> bytes:
        """Return the 72 bytes.  Raises ValueError unless there are four entries."""
        if len(self.entries) != ENTRY_COUNT:
            raise ValueError(f"an MBR has {ENTRY_COUNT} entries, not {len(self.entries)}")
        entries = b"".join(entry.pack() for entry in self.entries)
        return _MBR.pack(self.signature, self.unknown, entries, self.boot_signature)

    @classmethod
    def unpack(cls, data: bytes) -> "MbrSector":
        """Return what 72 bytes say; nothing is checked, not even the boot signature."""
        signature, unknown, entries, boot_signature = _MBR.unpack(data)
        step = _ENTRY.size
        return cls(
            signature=signature,
            unknown=unknown,
            entries=tuple(
                MbrEntry.unpack(entries[start : start + step])
                for start in range(0, len(entries), step)
            ),
            boot_signature=boot_signature,
        )
