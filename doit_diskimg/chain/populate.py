"""The plan of one volume: names, directories, clusters, contents."""

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager

from doit_diskimg.chain.numbers import write_places
from doit_diskimg.chain.own_sources import written
from doit_diskimg.chain.pictures import fill
from doit_diskimg.chain.step import Step
from doit_diskimg.errors import Problem
from doit_diskimg.host.files import RealFiles
from doit_diskimg.host.state import read_record, write_record
from doit_diskimg.plan.recipe import Contents
from doit_diskimg.plan.stored import encode_plan


def populate(step: Step) -> list[str]:
    """Write ``P.plan`` and ``P.blob``, then what was asked; say what should be known of them."""
    job, files = step.job, _files(step)
    picture = fill(job, step.index, files)
    write_places(job, step.index, picture, files)
    job.state.write_plan(step.part, encode_plan(picture))
    assert step.asked is not None
    noted = job.shortcut.noted(step, picture) if job.shortcut else {}
    write_record(step.asked.path, {**files.record(), **noted})
    return [*picture.notes]


@contextmanager
def asking(step: Step) -> Iterator[RealFiles]:
    """Answer questions about the user's files; write down what was asked when all went well."""
    assert step.asked is not None
    files = _files(step)
    yield files
    write_record(step.asked.path, files.record())


def _files(step: Step) -> RealFiles:
    assert step.asked is not None
    job = step.job
    payload = job.state.file(step.part, ".payload") if step.placed else ""
    return RealFiles(read_record(step.asked.path), payload, written(job.disk), judge, job.session)


def judge(payload: str, contents: Contents, where: str) -> Callable[[], Iterable[Problem]]:
    """Read a volume back that a program makes; see `recipe.Judge`."""
    from doit_diskimg.chain.readback import watch

    return watch(payload, contents, where)
