"""The task of the linked image: made of plans, before and without any image."""

import json
import os
from collections.abc import Iterator
from functools import partial
from os.path import abspath
from typing import Any

from doit_diskimg.chain.facts import Found
from doit_diskimg.chain.job import CLAIMS, Job
from doit_diskimg.chain.own_sources import linked_image, written
from doit_diskimg.chain.pictures import described, fill, fill_segment, resolved, sources_of
from doit_diskimg.chain.populate import judge
from doit_diskimg.chain.results import layout_of
from doit_diskimg.chain.results import planned as planned_of
from doit_diskimg.chain.step import Step
from doit_diskimg.disk import links
from doit_diskimg.disk.identity import disk_guid
from doit_diskimg.disk.links import Needs
from doit_diskimg.disk.placed import TABLE
from doit_diskimg.errors import BadPath, WorldError
from doit_diskimg.frozen import dataclass
from doit_diskimg.host import linked_image as files_of_ours
from doit_diskimg.host import own, seal
from doit_diskimg.host.files import RealFiles
from doit_diskimg.host.folder import unlink_in
from doit_diskimg.host.hashing import changed
from doit_diskimg.host.image import ImageFile, create_sparse
from doit_diskimg.host.linked_image import receipt_path, rest_path, state_path
from doit_diskimg.host.machine import boot_id
from doit_diskimg.host.own import check_target
from doit_diskimg.host.paths import normal
from doit_diskimg.host.recorded import still_true
from doit_diskimg.host.state import host_failed, load_if_whole, read_record, write, write_record
from doit_diskimg.kinds.outputs.link_formats import Linked, can_name, descriptor, link
from doit_diskimg.plan.content import digest_of, parts
from doit_diskimg.plan.patch import diff
from doit_diskimg.plan.picture import BLOB, Picture, Piece
from doit_diskimg.plan.stored import decode_plan, decode_receipt, encode_plan, encode_receipt
from doit_diskimg.tasks import SESSION
from doit_diskimg.tasks.action import Action, CleanFile
from doit_diskimg.tasks.chain import DiskTasks
from doit_diskimg.tasks.turn import in_turn
from doit_diskimg.units import format_size


def linked_task(tasks: DiskTasks, path: str) -> dict[str, Any]:
    """Return the task of the linked image."""
    disk, state = tasks.disk, tasks.state
    planned = [part.name for part in disk.partitions if part.payload.populated]
    unplanned = [name for name in tasks.parts if name not in planned]
    planned += [TABLE] if disk.table is not None else []
    sources = [
        source
        for part in disk.parts()
        if not part.payload.populated
        for source in part.payload.sources(part.where)
    ]
    sources += [want for where, segment in disk.outside for want in segment.sources(where)]
    needs = links.needs(disk, *unplanned)
    sources += sources_of(disk, needs.parts)
    step = Step(
        tasks.job, "linked", f"make {path}, which shows the disk without writing it",
        partial(_link, path),
        about=[
            disk.partitions, disk.boot, disk.segments, str(disk_guid(disk)), abspath(path),
            [*described(disk, needs.parts)],
        ],
        after=[TABLE, *(f"{name}:populate" for name in planned if name != TABLE)],
        inputs=[
            state.file("layout.json"),
            *(state.file(name, suffix) for name in planned for suffix in (".plan", ".blob")),
        ],
        contents_of=sources,
        needs=needs,
        record=state.file("linked.sources.json"),
        results=[path, rest_path(state), receipt_path(state), state_path(state)],
        more=partial(_resolved, tasks.job, needs),
    )
    task = tasks.of_step(step)
    task["basename"] = f"{task.pop('basename')}:{task.pop('name')}"
    clean = CleanFile(state.image, disk.name, state.file("linked", CLAIMS), path, step.results[1:])
    return in_turn({**task, "clean": [clean]}, state, disk.name)


def _resolved(job: Job, needs: Needs, before: Found) -> Found:
    return resolved(job, needs) if needs.asks or needs.parts else {}


def _link(path: str, step: Step) -> str | None:
    claims = step.job.state.file("linked", CLAIMS)
    if not own.is_recorded(claims) and step.facts.made(path):
        own.claim(claims, path, path)  # the record was lost
    return WriteLinked(step.job.disk, step.job.epoch, path).run()


@dataclass(frozen=True)
class WriteLinked(Action):
    """Writes the descriptor and patches what is not linked.

    The record of what it asked about the user's files vouches for what it made, so it is written
    last: a record that a killed build leaves never speaks of results that are not there.
    """

    path: str

    def run(self) -> str:
        """Do the work, then write down what was asked."""
        record = self.state.file("linked.sources.json")
        payload = self.state.file("linked", ".payload")
        # What is written, but for the state: payloads that programs made lie there.
        ours = written(self.disk, state=False, more=[linked_image(self.path)])
        files = RealFiles(read_record(record), payload, ours, judge, SESSION)
        text = self._write(files)
        write_record(record, files.record())
        return text

    def _write(self, files: RealFiles) -> str:
        """Write the descriptor; until all is whole, there is none that anybody takes for good."""
        state, size = self.state, layout_of(self.job).size
        check_target(self.path)
        own.check_file(state.file("linked", CLAIMS), self.path, replace=self.disk.replace)
        pictures = [_checked(picture, files) for picture in self._pictures(files)]
        result = link(pictures, _tail)
        rest = os.path.abspath(files_of_ours.rest_path(state))
        if not can_name(rest):
            raise WorldError(BadPath(
                rest, "a VMDK descriptor can't name it",
                "must have up to 511 bytes and no quotation mark", "build in another folder",
            ))
        written = self._patch(result.rest, size)
        text = descriptor(result.links, rest, size, disk_guid(self.disk).int).encode(
            "utf-8", "surrogateescape"
        )
        files_of_ours.write_descriptor(state, self.path, text)
        known = files.record()
        if change := still_true(known, ())[0]:
            raise changed(f"linked image: {change}")
        identity = seal.identity(os.stat(files_of_ours.rest_path(state)))
        files_of_ours.write_state(state, self.path, text, identity, _only(known, result))
        return f"{_counted(result)}, {format_size(written)} written"

    def _pictures(self, files: RealFiles) -> Iterator[Picture]:
        """Yield what every part of the disk must hold."""
        if self.disk.table is not None:
            yield planned_of(self.state, TABLE)
        for index, part in enumerate(self.disk.partitions):
            if part.payload.populated:
                yield planned_of(self.state, part.name)
            else:
                yield fill(self.job, index, files)
        for index in range(len(self.disk.outside)):
            yield fill_segment(self.job, index, files)

    def _patch(self, rest: Picture, size: int) -> int:
        """Make the file with the rest hold ``rest``; return how many bytes were written."""
        path, receipt = files_of_ours.rest_path(self.state), files_of_ours.receipt_path(self.state)
        old = self._held(path, receipt, size)
        # Whatever happens next, it is no longer what was noted.
        unlink_in(files_of_ours.state_path(self.state))
        if old is not None and not diff(old, rest).extents:
            return 0
        unlink_in(receipt)
        image = None if old is None else ImageFile(path, inside=True)
        # A guest keeps the file that it has, and so does another name.
        if image is None or not image.is_free() or image.has_other_names():
            if image is not None:
                image.close()
            create_sparse(path, size)
            old, image = None, ImageFile(path, inside=True)
        with image:
            image.apply(diff(old or Picture(), rest), rest.blob)
        identity = seal.mark(path, _name(rest))
        write(receipt, encode_receipt(encode_plan(rest), _life(identity)))
        return image.written

    @staticmethod
    def _held(path: str, receipt: str, size: int) -> Picture | None:
        """Return what the file holds, None if it is not the one that was written last."""
        try:
            identity = seal.identity(os.stat(path))
        except OSError:
            return None

        def decode(data: bytes) -> Picture | None:
            life, plan = decode_receipt(data)
            return decode_plan(plan) if life == _life(identity) else None

        return load_if_whole(receipt, decode) if identity["size"] == size else None


def _life(identity: dict[str, object]) -> str:
    return json.dumps([identity, boot_id()])


def _name(rest: Picture) -> str:
    return digest_of(encode_plan(rest).text)


def _checked(picture: Picture, files: RealFiles) -> Picture:
    """Return the picture with absolute paths; its files must still be what was planned."""

    known: dict[str, dict[tuple[int, int], str]] = {}

    def checked(piece: Piece) -> Piece:
        if piece.file == BLOB:
            return piece
        if piece.file not in known:
            size = files.size(piece.file, "linked image")
            whole = parts(files, piece.file, size, "linked image")
            known[piece.file] = {part[:2]: part.digest for part in whole}
        place = piece.offset, piece.length
        found = known[piece.file].get(place) or files.range_digest(
            piece.file, *place, "linked image"
        )
        if found != piece.digest:
            raise changed(piece.file)
        return piece._replace(file=os.path.abspath(piece.file))

    return Picture(tuple(map(checked, picture.pieces)), picture.blob)


def _only(record: dict[str, Any], result: Linked) -> dict[str, Any]:
    """Return what is recorded of the files that are linked."""
    names = {normal(entry.file) for entry in result.links}
    digests = {path: known for path, known in record["digests"].items() if path in names}
    return {**record, "digests": digests, "sizes": {}, "trees": {}}


def _tail(path: str, offset: int, length: int) -> bytes:
    try:
        with open(path, "rb") as file:
            file.seek(offset)
            data = file.read(length)
    except OSError as error:
        raise host_failed(path, error, "read it") from error
    if len(data) != length:
        raise changed(path)
    return data


def _counted(result: Linked) -> str:
    length = format_size(sum(entry.length for entry in result.links))
    return f"{length} in {len(result.links)} files linked"
