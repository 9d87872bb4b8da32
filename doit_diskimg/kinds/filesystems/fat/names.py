"""Names: what FAT can store, which names it takes for one, and the short name of each.

Microsoft, "FAT32 File System Specification" 1.03, sections "FAT Directory Structure" (characters
of short names), "Long File Name Limits and Character Sets", "The Basis-Name Generation Algorithm"
and "The Numeric-Tail Generation Algorithm".
"""

import re
from collections.abc import Iterable
from typing import NamedTuple

from doit_diskimg.ondisk import fat_dirent
from doit_diskimg.units import ceil_div

LONGEST = 255
"""UTF-16 units in the longest name."""

_FORBIDDEN = re.compile(r'["*/:<>?\\|\x00-\x1f]')
_SHORT = re.compile(r"([A-Z0-9!#$%&'()@^_`{}~-]{1,8})(?:\.([A-Z0-9!#$%&'()@^_`{}~-]{1,3}))?")
_NOT_SHORT = re.compile(r"[^A-Z0-9!#$%&'()@^_`{}~-]")
_DEVICE = re.compile(
    r"(?:con|prn|aux|nul|clock\$|conin\$|conout\$|(?:com|lpt)[1-9¹²³]) *(?:\..*)?",
    re.IGNORECASE | re.DOTALL,
)
_NOT_LABEL = re.compile(r'[^\x20-\x7e]|["*+,./:;<=>?\[\\\]|]')


class StoredName(NamedTuple):
    """A name as its directory stores it."""

    short: bytes
    """11 bytes: 8 of the name, 3 of the extension, filled with spaces."""
    long: str
    """The long name, or nothing where the short name says it all."""
    case: int = 0
    """The case bits of the 8.3 entry."""

    @property
    def entries(self) -> int:
        """How many directory entries it takes."""
        return 1 + ceil_div(_units(self.long), fat_dirent.UNITS) if self.long else 1


def fold(name: str) -> str:
    """Return what two names have in common that FAT takes for one.

    Upper case, as readers compare.  Characters whose upper case is longer (``ß``) stay, as they do
    in the tables of readers.
    """
    if name.isascii():
        return name.upper()
    return "".join(upper if len(upper := c.upper()) == 1 else c for c in name)


def fault(name: str, *, long_names: bool = True) -> tuple[str, str] | None:
    """Return what is wrong with ``name`` and what must be, or None if the volume can store it."""
    if name in (".", ".."):
        return f"has the part {name!r}", "a path in a volume goes down only"
    if found := _FORBIDDEN.search(name):
        return f"has {found[0]!r}", 'FAT names have no control characters and no "*/:<>?\\|'
    if name.endswith((".", " ")):
        return f"has the part {name!r}", "FAT names do not end with a dot or a space"
    if not name.isascii():
        # Bytes of the host that are not UTF-8 arrive as lone surrogates (os.fsdecode).
        if any("\ud800" <= c <= "\udfff" for c in name):
            return f"has the part {name!r}", "FAT names are Unicode"
        if "\uffff" in name:
            return "has U+FFFF", "FAT names are Unicode, and FAT fills long names with U+FFFF"
    if _units(name) > LONGEST:
        return f"has a part of {_units(name)} UTF-16 units", f"FAT names have at most {LONGEST}"
    if not long_names and not (name.isascii() and _SHORT.fullmatch(name.upper())):
        return f"has the part {name!r}", "without long names a name is 8.3, of ASCII characters"
    return None


def is_device(name: str) -> bool:
    """Whether DOS and Windows take ``name`` for a device's, whatever its extension and case.

    Microsoft, "Naming Files, Paths, and Namespaces".  No other system minds.
    """
    return _DEVICE.fullmatch(name) is not None


def label_fault(label: str, *, lower_case: bool = False) -> tuple[str, str, str] | None:
    """Return what is wrong with a volume label, what must be, and what to change; or None.

    Readers compare the label of the boot sector with the one in the root directory, show it in the
    code page of their own, and take trailing spaces for filling: what can't survive is refused.
    """
    if not label:
        return "is empty", "a volume label has 1 to 11 characters", "leave label out"
    if found := _NOT_LABEL.search(label):
        must = 'volume labels are ASCII without "*+,./:;<=>?[\\]|'
        return f"{label!r} has {found[0]!r}", must, "remove it"
    if len(label) > 11:
        return f"{label!r} has {len(label)} characters", "at most 11 fit", "make it shorter"
    if label != label.strip(" "):
        return f"{label!r} begins or ends with a space", "readers drop spaces there", "remove them"
    if label != label.upper() and not lower_case:
        must = "volume labels are upper case"
        change = f"write {label.upper()!r}, or lower_case_label=True if a system mounts by it"
        return f"{label!r} has lower-case letters", must, change
    if label == "NO NAME":
        return f"is {label!r}", "readers take that for no label", "leave label out"
    return None


def assign(
    names: Iterable[str], *, long_names: bool = True, case_bits: bool = False
) -> dict[str, StoredName]:
    """Return how a directory stores each of ``names``, which `fold` to different names.

    The result depends on the set of names alone.  Names that are 8.3 but for their case take
    their own short names first; every other gets ``~1`` and so on from a counter for the
    characters before it, so that ten thousand names of one prefix take ten thousand steps.

    Without ``long_names``, every name is 8.3 but for its case, which is lost.  With ``case_bits``,
    two bits keep it where name and extension are each in one case.
    """
    stored: dict[str, StoredName] = {}
    others = []
    by_fold = {fold(name): name for name in names}
    for folded in sorted(by_fold):
        name = by_fold[folded]
        match = _SHORT.fullmatch(folded) if name.isascii() else None
        if match is None:
            others.append(folded)
            continue
        case = _case(name) if case_bits else None
        by_long = long_names and name != folded and case is None
        short = _padded(match[1], match[2] or "")
        stored[name] = StoredName(short, name if by_long else "", case or 0)
    tails = _Tails({entry.short for entry in stored.values()})
    for folded in others:
        stored[by_fold[folded]] = StoredName(tails.next(*basis(folded)), by_fold[folded])
    return stored


def _case(name: str) -> int | None:
    """Return the case bits that say how an 8.3 name is written, None if they can't."""
    bits = 0
    parts = name.split(".")
    for part, bit in zip(parts, (fat_dirent.LOWER_BASE, fat_dirent.LOWER_EXTENSION), strict=False):
        if part != part.upper():
            if part != part.lower():
                return None
            bits |= bit
    return bits


class _Tails:
    """Gives out short names with numeric tails, none twice."""

    def __init__(self, taken: set[bytes]) -> None:
        self._taken = taken
        self._counters: dict[tuple[str, str, int], int] = {}

    def next(self, base: str, extension: str) -> bytes:
        """Return the next free name for ``base``, of which a longer number leaves less.

        The number of digits is part of a counter's key, and so no two counters can come to the
        same name.  A counter steps over the names that are taken, each once.
        """
        digits = 0
        while True:  # a directory has 65,536 entries at most, so five digits are enough
            digits += 1
            prefix = base[: 7 - digits]
            key = prefix, extension, digits
            number = self._counters.get(key, 10 ** (digits - 1))
            while number < 10**digits:
                short = _padded(f"{prefix}~{number}", extension)
                number += 1
                self._counters[key] = number
                if short not in self._taken:
                    return short


def basis(folded: str) -> tuple[str, str]:
    """Return the basis name: up to 8 characters and an extension of up to 3.

    Spaces and leading dots go, the base ends at the first dot, the extension follows the last
    one, and what a short name can't hold becomes ``_``.
    """
    base, dot, rest = folded.replace(" ", "").lstrip(".").partition(".")
    extension = rest.rpartition(".")[2] if dot else ""
    return _NOT_SHORT.sub("_", base)[:8], _NOT_SHORT.sub("_", extension)[:3]


def _padded(base: str, extension: str) -> bytes:
    return f"{base:8}{extension:3}".encode("ascii")


def _units(name: str) -> int:
    """Return the length of ``name`` in UTF-16 units."""
    if name.isascii():
        return len(name)
    return len(name) + sum(c > "\uffff" for c in name)
