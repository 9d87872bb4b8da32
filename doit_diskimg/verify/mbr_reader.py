"""The master boot record, logical partitions and the protective MBR, decoded for reading.

UEFI 2.10, section 5.2; logical partitions are nowhere standardised, they are what DOS, Windows,
Linux and sfdisk agree on: a chain of sectors, each with an entry for its partition (counted from
itself) and one for the next sector (counted from the start of the extended partition).
"""

import struct
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from doit_diskimg.verify.boot_sector import decode, means_fat
from doit_diskimg.verify.finding import Findings
from doit_diskimg.verify.partitions import FoundPartition, check_places
from doit_diskimg.verify.source import Source

EXTENDED = frozenset({0x05, 0x0F, 0x85})
PROTECTIVE = 0xEE
PRIMARIES = 4
"""Partitions with greater numbers are logical ones."""
_LOGICAL = 1024  # the longest chain that is followed; Linux stops at 256
_ALL = 0xFFFFFFFF


class MbrSlot(NamedTuple):
    """One of the four entries of such a sector."""

    place: int
    """Byte of the disk where it lies."""
    indicator: int
    type: int
    first: int
    sectors: int

    @property
    def clear(self) -> bool:
        """Whether nothing is in it."""
        return not (self.indicator or self.type or self.first or self.sectors)


def entries(sector: bytes, start: int) -> list[MbrSlot]:
    """Return the four entries of a sector that lies at byte ``start``."""
    sector = sector.ljust(512, b"\0")
    return [
        MbrSlot(start + place, *struct.unpack_from("<B3xB3xII", sector, place))
        for place in range(446, 510, 16)
    ]


def signed(sector: bytes) -> bool:
    """Return whether the sector ends with 55 AA."""
    return sector[510:512] == b"\x55\xaa"


def looks_valid(sector: bytes, sectors: int, *, faults: int = 0) -> bool:
    """Return whether four entries are a table of a disk that long, and not boot code.

    At most ``faults`` of them have an invalid indicator.  With 55 AA behind them they may all be
    clear, or of type 0: a table without partitions.  Without it one at least is used, and none has
    a length without a type.
    """
    four, is_signed = entries(sector, 0), signed(sector)
    sound = [
        entry
        for entry in four
        if entry.indicator in (0, 0x80) and (entry.type or not entry.sectors or is_signed)
    ]
    placed = [
        entry
        for entry in sound
        if entry.sectors and entry.first < sectors and (entry.type or is_signed)
    ]
    empty = is_signed and all(entry.clear for entry in four)
    return len(sound) >= 4 - faults and (bool(placed) or empty)


def sector_size(source: Source) -> int:
    """Return the bytes of a logical sector of a disk with an MBR, 512 or 4096.

    No field says it.  It is 4096 if with it a FAT volume of such sectors or a chain of logical
    partitions is found where an entry points, all entries are on the disk, and with 512 none is.
    """
    used = [one for one in entries(source.read(0, 512), 0) if one.type and one.sectors]
    inside = all((one.first + one.sectors) * 4096 <= source.length for one in used)
    if not inside or any(_leads(source, one, 512) for one in used):
        return 512
    return 4096 if any(_leads(source, one, 4096) for one in used) else 512


def _leads(source: Source, entry: MbrSlot, size: int) -> bool:
    """Return whether an entry leads to something that we know, in sectors of ``size`` bytes."""
    sector = source.read(entry.first * size, 512)
    if entry.type in EXTENDED:
        four = entries(sector, 0)
        return signed(sector) and any(one.type for one in four) and not any(
            one.indicator not in (0, 0x80) for one in four
        )
    return entry.first > 0 and means_fat(sector) and (
        size == 512 or decode(sector).sector_size == size
    )


def check(
    source: Source, size: int, found: Findings, *, bare: bool = False
) -> list[FoundPartition]:
    """Report what is wrong with an MBR; return its partitions, the extended one left out.

    ``size`` is that of a logical sector.  ``bare`` is a table within a FAT volume: mformat writes
    one whose partition is the volume, from sector 0 on.
    """
    sector = source.read(0, 512)
    if not signed(sector):
        text = f"{sector[510:512].hex(' ')} is there, 55 aa must be"
        found.add("mbr-signature", text, at=510, length=2)
    four = entries(sector, 0)
    _check_indicators(four, found)
    primary = [
        _part(number, entry, 0, size)
        for number, entry in enumerate(four, 1)
        if entry.type
    ]
    check_places(primary, source.length, 0 if bare else size, found)
    extended = [entry for entry in four if entry.type in EXTENDED]
    for entry in extended[1:]:
        text = "it is a second extended partition, one at most must be"
        found.add("ebr-extended", text, at=entry.place, length=16)
    links = list[int]()
    logical = list(_logical(source, extended[0], size, links, found)) if extended else []
    check_places(logical, source.length, size, found)
    for part in logical:
        for place in links:
            if part.start <= place < part.end:
                text = f"it covers the sector at {place:#x}, which records logical partitions"
                found.add("ebr-covered", text, at=place, length=size, path=part.title)
    return [part for part in primary if int(part.type, 16) not in EXTENDED] + logical


def links(source: Source, size: int) -> list[int]:
    """Return where the sectors begin that record logical partitions, in bytes of the disk."""
    places = list[int]()
    extended = [entry for entry in entries(source.read(0, 512), 0) if entry.type in EXTENDED]
    for _ in _logical(source, extended[0], size, places, Findings()) if extended else ():
        pass
    return places


def _check_indicators(four: Sequence[MbrSlot], found: Findings) -> None:
    for number, entry in enumerate(four, 1):
        path = f"partition {number}"
        if entry.indicator not in (0, 0x80):
            text = f"{entry.indicator:#04x} is there, 0x00 or 0x80 must be"
            found.add("mbr-indicator", text, at=entry.place, path=path)
        if not entry.type and not entry.clear:
            text = f"its type is 0, it begins in sector {entry.first} and has {entry.sectors}"
            found.add("mbr-unused", text, at=entry.place, length=16, path=path)
    active = [entry for entry in four if entry.indicator == 0x80]
    for entry in active[1:]:
        found.add("mbr-active", "another partition is active too", at=entry.place)


def _logical(
    source: Source, extended: MbrSlot, size: int, links: list[int], found: Findings
) -> Iterator[FoundPartition]:
    """Follow the chain through the extended partition and yield what it records.

    The places of its sectors are added to ``links``.
    """
    first, end = extended.first, extended.first + extended.sectors
    lba, visited = first, set[int]()
    while len(visited) < _LOGICAL:
        visited.add(lba)
        place = lba * size
        links.append(place)
        sector = source.read(place, 512)
        if not signed(sector):
            found.add("ebr-signature", "55 aa is missing", at=place + 510, length=2)
            return
        here, link = _split(entries(sector, place), found)
        if here:
            part = _part(4 + len(visited), here, lba, size)
            if here.first == 0 or lba + here.first + here.sectors > end:
                text = (
                    f"it has sectors {lba + here.first}..{lba + here.first + here.sectors}, "
                    f"the extended partition {first}..{end}"
                )
                found.add("ebr-outside", text, at=here.place, length=16, path=part.title)
            yield part
        if not link:
            return
        lba = first + link.first
        if lba in visited:
            found.add("ebr-loop", f"the chain comes back to sector {lba}", at=link.place, length=16)
            return
        if not first <= lba < end:
            text = f"the chain goes on in sector {lba}, the extended partition has {first}..{end}"
            found.add("ebr-outside", text, at=link.place, length=16)
            return
    found.add("limit", f"more than {_LOGICAL} logical partitions", at=first * size)


def _split(four: Sequence[MbrSlot], found: Findings) -> tuple[MbrSlot | None, MbrSlot | None]:
    """Return the partition and the link of a sector in the chain; the type tells them apart.

    Most systems write the partition first and the link second; Linux goes by the type alone.
    """
    here = next((one for one in four if one.type and one.type not in EXTENDED), None)
    link = next((one for one in four if one.type in EXTENDED), None)
    for number, entry in enumerate(four, 1):
        if entry not in (here, link) and not (entry.clear or (number < 3 and not entry.type)):
            text = f"entry {number} has the type {entry.type:#04x} and begins in sector " \
                f"{entry.first}, a partition and a link are all that may be there"
            found.add("mbr-unused", text, at=entry.place, length=16)
    return here, link


def _part(number: int, entry: MbrSlot, base: int, size: int) -> FoundPartition:
    return FoundPartition(
        number=number, name="", type=f"{entry.type:#04x}", entry=entry.place,
        start=(base + entry.first) * size, length=entry.sectors * size,
        relative=entry.first * size,
    )  # fmt: skip


def check_protective(
    source: Source, size: int, parts: Sequence[FoundPartition], found: Findings
) -> None:
    """Report what is wrong with sector 0 of a disk with a GPT, whose partitions are ``parts``.

    Further entries make a hybrid MBR: each must be one of the GPT's partitions.
    """
    sector = source.read(0, 512)
    four = entries(sector, 0)
    if not signed(sector):
        found.add("pmbr-missing", "55 aa is missing", at=510, length=2)
    _check_indicators(four, found)
    guards = [entry for entry in four if entry.type == PROTECTIVE]
    if not guards:
        found.add("pmbr-missing", "no entry has the type 0xee", at=446, length=64)
    others = {(part.start, part.length) for part in parts}
    for number, entry in enumerate(four, 1):
        if entry.type in (0, PROTECTIVE):
            continue
        if (entry.first * size, entry.sectors * size) not in others:
            end = entry.first + entry.sectors
            text = f"sectors {entry.first}..{end} are not a partition of the GPT"
            found.add("hybrid-differs", text, at=entry.place, length=16, path=f"entry {number}")
    hybrid = any(entry.type not in (0, PROTECTIVE) for entry in four)
    for entry in guards:
        _check_guard(entry, source.length // size, hybrid, found)


def _check_guard(entry: MbrSlot, sectors: int, hybrid: bool, found: Findings) -> None:
    if entry.first != 1:
        found.add(
            "pmbr-wrong" if hybrid else "pmbr-missing",
            f"the entry begins in sector {entry.first}, 1 must be", at=entry.place, length=16,
        )
    elif not hybrid and entry.sectors not in (min(sectors - 1, _ALL), _ALL):
        text = f"the entry has {entry.sectors} sectors, {sectors - 1} must be"
        found.add("pmbr-wrong", text, at=entry.place, length=16)
    if entry.indicator:
        found.add("pmbr-active", f"{entry.indicator:#04x} is there, 0 must be", at=entry.place)


def sector_zero(source: Source) -> tuple[bool, bool]:
    """Return whether a FAT volume begins there, and whether a partition table is there."""
    sector = source.read(0, 512)
    table = looks_valid(sector, source.length // 512)
    used = table and any(entry.type and entry.sectors for entry in entries(sector, 0))
    bare = means_fat(sector) and (not used or _has_fat(source, sector))
    if bare:
        return True, table and _has_more(source, sector)
    if signed(sector):
        table = looks_valid(sector, source.length // 512, faults=1)
    return False, table


def _has_fat(source: Source, sector: bytes) -> bool:
    """Return whether a FAT begins where the boot sector says, or whether it is only a form.

    Boot sectors of disks with a table have such a form too, for BIOSes that want to see one.
    """
    boot = decode(sector)
    return source.read(boot.reserved * boot.sector_size, 1) == bytes([boot.media])


def _has_more(source: Source, sector: bytes) -> bool:
    """Return whether a partition begins behind the volume whose boot sector this is.

    Without one there is a form only: mformat writes an entry for the volume itself, as long as
    its geometry says, and boot code can look like a table by chance.
    """
    boot = decode(sector)
    volume_end = boot.sectors * boot.sector_size
    return any(
        entry.type and entry.sectors and volume_end <= entry.first * 512 < source.length
        for entry in entries(sector, 0)
        if entry.first
    )
