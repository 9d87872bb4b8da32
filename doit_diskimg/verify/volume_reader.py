"""FAT: one volume, from the boot sector to the last lost cluster.

Each cluster belongs to the chain that came first, so that a loop or a cross-link ends what it is
found in.  `budget` bounds all of it, for all volumes of an image together.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field

from doit_diskimg.verify import boot_sector, fsinfo
from doit_diskimg.verify.allocation import Table, check_copies
from doit_diskimg.verify.boot_sector import Geometry
from doit_diskimg.verify.budget import VOLUMES, Budget, SpentError
from doit_diskimg.verify.finding import Findings
from doit_diskimg.verify.source import Window
from doit_diskimg.verify.tree_reader import StoredFile, Tree


@dataclass
class Volume:
    """A FAT volume as far as it could be read."""

    window: Window
    geometry: Geometry
    files: list[StoredFile] = field(default_factory=list)
    metadata: list[tuple[int, int]] = field(default_factory=list)
    """(place, length) of everything but the contents of files, in bytes of the volume."""
    plain_names: bool = True
    """Whether every short name and label is ASCII: no code page is needed to read it."""

    def contents(self, file: StoredFile, chunk: int) -> Iterator[bytes]:
        """Yield the bytes of a file, up to ``chunk`` at once."""
        left, size = file.size, self.geometry.cluster_size
        for first, count in file.runs:
            place, length = self.geometry.place(first), min(left, count * size)
            left -= length
            while length > 0:
                data = self.window.read(place, min(chunk, length))
                if not data:
                    return
                yield data
                place, length = place + len(data), length - len(data)


def check(
    window: Window, room: int, hidden: set[int], found: Findings, budget: Budget
) -> Volume | None:
    """Report what is wrong with the FAT volume in ``window``; return what could be read of it.

    ``room`` is how long the volume may be, ``hidden`` what may lie before it; both in bytes.
    """
    boot = boot_sector.decode(window.read(0, 512))
    geometry = boot_sector.check(boot, room, window, found)
    if boot.sector_size:
        boot_sector.check_hidden(boot, hidden, found)
    if geometry is None:
        return None
    table = Table(geometry, window, budget)
    tree = Tree(window, geometry, table, found, budget)
    try:
        _read(geometry, window, table, tree, found, budget)
    except SpentError as spent:
        found.add("limit", str(spent))
    metadata = [(0, geometry.data_start), *tree.places]
    return Volume(window, geometry, tree.files, metadata, tree.plain_names)


def _read(
    geometry: Geometry, window: Window, table: Table, tree: Tree, found: Findings, budget: Budget
) -> None:
    """Read everything behind the boot sector.  Raises SpentError."""
    budget.spend(VOLUMES)
    table.check_place(found)
    check_copies(geometry, window, found, budget)
    _check_reserved(geometry, table, found)
    tree.read()
    used, lost, first = table.used()
    if lost:
        text = f"{lost:,} clusters are in use and no file has them: {', '.join(first)}"
        at = table.entry_place(int(first[0].partition("..")[0]))
        found.add("fat-lost", text, at=at, length=4)
    if geometry.fat == 32:
        fsinfo.check_backup(geometry, window, found)
        fsinfo.check_fs_info(geometry, window, used, found)


def _check_reserved(geometry: Geometry, table: Table, found: Findings) -> None:
    """Look at FAT[0], which repeats the media byte, and FAT[1], which has the dirty flags."""
    mask, at = table.marks.mask, table.entry_place(0)
    media, second = table[0], table[1]
    if media & 0xFF != geometry.boot.media:
        text = f"FAT[0] has {media & 0xFF:#04x}, the boot sector {geometry.boot.media:#04x}"
        found.add("fat-media", text, at=at)
    flags = 0 if geometry.fat == 12 else 3 << min(geometry.fat, 28) - 2
    if media | 0xFF != mask:
        text = f"FAT[0] is {media:#x}, {mask & ~0xFF | geometry.boot.media:#x} must be"
        found.add("fat-first-entry", text, at=at, length=geometry.fat // 8)
    if second | flags | 7 != mask:
        text = f"FAT[1] is {second:#x}, {mask:#x} must be"
        found.add("fat-second-entry", text, at=table.entry_place(1), length=geometry.fat // 8)
    if flags & ~second:
        text = "a flag in FAT[1] is cleared"
        found.add("fat-dirty", text, at=table.entry_place(1), length=geometry.fat // 8)
