"""The actions that write: inject and seal.

The steps before them decide; here the image is patched, and declared finished.
"""

import json
import os
from collections.abc import Sequence

from doit_diskimg.content import digest_of
from doit_diskimg.extent import Extent
from doit_diskimg.frozen import dataclass
from doit_diskimg.host import seal
from doit_diskimg.host.files import RealFiles, changed
from doit_diskimg.host.patching import open_for_patching
from doit_diskimg.host.paths import normal
from doit_diskimg.host.state import (
    StateFolder,
    broken,
    host_failed,
    need,
    read,
    read_json,
    write,
    write_json,
)
from doit_diskimg.patch import diff
from doit_diskimg.picture import Picture
from doit_diskimg.plan import (
    decode_plan,
    decode_receipt,
    encode_receipt,
)
from doit_diskimg.tasks.numbers import DiskNumbers
from doit_diskimg.tasks.step import Step
from doit_diskimg.tasks.steps import files_of, fill, layout_of
from doit_diskimg.units import format_size


@dataclass(frozen=True)
class Inject(Step):
    """Writes what differs between the image and the plan of one part of the disk."""

    name: str

    def run(self) -> str:
        """Patch the image; write ``P.injected``."""
        state = self.state
        generation = str(read_json(state.file("generation")).get("id", ""))
        picture, receipt = self.picture(), state.file(self.name, ".injected")
        patch = diff(self._injected(receipt, generation), picture)
        written, news = 0, ""
        if patch.extents:
            image, news = open_for_patching(state, generation, self.disk.busy)
            with image:
                image.apply(patch, picture.blob)
            written = image.written
        write(receipt, encode_receipt(picture, generation))
        extents = "1 extent" if patch.extents == 1 else f"{patch.extents} extents"
        return "\n".join(filter(None, (news, f"{extents}, {format_size(written)} written")))

    def picture(self) -> Picture:
        """Return what the part must hold: here, what an earlier task planned."""
        return planned(self.state, self.name)

    @staticmethod
    def _injected(receipt: str, generation: str) -> Picture:
        """Return what the image holds: nothing, if the receipt is of another generation."""
        try:
            picture, injected_into = decode_receipt(read(receipt) or b"")
        except (ValueError, KeyError, TypeError):
            return Picture()
        return picture if injected_into == generation else Picture()


def planned(state: StateFolder, name: str) -> Picture:
    """Return what an earlier task planned for a part.  Raises WorldError."""
    path = state.file(name, ".plan")
    try:
        return decode_plan(need(path), need(state.file(name, ".blob")))
    except (ValueError, KeyError, TypeError) as error:
        raise broken(path, f"it can't be used: {error}") from error


@dataclass(frozen=True)
class InjectFile(Inject):
    """Injects a payload that needs no file system: it is planned on the spot."""

    index: int

    def picture(self) -> Picture:
        """Return the payload's bytes."""
        record = self.state.file(self.name, ".files.json")
        files = files_of(self, self.name)
        picture = fill(self, self.index, files)
        write_json(record, files.record())
        return picture


@dataclass(frozen=True)
class InjectSegment(Inject):
    """Injects bytes outside the partitions."""

    index: int

    def picture(self) -> Picture:
        """Return the segment's bytes."""
        record = self.state.file(self.name, ".files.json")
        files = RealFiles(read_json(record))
        picture = fill_segment(self, self.index, files)
        write_json(record, files.record())
        return picture


def fill_segment(step: Step, index: int, files: RealFiles) -> Picture:
    """Return the bytes of a segment at their place.  Raises DescriptionError or WorldError."""
    where, segment = step.disk.outside[index]
    layout = layout_of(step)
    extent = layout.extent(segment.name)
    picture = segment.fill(files, where, DiskNumbers(step, layout, files))
    if any(not extent.contains(Extent(*piece[:2])) for piece in picture.pieces):
        raise changed(", ".join(normal(str(want.source)) for want in segment.sources(where)))
    return picture


@dataclass(frozen=True)
class Seal(Step):
    """Declares the image finished and, in a new generation, puts it in the old one's place."""

    parts: Sequence[str]

    def run(self) -> None:
        """Write ``seal.json``; the image is at its path afterwards."""
        state = self.state
        generation = str(read_json(state.file("generation")).get("id", ""))
        digest = self._digest(generation)
        current = state.current(generation)
        identity = seal.mark(current, digest)
        if self.disk.durable:
            seal.sync(current)
        receipts = [state.file(part, ".injected") for part in self.parts]
        seal.write_seal(state, identity, generation, digest, receipts)
        if current != state.image:
            try:
                os.replace(current, state.image)
            except OSError as error:
                raise host_failed(state.image, error, "put the new image there") from error
        if self.disk.durable:
            seal.sync(state.path)
            seal.sync(os.path.dirname(state.image) or os.curdir)

    def _digest(self, generation: str) -> str:
        """Return the digest of the whole image."""
        plans = injected(self.state, self.parts, generation).values()
        pieces = [piece[:2] + piece[4:] for plan in plans for piece in plan.pieces]
        blobs = [digest_of(plan.blob) for plan in plans]
        size = layout_of(self).size
        return digest_of(json.dumps([size, pieces, blobs]).encode("ascii"))


def injected(state: StateFolder, parts: Sequence[str], generation: str) -> dict[str, Picture]:
    """Return what the image holds, by part; every part must be of this generation."""
    pictures = {}
    for part in parts:
        path = state.file(part, ".injected")
        try:
            pictures[part], injected_into = decode_receipt(need(path))
        except (ValueError, KeyError, TypeError) as error:
            raise broken(path, f"it can't be used: {error}") from error
        if injected_into != generation:
            raise broken(path, "it is of another image")
    return pictures
