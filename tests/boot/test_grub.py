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
    return Qemu(disk, firmware="uefi", debug_exit=0x10).test_task(expect="{SAYS}", timeout=120)
"""


BIOS = f"""
from doit_diskimg import Disk, Fat, Gpt, GrubBios, Mbr, Partition, Qemu

grub = GrubBios("build/core.img", prefix="{{prefix}}")
files = {{{{"boot/grub/grub.cfg": b"{MENU}", "boot/kernel": "kernel"}}}}
disk = Disk("build/os.img", {{disk}})

def task_grub():
    return grub.task()

def task_image():
    return disk.tasks()

def task_boots():
    qemu = Qemu(disk, debug_exit=0x10, interface="{{interface}}")
    return qemu.test_task(expect="{SAYS}", timeout=120)
"""
PLACES = [
    pytest.param("(,msdos1)/boot/grub", """size="40MiB", table=Mbr(), boot=grub,
        partitions=[Partition("boot", Fat(files, fat=32), size="rest", active=True)]""", "",
        id="mbr-gap"),
    pytest.param("(,gpt2)/boot/grub", """size="40MiB", table=Gpt(), boot=grub, partitions=[
        Partition("bios", grub.core()), Partition("boot", Fat(files), type="esp", size="rest")]""",
        "", id="gpt-bios-boot-partition"),
    pytest.param("/boot/grub", """size="40MiB", table=None,
        partitions=[Partition("boot", Fat(files, fat=32, **grub.in_fat()))]""", "",
        id="bare-fat32"),
    pytest.param("/boot/grub", """size="1.44M floppy", table=None,
        partitions=[Partition("boot", Fat(files, **grub.in_fat(1, floppy=True)))]""", "floppy",
        id="floppy"),
]


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


@pytest.mark.slow
@pytest.mark.parametrize(("prefix", "disk", "interface"), PLACES)
def test_grub_boots_a_multiboot_kernel(tmp_path, prefix, disk, interface):
    grub_files("i386-pc", "grub-pc-bin")
    text = BIOS.format(prefix=prefix, disk=disk, interface=interface)
    project = Project(tmp_path, text)
    kernel(tmp_path / "kernel", f"{SAYS}\n")
    project.doit("boots")
    assert not project.doit("boots").ran
    project.doit("os.img:verify")
    kernel(tmp_path / "kernel", f"{SAYS} again\n")
    ran = project.doit("boots").ran
    assert {"boots", "os.img:boot:inject"} <= ran
    assert not {"os.img:grub:inject", "os.img:grub-core:inject", "os.img:bios:inject"} & ran
