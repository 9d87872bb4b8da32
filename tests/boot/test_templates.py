"""Every template builds as it is, from files of the names that it mentions."""

import re
import subprocess
from pathlib import Path

import pytest
from boot.conftest import firmware
from bootloaders.liminefiles import as_header, bootable
from multiboot import kernel
from project import Project
from tools import tool

TEMPLATES = sorted(Path(__file__).parents[2].glob("dodo_templates/*.py"))
BOOT = bytes.fromhex("eb3c90") + bytes(59) + bytes.fromhex("b002e6f4f4ebfd")
"""A boot sector without numbers of its own that ends QEMU through isa-debug-exit."""


def contents(path):
    if path.endswith(("boot.bin", "stage1.bin")):
        return BOOT.ljust(510, b"\0") + b"\x55\xaa"
    return path.encode() * 1000


def lay_out_limine(project, scratch):
    """Write a release of Limine's of the same shape: its boot sector loads its stage 2."""
    project.write("limine/limine-bios-hdd.h", as_header(bootable(scratch, 8)))
    project.write("limine/limine-bios.sys", b"stage 3")
    project.write("limine/BOOTX64.EFI", b"MZ")
    project.write("limine.conf", "timeout: 0\n")


@pytest.mark.parametrize("template", TEMPLATES, ids=lambda path: path.stem)
def test_it_builds_and_the_tools_agree(tmp_path, template):
    text = template.read_text()
    (image,) = re.findall(r'"(build/[a-z]+\.img)",', text)
    project = Project(tmp_path, text, image=image)
    for path in re.findall(r'"(build/[a-z0-9]+\.[a-z0-9]+)"', text):
        if path != image:
            project.write(path, contents(path))
    if "Limine(" in text:
        lay_out_limine(project, tmp_path)
    if "Grub" in text:
        for package in ("grub-common", "grub-pc-bin", "grub-efi-amd64-bin"):
            assert package in text
        tool("grub-mkimage")
        kernel(tmp_path / "build/kernel.elf", "hello from GRUB\n")
    for folder in re.findall(r'Tree\("(\w+)"\)', text):
        project.write(f"{folder}/sub/file.dat", b"data" * 5000)
    project.doit()
    assert not project.doit().ran
    assert len(text.splitlines()) <= 40
    done = subprocess.run(
        [tool("sfdisk"), "-V", project.image_path], capture_output=True, text=True, check=False
    )
    if "table=None" not in text:
        assert "No errors detected" in done.stdout, done.stdout + done.stderr
    project.doit(f"{Path(image).name}:verify")


@pytest.mark.parametrize(
    ("name", "options", "byte"),
    [
        ("bios", "", 2), ("floppy", "if=floppy,", 2), ("limine", "", 0x10),
        pytest.param("grub", "", 0x10, marks=pytest.mark.slow),
    ],
)
def test_it_boots_with_a_bios(tmp_path, name, options, byte):
    assert boots(tmp_path, name, options) == 2 * byte + 1


@pytest.mark.slow
def test_it_boots_with_uefi(tmp_path):
    flash = firmware("ovmf")
    assert boots(tmp_path, "grub", "", *flash) == 2 * 0x10 + 1


def boots(folder, name, options, *more):
    """Build a template, boot its image and return QEMU's status: twice a byte and 1."""
    template = next(path for path in TEMPLATES if path.stem == name)
    test_it_builds_and_the_tools_agree(folder, template)
    (image,) = folder.glob("build/[!.]*.img")
    done = subprocess.run(
        [tool("qemu-system-x86_64"), *more,
         "-drive", f"{options}format=raw,snapshot=on,file={image}",
         "-display", "none", "-net", "none", "-device", "isa-debug-exit,iobase=0xf4,iosize=4"],
        timeout=120, check=False,
    )
    return done.returncode
