"""The tasks of a disk's outputs: one each, after the seal."""

from collections.abc import Iterator, Mapping, Sequence
from os.path import abspath
from typing import TYPE_CHECKING, Any

from doit_diskimg.disk import links
from doit_diskimg.disk.identity import disk_guid
from doit_diskimg.disk.placed import TABLE
from doit_diskimg.disk.sockets import Selective
from doit_diskimg.extent import Extent, merged
from doit_diskimg.frozen import dataclass
from doit_diskimg.host.machine import Signature
from doit_diskimg.host.paths import normal, one_place
from doit_diskimg.plan.content import Tree, Wanted
from doit_diskimg.plan.recipe import Program
from doit_diskimg.tasks import SESSION
from doit_diskimg.tasks.action import CLAIMS, Action, CleanFile
from doit_diskimg.tasks.turn import in_turn
from doit_diskimg.tasks.uptodate import AsSeen

if TYPE_CHECKING:
    from doit_diskimg.disk.model import Disk
    from doit_diskimg.disk.placed import Layout
    from doit_diskimg.errors import WorldError
    from doit_diskimg.host.files import RealFiles
    from doit_diskimg.host.work import RealWork
    from doit_diskimg.host.written import Written
    from doit_diskimg.plan.picture import Picture
    from doit_diskimg.tasks.chain import DiskTasks

_Values = dict[str, Any]


@dataclass(frozen=True)
class MakeOutput(Action):
    """Makes one file of the finished image."""

    index: int
    parts: Sequence[str]

    def run(self) -> str | None:
        """Write the file; it takes its name when it is whole and the image has not changed."""
        from doit_diskimg.host import own
        from doit_diskimg.host.recorded import still_true
        from doit_diskimg.host.seal import sealed_digest
        from doit_diskimg.host.state import read_record, write_record
        from doit_diskimg.host.target import check_target

        output, where = self.disk.outputs[self.index], f"outputs[{self.index}]"
        digest = sealed_digest(self.state.image)
        sources = list(output.sources(where, self.disk))
        record_file = self.state.file(output.name, ".made.json")
        record = _record(sources, read_record(record_file), self.written) if sources else {}
        final, claims = normal(output.path), self.state.file(output.name, CLAIMS)
        check_target(final)
        own.check_file(claims, final, replace=self.disk.replace)
        with self._work(final) as work:
            text = output.make(self.disk, work, where)
            if not digest or sealed_digest(self.state.image) != digest:
                raise _changed(f"{self.state.image!r} changed", final)
            if sources and (change := still_true(record, _trees(sources), SESSION)[0]):
                raise _changed(change, final)
            own.claim(claims, work.target, final)
            work.finish()
        if sources:
            write_record(record_file, record)
        return text

    @property
    def written(self) -> "Written":
        """What an output can't be made of: itself, and the state."""
        from doit_diskimg.chain.own_sources import written_by_output

        return written_by_output(self.disk, self.index)

    def _work(self, final: str) -> "RealWork":
        from doit_diskimg.chain.guests import ours
        from doit_diskimg.chain.layout_of import layout_of
        from doit_diskimg.chain.results import injected
        from doit_diskimg.host.work import RealWork

        layout = layout_of(self.job)
        generation = self.state.generation()
        pictures = injected(self.state, ours(self.state, self.parts), generation)
        pieces = (piece for picture in pictures.values() for piece in picture.pieces)
        whole = [part.extent for part in layout.partitions if part.name not in pictures]
        written = (Extent(piece.start, piece.length) for piece in pieces)
        covered = list(merged([*written, *whole]))
        return RealWork(
            image=self.state.image,
            final=final,
            size=layout.size,
            epoch=self.epoch,
            partitions=layout.partitions,
            covered=covered,
            needed=list(merged([*covered, *_needed(self.disk, layout, pictures)])),
        )


def _needed(
    disk: "Disk", layout: "Layout", pictures: "Mapping[str, Picture]"
) -> Iterator[Extent]:
    """Yield what some reader relies on, zeros included; see `abilities.Selective`."""
    yield from (region.extent for region in layout.regions if region.where == TABLE)
    for partition in disk.partitions:
        extent = layout.extent(partition.name)
        if isinstance(partition.payload, Selective) and partition.name in pictures:
            yield from partition.payload.needed(extent, pictures[partition.name])
        else:
            yield extent
    for _, segment in disk.outside:
        if segment.size is not None:
            yield layout.extent(segment.name)


def _record(sources: Sequence[Wanted], known: _Values, written: "Written") -> _Values:
    """Return the state of every source."""
    from doit_diskimg.host.files import RealFiles

    files = RealFiles(known, written=written, session=SESSION)
    for wanted in sources:
        if isinstance(wanted.source, Tree):
            for entry in files.walk(wanted.source, wanted.where):
                if entry.source is not None:
                    _ask(files, entry.source, wanted.where)
        elif not isinstance(wanted.source, bytes):
            _ask(files, normal(wanted.source), wanted.where)
    return files.record()


def _ask(files: "RealFiles", path: str, where: str) -> None:
    """Ask what an output may store of a file."""
    files.digest(path, where)
    files.executable(path, where)


def _trees(sources: Sequence[Wanted]) -> list[Tree]:
    return [wanted.source for wanted in sources if isinstance(wanted.source, Tree)]


def _changed(what: str, path: str) -> "WorldError":
    from doit_diskimg.errors import SourceChanged, WorldError

    return WorldError(SourceChanged(
        path, f"{what} while this was made of it", "must stay as it is until the build is done",
        "run doit again",
    ))


def output_task(tasks: "DiskTasks", index: int) -> _Values:
    """Return the task of one output."""
    disk, output = tasks.disk, tasks.disk.outputs[index]
    sources = list(output.sources(f"outputs[{index}]", disk))
    task = tasks.task(
        output.name,
        f"make {normal(output.path)} of the image",
        MakeOutput(disk, tasks.epoch, index, tasks.parts),
        targets=one_place(output.path),
        spec=[
            output, output.made_with, str(disk_guid(disk)), tasks.epoch, sources,
            # What it may ask of the disk and what is not in the image's bytes: its names.
            normal(disk.image), disk.partitions,
        ],
        sizes_of=sources,
        record=tasks.state.file(output.name, ".made.json") if sources else None,
    )
    task["task_dep"] = [*task["task_dep"], f"{disk.name}:seal"]
    path, record = normal(output.path), tasks.state.file(output.name, CLAIMS)
    task["uptodate"] += [
        ContentsAsMade(normal(disk.image)), ProgramsAsMade(output.programs), Claimed(record, path),
    ]
    return {**task, "clean": [CleanFile(normal(disk.image), disk.name, record, path)]}


def linked_task(tasks: "DiskTasks", path: str) -> _Values:
    """Return the task of the linked image."""
    from doit_diskimg.host.linked_image import receipt_path, rest_path, state_path
    from doit_diskimg.tasks.linked_task import WriteLinked

    disk, state = tasks.disk, tasks.state
    planned = [part.name for part in disk.partitions if part.payload.populated]
    unplanned = [name for name in tasks.parts if name not in planned]
    planned += [TABLE] if disk.table is not None else []
    sources = [
        source
        for index, part in enumerate(disk.partitions)
        if not part.payload.populated
        for source in part.payload.sources(f"partitions[{index}]")
    ]
    sources += [want for where, segment in disk.outside for want in segment.sources(where)]
    task = tasks.task(
        "linked",
        f"make {path}, which shows the disk without writing it",
        WriteLinked(disk, tasks.epoch, path),
        deps=[
            state.file("layout.json"),
            *(state.file(name, suffix) for name in planned for suffix in (".plan", ".blob")),
        ],
        targets=[path, rest_path(state), receipt_path(state), state_path(state)],
        spec=[disk.partitions, disk.boot, disk.segments, str(disk_guid(disk)), abspath(path)],
        contents_of=sources,
        needs=links.needs(disk, *unplanned),
        record=state.file("linked.sources.json"),
    )
    task["basename"] = f"{task.pop('basename')}:{task.pop('name')}"
    record = state.file("linked", CLAIMS)
    task["uptodate"].append(Claimed(record, path))
    clean = CleanFile(normal(disk.image), disk.name, record, path, task["targets"][1:])
    return in_turn({**task, "clean": [clean]}, state, disk.name)


class Claimed:
    """Records which file is ours where an earlier version of the package has made it.

    It says nothing about the task; doit's own record of the task has what the file was.  Of a copy
    of the whole project the inodes are other ones.
    """

    def __init__(self, record: str, path: str) -> None:
        self._record = record
        self._path = path

    def __call__(self, task: Any, values: _Values) -> None:
        """Called by doit; None says nothing about the task."""
        import os

        if os.path.lexists(self._record) or not os.path.lexists(self._path):
            return
        from contextlib import suppress

        from doit_diskimg.host import own
        from doit_diskimg.tasks.uptodate import as_written

        with suppress(KeyError, TypeError, ValueError, OSError):
            if as_written(values, task.targets, self._path, inode=False):
                own.claim(self._record, self._path, self._path)


class ContentsAsMade(AsSeen):
    """The image holds what it held when the output was made."""

    KEY = "doit_diskimg:image"

    def __init__(self, image: str) -> None:
        self._image = image

    def see(self, before: Any) -> str:
        """Return the digest of what was sealed."""
        from doit_diskimg.host.seal import sealed_digest

        return sealed_digest(self._image)

    def difference(self, before: Any, now: str) -> str:
        """Return whether it holds something else, or is not finished."""
        return "" if now and now == before else f"the contents of {self._image!r} changed"


class ProgramsAsMade(AsSeen):
    """The programs that an output is made with are of the same version.

    One that is gone is missed when it is needed again: what it made is still right.
    """

    KEY = "doit_diskimg:programs"

    def __init__(self, programs: Sequence[Program]) -> None:
        self._programs = programs

    def see(self, before: Any) -> _Values:
        """Return of each program its file and its version, which is asked of another file only."""
        known = before or {}
        return {one.name: _installed(one, known.get(one.name, [])) for one in self._programs}

    def difference(self, before: Any, now: _Values) -> str:
        """Return a program that is there and of another version."""
        for name, found in now.items():
            if found and found[-1:] != (before or {}).get(name, [])[-1:]:
                return f"{name} is of another version"
        return ""


def _installed(program: Program, known: Sequence[object] = ()) -> list[object]:
    """Return a program's file, that file's signature, and its version; empty if it is missing."""

    from doit_diskimg.errors import WorldError
    from doit_diskimg.host.program import find, version

    path = find(program)
    if path is None:
        return []
    try:
        file = [path, [*Signature.of(path)]]
        if [*known[:2]] == file:
            return [*known]
        return [*file, version(program, path, program.name)]
    except (OSError, WorldError) as error:
        return [path, [], str(error)]  # the task will run into it and say so
