"""Partitions as a table records them, and what every table must keep."""

from collections.abc import Sequence

from doit_diskimg.frozen import dataclass
from doit_diskimg.verify.finding import Findings


@dataclass(frozen=True, kw_only=True)
class FoundPartition:
    """One partition, in bytes of the disk."""

    number: int
    """As Linux counts: primaries from 1 to 4, logical ones from 5, a GPT's from 1."""
    name: str
    """The GPT's partition name; empty in an MBR."""
    start: int
    length: int
    type: str
    """A type GUID in lower case, or an MBR's type byte as ``0x0c``."""
    entry: int
    """Where its entry lies."""
    relative: int
    """Start counted from the sector that records it: from an EBR, where there is one."""

    @property
    def end(self) -> int:
        """The first byte after it."""
        return self.start + self.length

    @property
    def title(self) -> str:
        """What a person calls it."""
        return f"partition {self.number} {self.name!r}" if self.name else f"partition {self.number}"


def check_places(parts: Sequence[FoundPartition], disk: int, table: int, found: Findings) -> None:
    """Report partitions that overlap, leave the disk of ``disk`` bytes, or cover the table.

    ``table`` is where the table's own first sectors end.
    """
    for part in parts:
        if part.length <= 0:
            text = f"it has the type {part.type} and no sectors"
            found.add("part-empty", text, at=part.entry, length=16, path=part.title)
            continue
        if part.end > disk:
            text = f"it ends at {part.end:#x}, the disk at {disk:#x}"
            found.add("part-beyond", text, at=part.start, length=part.length, path=part.title)
        if part.start < table:
            text = f"it begins at {part.start:#x}, the table ends at {table:#x}"
            found.add("part-on-table", text, at=part.start, path=part.title)
    check_overlaps(parts, found)


def check_overlaps(parts: Sequence[FoundPartition], found: Findings) -> None:
    """Report each partition that begins before the end of one that began earlier."""
    reach: FoundPartition | None = None
    for part in sorted((part for part in parts if part.length > 0), key=lambda part: part.start):
        if reach is not None and part.start < reach.end:
            text = f"it begins at {part.start:#x}, {reach.title} ends at {reach.end:#x}"
            shared = min(part.end, reach.end) - part.start
            found.add("part-overlap", text, at=part.start, length=shared, path=part.title)
        if reach is None or part.end > reach.end:
            reach = part
