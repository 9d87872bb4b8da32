"""The GUID partition table, decoded for reading: both headers, both arrays.

UEFI 2.10, section 5.3.  Firmware takes the backup where the primary is damaged, so each is checked
on its own and then against the other.
"""

import struct
from uuid import UUID
from zlib import crc32

from doit_diskimg.frozen import dataclass
from doit_diskimg.verify.finding import Findings
from doit_diskimg.verify.partitions import FoundPartition, check_overlaps
from doit_diskimg.verify.source import Source

SIGNATURE = b"EFI PART"
_HEADER = struct.Struct("<8sIIIIQQQQ16sQIII")
_ENTRY = struct.Struct("<16s16sQQQ72s")
_LARGEST_ARRAY = 1 << 22
_ZERO = bytes(16)
_SHARED = (
    "first usable sector", "last usable sector", "disk GUID", "number of entries",
    "bytes of an entry", "CRC of the entries",
)  # fmt: skip
_RESERVED_ATTRIBUTES = ((1 << 48) - 1) & ~0b111


@dataclass(frozen=True, kw_only=True)
class Header:
    """A header that was there; ``crc_holds`` is whether it is whole."""

    lba: int
    size: int
    crc_holds: bool
    my_lba: int
    alternate: int
    first_usable: int
    last_usable: int
    guid: bytes
    array_lba: int
    count: int
    entry_size: int
    array_crc: int
    fields_hold: bool

    @property
    def shared(self) -> tuple[object, ...]:
        """What both headers must say alike."""
        return (
            self.first_usable, self.last_usable, self.guid, self.count, self.entry_size,
            self.array_crc,
        )  # fmt: skip


def present(source: Source) -> int:
    """Return the sector size of the GPT, 0 if there is neither a header nor a backup."""
    for size in (512, 4096):
        if source.read(size, 8) == SIGNATURE:
            return size
    for size in (512, 4096):
        last = source.length // size - 1
        if source.read(last * size, 8) == SIGNATURE:
            return size
    return 0


def check(source: Source, size: int, found: Findings) -> list[FoundPartition]:
    """Report what is wrong with the GPT; return the partitions of the first array that holds."""
    last = source.length // size - 1
    primary = _header(source, 1, size, "primary", found)
    backup = _find_backup(source, size, primary, last, found)
    holding = [
        (header, array)
        for header, name in ((primary, "primary"), (backup, "backup"))
        if header and (array := _array(source, header, size, name, last, found)) is not None
    ]
    if primary and backup and primary.shared != backup.shared:
        pairs = zip(_SHARED, primary.shared, backup.shared, strict=True)
        text = f"they differ in: {', '.join(name for name, one, two in pairs if one != two)}"
        found.add("gpt-differ", text, at=backup.lba * size, length=92)
    if not holding:
        return []
    parts = _partitions(source, *holding[0], size, found)
    check_overlaps(parts, found)
    return parts


def _find_backup(
    source: Source, size: int, primary: Header | None, last: int, found: Findings
) -> Header | None:
    """Return the backup header, wherever it is; report that it is not in the last sector.

    A disk may be made without one: then its place has no header, or the primary names itself.
    """
    place = last
    if primary and primary.crc_holds:
        if primary.alternate == primary.my_lba:
            text = "the primary header names itself as the other one"
            found.add("gpt-no-backup", text, at=size + 32, length=8)
            return None
        if 1 < primary.alternate < last:
            place = primary.alternate
            text = f"it is in sector {place}, the last one is {last}"
            found.add("gpt-backup-place", text, at=place * size, length=size)
        elif primary.alternate != last:
            text = (
                f"the primary header has it in sector {primary.alternate}, the last one is {last}"
            )
            found.add("gpt-backup-place", text, at=size + 32, length=8)
        elif source.read(last * size, 8) != SIGNATURE:
            text = f"no header is in the last sector, {last}"
            found.add("gpt-no-backup", text, at=last * size, length=size)
            return None
    return _header(source, place, size, "backup", found)


def _header(source: Source, lba: int, size: int, name: str, found: Findings) -> Header | None:
    """Return the header in sector ``lba``, or None if there is none or it is damaged."""
    data = source.read(lba * size, size)
    place, code = lba * size, f"gpt-{name}"
    if len(data) < 512 or data[:8] != SIGNATURE:
        found.add(code, f"no header is in sector {lba}", at=place, length=size)
        return None
    (_, revision, length, crc, reserved, my_lba, alternate, first, last, guid, array_lba, count,
     entry_size, array_crc) = _HEADER.unpack_from(data)
    if not 92 <= length <= size:
        found.add(code, f"it has {length} bytes, 92..{size} are possible", at=place + 12, length=4)
        return None
    own = crc32(data[:16] + bytes(4) + data[20:length])
    holds = own == crc
    if not holds:
        text = f"the {name} header has the CRC {own:#010x}, it says {crc:#010x}"
        found.add("gpt-header-crc", text, at=place + 16, length=4)
        found.add(code, "its CRC does not hold", at=place, length=92)
    faults = [
        (revision != 0x10000, 8, 4, f"revision {revision:#x}, 0x10000 must be"),
        (reserved != 0, 20, 4, f"a reserved field is {reserved:#x}, 0 must be"),
        (my_lba != lba, 24, 8, f"it says it is in sector {my_lba}, it is in {lba}"),
        (name == "backup" and alternate != 1, 32, 8,
         f"it has the primary in sector {alternate}, 1 must be"),
        (first > last + 1 or last >= source.length // size, 40, 16,
         f"usable sectors {first} to {last}, the disk has {source.length // size}"),
        (guid == _ZERO, 56, 16, "the disk GUID is zero"),
        (entry_size % 128 != 0 or not 128 <= entry_size <= 4096, 84, 4,
         f"entries of {entry_size} bytes, a multiple of 128 up to 4096 must be"),
        (count == 0, 80, 4, "0 entries, 1 or more must be"),
    ]  # fmt: skip
    for wrong, at, bytes_, text in faults:
        if wrong:
            code = "gpt-guid-zero" if at == 56 else "gpt-header"
            found.add(code, f"{name} header: {text}", at=place + at, length=bytes_)
    return Header(
        lba=lba, size=length, crc_holds=holds, my_lba=my_lba, alternate=alternate,
        first_usable=first, last_usable=last, guid=guid, array_lba=array_lba, count=count,
        entry_size=entry_size, array_crc=array_crc,
        fields_hold=not (faults[-1][0] or faults[-2][0]),
    )  # fmt: skip


def _array(
    source: Source, header: Header, size: int, name: str, last: int, found: Findings
) -> bytes | None:
    """Return a header's array, or None where it can't be read; report its place and CRC."""
    length, place = header.count * header.entry_size, header.array_lba * size
    if not header.fields_hold:
        return None
    if length > _LARGEST_ARRAY:
        text = f"an entry array of {length:,} bytes, {_LARGEST_ARRAY:,} at most are read"
        found.add("limit", text, at=header.lba * size + 80)
        return None
    sectors = -(-length // size)
    end = header.array_lba + sectors
    in_front = header.array_lba >= 2 and end <= header.first_usable
    behind = header.array_lba > header.last_usable and end <= last
    if not in_front and not behind:
        text = (
            f"the {name} array has sectors {header.array_lba}..{end}, "
            f"usable are {header.first_usable}..{header.last_usable + 1}"
        )
        found.add("gpt-array-place", text, at=place, length=length)
    data = source.read(place, length)
    if len(data) < length:
        return None
    if crc32(data) != header.array_crc:
        text = (
            f"the {name} array has the CRC {crc32(data):#010x}, "
            f"its header says {header.array_crc:#010x}"
        )
        found.add("gpt-array-crc", text, at=place, length=length)
    return data


def _partitions(
    source: Source, header: Header, array: bytes, size: int, found: Findings
) -> list[FoundPartition]:
    """Return the partitions of an array; report what is wrong with single ones."""
    parts, guids = [], {header.guid: "the disk"}
    usable = range(header.first_usable, header.last_usable + 1)
    for index in range(header.count):
        at = index * header.entry_size
        if array[at : at + 16] == _ZERO:
            continue
        type_, guid, first, last, attributes, name = _ENTRY.unpack_from(array, at)
        place = header.array_lba * size + at
        part = FoundPartition(
            number=index + 1, name=_text(name), type=str(UUID(bytes_le=type_)), entry=place,
            start=first * size, length=(last + 1 - first) * size, relative=first * size,
        )  # fmt: skip
        _check_entry(part, name, attributes, found)
        _check_guid(part, guid, guids, found)
        if last < first:
            text = f"it begins in sector {first} and ends in {last}"
            found.add("gpt-entry", text, at=place + 32, length=16, path=part.title)
        elif first not in usable or last not in usable:
            text = f"it has sectors {first} to {last}, usable are {usable.start} to {usable[-1]}" \
                if usable else "no sector is usable"
            found.add("gpt-outside", text, at=place + 32, length=16, path=part.title)
        if part.end > source.length:
            text = f"it ends at {part.end:#x}, the disk at {source.length:#x}"
            found.add("part-beyond", text, at=part.start, path=part.title)
        parts.append(part)
    return parts


def _check_entry(part: FoundPartition, name: bytes, attributes: int, found: Findings) -> None:
    try:
        name.decode("utf-16-le")
    except UnicodeDecodeError:
        text = "half of a character is in its name"
        found.add("gpt-name", text, at=part.entry + 56, length=72, path=part.title)
    if attributes & _RESERVED_ATTRIBUTES:
        text = f"{attributes:#018x} is there, bits 3 to 47 must be 0"
        found.add("gpt-attributes", text, at=part.entry + 48, length=8, path=part.title)


def _check_guid(
    part: FoundPartition, guid: bytes, guids: dict[bytes, str], found: Findings
) -> None:
    if guid == _ZERO:
        text = "its GUID is zero"
        found.add("gpt-guid-zero", text, at=part.entry + 16, length=16, path=part.title)
    elif guid in guids:
        text = f"{UUID(bytes_le=guid)} belongs to {guids[guid]} too"
        found.add("gpt-guid-twice", text, at=part.entry + 16, length=16, path=part.title)
    guids.setdefault(guid, part.title)


def _text(name: bytes) -> str:
    return name.decode("utf-16-le", "replace").partition("\0")[0]
