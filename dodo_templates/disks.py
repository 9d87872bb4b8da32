"""Two disks in one machine: a system with boot code of its own, and its data.

Copy it to dodo.py and change the paths. `doit` builds both, `doit boot` starts them: the system is
the first disk, and the data the second. No guest writes to either, unless you say snapshot=False.
"""

from doit_diskimg import Disk, Drive, Fat, Mbr, Partition, Qemu, Segment, Tree

disk = Disk(
    "build/os.img",
    size="32MiB",
    table=Mbr(),
    segments=[Segment("boot", "build/boot.bin", start=0, keep=[(440, 512)])],
    partitions=[
        Partition("system", Fat({"KERNEL.ELF": "build/kernel.elf"}), size="rest", active=True),
    ],
)
data = Disk(
    "build/data.img",
    size="64MiB",
    table=Mbr(),
    partitions=[Partition("data", Fat({"/": Tree("data")}, label="DATA"), size="rest")],
)
qemu = Qemu(disk, drives=[Drive(data, interface="ide")])  # or "nvme", "ahci", "virtio", "usb"
DOIT_CONFIG = {"backend": "sqlite3"}  # the default is damaged by two doits at once


def task_image():
    """The system."""
    return disk.tasks()


def task_data():
    """Its data."""
    return data.tasks()


def task_boot():
    """Boot with both disks in QEMU, on request."""
    return qemu.run_task()
