"""The bytes of one part of a disk, and what a part is told of the others.

Bytes of parts that have no plan of their own are computed on the spot, since a linked image asks
for them before anything is injected.  A volume of which somebody asks something leaves
``P.places.json`` beside its plan: the place of just those files, and the checksums that are asked
for.
"""

import json
from collections.abc import Iterator, Sequence
from typing import Any
from uuid import UUID

from doit_diskimg.chain.job import PLACES, Job
from doit_diskimg.chain.results import layout_of
from doit_diskimg.disk import links
from doit_diskimg.disk.identity import disk_guid, identity_of, partition_guid
from doit_diskimg.disk.links import Needs, no_file
from doit_diskimg.disk.model import Disk, Part
from doit_diskimg.disk.placed import Layout, decode_layout
from doit_diskimg.disk.sockets import Locating, Place
from doit_diskimg.errors import BadValue, DescriptionError, DiskimgError, Problem
from doit_diskimg.extent import Extent
from doit_diskimg.host.files import RealFiles
from doit_diskimg.host.hashing import changed
from doit_diskimg.host.paths import normal
from doit_diskimg.host.state import load, load_if_whole, write_json
from doit_diskimg.plan.canonical import canonical_digest
from doit_diskimg.plan.content import FORMAT, Wanted
from doit_diskimg.plan.picture import Picture, Piece
from doit_diskimg.units import parse_size

_Values = dict[str, Any]


def fill(job: Job, index: int, files: RealFiles) -> Picture:
    """Return the bytes of a partition's payload.  Raises DescriptionError or WorldError."""
    part, place = job.disk.parts()[index], place_of(job, index, files)
    picture = part.payload.fill(place, files, part.where)
    if problem := _misdrawn(part, place, picture):
        raise DescriptionError(problem)
    return picture


def _misdrawn(part: Part, place: Place, picture: object) -> Problem | None:
    """Return what is wrong with a picture that lies outside its partition, or is none."""
    name = type(part.payload).__name__
    if not isinstance(picture, Picture):
        return BadValue(
            part.where, f"{name}.fill returned {picture!r}", "must return a picture",
            f"write {name}.fill, for example with a canvas (ports.Canvas)",
        )
    piece = _outside(picture, place.extent)
    return piece and BadValue(
        part.where, f"{name}.fill drew bytes {piece.start} to {piece.end} of the disk",
        f"must stay in its partition, {place.extent.start} to {place.extent.end}",
        f"ask for more room in {name}.room, or draw at place.extent.start",
    )


def _outside(picture: Picture, extent: Extent) -> Piece | None:
    """Return a piece of a picture that does not lie within ``extent``, None if all do."""
    found = (it for it in picture.pieces if it.start < extent.start or it.end > extent.end)
    return next(found, None)


def place_of(job: Job, index: int, files: RealFiles) -> Place:
    """Return what a partition's payload is told of the disk."""
    part, layout = job.disk.partitions[index], layout_of(job)
    return Place(
        extent=layout.extent(part.name),
        sector_size=layout.sector_size,
        identity=partition_guid(job.disk, part),
        epoch=job.epoch,
        bare=job.disk.is_one_volume,
        name=part.name,
        numbers=DiskNumbers(job, layout, files),
    )


def fill_segment(job: Job, index: int, files: RealFiles) -> Picture:
    """Return the bytes of a segment at their place.  Raises DescriptionError or WorldError."""
    where, segment = job.disk.outside[index]
    layout = layout_of(job)
    extent = layout.extent(segment.name)
    start = extent.start if segment.start is None else None
    picture = segment.fill(files, where, DiskNumbers(job, layout, files), start)
    if _outside(picture, extent):
        raise changed(", ".join(normal(str(want.source)) for want in segment.sources(where)))
    return picture


class DiskNumbers:
    """`symbols.Numbers` of a disk whose table has been made."""

    def __init__(self, job: Job, layout: Layout, files: RealFiles) -> None:
        self._job = job
        self._layout = layout
        self._files = files
        self._parts = {part.name: index for index, part in enumerate(job.disk.partitions)}
        self._segments = {one.segment.name: index for index, one in enumerate(job.disk.outside)}

    @property
    def sector_size(self) -> int:
        """Bytes per logical sector; see `symbols.Numbers`."""
        return self._layout.sector_size

    def extent(self, name: str, where: str) -> Extent:
        """Return the place of a part; see `symbols.Numbers`."""
        if name in self._parts:
            return self._layout.extent(name)
        here, segment = self._job.disk.outside[self._segments[name]]
        start = segment.start
        first = self._layout.extent(name).start if start is None else parse_size(start)
        # Not asked of our own files: a length that changes and no number with it is no reason.
        length = segment.measure(RealFiles(session=self._job.session), here)
        return Extent(first, segment.room(length))

    def file(self, partition: str, path: str, where: str) -> Extent:
        """Return the place of a file; see `symbols.Numbers`."""
        return Extent(*self._located(partition, path, where)[:2])

    def crc32(self, name: str, path: str | None, where: str) -> int:
        """Return the checksum of a part or file; see `symbols.Numbers`."""
        if path is not None:
            return int(self._located(name, path, where)[2])
        if name in self._parts and self._job.disk.partitions[self._parts[name]].payload.populated:
            return int(self._places(name)["crc32"])
        return self._picture(name).crc32(self.extent(name, where), self._files, where)

    def partition_guid(self, name: str) -> UUID:
        """Return a partition's GUID; see `symbols.Numbers`."""
        disk = self._job.disk
        return partition_guid(disk, disk.partitions[self._parts[name]])

    def disk_guid(self) -> UUID:
        """Return the disk's GUID; see `symbols.Numbers`."""
        return disk_guid(self._job.disk)

    def disk_signature(self) -> int:
        """Return the disk signature; see `symbols.Numbers`."""
        return identity_of(self._job.disk).signature

    def _picture(self, name: str) -> Picture:
        if name in self._parts:
            return fill(self._job, self._parts[name], self._files)
        return fill_segment(self._job, self._segments[name], self._files)

    def _located(self, partition: str, path: str, where: str) -> list[Any]:
        found = self._places(partition)["files"].get(path)
        if isinstance(found, str):
            raise DescriptionError(no_file(where, found))
        return list(found)

    def _places(self, partition: str) -> _Values:
        def decode(text: bytes) -> _Values:
            data: _Values = json.loads(text)
            if data["format"] != FORMAT:
                raise ValueError("written by another version")
            return data

        return load(self._job.state.file(partition, PLACES), decode)


def write_places(job: Job, index: int, picture: Picture, files: RealFiles) -> None:
    """Write what others ask of a volume that is ``picture``, if anybody asks anything."""
    part = job.disk.parts()[index]
    wanted = links.located(job.disk, part.name)
    if wanted is None:
        return
    place, found = place_of(job, index, files), dict[str, object]()
    if isinstance(part.payload, Locating) and wanted.files:
        located = part.payload.locate([*wanted.files], place, files, part.where)
        for path, extent in located.items():
            if isinstance(extent, str):
                found[path] = extent
            else:
                crc32 = picture.crc32(extent, files, part.where) if wanted.files[path] else None
                found[path] = [*extent, crc32]
    whole = picture.crc32(place.extent, files, part.where) if wanted.crc32 else None
    path = job.state.file(part.name, PLACES)
    write_json(path, {"format": FORMAT, "files": found, "crc32": whole})


def sources_of(disk: Disk, parts: Sequence[str]) -> Iterator[Wanted]:
    """Yield what the parts are made of."""
    for part in disk.parts():
        if part.name in parts:
            yield from part.payload.sources(part.where)
    for where, segment in disk.outside:
        if segment.name in parts:
            yield from segment.sources(where)


def described(disk: Disk, parts: Sequence[str]) -> Iterator[object]:
    """Yield how the parts are described."""
    for part in disk.partitions:
        if part.name in parts:
            yield [part.payload, str(partition_guid(disk, part)), disk.sector_size]
    yield from (segment for _, segment in disk.outside if segment.name in parts)


def resolved(job: Job, needs: Needs) -> _Values:
    """Return the value of each symbol that a part holds, by its text."""
    layout = load_if_whole(job.state.file("layout.json"), decode_layout)
    if layout is None:
        return {}
    numbers = DiskNumbers(job, layout, RealFiles(session=job.session))
    parts = [*described(job.disk, needs.parts)]
    found: _Values = {"the description of what it needs": canonical_digest(parts)}
    for where, symbol in needs.asks:
        if symbol.asks_contents and symbol.name in needs.parts:
            continue  # a part that it is computed from changed: its sources say so
        try:
            value = symbol.resolve(numbers, where)
            found[str(symbol)] = value.hex() if isinstance(value, bytes) else value
        except DiskimgError as error:
            found[str(symbol)] = str(error)
    for name in needs.parts:
        found[name] = [*numbers.extent(name, name)]
    return found
