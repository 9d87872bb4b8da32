r"""A disk for 64-bit RISC-V with OpenSBI and U-Boot: GPT, kernel and U-Boot's menu on FAT.

Copy it to dodo.py and change the paths. `doit` builds build/os.img, `doit boot` starts it on QEMU's
board virt (Debian has QEMU and OpenSBI in qemu-system-misc, U-Boot in u-boot-qemu). The kernel is
an image as Linux's: it begins with a header of 64 bytes that has RISCV at 48, RSC\x05 at 56.
"""

from doit_diskimg import Disk, Fat, Gpt, Partition, Qemu

MENU = b"default os\nlabel os\nkernel /kernel.img\nappend console=ttyS0\n"
disk = Disk(
    "build/os.img",
    size="auto",
    table=Gpt(),
    partitions=[
        Partition(
            "boot",
            Fat({"extlinux/extlinux.conf": MENU, "kernel.img": "build/kernel.img"}, label="BOOT"),
            type="linux-filesystem",
            size="32MiB",
        ),
    ],
)
# U-Boot puts files at 0x8c000000 and above, which is behind the 128 MiB that QEMU would give.
qemu = Qemu(disk, arch="riscv64", firmware="u-boot", memory="256MiB")
DOIT_CONFIG = {"backend": "sqlite3"}  # the default is damaged by two doits at once


def task_image():
    """The disk image."""
    return disk.tasks()


def task_boot():
    """Boot the image in QEMU, on request."""
    return qemu.run_task()
