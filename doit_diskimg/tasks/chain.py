"""The tasks of one disk: what each depends on, what it makes, what decides whether it runs."""

from collections.abc import Iterable, Iterator
from os import fspath
from typing import TYPE_CHECKING, Any

from doit_diskimg.disk import links
from doit_diskimg.disk.links import NOTHING, Needs
from doit_diskimg.disk.model import Disk, Partition
from doit_diskimg.disk.placed import TABLE
from doit_diskimg.frozen import dataclass
from doit_diskimg.host.paths import normal, one_place, spellings, spellings_below
from doit_diskimg.host.state import StateFolder
from doit_diskimg.plan.canonical import canonical_digest
from doit_diskimg.plan.content import FORMAT, Tree, Wanted
from doit_diskimg.tasks import SESSION
from doit_diskimg.tasks.guests import guests_of, left_to_guest, resets
from doit_diskimg.tasks.on_request import crosscheck_tasks, verify_task
from doit_diskimg.tasks.step import INJECTED_FILES, PLACES, Clean, Late, Step
from doit_diskimg.tasks.turn import in_turn
from doit_diskimg.tasks.uptodate import (
    ImageAsSealed,
    PlaceAsPlanned,
    Recorded,
    SourcesAsPlanned,
)

if TYPE_CHECKING:
    from doit_diskimg.disk.segment import Segment

_Task = dict[str, Any]


@dataclass(frozen=True)
class DiskTasks:
    """Makes the tasks of one disk, in the order of the work."""

    disk: Disk
    epoch: int

    def __iter__(self) -> Iterator[_Task]:
        yield {
            "basename": self.disk.name,
            "name": None,
            "doc": f"build the disk image {normal(self.disk.image)}",
        }
        state, name = self.state, self.disk.name
        yield from (in_turn(task, state, name) for task in self._tasks())

    def _tasks(self) -> Iterator[_Task]:
        yield from map(self._format, filter(self._formatted, range(len(self.disk.partitions))))
        yield self._table()
        yield self._create()
        for index, part in enumerate(self.disk.partitions):
            if part.payload.populated:
                steps = [self._populate(index), self._inject(part.name, part.name)]
            else:
                steps = [self._inject_file(index)]
            yield from (left_to_guest(step, self.state) if part.persist else step for step in steps)
        yield from map(self._inject_segment, range(len(self.disk.outside)))
        if self.disk.table is not None:
            yield self._inject(TABLE, "the partition table")
        yield self._seal()
        yield verify_task(self)
        yield from resets(self.disk, self.epoch, self.state)
        yield from crosscheck_tasks(self)
        if self.disk.outputs:
            from doit_diskimg.tasks.output_task import output_task

            yield from (output_task(self, index) for index in range(len(self.disk.outputs)))

    @property
    def state(self) -> StateFolder:
        """The state folder of the image."""
        return StateFolder(normal(self.disk.image))

    def _formatted(self, index: int) -> bool:
        """Whether a volume has a geometry before the layout; the one with the rest has not."""
        part = self.disk.parts()[index]
        return part.payload.populated and part.wish.asked_first

    def _format(self, index: int) -> _Task:
        part = self.disk.parts()[index]
        sources = part.payload.sources(part.where)
        # Without a size the lengths of the files decide; with one, those that say so.
        automatic = part.wish.length is None
        return self.task(
            f"{part.name}:format",
            f"decide the geometry of the volume in {part.name}",
            Late("steps.Format", self.disk, self.epoch, index),
            targets=[self.state.file(part.name, ".geometry.json")],
            spec=[part.wish.length, self.disk.sector_size, part.payload.blank()],
            sizes_of=[want for want in sources if automatic or want.decides_room],
            record=self.state.file(part.name, ".files-geometry.json"),
        )

    def _table(self) -> _Task:
        disk, state = self.disk, self.state
        spec_ = [
            disk.name, disk.size, disk.table, disk.align, disk.guid, disk.signature,
            disk.power_of_two,
            [[part.name, part.type, part.start, part.size, part.align, part.guid, part.attributes,
              part.active, part.logical, part.in_table, part.persist, part.partition_name,
              None if self._formatted(index) else _room(part)]
             for index, part in enumerate(disk.partitions)],
            [[segment.name, segment.start, segment.size, segment.offset, segment.length,
              segment.keep, _length_or_path(segment)]
             for _, segment in disk.outside],
        ]
        wanted = [
            source
            for part in disk.parts()
            for source in part.payload.sources(part.where)
            if not part.payload.populated or (part.wish.grows and source.decides_room)
        ]
        wanted += [want for where, segment in disk.outside for want in segment.sources(where)]
        return self.task(
            TABLE,
            "decide the place of everything, and the partition table",
            Late("steps.MakeTable", disk, self.epoch),
            deps=[
                state.file(part.name, ".geometry.json")
                for index, part in enumerate(disk.partitions)
                if self._formatted(index)
            ],
            targets=[
                state.file("layout.json"), state.file(TABLE, ".plan"), state.file(TABLE, ".blob"),
            ],
            spec=spec_,
            sizes_of=wanted,
            record=state.file(TABLE, ".files.json"),
        )

    def _create(self) -> _Task:
        task = self.task(
            "create",
            "make the new, empty, sparse image",
            Late("steps.Create", self.disk, self.epoch),
            targets=[self.state.file("generation")],
            spec=[],
        )
        task["task_dep"] = [f"{self.disk.name}:{TABLE}"]
        task["uptodate"].append(ImageAsSealed(normal(self.disk.image), guests_of(self.disk)))
        return task

    def _populate(self, index: int) -> _Task:
        part, state = self.disk.partitions[index], self.state
        located = links.located(self.disk, part.name)
        return self.task(
            f"{part.name}:populate",
            f"decide every byte of the volume in {part.name}",
            Late("populating.Populate", self.disk, self.epoch, index),
            deps=[state.file(part.name, ".geometry.json")] if self._formatted(index) else [],
            placed=part.name,
            targets=[
                state.file(part.name, ".plan"), state.file(part.name, ".blob"),
                *([state.file(part.name, PLACES)] if located else []),
            ],
            spec=[*self._payload_spec(part), located],
            needs=links.needs(self.disk, part.name),
            contents_of=part.payload.sources(f"partitions[{index}]"),
            record=state.file(part.name, ".files.json"),
        )

    def _payload_spec(self, part: Partition) -> list[object]:
        """Return all but files and place that decides the bytes of a partition; see `ports.Place`.
        """
        disk = self.disk
        bare = disk.is_one_volume
        return [part.payload, disk.named(part), self.epoch, disk.sector_size, bare]

    def _inject(self, name: str, what: str) -> _Task:
        state = self.state
        return self.task(
            f"{name}:inject",
            f"write what differs of {what} into the image",
            Late("injection.Inject", self.disk, self.epoch, name),
            deps=[
                state.file(name, ".plan"), state.file(name, ".blob"), state.file("generation"),
            ],
            targets=[state.file(name, ".injected")],
            spec=[],
        )

    def _inject_file(self, index: int) -> _Task:
        part = self.disk.partitions[index]
        return self._inject_sources(
            part.name,
            Late("injection.InjectFile", self.disk, self.epoch, part.name, index),
            spec=self._payload_spec(part),
            sources=part.payload.sources(f"partitions[{index}]"),
        )

    def _inject_segment(self, index: int) -> _Task:
        where, segment = self.disk.outside[index]
        return self._inject_sources(
            segment.name,
            Late("injection.InjectSegment", self.disk, self.epoch, segment.name, index),
            spec=[segment],
            sources=segment.sources(where),
        )

    def _inject_sources(
        self, name: str, step: Late, spec: object, sources: Iterable[Wanted]
    ) -> _Task:
        state = self.state
        return self.task(
            f"{name}:inject",
            f"write what differs of {name} into the image",
            step,
            deps=[state.file("generation")],
            placed=name,
            targets=[state.file(name, ".injected")],
            spec=spec,
            contents_of=sources,
            record=state.file(name, INJECTED_FILES),
            needs=links.needs(self.disk, name),
        )

    def _seal(self) -> _Task:
        disk, state, parts, guests = self.disk, self.state, self.parts, guests_of(self.disk)
        task = self.task(
            "seal",
            "declare the image finished",
            Late("injection.Seal", disk, self.epoch, parts),
            deps=[
                state.file("generation"),
                *(state.file(name, ".injected") for name in parts if name not in guests),
            ],
            targets=[state.file("seal.json"), *one_place(disk.image)],
            spec=parts,
        )
        task["task_dep"] += [f"{disk.name}:{name}:inject" for name in guests]
        task["uptodate"].append(ImageAsSealed(normal(disk.image), guests))
        task["clean"] = [Clean(normal(disk.image), disk.name, guests)]
        return task

    @property
    def parts(self) -> list[str]:
        """The names of everything that is injected."""
        parts = [part.name for part in self.disk.partitions]
        parts += [segment.name for _, segment in self.disk.outside]
        return parts if self.disk.table is None else [*parts, TABLE]

    def task(
        self,
        name: str,
        doc: str,
        action: object,
        *,
        targets: list[str],
        spec: object,
        deps: Iterable[str] = (),
        contents_of: Iterable[Wanted] = (),
        sizes_of: Iterable[Wanted] = (),
        record: str | None = None,
        placed: str | None = None,
        needs: Needs = NOTHING,
    ) -> _Task:
        """Return one task.

        ``deps`` are state files of earlier tasks, ``contents_of`` and ``sizes_of`` sources of the
        user's, ``record`` the file in which the task keeps what it asked about them, ``placed``
        the part of the disk whose place it needs to know, ``needs`` what it needs of others.
        """
        sources, others, numbers = self._of_others(needs)
        contents, sizes = [*contents_of, *sources], list(sizes_of)
        trees = [want.source for want in contents + sizes if isinstance(want.source, Tree)]
        first = {name: None for tree in trees for name in tree.after}  # a set that keeps order
        deps = list(deps)
        order = [path for want in contents + sizes for path in _spelled(want)]
        digest = canonical_digest([FORMAT, spec, *others])
        uptodate: list[object] = [Recorded(digest, targets)]
        if record is not None:
            uptodate.append(SourcesAsPlanned(record, deps, trees))
        if placed is not None:
            uptodate.append(PlaceAsPlanned(self.state.file("layout.json"), placed))
        uptodate += numbers
        before = [TABLE] if placed or needs != NOTHING else []
        before += [f"{volume}:populate" for volume in needs.volumes]
        return {
            "basename": self.disk.name,
            "name": name,
            "doc": doc,
            "actions": [action],
            "file_dep": [*deps, *order],
            "task_dep": [*first, *(f"{self.disk.name}:{step}" for step in before)],
            "targets": targets,
            "uptodate": uptodate,
            "watch": [normal(tree.dir) for tree in trees],
            "verbosity": 2,
        }

    def _of_others(self, needs: Needs) -> tuple[list[Wanted], list[object], list[object]]:
        """Return the sources of the parts that are needed, how they are described, and the check
        that the numbers are as they were.
        """
        if needs == NOTHING:
            return [], [], []
        from doit_diskimg.tasks.numbers import NumbersAsResolved, described, sources_of

        check = NumbersAsResolved(Step(self.disk, self.epoch), needs)
        parts = self.disk, needs.parts
        return [*sources_of(*parts)], [*described(*parts)], [check]


def _room(part: Partition) -> object:
    """Return what decides the room of a partition whose payload the layout itself asks.

    One that is written as it is may say anything of itself: its type is its fields' business too.
    """
    return part.payload.blank() if part.payload.populated else part.payload


def _length_or_path(segment: "Segment") -> object:
    """Return what the layout needs to know of a segment: of bytes, only how many there are."""
    source = getattr(segment.source, "source", segment.source)  # of boot code, its file
    return len(source) if isinstance(source, bytes) else source


def _spelled(wanted: Wanted) -> Iterable[str]:
    """Return every spelling of the files of one source as they are now.

    A tree may gain some until the task runs.  Of one with ``after`` nothing is known yet, and
    nothing need be: the order is in the description, and what the files are is in the record.
    """
    from doit_diskimg.errors import WorldError
    from doit_diskimg.host.walk import walk

    if isinstance(wanted.source, Tree):
        if wanted.source.after:
            return ()
        try:
            entries = walk(wanted.source, wanted.where, SESSION)
        except WorldError:
            return ()  # its task will say so
        paths = [entry.source for entry in entries if entry.source]
        return spellings_below(normal(wanted.source.dir), paths)
    return () if isinstance(wanted.source, bytes) else spellings(fspath(wanted.source))
