"""The block map that bmap-tools flashes by: it copies what matters and checks what it copied.

The format is 2.0, as `bmaptool create` of bmap-tools 3.6 writes it; there is no other description
of it.  Unlike bmaptool we do not take holes of the image for blocks that don't matter: a hole
may be the zeros of an allocation table or of a partition table, which have to be written to a
medium that had something else there.
"""

from collections.abc import Iterable, Iterator
from hashlib import sha256
from typing import ClassVar

from doit_diskimg.disk.model import Disk
from doit_diskimg.disk.sockets import Work
from doit_diskimg.extent import Extent, merged
from doit_diskimg.frozen import dataclass
from doit_diskimg.kinds.outputs.output_file import OutputFile
from doit_diskimg.units import align_down, align_up, ceil_div

_BLOCK = 4096
_NO_SUM = "0" * 64


@dataclass(frozen=True, described=True)
class Bmap(OutputFile):
    """A block map of the image, for `bmaptool copy --bmap`."""

    KIND: ClassVar[str] = "bmap"

    def make(self, disk: Disk, work: Work, where: str) -> str | None:
        ranges = list(_in_blocks(work.needed, work.size))
        sums = [_sum(work.read(extent)) for extent in ranges]
        draft = _text(work.size, ranges, sums, _NO_SUM)
        own = sha256(draft.encode("ascii")).hexdigest()  # "all ASCII 0" stands for itself
        work.create()
        work.write(0, _text(work.size, ranges, sums, own).encode("ascii"))
        return None


def _in_blocks(extents: Iterable[Extent], size: int) -> Iterator[Extent]:
    """Return the extents in whole blocks; the image's last block may be partial."""
    starts_and_ends = (
        (align_down(extent.start, _BLOCK), min(align_up(extent.end, _BLOCK), size))
        for extent in extents
    )
    return merged(Extent(start, end - start) for start, end in starts_and_ends)


def _sum(blocks: Iterable[memoryview]) -> str:
    digest = sha256()
    for block in blocks:
        digest.update(block)
    return digest.hexdigest()


def _text(size: int, ranges: list[Extent], sums: list[str], own: str) -> str:
    mapped = sum(ceil_div(extent.length, _BLOCK) for extent in ranges)
    lines = [
        '<?xml version="1.0" ?>',
        '<bmap version="2.0">',
        f"    <ImageSize> {size} </ImageSize>",
        f"    <BlockSize> {_BLOCK} </BlockSize>",
        f"    <BlocksCount> {ceil_div(size, _BLOCK)} </BlocksCount>",
        f"    <MappedBlocksCount> {mapped} </MappedBlocksCount>",
        "    <ChecksumType> sha256 </ChecksumType>",
        f"    <BmapFileChecksum> {own} </BmapFileChecksum>",
        "    <BlockMap>",
        *(
            f'        <Range chksum="{digest}"> {_blocks(extent)} </Range>'
            for extent, digest in zip(ranges, sums, strict=True)
        ),
        "    </BlockMap>",
        "</bmap>",
    ]
    return "\n".join(lines) + "\n"


def _blocks(extent: Extent) -> str:
    first, last = extent.start // _BLOCK, ceil_div(extent.end, _BLOCK) - 1
    return str(first) if first == last else f"{first}-{last}"
