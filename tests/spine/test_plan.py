"""Pictures, receipts and layouts as files: all of it comes back, and nothing else is accepted."""

import json
import os
from contextlib import suppress
from dataclasses import replace

import pytest
from fakes import FakePayload, FakeTable
from hypothesis import given
from hypothesis import strategies as st

from doit_diskimg.chain.show import map_rows
from doit_diskimg.disk.layout import place
from doit_diskimg.disk.model import Disk, Partition
from doit_diskimg.disk.placed import Layout, Region, decode_layout, encode_layout
from doit_diskimg.disk.segment import Segment
from doit_diskimg.disk.sockets import Room
from doit_diskimg.extent import Extent
from doit_diskimg.plan.content import FORMAT
from doit_diskimg.plan.patch import ImagePatch, diff
from doit_diskimg.plan.picture import BLOB, Canvas, Picture, Piece
from doit_diskimg.plan.stored import (
    FEW,
    Plan,
    decode_differing,
    decode_head,
    decode_pieces,
    decode_plan,
    decode_receipt,
    encode_piece,
    encode_plan,
    encode_receipt,
    join,
    lines_naming,
    total,
)
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

PLAN = encode_plan(PICTURE)
RECEIPT = encode_receipt(PLAN, GENERATION)


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
    assert decode_plan(encode_plan(picture)) == picture


@given(PICTURES, st.text())
def test_a_receipt_comes_back(picture, generation):
    plan = encode_plan(picture)
    assert decode_receipt(encode_receipt(plan, generation)) == (generation, plan)


def test_a_layout_comes_back():
    assert decode_layout(encode_layout(LAYOUT)) == LAYOUT


def test_a_source_may_have_a_name_that_is_not_utf8():
    picture = decode_plan(PLAN)
    assert os.fsencode(picture.pieces[1].file) == b"caf\xe9/\xff.bin"
    PLAN.text.decode("ascii")


def test_a_plan_says_what_decides_the_bytes_and_nothing_else():
    data = json.loads(PLAN.text)
    assert data == {
        "format": FORMAT,
        "digest": "xxh3_128",
        "blob": data["blob"],
        "total": data["total"],
        "pieces": [[440, 11, BLOB, 0, ""], [1024, 7, LATIN1, 0, "cd" * 16]],
    }
    assert len(PLAN.text.splitlines()) == 4, "one piece a line"


def test_equal_pictures_have_equal_plans():
    assert encode_plan(example()) == PLAN
    assert encode_receipt(encode_plan(example()), GENERATION) == RECEIPT


# Without understanding every line ----------------------------------------------------------------

PLACES = st.lists(st.integers(0, 9), unique=True).map(sorted)
FILES = st.sampled_from(["a", "b", 'a, "b", ', "\n", LATIN1])


@st.composite
def pictures(draw):
    """Pieces that do not overlap: metadata, inline bytes and files, of few different contents."""
    blob, pieces = draw(st.binary(min_size=64, max_size=64)), []
    for start in draw(PLACES):
        file = draw(st.one_of(st.just(BLOB), FILES))
        digest = draw(st.sampled_from(["cd" * 16, "" if file == BLOB else "ef" * 16]))
        pieces.append(Piece(start * 512, draw(st.sampled_from([64, 512])), file, 0, digest))
    return Picture(tuple(pieces), blob)


@given(pictures(), pictures(), st.booleans())
def test_what_two_plans_have_in_common_makes_no_difference(old, new, same_blob):
    if same_blob:
        new = replace(new, blob=old.blob)
    some = decode_differing(encode_plan(old), encode_plan(new))
    assert diff(*some) == diff(old, new)


def test_of_two_plans_only_what_differs_is_understood():
    lines = [encode_piece(start, 1, "file", 0, "ab" * 16) for start in range(99)]
    old, new = ([*lines, encode_piece(99, 1, "file", 0, digest * 16)] for digest in ("cd", "ef"))
    some = decode_differing(join(0, old, b""), join(0, new, b""))
    assert [[piece.digest for piece in picture.pieces] for picture in some] == [
        ["cd" * 16], ["ef" * 16],
    ]


def test_metadata_of_the_same_line_is_compared():
    old = Picture((Piece(0, 4, BLOB, 0, ""), Piece(512, 4, BLOB, 4, "")), b"same-old")
    new = replace(old, blob=b"same-new")
    some = decode_differing(encode_plan(old), encode_plan(new))
    assert diff(*some) == diff(old, new) == ImagePatch((Piece(512, 4, BLOB, 4, ""),))


@given(pictures(), st.lists(FILES, max_size=FEW + 2))
def test_no_line_is_missed_that_names_a_file_or_is_metadata(picture, files):
    lines = encode_plan(picture).lines()
    found = lines_naming(lines, files)
    assert found == sorted(set(found))
    for index, piece in enumerate(picture.pieces):
        if piece.file in files or not piece.digest:
            assert index in found
        elif len(files) <= FEW:
            assert index not in found


@given(pictures(), pictures())
def test_the_total_of_many_pieces_is_told_from_a_few(old, new):
    both = {*old.pieces} & {*new.pieces}
    mine, theirs = ([it for it in picture.pieces if it not in both] for picture in (old, new))
    plan = join(total(old.pieces) - total(mine) + total(theirs), [], b"")
    assert plan.total() == total(new.pieces) % (1 << 128) == encode_plan(new).total()


def head_of(picture):
    return decode_head(encode_receipt(encode_plan(picture), GENERATION))


@pytest.mark.parametrize(
    ("change", "is_another"),
    [
        ({"file": "other"}, False),
        ({"offset": 5}, False),
        ({"start": 2048}, True),
        ({"length": 6}, True),
        ({"digest": "ce" * 16}, True),
    ],
)
def test_a_receipt_names_what_lies_where(change, is_another):
    piece = decode_pieces([PLAN.lines()[1]])[0]
    other = Picture((PICTURE.pieces[0], piece._replace(**change)), PICTURE.blob)
    assert (head_of(other) != head_of(PICTURE)) == is_another


def test_a_receipt_names_the_metadata():
    assert head_of(replace(PICTURE, blob=b"Metadata\n{}")) != head_of(PICTURE)


# Refusals ----------------------------------------------------------------------------------------


def other(text, **fields):
    return json.dumps({**json.loads(text), **fields}).encode()


def with_head(**fields):
    head, pieces = PLAN.text.split(b'"pieces": [', 1)
    data = {**json.loads(head.decode().rstrip(", ") + "}"), **fields}
    return json.dumps(data)[:-1].encode() + b', "pieces": [' + pieces


VERSION = "written by another version"
BLOB_OF_OTHER = "the blob differs from the one that the plan was"


@pytest.mark.parametrize(
    ("text", "blob", "message"),
    [
        (with_head(format=FORMAT + 1), PLAN.blob, VERSION),
        (with_head(format=str(FORMAT)), PLAN.blob, VERSION),
        (with_head(digest="sha256"), PLAN.blob, VERSION),
        (with_head(total="x"), PLAN.blob, "invalid literal"),
        (b"{}", PLAN.blob, "it is not whole"),
        (b"[]", PLAN.blob, "it is not whole"),
        (b"null", PLAN.blob, "it is not whole"),
        (other(PLAN.text, pieces=[]), PLAN.blob, "it is not whole"),
        (PLAN.text, b"", BLOB_OF_OTHER),
        (PLAN.text, PLAN.blob[:-1], BLOB_OF_OTHER),
        (PLAN.text, PLAN.blob + b"\0", BLOB_OF_OTHER),
        (PLAN.text, b"Metadata\n{}", BLOB_OF_OTHER),
        (b"", PLAN.blob, "it is not whole"),
        (PLAN.text[:-4], PLAN.blob, "it is not whole"),
        (b"\xff" + PLAN.text, PLAN.blob, None),
        (b'{"format": %d, "digest": "xxh3_128", "pieces": [\n\n]}\n' % FORMAT, PLAN.blob, None),
        (PLAN.text.replace(b"[440, 11, ", b"[440, "), PLAN.blob, None),
        (PLAN.text.replace(b"[440, 11, ", b"440, 11, "), PLAN.blob, None),
    ],
)
def test_what_is_no_plan_of_ours_is_refused(text, blob, message):
    with pytest.raises(NOT_OURS, match=message):
        decode_plan(Plan(text, blob))


def taken(decode, data):
    """Return the lengths at which ``decode`` takes the beginning of ``data`` for the whole."""
    lengths = []
    for length in range(len(data)):
        with suppress(NOT_OURS):
            decode(data[:length])
            lengths.append(length)
    return lengths


def test_a_truncated_plan_is_refused():
    assert taken(lambda text: decode_plan(Plan(text, PLAN.blob)), PLAN.text) == []


def test_a_truncated_receipt_is_refused():
    assert taken(lambda data: decode_plan(decode_receipt(data)[1]), RECEIPT) == []


@pytest.mark.parametrize(
    "receipt",
    [
        b"",
        b"{}\n",
        b"[]\n",
        b'{"format": %d}\n' % FORMAT + PLAN.text,
        RECEIPT.replace(b'"format": %d' % FORMAT, b'"format": %d' % (FORMAT + 1), 1),
        RECEIPT + b"\0",
        PLAN.text,
    ],
)
def test_what_is_no_receipt_of_ours_is_refused(receipt):
    with pytest.raises(NOT_OURS):
        decode_plan(decode_receipt(receipt)[1])


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
