"""Cylinder, head, sector: the three-byte addresses in an MBR entry.

No firmware in use reads a disk by them, but some compare them with the LBA fields and refuse an
entry whose two answers differ.  So they are filled in, for the geometry that every BIOS and every
tool assumes for a disk larger than 504 MiB: 255 heads of 63 sectors.

UEFI 2.10, section 5.2.1, table 5.2 (StartingCHS, EndingCHS); the bits are those of INT 13h:

    byte 0   head, 0 to 254
    byte 1   bits 0-5: sector, 1 to 63; bits 6-7: bits 8-9 of the cylinder
    byte 2   bits 0-7 of the cylinder, 0 to 1023
"""

from struct import Struct

from doit_diskimg.frozen import dataclass

_CHS = Struct(
    "<"
    "B"  # head
    "B"  # sector, and the cylinder's high bits
    "B"  # the cylinder's low bits
)
assert _CHS.size == 3

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
        return _CHS.pack(self.head, self.sector | self.cylinder >> 8 << 6, self.cylinder & 0xFF)

    @classmethod
    def unpack(cls, data: bytes) -> "Chs":
        """Return what 3 bytes say."""
        head, mixed, low = _CHS.unpack(data)
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
