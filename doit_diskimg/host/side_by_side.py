"""Work on files in several threads: while one reads, another hashes or writes.

The system copies bytes, and xxhash reads them, without Python's lock, so that two processors halve
the time of a large copy.
"""

import os
import signal
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from typing import Generic, TypeVar

_T = TypeVar("_T")

_MOST = 4
"""Threads at the most: more do not make memory faster."""


def side_by_side(work: Callable[[_T], object], jobs: Sequence[_T]) -> None:
    """Call ``work`` for each of ``jobs``, begun in that order; return when all are done.

    After a failure no further job is begun, and the first failure is raised.
    No thread is left in any case: it could write to a file that its caller has closed by then.
    """
    crew, threads = _Crew(work, jobs), list[threading.Thread]()
    with _interrupts_wait(crew.stop):
        try:
            for _ in range(min(_processors(), len(jobs)) - 1):
                thread = threading.Thread(target=crew.run)
                with suppress(RuntimeError):  # of a system that allows no more of them
                    thread.start()
                    threads.append(thread)
            crew.run()
        finally:
            crew.stop()
            for thread in threads:
                thread.join()
    crew.complain()


class _Crew(Generic[_T]):
    """Threads that take one job after the other until there is none, or one failed."""

    def __init__(self, work: Callable[[_T], object], jobs: Sequence[_T]) -> None:
        self._work = work
        self._jobs: Iterator[tuple[int, _T]] = enumerate(jobs)
        self._lock = threading.Lock()
        self._failed: dict[int, Exception] = {}
        self._stopped = False

    def run(self) -> None:
        """Work; in as many threads as there are."""
        while True:
            with self._lock:
                number, job = next(self._jobs, (-1, None))
            if number < 0 or self._stopped:
                return
            try:
                self._work(job)  # type: ignore[arg-type]
            except Exception as error:  # it is raised in the thread that asked for all this
                self._failed[number] = error
                self._stopped = True

    def stop(self) -> None:
        """Begin no other job."""
        self._stopped = True

    def complain(self) -> None:
        """Raise what the first of the jobs that failed raised."""
        if self._failed:
            raise self._failed[min(self._failed)]


@contextmanager
def _interrupts_wait(stop: Callable[[], None]) -> Iterator[None]:
    """Let Ctrl-C call ``stop``, and interrupt at the end; a second one would leave threads alone.

    Outside the main thread, which alone hears of it, and under a foreign handler, nothing changes.
    """
    is_ours = (
        threading.current_thread() is threading.main_thread()
        and signal.getsignal(signal.SIGINT) is signal.default_int_handler
    )
    if not is_ours:
        yield
        return
    interrupted = []

    def note(*_: object) -> None:
        interrupted.append(True)
        stop()

    signal.signal(signal.SIGINT, note)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, signal.default_int_handler)
        if interrupted:
            raise KeyboardInterrupt


def _processors() -> int:
    count = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    return min(_MOST, count or 1)
