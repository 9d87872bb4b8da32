"""A patch turns one picture into the other, and writes no more than it must."""

from itertools import pairwise

import pytest
from fakes import patched, render
from hypothesis import given
from hypothesis import strategies as st

from doit_diskimg.extent import Extent
from doit_diskimg.plan.content import digest_of
from doit_diskimg.plan.patch import ImagePatch, diff
from doit_diskimg.plan.picture import Canvas, Picture

DISK = 16 * 512
FILLERS = [b"\0", b"a", b"b"]
FILES = {
    f"{filler.decode()}{length}": filler * length
    for filler in FILLERS[1:]
    for length in (1, 511, 512, 700, 1536)
}
"""Sources; a name stands for the same bytes in both pictures."""


@st.composite
def pictures(draw):
    """A picture of at most `DISK` bytes: metadata, inline contents and files, with gaps."""
    canvas, end = Canvas(), 0
    for _ in range(draw(st.integers(0, 6))):
        start = end + draw(st.sampled_from([0, 0, 12, 512, 600]))
        kind = draw(st.sampled_from(["data", "content", "file"]))
        if kind == "file":
            name = draw(st.sampled_from(sorted(FILES)))
            data = FILES[name]
        else:
            runs = draw(st.lists(st.sampled_from(FILLERS), min_size=1, max_size=4))
            length = draw(st.sampled_from([40, 512, 700]))
            data = b"".join(filler * length for filler in runs)
        end = start + len(data)
        if end > DISK:
            break
        if kind == "file":
            canvas.file(start, len(data), name, digest_of(data))
        else:
            getattr(canvas, kind)(start, data)
    return canvas.picture()


def writes(patch):
    return [Extent(piece.start, piece.length) for piece in patch.writes]


def content(start, data):
    canvas = Canvas()
    canvas.content(start, data)
    return canvas.picture()


def metadata(start, data):
    canvas = Canvas()
    canvas.data(start, data)
    return canvas.picture()


def file(start, name, digest="", length=0):
    canvas = Canvas()
    data = FILES.get(name, b"")
    canvas.file(start, length or len(data), name, digest or digest_of(data))
    return canvas.picture()


def both(one, other):
    """Return a picture of two, the second of which has no blob."""
    return Picture((*one.pieces, *other.pieces), one.blob)


@given(pictures(), pictures())
def test_a_patched_disk_is_the_new_disk(old, new):
    patch = diff(old, new)
    before, after = render(old, DISK, FILES), render(new, DISK, FILES)
    assert patched(before, patch, new.blob, FILES) == after


@given(pictures(), pictures())
def test_no_byte_is_written_twice(old, new):
    patch = diff(old, new)
    extents = sorted([*writes(patch), *patch.zeros])
    assert all(left.end <= right.start for left, right in pairwise(extents))
    assert list(patch.writes) == sorted(patch.writes)
    assert list(patch.zeros) == sorted(patch.zeros)
    parts = [
        (left.end, left.file, left.offset + left.length) == (right.start, right.file, right.offset)
        for left, right in pairwise(patch.writes)
        if left.file
    ]
    assert patch.extents == len(extents) - sum(parts)
    assert patch.length == sum(extent.length for extent in extents)


@given(pictures(), pictures())
def test_metadata_is_written_in_sectors_that_differ(old, new):
    """Unless the old bytes are some file's: those are known by their digest only."""
    before, after = render(old, DISK, FILES), render(new, DISK, FILES)
    unknown = [piece for piece in old.pieces if piece.digest]
    for write in diff(old, new).writes:
        if write.digest:
            continue
        for sector in range(write.start - write.start % 512, write.end, 512):
            low, high = max(sector, write.start), min(sector + 512, write.end)
            on_a_file = any(piece.start < high and low < piece.end for piece in unknown)
            assert on_a_file or before[low:high] != after[low:high]


@given(pictures(), pictures())
def test_a_file_is_written_whole_or_not_at_all(old, new):
    there = {(piece.start, piece.length, piece.digest) for piece in old.pieces}
    files = {piece for piece in new.pieces if piece.digest}
    written = {piece for piece in diff(old, new).writes if piece.digest}
    assert written == {piece for piece in files if (piece[0], piece[1], piece[4]) not in there}


@given(pictures())
def test_a_picture_that_is_there_already_needs_no_patch(picture):
    assert diff(picture, picture) == ImagePatch()


@given(pictures())
def test_an_empty_disk_gets_the_picture_and_loses_it_again(picture):
    fill = diff(Picture(), picture)
    assert fill.zeros == ()
    assert fill.length <= picture.written
    wipe = diff(picture, Picture())
    assert wipe.writes == ()
    assert wipe.length == picture.written


SECTOR_A, SECTOR_B = b"a" * 512, b"b" * 512


@pytest.mark.parametrize(
    ("old", "new", "written", "zeroed"),
    [
        # one sector of four differs; neighbours are written together
        (metadata(0, SECTOR_A * 4), metadata(0, SECTOR_A + SECTOR_B + SECTOR_A * 2),
         [(512, 512)], []),
        (metadata(0, SECTOR_A * 4), metadata(0, SECTOR_A + SECTOR_B * 2 + SECTOR_A),
         [(512, 1024)], []),
        (metadata(0, SECTOR_A * 3), metadata(0, SECTOR_B + SECTOR_A + SECTOR_B),
         [(0, 512), (1024, 512)], []),
        # more sectors than are compared at once
        (metadata(0, SECTOR_A * 300), metadata(0, SECTOR_A * 199 + SECTOR_B + SECTOR_A * 100),
         [(199 * 512, 512)], []),
        # a sector that begins in the middle
        (metadata(440, b"a" * 72), metadata(440, b"a" * 71 + b"b"), [(440, 72)], []),
        # what is no longer there is zeroed, what never was there is zero
        (metadata(0, SECTOR_A * 2), metadata(0, SECTOR_A), [], [(512, 512)]),
        (metadata(0, SECTOR_A), metadata(512, SECTOR_A), [(512, 512)], [(0, 512)]),
        (metadata(0, SECTOR_A + bytes(512)), metadata(0, SECTOR_A + bytes(2048)), [], []),
        # the same contents in the same place are there, under whatever name
        (file(0, "a512"), content(0, FILES["a512"]), [], []),
        (content(0, FILES["a512"]), file(0, "a512"), [], []),
        (file(0, "a512"), file(512, "a512"), [(512, 512)], [(0, 512)]),
        (file(0, "a700"), file(0, "a512"), [(0, 512)], [(512, 188)]),
        (file(0, "any", "1" * 32, 9), file(0, "any", "2" * 32, 9), [(0, 9)], []),
        # metadata in place of a file is written: nobody knows what the file held there
        (file(0, "a512"), metadata(0, SECTOR_A), [(0, 512)], []),
        (metadata(0, SECTOR_A), file(0, "a512"), [(0, 512)], []),
        (both(metadata(0, SECTOR_A), file(512, "b512")), metadata(0, SECTOR_A * 2),
         [(512, 512)], []),
    ],
)  # fmt: skip
def test_patches_by_example(old, new, written, zeroed):
    patch = diff(old, new)
    assert writes(patch) == written
    assert list(patch.zeros) == zeroed


def test_a_write_of_metadata_is_the_right_range_of_the_new_blob():
    old, new = metadata(512, SECTOR_A * 3), metadata(512, SECTOR_A * 2 + SECTOR_B)
    (write,) = diff(old, new).writes
    assert (write.start, write.offset, write.length) == (1536, 1024, 512)
    assert new.blob[write.offset : write.offset + write.length] == SECTOR_B
