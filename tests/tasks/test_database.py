"""doit's default database, damaged: moved aside before doit opens it, and never otherwise."""

import dbm.dumb
import fcntl
import os
import subprocess
import sys

import pytest

from doit_diskimg.tasks import database

INDEX, VALUES = ".doit.db.dir", ".doit.db.dat"


@pytest.fixture
def written(tmp_path, monkeypatch):
    """A database of two tasks, as dbm.dumb writes it."""
    monkeypatch.chdir(tmp_path)
    with dbm.dumb.open(".doit.db", "c") as db:
        db["a"], db["b"] = '{"result:": "x"}', '{"result:": "y"}'
    return tmp_path


def cut(path, length):
    return lambda: os.truncate(path, length)


def overwrite(path, offset, data):
    def change():
        with open(path, "r+b") as file:
            file.seek(offset)
            file.write(data)

    return change


STATES = {
    "whole": (lambda: None, ""),
    "none": (lambda: os.unlink(INDEX), ""),
    "empty": (cut(INDEX, 0), ""),
    "index cut": (cut(INDEX, 8), "the index of its database, .doit.db.dir, is damaged"),
    "index of something else": (
        overwrite(INDEX, 0, b"7, (1) "), "the index of its database, .doit.db.dir, is damaged",
    ),
    "values cut": (
        cut(VALUES, 4), "its database .doit.db is damaged, .doit.db.dat is too short",
    ),
    "no values": (
        lambda: os.unlink(VALUES), "its database .doit.db is damaged, .doit.db.dat is too short",
    ),
    "one value": (
        overwrite(VALUES, 0, b"?"), "1 of 2 records of its database .doit.db are damaged",
    ),
    "an encoding of the user's": (
        lambda: [overwrite(VALUES, place, b"?")() for place in (0, 512)], "",
    ),
}


@pytest.mark.parametrize("state", STATES)
def test_what_is_damage(written, state):
    change, why = STATES[state]
    change()
    assert database.damage() == why


DODO = """
from doit_diskimg import Disk
def task_one():
    return {"actions": ["true"]}
"""


def doit(folder):
    # A real start, since dodo.py must be the first to import us.
    return subprocess.run(
        [sys.executable, "-m", "doit", "list"], cwd=folder, capture_output=True, text=True,
        check=False,
    )


def test_it_is_moved_aside_once(written):
    (written / "dodo.py").write_text(DODO)
    assert doit(written).stderr == ""
    os.truncate(INDEX, 8)
    before = (written / VALUES).read_bytes()
    run = doit(written)
    assert (run.returncode, run.stderr) == (
        0,
        "doit: the index of its database, .doit.db.dir, is damaged; it is moved to "
        '.doit.db.damaged-1.*, and doit begins a new one (DOIT_CONFIG = {"backend": "sqlite3"} '
        "can stand two doits at once)\n",
    )
    assert (written / ".doit.db.damaged-1.dat").read_bytes() == before
    assert doit(written).stderr == ""


def test_while_another_doit_runs_nothing_is_moved(written):
    (written / "dodo.py").write_text(DODO)
    os.truncate(INDEX, 8)
    folder = os.open(written, os.O_RDONLY)
    fcntl.flock(folder, fcntl.LOCK_SH)
    run = doit(written)
    os.close(folder)
    assert run.stderr.splitlines()[0] == (
        "doit: the index of its database, .doit.db.dir, is damaged, and another doit that runs may "
        "write it; delete .doit.db.* when that is done"
    )
    assert os.path.getsize(INDEX) == 8
