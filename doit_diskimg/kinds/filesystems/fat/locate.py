"""Where a volume's own files lie, for symbols in its boot code and in that of other parts.

Where a file lies does not depend on what is patched, so symbols about the volume's own files are
answered here; all others are the disk's.
"""

from collections.abc import Mapping
from zlib import crc32

from doit_diskimg.disk.links import no_file
from doit_diskimg.disk.sockets import Place
from doit_diskimg.disk.symbols import Guid, Numbers
from doit_diskimg.errors import DescriptionError
from doit_diskimg.extent import Extent
from doit_diskimg.kinds.filesystems.fat.contents import FatContents, no_place
from doit_diskimg.kinds.filesystems.fat.geometry import FatGeometry
from doit_diskimg.kinds.filesystems.tree import FileNode
from doit_diskimg.ondisk.fat_entries import ClusterRun
from doit_diskimg.plan.content import Files


class OwnNumbers:
    """`symbols.Numbers` for a volume on its way into an image."""

    def __init__(
        self, place: Place, what: FatContents, geometry: FatGeometry,
        runs: Mapping[str, ClusterRun], files: Files,
    ) -> None:
        self._place, self._what, self._geometry = place, what, geometry
        self._runs, self._files = runs, files
        self.sector_size = place.sector_size

    @property
    def _others(self) -> Numbers:
        assert self._place.numbers is not None, "the numbers must be known when a volume is filled"
        return self._place.numbers

    def located(self, path: str) -> Extent | str:
        """Return where a file of the volume lies on the disk, or why it has no place, in words."""
        node = self._what.find(path)
        size = node.size if isinstance(node, FileNode) else 0
        if node is None or not size:
            return no_place(path, node, empty=not size)
        start = self._geometry.cluster_start(self._runs[node.path].first)
        return Extent(self._place.extent.start + start, size)

    def extent(self, name: str, where: str) -> Extent:
        return self._others.extent(name, where)

    def file(self, partition: str, path: str, where: str) -> Extent:
        if partition != self._place.name:
            return self._others.file(partition, path, where)
        found = self.located(path)
        if isinstance(found, str):
            raise DescriptionError(no_file(where, found))
        return found

    def crc32(self, name: str, path: str | None, where: str) -> int:
        if path is None or name != self._place.name:
            return self._others.crc32(name, path, where)
        self.file(name, path, where)
        node = self._what.find(path)
        assert isinstance(node, FileNode)
        if isinstance(node.source, bytes):
            return crc32(node.source)
        return self._files.crc32(node.source, 0, node.size, 0, node.where)

    def partition_guid(self, name: str) -> Guid:
        return self._others.partition_guid(name)

    def disk_guid(self) -> Guid:
        return self._others.disk_guid()

    def disk_signature(self) -> int:
        return self._others.disk_signature()
