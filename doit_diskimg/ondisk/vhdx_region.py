"""What is random in a VHDX file, and how to name it otherwise.

Microsoft, [MS-VHDX] "Virtual Hard Disk v2 File Format", sections 2.2.2 (headers), 2.2.3 (region
table), 2.3.1 (log entries) and 2.6 (metadata region).  Little-endian; GUIDs as `bytes_le`.
"""

import struct
from collections.abc import Iterator
from functools import cache
from uuid import UUID

HEADERS = (0x10000, 0x20000)
"""Where the two headers lie; the one with the larger sequence number counts."""
HEADER_SIZE = 4096
REGION_TABLE = 0x30000
REGION_TABLE_SIZE = 0x10000

_HEADER = struct.Struct("<4sIQ16s16s16sHHIQ")
# Signature, Checksum, SequenceNumber, FileWriteGuid, DataWriteGuid, LogGuid, LogVersion, Version,
# LogLength, LogOffset
_REGION = struct.Struct("<16sQII")  # Guid, FileOffset, Length, Required
_ITEM = struct.Struct("<16sIII4x")  # ItemId, Offset, Length, flags, Reserved2
_TABLE_HEAD = 16  # bytes of a region table before its entries; EntryCount is at 8
_METADATA_HEAD = 32  # bytes of a metadata table before its entries; EntryCount is at 10

_METADATA = UUID("8b7ca206-4790-4b9a-b8fe-575f050f886e")
_PAGE_83 = UUID("beca12ab-b2e6-4523-93ef-c309e000c746")  # Page 83 Data: the disk's own GUID

assert _HEADER.size == 80
assert _REGION.size == _ITEM.size == 32


def renamed_header(header: bytes, sequence: int, file: UUID, data: UUID) -> bytes:
    """Return a header with another sequence number and other GUIDs.

    Raises ValueError if it is not one, or if there is a log to replay.
    """
    signature, _, _, _, _, log, *rest = _HEADER.unpack_from(header)
    if signature != b"head" or len(header) != HEADER_SIZE:
        raise ValueError("there is no VHDX header")
    if any(log):
        raise ValueError("the file has a log to replay")
    fields = (sequence, file.bytes_le, data.bytes_le, log, *rest)
    rest_ = header[_HEADER.size :]
    checksum = crc32c(_HEADER.pack(signature, 0, *fields) + rest_)
    return _HEADER.pack(signature, checksum, *fields) + rest_


def sequence_number(header: bytes) -> int:
    """Return a header's sequence number."""
    return int(_HEADER.unpack_from(header)[2])


def log(header: bytes) -> tuple[int, int]:
    """Return where the log lies and how long it is; it is dead while the header's LogGuid is 0."""
    *_, length, offset = _HEADER.unpack_from(header)
    return offset, length


def metadata_region(region_table: bytes) -> int:
    """Return where the metadata region begins.  Raises ValueError if there is none."""
    for guid, offset, *_ in _entries(region_table, 8, _TABLE_HEAD, _REGION):
        if guid == _METADATA.bytes_le:
            return offset
    raise ValueError("there is no metadata region")


def disk_guid(metadata: bytes) -> int:
    """Return where the disk's GUID lies within the metadata region, of which ``metadata`` is the
    beginning.  Raises ValueError if it has none.
    """
    for guid, offset, *_ in _entries(metadata, 10, _METADATA_HEAD, _ITEM):
        if guid == _PAGE_83.bytes_le:
            return offset
    raise ValueError("there is no GUID of the disk")


def _entries(
    table: bytes, count_at: int, head: int, entry: struct.Struct
) -> Iterator[tuple[bytes, int, int, int]]:
    (count,) = struct.unpack_from("<H", table, count_at)
    for index in range(count):
        guid, offset, length, flags = entry.unpack_from(table, head + index * entry.size)
        yield guid, offset, length, flags


def crc32c(data: bytes) -> int:
    """Return the CRC-32C (Castagnoli, RFC 3720, appendix B.4) of ``data``."""
    table, register = _table(), 0xFFFFFFFF
    for byte in data:
        register = table[(register ^ byte) & 0xFF] ^ (register >> 8)
    return register ^ 0xFFFFFFFF


@cache
def _table() -> list[int]:
    table = []
    for value in range(256):
        for _ in range(8):
            value = (value >> 1) ^ (0x82F63B78 if value & 1 else 0)
        table.append(value)
    return table
