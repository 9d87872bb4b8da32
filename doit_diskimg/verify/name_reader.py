"""FAT: characters, short names and long names, as readers see them.

Microsoft, "FAT32 File System Specification" 1.03, sections "FAT Directory Structure" and "FAT
Long Directory Entries".
"""

from collections.abc import Iterator, Sequence
from typing import NamedTuple

_SHORT_BAD = frozenset(b'"*+,./:;<=>?[\\]|') | frozenset(range(0x20))
_LONG_BAD = frozenset('"*/:<>?\\|') | frozenset(map(chr, range(0x20)))
_LONGEST = 255
_LOWER_BASE, _LOWER_EXTENSION = 0x08, 0x10
_KANJI = 0x05  # stands for 0xE5, which would mark the entry as free


class NamePiece(NamedTuple):
    """One long-name entry."""

    order: int
    checksum: int
    units: bytes
    place: int


def checksum(short: bytes) -> int:
    """Return the checksum of 11 bytes that ties a long name to its short one."""
    total = 0
    for byte in short:
        total = ((total >> 1) + ((total & 1) << 7) + byte) & 0xFF
    return total


def short_text(short: bytes, case: int = 0) -> str:
    """Return a short name as people see it; ``case`` is the byte with Windows' lower-case bits."""
    if short[0] == _KANJI:
        short = b"\xe5" + short[1:]
    text = short.decode("cp437")
    base, extension = text[:8].rstrip(" "), text[8:].rstrip(" ")
    base = base.lower() if case & _LOWER_BASE else base
    extension = extension.lower() if case & _LOWER_EXTENSION else extension
    return f"{base}.{extension}" if extension else base


def label_text(short: bytes) -> str:
    """Return a label as people see it: eleven characters, no dot."""
    return short.decode("cp437").rstrip(" ")


def short_faults(short: bytes, *, label: bool = False) -> Iterator[tuple[str, str]]:
    """Yield (code, text) of what is wrong with a short name or a label.

    A label is never looked up, so odd characters in it are a warning only.
    """
    shown = repr(label_text(short) if label else short_text(short))
    first = b"\xe5" if short[0] == _KANJI else short[:1]
    rest = bytes(_judged(first + short[1:8])) + bytes(_judged(short[8:]))
    bad = sorted(byte for byte in set(rest) if byte in _SHORT_BAD)
    if bad:
        text = label and bad[0] >= 0x20
        kind = "label" if label else "short name"
        words = f"{shown} has {bytes(bad).decode('cp437')!r}, which no {kind} may have"
        yield "fat-label-char" if text else "fat-short-char", words
    elif short[0] == 0x20:
        code = "fat-label-char" if label else "fat-short-char"
        yield code, f"{shown} begins with a space"
    if not label and any(0x61 <= byte <= 0x7A for byte in rest):
        yield "fat-short-lower", f"{shown} has lower-case letters"


def _judged(part: bytes) -> Iterator[int]:
    """Yield the bytes of a name or an extension that are characters for certain.

    In the two-byte code pages (932, 936, 949, 950) a byte from 0x81 on may be the first half of a
    character, and the second half is any byte from 0x40 on: also a lower-case letter or a bar.
    """
    at = 0
    while at < len(part):
        yield part[at]
        at += 2 if part[at] >= 0x81 and part[at + 1 : at + 2] >= b"\x40" else 1


def long_text(pieces: Sequence[NamePiece]) -> tuple[str, str]:
    """Return the name that complete pieces make, the last one first, and what is wrong with it."""
    data = b"".join(piece.units for piece in reversed(pieces))
    units = memoryview(data).cast("H")
    end = next((at for at, unit in enumerate(units) if unit == 0), len(units))
    name = data[: 2 * end].decode("utf-16-le", "replace")
    if end <= len(units) - 13 or not end:
        return name, "the last piece holds nothing"
    if any(unit != 0xFFFF for unit in units[end + 1 :]):
        return name, "it goes on behind its end"
    if end > _LONGEST:
        return name, f"it has {end} UTF-16 units, {_LONGEST} at most must be"
    return name, ""


def long_faults(name: str) -> Iterator[tuple[str, str]]:
    """Yield (code, text) of what is wrong with a long name."""
    bad = sorted(_LONG_BAD.intersection(name))
    if bad:
        yield "fat-long-char", f"it has {''.join(bad)!r}, which no long name may have"
    elif "\ufffd" in name:
        yield "fat-long-char", "it has half of a character, or U+FFFD"
    if name.endswith((".", " ")):
        yield "fat-long-end", f"it ends with {name[-1]!r}"


def fold(name: str) -> str:
    """Return what readers compare: upper case, character by character."""
    if name.isascii():
        return name.upper()
    return "".join(upper if len(upper := c.upper()) == 1 else c for c in name)
