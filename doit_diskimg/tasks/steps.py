"""The first actions, in the order of the work: format, table, create.

Each asks the pure parts what to do and the host to do it; nothing is decided here.  `populating`
and `injection` have those that come after.
"""

import json

from doit_diskimg.disk.identity import identity_of
from doit_diskimg.disk.model import Disk, Noting, Part
from doit_diskimg.disk.placed import TABLE, Layout, decode_places, encode_layout
from doit_diskimg.disk.sockets import Room
from doit_diskimg.errors import DescriptionError, ImageWritten, Problem, WorldError
from doit_diskimg.frozen import dataclass
from doit_diskimg.host import kept, seal
from doit_diskimg.host.files import RealFiles
from doit_diskimg.host.image import create_sparse
from doit_diskimg.host.kept import Places
from doit_diskimg.host.machine import new_generation, running_as_root
from doit_diskimg.host.patching import alone
from doit_diskimg.host.state import broken, need, write, write_json
from doit_diskimg.plan.content import FORMAT, Tree
from doit_diskimg.plan.picture import Picture
from doit_diskimg.plan.stored import encode_plan
from doit_diskimg.tasks import proof
from doit_diskimg.tasks.guests import guests_of, places
from doit_diskimg.tasks.keeping import check, listed, only_guests_wrote, settled
from doit_diskimg.tasks.populating import layout_of, planned
from doit_diskimg.tasks.step import Asking, Step


@dataclass(frozen=True)
class Format(Asking):
    """Decides the geometry of one file system: how much room it takes, and its type."""

    index: int

    @property
    def record(self) -> str:
        """The state file with what was asked."""
        return self.state.file(self.disk.partitions[self.index].name, ".files-geometry.json")

    def work(self, files: RealFiles) -> str | None:
        """Write ``P.geometry.json``; say what the volume is if it is new."""
        part = self.disk.parts()[self.index]
        room = _room(self.disk, part, files)
        if part.wish.length is None:
            # A later run asks about each tree, also if the payload had a size of its own.
            for wanted in part.payload.sources(part.where):
                if isinstance(wanted.source, Tree):
                    files.walk(wanted.source, wanted.where)
        is_new = write_json(
            self.state.file(part.name, ".geometry.json"),
            {"format": FORMAT, "length": room.length, "type": room.type, "facts": room.facts},
        )
        return _facts(room) if is_new else None


def _room(disk: Disk, part: Part, files: RealFiles) -> Room:
    return part.payload.room(part.wish.length, files, part.where, disk.sector_size)


def _facts(room: Room) -> str:
    return ", ".join(map(": ".join, room.facts))


@dataclass(frozen=True)
class MakeTable(Asking):
    """Places everything and makes the bytes of the partition table."""

    @property
    def record(self) -> str:
        """The state file with what was asked."""
        return self.state.file(TABLE, ".files.json")

    def work(self, files: RealFiles) -> str | None:
        """Write ``layout.json``, the table's plan and its blob; show the map if it is new."""
        from doit_diskimg.disk.layout import place

        settled: list[str] = []

        def settle(index: int, length: int) -> Room:
            part = self.disk.parts()[index]
            room = part.payload.room(length, files, part.where, self.disk.sector_size)
            settled.extend(f"{part.name}: {_facts(room)}" for _ in room.facts[:1])
            return room

        layout = place(self.disk, self._rooms(files), self._lengths(files), settle)
        check(self.disk, layout, places(self.state, guests_of(self.disk)))
        picture = Picture()
        if self.disk.table is not None:
            picture = self.disk.table.encode(
                layout.size, identity_of(self.disk), layout.recorded()
            )
        self.state.write_plan(TABLE, encode_plan(picture))
        if write(self.state.file("layout.json"), encode_layout(layout)):
            from doit_diskimg.tasks.show import layout_map

            return "\n".join([layout_map(layout), *settled, *self._notes(layout)])
        return None

    def _notes(self, layout: Layout) -> list[str]:
        table = self.disk.table
        if not isinstance(table, Noting):
            return []
        return [f"note: {note}" for note in table.notes(self.disk, layout.regions)]

    def _rooms(self, files: RealFiles) -> list[Room]:
        rooms, problems = [], list[Problem]()
        for part in self.disk.parts():
            try:
                if not part.wish.asked_first:
                    rooms.append(Room(length=0))
                elif part.payload.populated:
                    rooms.append(self._geometry(part))
                else:
                    rooms.append(_room(self.disk, part, files))
            except (DescriptionError, WorldError) as error:
                problems += error.problems
        if problems:
            raise WorldError(*problems)
        return rooms

    def _geometry(self, part: Part) -> Room:
        path = self.state.file(part.name, ".geometry.json")
        try:
            data = json.loads(need(path))
            return Room(length=data["length"], type=data["type"])
        except (ValueError, KeyError, TypeError) as error:
            raise broken(path, f"it can't be read: {error}") from error

    def _lengths(self, files: RealFiles) -> dict[str, int]:
        return {
            segment.name: segment.measure(files, where) for where, segment in self.disk.outside
        }


@dataclass(frozen=True)
class Create(Step):
    """Makes the new, empty, sparse image of a new generation, beside the old one.

    An image in which a guest wrote nothing but what is its own stays what it is.
    """

    def run(self) -> str:
        """Write the image and ``generation``; say why, if somebody else gave the reason."""
        with alone(self.state):  # with -n the same run may be about to give up a guest's bytes
            return self._create()

    def _create(self) -> str:
        state, layout, names = self.state, layout_of(self), guests_of(self.disk)
        found = settled(self, layout, self._table())
        if found:
            with kept.held_still(state.image, listed(found)):
                if only_guests_wrote(self, layout, found):
                    kept.store(state, found)
                    return f"{state.image} is as it was built, but for {listed(found)}"
        news = [self._judge_writes(found), _ROOT if running_as_root() else ""]
        state.make()
        if found or names:
            kept.store(state, found)
        state.discard()
        generation = new_generation()
        create_sparse(state.building(generation), layout.size)
        data = {"format": FORMAT, "id": generation, "skeleton": self._skeleton(), "persist": names}
        write_json(state.file("generation"), data)
        return "\n".join(filter(None, news))

    def _skeleton(self) -> str:
        """Return the digest of what may not change within a generation."""
        return decode_places(need(self.state.file("layout.json")))[1]

    def _table(self) -> Picture:
        if self.disk.table is None:
            return Picture()
        return planned(self.state, TABLE)

    def _judge_writes(self, found: Places) -> str:
        """Return what to say of an image that somebody else wrote to.  Raises WorldError."""
        path, doubt = self.state.image, seal.doubt(self.state)
        if not doubt or not proof.is_ours(self.state):  # somebody else's file, which may go
            return ""
        if self.disk.guest_writes == "error":
            raise WorldError(
                ImageWritten(
                    path, doubt, "guest_writes='error' refuses to build it anew",
                    "save what you need, delete it, and run doit again",
                )
            )
        but = f", but for {listed(found)}" if found else ""
        if doubt == seal.UNKNOWN:
            return f"{path}: {doubt}: it is built anew{but}"
        return f"{path} was written to since it was built: it is built anew{but}"


_ROOT = "note: this build runs as root; it does not need to"
