"""Machines that say something: every interface of a disk, straight to a kernel, every exit."""

import subprocess

import pytest
from efi_guests import program
from guests import boot_code
from multiboot import flat_kernel
from project import Project
from tools import tool

DODO = """
from doit_diskimg import Disk, Drive, Esp, Gpt, Mbr, Qemu, Segment

disk = Disk("os.img", size="1MiB", table=Mbr(), segments=[Segment("boot", "boot.bin", 0)])
data = Disk("data.img", size="1MiB", table=None, segments=[Segment("text", b"of the second\\n", 0)])

def task_image():
    return disk.tasks()

def task_data():
    return data.tasks()

def task_boots():
    return Qemu(%s).test_task(%s)
"""


def boots(folder, qemu, test='expect="hello", timeout=10', **files):
    """Boot the machine that is described, which has to do what the test says."""
    project = Project(folder, DODO % (qemu, test))
    for name, data in files.items():
        project.write(f"{name}.bin", data)
    assert "booted in" in project.doit("boots").out


@pytest.mark.parametrize(
    "interface",
    ["", "ide", "ahci", "nvme", "virtio", "scsi", "usb", "sd", "floppy"],
)
@pytest.mark.parametrize("machine", ["pc", "q35"])
def test_a_bios_boots_from_every_interface(tmp_path, interface, machine):
    if interface == "floppy" and machine == "q35":
        pytest.skip("a q35 has no diskette drive")
    tool("qemu-system-x86_64")
    qemu = f'disk, interface="{interface}", machine="{machine}"'
    boots(tmp_path, qemu, boot=boot_code("hello\n", "halts"))


@pytest.mark.parametrize("interface", ["", "nvme", "usb"])
def test_two_disks(tmp_path, interface):
    tool("qemu-system-x86_64")
    qemu = f'disk, drives=[Drive(data, interface="{interface}")]'
    code = boot_code("hello ", "says what the second disk says")
    boots(tmp_path, qemu, 'expect="hello of the second", timeout=10', boot=code)


def test_the_drive_with_the_least_bootindex_boots_first(tmp_path):
    tool("qemu-system-x86_64")
    qemu = 'disk, drives=[Drive("first.bin", interface="virtio", bootindex=0)]'
    other = boot_code("hello\n", "halts").ljust(510, b"\0") + b"\x55\xaa"
    boots(tmp_path, qemu, boot=boot_code("the other\n", "halts"), first=other + bytes(1 << 20))


@pytest.mark.parametrize("machine", ["", "q35", "microvm"])
@pytest.mark.parametrize("arch", ["x86_64", "i386"])
def test_straight_to_a_kernel(tmp_path, machine, arch):
    tool(f"qemu-system-{arch}")
    qemu = f'None, kernel="kernel.bin", machine="{machine}", arch="{arch}"'
    boots(tmp_path, qemu, kernel=flat_kernel("hello\n"))


BARE = {
    "aarch64": (
        'arch="aarch64"',
        """
        adr x1, text
        movz x2, #0x0900, lsl #16       // virt's PL011
        next: ldrb w0, [x1], #1
        cbz w0, end
        strb w0, [x2]
        b next
        end: mov w0, #0x20              // semihosting's SYS_EXIT_EXTENDED
        adr x1, block
        hlt #0xf000
        .balign 8
        block: .quad 0x20026, 42        // ADP_Stopped_ApplicationExit, and the number
        text: .asciz "hello\\n"
        """,
    ),
    "arm": (
        'arch="arm", cpu="cortex-a15"',
        """
        adr r1, text
        mov r2, #0x09000000
        next: ldrb r0, [r1], #1
        cmp r0, #0
        beq end
        strb r0, [r2]
        b next
        end: mov r0, #0x20
        adr r1, block
        svc #0x123456
        .balign 4
        block: .long 0x20026, 42
        text: .asciz "hello\\n"
        """,
    ),
    "riscv64": (
        'arch="riscv64", firmware="none"',
        """
        csrr t0, mhartid
        bnez t0, end
        lla a1, text
        li a2, 0x10000000               # virt's 16550
        next: lbu a0, 0(a1)
        beqz a0, exit
        sb a0, 0(a2)
        addi a1, a1, 1
        j next
        exit: li a0, 0x100000           # sifive_test: fail, with the number 42
        li a1, (42 << 16) | 0x3333
        sw a1, 0(a0)
        end: j end
        text: .asciz "hello\\n"
        """,
    ),
}


def bare(folder, arch, source):
    """Return a kernel of an architecture, put together by LLVM."""
    text = f".global _start\n_start:\n{source}"
    (folder / "kernel.s").write_text(text, encoding="ascii")
    target = {"arm": "armv7a"}.get(arch, arch)
    place = {"aarch64": 0x40080000, "arm": 0x40010000, "riscv64": 0x80000000}[arch]
    subprocess.run(
        [tool("clang"), f"--target={target}-none-elf", "-c", "kernel.s", "-o", "kernel.o"],
        cwd=folder, check=True,
    )
    subprocess.run(
        [tool("ld.lld"), "--omagic", f"-Ttext={place:#x}", "-o", "kernel.elf", "kernel.o"],
        cwd=folder, check=True,
    )
    return (folder / "kernel.elf").read_bytes()


@pytest.mark.parametrize(("arch", "number", "passes"), [
    ("aarch64", 42, True), ("arm", 42, True), ("riscv64", 42, True), ("riscv64", 43, False),
])
def test_a_guest_ends_with_its_number(tmp_path, arch, number, passes):
    tool(f"qemu-system-{arch}")
    qemu, source = BARE[arch]
    test = f'expect="hello", debug_exit={number}'
    project = Project(tmp_path, DODO % (f'None, {qemu}, kernel="kernel.bin"', test))
    project.write("kernel.bin", bare(tmp_path, arch, source))
    said = project.doit("boots", code=0 if passes else 1).said
    if passes:
        assert "booted in" in said
    else:
        assert "the guest wrote 0x2a to sifive_test" in said
        assert "QEMU's status must be 43" in said


@pytest.mark.slow
@pytest.mark.parametrize("interface", ["", "nvme"])
def test_sectors_of_4096_bytes(tmp_path, interface):
    tool("qemu-system-x86_64")
    project = Project(tmp_path, f"""
from doit_diskimg import Disk, Esp, Gpt, Qemu

disk = Disk("os.img", size="auto", table=Gpt(sector_size=4096),
            partitions=[Esp({{"EFI/BOOT/BOOTX64.EFI": "boot.efi"}})])

def task_image():
    return disk.tasks()

def task_boots():
    return Qemu(disk, firmware="uefi", interface="{interface}").test_task(expect="hello")
""")
    project.write("boot.efi", program("hello"))
    assert "booted in" in project.doit("boots").out
