"""A picture as a file, and a layout as a file and as a map for people.

A plan file holds nothing but what decides the bytes: where they lie, which range of which file
they are, and their digest.  So a source that was only touched leaves it as it was.  What we know
of files (size, time stamps) is kept elsewhere.

Two files make a plan: the text, and the blob with the metadata.  The text names the digest of the
blob, so that a blob of another run is never taken for ours.  A receipt is both in one file,
because it has to be replaced in one step.
"""

import json
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from doit_diskimg.content import DIGEST, digest_of

if TYPE_CHECKING:
    from doit_diskimg.extent import Extent
    from doit_diskimg.picture import Picture
    from doit_diskimg.placed import Layout
    from doit_diskimg.segment import PlacedPartition, Region

FORMAT = 3
"""Version of every file in the state folder; another version counts as no file at all."""


_quoted = json.encoder.encode_basestring_ascii
"""Text as JSON; a plan may have as many lines as a volume has files."""


def encode_plan(picture: "Picture") -> bytes:
    """Return the text of a plan; the blob is stored beside it as it is."""
    pieces = ",\n".join(
        [
            f'[{start}, {length}, {_quoted(file)}, {offset}, {_quoted(digest)}]'
            for start, length, file, offset, digest in picture.pieces
        ]
    )
    head = json.dumps({"format": FORMAT, "digest": DIGEST, "blob": digest_of(picture.blob)})
    return f'{head[:-1]}, "pieces": [\n{pieces}\n]}}\n'.encode("ascii")


def decode_plan(text: bytes, blob: bytes) -> "Picture":
    """Return the picture that ``text`` and ``blob`` describe.

    Raises ValueError when they are not what `encode_plan` wrote, or not from one another.
    """
    from doit_diskimg.picture import Picture, Piece

    data = json.loads(text)
    if not isinstance(data, dict) or data.get("format") != FORMAT or data.get("digest") != DIGEST:
        raise ValueError("written by another version")
    if data["blob"] != digest_of(blob):
        raise ValueError("the blob is not the one that the plan was made with")
    return Picture(tuple(map(Piece._make, data["pieces"])), blob)


def encode_receipt(picture: "Picture", generation: str) -> bytes:
    """Return a receipt: this picture was injected into the image of that generation."""
    text = encode_plan(picture)
    head = {
        "format": FORMAT,
        "generation": generation,
        "plan": len(text),
        "contents": contents_digest(picture),
    }
    return json.dumps(head).encode("ascii") + b"\n" + text + picture.blob


def contents_digest(picture: "Picture") -> str:
    """Return the digest of what lies where, whichever files it comes from."""
    lines = [f"{piece[0]} {piece[1]} {piece[4]}\n" for piece in picture.pieces]
    text = "".join([*lines, digest_of(picture.blob)])
    return digest_of(text.encode("utf-8", "surrogatepass"))


def encode_torn(generation: str) -> bytes:
    """Return what stands in a receipt's place while its part is written: nobody knows what it is.
    """
    return json.dumps({"format": FORMAT, "generation": generation, "torn": True}).encode("ascii")


def _head(line: bytes) -> dict[str, Any]:
    """Return the first line of a receipt.  Raises ValueError if it is none that can be used."""
    head = json.loads(line)
    if not isinstance(head, dict) or head.get("format") != FORMAT:
        raise ValueError("written by another version")
    if "torn" in head:
        raise ValueError("the build that wrote its part of the image did not finish")
    return head


def decode_head(receipt: bytes) -> tuple[str, str]:
    """Return the generation of a receipt and the digest of the contents, without its picture.

    Raises ValueError if it is no receipt of ours.
    """
    head = _head(receipt.partition(b"\n")[0])
    return head["generation"], head["contents"]


def decode_receipt(receipt: bytes) -> "tuple[Picture, str]":
    """Return the picture and the generation.  Raises ValueError if it is no receipt of ours."""
    line, _, rest = receipt.partition(b"\n")
    head = _head(line)
    length = head["plan"]
    return decode_plan(rest[:length], rest[length:]), head["generation"]


def encode_layout(layout: "Layout") -> bytes:
    """Return ``layout`` as JSON, readable for people and for other programs."""
    from doit_diskimg.spec import TABLE

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


def decode_places(text: bytes) -> tuple[dict[str, list[int]], str]:
    """Return where each partition and segment of a layout lies, and the digest of its skeleton.

    Places are (start, length) by name.  Raises ValueError if `encode_layout` did not write it.
    """
    data = json.loads(text)
    if not isinstance(data, dict) or data.get("format") != FORMAT:
        raise ValueError("written by another version")
    return data["places"], data["skeleton"]


def decode_layout(text: bytes) -> "Layout":
    """Return the layout that `encode_layout` wrote.  Raises ValueError for anything else."""
    from doit_diskimg.placed import Layout
    from doit_diskimg.segment import PlacedPartition, Region

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
