"""Work on files in several threads: while one reads, another hashes or writes.

The system copies bytes, and xxhash reads them, without Python's lock, so that two processors halve
the time of a large copy.
"""

import os
import threading
from collections.abc import Callable, Iterator, Sequence
from typing import Generic, TypeVar

_T = TypeVar("_T")

_MOST = 4
"""Threads at the most: more do not make memory faster."""


def side_by_side(work: Callable[[_T], object], jobs: Sequence[_T]) -> None:
    """Call ``work`` for each of ``jobs``, begun in that order; return when all are done.

    After a failure no other is begun, and what the first of those that failed raised is raised.
    No thread is left in any case: it could write to a file that its caller has closed by then.
    """
    crew = _Crew(work, jobs)
    threads = [threading.Thread(target=crew.run) for _ in range(min(_processors(), len(jobs)) - 1)]
    try:
        for thread in threads:
            thread.start()
        crew.run()
    finally:
        crew.stop()
        _join(threads)
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


def _join(threads: Sequence[threading.Thread]) -> None:
    """Wait until all are gone, then go on with an interrupt that came meanwhile."""
    interrupt = None
    for thread in threads:
        while thread.ident is not None and thread.is_alive():
            try:
                thread.join()
            except KeyboardInterrupt as error:
                interrupt = error
    if interrupt is not None:
        raise interrupt


def _processors() -> int:
    count = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    return min(_MOST, count or 1)
