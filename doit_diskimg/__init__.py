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
    from doit_diskimg import at
    from doit_diskimg.bootcode import BootCode
    from doit_diskimg.bootfield import Patch
    from doit_diskimg.bootloaders.limine import Limine
    from doit_diskimg.content import Tree
    from doit_diskimg.errors import DescriptionError, DiskimgError, Problem, WorldError
    from doit_diskimg.esp import Esp
    from doit_diskimg.filesystems.ext.volume import Ext
    from doit_diskimg.filesystems.fat.volume import Fat
    from doit_diskimg.filesystems.prebuilt import File
    from doit_diskimg.filesystems.zero import Zero
    from doit_diskimg.outputs.bmap import Bmap
    from doit_diskimg.outputs.compressed import Compressed
    from doit_diskimg.outputs.iso import Iso
    from doit_diskimg.outputs.partition_file import PartitionFile
    from doit_diskimg.outputs.qcow2 import Qcow2
    from doit_diskimg.outputs.sha256 import Sha256
    from doit_diskimg.outputs.vdi import Vdi
    from doit_diskimg.outputs.vhdx import Vhdx
    from doit_diskimg.outputs.vmdk import Vmdk
    from doit_diskimg.segment import Segment
    from doit_diskimg.spec import Partition
    from doit_diskimg.symbols import Symbol
    from doit_diskimg.tables.gpt import Gpt
    from doit_diskimg.tables.mbr import Mbr
    from doit_diskimg.tasks.checker import Xxh3Checker
    from doit_diskimg.tasks.disk import Disk
    from doit_diskimg.tasks.grub import GrubBios, GrubEfi
    from doit_diskimg.tasks.qemu import Qemu
    from doit_diskimg.verify.finding import Finding
    from doit_diskimg.verify.image import verify

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
    "verify",
    "Finding",
    "DiskimgError",
    "DescriptionError",
    "WorldError",
    "Problem",
]

_HOME = {
    "Disk": "tasks.disk",
    "Partition": "spec",
    "Esp": "esp",
    "Segment": "segment",
    "BootCode": "bootcode",
    "Patch": "bootfield",
    "Symbol": "symbols",
    "Gpt": "tables.gpt",
    "Mbr": "tables.mbr",
    "Fat": "filesystems.fat.volume",
    "Ext": "filesystems.ext.volume",
    "File": "filesystems.prebuilt",
    "Zero": "filesystems.zero",
    "Tree": "content",
    "GrubBios": "tasks.grub",
    "GrubEfi": "tasks.grub",
    "Limine": "bootloaders.limine",
    "Qemu": "tasks.qemu",
    "Qcow2": "outputs.qcow2",
    "Vdi": "outputs.vdi",
    "Vmdk": "outputs.vmdk",
    "Vhdx": "outputs.vhdx",
    "Compressed": "outputs.compressed",
    "PartitionFile": "outputs.partition_file",
    "Bmap": "outputs.bmap",
    "Sha256": "outputs.sha256",
    "Iso": "outputs.iso",
    "Xxh3Checker": "tasks.checker",
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
    if name in ("at", "verify"):  # a namespace, and a folder that can be called: see its __init__
        return import_module(f"{__name__}.{name}")
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value: object = getattr(import_module(f"{__name__}.{_HOME[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
