"""What boots by UEFI says the same whether its machine started cold or behind its firmware."""

import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest
from initramfs import initramfs
from multiboot import kernel
from project import Project
from tools import tool

from doit_diskimg.host.qemu.verdict import plain

SYSTEMD = Path("/usr/lib/systemd/boot/efi")
SAYS = "hello from a guest"
DODO = f"""
from doit_diskimg import Disk, Esp, Gpt, GrubEfi, Qemu

grub = GrubEfi("build/grub.efi", prefix="/boot/grub")
disk = Disk("build/os.img", size="auto", table=Gpt(), partitions=[Esp({{files}})])
qemu = Qemu(disk, firmware="uefi", memory="512MiB", accel="tcg", debug_exit=0x10)

def task_grub():
    return grub.task()

def task_image():
    return disk.tasks()

def task_cold():
    return qemu.test_task(expect="{SAYS}", timeout=240, debug_exit={{exits}})

def task_warm():
    return qemu.test_task(expect="{SAYS}", timeout=240, debug_exit={{exits}}, warm=True)
"""
GRUB = '"EFI/BOOT/BOOTX64.EFI": grub, "boot/grub/grub.cfg": "grub.cfg", '


def both(project):
    """Return what is said after a cold start and after a warm one, from the boot loader on."""
    project.doit("cold")
    assert "starts cold" not in project.doit("warm").out
    found = []
    for name in ("cold", "warm"):
        log = (project.folder / f"build/.os.img/{name}.serial.log").read_text(errors="replace")
        lines = [plain(line) for line in log[log.index("BdsDxe") :].split("\n")]
        found.append([line for line in lines if line])
        assert any(SAYS in line for line in found[-1])
    return found


def linux(folder):
    """Put Debian's kernel and a file system into a folder."""
    kernels = sorted(Path("/boot").glob("vmlinuz-*-cloud-amd64"))
    if not kernels:
        tool("linux-image-cloud-amd64")  # says so
    shutil.copy(kernels[-1], folder / "vmlinuz")
    initramfs(folder / "initrd", SAYS)


def unified(folder):
    """Make one EFI application of systemd's stub, the kernel and its file system."""
    (folder / "cmdline").write_text("console=ttyS0")
    sections = [("cmdline", 0x30000, "cmdline"), ("linux", 0x2000000, "vmlinuz"),
                ("initrd", 0x4000000, "initrd")]  # fmt: skip
    words = [
        word for name, place, file in sections
        for word in (f"--add-section=.{name}={folder / file}",
                     f"--change-section-vma=.{name}={place:#x}")
    ]  # fmt: skip
    stub = SYSTEMD / "linuxx64.efi.stub"
    subprocess.run([tool("objcopy"), *words, stub, folder / "uki.efi"], check=True)


def roughly(lines):
    """Return the lines of Linux, without what every boot has its own of: times and addresses."""
    found = set()
    for line in lines:
        line = re.sub(r"^\[ *\d+\.\d+\] ", "", line)
        line = re.sub(r"0x[0-9a-f]+|\b[0-9a-f]{6,}\b|\d+", "#", line)
        found.add(line)
    return found


@pytest.mark.slow
@pytest.mark.usefixtures("ovmf")
def test_grub_and_a_multiboot_kernel(tmp_path):
    tool("grub-mkimage")
    project = Project(tmp_path, DODO.format(
        files="{" + GRUB + '"boot/kernel": "kernel"}', exits=16))  # fmt: skip
    kernel(tmp_path / "kernel", f"{SAYS}\n")
    menu = "serial\nterminal_output serial\nmultiboot /boot/kernel\nboot\n"
    project.write("grub.cfg", menu)
    cold, warm = both(project)
    assert cold == warm


@pytest.mark.slow
@pytest.mark.skipif("WARM_EDITS" not in os.environ, reason="a minute: set WARM_EDITS=100")
@pytest.mark.usefixtures("ovmf")
@pytest.mark.parametrize("way", ["grub", "efi stub", "uki", "systemd-boot"])
def test_linux(tmp_path, way):
    tool("grub-mkimage")
    files = {
        "grub": GRUB + '"vmlinuz": "vmlinuz", "initrd": "initrd"',
        "efi stub": '"startup.nsh": "startup.nsh", "vmlinuz.efi": "vmlinuz", "initrd": "initrd"',
        "uki": '"EFI/BOOT/BOOTX64.EFI": "uki.efi"',
        "systemd-boot": f"""
            "EFI/BOOT/BOOTX64.EFI": {str(SYSTEMD / "systemd-bootx64.efi")!r},
            "loader/loader.conf": b"timeout 0\\n", "loader/entries/linux.conf": "linux.conf",
            "vmlinuz": "vmlinuz", "initrd": "initrd" """,
    }[way]
    project = Project(tmp_path, DODO.format(files="{" + files + "}", exits=None))
    linux(tmp_path)
    if way in ("uki", "systemd-boot") and not SYSTEMD.exists():
        tool("systemd-boot-efi")  # says so
    if way == "uki":
        unified(tmp_path)
    project.write("linux.conf", "title Linux\nlinux /vmlinuz\ninitrd /initrd\n"
                  "options console=ttyS0\n")  # fmt: skip
    project.write("grub.cfg", "serial\nterminal_output serial\nlinux /vmlinuz console=ttyS0\n"
                  "initrd /initrd\nboot\n")  # fmt: skip
    project.write("startup.nsh", "fs0:\\vmlinuz.efi console=ttyS0 initrd=\\initrd\r\n")
    cold, warm = map(roughly, both(project))
    different = cold ^ warm
    print("\n".join(sorted(different)))
    assert len(different) <= 10  # of 200: how clocks were calibrated
