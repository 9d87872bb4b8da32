"""Work in several threads: all of it is done, what fails is told, and nobody is left behind."""

import os
import signal
import threading
import time

import pytest

from doit_diskimg.host import side_by_side as module
from doit_diskimg.host.side_by_side import side_by_side


@pytest.fixture(autouse=True, params=[1, 2, 4])
def processors(monkeypatch, request):
    """A machine with so many processors; no thread of ours is left after the test."""
    before = threading.active_count()
    monkeypatch.setattr(module.os, "sched_getaffinity", lambda _: set(range(request.param)))
    yield request.param
    assert threading.active_count() == before


@pytest.mark.parametrize("count", [0, 1, 2, 100])
def test_everything_is_done_once(count):
    done = []
    side_by_side(done.append, range(count))
    assert sorted(done) == list(range(count))


def test_as_many_at_once_as_there_are_processors(processors):
    meeting = threading.Barrier(processors, timeout=10)
    side_by_side(lambda _: meeting.wait(), range(2 * processors))
    with pytest.raises(threading.BrokenBarrierError):
        side_by_side(lambda _: threading.Barrier(processors + 1, timeout=0.2).wait(), [0])


@pytest.mark.parametrize("count", [5, 64])
def test_no_more_threads_than_memory_can_feed(monkeypatch, count):
    monkeypatch.setattr(module.os, "sched_getaffinity", lambda _: set(range(count)))
    names = set()
    side_by_side(lambda _: [names.add(threading.get_ident()), time.sleep(0.002)], range(200))
    assert len(names) == 4


def test_the_first_that_fails_is_told_and_no_other_begins():
    begun = []

    def work(job):
        begun.append(job)
        time.sleep(0.01 if job == 3 else 0.02 if job > 3 else 0)
        if job >= 3:
            raise ValueError(job)

    with pytest.raises(ValueError, match=r"^3$"):
        side_by_side(work, range(100))
    assert max(begun) < 10


@pytest.mark.parametrize("count", [1, 2, 5])
def test_an_interrupt_waits_for_all_threads_and_so_does_a_second_one(count):
    """One that still wrote could meet another file under the number of its descriptor."""
    begun, done = [], []

    def work(job):
        begun.append(job)
        if job == 3:
            for _ in range(count):
                os.kill(os.getpid(), signal.SIGINT)
                time.sleep(0.01)
        time.sleep(0.03)
        done.append(job)

    with pytest.raises(KeyboardInterrupt):
        side_by_side(work, range(100))
    assert sorted(begun) == sorted(done)
    assert len(done) < 15
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_interrupts_while_the_main_thread_waits_for_another(processors):
    if processors == 1:
        return
    main, both, done = threading.get_ident(), threading.Barrier(2, timeout=10), []

    def work(job):
        both.wait()
        if threading.get_ident() != main:
            time.sleep(0.02)  # until the main thread has nothing to do but to wait
            for _ in range(3):
                os.kill(os.getpid(), signal.SIGINT)
                time.sleep(0.01)
        done.append(job)

    with pytest.raises(KeyboardInterrupt):
        side_by_side(work, range(2))
    assert sorted(done) == [0, 1]


def test_a_handler_of_somebody_else_stays():
    heard = []
    before = signal.signal(signal.SIGINT, lambda *_: heard.append(True))
    try:
        side_by_side(lambda _: os.kill(os.getpid(), signal.SIGINT), range(3))
    finally:
        signal.signal(signal.SIGINT, before)
    assert heard


def test_a_system_that_allows_no_more_threads(monkeypatch):
    def start(thread):
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr(threading.Thread, "start", start)
    done = []
    side_by_side(done.append, range(10))
    assert done == list(range(10))


def test_not_in_the_main_thread():
    done = []
    other = threading.Thread(target=side_by_side, args=(done.append, range(50)))
    other.start()
    other.join()
    assert sorted(done) == list(range(50))
