"""The action that populates: the bytes of one partition, and what its payload is told of the disk.
"""

from typing import TYPE_CHECKING

from doit_diskimg.frozen import dataclass
from doit_diskimg.host.state import StateFolder, broken, need, read_record, write_record
from doit_diskimg.plan.stored import Plan, decode_plan, encode_plan
from doit_diskimg.tasks import SESSION
from doit_diskimg.tasks.amending import amend, noted
from doit_diskimg.tasks.step import Step, judge

if TYPE_CHECKING:
    from doit_diskimg.disk.placed import Layout
    from doit_diskimg.disk.sockets import Place
    from doit_diskimg.host.files import RealFiles
    from doit_diskimg.plan.picture import Picture


@dataclass(frozen=True)
class Populate(Step):
    """Decides every byte of one file system: names, directories, clusters, contents."""

    index: int

    @property
    def record(self) -> str:
        """The state file with what was asked."""
        return self.state.file(self.disk.partitions[self.index].name, ".files.json")

    @property
    def payload(self) -> str:
        """The file in which a payload goes that programs make."""
        return payload_of(self, self.index)

    def run(self) -> str:
        """Write ``P.plan`` and ``P.blob``, then what was asked; say what should be known of them.
        """
        notes = amend(self)
        if notes is None:
            from doit_diskimg.host.files import RealFiles

            files = RealFiles(
                read_record(self.record), self.payload, self.written, judge, SESSION
            )
            picture = self._plan(files)
            write_record(self.record, {**files.record(), **noted(self, picture)})
            notes = [*picture.notes]
        return "\n".join(notes)

    def _plan(self, files: "RealFiles") -> "Picture":
        from doit_diskimg.tasks.numbers import write_places

        part, state = self.disk.partitions[self.index], self.state
        picture = fill(self, self.index, files)
        write_places(self, self.index, picture, files)
        state.write_plan(part.name, encode_plan(picture))
        return picture


def stored_plan(state: StateFolder, name: str) -> Plan:
    """Return the plan of a part, at which nobody has looked yet.  Raises WorldError."""
    return Plan(need(state.file(name, ".plan")), need(state.file(name, ".blob")))


def planned(state: StateFolder, name: str) -> "Picture":
    """Return what an earlier task planned for a part.  Raises WorldError."""
    try:
        return decode_plan(stored_plan(state, name))
    except (ValueError, KeyError, TypeError) as error:
        raise broken(state.file(name, ".plan"), f"it can't be used: {error}") from error


def payload_of(step: Step, index: int) -> str:
    """Return the file in which a partition's payload goes that programs make."""
    return step.state.file(step.disk.partitions[index].name, ".payload")


def fill(step: Step, index: int, files: "RealFiles") -> "Picture":
    """Return the bytes of a partition's payload.  Raises DescriptionError or WorldError."""
    part = step.disk.partitions[index]
    return part.payload.fill(place_of(step, index, files), files, f"partitions[{index}]")


def place_of(step: Step, index: int, files: "RealFiles") -> "Place":
    """Return what a partition's payload is told of the disk."""
    from doit_diskimg.disk.identity import partition_guid
    from doit_diskimg.disk.sockets import Place
    from doit_diskimg.tasks.numbers import DiskNumbers

    part, layout = step.disk.partitions[index], layout_of(step)
    return Place(
        extent=layout.extent(part.name),
        sector_size=layout.sector_size,
        identity=partition_guid(step.disk, part),
        epoch=step.epoch,
        bare=step.disk.is_one_volume,
        name=part.name,
        numbers=DiskNumbers(step, layout, files),
    )


def layout_of(step: Step) -> "Layout":
    """Return the layout that the table's task wrote.  Raises WorldError."""
    from doit_diskimg.disk.placed import decode_layout

    path = step.state.file("layout.json")
    try:
        return decode_layout(need(path))
    except (ValueError, KeyError, TypeError) as error:
        raise broken(path, f"it can't be read: {error}") from error
