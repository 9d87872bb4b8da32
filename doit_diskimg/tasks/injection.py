"""The actions that write: inject and seal.

The steps before them decide; here the image is patched, and declared finished.
"""

import json
import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from typing import TypeVar

from doit_diskimg.disk.placed import decode_places
from doit_diskimg.errors import WorldError
from doit_diskimg.extent import Extent
from doit_diskimg.frozen import dataclass
from doit_diskimg.host import kept, own, seal
from doit_diskimg.host.failure import forget
from doit_diskimg.host.files import RealFiles
from doit_diskimg.host.hashing import changed
from doit_diskimg.host.image import ImageFile
from doit_diskimg.host.kept import Places
from doit_diskimg.host.machine import new_generation
from doit_diskimg.host.patching import alone, open_for_patching
from doit_diskimg.host.paths import normal
from doit_diskimg.host.state import (
    StateFolder,
    broken,
    host_failed,
    need,
    read,
    write,
)
from doit_diskimg.plan.content import digest_of
from doit_diskimg.plan.patch import ImagePatch, diff
from doit_diskimg.plan.picture import Picture
from doit_diskimg.plan.stored import (
    Plan,
    decode_differing,
    decode_head,
    decode_plan,
    decode_receipt,
    encode_plan,
    encode_receipt,
    encode_torn,
)
from doit_diskimg.tasks.guests import guests_of
from doit_diskimg.tasks.keeping import check, listed, ours
from doit_diskimg.tasks.populating import fill, layout_of, payload_of, stored_plan
from doit_diskimg.tasks.step import INJECTED_FILES, Asking, Step
from doit_diskimg.units import format_size

_T = TypeVar("_T")

_NOTHING = encode_plan(Picture())
"""What a new image holds."""


@dataclass(frozen=True)
class Inject(Step):
    """Writes what differs between the image and the plan of one part of the disk."""

    name: str

    def run(self) -> str | None:
        """Inject what an earlier task planned."""
        return self.left_alone() or self.inject(stored_plan(self.state, self.name))

    def left_alone(self) -> str:
        """Return what to say of a partition that is the guest's own; empty of all others."""
        if self.name in guests_of(self.disk) and self._is_the_guests(self.state.generation()):
            return f"{self.name} is the guest's own: nothing written"
        return ""

    def inject(self, plan: Plan) -> str:
        """Make the part of the image hold what is planned; write ``P.injected``."""
        state, receipt = self.state, self.state.file(self.name, ".injected")
        generation = state.generation()
        held = self._held(receipt, generation)
        patch = self._patch(held, plan)
        written, news = 0, ""
        if patch.extents:
            image, news = open_for_patching(
                state, generation, self.disk.busy, receipt, listed(guests_of(self.disk))
            )
            with image, self._noted(image):
                # Only of a file that nobody has finished yet is it sure what it holds otherwise.
                fresh = held == _NOTHING and image.path != state.image
                image.apply(patch, plan.blob, fresh=fresh)
            written = image.written
        write(receipt, encode_receipt(plan, generation))
        extents = "1 extent" if patch.extents == 1 else f"{patch.extents} extents"
        return "\n".join(filter(None, (news, f"{extents}, {format_size(written)} written")))

    @contextmanager
    def _noted(self, image: ImageFile) -> Iterator[None]:
        """Note what a finished image looks like after our write, also if that failed."""
        try:
            yield
        finally:
            if self.disk.guest_writes == "error" and image.path == self.state.image:
                with suppress(OSError), alone(self.state):
                    image.note_ours(self.state)

    def _patch(self, held: Plan, plan: Plan) -> ImagePatch:
        try:
            pictures = decode_differing(held, plan)
        except (ValueError, KeyError, TypeError) as error:
            with suppress(ValueError, KeyError, TypeError):
                decode_plan(plan)
                raise _unusable(self.state.file(self.name, ".injected"), error) from error
            raise _unusable(self.state.file(self.name, ".plan"), error) from error
        return diff(*pictures)

    def _is_the_guests(self, generation: str) -> bool:
        """Return whether the guest has the partition already; else it is made in a new image."""
        if self.name in (kept.recorded(self.state) or {}):
            return True
        if self.state.current(generation) == self.state.image:
            raise broken(kept.path_of(self.state), f"it does not know {self.name!r}")
        return False

    def _held(self, receipt: str, generation: str) -> Plan:
        """Return what the image holds: in a new one, which has no receipt yet, nothing."""
        data = read(receipt) or b""
        is_new = self.state.current(generation) != self.state.image
        if is_new and data != encode_torn(generation):
            with suppress(ValueError, KeyError, TypeError):
                injected_into, plan = decode_receipt(data)
                decode_plan(plan)
                return plan if injected_into == generation else _NOTHING
            return _NOTHING
        return _injected(self.state, [self.name], generation, _decode_whole)[self.name]


@dataclass(frozen=True)
class _InjectSources(Asking, Inject):
    """Injects what needs no task of its own to be planned."""

    index: int

    def run(self) -> str | None:
        """Inject it, then write down what was asked."""
        return self.left_alone() or super().run()

    @property
    def record(self) -> str:
        """The state file with what was asked; another than that of a volume of this name."""
        return self.state.file(self.name, INJECTED_FILES)


@dataclass(frozen=True)
class InjectFile(_InjectSources):
    """Injects a payload that needs no file system: it is planned on the spot."""

    @property
    def payload(self) -> str:
        """The file in which a payload goes that programs make."""
        return payload_of(self, self.index)

    def work(self, files: RealFiles) -> str:
        """Inject the payload's bytes."""
        return self.inject(encode_plan(fill(self, self.index, files)))


@dataclass(frozen=True)
class InjectSegment(_InjectSources):
    """Injects bytes outside the partitions."""

    def work(self, files: RealFiles) -> str:
        """Inject the segment's bytes."""
        picture = fill_segment(self, self.index, files)
        note = self._note(picture, files) if self.disk.table is None else ""
        return "\n".join(filter(None, (self.inject(encode_plan(picture)), note)))

    def _note(self, picture: Picture, files: RealFiles) -> str:
        from doit_diskimg.disk.segment import signature_note

        where, segment = self.disk.outside[self.index]
        layout = layout_of(self)
        others = [region.extent for region in layout.regions if region.name != segment.name]
        return signature_note(where, layout.extent(segment.name), others, picture, files)


def fill_segment(step: Step, index: int, files: RealFiles) -> Picture:
    """Return the bytes of a segment at their place.  Raises DescriptionError or WorldError."""
    from doit_diskimg.tasks.numbers import DiskNumbers

    where, segment = step.disk.outside[index]
    layout = layout_of(step)
    extent = layout.extent(segment.name)
    start = extent.start if segment.start is None else None
    picture = segment.fill(files, where, DiskNumbers(step, layout, files), start)
    if any(not extent.contains(Extent(*piece[:2])) for piece in picture.pieces):
        raise changed(", ".join(normal(str(want.source)) for want in segment.sources(where)))
    return picture


@dataclass(frozen=True)
class Seal(Step):
    """Declares the image finished and, in a new generation, puts it in the old one's place."""

    parts: Sequence[str]

    def run(self) -> str | None:
        """Write ``seal.json``; the image is at its path afterwards."""
        with alone(self.state):
            text = self._seal()
        forget(self.state)
        return text

    def _seal(self) -> str | None:
        state, generation = self.state, self.state.generation()
        current, found = state.current(generation), kept.recorded(state) or {}
        after: Places = {}
        if found or guests_of(self.disk):
            layout = layout_of(self)
            check(self.disk, layout, found)
            after = {name: layout.extent(name) for name in guests_of(self.disk)}
        if current == state.image and found != after:
            raise broken(kept.path_of(state), "it is not of this image")
        if current == state.image and not after and seal.written_by_others(state):
            raise changed(current)
        parts = ours(state, self.parts)
        digest = self._digest(parts, generation)
        with self._carried(current, found, after):
            identity = seal.mark(current, digest)
            if self.disk.durable or (after and current != state.image):
                seal.sync(current)
            if after and current != state.image:
                kept.store(state, found, kept.coming(state, generation, after))
            receipts = [state.file(part, ".injected") for part in parts]
            if current != state.image:
                seal.break_seal(state)  # until the new image is there, the old seal is of use
            seal.write_seal(state, identity, generation, digest, receipts)
            if current == state.image:
                found = {}
            else:
                own.claim(own.images(state), current, state.image)
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
        with kept.held_still(image, listed(found)) as old, ImageFile(current, inside=True) as new:
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
        path = self.state.file("layout.json")
        try:
            size = decode_places(need(path))[2]
        except (ValueError, KeyError, TypeError) as error:
            raise _unusable(path, error) from error
        return digest_of(json.dumps([size, contents]).encode("ascii"))


def injected(state: StateFolder, parts: Sequence[str], generation: str) -> dict[str, Picture]:
    """Return what the image holds, by part; every part must be of this generation."""

    def decode(receipt: bytes) -> tuple[str, Picture]:
        injected_into, plan = decode_receipt(receipt)
        return injected_into, decode_plan(plan)

    return _injected(state, parts, generation, decode)


def _decode_whole(receipt: bytes) -> tuple[str, Plan]:
    """Return what `decode_receipt` finds, if the plan is all there."""
    injected_into, plan = decode_receipt(receipt)
    plan.total()
    return injected_into, plan


def _unusable(path: str, error: Exception) -> WorldError:
    return broken(path, f"it can't be used: {error}")


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
            raise _unusable(path, error) from error
        if injected_into != generation:
            raise broken(path, "it is of another image")
    return found
