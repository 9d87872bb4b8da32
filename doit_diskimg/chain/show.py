"""The map of a disk, for people."""

from collections.abc import Iterator, Sequence
from unicodedata import combining, east_asian_width

from doit_diskimg.disk.placed import Layout
from doit_diskimg.extent import Extent
from doit_diskimg.ondisk.guids import type_name
from doit_diskimg.units import format_size

_HEAD = ("region", "start", "end", "length", "type")
_RIGHT = (False, True, True, True, False)
_GAP = "   "


def layout_map(layout: Layout) -> str:
    """Return the map as text: one line for each region and gap, in the order of the disk."""
    rows = list(map_rows(layout))
    widths = [max(map(_cells, column)) for column in zip(_HEAD, *rows, strict=True)]
    rule = "─" * (sum(widths) + len(_GAP) * (len(widths) - 1))
    return "\n".join([_line(_HEAD, widths), rule, *(_line(row, widths) for row in rows)])


def map_rows(layout: Layout) -> Iterator[tuple[str, str, str, str, str]]:
    """Yield the map of a disk, gaps included: name, start, end, length, type.

    The extended partition of an MBR is told before the first region inside it.
    """
    types = {part.name: type_name(part.type) for part in layout.partitions}
    end, extended = 0, layout.extended
    for region in layout.regions:
        if region.extent.start > end:
            yield _row("(gap)", Extent(end, region.extent.start - end), "")
        if extended is not None and region.extent.start == extended.extent.start:
            yield _row("(extended)", extended.extent, type_name(extended.type))
        yield _row(region.name, region.extent, types.get(region.name, ""))
        end = max(end, region.extent.end)
    if layout.size > end:
        yield _row("(gap)", Extent(end, layout.size - end), "")


def _row(name: str, extent: Extent, type_: str) -> tuple[str, str, str, str, str]:
    return name, f"{extent.start:#x}", f"{extent.end:#x}", format_size(extent.length), type_


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
