"""Lines of a PC's text screen, from looks at its memory some times a second; pure.

A guest that only writes to the screen has no stream of characters: there are 80 columns of cells,
character and colour, and what was there a moment ago.  What changed between two looks was said.  A
kernel that moves all rows up by one has said no more than its last row, so a look is compared with
the former one at that distance at which they have most in common.  What came and went between two
looks was not seen.
"""

from collections.abc import Iterator

from doit_diskimg.host.qemu.verdict import plain

START, LENGTH = 0xB8000, 0x8000
"""The memory of a PC's text modes, eight screens: some kernels scroll by showing another part."""

_COLUMNS = 80
_ROWS = 25
"""Of the first screen, where those are that move their rows."""


class TextScreen:
    """The screen as it was at the last look."""

    def __init__(self) -> None:
        self._rows = [""] * (LENGTH // (2 * _COLUMNS))
        self._open: int | None = None
        """The row that was written last: more of its line may come."""

    def look(self, memory: bytes | None) -> Iterator[tuple[str, bool]]:
        """Yield what was said since the last look: lines, and whether each is finished.

        If nothing was, that is the line that is not finished.  Without ``memory`` there was no
        look.
        """
        if memory is None:
            return
        rows = _rows(memory)
        former = self._shifted(rows)
        said = {row for row, (old, new) in enumerate(zip(former, rows, strict=True))
                if old != new and new}  # fmt: skip
        self._rows = rows
        if self._open is not None and not rows[self._open]:
            self._open = None
            yield "", True  # its line is gone
        if self._open is not None:  # it is finished, or goes on
            said.add(self._open)
        order = sorted(said)
        self._open = order.pop() if order else None
        for row in order:
            yield rows[row], True
        if self._open is not None:
            yield rows[self._open], False

    @property
    def rest(self) -> str:
        """The line that is not finished."""
        return "" if self._open is None else self._rows[self._open]

    def _shifted(self, rows: list[str]) -> list[str]:
        """Return the former rows, moved up as the guest has moved them."""
        first = self._rows[:_ROWS]
        common = [
            sum(bool(old) and old == new for old, new in zip(first[by:], rows, strict=False))
            for by in range(_ROWS)
        ]
        by = common.index(max(common))
        if self._open is not None and self._open < _ROWS:
            self._open = self._open - by if self._open >= by else None
        return [*first[by:], *[""] * by, *self._rows[_ROWS:]]


def _rows(memory: bytes) -> list[str]:
    """Return the text of each row: every second byte is a colour."""
    size = 2 * _COLUMNS
    return [
        plain(memory[start : start + size : 2].replace(b"\0", b" ").decode("cp437"))
        for start in range(0, LENGTH - size + 1, size)
    ]
