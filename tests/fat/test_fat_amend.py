"""Files change and move nothing: what `amended` says is what the planner says, byte for byte."""

import uuid

import pytest
from fakes import FakeFiles
from hypothesis import given
from hypothesis import strategies as st

from doit_diskimg import at
from doit_diskimg.disk.bootcode import BootCode
from doit_diskimg.disk.bootfield import Patch
from doit_diskimg.disk.sockets import Place
from doit_diskimg.extent import Extent
from doit_diskimg.kinds.filesystems.fat.volume import Fat
from doit_diskimg.plan.content import Tree, parts
from doit_diskimg.shortcuts.amend import Change, amended

MIB = 1 << 20
UNIT = 4096
NAMES = ["a", "tree/b.txt", "tree/deep/a long name", "tree/deep/c", "tree/d", "twice"]
FILES = {
    "/": Tree("tree"), "A": "a", "one": "twice", "sub/two": "twice", "inline": b"i" * 5000,
}  # fmt: skip


def fill(fat, contents, size=300 * MIB):
    place = Place(
        extent=Extent(MIB, size), sector_size=512, identity=uuid.UUID(int=7), epoch=0, bare=False,
        name="volume",
    )
    return fat.fill(place, FakeFiles(contents), "here")


def changes(outline, before, after):
    """Return what `amended` is told of the files that are other ones."""
    found = {}
    for path in before:
        if before[path] != after[path]:
            found[path] = Change(
                [spot for spot in outline.spots if spot.source == path],
                len(after[path]), parts(FakeFiles(after), path, len(after[path]), "here"),
            )
    return found


def edited(old, unit, changed):
    """Return the pieces and the blob of the picture that `amended` makes of a whole one."""
    found = amended(old.pieces, old.blob, unit, changed)
    return found and (tuple(piece for pieces in found.pieces for piece in pieces), found.blob)


def clusters(data):
    return -(-len(data) // UNIT)


@st.composite
def edits(draw):
    """Contents before and after; most edits keep the number of clusters."""
    before, after = {}, {}
    for name in NAMES:
        length = draw(st.integers(0, 3 * UNIT))
        before[name] = after[name] = draw(st.binary(min_size=1, max_size=1)) * length
        edit = draw(st.sampled_from(["none", "none", "same length", "same clusters", "any"]))
        low, high = 0, 4 * UNIT
        if edit == "same length":
            low = high = length
        elif edit == "same clusters":
            low, high = max(0, clusters(before[name]) - 1) * UNIT + (length > 0), (
                clusters(before[name]) * UNIT
            )
        if edit != "none":
            after[name] = draw(st.binary(min_size=1, max_size=1)) * draw(st.integers(low, high))
    return before, after


@pytest.mark.parametrize(
    ("fat", "size"),
    [
        (Fat(FILES, fat=32, cluster_size=UNIT), 300 * MIB),
        (Fat(FILES, fat=16, cluster_size=UNIT, label="LABEL", first=["sub/two"]), 30 * MIB),
        (Fat(FILES, fat=12, cluster_size=UNIT, long_names=True, case_bits=True), 8 * MIB),
    ],
)
@given(edit=edits())
def test_amended_is_planned(fat, size, edit):
    before, after = edit
    old, new = fill(fat, before, size), fill(fat, after, size)
    found = edited(old, old.outline.unit, changes(old.outline, before, after))
    nothing_moves = all(
        before[name] == after[name] or clusters(before[name]) == clusters(after[name]) > 0
        for name in NAMES
    )
    assert (found is not None) == nothing_moves
    if found is not None:
        assert found == (new.pieces, new.blob)


def test_a_large_file_is_known_by_its_parts():
    fat = Fat({"big": "big"}, fat=32, cluster_size=UNIT)
    before = {"big": bytes(range(256)) * 40000}
    after = {"big": before["big"][:-5000] + b"x" * 3000}
    old, new = fill(fat, before), fill(fat, after)
    assert clusters(before["big"]) == clusters(after["big"])
    found = edited(old, UNIT, changes(old.outline, before, after))
    assert found == (new.pieces, new.blob)
    assert sum(piece not in old.pieces for piece in new.pieces) == 1


@pytest.mark.parametrize(
    "fat",
    [
        Fat({"a": "a"}, fat=16, reserved={2: "a"}),
        Fat({"a": "a", "b": "b"}, fat=16, reserved={2: "a"}),
    ],
)
def test_a_file_that_is_in_reserved_sectors_too_needs_the_planner(fat):
    before, after = {"a": b"1" * 100, "b": b"b"}, {"a": b"2" * 100, "b": b"b"}
    old = fill(fat, before, 30 * MIB)
    assert edited(old, old.outline.unit, changes(old.outline, before, after)) is None


def test_no_outline_where_more_depends_on_a_file():
    contents = {"a": b"1" * 100, "boot": b"\xeb\x3c\x90" + bytes(509)}
    patched = BootCode("boot", patches=[Patch(0x5A, "<I", at.file_length("volume", "a"))])
    assert fill(Fat({"a": "a"}, fat=16, boot_sector=patched), contents, 30 * MIB).outline is None


def test_a_length_that_no_entry_can_hold_needs_the_planner():
    fat = Fat({"a": "a"}, fat=32, cluster_size=UNIT)
    old = fill(fat, {"a": b"1"})
    (spot,) = old.outline.spots
    unit = 1 << 40
    assert edited(old, unit, {"a": Change([spot], (1 << 32) - 1, [])}) is not None
    assert edited(old, unit, {"a": Change([spot], 1 << 32, [])}) is None
