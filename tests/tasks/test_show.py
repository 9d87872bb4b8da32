"""The map of a disk as text."""

import pytest

from doit_diskimg.chain.show import layout_map
from doit_diskimg.disk.placed import Layout, PlacedPartition, Region
from doit_diskimg.extent import Extent

MIB = 1 << 20


def layout(name):
    extent = Extent(MIB, 2 * MIB)
    return Layout(
        size=4 * MIB,
        sector_size=512,
        regions=(Region(name=name, where="partitions[0]", extent=extent),),
        partitions=(
            PlacedPartition(
                number=1, name=name, extent=extent, type="0x0c", guid="", attributes=0,
                active=False,
            ),
        ),
    )


def test_numbers_stand_below_one_another():
    assert layout_map(layout("boot")) == """\
region      start        end   length   type
────────────────────────────────────────────────────
(gap)         0x0   0x100000    1 MiB
boot     0x100000   0x300000    2 MiB   fat32 (0x0c)
(gap)    0x300000   0x400000    1 MiB"""


@pytest.mark.parametrize(
    ("name", "cells"),
    [("[bold]boot[/bold]", 17), ("漢字", 4), ("e\u0301", 1), ("a" * 80, 80)],
)
def test_a_name_is_shown_as_it_is_and_takes_the_room_that_a_terminal_gives_it(name, cells):
    width = max(len("region"), cells)
    head, rule, gap, line, _ = layout_map(layout(name)).splitlines()
    assert line.startswith(name + " " * (width - cells) + "   0x100000")
    assert head.index("start") == width + len("   0x100000") - len("start")
    assert gap.index("0x0") == width + len("   0x100000") - len("0x0")
    assert len(rule) == width + 3 + 8 + 3 + 8 + 3 + 6 + 3 + len("fat32 (0x0c)")
