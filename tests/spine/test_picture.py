"""A canvas keeps what is put on it, and leaves out what is zero."""

import pytest
from fakes import render
from hypothesis import given
from hypothesis import strategies as st

from doit_diskimg.plan.content import digest_of
from doit_diskimg.plan.picture import BLOB, Canvas, Picture, Piece

SIZE = 20 * 512
PATTERN = bytes(range(1, 256)) * 3

RUNS = st.lists(
    st.tuples(st.sampled_from([b"\0", b"x", PATTERN[:3]]), st.integers(0, 1200)), max_size=4
).map(lambda runs: b"".join((filler * count)[:count] for filler, count in runs))
"""Bytes with stretches of zeros that do not care for sectors."""


def drawn(*calls):
    canvas = Canvas()
    for method, *arguments in calls:
        getattr(canvas, method)(*arguments)
    return canvas.picture()


def places(picture):
    return [(piece.start, piece.length) for piece in picture.pieces]


@pytest.mark.parametrize(
    ("start", "data", "pieces"),
    [
        (0, b"", []),
        (0, bytes(512), []),
        (0, bytes(5000), []),
        (440, bytes(72), []),  # a part of a sector
        (100, bytes(1024), []),  # parts of three sectors
        (0, b"x", [(0, 1)]),
        (0, b"x" + bytes(511), [(0, 512)]),  # whole sectors are not looked into
        (0, bytes(511) + b"x", [(0, 512)]),
        (0, b"x" + bytes(1023), [(0, 512)]),
        (0, bytes(512) + b"x" * 512 + bytes(512), [(512, 512)]),
        (0, b"x" * 512 + bytes(512) + b"x", [(0, 512), (1024, 1)]),
        (510, b"\0\0" + b"x" * 512 + b"\0", [(512, 512)]),  # sectors of the disk, not of the data
        (256, b"x" + bytes(511), [(256, 256)]),
        (256, bytes(256) + b"x" + bytes(600), [(512, 512)]),
        (512, bytearray(b"xy"), [(512, 2)]),
    ],
)
def test_sectors_that_are_all_zero_leave_no_piece(start, data, pieces):
    picture = drawn(("data", start, data))
    assert places(picture) == pieces
    assert picture.written == len(picture.blob) == sum(length for _, length in pieces)


@given(st.integers(0, 1500), RUNS)
def test_data_is_rendered_as_it_was_put_in(start, data):
    picture = drawn(("data", start, data))
    disk = render(picture, SIZE, {})
    assert disk == bytes(start) + data + bytes(SIZE - start - len(data))
    for piece in picture.pieces:
        for sector in range(piece.start - piece.start % 512, piece.end, 512):
            assert any(disk[sector : sector + 512]), "a sector of zeros has no place in a piece"


@given(
    st.lists(
        st.tuples(st.integers(0, 300), st.sampled_from(["data", "content", "file"]), RUNS),
        max_size=4,
    )
)
def test_the_picture_is_everything_that_was_put_in(parts):
    canvas, model, files, end = Canvas(), bytearray(SIZE * 3), {}, 0
    for gap, method, data in parts:
        start = end + gap
        if method == "file":
            files[f"file{start}"] = data
            canvas.file(start, len(data), f"file{start}", digest_of(data))
        else:
            getattr(canvas, method)(start, data)
        end = start + len(data)
        model[start:end] = data
    picture = canvas.picture()
    assert render(picture, len(model), files) == bytes(model)
    assert list(picture.pieces) == sorted(picture.pieces)


@given(RUNS, RUNS, st.integers(0, 4000), st.integers(0, 4000))
def test_again_repeats_the_bytes_and_not_the_blob(one, other, low, length):
    far = 10_000
    canvas = Canvas()
    canvas.data(0, one)
    canvas.data(len(one) + 77, other)
    before = canvas.picture()
    canvas.again(far, length, low)
    picture = canvas.picture()
    disk = render(before, far + length, {})
    assert render(picture, far + length, {}) == disk[:far] + disk[low : low + length]
    assert picture.blob == before.blob


@pytest.mark.parametrize(
    "calls",
    [
        [("data", 0, b"x" * 512), ("data", 511, b"x")],
        [("data", 0, b"x" * 512), ("content", 100, b"x")],
        [("file", 0, 1000, "a", "digest"), ("file", 999, 1, "b", "digest")],
        [("data", 0, b"x"), ("again", 0, 1, 0)],
    ],
)
def test_overlapping_pieces_are_a_bug_of_the_rib(calls):
    with pytest.raises(ValueError, match=r"^pieces overlap: Piece.* and Piece"):
        drawn(*calls)


def test_pieces_may_touch_and_come_in_any_order():
    picture = drawn(("data", 512, b"b" * 512), ("data", 0, b"a" * 512))
    assert places(picture) == [(0, 512), (512, 512)]
    assert render(picture, 1024, {}) == b"a" * 512 + b"b" * 512


def test_a_file_is_one_piece_however_many_zeros_it_has():
    picture = drawn(("file", 512, 4096, "kernel", "ab" * 16))
    assert picture.pieces == (Piece(512, 4096, "kernel", 0, "ab" * 16),)
    assert (picture.blob, picture.written) == (b"", 4096)


def test_inline_bytes_are_one_piece_known_by_its_digest():
    data = b"x" + bytes(2000)
    assert drawn(("content", 512, data)) == Picture(
        (Piece(512, 2001, BLOB, 0, digest_of(data)),), data
    )


def test_nothing_is_no_piece():
    calls = [("file", 0, 0, "empty", "digest"), ("content", 0, b""), ("again", 0, 512, 512)]
    assert drawn(*calls) == Picture()
