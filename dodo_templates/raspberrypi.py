"""An SD card for a Raspberry Pi: MBR, firmware and kernel on FAT32, a root file system behind it.

Copy it to dodo.py and change the paths. `doit` builds build/sdcard.img; write it to a card with
your system's own tool for that. `doit boot` starts the kernel in QEMU, which has no firmware for a
Pi: it is told the kernel, and takes the card (a power of two long) for nothing but data.
"""

from doit_diskimg import Disk, Fat, File, Mbr, Partition, Qemu, Tree

disk = Disk(
    "build/sdcard.img",
    size="auto",
    power_of_two=True,
    table=Mbr(),
    partitions=[
        Partition("boot", Fat({
            "/": Tree("firmware"),  # bootcode.bin, start*.elf, fixup*.dat, *.dtb
            "kernel8.img": "build/kernel8.img",
            "config.txt": b"arm_64bit=1\n",
        }, fat=32, label="BOOT"), size="64MiB"),  # FAT32 has the widest ROM support
        Partition("root", File("build/root.ext4"), type="linux-filesystem"),
    ],
)
qemu = Qemu(disk, arch="aarch64", machine="raspi3b", kernel="build/kernel8.img")
DOIT_CONFIG = {"backend": "sqlite3"}  # the default is damaged by two doits at once


def task_image():
    """The SD card's image."""
    return disk.tasks()


def task_boot():
    """Boot the kernel in QEMU, with the card in its slot."""
    return qemu.run_task()
