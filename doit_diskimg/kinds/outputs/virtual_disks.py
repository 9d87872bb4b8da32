"""Disks for virtual machines, made by `qemu-img convert`: qcow2, VDI, VMDK and VHDX.

The same image gives the same bytes, with one version of qemu-img.  It gives three of the formats
random ids, which are replaced by some that come from the disk's GUID.
"""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import KW_ONLY, field
from os import fspath
from posixpath import basename
from typing import ClassVar, Literal
from uuid import uuid5

from doit_diskimg.disk.fields import shown
from doit_diskimg.disk.identity import disk_guid
from doit_diskimg.disk.model import Disk
from doit_diskimg.disk.sockets import Work
from doit_diskimg.errors import BadPath, BadValue, Problem, ProgramFailed, WorldError
from doit_diskimg.frozen import dataclass
from doit_diskimg.kinds.outputs.output_file import OutputFile
from doit_diskimg.ondisk import vhdx_region
from doit_diskimg.plan.recipe import Program, plain

QEMU_IMG = Program("qemu-img", "qemu-utils", ("--version",))

_OPTION = re.compile(r"[a-z][a-z0-9_.-]*")
_OTHER_FILES = ("backing_file", "backing_fmt", "data_file", "data_file_raw")
"""Options by which a disk is more than its own file, of which we could remove and compare none."""


@dataclass(frozen=True)
class VirtualDisk(OutputFile):
    """A disk for a virtual machine.

    ``options`` go to qemu-img's ``-o`` as they are, such as ``{"cluster_size": "128k"}``;
    `qemu-img convert -O FORMAT -o help` lists them.  An option that is a field here, and one that
    names another file, is refused.
    """

    options: Mapping[str, str | int] = field(default_factory=dict, kw_only=True)

    programs: ClassVar[Sequence[Program]] = (QEMU_IMG,)
    FIELDS: ClassVar[Mapping[str, str]] = {}
    """Option of qemu-img's -> the field that decides it; None leaves the option out."""

    def problems(self, where: str, disk: Disk) -> Iterable[Problem]:
        if not isinstance(self.options, Mapping):
            yield BadValue(
                f"{where}.options", f"{shown(self.options)} is not a mapping",
                "must be options of qemu-img and their values",
                'write for example {"cluster_size": "128k"}',
            )
            return
        for key, value in self.options.items():
            if problem := self._wrong(key, value):
                yield BadValue(f"{where}.options", *problem)

    def _wrong(self, key: object, value: object) -> tuple[str, str, str] | None:
        """Return what is wrong with an option, what must be, and what to change."""
        if not isinstance(key, str) or not _OPTION.fullmatch(key):
            must = "must be the name of an option of qemu-img's"
            return f"{shown(key)} is not an option", must, "write its value as the value"
        if not isinstance(value, (str, int)) or "\0" in str(value):
            return f"{key} is {shown(value)}", "must be text or a number", "change it"
        if key in self.FIELDS:
            name = self.FIELDS[key]
            return f"{key!r} is the field {name}", "a value is given once", f"write {name}="
        if key in _OTHER_FILES:
            must = "an output is one file, which needs no other"
            return f"{key!r} is about another file", must, "leave it out"
        return None

    @property
    def _flags(self) -> Sequence[str]:
        """More arguments for qemu-img."""
        return ()

    def make(self, disk: Disk, work: Work, where: str) -> str | None:
        own = {option: getattr(self, name) for option, name in self.FIELDS.items()}
        options = {key: value for key, value in own.items() if value is not None} | {**self.options}
        text = ",".join(f"{key}={_doubled(value)}" for key, value in sorted(options.items()))
        arguments = ["convert", "-q", "-f", "raw", "-O", self.KIND, *self._flags]
        arguments += ["-o", text] if text else []
        work.run(QEMU_IMG, *arguments, plain(work.image), plain(work.target))
        return None


def choice(
    where: str, field_: str, value: object, choices: Sequence[object]
) -> Iterator[Problem]:
    """Yield a problem if ``value`` is not in ``choices``."""
    if value not in choices:
        yield BadValue(
            f"{where}.{field_}", f"{value!r} is unknown",
            f"must be {', '.join(map(repr, choices[:-1]))} or {choices[-1]!r}", "choose one",
        )


def _doubled(value: object) -> str:
    return str(value).replace(",", ",,")


@dataclass(frozen=True, described=True)
class Qcow2(VirtualDisk):
    """A qcow2 file; ``compress`` its clusters with ``"zlib"`` or ``"zstd"``."""

    _: KW_ONLY
    compress: Literal["zlib", "zstd"] | None = None

    KIND: ClassVar[str] = "qcow2"
    FIELDS: ClassVar[Mapping[str, str]] = {"compression_type": "compress"}

    def problems(self, where: str, disk: Disk) -> Iterable[Problem]:
        yield from super().problems(where, disk)
        yield from choice(where, "compress", self.compress, (None, "zlib", "zstd"))

    @property
    def _flags(self) -> Sequence[str]:
        return ("-c",) if self.compress else ()


_UUIDS = 0x188
"""Where the header (version 1.1) has the UUIDs of the image and of its last snapshot."""


@dataclass(frozen=True, described=True)
class Vdi(VirtualDisk):
    """A VDI file."""

    KIND: ClassVar[str] = "vdi"

    def make(self, disk: Disk, work: Work, where: str) -> str | None:
        super().make(disk, work, where)
        names = ("vdi image", "vdi snapshot")
        uuids = b"".join(uuid5(disk_guid(disk), name).bytes_le for name in names)
        work.write(_UUIDS, uuids)
        return None


_DESCRIPTOR = (512, 20 * 512)
"""Where the file has its text, and how long that is: what qemu-img always writes."""

_CID = re.compile(rb"^CID=[0-9a-f]{1,8}$", re.MULTILINE)


@dataclass(frozen=True, described=True)
class Vmdk(VirtualDisk):
    """A VMDK file, ``monolithicSparse`` or, compressed for transport, ``streamOptimized``.

    The subformats that are more than one file are left out.
    """

    _: KW_ONLY
    subformat: Literal["monolithicSparse", "streamOptimized"] = "monolithicSparse"

    KIND: ClassVar[str] = "vmdk"
    FIELDS: ClassVar[Mapping[str, str]] = {"subformat": "subformat"}

    def problems(self, where: str, disk: Disk) -> Iterable[Problem]:
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
        super().make(disk, work, where)
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


_METADATA_TABLE = 0x10000
"""Bytes of the metadata region's table, the longest it can be."""

_ZEROS = bytes(1 << 16)


@dataclass(frozen=True, described=True)
class Vhdx(VirtualDisk):
    """A VHDX file, ``dynamic`` or ``fixed``."""

    _: KW_ONLY
    subformat: Literal["dynamic", "fixed"] = "dynamic"

    KIND: ClassVar[str] = "vhdx"
    FIELDS: ClassVar[Mapping[str, str]] = {"subformat": "subformat"}

    def problems(self, where: str, disk: Disk) -> Iterable[Problem]:
        yield from super().problems(where, disk)
        yield from choice(where, "subformat", self.subformat, ("dynamic", "fixed"))

    def make(self, disk: Disk, work: Work, where: str) -> str | None:
        super().make(disk, work, where)
        try:
            _rename(disk, work)
        except ValueError as error:
            raise WorldError(ProgramFailed(
                QEMU_IMG.name, f"its VHDX file is not as usual: {error}",
                "must be one that we can give other GUIDs", "use another version of it, or Qcow2",
            )) from error
        return None


def _rename(disk: Disk, work: Work) -> None:
    """Replace random GUIDs and sequence numbers, and wipe the log.

    Raises ValueError if one is not where the standard has it.
    """
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
