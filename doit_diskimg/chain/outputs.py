"""The outputs of a disk: files made of the finished image, which keep up with it."""

from collections.abc import Iterator, Mapping
from typing import Any

from doit_diskimg.chain.guests import ours
from doit_diskimg.chain.job import Job
from doit_diskimg.chain.own_sources import written_by_output
from doit_diskimg.chain.results import injected, layout_of
from doit_diskimg.chain.step import Step
from doit_diskimg.disk.model import Disk
from doit_diskimg.disk.placed import TABLE, Layout
from doit_diskimg.disk.sockets import Selective
from doit_diskimg.errors import SourceChanged, WorldError
from doit_diskimg.extent import Extent, merged
from doit_diskimg.host import own
from doit_diskimg.host.files import RealFiles
from doit_diskimg.host.paths import normal
from doit_diskimg.host.recorded import still_true
from doit_diskimg.host.seal import sealed_digest
from doit_diskimg.host.state import read_record, write_record
from doit_diskimg.host.work import RealWork
from doit_diskimg.plan.content import Tree
from doit_diskimg.plan.picture import Picture

_Values = dict[str, Any]


def make_output(step: Step) -> str | None:
    """Write the file; it takes its name when it is whole and the image has not changed."""
    disk, state = step.job.disk, step.job.state
    output, where = disk.outputs[step.index], f"outputs[{step.index}]"
    digest = sealed_digest(state.image)
    record = _record(step) if step.asked else {}
    final, claims = step.results[0], step.claims
    own.check_target(final)
    if not own.is_recorded(claims) and step.facts.made(final):
        own.claim(claims, final, final)  # the record was lost
    own.check_file(claims, final, replace=disk.replace)
    with _work(step.job, final) as work:
        text = output.make(disk, work, where)
        if not digest or sealed_digest(state.image) != digest:
            raise _changed(f"{state.image!r} changed", final)
        if step.asked and (change := still_true(record, step.trees, step.job.session)[0]):
            raise _changed(change, final)
        own.claim(claims, work.target, final)
        work.finish()
    if step.asked:
        write_record(step.asked.path, record)
    return text


def _work(job: Job, final: str) -> RealWork:
    layout = layout_of(job)
    pictures = injected(job.state, ours(job.state, job.parts), job.state.generation())
    pieces = (piece for picture in pictures.values() for piece in picture.pieces)
    whole = [part.extent for part in layout.partitions if part.name not in pictures]
    written = (Extent(piece.start, piece.length) for piece in pieces)
    covered = list(merged([*written, *whole]))
    return RealWork(
        image=job.state.image,
        final=final,
        size=layout.size,
        epoch=job.epoch,
        partitions=layout.partitions,
        covered=covered,
        needed=list(merged([*covered, *_needed(job.disk, layout, pictures)])),
    )


def _needed(
    disk: Disk, layout: Layout, pictures: Mapping[str, Picture]
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


def _record(step: Step) -> _Values:
    """Return the state of every source."""
    assert step.asked is not None
    # An output can't be made of itself, or of the state.
    written = written_by_output(step.job.disk, step.index)
    known = read_record(step.asked.path)
    files = RealFiles(known, written=written, session=step.job.session)
    for wanted in step.sources:
        if isinstance(wanted.source, Tree):
            for entry in files.walk(wanted.source, wanted.where):
                if entry.source is not None:
                    _ask(files, entry.source, wanted.where)
        elif not isinstance(wanted.source, bytes):
            _ask(files, normal(wanted.source), wanted.where)
    return files.record()


def _ask(files: RealFiles, path: str, where: str) -> None:
    """Ask what an output may store of a file."""
    files.digest(path, where)
    files.executable(path, where)


def _changed(what: str, path: str) -> WorldError:
    return WorldError(SourceChanged(
        path, f"{what} while this was made of it", "must stay as it is until the build is done",
        "run doit again",
    ))
