"""Boot code with patches in a volume: its boot sector, and what lies in its reserved sectors.

Symbols about the volume's own files are answered here, for where a file lies does not depend on
what is patched; all others are the disk's.
"""

from collections.abc import Mapping
from typing import TYPE_CHECKING
from zlib import crc32

from doit_diskimg.disk.asked import no_file
from doit_diskimg.disk.bootcode import BootCode, Stretch
from doit_diskimg.disk.symbols import Numbers
from doit_diskimg.errors import DescriptionError, Problem, WorldError, refuse
from doit_diskimg.extent import Extent
from doit_diskimg.kinds.filesystems.fat.contents import Contents, no_place
from doit_diskimg.kinds.filesystems.fat.geometry import Geometry
from doit_diskimg.kinds.filesystems.fat.tree import File
from doit_diskimg.ondisk import fat_boot
from doit_diskimg.ondisk.fat_boot import SIGNATURE, SIZE
from doit_diskimg.ondisk.fat_entries import Run
from doit_diskimg.plan.content import Files

if TYPE_CHECKING:
    from uuid import UUID

    from doit_diskimg.disk.ports import Place
    from doit_diskimg.kinds.filesystems.fat.volume import Fat


class OwnNumbers:
    """`symbols.Numbers` for a volume on its way into an image."""

    def __init__(
        self, place: "Place", what: Contents, geometry: Geometry, runs: Mapping[str, Run],
        files: Files,
    ) -> None:
        self._place = place
        self._what = what
        self._geometry = geometry
        self._runs = runs
        self._files = files

    @property
    def sector_size(self) -> int:
        """Bytes per logical sector; see `symbols.Numbers`."""
        return self._place.sector_size

    @property
    def _others(self) -> Numbers:
        assert self._place.numbers is not None, "whoever fills a volume has to know the numbers"
        return self._place.numbers

    def located(self, path: str) -> "Extent | str":
        """Return where a file of the volume lies on the disk, or why it has no place, in words."""
        node = self._what.root.find(path)
        size = node.size if isinstance(node, File) else 0
        if node is None or not size:
            return no_place(path, node, empty=not size)
        start = self._geometry.cluster_start(self._runs[node.path].first)
        return Extent(self._place.extent.start + start, size)

    def extent(self, name: str, where: str) -> Extent:
        """Return the place of a part; see `symbols.Numbers`."""
        return self._others.extent(name, where)

    def file(self, partition: str, path: str, where: str) -> Extent:
        """Return the place of a file; see `symbols.Numbers`."""
        if partition != self._place.name:
            return self._others.file(partition, path, where)
        found = self.located(path)
        if isinstance(found, str):
            raise DescriptionError(no_file(where, found))
        return found

    def crc32(self, name: str, path: str | None, where: str) -> int:
        """Return the checksum of a part or file; see `symbols.Numbers`."""
        if path is None or name != self._place.name:
            return self._others.crc32(name, path, where)
        self.file(name, path, where)
        node = self._what.root.find(path)
        assert isinstance(node, File)
        if isinstance(node.source, bytes):
            return crc32(node.source)
        return self._files.crc32(node.source, 0, node.size, 0, node.where)

    def partition_guid(self, name: str) -> "UUID":
        """Return a partition's GUID; see `symbols.Numbers`."""
        return self._others.partition_guid(name)

    def disk_guid(self) -> "UUID":
        """Return the disk's GUID; see `symbols.Numbers`."""
        return self._others.disk_guid()

    def disk_signature(self) -> int:
        """Return the disk signature; see `symbols.Numbers`."""
        return self._others.disk_signature()


def boot_sector(
    fat: "Fat", data: bytes, geometry: Geometry, files: Files, numbers: Numbers, where: str
) -> bytes:
    """Return the user's boot sector, patched.  No patch may touch the BPB."""
    code = fat.boot_sector
    if not isinstance(code, BootCode):
        return data
    kept = ours(geometry.fat)
    found = bytearray(data)
    here = f"{where}.boot_sector"
    for field, value in code.fields(code.size(files, here), kept, files, numbers, here):
        found[field.offset : field.offset + field.size] = value
    return bytes(found)


def ours(fat: int) -> list[Extent]:
    """Return the bytes of a boot sector that no patch may touch: jump, name, BPB, signature."""
    end = SIZE - len(SIGNATURE)
    return [Extent(0, fat_boot.code_start(fat)), Extent(end, SIZE - end)]


def reserved(
    what: Contents, geometry: Geometry, place: "Place", files: Files, numbers: Numbers
) -> dict[int, list[Stretch]]:
    """Return the bytes of the boot code in reserved sectors, by the sector where it begins."""
    found: dict[int, list[Stretch]] = {}
    wrong, failed = list[Problem](), list[Problem]()
    for part in what.parts:
        if not isinstance(part.source, BootCode):
            continue
        start = place.extent.start + part.sector * geometry.sector_size
        room = Extent(start, part.length)
        try:
            found[part.sector] = part.source.stretches(room, [room], files, numbers, part.where)
        except DescriptionError as error:
            wrong += error.problems
        except WorldError as error:
            failed += error.problems
    refuse(wrong, failed)
    return found
