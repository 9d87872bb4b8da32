"""A volume populated from its last plan: files changed, and moved nothing.

It is what happens after most edits, and the planner need not be asked, nor its code imported: see
`doit_diskimg.amend`.  Whatever else may have changed, or is not known for sure, means no: then the
volume is planned, which gives the same bytes.
"""

import json
from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from doit_diskimg import asked
from doit_diskimg.amend import Change, amended
from doit_diskimg.canonical import canonical_digest, is_ours
from doit_diskimg.content import Tree, digest_of, parts
from doit_diskimg.errors import WorldError
from doit_diskimg.host import recorded
from doit_diskimg.host.files import RealFiles
from doit_diskimg.host.paths import normal
from doit_diskimg.host.state import need, read, read_json, write, write_json
from doit_diskimg.picture import BLOB, Picture, Spot
from doit_diskimg.plan import FORMAT, decode_plan, encode_plan
from doit_diskimg.tasks.checked import code
from doit_diskimg.tasks.uptodate import stored_places

if TYPE_CHECKING:
    from doit_diskimg.tasks.populating import Populate

KEY = "outline"
"""In the record of what a plan asked: to what the outline beside the plan belongs."""

_OUTLINE = ".outline.json"
_Values = dict[str, Any]


def noted(step: "Populate", picture: Picture) -> _Values:
    """Write the outline of a volume that was planned; return what to note in the record."""
    part, state = step.disk.partitions[step.index], step.state
    outline = picture.outline
    if outline is None or not _may_amend(step):
        return {}
    # What shows under another spelling of its path too, in reserved sectors, can't be amended.
    known = {BLOB, *(spot.source for spot in outline.spots)}
    others = {normal(piece.file) for piece in picture.pieces if piece.file not in known}
    spots = [[normal(spot.source), *spot] for spot in outline.spots]
    spots = [spot for spot in spots if spot[0] not in others]
    text = json.dumps([FORMAT, outline.unit, picture.notes, spots]).encode("ascii")
    write(state.file(part.name, _OUTLINE), text)
    return {KEY: _mark(_inputs(step), need(state.file(part.name, ".plan")), text)}


def _may_amend(step: "Populate") -> bool:
    """Return whether the description alone lets a plan be amended.

    A class of the user's may do anything with what it is told of files.  And if somebody asks
    where the files of this volume lie, the answer has their lengths in it.
    """
    part = step.disk.partitions[step.index]
    return is_ours(part.payload) and asked.located(step.disk, part.name) is None


def amend(step: "Populate") -> Picture | None:
    """Write the plan and its record with the files that changed; None if it has to be planned."""
    name, state, record = step.disk.partitions[step.index].name, step.state, read_json(step.record)
    if KEY not in record or not _may_amend(step):
        return None
    outline, plan, blob = (read(state.file(name, end)) for end in (_OUTLINE, ".plan", ".blob"))
    if outline is None or plan is None or blob is None:
        return None
    inputs = _inputs(step)
    if record[KEY] != _mark(inputs, plan, outline):
        return None
    _, unit, notes, spots = json.loads(outline)
    changes, fresh = _changes(step, record, spots)
    try:
        picture = amended(decode_plan(plan, blob), unit, changes) if changes else None
    except ValueError:
        return None  # the blob is of another plan
    if picture is None:
        return None
    plan = encode_plan(picture)
    # In this order, so that after a kill the record never speaks of a plan that is not there.
    write(state.file(name, ".blob"), picture.blob)
    write(state.file(name, ".plan"), plan)
    write_json(step.record, {**fresh, KEY: _mark(inputs, plan, outline)})
    return replace(picture, notes=tuple(notes))


def _mark(inputs: str, plan: bytes, outline: bytes) -> str:
    """Return what is another one if anything is but the contents of files.

    The plan, where each file shows in it, and the other inputs of the planner that would be asked.
    """
    return digest_of(b"".join([plan, outline, inputs.encode("ascii")]))


def _inputs(step: "Populate") -> str:
    """Return a digest of all that a plan depends on but files: the description, the place, and our
    own code, which is the planner's.
    """
    part, disk = step.disk.partitions[step.index], step.disk
    place = stored_places(step.state.file("layout.json"))[0].get(part.name)
    about = [part.payload, part.name, disk.named(part), step.epoch, disk.sector_size, place]
    return canonical_digest([FORMAT, code(), step.index, *about, disk.table is None])


def _changes(
    step: "Populate", record: _Values, spots: Sequence[Sequence[Any]]
) -> tuple[dict[str, Change], _Values]:
    """Return what changed, by the paths that pieces have, and the record as it will be.

    Nothing if that is not all that changed.
    """
    where = f"partitions[{step.index}]"
    answers = recorded.latest.pop(step.record, None) or _asked(step, record, where)
    changes, files, fresh = dict[str, Change](), RealFiles(), {**answers.record}
    for path in answers.changed:
        here = [Spot(*spot) for name, *spot in spots if name == path]
        before = record["sizes"].get(path)
        if not here or before is None or path in record["seen"]:
            return {}, {}
        try:
            length = files.size(path, where)
            found = parts(files, path, length, where)
        except WorldError:
            return {}, {}  # the planner runs into it and knows the place in the description
        for source in {spot.source for spot in here}:
            own = [spot for spot in here if spot.source == source]
            changes[source] = Change(own, before, length, found)
    now = files.record()
    for question in ("sizes", "digests", "parts"):
        kept = {path: known for path, known in fresh[question].items() if path not in now["sizes"]}
        fresh[question] = {**kept, **now[question]}
    return changes, fresh


def _asked(step: "Populate", record: _Values, where: str) -> recorded.Answers:
    """Return what the check has found, if that was in another process."""
    sources = step.disk.partitions[step.index].payload.sources(where)
    trees = [want.source for want in sources if isinstance(want.source, Tree)]
    return recorded.ask_again(record, trees)
