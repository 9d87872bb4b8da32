"""The master boot record: the partition table in the last 72 bytes of sector 0.

UEFI 2.10, section 5.2.1, tables 5.1 and 5.2; the protective MBR of a GPT (section 5.2.3) has the
same form.  The 440 bytes before it are boot code, which is not our matter here.

An entry has two kinds of addresses.  No firmware in use reads a disk by cylinder, head and sector,
but some compare them with the LBA fields and refuse an entry whose two answers differ.  So they are
filled in, for the geometry that every BIOS and every tool assumes for a disk larger than 504 MiB:
255 heads of 63 sectors.  The three bytes (StartingCHS, EndingCHS) have the bits of INT 13h:

    byte 0   head, 0 to 254
    byte 1   bits 0-5: sector, 1 to 63; bits 6-7: bits 8-9 of the cylinder
    byte 2   bits 0-7 of the cylinder, 0 to 1023
"""

from dataclasses import field
from struct import Struct

from doit_diskimg.frozen import dataclass

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

HEADS = 255
"""Heads of the assumed geometry; 256 would crash DOS."""

SECTORS_PER_TRACK = 63

CYLINDERS = 1024
"""Cylinders that ten bits can count."""

REACH = CYLINDERS * HEADS * SECTORS_PER_TRACK
"""The first LBA without an address: 16450560, 7.8 GiB with sectors of 512 bytes."""


NOWHERE = bytes(3)
"""What an unused entry holds."""

LAST = bytes([0xFE, 0xFF, 0xFF])
"""What partitioning tools write for every sector at or beyond `REACH`."""

BEYOND = bytes([0xFF, 0xFF, 0xFF])
"""What UEFI wants in a protective MBR for a sector at or beyond `REACH`."""


def chs_of(lba: int, otherwise: bytes = LAST) -> bytes:
    """Return the address of sector ``lba`` (from 0), or ``otherwise`` where it has none."""
    if lba >= REACH:
        return otherwise
    track, sector = divmod(lba, SECTORS_PER_TRACK)
    cylinder, head = divmod(track, HEADS)
    return bytes([head, (sector + 1) | cylinder >> 8 << 6, cylinder & 0xFF])


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
    first_chs: bytes = NOWHERE
    type: int = 0
    """The type byte; 0 for an unused entry."""
    last_chs: bytes = NOWHERE
    first_lba: int = 0
    """First sector, 0 to 2**32 - 1."""
    sectors: int = 0
    """Number of sectors, 0 to 2**32 - 1."""

    def pack(self) -> bytes:
        """Return the 16 bytes.  Raises struct.error if a number is out of its range."""
        return _ENTRY.pack(
            self.boot_indicator, self.first_chs, self.type, self.last_chs,
            self.first_lba, self.sectors,
        )  # fmt: skip

    @classmethod
    def covering(
        cls, type_: int, first_lba: int, sectors: int, *, active: bool, counted_from: int = 0
    ) -> "MbrEntry":
        """Return the entry of a partition from sector ``first_lba`` of the disk on.

        Its LBA field counts from sector ``counted_from``, as in the EBR of a logical partition.
        """
        return cls(
            boot_indicator=ACTIVE if active else 0, first_chs=chs_of(first_lba), type=type_,
            last_chs=chs_of(first_lba + sectors - 1), first_lba=first_lba - counted_from,
            sectors=sectors,
        )  # fmt: skip


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
