"""From a saved file to the guest's last line: a guest that says one line, started in many ways."""

import shutil
import struct
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from benchmarks.contenders import ROOT, Contender, run
from benchmarks.workloads import Workload
from doit_diskimg.host.qemu import find
from doit_diskimg.kinds.machines.x86 import X86_64

_EXAMPLE = ROOT / "examples" / "uefi"
_TEXT = "Hello from doit_diskimg: an EFI application on a GPT disk."
"""What the example says, which is replaced by something new in the finished program."""

_DODO = """
from doit_diskimg import Disk, Esp, Gpt, Mbr, Qemu, Segment

{disk}
qemu = Qemu({qemu})

def task_boot():
    return qemu.run_task()
"""
_IMAGE = """

def task_image():
    return disk.tasks()
"""
_ESP = """
esp = Esp({"EFI/BOOT/%s": "guest"})
disk = Disk("os.img", size="64MiB", table=Gpt(), partitions=[esp])"""
_MBR = 'disk = Disk("os.img", size="1MiB", table=Mbr(), segments=[Segment("boot", "guest", 0)])'
_BOOT_FILE = {"x86_64": "BOOTX64.EFI", "aarch64": "BOOTAA64.EFI"}

_COMPILERS = (
    "clang -target {arch}-unknown-windows -std=c11 -O2 -w -ffreestanding -fshort-wchar "
    "-mno-red-zone -c hello.c -o hello.o",
    "lld-link -subsystem:efi_application -entry:efi_main -nodefaultlib -out:hello.efi hello.o",
)


@dataclass
class Guest(Contender):
    """One way to start a guest, which is the file that is edited."""

    make: Callable[[int], bytes] = field(kw_only=True)
    """Returns a guest that says something new."""

    def prepare(self) -> None:
        """Start it once: what is made once for a machine is made then."""
        self.edit(0)
        for argv in [*self.first, self.argv]:
            run(argv, self.folder)

    def edit(self, number: int) -> None:
        """Save a guest that was not there before."""
        file = self.folder / self.workload.edited
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(self.make(number))


def guests(folder: Path, arch: str) -> Iterator[Guest]:
    """Yield the ways of which the programs are installed, the warm one first."""
    program = _application(folder / arch, arch)
    if program is None or shutil.which(f"qemu-system-{arch}") is None:
        return
    esp = _ESP % _BOOT_FILE[arch]
    uefi = f'disk, arch="{arch}", firmware="uefi", accel="tcg", memory="256MiB"'
    for kind, more in (("warm", ""), ("cold", ", warm=False")):
        yield _doit(folder / f"{arch}-{kind}", f"doit boot, UEFI {kind}", esp, uefi + more, program)
    if arch == "x86_64":
        yield from _by_hand(folder, program)
        exits = 'accel="tcg", debug_exit=0x10'
        yield _doit(folder / "bios", "doit boot, BIOS", _MBR, f"disk, {exits}", _boot_code)
        kernel = f'None, kernel="guest", {exits}'
        yield _doit(folder / "kernel", "doit boot, -kernel", "disk = None", kernel, _multiboot)


def _doit(
    folder: Path, name: str, disk: str, qemu: str, make: Callable[[int], bytes]
) -> Guest:
    folder.mkdir(parents=True)
    dodo = _DODO.format(disk=disk, qemu=qemu) + ("" if disk == "disk = None" else _IMAGE)
    (folder / "dodo.py").write_text(dodo)
    work = Workload("guest", 0, 0, {}, "guest")
    return Guest(name, folder, work, [sys.executable, "-m", "doit", "boot"], make=make)


def _by_hand(folder: Path, program: Callable[[int], bytes]) -> Iterator[Guest]:
    """Yield what people do without a build tool, with the firmware that doit finds."""
    code, variables = uefi_files()
    qemu = (
        "qemu-system-x86_64 -accel tcg -machine q35 -m 256M -net none -display none -serial stdio "
        f"-drive if=pflash,format=raw,unit=0,readonly=on,file={code} "
        f"-drive if=pflash,format=raw,unit=1,snapshot=on,file={variables} "
    )
    image = "-drive format=raw,snapshot=on,file=os.img"
    copy = "mcopy -o -i os.img@@1M guest ::EFI/BOOT/BOOTX64.EFI"
    disk = (
        "truncate -s 64M os.img && parted -s os.img mklabel gpt mkpart esp fat32 2048s 129024s "
        "set 1 esp on && mkfs.fat -F 32 --offset=2048 os.img 63488 >/dev/null 2>&1 && "
        "mmd -i os.img@@1M ::EFI ::EFI/BOOT"
    )
    shell = ["sh", "-c"]
    for name, edited, argv, before in (
        ("mcopy into the image, qemu, UEFI", "guest", f"{copy} && {qemu}{image}", [disk]),
        ("qemu -drive fat:, UEFI", "esp/EFI/BOOT/BOOTX64.EFI",
         f"{qemu} -drive format=raw,file=fat:rw:esp", []),
        ("qemu -kernel, UEFI", "guest", f"{qemu} -kernel guest", []),
    ):
        work = Workload("guest", 0, 0, {}, edited)
        there = folder / f"hand-{len(name)}"
        there.mkdir(parents=True)
        first = [[*shell, it] for it in before]
        yield Guest(name, there, work, [*shell, argv], first, make=program)


def uefi_files() -> tuple[str, ...]:
    """Return the firmware that our own runs start."""
    found = find.firmware(X86_64, "uefi")
    assert found is not None
    return found.files


def _application(folder: Path, arch: str) -> Callable[[int], bytes] | None:
    """Return what makes EFI applications, by putting another text into the example's; None where
    there is no compiler.
    """
    commands = [line.format(arch=arch).split() for line in _COMPILERS]
    if not all(shutil.which(argv[0]) for argv in commands):
        return None
    shutil.copytree(_EXAMPLE, folder)
    for argv in commands:
        run(argv, folder)
    data = (folder / "hello.efi").read_bytes().ljust(8192, b"\0")  # as -kernel wants it
    place = _TEXT.encode("utf-16-le")
    assert data.count(place) == 1
    return lambda number: data.replace(
        place, f"Hello, for the {number}th time".ljust(len(_TEXT)).encode("utf-16-le")
    )


def _boot_code(number: int) -> bytes:
    """Return a boot sector's code, which says a text on COM1 and ends QEMU by port 0xF4."""
    text = f"Hello, for the {number}th time\n\0".encode("ascii")
    # xor ax, ax; mov ds, ax; mov si, the text; then as below
    head = b"\x31\xc0\x8e\xd8\xbe"
    tail = b"\xfc\xba\xf8\x03" + _SAY_AND_END
    address = 0x7C00 + len(head) + 2 + len(tail)
    return (head + struct.pack("<H", address) + tail + text).ljust(440, b"\0")


_SAY_AND_END = (
    b"\xac\x84\xc0\x74\x03\xee\xeb\xf8"  # next: lodsb; test al, al; jz +3; out dx, al; jmp next
    b"\xb0\x10\xe6\xf4\xf4\xeb\xfd"  # mov al, 0x10; out 0xf4, al; hlt: jmp hlt
)


def _multiboot(number: int) -> bytes:
    """Return a kernel that says a text on COM1 and ends QEMU (Multiboot Specification 0.6.96,
    3.1: a flat file with addresses).
    """
    text = f"Hello, for the {number}th time\n\0".encode("ascii")
    base, flags, magic = 0x100000, 1 << 16, 0x1BADB002
    code = b"\xfc\x66\xba\xf8\x03" + _SAY_AND_END  # cld; mov dx, 0x3f8
    begin = base + 32
    code = b"\xbe" + struct.pack("<I", begin + 5 + len(code)) + code  # mov esi, the text
    end = begin + len(code) + len(text)
    fields = (magic, flags, -(magic + flags) & 0xFFFFFFFF, base, base, end, end, begin)
    return struct.pack("<8I", *fields) + code + text
