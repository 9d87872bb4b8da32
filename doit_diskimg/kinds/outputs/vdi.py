"""VirtualBox's disk format."""

from typing import ClassVar
from uuid import uuid5

from doit_diskimg.disk.ports import Work
from doit_diskimg.frozen import dataclass
from doit_diskimg.kinds.outputs.of_disk import DescribedDisk
from doit_diskimg.kinds.outputs.qemu_img import VirtualDisk

_UUIDS = 0x188
"""Where the header (version 1.1) has the UUIDs of the image and of its last snapshot."""


@dataclass(frozen=True)
class Vdi(VirtualDisk):
    """A VDI file.

    qemu-img gives it two random UUIDs; ours come from the disk's GUID, so the same image gives
    the same bytes.
    """

    KIND: ClassVar[str] = "vdi"

    def make(self, disk: DescribedDisk, work: Work, where: str) -> str | None:
        """Convert the image; see `ports.Output`."""
        super().make(disk, work, where)
        names = ("vdi image", "vdi snapshot")
        uuids = b"".join(uuid5(disk.identity, name).bytes_le for name in names)
        work.write(_UUIDS, uuids)
        return None
