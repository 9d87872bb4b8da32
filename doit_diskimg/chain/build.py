"""The whole chain on one page: what doit does task by task, in this process and without doit."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial

from doit_diskimg.chain.job import Job, Shortcut, checked_epoch
from doit_diskimg.chain.own_sources import all_problems
from doit_diskimg.chain.run import run
from doit_diskimg.chain.step import Step, in_order
from doit_diskimg.chain.steps import create, geometry, outputs, populate_and_inject, seal, table
from doit_diskimg.disk.model import Disk
from doit_diskimg.frozen import dataclass
from doit_diskimg.host.session import waiting_text

Tell = Callable[[str], None]


@dataclass(frozen=True)
class Done:
    """What became of one step."""

    step: str
    """Its name, as doit's task has it behind the disk's: ``esp:populate``."""
    ran: bool
    why: str
    """Why it had to run, in words; empty if it had not."""
    text: str
    """What it has to tell, maybe in several lines."""
    written: int
    """Bytes that it wrote into the image."""


def build(
    disk: Disk,
    *,
    tell: Tell | None = None,
    shortcut: Callable[[], Shortcut | None] | None = None,
) -> list[Done]:
    """Build the image of a disk and its outputs, and return what each step did.

    A step whose facts did not change does not run, whether doit or this function ran it last.
    Sources must exist: no other task makes them here.  ``tell`` gets a line for each step that
    runs, and what it says; ``shortcut`` is a quicker way to the same bytes (`chain.job.Shortcut`).
    Raises DescriptionError if the description is wrong, and WorldError for everything else.
    """
    tell = tell or _silent
    job = Job(disk, checked_epoch(all_problems(disk)), shortcut)
    with _alone(job, tell):
        steps = [
            *geometry(job),             # how much room does each volume take?
            table(job),                 # where does everything lie?
            create(job),                # a new, empty image, if the one there can't be patched
            *populate_and_inject(job),  # what are the bytes of each part, and which of them differ?
            seal(job),                  # finished, and in its place
            *outputs(job),              # files that are made of the finished image
        ]  # fmt: skip
        return [_done(step, tell) for step in in_order(steps)]


def _silent(line: str) -> None:
    """Say nothing."""


def _done(step: Step, tell: Tell) -> Done:
    """Run a step if it must run."""
    why = step.facts.difference()
    if not why:
        return Done(step.name, False, "", "", 0)
    tell(f"{step.job.disk.name}:{step.name}")
    text = run(step.job, step.run) or ""
    if text:
        tell(text)
    return Done(step.name, True, why, text, step.written)


@contextmanager
def _alone(job: Job, tell: Tell) -> Iterator[None]:
    """Keep others from the image, after the one that has it: its work is found done then."""
    lock = job.state.file("lock")

    def waiting(path: str, pid: str) -> None:
        tell(waiting_text(job.disk.name, pid))

    run(job, partial(job.session.hold_all, [lock], waiting))
    try:
        yield
    finally:
        job.session.release(lock)
