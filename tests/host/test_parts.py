"""Large files are known by their parts, which are hashed in the one pass that hashes the whole."""

import random
from pathlib import Path

import pytest
from fakes import FakeFiles

from doit_diskimg.errors import SourceChanged, WorldError
from doit_diskimg.host.files import RealFiles
from doit_diskimg.host.recorded import still_true
from doit_diskimg.host.session import Session
from doit_diskimg.plan.content import PART, digest_of, part_length, parts

MIB, GIB, TIB = 1 << 20, 1 << 30, 1 << 40
DATA = random.Random(0).randbytes(9 * PART + 5)
WHERE = "partitions[0].files['initrd']"


@pytest.mark.parametrize(
    ("size", "length"),
    [
        (PART + 1, MIB), (4 * GIB, MIB), (4 * GIB + 1, 2 * MIB), (64 * GIB, 16 * MIB),
        (2 * TIB, 512 * MIB),
    ],
)  # fmt: skip
def test_parts_grow_with_the_file_so_that_a_plan_stays_small(size, length):
    assert part_length(size) == length
    assert -(-size // length) <= 4096


@pytest.mark.parametrize("size", [0, 1, PART, PART + 1, 2 * PART, 9 * PART + 5])
def test_parts_cover_the_file(size):
    files = FakeFiles({"f": DATA[:size]})
    found = parts(files, "f", size, WHERE)
    assert b"".join(DATA[part.offset : part.offset + part.length] for part in found) == DATA[:size]
    assert [part.digest for part in found] == [
        digest_of(DATA[part.offset : part.offset + part.length]) for part in found
    ]
    assert len(found) == (0 if not size else 1 if size <= PART else -(-size // PART))
    assert [question for question, *_ in files.asked] == (
        [] if not size else ["digest" if size <= PART else "part_digests"]
    )


@pytest.fixture
def source(here: Path) -> str:
    Path("initrd").write_bytes(DATA)
    return "initrd"


def test_both_kinds_of_digests_take_one_pass(source, opened, settle):
    settle()
    files = RealFiles()
    assert files.digest(source, WHERE) == digest_of(DATA)
    found = parts(files, source, len(DATA), WHERE)
    assert [part.digest for part in found] == [
        digest_of(DATA[at : at + PART]) for at in range(0, len(DATA), PART)
    ]
    record = files.record()
    again = RealFiles(record)
    assert parts(again, source, len(DATA), WHERE) == found
    assert again.record()["parts"] == record["parts"]
    assert opened == [source]


def test_what_is_recorded_of_another_state_is_not_believed(source, settle):
    settle()
    files = RealFiles()
    before = parts(files, source, len(DATA), WHERE)
    record = files.record()
    other = b"x" + DATA[1:]
    Path(source).write_bytes(other)
    assert still_true(record, [])[0] == f"the contents of {source!r} changed"
    after = parts(RealFiles(record), source, len(DATA), WHERE)
    assert after[0].digest == digest_of(other[:PART]) != before[0].digest
    assert after[1:] == before[1:]


def test_another_length_of_parts_is_asked_of_the_file(source):
    files = RealFiles()
    assert list(files.part_digests(source, 3 * PART, WHERE)) == [
        digest_of(DATA[at : at + 3 * PART]) for at in range(0, len(DATA), 3 * PART)
    ]


def test_a_file_that_changes_between_the_questions_is_refused(source):
    session = Session()
    files = RealFiles(session=session)
    files.digest(source, WHERE)
    session.digests.clear()
    session.parts.clear()
    Path(source).write_bytes(DATA[:-1])
    with pytest.raises(WorldError) as caught:
        files.part_digests(source, PART, WHERE)
    assert isinstance(caught.value.problems[0], SourceChanged)
