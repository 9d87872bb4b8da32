"""Pictures, receipts and layouts as files: all of it comes back, and nothing else is accepted."""

import json
import os

import pytest
from fakes import FakePayload, FakeTable
from hypothesis import given
from hypothesis import strategies as st

from doit_diskimg.extent import Extent
from doit_diskimg.layout import place
from doit_diskimg.picture import BLOB, Canvas, Picture, Piece
from doit_diskimg.placed import Layout
from doit_diskimg.plan import (
    FORMAT,
    decode_layout,
    decode_plan,
    decode_receipt,
    encode_layout,
    encode_plan,
    encode_receipt,
    map_rows,
)
from doit_diskimg.ports import Room
from doit_diskimg.segment import Region, Segment
from doit_diskimg.spec import Disk, Partition
from doit_diskimg.units import KIB, MIB

GENERATION = "ab" * 16
LATIN1 = os.fsdecode(b"caf\xe9/\xff.bin")
"""What Python makes of a file name that is not UTF-8."""

PATHS = st.one_of(
    st.text(st.characters(exclude_categories=["Cs"]), min_size=1),
    st.binary(min_size=1).map(os.fsdecode),
)
PIECES = st.builds(
    Piece, st.integers(0), st.integers(1), PATHS, st.integers(0), st.sampled_from(["", "ab" * 16])
)
PICTURES = st.builds(Picture, st.lists(PIECES, max_size=4).map(tuple), st.binary())


def example():
    canvas = Canvas()
    canvas.data(440, b"metadata\n{}")
    canvas.file(1024, 7, LATIN1, "cd" * 16)
    return canvas.picture()


PICTURE = example()
NOT_OURS = (ValueError, KeyError, TypeError)
"""What the callers of `decode_...` take for "there is none"."""

PLAN, BLOB_OF_IT = encode_plan(PICTURE), PICTURE.blob
RECEIPT = encode_receipt(PICTURE, GENERATION)


def layout():
    disk = Disk(
        "os.img",
        size="4MiB",
        table=FakeTable(head=440),
        partitions=[Partition('the "root"', FakePayload(), guid="1" * 32, active=True)],
        segments=[Segment("stage 2", b"x" * 700, "1KiB")],
    )
    return place(disk, [Room(length=MIB)], {"stage 2": 700})


LAYOUT = layout()


# Round trips -------------------------------------------------------------------------------------


@given(PICTURES)
def test_a_plan_comes_back(picture):
    assert decode_plan(encode_plan(picture), picture.blob) == picture


@given(PICTURES, st.text())
def test_a_receipt_comes_back(picture, generation):
    assert decode_receipt(encode_receipt(picture, generation)) == (picture, generation)


def test_a_layout_comes_back():
    assert decode_layout(encode_layout(LAYOUT)) == LAYOUT


def test_a_source_may_have_a_name_that_is_not_utf8():
    picture = decode_plan(PLAN, BLOB_OF_IT)
    assert os.fsencode(picture.pieces[1].file) == b"caf\xe9/\xff.bin"
    PLAN.decode("ascii")


def test_a_plan_says_what_decides_the_bytes_and_nothing_else():
    data = json.loads(PLAN)
    assert data == {
        "format": FORMAT,
        "digest": "xxh3_128",
        "blob": data["blob"],
        "pieces": [[440, 11, BLOB, 0, ""], [1024, 7, LATIN1, 0, "cd" * 16]],
    }
    assert len(PLAN.splitlines()) == 4, "one piece a line"


def test_equal_pictures_have_equal_plans():
    assert encode_plan(example()) == PLAN
    assert encode_receipt(example(), GENERATION) == RECEIPT


# Refusals ----------------------------------------------------------------------------------------


def other(text, **fields):
    return json.dumps({**json.loads(text), **fields}).encode()


@pytest.mark.parametrize(
    ("text", "blob", "message"),
    [
        (other(PLAN, format=FORMAT + 1), BLOB_OF_IT, "written by another version"),
        (other(PLAN, format=str(FORMAT)), BLOB_OF_IT, "written by another version"),
        (other(PLAN, digest="sha256"), BLOB_OF_IT, "written by another version"),
        (b"{}", BLOB_OF_IT, "written by another version"),
        (b"[]", BLOB_OF_IT, "written by another version"),
        (b"null", BLOB_OF_IT, "written by another version"),
        (PLAN, b"", "the blob is not the one that the plan was made with"),
        (PLAN, BLOB_OF_IT[:-1], "the blob is not the one that the plan was made with"),
        (PLAN, BLOB_OF_IT + b"\0", "the blob is not the one that the plan was made with"),
        (PLAN, b"Metadata\n{}", "the blob is not the one that the plan was made with"),
        (b"", BLOB_OF_IT, "Expecting value"),
        (PLAN[:-4], BLOB_OF_IT, "Expecting"),
        (b"\xff" + PLAN, BLOB_OF_IT, None),
        (b'{"format": %d, "digest": "xxh3_128"}' % FORMAT, BLOB_OF_IT, None),
        (other(PLAN, pieces=[[1, 2]]), BLOB_OF_IT, None),
        (other(PLAN, pieces=None), BLOB_OF_IT, None),
    ],
)
def test_what_is_no_plan_of_ours_is_refused(text, blob, message):
    with pytest.raises(NOT_OURS, match=message):
        decode_plan(text, blob)


@pytest.mark.parametrize("length", range(len(PLAN) - 2))
def test_a_truncated_plan_is_refused(length):
    with pytest.raises(NOT_OURS):
        decode_plan(PLAN[:length], BLOB_OF_IT)


@pytest.mark.parametrize("length", range(len(RECEIPT)))
def test_a_truncated_receipt_is_refused(length):
    with pytest.raises(NOT_OURS):
        decode_receipt(RECEIPT[:length])


@pytest.mark.parametrize(
    "receipt",
    [
        b"",
        b"{}\n",
        b"[]\n",
        b'{"format": %d}\n' % FORMAT + PLAN,
        RECEIPT.replace(b'"format": %d' % FORMAT, b'"format": %d' % (FORMAT + 1), 1),
        RECEIPT + b"\0",
        PLAN,
    ],
)
def test_what_is_no_receipt_of_ours_is_refused(receipt):
    with pytest.raises(NOT_OURS):
        decode_receipt(receipt)


@pytest.mark.parametrize(
    "text",
    [
        b"",
        b"[]",
        b'{"format": %d}' % FORMAT,
        other(encode_layout(LAYOUT), format=FORMAT + 1),
        other(encode_layout(LAYOUT), regions=[{"name": "a"}]),
        encode_layout(LAYOUT)[:-3],
    ],
)
def test_what_is_no_layout_of_ours_is_refused(text):
    with pytest.raises(NOT_OURS):
        decode_layout(text)


# The map -----------------------------------------------------------------------------------------


def test_the_map_shows_every_region_and_every_gap():
    assert list(map_rows(LAYOUT)) == [
        ("head", "0x0", "0x1b8", "440 B", ""),
        ("(gap)", "0x1b8", "0x400", "584 B", ""),
        ("stage 2", "0x400", "0x6bc", "700 B", ""),
        ("(gap)", "0x6bc", "0x100000", "1022.3 KiB", ""),
        ('the "root"', "0x100000", "0x200000", "1 MiB", "some type"),
        ("(gap)", "0x200000", "0x3ffe00", "1.9 MiB", ""),
        ("tail", "0x3ffe00", "0x400000", "512 B", ""),
    ]


@pytest.mark.parametrize(
    ("extents", "rows"),
    [
        ([], ["(gap) 0x0 0x1000"]),
        ([(0, 4 * KIB)], ["0 0x0 0x1000"]),
        ([(0, 0), (0, 4 * KIB)], ["0 0x0 0x0", "1 0x0 0x1000"]),
        ([(KIB, KIB), (2 * KIB, KIB)],
         ["(gap) 0x0 0x400", "0 0x400 0x800", "1 0x800 0xc00", "(gap) 0xc00 0x1000"]),
    ],
)  # fmt: skip
def test_the_map_covers_the_disk(extents, rows):
    regions = [
        Region(name=str(index), where="segments[0]", extent=Extent(*pair))
        for index, pair in enumerate(extents)
    ]
    bare = Layout(size=4 * KIB, sector_size=512, regions=tuple(regions), partitions=())
    assert [" ".join(row[:3]) for row in map_rows(bare)] == rows
