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


@dataclass(frozen=True, kw_only=True)
class Chs:
    """The address of one sector."""

    cylinder: int
    """0 to 1023."""
    head: int
    """0 to 255; 255 only in `BEYOND`."""
    sector: int
    """1 to 63; 0 only in `NOWHERE`."""

    def pack(self) -> bytes:
        """Return the 3 bytes.  Raises ValueError if a field is out of range."""
        if not (0 <= self.cylinder < 1024 and 0 <= self.head < 256 and 0 <= self.sector < 64):
            raise ValueError(f"{self} does not fit in three bytes")
        return bytes([self.head, self.sector | self.cylinder >> 8 << 6, self.cylinder & 0xFF])

    @classmethod
    def unpack(cls, data: bytes) -> "Chs":
        """Return what 3 bytes say."""
        head, mixed, low = data
        return cls(cylinder=mixed >> 6 << 8 | low, head=head, sector=mixed & 0x3F)


NOWHERE = Chs(cylinder=0, head=0, sector=0)
"""Zero bytes: what an unused entry holds."""

LAST = Chs(cylinder=CYLINDERS - 1, head=HEADS - 1, sector=SECTORS_PER_TRACK)
"""``FE FF FF``: what partitioning tools write for every sector at or beyond `REACH`."""

BEYOND = Chs(cylinder=CYLINDERS - 1, head=255, sector=SECTORS_PER_TRACK)
"""``FF FF FF``: what UEFI wants in a protective MBR for a sector at or beyond `REACH`."""


def chs_of(lba: int, otherwise: Chs = LAST) -> Chs:
    """Return the address of sector ``lba`` (from 0), or ``otherwise`` where it has none."""
    if lba >= REACH:
        return otherwise
    track, sector = divmod(lba, SECTORS_PER_TRACK)
    cylinder, head = divmod(track, HEADS)
    return Chs(cylinder=cylinder, head=head, sector=sector + 1)


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
