"""A disk that GRUB boots, from a BIOS and with UEFI: one menu and one kernel, on the ESP.

Copy it to dodo.py and change the paths. `doit` builds build/os.img, `doit boot` starts it.
Debian has GRUB's files in grub-common, grub-pc-bin and grub-efi-amd64-bin; nothing is installed.
"""

from doit_diskimg import Disk, Esp, Gpt, GrubBios, GrubEfi, Partition, Qemu

bios = GrubBios("build/grub/core.img", prefix="(,gpt2)/boot/grub")  # partition 2 of its own disk
uefi = GrubEfi("build/grub/grub.efi", prefix="/boot/grub")  # on the partition that it came from
files = {
    "EFI/BOOT/BOOTX64.EFI": uefi,
    "boot/grub/grub.cfg": b"multiboot /boot/kernel.elf\nboot\n",
    "boot/kernel.elf": "build/kernel.elf",
}
disk = Disk(
    "build/os.img",
    size="auto",
    table=Gpt(),
    boot=bios,
    partitions=[Partition("bios", bios.core()), Esp(files)],
)
DOIT_CONFIG = {"backend": "sqlite3"}  # the default is damaged by two doits at once


def task_grub():
    """GRUB for both."""
    yield {"name": "bios", **bios.task()}
    yield {"name": "uefi", **uefi.task()}


def task_image():
    """The disk image."""
    return disk.tasks()


def task_boot():
    """Boot the image in QEMU, on request."""
    return Qemu(disk).run_task()
