"""An SD card for a Raspberry Pi: MBR, firmware and kernel on FAT32, a root file system behind it.

Copy it to dodo.py and change the paths. `doit` builds build/sdcard.img; write it to a card with
your system's own tool for that. QEMU's raspi machines want a card whose size is a power of two.
"""

from doit_diskimg import Disk, Fat, File, Mbr, Partition, Tree

disk = Disk(
    "build/sdcard.img",
    size="auto",
    power_of_two=True,
    table=Mbr(),
    partitions=[
        Partition(
            "boot",
            Fat(
                {
                    "/": Tree("firmware"),  # bootcode.bin, start*.elf, fixup*.dat, *.dtb
                    "kernel8.img": "build/kernel8.img",
                    "config.txt": b"arm_64bit=1\n",
                },
                fat=32,  # the widest ROM support
                label="BOOT",
            ),
            size="64MiB",
        ),
        Partition("root", File("build/root.ext4"), type="linux-filesystem"),
    ],
)
DOIT_CONFIG = {"backend": "sqlite3"}  # the default is damaged by two doits at once


def task_image():
    """The SD card's image."""
    return disk.tasks()
