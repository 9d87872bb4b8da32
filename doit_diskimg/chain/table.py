"""Where everything lies, and the bytes of the partition table."""

import json
from collections.abc import Callable

from doit_diskimg.chain.guests import places
from doit_diskimg.chain.job import Job
from doit_diskimg.chain.keeping import check
from doit_diskimg.chain.populate import asking, facts_of, room_of
from doit_diskimg.chain.show import layout_map
from doit_diskimg.chain.step import Step
from doit_diskimg.disk.identity import identity_of
from doit_diskimg.disk.layout import place
from doit_diskimg.disk.model import Disk, Noting
from doit_diskimg.disk.placed import TABLE, Layout, encode_layout
from doit_diskimg.disk.sockets import Room
from doit_diskimg.errors import DescriptionError, Problem, WorldError
from doit_diskimg.host.files import RealFiles
from doit_diskimg.host.state import StateFolder, load, write
from doit_diskimg.plan.picture import Picture
from doit_diskimg.plan.stored import encode_plan


def make_table(step: Step) -> str | None:
    """Write ``layout.json``, the table's plan and its blob; show the map if it is new."""
    job, state, settled = step.job, step.job.state, list[str]()
    with asking(step) as files:
        layout = place(
            job.disk, _rooms(job, files), _lengths(job.disk, files), _settle(job, files, settled)
        )
        check(job.disk, layout, places(state, job.guests))
        picture = Picture()
        if job.disk.table is not None:
            picture = job.disk.table.encode(
                layout.size, identity_of(job.disk), layout.recorded()
            )
        state.write_plan(TABLE, encode_plan(picture))
        is_new = write(state.file("layout.json"), encode_layout(layout))
    if not is_new:
        return None
    return "\n".join([layout_map(layout), *settled, *_notes(job.disk, layout)])


def _settle(job: Job, files: RealFiles, settled: list[str]) -> Callable[[int, int], Room]:
    """Return what asks the partition with the rest for its room; it notes the answer in words."""

    def settle(index: int, length: int) -> Room:
        part = job.disk.parts()[index]
        room = part.payload.room(length, files, part.where, job.disk.sector_size)
        settled.extend(f"{part.name}: {facts_of(room)}" for _ in room.facts[:1])
        return room

    return settle


def _notes(disk: Disk, layout: Layout) -> list[str]:
    if not isinstance(disk.table, Noting):
        return []
    return [f"note: {note}" for note in disk.table.notes(disk, layout.regions)]


def _rooms(job: Job, files: RealFiles) -> list[Room]:
    rooms, problems = [], list[Problem]()
    for part in job.disk.parts():
        try:
            if not part.wish.asked_first:
                rooms.append(Room(length=0))
            elif part.payload.populated:
                rooms.append(_geometry(job.state, part.name))
            else:
                rooms.append(room_of(job.disk, part, files))
        except (DescriptionError, WorldError) as error:
            problems += error.problems
    if problems:
        raise WorldError(*problems)
    return rooms


def _geometry(state: StateFolder, name: str) -> Room:
    def decode(text: bytes) -> Room:
        data = json.loads(text)
        return Room(length=data["length"], type=data["type"])

    return load(state.file(name, ".geometry.json"), decode)


def _lengths(disk: Disk, files: RealFiles) -> dict[str, int]:
    return {segment.name: segment.measure(files, where) for where, segment in disk.outside}
