"""A kernel that QEMU starts by itself, with a disk of its own file system, as xv6 has it.

Copy it to dodo.py and change the paths. `doit` builds build/fs.img, `doit boot` starts the kernel
in machine mode at 0x80000000, with the disk on the first virtio-mmio bus.
"""

from doit_diskimg import Disk, Drive, File, Partition, Qemu

disk = Disk(
    "build/fs.img",
    size="auto",
    table=None,  # the file system is the disk
    partitions=[Partition("fs", File("build/fs.bin"))],  # what your mkfs made
)
qemu = Qemu(
    None,  # it boots from no disk
    arch="riscv64",
    firmware="none",
    kernel="build/kernel.elf",
    cores=3,
    drives=[Drive(disk, interface="virtio-mmio")],
    arguments=["-global", "virtio-mmio.force-legacy=false"],
)
DOIT_CONFIG = {"backend": "sqlite3"}  # the default is damaged by two doits at once


def task_image():
    """The disk image."""
    return disk.tasks()


def task_boot():
    """Boot the kernel in QEMU, on request."""
    return qemu.run_task()
