"""Where everything lies, with a table that takes 1 KiB at the start and 512 bytes at the end."""

from dataclasses import replace

import pytest
from fakes import FakePayload, FakeTable
from hypothesis import given
from hypothesis import strategies as st

from doit_diskimg.disk.layout import place
from doit_diskimg.disk.model import Disk, Partition
from doit_diskimg.disk.segment import Segment
from doit_diskimg.disk.sockets import Room
from doit_diskimg.errors import ContentTooLarge, DescriptionError, Overlap, UnknownType
from doit_diskimg.extent import Extent

K, M = 1024, 1024 * 1024
TABLE = FakeTable(head=K, tail=512)


def part(name, length=0, **given):
    """Return a partition whose payload needs ``length`` bytes."""
    return Partition(name, FakePayload(length), **given)


def segment(name, start, length):
    return Segment(name, b"x" * length, start)


def placed(*parts, size=8 * M, table=TABLE, **described):
    """Return the layout of a disk with these partitions and segments."""
    disk = Disk(
        "os.img",
        size=size,
        table=table,
        partitions=[part for part in parts if isinstance(part, Partition)],
        segments=[part for part in parts if isinstance(part, Segment)],
        **described,
    )
    assert disk.problems() == []
    return place(
        disk,
        [Room(length=part.payload.length) for part in disk.partitions],
        {part.name: len(part.source) for part in disk.segments},
    )


def places(layout):
    """Return where the partitions and segments are, in the order of the disk."""
    return {
        region.name: tuple(region.extent) for region in layout.regions if region.where != "table"
    }


# Placement ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("parts", "described", "expected"),
    [
        # one after the other, each at a multiple of align
        ([part("a", 512)], {}, {"a": (M, 512)}),
        ([part("a", 512), part("b", 512)], {}, {"a": (M, 512), "b": (2 * M, 512)}),
        ([part("a", M), part("b", 512)], {}, {"a": (M, M), "b": (2 * M, 512)}),
        ([part("a", M + 1), part("b", 512)], {}, {"a": (M, M + 512), "b": (3 * M, 512)}),
        ([part("a", 512), part("b", 512)], {"align": 512}, {"a": (K, 512), "b": (K + 512, 512)}),
        ([part("a", 512)], {"align": "64KiB"}, {"a": (64 * K, 512)}),
        # as long as the payload, in whole sectors, or as the description says
        ([part("a", 1)], {}, {"a": (M, 512)}),
        ([part("a", 1)], {"table": replace(TABLE, sector_size=4 * K), "align": "4KiB"},
         {"a": (4 * K, 4 * K)}),
        ([part("a", 513, size="3MiB")], {}, {"a": (M, 3 * M)}),
        # a start of its own; the next one goes behind it
        ([part("a", 512, start="4MiB"), part("b", 512)], {},
         {"a": (4 * M, 512), "b": (5 * M, 512)}),
        ([part("a", 512, start=1536), part("b", 512)], {}, {"a": (1536, 512), "b": (M, 512)}),
        ([part("a", 512), part("b", 512, start=2 * M), part("c", 512)], {},
         {"a": (M, 512), "b": (2 * M, 512), "c": (3 * M, 512)}),
        # a later one with a start of its own is in the way
        ([part("a", 2 * M), part("b", 512, start=2 * M)], {},
         {"b": (2 * M, 512), "a": (3 * M, 2 * M)}),
        # so is a segment; and another behind it
        ([part("a", 512), segment("s", K, 100)], {}, {"s": (K, 100), "a": (M, 512)}),
        ([part("a", 512), segment("s", M, 1)], {}, {"s": (M, 1), "a": (2 * M, 512)}),
        ([part("a", 2 * M), segment("s", 2 * M, 1), segment("t", 4 * M, 1)], {},
         {"s": (2 * M, 1), "t": (4 * M, 1), "a": (5 * M, 2 * M)}),
        ([part("a", 2 * M), segment("t", 4 * M, 1), segment("s", 2 * M, 1)], {},
         {"s": (2 * M, 1), "t": (4 * M, 1), "a": (5 * M, 2 * M)}),
        ([part("a", M), segment("s", 2 * M, 1), part("b", M)], {},
         {"a": (M, M), "s": (2 * M, 1), "b": (3 * M, M)}),
        # up to the last byte before the backup of the table, which is no byte of the disk's
        ([part("a", 512, size=8 * M - K - 512)], {"align": 512}, {"a": (K, 8 * M - K - 512)}),
        ([segment("boot", 1536, 0), part("a", 512)], {}, {"boot": (1536, 0), "a": (M, 512)}),
        # no table: the volume is the disk
        ([part("a", 512)], {"table": None}, {"a": (0, 8 * M)}),
        ([part("a", 512, size="1MiB")], {"table": None}, {"a": (0, M)}),
        ([], {}, {}),
    ],
)  # fmt: skip
def test_every_part_has_its_place(parts, described, expected):
    assert places(placed(*parts, **described)) == expected


def test_the_layout_lists_everything_in_the_order_of_the_disk():
    layout = placed(part("b", 512, start=4 * M), part("a", 512, start=M), segment("s", 1536, 9))
    assert [region.name for region in layout.regions] == ["head", "s", "a", "b", "tail"]
    assert [region.where for region in layout.regions] == [
        "table", "segments[0]", "partitions[1]", "partitions[0]", "table",
    ]  # fmt: skip
    assert (layout.size, layout.sector_size) == (8 * M, 512)


def test_partitions_are_recorded_as_the_table_wants_them():
    layout = placed(part("a", 512, type="esp", guid="1" * 32, active=True), part("b", 512))
    one, two = layout.partitions
    assert (one.number, one.name, one.extent) == (1, "a", Extent(M, 512))
    assert (one.type, one.guid, one.active) == ("esp", "11111111-1111-1111-1111-111111111111", True)
    assert (two.number, two.type, two.active) == (2, "some type", False)
    assert two.guid == "5a61de58-d166-5ecf-9087-e5b1ca77586f"


def test_parts_are_found_by_name_and_the_table_is_none():
    layout = placed(part("a", 512), segment("s", 1536, 9))
    assert layout.extent("a") == Extent(M, 512)
    assert layout.extent("s") == Extent(1536, 9)
    with pytest.raises(KeyError):
        layout.extent("head")


@given(
    st.lists(st.integers(1, 3 * M), max_size=4),
    st.dictionaries(st.integers(4, 20), st.integers(0, M // 2), max_size=3),
    st.sampled_from([512, 4 * K, M]),
)
def test_whatever_has_a_place_overlaps_nothing_and_keeps_its_order(lengths, segments, align):
    parts = [part(f"p{index}", length) for index, length in enumerate(lengths)]
    segments = [segment(f"s{at}", at * M // 2, length) for at, length in segments.items()]
    layout = placed(*parts, *segments, size=64 * M, align=align)
    extents = [region.extent for region in layout.regions]
    assert not any(one.overlaps(other) for one in extents for other in extents if one is not other)
    starts = [partition.extent.start for partition in layout.partitions]
    assert starts == sorted(starts)
    assert all(start % align == 0 for start in starts)


# Refusals ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("parts", "described", "problems"),
    [
        # overlaps
        ([part("a", M, start=2 * M), part("b", M, start="2560KiB")], {},
         ["partitions[1] 'b': 0x280000..0x380000 overlaps 'a' (partitions[0]) at "
          "0x200000..0x300000 by 524288 bytes, no byte may belong to two parts "
          "(give 'b' a start of 3145728 or more, or shorten 'a')"]),
        ([segment("s", 2 * M - 100, 200), part("a", M, start=2 * M)], {},
         ["partitions[0] 'a': 0x200000..0x300000 overlaps 's' (segments[0]) at 0x1fff9c..0x200064 "
          "by 100 bytes, no byte may belong to two parts "
          "(give 'a' a start of 2097664 or more, or shorten 's')"]),
        ([segment("boot", 0, 600)], {},
         ["segments[0] 'boot': 0x0..0x258 overlaps 'head' (table) at 0x0..0x400 by 600 bytes, "
          "no byte may belong to two parts "
          "(give 'boot' a start of 1024 or more)"]),
        ([segment("s", 8 * M - 600, 100)], {},
         ["segments[0] 's': 0x7ffda8..0x7ffe0c overlaps 'tail' (table) at 0x7ffe00..0x800000 by 12 "
          "bytes, no byte may belong to two parts ('s' may have 88 bytes there)"]),
        # one that is covered by another, and one that is two further on
        ([segment("s", M, M), segment("t", M + K, 10), segment("u", 2 * M - 1, 2)], {},
         ["segments[1] 't': 0x100400..0x10040a overlaps 's' (segments[0]) at 0x100000..0x200000 "
          "by 10 bytes, no byte may belong to two parts "
          "(give 't' a start of 2097152 or more, or shorten 's')",
          "segments[2] 'u': 0x1fffff..0x200001 overlaps 's' (segments[0]) at 0x100000..0x200000 "
          "by 1 byte, no byte may belong to two parts "
          "(give 'u' a start of 2097152 or more, or shorten 's')"]),
        # outside
        ([part("a", 8 * M)], {},
         ["partitions[0] 'a': 0x100000..0x900000 runs past the end of the room that the table "
          "leaves at 0x7ffe00, every part must lie inside "
          "(raise the disk's size from 8 MiB to \"10MiB\" or make the parts smaller)"]),
        ([part("a", 8 * M)], {"table": replace(TABLE, tail=0)},
         ["partitions[0] 'a': 0x100000..0x900000 runs past the end of the disk at 0x800000, "
          "every part must lie inside "
          "(raise the disk's size from 8 MiB to \"9MiB\" or make the parts smaller)"]),
        ([segment("s", 8 * M - 10, 11)], {},
         ["segments[0] 's': 0x7ffff6..0x800001 runs past the end of the disk at 0x800000, "
          "every part must lie inside "
          "(raise the disk's size from 8 MiB to \"9MiB\" or make the parts smaller)"]),
        ([part("a", 512, start=512)], {},
         ["partitions[0] 'a': 0x200..0x400 begins before the first usable byte at 0x400, the "
          "table's own sectors come first (give it start=1024 or more, or leave start out)"]),
        ([part("a", 512, size="9MiB")], {"table": None},
         ["partitions[0] 'a': 0x0..0x900000 runs past the end of the disk at 0x800000, every part "
          "must lie inside "
          "(raise the disk's size from 8 MiB to \"9MiB\" or make the parts smaller)"]),
        # too small, too large
        ([], {"size": 512},
         ["size: the disk has 512 B, the partition table alone takes 1,536 bytes (1.5 KiB) "
          "(raise the disk's size, for example to \"4MiB\")"]),
        ([], {"size": 1024},
         ["size: the disk has 1 KiB, the partition table alone takes 1,536 bytes (1.5 KiB) "
          "(raise the disk's size, for example to \"4MiB\")"]),
        ([part("a", 2 * M + 1, size="2MiB")], {},
         ["partitions[0] 'a': its content has 2,097,153 bytes (2 MiB), the partition has 2 MiB "
          "(give it size=2097664 or more, or shrink it)"]),
        ([part("a", 8 * M + 512)], {"table": None},
         ["partitions[0] 'a': its content has 8,389,120 bytes (8 MiB), the partition has 8 MiB "
          "(give it size=8389120 or more, or shrink it)"]),
        # types
        ([part("a", 512, type="unknown")], {},
         ["partitions[0].type: 'unknown' is not a type, the table must say what the partition is "
          '(write for example type="linux-filesystem")']),
    ],
)  # fmt: skip
def test_what_does_not_fit_is_refused(parts, described, problems):
    with pytest.raises(DescriptionError) as caught:
        placed(*parts, **described)
    assert [str(problem) for problem in caught.value.problems] == problems


@pytest.mark.parametrize("empty", [part("a", 0), part("a", 0, size=0)])
def test_a_partition_without_a_sector_is_refused(empty):
    """No table can express it: an entry's last sector would come before its first."""
    with pytest.raises(DescriptionError, match=r"^partitions\[0\]"):
        placed(empty)


def test_everything_that_does_not_fit_is_told_at_once():
    with pytest.raises(DescriptionError) as caught:
        placed(
            part("a", 2 * M, size="1MiB", start=M, type="unknown"),
            part("b", M, start="1536KiB", type="unknown"),
            segment("s", 0, 1),
        )
    assert [type(problem) for problem in caught.value.problems] == [
        ContentTooLarge, Overlap, Overlap, UnknownType, UnknownType,
    ]  # fmt: skip


# What may change while an image is patched in place ----------------------------------------------

BASE = [part("a", M), part("b", M), segment("s", 1536, 100), segment("t", 4096, 100)]


def skeleton(*parts, **described):
    return placed(*parts, **described).skeleton()


@pytest.mark.parametrize(
    "parts",
    [
        BASE,
        [*BASE[:2], segment("s", 1536, 2560), segment("t", 4096, 9)],  # grown, shrunk
        [part("a", M - 511), *BASE[1:]],  # other contents in the same sectors
        [part("a", 512, size=M), *BASE[1:]],
        [part("a", M, type="other", guid="1" * 32, active=True), *BASE[1:]],
    ],
)
def test_the_image_is_patched_in_place_when_no_part_moves(parts):
    assert skeleton(*parts) == skeleton(*BASE)


@pytest.mark.parametrize(
    "parts",
    [
        [part("a", M + 512), *BASE[1:]],
        [part("a", 512), *BASE[1:]],
        [*BASE[:2], segment("s", 1024, 100), BASE[3]],
        BASE[:3],
        [*BASE, part("c", M)],
        [*BASE, segment("u", 8192, 0)],
        [BASE[1], BASE[0], *BASE[2:]],  # in each other's place
        [*BASE[:2], segment("t", 1536, 100), segment("s", 4096, 100)],
        [part("new name", M), *BASE[1:]],  # nobody knows what the old one left there
        [*BASE[:2], segment("new name", 1536, 100), BASE[3]],
    ],
)
def test_a_new_image_is_made_when_a_part_moves_or_is_another(parts):
    assert skeleton(*parts) != skeleton(*BASE)


@pytest.mark.parametrize("described", [{"size": 9 * M}, {"table": replace(TABLE, tail=1024)}])
def test_a_new_image_is_made_for_another_disk(described):
    assert skeleton(*BASE, **described) != skeleton(*BASE)
