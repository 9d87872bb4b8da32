"""GRUB, placed by us, boots a kernel of ours."""

from pathlib import Path

import pytest
from multiboot import kernel
from project import Project
from tools import tool

SAYS = "hello from multiboot"
MENU = "serial\\nterminal_output serial\\nmultiboot /boot/kernel\\nboot\\n"

EFI = f"""
from doit_diskimg import Disk, Esp, Gpt, GrubEfi, Qemu

grub = GrubEfi("build/grub.efi", prefix="/boot/grub")
disk = Disk("build/os.img", size="auto", table=Gpt(), partitions=[Esp({{
    "EFI/BOOT/BOOTX64.EFI": grub,
    "boot/grub/grub.cfg": b"{MENU}",
    "boot/kernel": "kernel",
}})])

def task_grub():
    return grub.task()

def task_image():
    return disk.tasks()

def task_boots():
    return Qemu(disk, firmware="uefi", debug_exit=0x10).test(expect="{SAYS}", timeout=120)
"""


def grub_files(platform: str, package: str) -> None:
    """See to it that GRUB's files are here."""
    tool("grub-mkimage")
    if not Path(f"/usr/lib/grub/{platform}/kernel.img").exists():
        tool(package)  # says so


@pytest.mark.slow
@pytest.mark.usefixtures("ovmf")
def test_grub_in_an_esp_boots_a_multiboot_kernel_under_uefi(tmp_path):
    grub_files("x86_64-efi", "grub-efi-amd64-bin")
    project = Project(tmp_path, EFI)
    kernel(tmp_path / "kernel", f"{SAYS}\n")
    project.doit("boots")
    assert not project.doit("boots").ran
    project.doit("os.img:verify")
