"""One volume: how much room it takes, and its plan of names, directories, clusters and contents."""

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager

from doit_diskimg.chain.own_sources import written
from doit_diskimg.chain.pictures import fill, write_places
from doit_diskimg.chain.step import Step
from doit_diskimg.disk.model import Disk, Part
from doit_diskimg.disk.sockets import Room
from doit_diskimg.errors import Problem
from doit_diskimg.host.files import RealFiles
from doit_diskimg.host.state import read_record, write_json, write_record
from doit_diskimg.plan.content import FORMAT, Tree
from doit_diskimg.plan.recipe import Contents
from doit_diskimg.plan.stored import encode_plan


def decide_geometry(step: Step) -> str | None:
    """Write ``P.geometry.json``; say what the volume is if it is new."""
    job, part = step.job, step.job.disk.parts()[step.index]
    with asking(step) as files:
        room = room_of(job.disk, part, files)
        if part.wish.length is None:
            # A later run asks about each tree, also if the payload had a size of its own.
            for wanted in part.payload.sources(part.where):
                if isinstance(wanted.source, Tree):
                    files.walk(wanted.source, wanted.where)
        is_new = write_json(
            job.state.file(part.name, ".geometry.json"),
            {"format": FORMAT, "length": room.length, "type": room.type, "facts": room.facts},
        )
    return facts_of(room) if is_new else None


def room_of(disk: Disk, part: Part, files: RealFiles) -> Room:
    """Return how much room a payload takes, of the size that is given, if one is."""
    return part.payload.room(part.wish.length, files, part.where, disk.sector_size)


def facts_of(room: Room) -> str:
    """Return what a user wants to know of a volume."""
    return ", ".join(map(": ".join, room.facts))


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
