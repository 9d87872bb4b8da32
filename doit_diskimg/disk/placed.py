"""A layout: where everything lies, once it is decided, and the file that keeps it.

`layout` decides it; the steps after that one only look things up.
"""

import json
from typing import Any

from doit_diskimg.extent import Extent
from doit_diskimg.frozen import dataclass
from doit_diskimg.plan.content import FORMAT, digest_of

TABLE = "table"
"""The name of the table's own steps (``os.img:table:inject``), which no part may have."""


@dataclass(frozen=True, kw_only=True)
class Region:
    """A named stretch of the disk; everything that takes room is one."""

    name: str
    where: str
    """The part of the description that claims it, such as ``partitions[1]`` or ``table``."""
    extent: Extent


@dataclass(frozen=True, kw_only=True)
class PlacedPartition:
    """A partition as the table will record it."""

    number: int
    """From 1, in the order of the description; the logical ones of an MBR from 5, in that of the
    disk; 0 if the table does not mention the partition."""
    name: str
    extent: Extent
    type: str
    """A type GUID in lower case, or an MBR type byte as ``0x0c``."""
    guid: str
    """Partition GUID in lower case; empty where the table has none."""
    attributes: int
    active: bool
    partition_name: str | None = None
    """What a GPT calls it; None for ``name``."""
    payload_type: str = ""
    """The type that the payload would choose, by name; empty if it has none."""
    ebr: int | None = None
    """Where the sector that records a logical partition begins; None for all others."""


def given_type(described: str | int | None, payload_type: str | None) -> str | int:
    """Return the type of a partition as it is described, else that of its payload.

    Raises ValueError, in words for the user, if neither has one.
    """
    given = payload_type if described is None else described
    if given is None:
        raise ValueError("no type is given, and the payload has no default type")
    return given


@dataclass(frozen=True, kw_only=True)
class Layout:
    """A disk of ``size`` bytes with every region in its place, sorted by start."""

    size: int
    sector_size: int
    regions: tuple[Region, ...]
    partitions: tuple[PlacedPartition, ...]
    """In the order of the description."""
    extended: PlacedPartition | None = None
    """The partition around the logical ones of an MBR; no region, since it has others inside."""

    def extent(self, name: str) -> Extent:
        """Return the place of the partition or segment of that name.  KeyError if none has it.

        A segment that spans what is not its own reaches from its first byte to its last.
        """
        own = [r.extent for r in self.regions if r.name == name and r.where != TABLE]
        if not own:
            raise KeyError(name)
        return Extent(own[0].start, max(extent.end for extent in own) - own[0].start)

    def recorded(self) -> tuple[PlacedPartition, ...]:
        """Return what the table has to mention."""
        extended = [] if self.extended is None else [self.extended]
        return (*(part for part in self.partitions if part.number), *extended)

    def skeleton(self) -> object:
        """Return what may not change while an image is patched in place, as plain data.

        The disk's length, the extents of the partitions and where the other regions begin, all
        with their names: what was injected is remembered by name.  A stage 2 may grow or shrink in
        its gap: nothing else moves, and every region is patched within bounds that no other had.
        A region without bytes bounds nothing, so whether a region has some is part of it.
        """
        names = {partition.name for partition in self.partitions}
        return [
            self.size,
            [[partition.name, *partition.extent] for partition in self.partitions],
            [
                [r.name, r.extent.start, r.extent.length > 0]
                for r in self.regions
                if r.name not in names
            ],
        ]


def encode_layout(layout: Layout) -> bytes:
    """Return ``layout`` as JSON, readable for people and for other programs."""
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
    data = _decoded(text)
    return data["places"], data["skeleton"], data["size"]


def decode_layout(text: bytes) -> Layout:
    """Return the layout that `encode_layout` wrote.  Raises ValueError for anything else."""
    data = _decoded(text)
    return Layout(
        size=data["size"],
        sector_size=data["sector_size"],
        regions=tuple(Region(**_placed(region)) for region in data["regions"]),
        partitions=tuple(PlacedPartition(**_placed(part)) for part in data["partitions"]),
        extended=data["extended"] and PlacedPartition(**_placed(data["extended"])),
    )


def _decoded(text: bytes) -> dict[str, Any]:
    data = json.loads(text)
    if not isinstance(data, dict) or data.get("format") != FORMAT:
        raise ValueError("written by another version")
    return data


def _plain(part: Region | PlacedPartition) -> dict[str, object]:
    return {**vars(part), "extent": [*part.extent]}


def _placed(data: dict[str, Any]) -> dict[str, Any]:
    return {**data, "extent": Extent(*data["extent"])}
