"""A BIOS disk: boot code of your own in sector 0, a stage 2 in the gap behind it, files on FAT16.

Copy it to dodo.py and change the paths. `doit` builds build/os.img, `doit boot` starts it.
"""

from doit_diskimg import Disk, Fat, Mbr, Partition, Qemu, Segment

disk = Disk(
    "build/os.img",
    size="32MiB",
    table=Mbr(),
    segments=[
        # A flat binary of 512 bytes; the partition table keeps its 72 bytes of the sector.
        Segment("stage1", "build/stage1.bin", start=0, keep=[(440, 512)]),
        Segment("stage2", "build/stage2.bin", start=512),  # up to 1 MiB less one sector
    ],
    partitions=[
        Partition(
            "boot",
            Fat({"KERNEL.BIN": "build/kernel.bin"}, fat=16, label="BOOT"),
            size="rest",
            active=True,
        ),
    ],
)


def task_image():
    """The disk image."""
    return disk.tasks()


def task_boot():
    """Boot the image in QEMU, on request."""
    return Qemu(disk).run()
