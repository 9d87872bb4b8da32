"""VMware's disk format, in one file."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import KW_ONLY
from os import fspath
from posixpath import basename
from typing import ClassVar, Literal

from doit_diskimg.disk.identity import disk_guid
from doit_diskimg.disk.model import Disk
from doit_diskimg.disk.sockets import Work
from doit_diskimg.errors import BadPath, Problem, ProgramFailed, WorldError
from doit_diskimg.frozen import dataclass
from doit_diskimg.kinds.outputs.qemu_img import QEMU_IMG, VirtualDisk, choice, convert

_DESCRIPTOR = (512, 20 * 512)
"""Where the file has its text, and how long that is: what qemu-img always writes."""

_CID = re.compile(rb"^CID=[0-9a-f]{1,8}$", re.MULTILINE)


@dataclass(frozen=True, described=True)
class Vmdk(VirtualDisk):
    """A VMDK file, ``monolithicSparse`` or, compressed for transport, ``streamOptimized``.

    qemu-img gives it a random content id; ours comes from the disk's GUID, so the same image gives
    the same bytes.  The subformats that are more than one file are left out.
    """

    _: KW_ONLY
    subformat: Literal["monolithicSparse", "streamOptimized"] = "monolithicSparse"

    KIND: ClassVar[str] = "vmdk"
    FIELDS: ClassVar[Mapping[str, str]] = {"subformat": "subformat"}

    def problems(self, where: str, disk: Disk) -> Iterable[Problem]:
        """Yield what is wrong with the description."""
        yield from super().problems(where, disk)
        yield from choice(
            where, "subformat", self.subformat, ("monolithicSparse", "streamOptimized")
        )
        name = basename(fspath(self.path))
        if '"' in name or any(c < " " for c in name):
            yield BadPath(
                f"{where}.path", f"{name!r} can't be written into the descriptor of a VMDK file",
                "must have no quotation mark and no control character", "rename it",
            )

    def make(self, disk: Disk, work: Work, where: str) -> str | None:
        """Convert the image; see `Output`."""
        convert(work, self.KIND, {"subformat": self.subformat, **self.options})
        start, length = _DESCRIPTOR
        text = work.written(start, length).rstrip(b"\0")
        # 0xfffffffe and 0xffffffff mean that there is none.
        named = _CID.sub(b"CID=%08x" % (disk_guid(disk).int % 0xFFFFFFFE), text, count=1)
        if named == text or len(named) > length:
            raise WorldError(ProgramFailed(
                QEMU_IMG.name, "its VMDK file has no content id at the usual place",
                "must have one for us to replace", "use another version of it, or Qcow2",
            ))
        work.write(start, named.ljust(length, b"\0"))
        return None
