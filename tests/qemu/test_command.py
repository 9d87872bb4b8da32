"""QEMU's argument list: what a user says and what QEMU is told, and that it accepts it."""

import io
import shlex
import socket
import struct
import subprocess
from contextlib import suppress
from dataclasses import fields, replace
from os import fspath
from pathlib import Path
from types import SimpleNamespace

import pytest
from multiboot import flat_kernel
from tools import tool

from doit_diskimg import Disk, Drive, Gpt, Iso, Mbr, Qcow2, Qemu
from doit_diskimg.disk.fields import is_path
from doit_diskimg.errors import WorldError
from doit_diskimg.host.qemu import find
from doit_diskimg.kinds.machines.architecture import Architecture, Firmware
from doit_diskimg.kinds.machines.architectures import ARCHITECTURES, architecture
from doit_diskimg.kinds.machines.command import (
    Given,
    Host,
    attended,
    command,
    monitor,
    watched,
    words,
)
from doit_diskimg.kinds.machines.console import ends_by, unheard_problems

DISK = Disk("os.img", size="1MiB", table=Mbr(),
            outputs=[Iso("os.iso"), Qcow2("os.qcow2")])
ISO, QCOW2 = DISK.outputs
BIG = Disk("big.img", size="1MiB", table=Gpt(sector_size=4096))
HOME = "-drive format=raw,snapshot=on,file=./os.img"

MACHINES = {
    "PC": (Qemu(DISK), f"-accel tcg {HOME} -net none"),
    "PC, the guest may write": (
        Qemu(DISK, snapshot=False), "-accel tcg -drive format=raw,file=./os.img -net none",
    ),
    "PC, all its fields": (
        Qemu(DISK, machine="pc", cpu="max", memory="256MiB", cores=2, debug_exit=16,
             network="user,model=e1000", devices=["virtio-rng-pci"], append="a b",
             kernel="k,1", initrd="i", arguments=["-m", "1G"]),
        f"-accel tcg -machine pc -cpu max -m 256M -smp 2 {HOME} -kernel ./k,1 -initrd ./i "
        "-append 'a b' -device isa-debug-exit,iobase=0xf4,iosize=4 -device virtio-rng-pci "
        "-nic user,model=e1000 -m 1G",
    ),
    "PC, UEFI": (
        Qemu(DISK, firmware="uefi"),
        "-accel tcg -machine q35 -drive format=raw,if=pflash,unit=0,readonly=on,file=/fw/0 "
        "-drive format=raw,if=pflash,unit=1,snapshot=on,file=/fw/1 "
        "-drive format=raw,if=none,id=disk,snapshot=on,file=./os.img "
        "-device ide-hd,bus=ide.0,drive=disk,bootindex=2 -net none",
    ),
    "PC, UEFI of the user's": (
        Qemu(DISK, firmware=("c", "v,1"), machine="pc"),
        "-accel tcg -machine pc -drive format=raw,if=pflash,unit=0,readonly=on,file=./c "
        f"-drive format=raw,if=pflash,unit=1,snapshot=on,file=./v,,1 {HOME} -net none",
    ),
    "PC, a BIOS of the user's": (
        Qemu(DISK, firmware="./bios.bin"), f"-accel tcg -bios ././bios.bin {HOME} -net none",
    ),
    "PC, a network of the user's": (
        Qemu(DISK, arguments=["-nic", "user"]), f"-accel tcg {HOME} -nic user",
    ),
    "PC, multiboot": (Qemu(None, kernel="k.elf"), "-accel tcg -kernel ./k.elf -net none"),
    "PC, microvm": (
        Qemu(DISK, machine="microvm", kernel="k.elf"),
        "-accel tcg -machine microvm -drive format=raw,if=none,id=disk,snapshot=on,file=./os.img "
        "-device virtio-blk-device,bus=virtio-mmio-bus.0,drive=disk -kernel ./k.elf -net none",
    ),
    "PC, diskette": (
        Qemu(DISK, interface="floppy"),
        "-accel tcg -drive format=raw,if=floppy,snapshot=on,file=./os.img -net none",
    ),
    "PC, a CD": (
        Qemu(None, cdrom=ISO),
        "-accel tcg -drive format=raw,if=none,id=cdrom,media=cdrom,readonly=on,file=./os.iso "
        "-device ide-cd,bus=ide.0,drive=cdrom,bootindex=1 -net none",
    ),
    "PC, a disk and a CD": (
        Qemu(DISK, cdrom=ISO),
        "-accel tcg -drive format=raw,if=none,id=disk,snapshot=on,file=./os.img "
        "-device ide-hd,bus=ide.0,drive=disk,bootindex=2 "
        "-drive format=raw,if=none,id=cdrom,media=cdrom,readonly=on,file=./os.iso "
        "-device ide-cd,bus=ide.0,drive=cdrom,bootindex=1 -net none",
    ),
    "PC, a stick with an ISO": (
        Qemu(None, drives=[Drive(ISO, interface="usb", bootindex=0)]),
        "-accel tcg -drive format=raw,if=none,id=drive1,snapshot=on,file=./os.iso "
        "-device qemu-xhci,id=usb -device usb-storage,bus=usb.0,drive=drive1,bootindex=1 -net none",
    ),
    "PC, every interface": (
        Qemu(DISK, interface="ide", drives=[
            Drive("a", interface="ahci"), Drive("b", interface="nvme", id="data"),
            Drive("c", interface="virtio", readonly=True), Drive("d", interface="scsi"),
            Drive("e", interface="usb", snapshot=False), Drive("f", interface="ahci"),
            Drive("g", interface="none"), Drive("h", interface="ide", bootindex=3), QCOW2, BIG,
        ], devices=["virtio-blk-pci,drive=drive7"]),
        "-accel tcg -drive format=raw,if=none,id=disk,snapshot=on,file=./os.img "
        "-device ide-hd,bus=ide.0,drive=disk,bootindex=2 "
        "-drive format=raw,if=none,id=drive1,snapshot=on,file=./a "
        "-device ahci,id=ahci -device ide-hd,bus=ahci.0,drive=drive1 "
        "-drive format=raw,if=none,id=data,snapshot=on,file=./b "
        "-device nvme,serial=data,drive=data "
        "-drive format=raw,if=virtio,readonly=on,snapshot=on,file=./c "
        "-drive format=raw,if=none,id=drive4,snapshot=on,file=./d "
        "-device virtio-scsi-pci,id=scsi -device scsi-hd,bus=scsi.0,drive=drive4 "
        "-drive format=raw,if=none,id=drive5,file=./e "
        "-device qemu-xhci,id=usb -device usb-storage,bus=usb.0,drive=drive5 "
        "-drive format=raw,if=none,id=drive6,snapshot=on,file=./f "
        "-device ide-hd,bus=ahci.1,drive=drive6 "
        "-drive format=raw,if=none,id=drive7,snapshot=on,file=./g "
        "-drive format=raw,if=none,id=drive8,snapshot=on,file=./h "
        "-device ide-hd,bus=ide.0,drive=drive8,bootindex=4 "
        "-drive format=qcow2,if=none,id=drive9,snapshot=on,file=./os.qcow2 "
        "-device ide-hd,bus=ide.1,drive=drive9 "
        "-drive format=raw,if=none,id=drive10,snapshot=on,file=./big.img "
        "-device virtio-blk-pci,drive=drive10,logical_block_size=4096,physical_block_size=4096 "
        "-device virtio-blk-pci,drive=drive7 -net none",
    ),
    "PC, 4096-byte sectors by NVMe": (
        Qemu(BIG, interface="nvme"),
        "-accel tcg -drive format=raw,if=none,id=disk,snapshot=on,file=./big.img "
        "-device nvme,serial=disk,drive=disk,logical_block_size=4096,physical_block_size=4096 "
        "-net none",
    ),
    "PC of 32 bits": (Qemu(DISK, arch="i386"), f"-accel tcg {HOME} -net none"),
    "AArch64, UEFI": (
        Qemu(DISK, arch="aarch64", firmware="uefi", cdrom="x.iso"),
        "-accel tcg -machine virt -cpu cortex-a72 "
        "-drive format=raw,if=pflash,unit=0,readonly=on,file=/fw/0 "
        "-drive format=raw,if=pflash,unit=1,snapshot=on,file=/fw/1 -boot menu=on,splash-time=0 "
        "-drive format=raw,if=none,id=disk,snapshot=on,file=./os.img "
        "-device virtio-blk-pci,drive=disk,bootindex=2 "
        "-drive format=raw,if=none,id=cdrom,media=cdrom,readonly=on,file=./x.iso "
        "-device virtio-scsi-pci,id=scsi -device scsi-cd,bus=scsi.0,drive=cdrom,bootindex=1 "
        "-net none",
    ),
    "AArch64, U-Boot": (
        Qemu(DISK, arch="aarch64", firmware="u-boot"),
        "-accel tcg -machine virt -cpu cortex-a72 -bios /fw/0 "
        "-drive format=raw,if=virtio,snapshot=on,file=./os.img -net none",
    ),
    "AArch64, bare, content by semihosting": (
        Qemu(None, arch="aarch64", kernel="k", debug_exit=200),
        "-accel tcg -machine virt -cpu cortex-a72 -kernel ./k "
        "-semihosting-config enable=on,target=native -net none",
    ),
    "Raspberry Pi": (
        Qemu(DISK, arch="aarch64", machine="raspi3b", kernel="kernel8.img", dtb="pi.dtb"),
        "-accel tcg -machine raspi3b -drive format=raw,if=sd,snapshot=on,file=./os.img "
        "-kernel ./kernel8.img -dtb ./pi.dtb -net none",
    ),
    "Raspberry Pi, a stick": (
        Qemu(None, arch="aarch64", machine="raspi3b", kernel="k",
             drives=[Drive("a", interface="usb")]),
        "-accel tcg -machine raspi3b -drive format=raw,if=none,id=drive1,snapshot=on,file=./a "
        "-device usb-storage,drive=drive1 -kernel ./k -net none",
    ),
    "ARM, UEFI": (
        Qemu(DISK, arch="arm", firmware="uefi"),
        "-accel tcg -machine virt -drive format=raw,if=pflash,unit=0,readonly=on,file=/fw/0 "
        "-drive format=raw,if=pflash,unit=1,snapshot=on,file=/fw/1 -boot menu=on,splash-time=0 "
        "-drive format=raw,if=virtio,snapshot=on,file=./os.img -net none",
    ),
    "RISC-V, OpenSBI": (
        Qemu(DISK, arch="riscv64", firmware="opensbi", kernel="k", debug_exit=3),
        "-accel tcg -machine virt -drive format=raw,if=virtio,snapshot=on,file=./os.img "
        "-kernel ./k -net none",
    ),
    "RISC-V, U-Boot": (
        Qemu(DISK, arch="riscv64", firmware="u-boot"),
        "-accel tcg -machine virt -kernel /fw/0 "
        "-drive format=raw,if=virtio,snapshot=on,file=./os.img -net none",
    ),
    "RISC-V, bare, as xv6 has it": (
        Qemu(None, arch="riscv64", firmware="none", kernel="kernel/kernel", cores=3,
             drives=[Drive("fs.img", interface="virtio-mmio")]),
        "-accel tcg -machine virt -smp 3 -bios none "
        "-drive format=raw,if=none,id=drive1,snapshot=on,file=./fs.img "
        "-device virtio-blk-device,bus=virtio-mmio-bus.0,drive=drive1 "
        "-kernel ./kernel/kernel -net none",
    ),
    "LoongArch": (
        Qemu(DISK, arch="loongarch64", kernel="k"),
        "-accel tcg -machine virt -drive format=raw,if=virtio,snapshot=on,file=./os.img "
        "-kernel ./k -net none",
    ),
    "PC of today, disks and a CD": (
        Qemu(DISK, machine="q35", cdrom=ISO, drives=[Drive("a", interface="ide")]),
        "-accel tcg -machine q35 -drive format=raw,if=none,id=disk,snapshot=on,file=./os.img "
        "-device ide-hd,bus=ide.0,drive=disk,bootindex=2 "
        "-drive format=raw,if=none,id=cdrom,media=cdrom,readonly=on,file=./os.iso "
        "-device ide-cd,bus=ide.1,drive=cdrom,bootindex=1 "
        "-drive format=raw,if=none,id=drive1,snapshot=on,file=./a "
        "-device ide-hd,bus=ide.2,drive=drive1 -net none",
    ),
    "another that QEMU has": (
        Qemu(DISK, arch="m68k", program="qemu-system-m68k", machine="virt",
             interface="virtio-mmio"),
        "-accel tcg -machine virt -drive format=raw,if=none,id=disk,snapshot=on,file=./os.img "
        "-device virtio-blk-device,bus=virtio-mmio-bus.0,drive=disk -net none",
    ),
}


def firmware(qemu):
    """Return the firmware of a description as if it were installed in /fw."""
    known = qemu.architecture.firmware.get(qemu.firmware) if qemu.firmware else None
    if qemu.given_firmware or known is None:
        return qemu.given_firmware
    files = known.places[0] if known.places else ()
    return Given(known.how, tuple(f"/fw/{number}" for number in range(len(files))))


@pytest.mark.parametrize(("qemu", "text"), MACHINES.values(), ids=MACHINES)
def test_command(qemu, text):
    assert [*qemu.problems()] == []
    machine = qemu.planned(fspath, snapshot=False)
    argv = command(machine, Host("q", firmware(qemu), "tcg"))
    assert shlex.join(argv) == f"q {text}"


LOONGARCH = struct.pack(
    "<4s5B7x2HI3QI6H2I6Q", b"\x7fELF", 2, 1, 1, 0, 0, 2, 258, 1, 0x200000, 64, 0, 0, 64, 56, 1,
    0, 0, 0, 1, 5, 0, 0x200000, 0x200000, 4, 4, 4096,
)  # fmt: skip
"""An ELF file for it (System V ABI, chapters 4 and 5), with four bytes of itself as its code."""


def make_files(qemu, machine):
    """Make what the machine is to find, of lengths that it takes."""
    for slot in machine.drives:
        Path(slot.path).write_bytes(bytes(1 << 20))
        if slot.format != "raw":
            run = [tool("qemu-img"), "create", "-q", "-f", slot.format, slot.path, "1M"]
            subprocess.run(run, check=True)
    pc = qemu.arch in ("x86_64", "i386")
    for path in filter(None, (machine.kernel, machine.initrd)):
        Path(path).parent.mkdir(exist_ok=True)
        loongarch = LOONGARCH if qemu.arch == "loongarch64" else bytes(4096)
        Path(path).write_bytes(flat_kernel("") if pc else loongarch)
    for path in qemu.given_firmware.files if qemu.given_firmware else ():
        Path(path).write_bytes(bytes((1 << 18) if pc else (16 << 20)))


def accepted(argv):
    """Start a machine with its processors stopped, and tell it to end; return what it said."""
    ours, theirs = socket.socketpair()
    with ours, theirs:
        process = subprocess.Popen(
            [*argv, *monitor(theirs.fileno()), "-S"], pass_fds=[theirs.fileno()],
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True,
        )
        theirs.close()
        with suppress(OSError):  # it may have ended by now
            ours.sendall(b'{"execute": "qmp_capabilities"}\n{"execute": "quit"}\n')
        said = process.communicate(timeout=60)[1]
    return process.returncode, said


@pytest.mark.parametrize("name", MACHINES)
def test_qemu_accepts_it(tmp_path, monkeypatch, name):
    qemu, _ = MACHINES[name]
    program = tool(qemu.qemu)
    monkeypatch.chdir(tmp_path)
    try:
        found = qemu.given_firmware or find.firmware(qemu.architecture, str(qemu.firmware))
    except WorldError as error:
        pytest.skip(str(error))
    machine = replace(qemu.planned(fspath, snapshot=False), dtb="")  # QEMU would read it
    make_files(qemu, machine)
    argv = command(machine, Host(program, found, "tcg")) + watched(machine, stay=False)
    assert accepted(argv) == (0, "")


SCREEN = "-display none"
CONSOLES = {
    # What the user says, what a run says then, what a test says.
    "ours": ({}, f"-serial stdio {SCREEN}", f"{SCREEN} -serial stdio"),
    "debug console": (
        {"console": "debugcon"}, f"-debugcon stdio {SCREEN}", f"{SCREEN} -debugcon stdio",
    ),
    "screen": ({"console": "screen"}, SCREEN, SCREEN),
    "a character device": (
        {"console": "chardev:c", "devices": ["virtio-serial", "virtconsole,chardev=c"]},
        f"-chardev stdio,id=c {SCREEN}", f"{SCREEN} -chardev stdio,id=c",
    ),
    "more ports": (
        {"serial": ["stdio", "null"]}, f"-serial stdio -serial null {SCREEN}",
        f"{SCREEN} -serial stdio -serial null",
    ),
    "their port": ({"arguments": ["-serial", "stdio"]}, SCREEN, SCREEN),
    "their port elsewhere": ({"arguments": ["-serial", "null"]}, SCREEN, None),
    "their ports elsewhere": ({"serial": ["null"]}, f"-serial null {SCREEN}", None),
    "the debug console, and a port elsewhere": (
        {"console": "debugcon", "serial": ["null"]}, f"-debugcon stdio -serial null {SCREEN}",
        f"{SCREEN} -debugcon stdio -serial null",
    ),
    "monitor": ({"monitor": "stdio"}, f"-serial mon:stdio {SCREEN}", f"{SCREEN} -serial stdio"),
    "their monitor": (
        {"arguments": ["-monitor", "stdio"]}, f"-serial mon:stdio {SCREEN}",
        f"{SCREEN} -serial stdio",
    ),
    "monitor elsewhere": (
        {"monitor": "null"}, f"-serial stdio -monitor null {SCREEN}",
        f"{SCREEN} -serial stdio -monitor null",
    ),
    "no graphics": ({"arguments": ["-nographic"]}, "", ""),
    "no graphics, both": ({"arguments": ["-nographic", "-serial", "mon:stdio"]}, "", ""),
    "their debug console": ({"arguments": ["-debugcon", "stdio"]}, SCREEN, SCREEN),
    "their device": (
        {"arguments": ["-chardev", "stdio,id=x,mux=on", "-serial", "chardev:x"]}, SCREEN, SCREEN,
    ),
    "their screen": (
        {"arguments": ["-display", "none"]}, "-serial stdio", "-serial stdio",
    ),
}
MUXED = {"monitor", "their monitor", "no graphics", "no graphics, both", "their device"}


@pytest.mark.parametrize("name", CONSOLES)
def test_who_has_the_terminal(tmp_path, monkeypatch, name):
    said, run, test = CONSOLES[name]
    qemu = Qemu(DISK, **said)
    assert [*qemu.problems()] == []
    machine = qemu.planned(fspath, snapshot=True)
    assert shlex.join(attended(machine, display=False)) == run
    assert ends_by(machine.wiring) == ("Ctrl-A X" if name in MUXED else "Ctrl-C")
    problems = [str(problem) for problem in unheard_problems(machine.wiring)]
    assert ["the first serial port goes to 'null'" in it for it in problems] == (
        [True] if test is None else []
    )
    words = shlex.join(watched(machine, stay=False)).removesuffix("-no-reboot").strip()
    assert test in (None, words)
    monkeypatch.chdir(tmp_path)
    Path("os.img").write_bytes(bytes(512))
    argv = command(machine, Host(tool("qemu-system-x86_64"), None, "tcg"))
    for ours in (attended(machine, display=False), watched(machine, stay=False)):
        assert accepted([*argv, *ours]) == (0, "")


def test_what_each_kind_of_run_adds():
    machine = Qemu(DISK).planned(fspath, snapshot=True)
    gdb = ["-gdb", "tcp:127.0.0.1:2345", "-S"]
    assert attended(machine, display=True, gdb=2345) == ["-serial", "stdio", *gdb]
    assert watched(machine, stay=True)[-2:] == ["-no-reboot", "-no-shutdown"]


REFUSED = {
    "no disk": (
        Qemu("os.img"), "disk: 'os.img' is given, must be a Disk(...) or None "
        "(give the disk, not its path)",
    ),
    "nothing": (
        Qemu(None), "disk: it is None, a machine has something to start (give it a disk, a kernel "
        "or a cdrom)",
    ),
    "architecture": (
        Qemu(DISK, arch="arm64"), "arch: 'arm64' is unknown, must be one of 'x86_64', 'i386', "
        "'aarch64', 'arm', 'riscv64', 'riscv32', 'loongarch64', or another with a program "
        "(choose one, or write program='qemu-system-arm64')",
    ),
    "firmware": (
        Qemu(DISK, arch="riscv64", firmware="bios"), "firmware: 'bios' is unknown, must be "
        "'opensbi', 'none', 'uefi', 'u-boot', a path or a pair of paths (write for example "
        "('OVMF_CODE.fd', 'OVMF_VARS.fd'))",
    ),
    "two kernels": (
        Qemu(DISK, arch="riscv64", firmware="u-boot", kernel="k"), "kernel: QEMU starts 'u-boot' "
        "in its place, one of the two can be the kernel (leave one out)",
    ),
    "console": (
        Qemu(DISK, console="vga"), "console: 'vga' is unknown, must be 'serial', 'debugcon', "
        "'screen' or 'chardev:ID' (choose one)",
    ),
    "debug console": (
        Qemu(DISK, arch="aarch64", console="debugcon"), "console: it is 'debugcon', aarch64 has no "
        "such device (leave it out)",
    ),
    "two have the terminal": (
        Qemu(DISK, serial=["stdio"], arguments=["-debugcon", "stdio"]), "arguments: "
        "'serial stdio' and '-debugcon stdio' both take the terminal, one device can have it "
        "(leave one out)",
    ),
    "interface": (
        Qemu(DISK, interface="sata"), "interface: 'sata' is given, must be one of 'ide', 'ahci', "
        "'nvme', 'virtio', 'virtio-mmio', 'scsi', 'usb', 'sd', 'floppy', 'none' (leave it out if "
        "in doubt)",
    ),
    "no PCI": (
        Qemu(DISK, arch="aarch64", machine="raspi3b", interface="nvme"), "interface: it is 'nvme', "
        "'raspi3b' has no PCI bus for one (leave it out, or choose 'sd')",
    ),
    "sectors": (
        Qemu(BIG, interface="ahci"), "interface: 'ahci' has sectors of 512 bytes only, the disk's "
        "have 4096 (choose 'virtio', 'nvme' or 'scsi')",
    ),
    "drive": (
        Qemu(DISK, drives=[Drive(5)]), "drives[0].source: 5 is given, must be a Disk, an output "
        "such as Iso, or the path of an image (change it)",
    ),
    "interface of a drive": (
        Qemu(DISK, drives=[Drive("a", interface="x")]), "drives[0].interface: 'x' is given, must "
        "be one of '', 'ide', 'ahci', 'nvme', 'virtio', 'virtio-mmio', 'scsi', 'usb', 'sd', "
        "'floppy', 'none' (leave it out if in doubt)",
    ),
    "byte": (
        Qemu(DISK, debug_exit=128), "debug_exit: it is 128, must be a byte from 1 to 127, since "
        "QEMU's status is twice that and 1 (choose another byte)",
    ),
    "no way to end": (
        Qemu(DISK, arch="loongarch64", debug_exit=3), "debug_exit: it is 3, loongarch64 has no "
        "such device (leave it out)",
    ),
    "cores": (
        Qemu(DISK, cores=0),
        "cores: 0 is given, must be a number from 1 (leave it out if in doubt)",
    ),
    "one text": (
        Qemu(DISK, devices="virtio-rng-pci"), "devices: 'virtio-rng-pci' is one text, must be a "
        "list with a text for each word (write ['virtio-rng-pci'])",
    ),
}  # fmt: skip


@pytest.mark.parametrize(("qemu", "message"), REFUSED.values(), ids=REFUSED)
def test_refused(qemu, message):
    assert [str(problem) for problem in qemu.problems()] == [message]


def test_the_words_that_may_be_files():
    arguments = ["-kernel", "build/k.elf", "-drive", "if=ide,file=a,,b.img", "-m", "1G"]
    assert [*words(arguments)] == [
        "-kernel", "build/k.elf", "-drive", "ide", "if=ide", "a,b.img", "file=a,b.img", "-m", "1G",
    ]
    assert {"build/a=b.bin", "c.elf"} <= {*words(["file=build/a=b.bin", "c.elf root=1"])}


@pytest.mark.parametrize(("host", "arch", "machine", "kvm", "flags", "accel"), [
    ("x86_64", "x86_64", "", True, "fpu vmx sse", "kvm"),
    ("x86_64", "i386", "", True, "fpu svm", "kvm"),
    ("x86_64", "x86_64", "", True, "fpu sse", "tcg"),
    ("x86_64", "x86_64", "", True, "vmx_of_another_name", "tcg"),
    ("x86_64", "x86_64", "", True, None, "tcg"),
    ("x86_64", "x86_64", "", False, "fpu vmx", "tcg"),
    ("x86_64", "aarch64", "virt", True, "fpu vmx", "tcg"),
    ("x86_64", "riscv64", "virt", True, "fpu vmx", "tcg"),
    ("aarch64", "aarch64", "virt", True, None, "kvm"),
    ("aarch64", "aarch64", "raspi3b", True, None, "tcg"),
    ("aarch64", "aarch64", "virt", False, None, "tcg"),
    ("aarch64", "x86_64", "", True, None, "tcg"),
    ("x86_64", "sparc", "", True, "fpu vmx", "tcg"),
])
def test_kvm_is_used_where_it_runs_such_guests(
    monkeypatch, host, arch, machine, kvm, flags, accel
):
    def cpuinfo(path, **options):
        if flags is None:
            raise FileNotFoundError(path)
        return io.StringIO(f"processor : 0\nvendor_id : vmx svm\nflags : {flags}\n")

    monkeypatch.setattr(find.os, "uname", lambda: SimpleNamespace(machine=host))
    monkeypatch.setattr(find.os, "access", lambda path, mode: kvm and path == "/dev/kvm")
    monkeypatch.setattr(find, "open", cpuinfo, raising=False)
    assert find.accel(architecture(arch), machine) == accel


@pytest.mark.parametrize("known", ARCHITECTURES.values(), ids=ARCHITECTURES)
def test_every_architecture_has_its_program(known):
    tool(f"qemu-system-{known.name}")


def test_the_first_firmware_of_which_both_files_are_there(tmp_path):
    code, variables = tmp_path / "CODE.fd", tmp_path / "VARS.fd"
    half = (str(code), str(tmp_path / "no.fd"))
    found = (str(code), str(variables))
    known = Architecture("new", firmware={"uefi": Firmware("flash", [half, found], "edk2-new")})
    code.touch()
    with pytest.raises(WorldError) as error:
        find.firmware(known, "uefi")
    assert str(error.value) == (
        "UEFI: no firmware for new is installed, QEMU has to be given it (install it (Debian "
        "package edk2-new), or name the files: firmware=('CODE.fd', 'VARS.fd'))"
    )
    variables.touch()
    assert find.firmware(known, "uefi") == Given("flash", found)


def test_a_program_that_is_missing_names_its_package(monkeypatch):
    monkeypatch.setenv("PATH", "/nonexistent")
    with pytest.raises(WorldError) as error:
        find.program("qemu-system-arm", "qemu-system-arm")
    assert str(error.value) == (
        "qemu-system-arm: it is not installed, must be in PATH to boot "
        "(install it (Debian package qemu-system-arm))"
    )


ODD = [None, 5, -1, 0, True, 1.5, "", "x", "a b", "/", b"x", [], [5], ["x"], [None], (), ("a", "b"),
       ("a", 5), {}, {"a": 1}, object(), DISK, ISO, Drive("a"), Drive(None), "\0", "\udcff", [DISK],
       "\ud800", ["\0"]]


@pytest.mark.parametrize("field", [it.name for it in fields(Qemu)])
def test_whatever_a_user_writes_is_a_machine_or_a_problem(field):
    for value in ODD:
        qemu = replace(Qemu(DISK), **{field: value})
        problems = [*qemu.problems()]
        assert all(str(problem).count("\n") == 0 for problem in problems)
        if not problems:
            machine = qemu.planned(fspath, snapshot=True)
            argv = command(machine, Host("q", firmware(qemu), "tcg"))
            assert all(is_path(word) for word in argv)  # no program can be given another
            assert isinstance([*qemu.files()], list)


@pytest.mark.parametrize("field", [it.name for it in fields(Drive)])
def test_whatever_a_user_writes_is_a_drive_or_a_problem(field):
    for value in ODD:
        qemu = Qemu(DISK, drives=[replace(Drive("a"), **{field: value})])
        if not [*qemu.problems()]:
            argv = command(qemu.planned(fspath, snapshot=True), Host("q", None, "tcg"))
            assert all(isinstance(word, str) for word in argv)
