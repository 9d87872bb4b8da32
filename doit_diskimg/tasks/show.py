"""The map of a disk, for people."""

from collections.abc import Sequence
from unicodedata import combining, east_asian_width

from doit_diskimg.disk.layout_file import map_rows
from doit_diskimg.disk.placed import Layout

_HEAD = ("region", "start", "end", "length", "type")
_RIGHT = (False, True, True, True, False)
_GAP = "   "


def layout_map(layout: Layout) -> str:
    """Return the map as text: one line for each region and gap, in the order of the disk."""
    rows = list(map_rows(layout))
    widths = [max(map(_cells, column)) for column in zip(_HEAD, *rows, strict=True)]
    rule = "─" * (sum(widths) + len(_GAP) * (len(widths) - 1))
    return "\n".join([_line(_HEAD, widths), rule, *(_line(row, widths) for row in rows)])


def _line(row: Sequence[str], widths: Sequence[int]) -> str:
    cells = []
    for text, width, right in zip(row, widths, _RIGHT, strict=True):
        space = " " * (width - _cells(text))
        cells.append(space + text if right else text + space)
    return _GAP.join(cells).rstrip()


def _cells(text: str) -> int:
    """Return how many columns of a terminal the text takes: letters of East Asia take two."""
    if text.isascii():
        return len(text)
    return sum(0 if combining(c) else 1 + (east_asian_width(c) in "WF") for c in text)
