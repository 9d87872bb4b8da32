"""Three compressed formats that can say "so many zeros" without compressing them.

* gzip (RFC 1952, and deflate, RFC 1951): one member.  After a full flush a deflate stream is at a
  byte boundary and refers to nothing before it, so a ready-made piece of zeros fits in; the CRC-32
  is carried over it by arithmetic.
* xz (The .xz File Format, version 1.2, section 2): a file may be several streams in a row.
* zstd (RFC 8878, section 3.1): a file may be several frames in a row, and a block of up to 128 KiB
  of one byte (RLE) takes four.
"""

import lzma
import struct
import zlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Protocol

from doit_diskimg.disk.sockets import Work
from doit_diskimg.extent import Extent
from doit_diskimg.plan.recipe import Program
from doit_diskimg.units import MIB

ZSTD = Program("zstd", "zstd", ("--version",))

_UNIT = 8 << 20
"""Bytes in a ready-made piece of zeros."""

_RUN = 4 * MIB
"""Zeros that are worth being told from data."""

_Blocks = Iterable[bytes | memoryview]


class Stream(Protocol):
    """A compressed file that is being written from front to back."""

    def data(self, blocks: _Blocks, length: int) -> Iterator[bytes]:
        """Yield what ``length`` bytes, which come in blocks, become."""
        ...

    def zeros(self, length: int) -> Iterator[bytes]:
        """Yield what as many zeros become."""
        ...

    def end(self) -> bytes:
        """Return the end of the file."""
        ...


class Gzip:
    """One member without name and time."""

    def __init__(self, level: int) -> None:
        self._deflate = _raw_deflate(level)
        self._unit = _deflated_zeros(level, _UNIT)
        self._level = level
        self._crc = self._size = 0
        self._ready = b"\x1f\x8b\x08\0\0\0\0\0\0\xff"  # deflate, no flags, no time, unknown system

    def data(self, blocks: _Blocks, length: int) -> Iterator[bytes]:
        for block in blocks:
            self._crc = zlib.crc32(block, self._crc)
            yield self._ready + self._deflate.compress(block)
            self._ready = b""
        self._size += length

    def zeros(self, length: int) -> Iterator[bytes]:
        yield self._ready + self._deflate.flush(zlib.Z_FULL_FLUSH)
        self._ready = b""
        for _ in range(length // _UNIT):
            yield self._unit
        yield _deflated_zeros(self._level, length % _UNIT)
        self._crc = crc32_of_zeros(length, self._crc)
        self._size += length

    def end(self) -> bytes:
        trailer = struct.pack("<II", self._crc, self._size & 0xFFFFFFFF)
        return self._ready + self._deflate.flush() + trailer


def _raw_deflate(level: int) -> "zlib._Compress":
    return zlib.compressobj(level, zlib.DEFLATED, -zlib.MAX_WBITS)


def _deflated_zeros(level: int, length: int) -> bytes:
    deflate = _raw_deflate(level)
    return deflate.compress(bytes(length)) + deflate.flush(zlib.Z_FULL_FLUSH)


def crc32_of_zeros(length: int, crc: int) -> int:
    """Return the CRC-32 of some bytes and ``length`` zeros after them; ``crc`` is theirs.

    A zero byte changes the register by a linear map over GF(2), which is squared until it stands
    for enough of them.
    """
    register = crc ^ 0xFFFFFFFF
    # Column n of the map: what one zero byte makes of bit n alone, the inversions taken out.
    columns = [zlib.crc32(b"\0", (1 << bit) ^ 0xFFFFFFFF) ^ 0xFFFFFFFF for bit in range(32)]
    while length:
        if length & 1:
            register = _times(columns, register)
        columns = [_times(columns, column) for column in columns]
        length >>= 1
    return register ^ 0xFFFFFFFF


def _times(columns: Sequence[int], vector: int) -> int:
    result, bit = 0, 0
    while vector:
        if vector & 1:
            result ^= columns[bit]
        vector, bit = vector >> 1, bit + 1
    return result


class Xz:
    """A stream for each stretch of data and several for zeros, all with CRC64."""

    def __init__(self, level: int) -> None:
        self._level = level
        self._unit = lzma.compress(bytes(_UNIT), preset=level)

    def data(self, blocks: _Blocks, length: int) -> Iterator[bytes]:
        compressor = lzma.LZMACompressor(preset=self._level)
        for block in blocks:
            yield compressor.compress(block)
        yield compressor.flush()

    def zeros(self, length: int) -> Iterator[bytes]:
        for _ in range(length // _UNIT):
            yield self._unit
        if length % _UNIT:
            yield lzma.compress(bytes(length % _UNIT), preset=self._level)

    def end(self) -> bytes:
        return b""


class Zstd:
    """A frame for each stretch: those with data by the program, those of zeros by hand."""

    _MAGIC = b"\x28\xb5\x2f\xfd"
    _BLOCK = 128 << 10  # Block_Maximum_Size, and the Window_Size below
    _HEAD = b"\xc0\x38"
    # Frame_Header_Descriptor: an 8-byte content size; Window_Descriptor: exponent 7, 128 KiB.
    _RLE = 1  # Block_Type

    def __init__(self, level: int, work: Work) -> None:
        self._level, self._work = level, work

    def data(self, blocks: _Blocks, length: int) -> Iterator[bytes]:
        """See `Stream`.  The number of threads does not change the bytes."""
        arguments = ["-q", "-c", "-T0", f"-{self._level}", f"--stream-size={length}"]
        return self._work.filter(ZSTD, arguments, blocks)

    def zeros(self, length: int) -> Iterator[bytes]:
        yield self._MAGIC + self._HEAD + struct.pack("<Q", length)
        whole = self._rle(self._BLOCK)
        for _ in range((length - 1) // self._BLOCK):
            yield whole
        yield self._rle((length - 1) % self._BLOCK + 1, last=True)

    def _rle(self, length: int, last: bool = False) -> bytes:
        header = last | self._RLE << 1 | length << 3
        return header.to_bytes(3, "little") + b"\0"

    def end(self) -> bytes:
        return b""


_OF_PYTHON: Mapping[str, type[Gzip | Xz]] = {"gz": Gzip, "xz": Xz}


def compressed(format_: str, level: int, work: Work) -> Iterator[bytes]:
    """Yield the image in a format: ``gz``, ``xz`` or ``zst``."""
    stream: Stream = Zstd(level, work) if format_ == "zst" else _OF_PYTHON[format_](level)
    position = 0
    for extent in _joined(work.covered):
        if extent.start > position:
            yield from stream.zeros(extent.start - position)
        yield from stream.data(work.read(extent), extent.length)
        position = extent.end
    if work.size > position:
        yield from stream.zeros(work.size - position)
    yield stream.end()


def _joined(extents: Iterable[Extent]) -> Iterator[Extent]:
    """Yield ``extents`` with short gaps between them, and before the first, filled."""
    start = end = 0
    for extent in extents:
        if extent.start - end >= _RUN:
            if end > start:
                yield Extent(start, end - start)
            start = extent.start
        end = extent.end
    if end > start:
        yield Extent(start, end - start)
