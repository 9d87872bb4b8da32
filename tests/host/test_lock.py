"""The lock that keeps two doits apart, also where its holder removes it; and the locks of QEMU."""

import fcntl
import os
import shutil
import signal
import struct
import threading
from pathlib import Path

import pytest

from doit_diskimg.host.lock import hold_writing, holders, is_written
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


def test_a_forked_child_holds_nothing(lock, here):
    """It is another process: to a lock of its parent's it has to wait like any other."""
    lock.hold_alone(".os.img/lock", nobody)
    child = os.fork()
    if not child:
        os._exit(1 if lock.is_held(".os.img/lock") else 0)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    assert lock.is_held(".os.img/lock")


def lock_as_qemu(file, byte):
    """Take one of QEMU's locks: 100 + n to use permission n, 200 + n to forbid it (1: write)."""
    fcntl.fcntl(file, fcntl.F_OFD_SETLK, struct.pack("hhqqi4x", fcntl.F_RDLCK, 0, byte, 1, 0))


def can_forbid_writing(file):
    """Return whether a QEMU that starts now gets the image."""
    ask = struct.pack("hhqqi4x", fcntl.F_WRLCK, 0, 101, 1, 0)
    found = fcntl.fcntl(file, fcntl.F_OFD_GETLK, ask)
    return struct.unpack("hhqqi4x", found)[0] == fcntl.F_UNLCK


@pytest.mark.parametrize(
    ("byte", "may_write", "written"),
    [(None, True, False), (100, True, False), (101, True, True), (200, True, False),
     (201, False, False), (202, True, False)],
)  # fmt: skip
def test_what_a_qemu_has_locked(here, byte, may_write, written):
    (here / "os.img").write_bytes(b"")
    with open("os.img", "rb") as qemu, open("os.img", "rb") as ours:
        if byte is not None:
            lock_as_qemu(qemu, byte)
        assert hold_writing(ours.fileno()) is may_write
        assert not can_forbid_writing(qemu)
    with open("os.img", "rb") as qemu, open("os.img", "rb") as ours:
        if byte is not None:
            lock_as_qemu(qemu, byte)
        assert is_written(ours.fileno()) is written
        assert not can_forbid_writing(qemu)
    with open("os.img", "rb") as qemu:
        assert can_forbid_writing(qemu), "the locks end with the descriptors"


def test_holders_are_other_processes_that_have_it_locked(here):
    for name in ("os.img", "other.img"):
        (here / name).write_bytes(b"")
    with open("os.img", "rb") as ours:
        lock_as_qemu(ours, 201)
        assert holders("os.img") == []
        child = os.fork()
        if not child:
            signal.pause()
        try:
            assert holders("os.img") == [child]
            assert holders("other.img") == []
        finally:
            os.kill(child, signal.SIGKILL)
            os.waitpid(child, 0)
        assert holders("os.img") == []
