"""An ISO that GRUB boots: as a CD and from a stick, with a BIOS and with UEFI.

Copy it to dodo.py and change the paths. `doit` builds build/os.iso, `doit boot` and `doit stick`
start it. Debian packages: grub-common, grub-pc-bin, grub-efi-amd64-bin, xorriso.
"""

from doit_diskimg import Disk, Drive, Esp, Gpt, GrubCd, GrubEfi, Iso, Qemu

cd = GrubCd("build/grub/eltorito.img", prefix="/boot/grub")
uefi = GrubEfi("build/grub/grub.efi", prefix="/boot/grub")
menu = b"multiboot /boot/kernel.elf\nboot\n"
files = {"boot/grub/grub.cfg": menu, "boot/kernel.elf": "build/kernel.elf"}
iso = Iso("build/os.iso", efi="esp", bios="boot/grub/eltorito.img", hybrid="grub",
          files={"boot/grub/eltorito.img": cd, **files})
esp = Esp({"EFI/BOOT/BOOTX64.EFI": uefi, **files}, size="4MiB", fat=12)
disk = Disk("build/os.img", size="auto", table=Gpt(), partitions=[esp], outputs=[iso])
qemu = Qemu(None, cdrom=iso)
DOIT_CONFIG = {"backend": "sqlite3"}  # the default is damaged by two doits at once


def task_grub():
    """GRUB for both."""
    yield {"name": "cd", **cd.task()}
    yield {"name": "uefi", **uefi.task()}


def task_image():
    """The disk, whose partition UEFI boots from, and the ISO."""
    return disk.tasks()


def task_boot():
    """Boot the CD in QEMU, on request."""
    return qemu.run_task()


def task_stick():
    """Boot the same file as a stick."""
    return Qemu(None, drives=[Drive(iso, interface="usb")]).run_task()
