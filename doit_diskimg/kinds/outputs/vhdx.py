"""Hyper-V's disk format."""

from collections.abc import Iterable, Mapping
from dataclasses import KW_ONLY
from typing import ClassVar, Literal
from uuid import uuid5

from doit_diskimg.disk.identity import disk_guid
from doit_diskimg.disk.model import Disk
from doit_diskimg.disk.sockets import Work
from doit_diskimg.errors import Problem, ProgramFailed, WorldError
from doit_diskimg.frozen import dataclass
from doit_diskimg.kinds.outputs.qemu_img import QEMU_IMG, VirtualDisk, choice, convert
from doit_diskimg.ondisk import vhdx_region

_METADATA_TABLE = 0x10000
"""Bytes of the metadata region's table, the longest it can be."""

_ZEROS = bytes(1 << 16)


@dataclass(frozen=True, described=True)
class Vhdx(VirtualDisk):
    """A VHDX file, ``dynamic`` or ``fixed``.

    qemu-img gives it random GUIDs, sequence numbers and the remains of a log; ours come from the
    disk's GUID and the log is wiped, so the same image gives the same bytes.
    """

    _: KW_ONLY
    subformat: Literal["dynamic", "fixed"] = "dynamic"

    KIND: ClassVar[str] = "vhdx"
    FIELDS: ClassVar[Mapping[str, str]] = {"subformat": "subformat"}

    def problems(self, where: str, disk: Disk) -> Iterable[Problem]:
        """Yield what is wrong with the description."""
        yield from super().problems(where, disk)
        yield from choice(where, "subformat", self.subformat, ("dynamic", "fixed"))

    def make(self, disk: Disk, work: Work, where: str) -> str | None:
        """Convert the image; see `Output`."""
        convert(work, self.KIND, {"subformat": self.subformat, **self.options})
        try:
            _rename(disk, work)
        except ValueError as error:
            raise WorldError(ProgramFailed(
                QEMU_IMG.name, f"its VHDX file is not as usual: {error}",
                "must be one that we can give other GUIDs", "use another version of it, or Qcow2",
            )) from error
        return None


def _rename(disk: Disk, work: Work) -> None:
    """Replace what is random.  Raises ValueError if it is not where the standard has it."""
    guid = disk_guid(disk)
    headers = [work.written(start, vhdx_region.HEADER_SIZE) for start in vhdx_region.HEADERS]
    order = sorted(headers, key=vhdx_region.sequence_number)
    for start, header in zip(vhdx_region.HEADERS, headers, strict=True):
        number = 1 + order.index(header)
        file, data = uuid5(guid, f"vhdx file {number}"), uuid5(guid, f"vhdx data {number}")
        work.write(start, vhdx_region.renamed_header(header, number, file, data))
    for header in headers:
        offset, length = vhdx_region.log(header)
        for start in range(offset, offset + length, len(_ZEROS)):
            if any(work.written(start, len(_ZEROS))):
                work.write(start, _ZEROS)
    regions = work.written(vhdx_region.REGION_TABLE, vhdx_region.REGION_TABLE_SIZE)
    metadata = vhdx_region.metadata_region(regions)
    place = vhdx_region.disk_guid(work.written(metadata, _METADATA_TABLE))
    work.write(metadata + place, uuid5(guid, "vhdx disk").bytes_le)
