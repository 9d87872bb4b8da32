"""What can be reported of an image, and how much of it.

A damaged FAT can have a million defects of one kind.  So `Findings` keeps the first of each code
and counts the rest: what is reported is bounded, whatever the image holds.
"""

from collections import Counter
from collections.abc import Iterator

from doit_diskimg.frozen import dataclass
from doit_diskimg.verify.catalogue import ERROR, RULES

KEPT = 20
"""Findings of one code and one volume or table that are kept; the rest is counted."""

KEPT_OF_ALL = 400
"""Findings of one code that are kept of all volumes of an image together."""


@dataclass(frozen=True, kw_only=True)
class Finding:
    """One thing that is wrong, or odd, with an image."""

    code: str
    """A key of `catalogue.RULES`."""
    severity: str
    """``"error"`` or ``"warning"``; only errors make an image a bad one."""
    where: str
    """Names: the partition and the path in it, empty for the disk as a whole."""
    start: int | None
    """First byte in the image that is wrong; None if it has no place."""
    length: int
    """Bytes from there on."""
    text: str
    """What is, and what must be; one line."""

    @property
    def is_error(self) -> bool:
        """Whether the image is a bad one because of this."""
        return self.severity == ERROR

    def __str__(self) -> str:
        place = "" if self.start is None else f" {self.start:#x}..{self.start + self.length:#x}"
        names = f" {self.where}:" if self.where else ""
        return one_line(f"{self.severity} {self.code}{place}:{names} {self.text}")


def one_line(text: str) -> str:
    """Return ``text`` with everything visible: names in an image may hold any character."""
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)


class Findings:
    """Collects findings of one table or volume, the first `KEPT` of each code.

    ``base`` is where its bytes begin in the image, ``where`` its name.  ``kept`` counts by code
    what all of one image keep.
    """

    def __init__(
        self, where: str = "", base: int = 0, kept: "Counter[str] | None" = None
    ) -> None:
        self.where = where
        self.base = base
        self.kept = Counter[str]() if kept is None else kept
        self._kept: list[Finding] = []
        self._counts: Counter[str] = Counter()
        self._dropped: Counter[str] = Counter()

    def add(
        self, code: str, text: str, *, at: int | None = None, length: int = 1, path: str = ""
    ) -> None:
        """Report ``code``: ``at`` is a byte of the table or volume, ``path`` a name in it."""
        self._counts[code] += 1
        if self.full(code):
            self._dropped[code] += 1
        else:
            self.kept[code] += 1
            self._kept.append(self._finding(code, text, at, length, path))

    def take(self, others: "Findings") -> None:
        """Add what was collected elsewhere of the same table or volume."""
        for finding in others._kept:
            self._counts[finding.code] += 1
            if self.full(finding.code):
                self._dropped[finding.code] += 1
            else:
                self.kept[finding.code] += 1
                self._kept.append(finding)
        self._counts += others._dropped
        self._dropped += others._dropped

    def full(self, code: str) -> bool:
        """Return whether further findings of that code are only counted."""
        return self._counts[code] > KEPT or self.kept[code] >= KEPT_OF_ALL

    def __iter__(self) -> Iterator[Finding]:
        yield from self._kept
        for code, count in self._dropped.items():
            yield self._finding(code, f"and {count:,} more of this kind", None, 0, "")

    @property
    def errors(self) -> int:
        """How many errors there are, the ones that were not kept included."""
        return sum(
            count for code, count in self._counts.items() if RULES[code].severity == ERROR
        )

    @property
    def count(self) -> int:
        """How many findings there are, the ones that were not kept included."""
        return self._counts.total()

    @property
    def codes(self) -> frozenset[str]:
        """The codes that were reported."""
        return frozenset(self._counts)

    def has(self, *codes: str) -> bool:
        """Return whether one of ``codes`` was reported."""
        return any(self._counts[code] for code in codes)

    def _finding(self, code: str, text: str, at: int | None, length: int, path: str) -> Finding:
        return Finding(
            code=code,
            severity=RULES[code].severity,
            where=": ".join(filter(None, (self.where, path))),
            start=None if at is None else self.base + at,
            length=length,
            text=text,
        )
