"""One partition as a file: to flash it, mount it or look into it."""

from collections.abc import Iterable
from dataclasses import KW_ONLY

from doit_diskimg.disk.model import Disk
from doit_diskimg.disk.sockets import Work
from doit_diskimg.errors import Problem
from doit_diskimg.extent import clipped
from doit_diskimg.frozen import dataclass
from doit_diskimg.kinds.outputs.output_file import OutputFile, unknown


@dataclass(frozen=True, described=True)
class PartitionFile(OutputFile):
    """The bytes of the partition of that name, as a sparse file."""

    _: KW_ONLY
    partition: str

    def _kind(self) -> str:
        return f"{self.partition}:file"

    def problems(self, where: str, disk: Disk) -> Iterable[Problem]:
        return unknown(f"{where}.partition", self.partition, disk)

    def make(self, disk: Disk, work: Work, where: str) -> str | None:
        place = work.extent(self.partition)
        work.create(place.length)
        for extent in clipped(work.covered, place):
            offset = extent.start - place.start
            for block in work.read(extent):
                work.write(offset, block)
                offset += len(block)
        return None
