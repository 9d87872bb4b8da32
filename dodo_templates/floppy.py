"""A 1.44 MB diskette: FAT12 with a boot sector of your own, which keeps our BPB.

Copy it to dodo.py and change the paths. `doit` builds build/floppy.img, `doit boot` starts it.
"""

from doit_diskimg import Disk, Fat, Partition, Qemu

disk = Disk(
    "build/floppy.img",
    size="1.44M floppy",
    table=None,  # the volume is the whole disk
    partitions=[
        Partition(
            "floppy",
            Fat(
                {"KERNEL.BIN": "build/kernel.bin"},
                boot_sector="build/boot.bin",  # 512 bytes; its BPB may be empty
                first=["KERNEL.BIN"],  # first entry of the root, first clusters
                label="MYOS",
            ),
        ),
    ],
)
DOIT_CONFIG = {"backend": "sqlite3"}  # the default is damaged by two doits at once


def task_image():
    """The diskette."""
    return disk.tasks()


def task_boot():
    """Boot the diskette in QEMU, on request."""
    return Qemu(disk, interface="floppy").run_task()
