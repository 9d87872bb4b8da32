"""The map of a disk, for people."""

from io import StringIO

from rich.box import SIMPLE
from rich.console import Console
from rich.table import Table

from doit_diskimg.layout import Layout
from doit_diskimg.plan import map_rows

_WIDTH = 100


def layout_map(layout: Layout) -> str:
    """Return the map as text: one line for each region and gap, in the order of the disk."""
    table = Table(box=SIMPLE, pad_edge=False, show_edge=False)
    table.add_column("region", no_wrap=True)
    for column in ("start", "end", "length"):
        table.add_column(column, justify="right", no_wrap=True)
    table.add_column("type", no_wrap=True)
    for row in map_rows(layout):
        table.add_row(*row)
    text = StringIO()
    Console(file=text, width=_WIDTH, no_color=True, legacy_windows=False).print(table)
    return "\n".join(line.rstrip() for line in text.getvalue().rstrip().splitlines())
