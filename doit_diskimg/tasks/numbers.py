"""The numbers of a disk, from what the tasks wrote: the layout, and the places of files in volumes.

A volume of which somebody asks something leaves ``P.places.json`` beside its plan: the place of
just those files, and the checksums that are asked for.  Bytes of parts that have no plan of their
own are computed on the spot, since a linked image asks for them before anything is injected.
"""

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

from doit_diskimg.disk import links
from doit_diskimg.disk.identity import disk_guid, identity_of, partition_guid
from doit_diskimg.disk.links import Needs, no_file
from doit_diskimg.errors import DescriptionError, DiskimgError
from doit_diskimg.extent import Extent
from doit_diskimg.plan.content import FORMAT, Wanted
from doit_diskimg.tasks.step import PLACES
from doit_diskimg.tasks.uptodate import AsSeen, stored_layout
from doit_diskimg.units import parse_size

if TYPE_CHECKING:
    from uuid import UUID

    from doit_diskimg.disk.model import Disk
    from doit_diskimg.disk.placed import Layout
    from doit_diskimg.host.files import RealFiles
    from doit_diskimg.plan.picture import Picture
    from doit_diskimg.tasks.step import Step

_Values = dict[str, Any]


class DiskNumbers:
    """`symbols.Numbers` of a disk whose table has been made."""

    def __init__(self, step: "Step", layout: "Layout", files: "RealFiles") -> None:
        self._step = step
        self._layout = layout
        self._files = files
        self._parts = {part.name: index for index, part in enumerate(step.disk.partitions)}
        self._segments = {one.segment.name: index for index, one in enumerate(step.disk.outside)}

    @property
    def sector_size(self) -> int:
        """Bytes per logical sector; see `symbols.Numbers`."""
        return self._layout.sector_size

    def extent(self, name: str, where: str) -> Extent:
        """Return the place of a part; see `symbols.Numbers`."""
        if name in self._parts:
            return self._layout.extent(name)
        from doit_diskimg.host.files import RealFiles

        here, segment = self._step.disk.outside[self._segments[name]]
        start = segment.start
        first = self._layout.extent(name).start if start is None else parse_size(start)
        # Not asked of our own files: a length that changes and no number with it is no reason.
        return Extent(first, segment.room(segment.measure(RealFiles(), here)))

    def file(self, partition: str, path: str, where: str) -> Extent:
        """Return the place of a file; see `symbols.Numbers`."""
        return Extent(*self._located(partition, path, where)[:2])

    def crc32(self, name: str, path: str | None, where: str) -> int:
        """Return the checksum of a part or file; see `symbols.Numbers`."""
        if path is not None:
            return int(self._located(name, path, where)[2])
        if name in self._parts and self._step.disk.partitions[self._parts[name]].payload.populated:
            return int(self._places(name)["crc32"])
        return self._picture(name).crc32(self.extent(name, where), self._files, where)

    def partition_guid(self, name: str) -> "UUID":
        """Return a partition's GUID; see `symbols.Numbers`."""
        disk = self._step.disk
        return partition_guid(disk, disk.partitions[self._parts[name]])

    def disk_guid(self) -> "UUID":
        """Return the disk's GUID; see `symbols.Numbers`."""
        return disk_guid(self._step.disk)

    def disk_signature(self) -> int:
        """Return the disk signature; see `symbols.Numbers`."""
        return identity_of(self._step.disk).signature

    def _picture(self, name: str) -> "Picture":
        from doit_diskimg.tasks.injection import fill_segment
        from doit_diskimg.tasks.populating import fill

        if name in self._parts:
            return fill(self._step, self._parts[name], self._files)
        return fill_segment(self._step, self._segments[name], self._files)

    def _located(self, partition: str, path: str, where: str) -> list[Any]:
        found = self._places(partition)["files"].get(path)
        if isinstance(found, str):
            raise DescriptionError(no_file(where, found))
        return list(found)

    def _places(self, partition: str) -> _Values:
        import json

        from doit_diskimg.host.state import broken, need

        path = self._step.state.file(partition, PLACES)
        try:
            data: _Values = json.loads(need(path))
            if data["format"] != FORMAT:
                raise ValueError("written by another version")
            return data
        except (ValueError, KeyError, TypeError) as error:
            raise broken(path, f"it can't be read: {error}") from error


def write_places(step: "Step", index: int, picture: "Picture", files: "RealFiles") -> None:
    """Write what others ask of a volume that is ``picture``, if anybody asks anything."""
    from doit_diskimg.disk.sockets import Locating
    from doit_diskimg.host.state import write_json
    from doit_diskimg.tasks.populating import place_of

    part, where = step.disk.partitions[index], step.disk.parts()[index].where
    wanted = links.located(step.disk, part.name)
    if wanted is None:
        return
    place, found = place_of(step, index, files), dict[str, object]()
    if isinstance(part.payload, Locating) and wanted.files:
        located = part.payload.locate([*wanted.files], place, files, where)
        for path, extent in located.items():
            if isinstance(extent, str):
                found[path] = extent
            else:
                crc32 = picture.crc32(extent, files, where) if wanted.files[path] else None
                found[path] = [*extent, crc32]
    whole = picture.crc32(place.extent, files, where) if wanted.crc32 else None
    path = step.state.file(part.name, PLACES)
    write_json(path, {"format": FORMAT, "files": found, "crc32": whole})


def sources_of(disk: "Disk", parts: Sequence[str]) -> Iterator[Wanted]:
    """Yield what the parts are made of."""
    for part in disk.parts():
        if part.name in parts:
            yield from part.payload.sources(part.where)
    for where, segment in disk.outside:
        if segment.name in parts:
            yield from segment.sources(where)


def described(disk: "Disk", parts: Sequence[str]) -> Iterator[object]:
    """Yield how the parts are described."""
    for part in disk.partitions:
        if part.name in parts:
            yield [part.payload, str(partition_guid(disk, part)), disk.sector_size]
    yield from (segment for _, segment in disk.outside if segment.name in parts)


class NumbersAsResolved(AsSeen):
    """The numbers of the layout that a part holds are those of its last run."""

    KEY = "doit_diskimg:numbers"

    def __init__(self, step: "Step", needs: Needs) -> None:
        self._step = step
        self._needs = needs

    def see(self, before: Any) -> _Values:
        """Return each symbol's value, by its text."""
        from doit_diskimg.host.files import RealFiles

        layout = stored_layout(self._step.state.file("layout.json"))
        if layout is None:
            return {}
        numbers = DiskNumbers(self._step, layout, RealFiles())
        found: _Values = {}
        for where, symbol in self._needs.asks:
            if symbol.asks_contents and symbol.name in self._needs.parts:
                continue  # a part that it is computed from changed: its sources say so
            try:
                value = symbol.resolve(numbers, where)
                found[str(symbol)] = value.hex() if isinstance(value, bytes) else value
            except DiskimgError as error:
                found[str(symbol)] = str(error)
        for name in self._needs.parts:
            found[name] = [*numbers.extent(name, name)]
        return found

    def difference(self, before: Any, now: _Values) -> str:
        """Return a number that is new or another one."""
        known = before or {}
        for name, value in now.items():
            if name not in known:
                return f"{name} was not asked for before"
            if known[name] != value:
                return f"{name} is {value} now and was {known[name]}"
        return ""
