"""Whole processes in turn: A B A B, so that a machine that slows down slows both."""

import os
import statistics
import subprocess
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from time import perf_counter, sleep

from benchmarks.contenders import Contender, environment


@dataclass(frozen=True)
class Sample:
    """One run, as the operating system accounts for it."""

    wall: float
    """Seconds from the start of the process to its end."""
    cpu: float
    """User and system seconds of the process and of its children."""
    peak: int
    """Bytes of memory at the most."""


@dataclass
class Series:
    """All runs of one contender."""

    name: str
    samples: list[Sample]

    @property
    def wall(self) -> float:
        """The median."""
        return statistics.median(sample.wall for sample in self.samples)

    @property
    def cpu(self) -> float:
        """The median of the seconds of work, which a busy machine makes longer the least."""
        return statistics.median(sample.cpu for sample in self.samples)

    @property
    def spread(self) -> tuple[float, float]:
        """The fastest and the slowest."""
        walls = [sample.wall for sample in self.samples]
        return min(walls), max(walls)


def timed(argv: Sequence[str], folder: os.PathLike[str]) -> Sample:
    """Run a program and return what it cost."""
    before = perf_counter()
    process = subprocess.Popen(
        argv, cwd=folder, env=environment(), stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )
    _, status, usage = os.wait4(process.pid, 0)
    wall = perf_counter() - before
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode != 0:
        raise SystemExit(f"{argv} failed in {folder}")
    return Sample(wall, usage.ru_utime + usage.ru_stime, usage.ru_maxrss * 1024)


@contextmanager
def resident(argv: Sequence[str], folder: os.PathLike[str]) -> Iterator[None]:
    """Let a program run meanwhile."""
    process = subprocess.Popen(
        argv, cwd=folder, env=environment(), stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )
    try:
        sleep(2)  # until it is ready
        yield
    finally:
        process.terminate()
        process.wait()


def seconds_until(ready: Callable[[], bool], most: float = 60) -> float:
    """Return how long it takes until ``ready``."""
    before = perf_counter()
    while not ready():
        sleep(0.0005)
        if perf_counter() - before > most:
            raise SystemExit("nothing happens")
    return perf_counter() - before


def in_turn(
    contenders: Sequence[Contender],
    runs: int,
    before: Callable[[Contender, int], None] = lambda contender, number: None,
    after: Callable[[Contender], None] = lambda contender: None,
) -> list[Series]:
    """Time every contender ``runs`` times, in turn, after one round that does not count.

    ``before`` prepares a run and ``after`` looks at its result; neither is timed.
    """
    series = [Series(contender.name, []) for contender in contenders]
    for number in range(runs + 1):
        for contender, mine in zip(contenders, series, strict=True):
            before(contender, number)
            os.sync()  # what was written before is not this program's burden
            sample = timed(contender.argv, contender.folder)
            after(contender)
            if number:
                mine.samples.append(sample)
    return series
