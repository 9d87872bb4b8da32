"""Bootable disk images in user space, as cached tasks of doit.

A user writes `Disk(...)` into dodo.py and returns ``disk.tasks()`` from a task function.  The
names below are all there is to import; they load on first use, because dodo.py is read on every
`doit`.

The map, lowest room first; a room imports those above it in this list, never those below:

    errors, units, extent, frozen                                  the ground stones
    plan/       where bytes come from and where they go, as data: content, picture, placement, patch
    ondisk/     bytes <-> dataclass: MBR, GPT, FAT, ELF, VHDX, with the standard's section
    disk/       what the user says, its sockets, what is wrong with it, where everything lies
    kinds/      one file or folder for each kind of thing that fits a socket:
                tables, filesystems, bootloaders, outputs, machines
    host/       the only code that touches the machine; host/qemu boots what was built
    verify/     the second opinion: reads an image with other code than wrote it
    chain/      the steps, in the order of the work; no doit
    shortcuts/  delete this folder and every byte is the same, only later
    tasks/      the skin for doit: the only folder that imports it
    cli/        the commands: the other skin

`ports` shows everything that a kind of one's own needs.  `tests/test_house.py` checks the rule of
imports; docs/explanation/how-it-works.md says how a description becomes an image.
"""

from importlib import import_module
from sys import modules
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from doit_diskimg.chain.build import Done, build
    from doit_diskimg.disk import at
    from doit_diskimg.disk.bootcode import BootCode
    from doit_diskimg.disk.bootfield import Patch
    from doit_diskimg.disk.model import Disk, Partition
    from doit_diskimg.disk.segment import Segment
    from doit_diskimg.disk.symbols import Symbol
    from doit_diskimg.errors import DescriptionError, DiskimgError, Problem, WorldError
    from doit_diskimg.kinds.bootloaders.limine import Limine
    from doit_diskimg.kinds.filesystems.esp import Esp
    from doit_diskimg.kinds.filesystems.ext.ext_volume import Ext
    from doit_diskimg.kinds.filesystems.fat.volume import Fat, FatImage
    from doit_diskimg.kinds.filesystems.file import File
    from doit_diskimg.kinds.filesystems.zero import Zero
    from doit_diskimg.kinds.machines.drives import Drive
    from doit_diskimg.kinds.machines.expect import Expect, Screen
    from doit_diskimg.kinds.outputs.bmap import Bmap
    from doit_diskimg.kinds.outputs.compressed import Compressed
    from doit_diskimg.kinds.outputs.iso import Iso
    from doit_diskimg.kinds.outputs.partition_file import PartitionFile
    from doit_diskimg.kinds.outputs.sha256 import Sha256
    from doit_diskimg.kinds.outputs.virtual_disks import Qcow2, Vdi, Vhdx, Vmdk
    from doit_diskimg.kinds.tables.gpt import Gpt
    from doit_diskimg.kinds.tables.mbr import Mbr
    from doit_diskimg.plan.content import Tree
    from doit_diskimg.tasks.checker import Xxh3Checker
    from doit_diskimg.tasks.disk_image import DiskImage
    from doit_diskimg.tasks.grub_task import GrubBios, GrubCd, GrubEfi
    from doit_diskimg.tasks.qemu_task import Qemu
    from doit_diskimg.verify.finding import Finding
    from doit_diskimg.verify.judge import verify_image

__all__ = [
    "Disk",
    "DiskImage",
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
    "FatImage",
    "Ext",
    "File",
    "Zero",
    "Tree",
    "GrubBios",
    "GrubEfi",
    "GrubCd",
    "Limine",
    "Qemu",
    "Drive",
    "Expect",
    "Screen",
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
    "build",
    "Done",
    "verify_image",
    "Finding",
    "DiskimgError",
    "DescriptionError",
    "WorldError",
    "Problem",
]

_HOME = {
    "Disk": "disk.model",
    "DiskImage": "tasks.disk_image",
    "Partition": "disk.model",
    "Esp": "kinds.filesystems.esp",
    "Segment": "disk.segment",
    "BootCode": "disk.bootcode",
    "Patch": "disk.bootfield",
    "Symbol": "disk.symbols",
    "Gpt": "kinds.tables.gpt",
    "Mbr": "kinds.tables.mbr",
    "Fat": "kinds.filesystems.fat.volume",
    "FatImage": "kinds.filesystems.fat.volume",
    "Ext": "kinds.filesystems.ext.ext_volume",
    "File": "kinds.filesystems.file",
    "Zero": "kinds.filesystems.zero",
    "Tree": "plan.content",
    "GrubBios": "tasks.grub_task",
    "GrubEfi": "tasks.grub_task",
    "GrubCd": "tasks.grub_task",
    "Limine": "kinds.bootloaders.limine",
    "Qemu": "tasks.qemu_task",
    "Drive": "kinds.machines.drives",
    "Expect": "kinds.machines.expect",
    "Screen": "kinds.machines.expect",
    "Qcow2": "kinds.outputs.virtual_disks",
    "Vdi": "kinds.outputs.virtual_disks",
    "Vmdk": "kinds.outputs.virtual_disks",
    "Vhdx": "kinds.outputs.virtual_disks",
    "Compressed": "kinds.outputs.compressed",
    "PartitionFile": "kinds.outputs.partition_file",
    "Bmap": "kinds.outputs.bmap",
    "Sha256": "kinds.outputs.sha256",
    "Iso": "kinds.outputs.iso",
    "Xxh3Checker": "tasks.checker",
    "build": "chain.build",
    "Done": "chain.build",
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
    if name in ("Disk", "DiskImage") and modules.get("doit"):
        import_module(f"{__name__}.tasks.disk")  # before doit opens its database
    value: object = getattr(import_module(f"{__name__}.{_HOME[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
