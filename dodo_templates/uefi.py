"""A UEFI disk: GPT, an EFI system partition with your loader and kernel, a data partition.

Copy it to dodo.py and change the paths. `doit` builds build/os.img, `doit boot` starts it.
"""

from doit_diskimg import Disk, Esp, Fat, Gpt, Partition, Qemu, Tree

disk = Disk(
    "build/os.img",
    size="64MiB",
    table=Gpt(),
    partitions=[
        Esp(
            {
                "EFI/BOOT/BOOTX64.EFI": "build/boot.efi",  # the name that firmware looks for
                "kernel.elf": "build/kernel.elf",
                "boot.cfg": b"timeout=0\n",
            },
            size="36MiB",  # FAT32, which some firmware insists on
        ),
        Partition("data", Fat({"/": Tree("sysroot")}, label="DATA"), size="rest"),
    ],
)
DOIT_CONFIG = {"backend": "sqlite3"}  # the default is damaged by two doits at once


def task_image():
    """The disk image."""
    return disk.tasks()


def task_boot():
    """Boot the image in QEMU, on request."""
    return Qemu(disk, firmware="uefi").run_task()
