"""The lock that keeps two doits apart, also where the one that holds it removes it."""

import fcntl
import os
import shutil
import threading
from pathlib import Path

import pytest

from doit_diskimg.host.session import Session
from doit_diskimg.host.state import StateFolder


@pytest.fixture
def lock():
    session = Session()
    yield session
    for path in [*session._held]:
        session.release(path)


def is_free(path):
    with open(path, "rb") as other:
        try:
            fcntl.flock(other, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
    return True


def nobody(pid):
    raise AssertionError(f"there is nobody to wait for, and it waits for {pid}")


@pytest.mark.parametrize("folder", ["", "folder/", "folder/in/folder/"])
def test_what_is_held_is_not_free(lock, here, folder):
    path = f"{folder}.os.img/lock"
    lock.hold_alone(path, nobody)
    lock.hold_alone(path, nobody)
    assert lock.is_held(path)
    assert not is_free(path)
    assert (here / path).read_text() == f"{os.getpid()}\n"
    lock.release(path)
    assert not lock.is_held(path)
    assert is_free(path)


@pytest.mark.parametrize(
    "meanwhile",
    {
        "nothing": lambda: None,
        "the file is removed": lambda: os.unlink(".os.img/lock"),
        "the folder is removed": lambda: shutil.rmtree(".os.img"),
        "another file is there": lambda: os.replace("other", ".os.img/lock"),
    }.values(),
)
def test_who_waited_holds_the_file_that_is_there_then(lock, here, meanwhile):
    StateFolder("os.img").make()
    (here / "other").write_text("")
    told, waits = [], threading.Event()

    def waiting(pid):
        told.append(pid)
        waits.set()

    with open(".os.img/lock", "w") as first:
        first.write("1234567\n")
        first.flush()
        fcntl.flock(first, fcntl.LOCK_EX)
        waiter = threading.Thread(target=lock.hold_alone, args=(".os.img/lock", waiting))
        waiter.start()
        assert waits.wait(10)
        meanwhile()
    waiter.join(10)
    assert told == ["1234567"]
    assert os.path.samestat(os.stat(".os.img/lock"), os.fstat(lock._held[".os.img/lock"]))
    assert not is_free(".os.img/lock")


def test_a_task_of_the_one_that_holds_it_does_not_wait(lock, here):
    StateFolder("os.img").make()
    with open(".os.img/lock", "w") as held:
        held.write(f"{os.getppid()}\n")
        held.flush()
        fcntl.flock(held, fcntl.LOCK_EX)
        lock.hold_alone(".os.img/lock", nobody)
    assert not lock.is_held(".os.img/lock")


@pytest.mark.parametrize("call", ["ftruncate", "pwrite", "fstat"])
def test_what_can_not_be_written_is_not_held(lock, here, monkeypatch, call):
    """Else the next one to ask, in the same process, would wait for itself."""
    def fail(*_):
        raise OSError(28, "No space left on device")

    StateFolder("os.img").make()
    Path(".os.img/lock").touch()
    with monkeypatch.context() as patch:
        patch.setattr(os, call, fail)
        with pytest.raises(OSError, match="No space left"):
            lock.hold_alone(".os.img/lock", nobody)
    assert not lock.is_held(".os.img/lock")
    assert is_free(".os.img/lock")
    lock.hold_alone(".os.img/lock", nobody)
    assert lock.is_held(".os.img/lock")


def test_who_waits_for_one_holds_none_of_the_others(lock, here):
    """Two that need the same in different order would wait for each other for ever."""
    told, waits = [], threading.Event()

    def waiting(path, pid):
        told.append((path, pid))
        waits.set()

    lock.hold_alone(".spare/lock", nobody)
    (here / "no-folder").write_text("a lock can't be made in it")
    StateFolder("b").make()
    with open(".b/lock", "w") as other:
        other.write("1234567\n")
        other.flush()
        fcntl.flock(other, fcntl.LOCK_EX)
        paths = [".a/lock", "no-folder/.x/lock", ".b/lock", ".c/lock"]
        waiter = threading.Thread(target=lock.hold_all, args=(paths, waiting, [".spare/lock"]))
        waiter.start()
        assert waits.wait(10)
        assert is_free(".a/lock")
        assert is_free(".spare/lock")
    waiter.join(10)
    assert told == [(".b/lock", "1234567")]
    assert {*lock._held} == {".a/lock", ".b/lock", ".c/lock", ".spare/lock"}
