"""A disk that Limine boots, from a BIOS and with UEFI: GPT, its files and your kernel on the ESP.

Copy it to dodo.py and change the paths. `doit` builds build/os.img, `doit boot` starts it.
The folder limine/ is a release of Limine's, such as a clone of its branch v8.x-binary.
"""

from doit_diskimg import Disk, Esp, Gpt, Limine, Partition, Qemu

limine = Limine("limine")
disk = Disk(
    "build/os.img",
    size="auto",
    table=Gpt(),
    boot=limine,
    partitions=[
        Partition("bios", limine.stage2()),
        Esp({
            **limine.files("BOOTX64.EFI"),  # and limine-bios.sys
            "boot/limine/limine.conf": "limine.conf",
            "boot/kernel.elf": "build/kernel.elf",
        }),
    ],
)
DOIT_CONFIG = {"backend": "sqlite3"}  # the default is damaged by two doits at once


def task_image():
    """The disk image."""
    return disk.tasks()


def task_boot():
    """Boot the image in QEMU, on request."""
    return Qemu(disk).run_task()
