"""Every template builds as it is, from files of the names that it mentions."""

import re
import subprocess
import tomllib
from pathlib import Path

import pytest
from boot.conftest import firmware
from bootloaders.liminefiles import as_header, bootable
from efi_guests import program
from guests import boot_code
from multiboot import kernel
from project import Project
from tools import tool

ROOT = Path(__file__).parents[2]
TEMPLATES = sorted(ROOT.glob("dodo_templates/*.py"))
IMAGES = re.compile(r'"(build/[a-z]+\.img)",')
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


def lay_out(folder, template, more=""):
    """Return the project of a template, with all the files that it mentions."""
    text = template.read_text()
    image, *others = IMAGES.findall(text)
    project = Project(folder, text + more, image=image)
    for path in re.findall(r'"(build/[a-z0-9]+\.[a-z0-9]+)"', text):
        if path not in (image, *others) and not path.endswith(".iso"):
            project.write(path, contents(path))
    if "Limine(" in text:
        lay_out_limine(project, folder)
    if "Grub" in text:
        for package in ("grub-common", "grub-pc-bin", "grub-efi-amd64-bin"):
            assert package in text
        tool("grub-mkimage")
        kernel(folder / "build/kernel.elf", "hello from GRUB\n")
    for name in re.findall(r'Tree\("(\w+)"\)', text):
        project.write(f"{name}/sub/file.dat", b"data" * 5000)
    return project


@pytest.mark.parametrize("template", TEMPLATES, ids=lambda path: path.stem)
def test_it_builds_and_the_tools_agree(tmp_path, template):
    text = template.read_text()
    if "Iso(" in text:
        tool("xorriso")
    project = lay_out(tmp_path, template)
    project.doit()
    assert not project.doit().ran
    assert len(text.splitlines()) <= 40
    for image in IMAGES.findall(text):
        path = tmp_path / image
        done = subprocess.run(
            [tool("sfdisk"), "-V", path], capture_output=True, text=True, check=False
        )
        if "table=None" not in text:
            assert "No errors detected" in done.stdout, done.stdout + done.stderr
        project.doit(f"{path.name}:verify")


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


# In the machine that the template describes ------------------------------------------------------


def raspberry_pi(project):
    project.write("build/kernel8.img", flat(project.folder, "aarch64", 0x80000, """
        movz x2, #0x3f20, lsl #16       // PL011 of the BCM2837, at 0x3f201000
        movk x2, #0x1000
        adr x1, text
        next: ldrb w0, [x1], #1
        cbz w0, .
        strb w0, [x2]
        b next
        text: .asciz "hello\\n"
    """))


def aarch64(project):
    project.write("build/boot.efi", program("hello", "aarch64"))


def riscv(project):
    """Write an image as Linux's (its Documentation/riscv/boot-image-header.rst)."""
    project.write("build/kernel.img", flat(project.folder, "riscv64", 0, f"""
        .option norelax
        j start
        .balign 8
        .quad 0x200000, end - _start, 0 # where it belongs behind the memory's start; size; flags
        .long 2, 0                      # version 0.2
        .quad 0
        .ascii "RISCV\\0\\0\\0"
        .ascii "RSC\\5"
        .long 0
        start: {RISCV_SAYS}
        end:
    """))


def bare_kernel(project):
    """Write a kernel that says hello if a disk is on the first virtio-mmio bus."""
    kernel = flat(project.folder, "riscv64", 0x80000000, f"""
        .option norelax
        csrr t0, mhartid
        bnez t0, .
        li t0, 0x10001000               # DeviceID of the first bus: 2 is a block device
        lw t1, 8(t0)
        li t2, 2
        bne t1, t2, .
        {RISCV_SAYS}
    """, linked=True)
    project.write("build/kernel.elf", kernel)


def disks(project):
    then = "says the last bytes of the second disk's sector 0"
    project.write("build/boot.bin", boot_code("hello ", then).ljust(512, b"\0"))


RISCV_SAYS = """
        lla a1, text
        li a2, 0x10000000               # virt's 16550
        next: lbu a0, 0(a1)
        beqz a0, .
        sb a0, 0(a2)
        addi a1, a1, 1
        j next
        text: .asciz "hello\\n"
"""


def flat(folder, arch, place, source, *, linked=False):
    """Return a program of an architecture for a place in memory, put together by LLVM."""
    (folder / "guest.s").write_text(f".global _start\n_start:\n{source}\n", encoding="ascii")
    link = [f"-Ttext={place:#x}", *([] if linked else ["--oformat=binary"])]
    for argv in (["clang", f"--target={arch}-none-elf", "-c", "guest.s", "-o", "guest.o"],
                 ["ld.lld", "--omagic", *link, "-o", "guest", "guest.o"]):
        subprocess.run([tool(argv[0]), *argv[1:]], cwd=folder, check=True)
    return (folder / "guest").read_bytes()


@pytest.mark.parametrize(("name", "qemu", "guest", "says"), [
    ("raspberrypi", "qemu-system-aarch64", raspberry_pi, "^hello"),
    pytest.param("aarch64", "qemu-system-aarch64", aarch64, "hello", marks=pytest.mark.slow),
    pytest.param("riscv", "qemu-system-riscv64", riscv, "^hello", marks=pytest.mark.slow),
    ("barekernel", "qemu-system-riscv64", bare_kernel, "^hello"),
    ("iso", "qemu-system-x86_64", lambda project: None, "^hello from GRUB"),
    ("disks", "qemu-system-x86_64", disks, "^hello U"),  # 55 AA
])  # fmt: skip
def test_it_boots_in_its_machine(tmp_path, name, qemu, guest, says):
    tool(qemu)
    template = next(path for path in TEMPLATES if path.stem == name)
    test = f"qemu.test_task(expect={says!r}, timeout=120)"
    project = lay_out(tmp_path, template, f"\n\ndef task_boots():\n    return {test}\n")
    guest(project)
    if "GRUB" in says:
        menu = "serial\\nterminal_output serial\\nmultiboot"
        dodo = tmp_path / "dodo.py"
        dodo.write_text(dodo.read_text().replace('b"multiboot', f'b"{menu}'))
    if name == "iso":
        stick = 'Qemu(None, drives=[Drive(iso, interface="usb")])'
        assert f"return {stick}.run_task()" in template.read_text()
        dodo.write_text(f"{dodo.read_text()}\ndef task_starts():\n    return {stick}.{test[5:]}\n")
        assert "booted in" in project.doit("starts").out
    assert "booted in" in project.doit("boots").out


def test_the_wheel_has_them(tmp_path):
    data = tomllib.loads((ROOT / "pyproject.toml").read_text())
    shared = data["tool"]["hatch"]["build"]["targets"]["wheel"]["shared-data"]
    assert shared == {"dodo_templates": "share/doit_diskimg/dodo_templates"}
