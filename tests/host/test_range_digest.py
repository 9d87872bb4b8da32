"""Digests of parts of a file: of exactly those bytes, and remembered as a question about it all."""

import os
from pathlib import Path

import pytest

from doit_diskimg.errors import SourceChanged, SourceMissing, WorldError
from doit_diskimg.host.files import RealFiles
from doit_diskimg.host.hashing import CHUNK
from doit_diskimg.host.recorded import still_true
from doit_diskimg.plan.content import digest_of

DATA = bytes(n % 251 for n in range(3 * CHUNK))


@pytest.fixture
def source(tmp_path: Path) -> Path:
    path = tmp_path / "spl.bin"
    path.write_bytes(DATA)
    os.utime(path, (1_700_000_000, 1_700_000_000))
    return path


@pytest.mark.parametrize(
    ("offset", "length"), [(0, 440), (512, 1), (17_408, 2 * CHUNK + 1), (0, 3 * CHUNK), (5, 0)]
)
def test_it_is_that_of_exactly_these_bytes(source: Path, offset: int, length: int) -> None:
    found = RealFiles().range_digest(str(source), offset, length, "segments[0].source")
    assert found == digest_of(DATA[offset : offset + length])


def test_the_whole_file_is_what_a_later_run_looks_at(source: Path) -> None:
    files = RealFiles()
    files.range_digest(str(source), 0, 440, "segments[0].source")
    record = files.record()
    assert still_true(record, [])[0] == ""
    source.write_bytes(DATA[:-1] + b"x")
    assert still_true(record, [])[0] == f"the contents of {str(source)!r} changed"


@pytest.mark.parametrize(
    ("name", "offset", "length", "kind"),
    [("none.bin", 0, 1, SourceMissing), ("spl.bin", 3 * CHUNK - 1, 2, SourceChanged)],
)
def test_what_is_not_there_is_told(
    source: Path, name: str, offset: int, length: int, kind: type
) -> None:
    with pytest.raises(WorldError) as caught:
        RealFiles().range_digest(str(source.parent / name), offset, length, "segments[0].source")
    assert [type(problem) for problem in caught.value.problems] == [kind]
