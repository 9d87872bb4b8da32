"""VirtualBox's disk format."""

from typing import ClassVar
from uuid import uuid5

from doit_diskimg.disk.identity import disk_guid
from doit_diskimg.disk.model import Disk
from doit_diskimg.disk.sockets import Work
from doit_diskimg.frozen import dataclass
from doit_diskimg.kinds.outputs.qemu_img import VirtualDisk

_UUIDS = 0x188
"""Where the header (version 1.1) has the UUIDs of the image and of its last snapshot."""


@dataclass(frozen=True, described=True)
class Vdi(VirtualDisk):
    """A VDI file.

    qemu-img gives it two random UUIDs; ours come from the disk's GUID, so the same image gives
    the same bytes.
    """

    KIND: ClassVar[str] = "vdi"

    def make(self, disk: Disk, work: Work, where: str) -> str | None:
        """Convert the image; see `Output`."""
        super().make(disk, work, where)
        names = ("vdi image", "vdi snapshot")
        uuids = b"".join(uuid5(disk_guid(disk), name).bytes_le for name in names)
        work.write(_UUIDS, uuids)
        return None
