"""What becomes of an unfinished image when its build fails: it goes if it has taken the room."""

import errno
import os
from pathlib import Path
from types import SimpleNamespace

import pytest

from doit_diskimg.errors import ProgramFailed, SourceChanged, WorldError
from doit_diskimg.extent import Extent
from doit_diskimg.host import kept
from doit_diskimg.host.failure import failed
from doit_diskimg.host.image import create_sparse
from doit_diskimg.host.state import StateFolder, host_failed, write_json

GENERATION = "ab" * 16
BLOCK = 4096
PLENTY = 1 << 30


@pytest.fixture
def state(here):
    """A build that was not finished: its generation has a name, and an image that grows."""
    state = StateFolder("os.img")
    state.make()
    write_json(state.file("generation"), {"format": 1, "id": GENERATION})
    create_sparse(state.building(GENERATION), 1 << 20)
    return state


def of_system(number):
    return host_failed("os.img", OSError(number, os.strerror(number)), "write it")


def of_program():
    return WorldError(ProgramFailed("here", "mkfs.fat ended with 1", "it has to make x", "fix it"))


ROWS = {
    # the error, the bytes that are free then, and whether the image goes
    "no room": (of_system(errno.ENOSPC), PLENTY, True),
    "a quota": (of_system(errno.EDQUOT), PLENTY, True),
    "a limit for files": (of_system(errno.EFBIG), PLENTY, True),
    "an error of the disk": (of_system(errno.EIO), 0, False),
    "a program, and nothing is free": (of_program(), 0, True),
    "a program, and little is free": (of_program(), (1 << 20) - BLOCK, True),
    "a program, and enough is free": (of_program(), 1 << 20, False),
    "a program, and much is free": (of_program(), PLENTY, False),
    "a source, and nothing is free": (
        WorldError(SourceChanged("a.bin", "it changed", "must stay", "run doit again")), 0, False),
    "a program and the system": (
        WorldError(*of_program().problems, *of_system(errno.ENOSPC).problems), PLENTY, True),
}


@pytest.mark.parametrize("row", ROWS)
def test_what_becomes_of_an_unfinished_image(state, monkeypatch, row):
    error, free, goes = ROWS[row]
    room = SimpleNamespace(f_bavail=free // BLOCK, f_frsize=BLOCK)
    monkeypatch.setattr(os, "statvfs", lambda path: room)
    assert failed(state, error).problems == error.problems
    assert Path(state.building(GENERATION)).exists() != goes
    assert Path(state.file("generation")).exists() != goes


def test_one_by_which_a_guests_bytes_are_found_stays(state):
    places = {"data": Extent(0, 4096)}
    kept.store(state, places, kept.coming(state, GENERATION, places))
    failed(state, of_system(errno.ENOSPC))
    assert Path(state.building(GENERATION)).exists()
    kept.store(state, places)
    failed(state, of_system(errno.ENOSPC))
    assert not Path(state.building(GENERATION)).exists()


def test_a_finished_image_has_nothing_to_give_back(state):
    os.rename(state.building(GENERATION), "os.img")
    failed(state, of_system(errno.ENOSPC))
    assert Path(state.file("generation")).exists()
    assert Path("os.img").exists()


def test_a_source_that_changes_all_the_time_is_told(state):
    def changed(*paths):
        return WorldError(*[
            SourceChanged(path, "it changed", "must stay", "run doit again") for path in paths
        ])

    def told(error):
        return [problem.found for problem in failed(state, error).problems]

    assert told(changed("a.log")) == ["it changed"]
    assert told(changed("b.log")) == ["it changed"]
    assert told(changed("a.log", "b.log")) == ["it changed", "it changed, as in the last build"]
    assert told(of_program()) == ["mkfs.fat ended with 1"]
