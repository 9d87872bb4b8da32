"""`Patch`: one field of a binary, and the number that belongs into it."""

import re
from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import NamedTuple

from doit_diskimg.disk.symbols import KINDS, Numbers, Symbol
from doit_diskimg.errors import BadValue, FieldTooSmall, Overlap, PatchMisplaced, Problem, refuse
from doit_diskimg.extent import Extent
from doit_diskimg.frozen import dataclass
from doit_diskimg.ondisk.elf import Found

_FORMAT = re.compile(r"([<>!]?)(?:([bBhHiIlLqQ])|([0-9]*)s)")
_SIZES = {"b": 1, "h": 2, "i": 4, "l": 4, "q": 8}
_CODES = {1: "B", 2: "H", 4: "I", 8: "Q"}
_WIDER = {1: "H", 2: "I", 4: "Q"}


class FieldFormat(NamedTuple):
    """What a format of `struct` with exactly one item says."""

    order: str
    size: int
    is_bytes: bool
    is_signed: bool

    @property
    def bounds(self) -> tuple[int, int]:
        """The least and the greatest integer that it holds."""
        bits = 8 * self.size
        return (-(1 << bits - 1), (1 << bits - 1) - 1) if self.is_signed else (0, (1 << bits) - 1)


def parse_format(text: object) -> FieldFormat | None:
    """Return what ``text`` says, None if it is not one item whose size is the same everywhere."""
    match = _FORMAT.fullmatch(text) if isinstance(text, str) else None
    if match is None:
        return None
    order, code, count = match.groups()
    if code is None:
        size = int(count or 1)
        return FieldFormat(order, size, True, False) if size else None
    size = _SIZES[code.lower()]
    # Without a byte order it would be that of the host.
    return FieldFormat(order, size, False, code.islower()) if order or size == 1 else None


@dataclass(frozen=True, described=True)
class Patch:
    """A field of a binary: ``value`` is stored at ``offset``, as ``format`` says.

    ``offset`` is in bytes from the beginning of the source, or the name of a symbol in the ELF file
    that it was made of.  ``format`` is one item of Python's `struct` with its byte order:
    ``"<Q"``, ``"<H"``, ``"B"``, or ``"16s"`` for bytes; None for as many bytes as the ELF file says
    that its symbol has.  ``value`` is a symbol such as ``at.lba("stage2")``, an integer or bytes.
    """

    offset: int | str
    format: str | None
    value: Symbol | int | bytes

    def problems(self, where: str, elf: bool = False) -> Iterator[Problem]:
        """Yield what is wrong with the description itself; ``elf`` says if there is such a file."""
        yield from self._offset_problems(where, elf)
        format_ = parse_format(self.format)
        by_symbol = self.format is None and isinstance(self.offset, str)
        if format_ is None and not by_symbol:
            yield BadValue(
                f"{where}.format", f"{self.format!r} is not a format of one field",
                "must be a byte order and one of b B h H i I l L q Q, or a length and s",
                'write for example "<Q", "B" or "16s"',
            )
        if not _is_value(self.value):
            yield BadValue(
                f"{where}.value", f"{self.value!r} is not a value",
                "must be a symbol, an integer or bytes", 'write for example at.lba("stage2")',
            )
        elif format_ is not None:
            yield from self._value_problems(format_, where)

    def _offset_problems(self, where: str, elf: bool) -> Iterator[Problem]:
        offset = self.offset
        if isinstance(offset, str) and offset and not elf:
            yield BadValue(
                f"{where}.offset", f"{offset!r} is the name of a symbol",
                "its place is in the ELF file that the binary was made of",
                'give that file too, for example elf="build/stage1.elf", or write a number',
            )
        elif isinstance(offset, bool) or not isinstance(offset, (int, str)) or (
            not offset if isinstance(offset, str) else offset < 0
        ):
            yield BadValue(
                f"{where}.offset", f"{offset!r} is not an offset",
                "must be bytes from the beginning of the source, or the name of an ELF symbol",
                "write for example 0x5c",
            )

    def _value_problems(self, format_: FieldFormat, where: str) -> Iterator[Problem]:
        value = self.value
        is_bytes = value.is_bytes if isinstance(value, Symbol) else isinstance(value, bytes)
        if is_bytes and isinstance(value, Symbol) and value.plus:
            yield BadValue(
                f"{where}.value", f"{value} adds to a GUID", "only numbers can be added to",
                "leave the number out",
            )
        elif is_bytes != format_.is_bytes:
            kind, other = ("bytes", '"16s"') if is_bytes else ("an integer", '"<Q"')
            yield BadValue(
                f"{where}.format", f'"{self.format}" does not hold {kind}',
                f"{value if isinstance(value, Symbol) else repr(value)} is {kind}",
                f"write for example {other}",
            )
        elif not isinstance(value, Symbol):
            yield from _too_large(PatchField(where, 0, format_, str(self.format), value), value)

    def field(self, where: str) -> "PatchField":
        """Return the field, of which the offset is a number."""
        format_ = parse_format(self.format)
        assert format_ is not None
        assert isinstance(self.offset, int)
        return PatchField(where, self.offset, format_, str(self.format), self.value)

    def found(self, where: str, symbol: Found) -> "PatchField":
        """Return the field whose offset is a symbol.  Raises DescriptionError."""
        text = self.format
        if text is None:
            is_bytes = isinstance(self.value, bytes) or (
                isinstance(self.value, Symbol) and self.value.is_bytes
            )
            code = _CODES.get(symbol.size)
            text = f"{symbol.size}s" if is_bytes else f"{symbol.order}{code}"
            if not symbol.size or (code is None and not is_bytes):
                refuse([_no_size(self.offset, symbol.size, where)])
        format_ = parse_format(text)
        assert format_ is not None
        return PatchField(where, symbol.offset, format_, text, self.value)


def _is_value(value: object) -> bool:
    """Return whether a user's value is one, symbols with all their parts."""
    if isinstance(value, Symbol):
        kinds = (str, value.kind), (str, value.name), ((str, type(None)), value.path)
        typed = all(isinstance(part, kind) for kind, part in (*kinds, (int, value.plus)))
        return typed and value.kind in KINDS
    return isinstance(value, (int, bytes)) and not isinstance(value, bool)


def _no_size(name: object, size: int, where: str) -> Problem:
    return BadValue(
        f"{where}.format", f"{name!r} has {size} bytes" if size else f"{name!r} has no size",
        "without a format it must be a symbol of 1, 2, 4 or 8 bytes",
        f'write for example "<I", or ".size {name}, 4" in the assembler source',
    )


class PatchField(NamedTuple):
    """A patch whose offset and format are known."""

    where: str
    offset: int
    format: FieldFormat
    text: str
    """The format as the user wrote it."""
    value: Symbol | int | bytes

    @property
    def size(self) -> int:
        """Bytes that it takes."""
        return self.format.size

    @property
    def extent(self) -> Extent:
        """The bytes of the source that it is."""
        return Extent(self.offset, self.size)

    def __str__(self) -> str:
        return f'the field at {self.offset:#x} ("{self.text}")'


def resolve(field: PatchField, numbers: Numbers | None) -> bytes:
    """Return the bytes of a field.  Raises DescriptionError or WorldError."""
    value = field.value
    if isinstance(value, Symbol):
        assert numbers is not None, "the numbers must be known when boot code is drawn"
        value = value.resolve(numbers, field.where)
    refuse(_too_large(field, value))
    if isinstance(value, bytes):
        return value.ljust(field.size, b"\0")
    order = "big" if field.format.order in (">", "!") else "little"
    return value.to_bytes(field.size, order, signed=field.format.is_signed)  # type: ignore[arg-type]


def _too_large(field: PatchField, value: int | bytes) -> Iterator[Problem]:
    if isinstance(value, bytes):
        if len(value) > field.size:
            yield FieldTooSmall(
                field.where, f"the value has {len(value)} bytes",
                f"{field} holds {field.size}", f'write "{len(value)}s"',
            )
        return
    low, high = field.format.bounds
    if low <= value <= high:
        return
    said, less = f"{value:,}", "make it smaller"
    if isinstance(field.value, Symbol):
        said, less = field.value.words(value), field.value.less
    limit = f"{high:,} at most" if value > high else f"{low:,} at least"
    wider = _WIDER.get(field.size)
    change = f'use a wider field such as "{field.format.order or "<"}{wider}", or ' if wider else ""
    make = less if value > high else "make it larger"
    yield FieldTooSmall(field.where, said, f"{field} holds {limit}", f"{change}{make}")


def misplaced(
    fields: Sequence[PatchField], length: int | None, kept: Sequence[Extent]
) -> Iterator[Problem]:
    """Yield the fields that lie outside the source, over bytes that are kept, or over another.

    ``length`` is the source's, None if it is not known yet.
    """
    for field in fields:
        if length is not None and field.extent.end > length:
            yield PatchMisplaced(
                field.where, f"{field} ends at byte {field.extent.end:,}",
                f"the source has {length:,} bytes", "correct the offset, or make the source longer",
            )
        for hole in kept:
            if field.extent.overlaps(hole):
                yield PatchMisplaced(
                    field.where, f"{field} is among bytes {hole.start} to {hole.end - 1}",
                    "those are not the boot code's own", "move the field",
                )
    ordered = sorted(fields, key=lambda field: field.extent)
    for left, right in pairwise(ordered):
        if left.extent.overlaps(right.extent):
            yield Overlap(
                right.where, f"{right} begins before {left} of {left.where} ends",
                "no byte may belong to two fields",
                f"move one, or give {left.where} a shorter format",
            )
