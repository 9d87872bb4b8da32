"""Work in several threads: all of it is done, what fails is told, and nobody is left behind."""

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


def test_an_interrupt_waits_for_the_others():
    """One that still wrote could meet another file under the number of its descriptor."""
    main, running, done = threading.get_ident(), threading.Event(), []

    def work(job):
        if threading.get_ident() == main:
            running.wait(0.2)
            raise KeyboardInterrupt
        running.set()
        time.sleep(0.05)
        done.append(job)

    with pytest.raises(KeyboardInterrupt):
        side_by_side(work, range(100))
    assert len(done) < 10


def test_an_interrupt_while_it_waits_waits_too(monkeypatch, processors):
    if processors == 1:
        return
    joins, real = [], threading.Thread.join

    def join(thread, *arguments):
        joins.append(thread)
        if len(joins) == 1:
            raise KeyboardInterrupt
        real(thread, *arguments)

    monkeypatch.setattr(threading.Thread, "join", join)
    main, slow = threading.get_ident(), threading.Event()

    def work(_):
        if threading.get_ident() == main:
            slow.wait(5)
        else:
            slow.set()
            time.sleep(0.2)

    with pytest.raises(KeyboardInterrupt):
        side_by_side(work, range(2))
