"""The steps of one disk: what each depends on, what it makes, and when it comes.

Their work is in modules that are imported when a step runs: most runs need few.
"""

from collections.abc import Iterable, Iterator, Sequence
from functools import partial
from typing import Any

from doit_diskimg.chain.facts import Found
from doit_diskimg.chain.job import CLAIMS, INJECTED_FILES, PLACES, Job
from doit_diskimg.chain.step import Step, Work
from doit_diskimg.disk import links
from doit_diskimg.disk.links import NOTHING, Needs
from doit_diskimg.disk.model import Part, Partition
from doit_diskimg.disk.placed import TABLE
from doit_diskimg.host.paths import normal, one_place
from doit_diskimg.host.seal import sealed_digest
from doit_diskimg.plan.content import Wanted
from doit_diskimg.plan.recipe import Program


def steps(job: Job) -> Iterator[Step]:
    """Yield the steps of a disk in the order of the work."""
    yield from geometry(job)
    yield table(job)
    yield create(job)
    yield from populate_and_inject(job)
    yield seal(job)


def geometry(job: Job) -> Iterator[Step]:
    """Yield the steps that decide the geometry of the volumes which the layout has to know."""
    yield from (_volume(job, part) for part in job.disk.parts() if is_formatted(part))


def is_formatted(part: Part) -> bool:
    """Whether a volume has a geometry before the layout; the one with the rest has not."""
    return part.payload.populated and part.wish.asked_first


def _volume(job: Job, part: Part) -> Step:
    sources, size = part.payload.sources(part.where), part.wish.length
    return Step(
        job, f"{part.name}:format", f"decide the geometry of the volume in {part.name}", _format,
        index=part.index,
        about=[size, job.disk.sector_size, part.payload.blank()],
        # Without a size the lengths of the files decide; with one, those that say so.
        sizes_of=[want for want in sources if size is None or want.decides_room],
        record=job.state.file(part.name, ".files-geometry.json"),
        results=[job.state.file(part.name, ".geometry.json")],
    )


def _format(step: Step) -> str | None:
    from doit_diskimg.chain.populate import decide_geometry

    return decide_geometry(step)


def table(job: Job) -> Step:
    """Return the step that places everything, and makes the partition table."""
    disk, state = job.disk, job.state
    formatted = [part.name for part in disk.parts() if is_formatted(part)]
    return Step(
        job, TABLE, "decide the place of everything, and the partition table", _table,
        about=[
            disk.name, disk.size, disk.table, disk.align, disk.guid, disk.signature,
            disk.power_of_two,
            [[part.name, part.type, part.start, part.size, part.align, part.guid, part.attributes,
              part.active, part.logical, part.in_table, part.persist, part.partition_name,
              None if part.name in formatted else _room(part)]
             for part in disk.partitions],
            [[segment.name, segment.start, segment.size, segment.offset, segment.length,
              segment.keep, _length_or_path(segment.source)]
             for _, segment in disk.outside],
        ],
        after=[f"{name}:format" for name in formatted],
        inputs=[state.file(name, ".geometry.json") for name in formatted],
        sizes_of=_asked_by_layout(job),
        record=state.file(TABLE, ".files.json"),
        results=[state.file("layout.json"), *(state.file(TABLE, it) for it in (".plan", ".blob"))],
    )


def _room(part: Partition) -> object:
    """Return what decides the room of a partition whose payload the layout itself asks.

    One that is written as it is may say anything of itself: its type is its fields' business too.
    """
    return part.payload.blank() if part.payload.populated else part.payload


def _length_or_path(source: object) -> object:
    """Return what the layout needs to know of a source: of bytes, only how many there are."""
    source = getattr(source, "source", source)  # that of a `BootCode`
    return len(source) if isinstance(source, bytes) else source


def _asked_by_layout(job: Job) -> Iterator[Wanted]:
    for part in job.disk.parts():
        for source in part.payload.sources(part.where):
            rest = part.wish.grows and source.decides_room
            if rest or not part.payload.populated:
                yield source
    for where, segment in job.disk.outside:
        yield from segment.sources(where)


def _table(step: Step) -> str | None:
    from doit_diskimg.chain.table import make_table

    return make_table(step)


def create(job: Job) -> Step:
    """Return the step that makes the new, empty image file, if the one there is can't be patched.
    """
    return Step(
        job, "create", "make the new, empty, sparse image", _create,
        after=[TABLE],
        unmet=partial(_image_unlike, job),
        results=[job.state.file("generation")],
    )


def _create(step: Step) -> str | None:
    from doit_diskimg.chain.create import create_image

    return create_image(step.job)


def populate_and_inject(job: Job) -> Iterator[Step]:
    """Yield the steps that decide every byte of each part, and write what differs."""
    for part in job.disk.parts():
        if part.payload.populated:
            yield _populate(job, part)
            yield _inject(job, part.name, part.name)
        else:
            yield _inject_file(job, part)
    for index in range(len(job.disk.outside)):
        yield _inject_segment(job, index)
    if job.disk.table is not None:
        yield _inject(job, TABLE, "the partition table")


def _populate(job: Job, part: Part) -> Step:
    state, located = job.state, links.located(job.disk, part.name)
    before = [f"{part.name}:format"] if is_formatted(part) else []
    return Step(
        job, f"{part.name}:populate", f"decide every byte of the volume in {part.name}", _fill,
        index=part.index,
        about=[*_payload_spec(job, part), located],
        after=[*before, TABLE],
        inputs=[state.file(part.name, ".geometry.json")] if before else [],
        placed=part.name,
        **_of_others(job, part.name),
        contents_of=_with_needed(job, part.payload.sources(part.where), part.name),
        record=state.file(part.name, ".files.json"),
        results=[
            state.file(part.name, ".plan"), state.file(part.name, ".blob"),
            *([state.file(part.name, PLACES)] if located else []),
        ],
        **_if_guests(job, part.name),
    )


def _payload_spec(job: Job, part: Part) -> list[object]:
    """Return all but files and place that decides the bytes of a partition; see `ports.Place`."""
    disk = job.disk
    named = disk.named(part.partition)
    return [part.payload, named, job.epoch, disk.sector_size, disk.is_one_volume]


def _fill(step: Step) -> str | None:
    shortcut = step.job.shortcut
    notes = shortcut.amend(step) if shortcut else None
    if notes is None:
        from doit_diskimg.chain.populate import populate

        notes = populate(step)
    return "\n".join(notes)


def _inject(job: Job, name: str, what: str) -> Step:
    state = job.state
    before = TABLE if name == TABLE else f"{name}:populate"
    return Step(
        job, f"{name}:inject", f"write what differs of {what} into the image", _write,
        after=[before, "create"],
        inputs=[state.file(name, ".plan"), state.file(name, ".blob"), state.file("generation")],
        results=[state.file(name, ".injected")],
        **_if_guests(job, name),
    )


def _write(step: Step) -> str | None:
    from doit_diskimg.chain.inject import inject

    return inject(step)


def _inject_file(job: Job, part: Part) -> Step:
    sources, about = part.payload.sources(part.where), _payload_spec(job, part)
    return _inject_sources(job, part.name, _write_file, part.index, about, sources)


def _write_file(step: Step) -> str | None:
    from doit_diskimg.chain.inject_sources import inject_file

    return inject_file(step)


def _inject_segment(job: Job, index: int) -> Step:
    where, segment = job.disk.outside[index]
    sources = segment.sources(where)
    return _inject_sources(job, segment.name, _write_segment, index, [segment], sources)


def _write_segment(step: Step) -> str | None:
    from doit_diskimg.chain.inject_sources import inject_segment

    return inject_segment(step)


def _inject_sources(
    job: Job, name: str, work: Work, index: int, about: object, sources: Iterable[Wanted]
) -> Step:
    state = job.state
    return Step(
        job, f"{name}:inject", f"write what differs of {name} into the image", work,
        index=index,
        about=about,
        after=[TABLE, "create"],
        inputs=[state.file("generation")],
        placed=name,
        **_of_others(job, name),
        contents_of=_with_needed(job, sources, name),
        record=state.file(name, INJECTED_FILES),
        results=[state.file(name, ".injected")],
        **_if_guests(job, name),
    )


def _with_needed(job: Job, sources: Iterable[Wanted], name: str) -> Iterator[Wanted]:
    """Yield the sources of a part, and of those whose bytes it needs too."""
    yield from sources
    needed = links.needs(job.disk, name).parts
    if needed:
        from doit_diskimg.chain.pictures import sources_of

        yield from sources_of(job.disk, needed)


def _of_others(job: Job, name: str) -> dict[str, Any]:
    """Return how a step differs whose part needs something of others."""
    needs = links.needs(job.disk, name)
    return {} if needs == NOTHING else {"needs": needs, "more": partial(_resolved, job, needs)}


def _resolved(job: Job, needs: Needs, before: Any) -> dict[str, Any]:
    from doit_diskimg.chain.pictures import resolved

    return resolved(job, needs)


def seal(job: Job) -> Step:
    """Return the step that declares the image finished."""
    state, guests = job.state, job.guests
    return Step(
        job, "seal", "declare the image finished", _seal,
        about=job.parts,
        after=["create", *(f"{name}:inject" for name in job.parts)],
        inputs=[
            state.file("generation"),
            *(state.file(name, ".injected") for name in job.parts if name not in guests),
        ],
        unmet=partial(_image_unlike, job),
        results=[state.file("seal.json"), *one_place(job.disk.image)],
    )


def _seal(step: Step) -> str | None:
    from doit_diskimg.chain.sealing import seal_image

    return seal_image(step.job)


def outputs(job: Job) -> Iterator[Step]:
    """Yield the step of each file that is made of the finished image."""
    return (_output(job, index) for index in range(len(job.disk.outputs)))


def _output(job: Job, index: int) -> Step:
    from doit_diskimg.disk.identity import disk_guid

    disk, state, output = job.disk, job.state, job.disk.outputs[index]
    sources = list(output.sources(f"outputs[{index}]", disk))
    return Step(
        job, output.name, f"make {normal(output.path)} of the image", _make_output,
        index=index,
        about=[
            output, output.made_with, str(disk_guid(disk)), job.epoch, sources,
            state.image, disk.partitions,  # it may ask for names, which no byte of the image has
        ],
        after=["seal"],
        sizes_of=sources,
        record=state.file(output.name, ".made.json") if sources else "",
        results=one_place(output.path),
        claims=state.file(output.name, CLAIMS),
        more=partial(_made_with, state.image, output.programs),
    )


def _make_output(step: Step) -> str | None:
    from doit_diskimg.chain.outputs import make_output

    return make_output(step)


def _made_with(image: str, programs: Sequence[Program], before: Found) -> Found:
    """Return what the image holds, and the versions of the programs that make an output."""
    found: dict[str, Any] = {f"the contents of {image!r}": sealed_digest(image)}
    if programs:
        from doit_diskimg.host.program import installed

        words = {f"the version of {one.name}": one for one in programs}
        found |= {word: installed(one, before.get(word, [])) for word, one in words.items()}
    return found


def _image_unlike(job: Job) -> str:
    """Return what has become of the image, or which partition of a guest's has to be made."""
    return job.image_unlike() or _unmade(job, job.guests)


def _unmade(job: Job, names: Sequence[str]) -> str:
    """Return which partition of the guest's has to be made; empty if the guest has them all."""
    if not names:
        return ""
    from doit_diskimg.chain.guests import unmade

    return unmade(job.state, names)


def _if_guests(job: Job, name: str) -> dict[str, Any]:
    """Return how a step of a partition differs that is the guest's once it has been made."""
    if name not in job.guests:
        return {}
    return {"guest": True, "unmet": partial(_unmade, job, [name])}
