"""Which file is one of ours: by its inode and its birth, or by its length and time stamp."""

import os
from pathlib import Path

import pytest

from doit_diskimg.host import own
from doit_diskimg.host.state import StateFolder, read_json, write_json

SECOND = 1_000_000_000
STAMP = 1_700_000_000 * SECOND + 123_456_789
BORN = 5 * SECOND


@pytest.fixture
def record(here):
    """Where it is recorded whose ``os.img`` is, a file of four bytes."""
    Path("os.img").write_bytes(b"ours")
    os.utime("os.img", ns=(STAMP, STAMP))
    return own.images(StateFolder("os.img"))


def entry(**changes):
    """Return the entry of ``os.img`` with changes: ``device="other"`` is one that it has not."""
    status = os.stat("os.img")
    values = {
        "device": status.st_dev, "inode": status.st_ino, "birth": BORN,
        "size": 4, "stamp": STAMP,
    }
    for name, value in changes.items():
        values[name] = values[name] + 1 if value == "other" else value
    return [*values.values()]


WHOLE = STAMP // SECOND * SECOND
REUSED = {"size": 9, "stamp": 1}
"""Of an entry whose file was written to, or is gone and its inode another's."""
ROWS = {
    # changes of the entry, whether the file is the one of the entry, and what else is otherwise
    "nothing changed": ({}, True),
    "written to": (REUSED, True),
    "written to, the device has another number": ({**REUSED, "device": "other"}, True),
    "another file in its inode": ({**REUSED, "birth": "other"}, False),
    "another file of that birth": ({**REUSED, "inode": "other"}, False),
    "a copy": ({"device": "other", "inode": "other", "birth": "other"}, True),
    "a copy of another length": ({"inode": "other", "size": 9}, False),
    "a copy of another time": ({"inode": "other", "stamp": "other"}, False),
    "from an archive": ({"inode": "other"}, True, {"time": WHOLE, "seconds": True}),
    "from an archive, of another second": (
        {"inode": "other", "stamp": STAMP - SECOND}, False, {"time": WHOLE, "seconds": True}),
    "from an archive, which does not count": ({"inode": "other"}, False, {"time": WHOLE}),
    "the same second, not a whole one": (
        {"inode": "other", "stamp": "other"}, False, {"seconds": True}),
    "no birth in the entry": ({"birth": None, "stamp": 1}, True),
    "no birth in the entry, another length": ({**REUSED, "birth": None}, False),
    "no birth in the entry, another device": (
        {"birth": None, "device": "other", "stamp": 1}, False),
    "a system without births": ({"stamp": 1}, True, {"birth": None}),
    "a system without births, another length": (REUSED, False, {"birth": None}),
    "a system without births, as before": ({**REUSED, "birth": None}, False, {"birth": None}),
}


@pytest.mark.parametrize("name", ROWS)
def test_whose_a_file_is(record, monkeypatch, name):
    changes, ours, *more = ROWS[name]
    world = {"time": STAMP, "birth": BORN, **(more[0] if more else {})}
    write_json(record, {"format": own.FORMAT, "path": "os.img", "made": [entry(**changes)]})
    os.utime("os.img", ns=(world["time"],) * 2)
    monkeypatch.setattr(own, "_birth", lambda handle: world["birth"])
    options = {"seconds": True} if "seconds" in world else {}
    assert own.is_claimed(record, "os.img", **options) == ours
    assert own.is_recorded(record)


@pytest.mark.parametrize("change", [
    {"format": own.FORMAT + 1}, {"made": []}, {"made": None}, {"made": [[1, 2, 3, 4]]},
    {"made": ["entry"]},
], ids=repr)
def test_what_is_no_record(record, change):
    data = {"format": own.FORMAT, "path": "os.img", "made": [entry(birth=None)]}
    write_json(record, data)
    assert own.is_claimed(record, "os.img")
    write_json(record, {**data, **change})
    assert not own.is_claimed(record, "os.img")
    assert not own.is_recorded(record)


def made(record):
    return read_json(record)["made"]


def test_a_claim_keeps_what_is_known_of_the_file_that_is_there(record):
    own.claim(record, "os.img", "os.img")
    (first,) = made(record)
    Path("new.img").write_bytes(b"the next")
    own.claim(record, "new.img", "os.img")
    old, new = made(record)
    assert old == first
    assert own.is_claimed(record, "os.img")
    assert not own.is_claimed(record, "dodo.py")
    os.replace("new.img", "os.img")
    assert own.is_claimed(record, "os.img")
    Path("third.img").write_bytes(b"the one after")
    own.claim(record, "third.img", "os.img")
    assert made(record)[:-1] == [new], "of the first nothing is left"


def test_a_file_that_is_claimed_twice_is_recorded_once(record):
    own.claim(record, "os.img", "os.img")
    with Path("os.img").open("ab") as file:
        file.write(b", and longer")
    own.claim(record, "os.img", "os.img")
    ((*_, size, _),) = made(record)
    assert size == os.stat("os.img").st_size


def test_a_link_is_nobodys(record):
    own.claim(record, "os.img", "os.img")
    os.rename("os.img", "real.img")
    os.symlink("real.img", "os.img")
    assert not own.is_claimed(record, "os.img")
    os.unlink("os.img")
    assert not own.is_claimed(record, "os.img")
