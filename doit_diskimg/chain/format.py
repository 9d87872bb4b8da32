"""The geometry of one volume: how much room it takes, and its type."""

from doit_diskimg.chain.populate import asking
from doit_diskimg.chain.step import Step
from doit_diskimg.disk.model import Disk, Part
from doit_diskimg.disk.sockets import Room
from doit_diskimg.host.files import RealFiles
from doit_diskimg.host.state import write_json
from doit_diskimg.plan.content import FORMAT, Tree


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
