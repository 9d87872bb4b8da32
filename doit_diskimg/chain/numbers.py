"""What the parts of a disk know of one another: values of symbols, and places in volumes.

A volume of which somebody asks something leaves ``P.places.json`` beside its plan: the place of
just those files, and the checksums that are asked for.
"""

from collections.abc import Iterator, Sequence
from typing import Any

from doit_diskimg.chain.job import PLACES, Job
from doit_diskimg.chain.pictures import DiskNumbers, place_of
from doit_diskimg.disk import links
from doit_diskimg.disk.identity import partition_guid
from doit_diskimg.disk.links import Needs
from doit_diskimg.disk.model import Disk
from doit_diskimg.disk.placed import decode_layout
from doit_diskimg.disk.sockets import Locating
from doit_diskimg.errors import DiskimgError
from doit_diskimg.host.files import RealFiles
from doit_diskimg.host.state import load_if_whole, write_json
from doit_diskimg.plan.canonical import canonical_digest
from doit_diskimg.plan.content import FORMAT, Wanted
from doit_diskimg.plan.picture import Picture

_Values = dict[str, Any]


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
