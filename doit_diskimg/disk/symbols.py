"""Numbers of the layout by name, for boot code: where stage 2 lies, how long the kernel is.

    at.lba("stage2")   at.sectors("stage2")   at.file_lba("boot", "kernel.bin") + 1

The functions of `at` make them.  A symbol is a name until the layout is known.  Then it asks
`Numbers`, one small protocol, and becomes an integer or bytes; `BootCode` puts it into a field of
the user's binary.
"""

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Protocol, TypeAlias

from doit_diskimg.errors import DescriptionError, Unaligned
from doit_diskimg.extent import Extent
from doit_diskimg.frozen import dataclass
from doit_diskimg.units import ceil_div

_Int: TypeAlias = int  # a class with members of these names can't say them
_Bytes: TypeAlias = bytes


class Guid(Protocol):
    """What the standard library's `UUID` is: to import that one takes longer than to describe."""

    @property
    def int(self) -> _Int:
        """It as a number of 128 bits."""
        ...

    @property
    def bytes(self) -> _Bytes:
        """Its 16 bytes, in the order of its text."""
        ...

    @property
    def bytes_le(self) -> _Bytes:
        """Its 16 bytes, in the order in which a GPT stores it."""
        ...


class Numbers(Protocol):
    """What a symbol may ask once everything has its place.

    ``name`` is that of a partition or segment, ``where`` the place in the description of whoever
    asks, for messages.  What can't be answered raises DescriptionError or WorldError.
    """

    @property
    def sector_size(self) -> int:
        """Bytes per logical sector."""
        ...

    def extent(self, name: str, where: str) -> Extent:
        """Return the place of a partition; of a segment, its start and the length of its source."""
        ...

    def file(self, partition: str, path: str, where: str) -> Extent:
        """Return the place on the disk of a file in a volume: one stretch, as long as the file."""
        ...

    def crc32(self, name: str, path: str | None, where: str) -> int:
        """Return the CRC-32 of what the image holds in `extent`, or in `file` if a path is given.

        It is that of zlib, gzip and UEFI.
        """
        ...

    def partition_guid(self, name: str) -> Guid:
        """Return a partition's GUID."""
        ...

    def disk_guid(self) -> Guid:
        """Return the disk's GUID."""
        ...

    def disk_signature(self) -> int:
        """Return the disk signature of an MBR."""
        ...


@dataclass(frozen=True)
class Symbol:
    """A number by name; the functions of `at` make them.

    Integers can be added and subtracted: ``at.lba("core") + 1``.
    """

    kind: str
    """The function of `at` that made it."""
    name: str = ""
    """The partition or segment; empty for what belongs to the whole disk."""
    path: str | None = None
    """The file in the partition's volume, if it is about one."""
    plus: int = 0

    def __add__(self, number: int) -> "Symbol":
        if not isinstance(number, int):
            return NotImplemented
        return replace(self, plus=self.plus + number)

    __radd__ = __add__

    def __sub__(self, number: int) -> "Symbol":
        if not isinstance(number, int):
            return NotImplemented
        return self + -number

    def __str__(self) -> str:
        arguments = [repr(self.name)] * bool(self.name)
        arguments += [] if self.path is None else [repr(self.path)]
        sign = f" {'+' if self.plus > 0 else '-'} {abs(self.plus)}" if self.plus else ""
        return f"at.{self.kind}({', '.join(arguments)}){sign}"

    @property
    def about(self) -> str:
        """The file, partition or segment that it is about, for messages."""
        if self.path is not None:
            return self.path.rpartition("/")[2] or self.path
        return self.name or "the disk"

    @property
    def is_bytes(self) -> bool:
        """Whether it becomes bytes and not an integer."""
        return KINDS[self.kind].is_bytes

    @property
    def asks_file(self) -> bool:
        """Whether it is about a file in a volume."""
        return self.path is not None

    @property
    def asks_contents(self) -> bool:
        """Whether it depends on what its part holds, and not on its place alone."""
        return self.kind == "crc32"

    def words(self, value: int) -> str:
        """Return its value as a person would say it, such as ``kernel.bin: 70,000 sectors``."""
        return f"{self.about}: {KINDS[self.kind].text.format(value)}"

    @property
    def less(self) -> str:
        """What to change where its value is too large, in words."""
        return KINDS[self.kind].less.format(path=self.path)

    def resolve(self, numbers: Numbers, where: str) -> int | bytes:
        """Return its value.  Raises DescriptionError or WorldError if it has none."""
        value = KINDS[self.kind].find(self, numbers, where)
        return value if isinstance(value, bytes) else value + self.plus


@dataclass(frozen=True)
class SymbolKind:
    """How one kind of symbol is found, and how its value is told."""

    find: Callable[[Symbol, Numbers, str], int | bytes]
    text: str
    is_bytes: bool = False
    less: str = "make it smaller"
    """What to change where it is too large, with ``path`` for the file."""


def _place(symbol: Symbol, numbers: Numbers, where: str) -> Extent:
    if symbol.path is None:
        return numbers.extent(symbol.name, where)
    return numbers.file(symbol.name, symbol.path, where)


def _lba(symbol: Symbol, numbers: Numbers, where: str) -> int:
    start, size = _place(symbol, numbers, where).start, numbers.sector_size
    if start % size:
        raise DescriptionError(
            Unaligned(
                f"{where}: {symbol}", f"{symbol.about} begins at byte {start:,}",
                f"what has an LBA begins at a multiple of {size}",
                f"move it, or write at.start({symbol.name!r})",
            )
        )
    return start // size


def _start(symbol: Symbol, numbers: Numbers, where: str) -> int:
    return _place(symbol, numbers, where).start


def _sectors(symbol: Symbol, numbers: Numbers, where: str) -> int:
    return ceil_div(_place(symbol, numbers, where).length, numbers.sector_size)


def _length(symbol: Symbol, numbers: Numbers, where: str) -> int:
    return _place(symbol, numbers, where).length


KINDS: Mapping[str, SymbolKind] = {
    "lba": SymbolKind(_lba, "LBA {:,}"),
    "sectors": SymbolKind(_sectors, "{:,} sectors"),
    "start": SymbolKind(_start, "byte {:,}"),
    "length": SymbolKind(_length, "{:,} bytes"),
    "file_lba": SymbolKind(
        _lba, "LBA {:,}", less="place it lower, with low=[{path!r}] in its volume"
    ),
    "file_sectors": SymbolKind(_sectors, "{:,} sectors"),
    "file_length": SymbolKind(_length, "{:,} bytes"),
    "crc32": SymbolKind(
        lambda symbol, numbers, where: numbers.crc32(symbol.name, symbol.path, where),
        "CRC-32 {:#010x}",
    ),
    "partition_guid": SymbolKind(
        lambda symbol, numbers, where: numbers.partition_guid(symbol.name).bytes_le, "", True
    ),
    "disk_guid": SymbolKind(lambda symbol, numbers, where: numbers.disk_guid().bytes_le, "", True),
    "disk_signature": SymbolKind(
        lambda symbol, numbers, where: numbers.disk_signature(), "signature {:#010x}"
    ),
}
