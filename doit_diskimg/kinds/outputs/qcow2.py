"""QEMU's own disk format."""

from collections.abc import Iterable, Mapping
from dataclasses import KW_ONLY
from typing import ClassVar, Literal

from doit_diskimg.disk.model import Disk
from doit_diskimg.disk.sockets import Work
from doit_diskimg.errors import Problem
from doit_diskimg.frozen import dataclass
from doit_diskimg.kinds.outputs.qemu_img import VirtualDisk, choice, convert


@dataclass(frozen=True, described=True)
class Qcow2(VirtualDisk):
    """A qcow2 file; ``compress`` its clusters with ``"zlib"`` or ``"zstd"``.

    The same image gives the same bytes, with one version of qemu-img.
    """

    _: KW_ONLY
    compress: Literal["zlib", "zstd"] | None = None

    KIND: ClassVar[str] = "qcow2"
    FIELDS: ClassVar[Mapping[str, str]] = {"compression_type": "compress"}

    def problems(self, where: str, disk: Disk) -> Iterable[Problem]:
        """Yield what is wrong with the description."""
        yield from super().problems(where, disk)
        yield from choice(where, "compress", self.compress, (None, "zlib", "zstd"))

    def make(self, disk: Disk, work: Work, where: str) -> str | None:
        """Convert the image; see `Output`."""
        if self.compress is None:
            convert(work, self.KIND, self.options)
        else:
            convert(work, self.KIND, {"compression_type": self.compress, **self.options}, "-c")
        return None
