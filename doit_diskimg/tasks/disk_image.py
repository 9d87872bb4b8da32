"""`DiskImage`: a disk of somebody else's in which a part is ours.

Everything that is not ours is one segment, the base image, with holes where ours is.  Its table is
read when somebody asks for the tasks or for what is wrong: places are part of a description, and a
description is complete before the first task runs.  So the base image has to be there by then.
"""

import os
import struct
from collections.abc import Iterator, Mapping, Sequence
from functools import cached_property
from os import PathLike, fspath
from typing import Any, Literal, NamedTuple

from doit_diskimg.disk.fields import as_size, is_path, name_problems, path_problems
from doit_diskimg.disk.model import STEPS, Disk, Output, Partition
from doit_diskimg.disk.placed import TABLE
from doit_diskimg.disk.segment import Segment
from doit_diskimg.disk.sockets import Payload
from doit_diskimg.errors import BadImage, BadValue, Problem, SourceMissing, WorldError
from doit_diskimg.extent import Extent
from doit_diskimg.frozen import MISUSE, misuse
from doit_diskimg.host.paths import normal
from doit_diskimg.kinds.tables.theirs import BASE, UNLISTED, Taken, TheirPart, Theirs
from doit_diskimg.ondisk.gpt_header import HEADER_SIZE, SIGNATURE, GptHeader
from doit_diskimg.ondisk.mbr_sector import START as MBR_START
from doit_diskimg.verify import gpt_reader, mbr_reader
from doit_diskimg.verify.finding import Findings
from doit_diskimg.verify.mbr_reader import sector_zero
from doit_diskimg.verify.partitions import FoundPartition
from doit_diskimg.verify.source import Source

_SECTOR = 512
_TABLE = "the partition table"
_LONGEST_ARRAY = 1 << 22  # bytes; what a damaged header claims beyond that, nobody reads


_FIELDS = (
    "base", "image", "partitions", "own", "name", "outputs", "busy", "guest_writes", "durable",
    "replace",
)  # fmt: skip
_DECIDED = ("size", "table", "partitions", "segments")
"""The fields of a disk that the base image decides."""


class _Found(NamedTuple):
    """What is on the base image."""

    size: int
    sector_size: int
    parts: Sequence[FoundPartition]
    table: Sequence[Taken]


class DiskImage(Disk):
    """A disk that is ``base``, a disk of somebody else's, but for what is ours.

    ``image`` is the file to build.  ``partitions`` maps numbers or GPT names of the base's
    partitions to payloads, which fill them; their places, types and names stay.  ``own`` is what
    lies outside of them: a `Segment` with a start and either bytes or a size, or a `Partition` with
    a start, a size and ``in_table=False``.  Every other byte is the base image's, which is never
    written.
    """

    def __init__(
        self,
        *,
        base: str | PathLike[str],
        image: str | PathLike[str],
        partitions: Mapping[int | str, Payload] | None = None,
        own: Sequence[Partition | Segment] = (),
        name: str = "",
        outputs: Sequence[Output] = (),
        busy: Literal["swap", "error"] = "swap",
        guest_writes: Literal["restore", "error"] = "restore",
        durable: bool = False,
        replace: bool = False,
        **unknown: object,
    ) -> None:
        super().__init__(
            image, name=name, outputs=outputs, busy=busy, guest_writes=guest_writes,
            durable=durable, replace=replace, size=0, table=None,
        )  # fmt: skip
        for field in _DECIDED:
            del self.__dict__[field]  # the base image decides them: see below
        if unknown:
            self.__dict__[MISUSE] = misuse(type(self).__name__, _FIELDS, given=unknown)
        several = isinstance(own, Sequence) and not isinstance(own, (str, bytes))
        ours = dict(partitions) if isinstance(partitions, Mapping) else {}
        self.__dict__["_given"] = (base, image, ours, tuple(own) if several else (own,))

    @cached_property
    def _base(self) -> dict[str, Any]:
        """The fields that the base image decides; it is read when somebody asks for one."""
        return fields(*self.__dict__["_given"])

    size = cached_property(lambda self: self._base["size"])
    table = cached_property(lambda self: self._base["table"])
    partitions = cached_property(lambda self: tuple(self._base.get("partitions", ())))
    segments = cached_property(lambda self: tuple(self._base.get("segments", ())))

    def __getstate__(self) -> dict[str, Any]:
        """Return what a worker of doit's needs, and what decides whether this was right before."""
        decided = {field: getattr(self, field) for field in _DECIDED}
        return {**self.__dict__, **decided}


def fields(
    base: str | PathLike[str],
    image: str | PathLike[str],
    payloads: Mapping[int | str, Payload],
    own: Sequence[Partition | Segment],
) -> dict[str, Any]:
    """Return the fields of `Disk` that the base image decides.

    What is wrong becomes faults of the table: a description never raises, it has problems.
    """
    try:
        found = _read(base, image)
    except WorldError as error:
        return _nothing(base, error.problems)
    chosen, faults = list[tuple[TheirPart, FoundPartition, Payload]](), list[Problem]()
    for key, payload in payloads.items():
        part = _find(found.parts, key)
        if part is None:
            faults.append(_unknown(base, key, found.parts))
        else:
            name = _name(part, [their.name for their, _, _ in chosen])
            chosen.append((TheirPart(name, part.number, part.type), part, payload))
    faults += _own_faults(own)
    if faults or (not chosen and not own):
        return _nothing(base, faults or [_nothing_is_ours(base)])
    ours = {part.number for _, part, _ in chosen}
    taken = [*found.table, *_others(found.parts, ours)]
    return {
        "size": found.size,
        "table": Theirs(
            path=fspath(base), bytes_per_sector=found.sector_size,
            parts=tuple(their for their, _, _ in chosen), taken=tuple(taken),
        ),
        "partitions": [
            *(Partition(their.name, payload, start=part.start, size=part.length)
              for their, part, payload in chosen),
            *(one for one in own if isinstance(one, Partition)),
        ],
        "segments": [
            Segment(BASE, base, 0, keep=_holes([part for _, part, _ in chosen], own)),
            *(one for one in own if isinstance(one, Segment)),
        ],
    }  # fmt: skip


def _nothing(base: object, problems: Sequence[Problem]) -> dict[str, Any]:
    """Return fields with which nothing is wrong but ``problems``."""
    return {"size": _SECTOR, "table": Theirs(path=str(base), faults=tuple(problems))}


def _read(base: str | PathLike[str], image: str | PathLike[str]) -> _Found:
    """Return the partitions of the base image.  Raises WorldError."""
    must = "must be an existing disk image with a partition table"
    for problem in path_problems(base, BASE, must, "name another image"):
        raise WorldError(problem)
    if not os.path.exists(base):
        must = "its table is read when dodo.py is, so it must be there before the build"
        raise WorldError(SourceMissing(BASE, f"{fspath(base)!r} does not exist", must, "fix it"))
    if is_path(image) and normal(base) == normal(image):
        raise WorldError(_bad(base, f"{fspath(base)!r} is the image that is built"))
    with Source(base) as source:
        ignored = Findings()
        if sector_size := gpt_reader.present(source):
            parts = gpt_reader.check(source, sector_size, ignored)
            table = list(_gpt_regions(source, sector_size, parts))
        elif (zero := sector_zero(source))[1]:
            sector_size = mbr_reader.sector_size(source)
            parts = mbr_reader.check(source, sector_size, ignored)
            table = list(_mbr_regions(source, sector_size, parts))
        else:
            found = "is a FAT volume alone" if zero[0] else "has neither a GPT nor an MBR"
            raise WorldError(_bad(base, f"{fspath(base)!r} {found}"))
        inside = [part for part in parts if part.length > 0 and part.end <= source.length]
        return _Found(source.length, sector_size, inside, table)


def _gpt_regions(
    source: Source, sector_size: int, parts: Sequence[FoundPartition]
) -> Iterator[Taken]:
    """Yield what of the disk is the GPT's.

    What no table lists stays out of all that the headers reserve; a partition only has to be clear
    of the structures themselves, for its own table decided where it is.
    """
    header = _gpt_header(source, 1, sector_size)
    last = source.length // sector_size - 1
    first, end = 34 * sector_size, last - 32  # of a damaged one: the backup was read
    if header:
        first, end = header.first_usable_lba * sector_size, header.last_usable_lba + 1
    listed = frozenset(part.number for part in parts)
    reserved = Extent(MBR_START, max(0, first - MBR_START))
    behind = Extent(end * sector_size, source.length - end * sector_size)
    yield Taken(_TABLE, reserved, listed)
    yield Taken("the backup table", behind, listed)
    yield Taken(_TABLE, Extent(MBR_START, _SECTOR - MBR_START), frozenset({UNLISTED}))
    for what, extent in _structures(source, sector_size, header):
        named = reserved.contains(extent) or behind.contains(extent)
        yield Taken(what, extent, frozenset({UNLISTED} if named else ()))


def _structures(
    source: Source, sector_size: int, primary: GptHeader | None
) -> Iterator[tuple[str, Extent]]:
    """Yield the headers and their arrays, with what they are."""
    last = source.length // sector_size - 1
    places = {1: "GPT", last: "backup GPT"}
    if primary and 1 < primary.alternate_lba < last:
        places[primary.alternate_lba] = "backup GPT"
    for lba, name in places.items():
        header = _gpt_header(source, lba, sector_size)
        if header or lba == 1:
            yield f"the header of the {name}", Extent(lba * sector_size, sector_size)
        if header and (length := header.entry_count * header.entry_size) <= _LONGEST_ARRAY:
            yield f"the entries of the {name}", Extent(header.entries_lba * sector_size, length)


def _gpt_header(source: Source, lba: int, sector_size: int) -> GptHeader | None:
    """Return the header in sector ``lba``, None if there is none."""
    try:
        header = GptHeader.unpack(source.read(lba * sector_size, HEADER_SIZE))
    except (ValueError, struct.error):
        return None
    return header if header.signature == SIGNATURE else None


def _mbr_regions(
    source: Source, sector_size: int, parts: Sequence[FoundPartition]
) -> Iterator[Taken]:
    """Yield what of the disk is the MBR's, the sectors that record logical partitions included."""
    yield Taken(_TABLE, Extent(MBR_START, _SECTOR - MBR_START))
    logical = frozenset(part.number for part in parts if part.number > mbr_reader.PRIMARIES)
    for entry in mbr_reader.entries(source.read(0, _SECTOR), 0):
        if entry.type in mbr_reader.EXTENDED:
            extent = Extent(entry.first * sector_size, entry.sectors * sector_size)
            yield Taken("the extended partition", extent, logical)
    for place in mbr_reader.links(source, sector_size):
        what = "the sector that records a logical partition"
        yield Taken(what, Extent(place, sector_size), frozenset({UNLISTED}))


def _others(parts: Sequence[FoundPartition], ours: set[int]) -> Iterator[Taken]:
    for part in parts:
        whose = "" if part.number not in ours else ", which is ours already,"
        extent = Extent(part.start, part.length)
        yield Taken(f"{part.title}{whose}", extent, frozenset({part.number}))


def _find(parts: Sequence[FoundPartition], key: object) -> FoundPartition | None:
    """Return the partition of that number, or that name if only one has it."""
    found = [part for part in parts if key in (part.number, part.name or None)]
    return found[0] if len(found) == 1 and not isinstance(key, bool) else None


def _name(part: FoundPartition, names: Sequence[str]) -> str:
    """Return the name of a partition in our description: its own, if tasks can have it."""
    reserved = {TABLE, BASE, *STEPS, *names}
    if part.name and not list(name_problems(part.name, "")) and part.name not in reserved:
        return part.name
    return f"partition{part.number}"


def _holes(
    parts: Sequence[FoundPartition], own: Sequence[Partition | Segment]
) -> list[tuple[int, int]]:
    """Return what the base image does not have to fill, half-open."""
    extents = [Extent(part.start, part.length) for part in parts]
    for one in own:
        start = as_size(one.start)
        length = as_size(one.size) if isinstance(one, Partition) else one.known_room
        if start is not None and length is not None:
            extents.append(Extent(start, length))
    return sorted((extent.start, extent.end) for extent in extents)


_SIZE = 'give it a size, for example size="31KiB"'


def _own_faults(own: Sequence[object]) -> Iterator[Problem]:
    """Yield what of ours has no room of its own that is known now."""
    change = 'write Partition("stage2", File(...), start=512, size="31KiB", in_table=False)'
    for index, one in enumerate(own):
        where = f"own[{index}]"
        if isinstance(one, Segment):
            must = "what lies in an existing disk needs a room that does not change"
            if one.known_room is None and one.size is None:
                yield BadValue(where, f"{one.name!r} is as long as its file", must, _SIZE)
            if one.start is None:
                yield BadValue(where, f"{one.name!r} has no start", must, "write start=512")
        elif isinstance(one, Partition):
            if one.in_table or as_size(one.start) is None or as_size(one.size) is None:
                must = "must have in_table=False, a start and a size: their table stays as it is"
                yield BadValue(where, f"{one.name!r} has not", must, change)
        elif not isinstance(one, Segment):
            must = "must be Segment(...), or Partition(..., in_table=False)"
            yield BadValue(where, f"{one!r} is neither", must, change)


def _unknown(base: object, key: object, parts: Sequence[FoundPartition]) -> Problem:
    known = ", ".join(part.title for part in parts) or "none"
    return BadValue(
        f"partitions[{key!r}]", f"{str(base)!r} has no such partition",
        "must be the number of one, or a name that one of them has", f"there are: {known}",
    )


def _nothing_is_ours(base: object) -> Problem:
    return BadValue(
        "partitions", f"nothing in {str(base)!r} is ours", "one partition must be, or something "
        "in own", "write for example {2: Fat({...})}",
    )


def _bad(base: object, found: str) -> Problem:
    return BadImage(
        BASE, found, "must be an existing disk image with a partition table",
        "name another image",
    )
