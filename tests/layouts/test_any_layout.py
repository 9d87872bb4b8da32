"""What holds for every description: nothing overlaps, the rest is the rest, auto is the least."""

from math import inf

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from layouts.drawing import lay_out
from layouts.good import FILES

from doit_diskimg.disk.model import Disk, Partition
from doit_diskimg.disk.placed import Layout
from doit_diskimg.disk.segment import Segment
from doit_diskimg.errors import DescriptionError
from doit_diskimg.kinds.filesystems.zero import Zero
from doit_diskimg.kinds.tables.gpt import Gpt
from doit_diskimg.kinds.tables.mbr import Mbr

M = 1 << 20
TABLES = [Mbr(), Gpt(), Gpt(entry_count=16), Gpt(backup=False), Gpt(sector_size=4096)]


@st.composite
def disks(draw: st.DrawFn, size: object = "auto") -> Disk:
    table = draw(st.sampled_from(TABLES))
    sector = table.sector_size
    lengths = draw(st.lists(st.integers(1, 3 * M // sector), max_size=7))
    rest = draw(st.sampled_from([None, *range(len(lengths))]))
    partitions = [
        Partition(
            f"p{index}",
            Zero(),
            type="linux-filesystem",
            size="rest" if index == rest else length * sector,
            align=draw(st.sampled_from([None, None, sector, 4096, 2 * M])),
            logical=draw(st.booleans()) if isinstance(table, Mbr) else None,
        )
        for index, length in enumerate(lengths)
    ]
    segments = [
        Segment(f"s{at}", b"x" * draw(st.integers(1, 100_000)), at * M + 12345)
        for at in draw(st.sets(st.integers(1, 15), max_size=3))
    ]
    align = draw(st.sampled_from([sector, 64 * 1024, M]))
    disk = Disk(
        "os.img", size=size, table=table, partitions=partitions, segments=segments, align=align,  # type: ignore[arg-type]
        power_of_two=draw(st.booleans()),
    )
    assume(not disk.problems())
    return disk


def check(disk: Disk, layout: Layout) -> None:
    """Every promise about places, whatever made them."""
    assert disk.table is not None
    end: float = -inf
    for region in layout.regions:
        assert region.extent.start >= end or not region.extent.length
        end = max(end, region.extent.end)
    assert end <= layout.size
    usable = disk.table.usable(layout.size)
    for part, described in zip(layout.partitions, disk.partitions, strict=True):
        assert usable.contains(part.extent)
        assert part.extent.length % disk.sector_size == 0
        align = disk.align if described.align is None else described.align
        assert part.extent.start % int(align) == 0
        inside = layout.extended is not None and layout.extended.extent.contains(part.extent)
        assert inside == bool(described.logical)
    starts = [part.extent.start for part in layout.partitions if part.ebr is None]
    assert starts == sorted(starts), "in the order of the description"
    assert disk.power_of_two <= (layout.size & (layout.size - 1) == 0)


@settings(max_examples=150, deadline=None, derandomize=True)
@given(disks())
def test_an_automatic_disk_holds_everything_and_one_step_less_does_not(disk: Disk) -> None:
    layout = lay_out(disk, FILES)
    check(disk, layout)
    fields = {name: getattr(disk, name) for name in ("table", "partitions", "segments", "align")}
    again = lay_out(Disk("os.img", size=layout.size, **fields), FILES)
    assert again == layout, "given that size, the same layout"
    least = lay_out(Disk("os.img", size="auto", **fields), FILES).size
    shorter = Disk("os.img", size=least - int(disk.align), **fields)
    # A segment may lie where a GPT without a backup would have one; a disk is not cut that close.
    spare = isinstance(disk.table, Gpt) and not disk.table.backup
    if (layout.partitions or disk.segments) and not (spare and disk.segments):
        with pytest.raises(DescriptionError):
            lay_out(shorter, FILES)


@settings(max_examples=150, deadline=None, derandomize=True)
@given(disks(size=64 * M))
def test_the_rest_has_everything_up_to_its_neighbour(disk: Disk) -> None:
    layout = lay_out(disk, FILES)
    check(disk, layout)
    assert disk.table is not None
    for part, described in zip(layout.partitions, disk.partitions, strict=True):
        if described.size != "rest":
            continue
        others = [r.extent.start for r in layout.regions if r.name != described.name]
        limit = disk.table.usable(layout.size).end
        end = min([limit, *(start for start in others if start >= part.extent.end)])
        assert end - part.extent.end < disk.sector_size
        # Those behind it are as far back as they can be: only alignment is lost.
        behind = [p for p in layout.partitions if p.extent.start > part.extent.start]
        if not disk.segments and behind:
            assert limit - max(p.extent.end for p in behind) < 2 * M
