"""Partitions with ``persist=True``: their bytes belong to the guest.

They are made once, from the payload.  From then on no task writes them: a build patches what is
around them, and a new image gets a copy.  Nothing but the task ``P:reset`` gives them up.
"""

import os
from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING

from doit_diskimg.errors import KeptBytes, Problem, WorldError
from doit_diskimg.extent import Extent
from doit_diskimg.frozen import dataclass
from doit_diskimg.host import kept
from doit_diskimg.host.folder import unlink_in
from doit_diskimg.host.kept import Places
from doit_diskimg.host.state import StateFolder, host_failed, need, read_json
from doit_diskimg.tasks.guests import guests_of, places
from doit_diskimg.tasks.step import Step

if TYPE_CHECKING:
    from doit_diskimg.disk.model import Disk
    from doit_diskimg.disk.placed import Layout
    from doit_diskimg.plan.picture import Picture


def ours(state: StateFolder, parts: Sequence[str]) -> list[str]:
    """Return the parts of the disk that our tasks write."""
    guests = kept.recorded(state) or {}
    return [part for part in parts if part not in guests]


def listed(names: Iterable[str]) -> str:
    """Return the names as a user reads them."""
    return ", ".join(map(repr, names))


def check(disk: "Disk", layout: "Layout", found: Places) -> None:
    """Raise WorldError if an image of that layout had no room for what is the guest's."""
    problems = list(_misfits(disk, layout, found))
    if problems:
        raise WorldError(*problems)


def _misfits(disk: "Disk", layout: "Layout", found: Places) -> Iterator[Problem]:
    wheres = {part.name: index for index, part in enumerate(disk.partitions) if part.persist}
    for name, place in found.items():
        give_up = f"give it up by doit {disk.name}:{name}:reset"
        if name not in wheres:
            yield KeptBytes(
                "partitions", f"no partition {name!r} has persist=True any more",
                "what its guest wrote may not be lost", f"describe it as it was, or {give_up}",
            )
        elif place is not None and place.length != layout.extent(name).length:
            yield KeptBytes(
                f"partitions[{wheres[name]}].size",
                f"{name!r} would have {layout.extent(name).length:,} bytes",
                f"what its guest wrote has {place.length:,}", f"write that size, or {give_up}",
            )


def settled(step: Step, layout: "Layout", table: "Picture") -> Places:
    """Return the places of the guest's bytes in the image, all of them known.

    Without a record, an image whose partition table is the one of this layout has them where this
    layout says.  Raises WorldError.
    """
    disk, state = step.disk, step.state
    found = places(state, guests_of(disk))
    check(disk, layout, found)
    if any(place is None for place in found.values()):
        if not _has_table(state.image, layout, table):
            raise WorldError(*[
                KeptBytes(
                    state.image, f"nothing says where in it {name!r} lies",
                    "what a guest wrote may not be lost",
                    f"copy it out of the image, and run doit {disk.name}:{name}:reset",
                )
                for name, place in found.items() if place is None
            ])
        found = {name: place or layout.extent(name) for name, place in found.items()}
    _check_image(disk, state.image, found)
    return found


def _has_table(image: str, layout: "Layout", table: "Picture") -> bool:
    """Return whether an image has the length and the partition table of this layout."""
    try:
        with open(image, "rb") as file:
            if os.fstat(file.fileno()).st_size != layout.size:
                return False
            for piece in table.pieces:
                file.seek(piece.start)
                wanted = table.blob[piece.offset : piece.offset + piece.length]
                if file.read(piece.length) != wanted:
                    return False
            return True
    except OSError as error:
        raise host_failed(image, error, "read it") from error


def _check_image(disk: "Disk", image: str, found: Places) -> None:
    """Raise WorldError unless the image has the bytes that are on record."""
    try:
        length = os.stat(image).st_size
        text = f"it has {length:,} bytes, and no longer all of"
    except OSError:
        length, text = 0, "it is gone, and with it"
    problems = [
        KeptBytes(
            image, f"{text} what a guest wrote to {name!r}", "it may not be lost",
            f"put the image back, or give it up by doit {disk.name}:{name}:reset",
        )
        for name, place in found.items() if place is not None and place.end > length
    ]
    if problems:
        raise WorldError(*problems)


def only_guests_wrote(step: Step, layout: "Layout", found: Places) -> bool:
    """Return whether everything else in the image is what was sealed; it is read to find out."""
    from doit_diskimg.chain.as_planned import compare_bytes
    from doit_diskimg.disk.placed import decode_places
    from doit_diskimg.host.seal import sealed_receipts
    from doit_diskimg.plan.stored import decode_plan, decode_receipt
    from doit_diskimg.verify.finding import Findings
    from doit_diskimg.verify.source import Source

    state = step.state
    generation = read_json(state.file("generation"))
    receipts = sealed_receipts(state, str(generation.get("id", "")))
    skeleton = decode_places(need(state.file("layout.json")))[1]
    if receipts is None or generation.get("skeleton") != skeleton:
        return False
    if {name: layout.extent(name) for name in guests_of(step.disk)} != found:
        return False
    try:
        pictures = [decode_plan(decode_receipt(need(path))[1]) for path in receipts]
    except (ValueError, KeyError, TypeError):
        return False
    differences = Findings()
    with Source(state.image) as source:
        compare_bytes(source, layout.size, pictures, differences, _extents(found))
    return not list(differences)


def _extents(found: Places) -> list[Extent]:
    return [place for place in found.values() if place is not None]


@dataclass(frozen=True)
class GiveUp(Step):
    """Gives up the bytes of one partition of the guest's: the next build makes them anew."""

    name: str

    def run(self) -> str:
        """Take the partition off the record.  Raises WorldError."""
        from doit_diskimg.host.patching import alone

        with alone(self.state):  # with -n the same run may be about to seal, and store the record
            return self._give_up(self.state)

    def _give_up(self, state: StateFolder) -> str:
        from doit_diskimg.host.seal import break_seal

        found = places(state, guests_of(self.disk))
        if self.name not in found:
            return f"{self.name}: there is nothing of a guest's to give up"
        break_seal(state)
        for suffix in (".plan", ".injected"):  # what they say is of another time
            _remove(state.file(self.name, suffix))
        found.pop(self.name)
        kept.store(state, found)
        return f"{self.name}: what its guest wrote is given up; the next build makes it anew"


def _remove(path: str) -> None:
    try:
        unlink_in(path)
    except OSError as error:
        raise host_failed(path, error, "remove it") from error


def unlinked(name: str) -> Problem:
    """Return what is wrong with a linked image of a disk with such a partition."""
    return KeptBytes(
        "linked", f"{name!r} has persist=True", "a linked image shows the sources, and no bytes "
        "of a guest", "boot the image itself, or leave persist out",
    )


