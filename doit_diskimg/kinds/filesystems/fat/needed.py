"""Which bytes of a volume some reader relies on: all but the clusters that nothing is in."""

from collections.abc import Iterator

from doit_diskimg.extent import Extent
from doit_diskimg.ondisk import fat_dirent
from doit_diskimg.ondisk.fat_boot import BootSector
from doit_diskimg.ondisk.fat_entries import FIRST_CLUSTER
from doit_diskimg.plan.picture import BLOB, Picture
from doit_diskimg.units import align_down, align_up, ceil_div


def needed(extent: Extent, picture: Picture) -> Iterator[Extent]:
    """Yield the area before the first cluster, and every cluster that the picture has a part of.

    The zeros between them count: a free entry of a table is one, and so is the end of a directory.
    Raises ValueError if the picture is that of no volume at ``extent``.
    """
    if picture.pieces and picture.pieces[0].file != BLOB:  # made by an engine: a file like any
        yield extent
        return
    boot = _boot_sector(extent, picture)
    sectors = boot.reserved_sectors + boot.number_of_fats * boot.sectors_per_fat
    sectors += ceil_div(boot.root_entries * fat_dirent.SIZE, boot.bytes_per_sector)
    data = extent.start + sectors * boot.bytes_per_sector
    yield Extent(extent.start, data - extent.start)
    cluster = boot.sectors_per_cluster * boot.bytes_per_sector
    if boot.is_fat32:  # the root directory of an empty volume is all zero
        yield Extent(data + (boot.root_cluster - FIRST_CLUSTER) * cluster, cluster)
    for piece in picture.pieces:
        if piece.start >= data:
            start = data + align_down(piece.start - data, cluster)
            yield Extent(start, data + align_up(piece.end - data, cluster) - start)


def _boot_sector(extent: Extent, picture: Picture) -> BootSector:
    first = picture.pieces[0] if picture.pieces else None
    if first is None or first.start != extent.start or first.file != BLOB:
        raise ValueError("the volume has no boot sector")
    return BootSector.unpack(picture.blob[first.offset : first.offset + first.length])
