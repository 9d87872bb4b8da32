"""A segment asks for its length before the layout, and for its digest after it."""

from pathlib import PurePath

import pytest
from fakes import FakeFiles, render

from doit_diskimg.disk.segment import Segment
from doit_diskimg.errors import WorldError
from doit_diskimg.plan.content import digest_of
from doit_diskimg.plan.picture import BLOB, Piece

STAGE2 = b"stage 2" + bytes(1000)
WHERE = "segments[0]"


@pytest.mark.parametrize("source", ["out/stage2", PurePath("out/stage2")])
def test_a_segment_of_a_file_is_one_piece_of_that_file(source):
    files = FakeFiles({"out/stage2": STAGE2})
    segment = Segment("stage2", source, 512)

    assert segment.measure(files, WHERE) == 1007
    assert files.asked == [("size", "out/stage2", "segments[0].source")]

    picture = segment.fill(files, WHERE)
    assert picture.pieces == (Piece(512, 1007, "out/stage2", 0, digest_of(STAGE2)),)
    assert files.asked[-1] == ("digest", "out/stage2", "segments[0].source")


def test_a_segment_of_bytes_asks_nothing():
    files = FakeFiles()
    segment = Segment("stage2", STAGE2, 512)

    assert segment.measure(files, WHERE) == 1007
    picture = segment.fill(files, WHERE)
    assert picture.pieces == (Piece(512, 1007, BLOB, 0, digest_of(STAGE2)),)
    assert render(picture, 2048, {}) == bytes(512) + STAGE2 + bytes(529)
    assert files.asked == []


def test_a_segment_without_its_file_is_an_error_of_the_world():
    with pytest.raises(WorldError, match=r"^segments\[0\]\.source: "):
        Segment("stage2", "missing", 512).measure(FakeFiles(), WHERE)
