"""A disk for 64-bit ARM with UEFI: GPT, an EFI system partition with your loader and kernel.

Copy it to dodo.py and change the paths. `doit` builds build/os.img, `doit boot` starts it on QEMU's
board virt (Debian has QEMU in qemu-system-arm, the firmware in qemu-efi-aarch64).
"""

from doit_diskimg import Disk, Esp, Gpt, Qemu

disk = Disk(
    "build/os.img",
    size="auto",
    table=Gpt(),
    partitions=[
        Esp({
            "EFI/BOOT/BOOTAA64.EFI": "build/boot.efi",  # the name that firmware looks for
            "kernel.elf": "build/kernel.elf",
        }),
    ],
)
qemu = Qemu(disk, arch="aarch64", firmware="uefi", memory="512MiB")
DOIT_CONFIG = {"backend": "sqlite3"}  # the default is damaged by two doits at once


def task_image():
    """The disk image."""
    return disk.tasks()


def task_boot():
    """Boot the image in QEMU, on request."""
    return qemu.run_task()
