"""A BIOS disk: boot code of your own in sector 0, a stage 2 in the gap behind it, files on FAT.

Copy it to dodo.py and change the paths. `doit` builds build/os.img, `doit boot` starts it.
"""

from doit_diskimg import BootCode, Disk, Fat, Mbr, Partition, Patch, Qemu, Segment, at

disk = Disk(
    "build/os.img",
    size="32MiB",
    table=Mbr(),
    # A flat binary; the partition table keeps its 72 bytes of the sector.  It finds the rest by
    # numbers that are written into it, at these offsets.
    boot=BootCode("build/stage1.bin", patches=[
        Patch(0x190, "<Q", at.lba("stage2")),
        Patch(0x198, "<H", at.sectors("stage2")),
        Patch(0x1A0, "<Q", at.file_lba("boot", "KERNEL.BIN")),
        Patch(0x1A8, "<H", at.file_sectors("boot", "KERNEL.BIN")),
    ]),
    segments=[Segment("stage2", "build/stage2.bin", start=512)],  # up to 1 MiB less one sector
    partitions=[
        Partition("boot", Fat({"KERNEL.BIN": "build/kernel.bin"}), size="rest", active=True),
    ],
)
DOIT_CONFIG = {"backend": "sqlite3"}  # the default is damaged by two doits at once


def task_image():
    """The disk image."""
    return disk.tasks()


def task_boot():
    """Boot the image in QEMU, on request."""
    return Qemu(disk).run_task()
