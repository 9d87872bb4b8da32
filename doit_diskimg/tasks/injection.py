"""The actions that write: inject and seal.

The steps before them decide; here the image is patched, and declared finished.
"""

import json
import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import TypeVar

from doit_diskimg.content import digest_of
from doit_diskimg.extent import Extent
from doit_diskimg.frozen import dataclass
from doit_diskimg.host import kept, seal
from doit_diskimg.host.files import RealFiles
from doit_diskimg.host.hashing import changed
from doit_diskimg.host.image import ImageFile
from doit_diskimg.host.kept import Places
from doit_diskimg.host.machine import new_generation
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
    decode_head,
    decode_receipt,
    encode_receipt,
)
from doit_diskimg.tasks.guests import guests_of
from doit_diskimg.tasks.keeping import check, listed, ours
from doit_diskimg.tasks.numbers import DiskNumbers
from doit_diskimg.tasks.step import Step
from doit_diskimg.tasks.steps import files_of, fill, layout_of, planned
from doit_diskimg.units import format_size

_T = TypeVar("_T")


@dataclass(frozen=True)
class Inject(Step):
    """Writes what differs between the image and the plan of one part of the disk."""

    name: str

    def run(self) -> str:
        """Patch the image; write ``P.injected``."""
        state, guests = self.state, guests_of(self.disk)
        generation = str(read_json(state.file("generation")).get("id", ""))
        if self.name in guests and self._is_the_guests(generation):
            return f"{self.name} is the guest's own: nothing written"
        picture, receipt = self.picture(), state.file(self.name, ".injected")
        old = self._injected(receipt, generation)
        patch = diff(old, picture)
        written, news = 0, ""
        if patch.extents:
            image, news = open_for_patching(
                state, generation, self.disk.busy, listed(guests)
            )
            with image:
                # Only of a file that nobody has finished yet is it sure what it holds otherwise.
                fresh = not old.pieces and image.path != state.image
                image.apply(patch, picture.blob, fresh=fresh)
            written = image.written
        write(receipt, encode_receipt(picture, generation))
        extents = "1 extent" if patch.extents == 1 else f"{patch.extents} extents"
        return "\n".join(filter(None, (news, f"{extents}, {format_size(written)} written")))

    def _is_the_guests(self, generation: str) -> bool:
        """Return whether the guest has the partition already; else it is made in a new image."""
        if self.name in (kept.recorded(self.state) or {}):
            return True
        if self.state.current(generation) == self.state.image:
            raise broken(kept.path_of(self.state), f"it does not know {self.name!r}")
        return False

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

    def run(self) -> str | None:
        """Write ``seal.json``; the image is at its path afterwards."""
        state, layout = self.state, layout_of(self)
        generation = str(read_json(state.file("generation")).get("id", ""))
        current, found = state.current(generation), kept.recorded(state) or {}
        check(self.disk, layout, found)
        after: Places = {name: layout.extent(name) for name in guests_of(self.disk)}
        if current == state.image and found != after:
            raise broken(kept.path_of(state), "it is not of this image")
        parts = ours(state, self.parts)
        digest = self._digest(parts, generation)
        with self._carried(current, found, after):
            identity = seal.mark(current, digest)
            if self.disk.durable or (after and current != state.image):
                seal.sync(current)
            if after and current != state.image:
                kept.store(state, found, kept.coming(state, generation, after))
            receipts = [state.file(part, ".injected") for part in parts]
            seal.write_seal(state, identity, generation, digest, receipts)
            if current == state.image:
                found = {}
            else:
                self._replace(current)
        if after:
            kept.store(state, after)
        if self.disk.durable:
            seal.sync(state.path)
            seal.sync(os.path.dirname(state.image) or os.curdir)
        return f"{listed(found)}: carried over" if found else None

    @contextmanager
    def _carried(self, current: str, found: Places, after: Places) -> Iterator[None]:
        """Copy what is the guest's into a new image; until the end nobody can write to the old."""
        image = self.state.image
        if current == image or not found:
            yield
            return
        with kept.held_still(image, listed(found)) as old, ImageFile(current) as new:
            for name, place in found.items():
                target = after[name]
                if place is None or target is None:
                    raise broken(kept.path_of(self.state), f"it does not say where {name!r} lies")
                new.carry(old, image, place, target.start)
            yield

    def _replace(self, current: str) -> None:
        try:
            os.replace(current, self.state.image)
        except OSError as error:
            raise host_failed(self.state.image, error, "put the new image there") from error

    def _digest(self, parts: Sequence[str], generation: str) -> str:
        """Return the digest of the whole image; what a guest wrote is another thing each time."""
        contents: list[object] = [*_injected(self.state, parts, generation, decode_head).values()]
        contents += [new_generation()] if guests_of(self.disk) else []
        return digest_of(json.dumps([layout_of(self).size, contents]).encode("ascii"))


def injected(state: StateFolder, parts: Sequence[str], generation: str) -> dict[str, Picture]:
    """Return what the image holds, by part; every part must be of this generation."""
    return _injected(
        state, parts, generation, lambda receipt: decode_receipt(receipt)[::-1]
    )


def _injected(
    state: StateFolder,
    parts: Sequence[str],
    generation: str,
    decode: Callable[[bytes], tuple[str, _T]],
) -> dict[str, _T]:
    """Return what ``decode`` finds in each part's receipt beside its generation."""
    found = {}
    for part in parts:
        path = state.file(part, ".injected")
        try:
            injected_into, found[part] = decode(need(path))
        except (ValueError, KeyError, TypeError) as error:
            raise broken(path, f"it can't be used: {error}") from error
        if injected_into != generation:
            raise broken(path, "it is of another image")
    return found
