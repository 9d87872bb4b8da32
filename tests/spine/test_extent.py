"""Extents against the plainest model there is: a set of bytes."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from doit_diskimg.extent import Extent, merged, subtract

EXTENTS = st.builds(Extent, st.integers(0, 40), st.integers(0, 12))
MANY = st.lists(EXTENTS, max_size=8)


def covered(*extents):
    return {byte for extent in extents for byte in range(extent.start, extent.end)}


def is_tidy(extents):
    """Sorted, none empty, none touching the next."""
    return all(extent.length > 0 for extent in extents) and all(
        left.end < right.start for left, right in pairwise(extents)
    )


@given(EXTENTS, EXTENTS)
def test_extents_overlap_if_they_share_a_byte(one, other):
    assert one.overlaps(other) == other.overlaps(one) == bool(covered(one) & covered(other))


@given(EXTENTS, EXTENTS.filter(lambda extent: extent.length > 0))
def test_an_extent_contains_another_if_it_has_all_its_bytes(one, other):
    assert one.contains(other) == (covered(other) <= covered(one))


@given(MANY)
def test_merging_keeps_the_bytes_and_joins_neighbours(extents):
    result = list(merged(extents))
    assert covered(*result) == covered(*extents)
    assert is_tidy(result)


@given(MANY, MANY)
def test_subtracting_leaves_the_bytes_that_are_in_no_hole(extents, holes):
    result = list(subtract(extents, holes))
    assert covered(*result) == covered(*extents) - covered(*holes)
    assert is_tidy(result)


@pytest.mark.parametrize(
    ("extents", "holes", "left"),
    [
        ([(0, 10)], [], [(0, 10)]),
        ([(0, 10)], [(0, 10)], []),
        ([(0, 10)], [(3, 4)], [(0, 3), (7, 3)]),
        ([(0, 10), (20, 10)], [(5, 20)], [(0, 5), (25, 5)]),
        ([(0, 10), (10, 10)], [(30, 5)], [(0, 20)]),
        ([], [(0, 10)], []),
    ],
)
def test_subtracting_by_example(extents, holes, left):
    result = subtract((Extent(*pair) for pair in extents), (Extent(*pair) for pair in holes))
    assert list(result) == [Extent(*pair) for pair in left]


def test_an_extent_is_half_open():
    extent = Extent(0x200, 0x100)
    assert extent.end == 0x300
    assert str(extent) == "0x200..0x300"
    assert not extent.overlaps(Extent(0x300, 1))
    assert not extent.overlaps(Extent(0x280, 0))
