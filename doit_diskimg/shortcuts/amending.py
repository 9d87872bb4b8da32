"""A volume populated from its last plan: files changed, and moved nothing.

It is what happens after most edits, and the planner need not be asked, nor its code imported: see
`shortcuts.amend`.  Whatever else may have changed, or is not known for sure, means no: then the
volume is planned, which gives the same bytes.
"""

import json
from collections.abc import Sequence
from typing import Any

from doit_diskimg.chain.own_sources import written
from doit_diskimg.chain.step import Step
from doit_diskimg.disk import links
from doit_diskimg.errors import WorldError
from doit_diskimg.host.files import RealFiles
from doit_diskimg.host.paths import normal
from doit_diskimg.host.state import need, read, read_record, write, write_record
from doit_diskimg.plan.canonical import canonical_digest, is_ours
from doit_diskimg.plan.content import FORMAT, digest_of, parts
from doit_diskimg.plan.picture import BLOB, Picture, Spot
from doit_diskimg.plan.stored import (
    FEW,
    Plan,
    decode_pieces,
    encode_piece,
    join,
    lines_naming,
    quoted,
    total,
)
from doit_diskimg.shortcuts.amend import Change, amended
from doit_diskimg.shortcuts.checked import code

KEY = "outline"
"""In the record of what a plan asked: to what the outline beside the plan belongs."""

_OUTLINE = ".outline.json"
_Values = dict[str, Any]


def noted(step: Step, picture: Picture) -> _Values:
    """Write the outline of a volume that was planned; return what to note in the record."""
    part, state = step.job.disk.partitions[step.index], step.job.state
    outline = picture.outline
    if outline is None or not _may_amend(step):
        return {}
    # What shows under another spelling of its path too, in reserved sectors, can't be amended.
    known = {BLOB, *(spot.source for spot in outline.spots)}
    others = {normal(piece.file) for piece in picture.pieces if piece.file not in known}
    lines = [json.dumps([FORMAT, outline.unit, picture.notes])]
    for spot in outline.spots:
        name = normal(spot.source)
        if name not in others:  # a line for each, of which an edit concerns a few
            lines.append(f"[{quoted(name)}, {quoted(spot.source)}, {spot.start}, {spot.field}]")
    text = "\n".join(lines).encode("ascii")
    write(state.file(part.name, _OUTLINE), text)
    return {KEY: _mark(_inputs(step), need(state.file(part.name, ".plan")), text)}


def _may_amend(step: Step) -> bool:
    """Return whether the description alone lets a plan be amended.

    A class of the user's may do anything with what it is told of files.  And if somebody asks
    where the files of this volume lie, the answer has their lengths in it.
    """
    part, disk = step.job.disk.partitions[step.index], step.job.disk
    return is_ours(part.payload) and links.located(disk, part.name) is None


def _record(step: Step) -> _Values:
    assert step.asked is not None
    return read_record(step.asked.path)


def amend(step: Step) -> list[str] | None:
    """Write the plan and its record with the files that changed, and return the notes of the plan;
    None if it has to be planned.
    """
    name, state = step.part, step.job.state
    record = _record(step)
    if KEY not in record or not _may_amend(step):
        return None
    outline, text, blob = (read(state.file(name, end)) for end in (_OUTLINE, ".plan", ".blob"))
    if outline is None or text is None or blob is None:
        return None
    inputs = _inputs(step)
    if record[KEY] != _mark(inputs, text, outline):
        return None
    head, *spots = outline.decode("ascii").split("\n")
    _, unit, notes = json.loads(head)
    changes, fresh = _changes(step, record, spots)
    try:
        plan = _amended(Plan(text, blob), unit, changes) if changes else None
    except ValueError:
        return None  # the blob is of another plan
    if plan is None:
        return None
    # In this order, so that after a kill the record never speaks of a plan that is not there.
    state.write_plan(name, plan)
    assert step.asked is not None
    write_record(step.asked.path, {**fresh, KEY: _mark(inputs, plan.text, outline)})
    return list(notes)


def _amended(plan: Plan, unit: int, changes: dict[str, Change]) -> Plan | None:
    """Return the plan with the changed files; the lines of all others stay as they are."""
    number, lines = plan.total(), plan.lines()
    places = lines_naming(lines, list(changes))
    old = decode_pieces([lines[place] for place in places])
    found = amended(old, plan.blob, unit, changes)
    if found is None:
        return None
    for place, pieces in zip(places, found.pieces, strict=True):
        lines[place] = ",\n".join([encode_piece(*piece) for piece in pieces])
    new = [piece for pieces in found.pieces for piece in pieces]
    return join(number - total(old) + total(new), filter(None, lines), found.blob)


def _mark(inputs: str, plan: bytes, outline: bytes) -> str:
    """Return a text that changes with everything but the contents of files.

    The plan, where each file shows in it, and the other inputs of the planner that would be asked.
    """
    return digest_of(b"".join([plan, outline, inputs.encode("ascii")]))


def _inputs(step: Step) -> str:
    """Return a digest of all that a plan depends on but files: the description, the place, and our
    own code, which is the planner's.
    """
    part, disk = step.job.disk.partitions[step.index], step.job.disk
    place = step.job.stored_places()[0].get(part.name)
    about = [part.payload, part.name, disk.named(part), step.job.epoch, disk.sector_size, place]
    return canonical_digest([FORMAT, code(), step.index, *about, disk.is_one_volume])


def _changes(
    step: Step, record: _Values, spots: Sequence[str]
) -> tuple[dict[str, Change], _Values]:
    """Return what changed, by the paths that pieces have, and the record as it will be.

    Nothing if that is not all that changed.
    """
    where = f"partitions[{step.index}]"
    assert step.asked is not None
    answers, job = step.asked.take(), step.job
    files, fresh = RealFiles(written=written(job.disk), session=job.session), {**answers.record}
    changes = dict[str, Change]()
    places = _places(spots, answers.changed)
    for path in answers.changed:
        here = places.get(path)
        if not here or path in record["seen"]:
            return {}, {}
        try:
            length = files.size(path, where)
            found = parts(files, path, length, where)
        except WorldError:
            return {}, {}  # the planner runs into it and knows the place in the description
        for source in {spot.source for spot in here}:
            own = [spot for spot in here if spot.source == source]
            changes[source] = Change(own, length, found)
    now = files.record()
    others = {path: it for path, it in fresh["parts"].items() if path not in now["digests"]}
    fresh["digests"] = {**fresh["digests"], **now["digests"]}
    fresh["parts"] = {**others, **now["parts"]}
    return changes, fresh


def _places(spots: Sequence[str], paths: Sequence[str]) -> dict[str, list[Spot]]:
    """Return every spot of these files."""
    if len(paths) <= FEW:
        begins = tuple(f"[{quoted(path)}, " for path in paths)
        spots = [spot for spot in spots if spot.startswith(begins)]
    found: dict[str, list[Spot]] = {}
    for name, *spot in json.loads(f"[{','.join(spots)}]"):
        found.setdefault(name, []).append(Spot(*spot))
    return found
