"""A layout as a file, and as a map for people."""

import json
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from doit_diskimg.plan.content import FORMAT, digest_of

if TYPE_CHECKING:
    from doit_diskimg.disk.placed import Layout
    from doit_diskimg.disk.segment import PlacedPartition, Region
    from doit_diskimg.extent import Extent


def encode_layout(layout: "Layout") -> bytes:
    """Return ``layout`` as JSON, readable for people and for other programs."""
    from doit_diskimg.disk.model import TABLE

    data = {
        "format": FORMAT,
        "size": layout.size,
        "sector_size": layout.sector_size,
        "regions": [_plain(region) for region in layout.regions],
        "partitions": [_plain(partition) for partition in layout.partitions],
        "extended": None if layout.extended is None else _plain(layout.extended),
        # What follows is all that a `doit` with nothing to do asks; it follows from the above.
        "places": {
            region.name: [*layout.extent(region.name)]
            for region in layout.regions
            if region.where != TABLE
        },
        "skeleton": digest_of(json.dumps(layout.skeleton()).encode("ascii")),
    }
    return (json.dumps(data, indent=1) + "\n").encode("ascii")


def decode_places(text: bytes) -> tuple[dict[str, list[int]], str, int]:
    """Return where each partition and segment of a layout lies, the digest of its skeleton, and the
    length of the disk.

    Places are (start, length) by name.  Raises ValueError if `encode_layout` did not write it.
    """
    data = json.loads(text)
    if not isinstance(data, dict) or data.get("format") != FORMAT:
        raise ValueError("written by another version")
    return data["places"], data["skeleton"], data["size"]


def decode_layout(text: bytes) -> "Layout":
    """Return the layout that `encode_layout` wrote.  Raises ValueError for anything else."""
    from doit_diskimg.disk.placed import Layout
    from doit_diskimg.disk.segment import PlacedPartition, Region

    data = json.loads(text)
    if not isinstance(data, dict) or data.get("format") != FORMAT:
        raise ValueError("written by another version")
    return Layout(
        size=data["size"],
        sector_size=data["sector_size"],
        regions=tuple(Region(**_placed(region)) for region in data["regions"]),
        partitions=tuple(PlacedPartition(**_placed(part)) for part in data["partitions"]),
        extended=data["extended"] and PlacedPartition(**_placed(data["extended"])),
    )


def _plain(part: "Region | PlacedPartition") -> dict[str, object]:
    return {**vars(part), "extent": [*part.extent]}


def _placed(data: dict[str, Any]) -> dict[str, Any]:
    from doit_diskimg.extent import Extent

    return {**data, "extent": Extent(*data["extent"])}


def map_rows(layout: "Layout") -> Iterator[tuple[str, str, str, str, str]]:
    """Yield the map of a disk, gaps included: name, start, end, length, type.

    The extended partition of an MBR is told before the first region inside it.
    """
    from doit_diskimg.extent import Extent
    from doit_diskimg.ondisk.guids import type_name

    types = {part.name: type_name(part.type) for part in layout.partitions}
    end, extended = 0, layout.extended
    for region in layout.regions:
        if region.extent.start > end:
            yield _row("(gap)", Extent(end, region.extent.start - end), "")
        if extended is not None and region.extent.start == extended.extent.start:
            yield _row("(extended)", extended.extent, type_name(extended.type))
        yield _row(region.name, region.extent, types.get(region.name, ""))
        end = max(end, region.extent.end)
    if layout.size > end:
        yield _row("(gap)", Extent(end, layout.size - end), "")


def _row(name: str, extent: "Extent", type_: str) -> tuple[str, str, str, str, str]:
    from doit_diskimg.units import format_size

    return name, f"{extent.start:#x}", f"{extent.end:#x}", format_size(extent.length), type_
