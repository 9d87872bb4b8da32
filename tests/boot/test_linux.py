"""Debian's own kernel, with a file system in memory, from an ESP: what most images are made for."""

import shutil
from pathlib import Path

import pytest
from initramfs import initramfs
from project import Project
from tools import tool

SAYS = "hello from user space"
DODO = f"""
from doit_diskimg import Disk, Esp, Gpt, GrubEfi, Qemu

grub = GrubEfi("build/grub.efi", config=b"serial\\nterminal_output serial\\n")
disk = Disk("build/os.img", size="auto", table=Gpt(), partitions=[Esp({{
    "EFI/BOOT/BOOTX64.EFI": grub,
    "boot/grub/grub.cfg": "grub.cfg",
    "vmlinuz": "vmlinuz",
    "initrd": "initrd",
}})])

def task_grub():
    return grub.task()

def task_image():
    return disk.tasks()

def task_boots():
    qemu = Qemu(disk, firmware="uefi", memory="512MiB")
    return qemu.test_task(expect="{SAYS}", forbid="Kernel panic", timeout=240)
"""
MENU = """
linux /vmlinuz console=ttyS0 panic=-1 quiet
initrd /initrd
boot
"""


@pytest.mark.slow
@pytest.mark.usefixtures("ovmf")
def test_debians_kernel_boots_from_an_esp(tmp_path):
    tool("grub-mkimage")
    kernels = sorted(Path("/boot").glob("vmlinuz-*-cloud-amd64"))
    if not kernels:
        tool("linux-image-cloud-amd64")  # says so
    project = Project(tmp_path, DODO)
    shutil.copy(kernels[-1], tmp_path / "vmlinuz")
    initramfs(tmp_path / "initrd", SAYS)
    project.write("grub.cfg", MENU)
    assert "boots" in project.doit("boots").ran
    log = (tmp_path / "build/.os.img/boots.serial.log").read_text(errors="replace")
    assert SAYS in log
    project.doit("os.img:verify")


DIRECT = f"""
from doit_diskimg import Qemu

linux = Qemu(None, kernel="vmlinuz", initrd="initrd", memory="512MiB",
             append="console=ttyS0 panic=-1 reboot=t quiet")

def task_boots():
    return linux.test_task(expect="{SAYS}", forbid="Kernel panic", timeout=240)
"""


@pytest.mark.slow
def test_debians_kernel_without_a_disk(tmp_path):
    kernels = sorted(Path("/boot").glob("vmlinuz-*-cloud-amd64"))
    if not kernels:
        tool("linux-image-cloud-amd64")  # says so
    project = Project(tmp_path, DIRECT)
    shutil.copy(kernels[-1], tmp_path / "vmlinuz")
    initramfs(tmp_path / "initrd", SAYS)
    assert "booted in" in project.doit("boots").out
    initramfs(tmp_path / "initrd", "nothing of the kind")
    said = project.doit("info", "boots", code=1).out
    assert "the files in the machine changed" in said
