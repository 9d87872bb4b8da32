"""Bootable disk images in user space, as cached tasks of doit.

A user writes `Disk(...)` into dodo.py and returns ``disk.tasks()`` from a task function.  The
names below are all there is to import; they load on first use, because dodo.py is read on every
`doit`.

The map, in reading order:

    units       sizes, sectors, alignment        errors      every problem, every exception
    frozen      dataclasses that cost nothing
    extent      half-open bytes of the disk      content     where bytes come from, their digests
    picture     bytes with places                segment     a name, a place, a source
    symbols, at numbers of the layout by name    bootcode    a binary with such numbers in it, and
                                                             its `bootfield`, `elf`, `sector_zero`
    patterns    which paths of a tree            fields      what one field may hold
    mapped      sources by their paths           ranges      a part of a file, by offset and length
    recipe      what outside programs have to do
    ports       the sockets: Table, Payload, Bootloader, Output; `abilities` of payloads
    made        the list of outputs, checked     asked       the symbols of a disk, checked
    bare        a disk without a table, checked  canonical   a description as plain data

    spec        what the user says               ── the spine, in the order of the work
    layout      the only file that places anything, with `placing` (where something fits)
                and `misplaced` (what does not); `placed` is what comes out
    plan        pictures as files, `layout_file` layouts
    patch       the difference of two pictures
    amend       the next picture, where a file changed and moved nothing

    ondisk/       bytes <-> dataclass: MBR, GPT, FAT
    tables/       Mbr, Gpt                       ── the ribs: one file per kind of thing
    filesystems/  File, Zero, Fat, Ext
    bootloaders/  GrubBios, GrubEfi, Limine
    outputs/      Qcow2, Compressed, Iso, ...: files made of a finished image

    host/         the outside world and only here; host/qemu boots what was built
    verify/       the second opinion: reads images with other code than wrote them
    tasks/        the skin: the only folder that imports doit
    esp           a shorthand
"""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from doit_diskimg.disk import at
    from doit_diskimg.disk.bootcode import BootCode
    from doit_diskimg.disk.bootfield import Patch
    from doit_diskimg.disk.model import Partition
    from doit_diskimg.disk.segment import Segment
    from doit_diskimg.disk.symbols import Symbol
    from doit_diskimg.errors import DescriptionError, DiskimgError, Problem, WorldError
    from doit_diskimg.kinds.bootloaders.limine import Limine
    from doit_diskimg.kinds.filesystems.esp import Esp
    from doit_diskimg.kinds.filesystems.ext.ext_volume import Ext
    from doit_diskimg.kinds.filesystems.fat.volume import Fat
    from doit_diskimg.kinds.filesystems.file import File
    from doit_diskimg.kinds.filesystems.zero import Zero
    from doit_diskimg.kinds.outputs.bmap import Bmap
    from doit_diskimg.kinds.outputs.compressed import Compressed
    from doit_diskimg.kinds.outputs.iso import Iso
    from doit_diskimg.kinds.outputs.partition_file import PartitionFile
    from doit_diskimg.kinds.outputs.qcow2 import Qcow2
    from doit_diskimg.kinds.outputs.sha256 import Sha256
    from doit_diskimg.kinds.outputs.vdi import Vdi
    from doit_diskimg.kinds.outputs.vhdx import Vhdx
    from doit_diskimg.kinds.outputs.vmdk import Vmdk
    from doit_diskimg.kinds.tables.gpt import Gpt
    from doit_diskimg.kinds.tables.mbr import Mbr
    from doit_diskimg.plan.content import Tree
    from doit_diskimg.tasks.checker import Xxh3Checker
    from doit_diskimg.tasks.disk import Disk
    from doit_diskimg.tasks.grub_task import GrubBios, GrubEfi
    from doit_diskimg.tasks.qemu_task import Qemu
    from doit_diskimg.verify.finding import Finding
    from doit_diskimg.verify.judge import verify_image

__all__ = [
    "Disk",
    "Partition",
    "Esp",
    "Segment",
    "BootCode",
    "Patch",
    "Symbol",
    "at",
    "Gpt",
    "Mbr",
    "Fat",
    "Ext",
    "File",
    "Zero",
    "Tree",
    "GrubBios",
    "GrubEfi",
    "Limine",
    "Qemu",
    "Qcow2",
    "Vdi",
    "Vmdk",
    "Vhdx",
    "Compressed",
    "PartitionFile",
    "Bmap",
    "Sha256",
    "Iso",
    "Xxh3Checker",
    "verify_image",
    "Finding",
    "DiskimgError",
    "DescriptionError",
    "WorldError",
    "Problem",
]

_HOME = {
    "Disk": "tasks.disk",
    "Partition": "disk.model",
    "Esp": "kinds.filesystems.esp",
    "Segment": "disk.segment",
    "BootCode": "disk.bootcode",
    "Patch": "disk.bootfield",
    "Symbol": "disk.symbols",
    "Gpt": "kinds.tables.gpt",
    "Mbr": "kinds.tables.mbr",
    "Fat": "kinds.filesystems.fat.volume",
    "Ext": "kinds.filesystems.ext.ext_volume",
    "File": "kinds.filesystems.file",
    "Zero": "kinds.filesystems.zero",
    "Tree": "plan.content",
    "GrubBios": "tasks.grub_task",
    "GrubEfi": "tasks.grub_task",
    "Limine": "kinds.bootloaders.limine",
    "Qemu": "tasks.qemu_task",
    "Qcow2": "kinds.outputs.qcow2",
    "Vdi": "kinds.outputs.vdi",
    "Vmdk": "kinds.outputs.vmdk",
    "Vhdx": "kinds.outputs.vhdx",
    "Compressed": "kinds.outputs.compressed",
    "PartitionFile": "kinds.outputs.partition_file",
    "Bmap": "kinds.outputs.bmap",
    "Sha256": "kinds.outputs.sha256",
    "Iso": "kinds.outputs.iso",
    "Xxh3Checker": "tasks.checker",
    "verify_image": "verify.judge",
    "Finding": "verify.finding",
    "DiskimgError": "errors",
    "DescriptionError": "errors",
    "WorldError": "errors",
    "Problem": "errors",
}


def __getattr__(name: str) -> object:
    if name == "__version__":  # a look at the installed packages, for those who ask
        from importlib.metadata import version

        return version(__name__)
    if name == "at":  # a namespace
        return import_module(f"{__name__}.disk.at")
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value: object = getattr(import_module(f"{__name__}.{_HOME[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
