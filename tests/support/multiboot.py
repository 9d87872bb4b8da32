"""A kernel of a few lines that GRUB and QEMU can load: says a text and ends QEMU."""

import struct
import subprocess
from pathlib import Path

from tools import tool

_SOURCE = r"""
asm(".text\n"
    ".align 4\n"
    ".long 0x1badb002, 0, -0x1badb002\n"      // the header of multiboot 1: magic, flags, checksum
    ".globl _start\n"
    "_start: mov $stack, %esp\n"
    "call main\n"
    ".lcomm stack_, 4096\n"
    ".set stack, stack_ + 4096\n");

static void out(unsigned short port, unsigned char value)
{
    asm volatile("outb %0, %1" : : "a"(value), "Nd"(port));
}

void main(void)
{
    for (const char *text = TEXT; *text; text++)
        out(0x3f8, *text);
    out(0xf4, 0x10);                          // isa-debug-exit: QEMU ends with 0x21
    for (;;)
        asm volatile("cli; hlt");
}
"""


def kernel(path: Path, says: str) -> Path:
    """Make the kernel."""
    for name in ("gcc", "ld"):
        tool(name)
    text = says.replace("\\", r"\\").replace('"', r"\"").replace("\n", r"\n")
    subprocess.run(
        [tool("gcc"), "-m32", "-ffreestanding", "-fno-pic", "-fno-stack-protector", "-O1",
         "-static", "-nostdlib", "-no-pie", "-fcf-protection=none", f'-DTEXT="{text}"',
         "-Wl,-Ttext=0x100000,-n,--build-id=none,-z,noexecstack",
         "-o", str(path), "-xc", "-"],
        input=_SOURCE, text=True, check=True, stderr=subprocess.PIPE,
    )
    return path


def flat_kernel(says: str) -> bytes:
    """Return a kernel without a compiler: it says a text on COM1 and halts.

    Multiboot 0.6.96, 3.1.2: the header has the addresses (flag 16), so the file need be no ELF.
    """
    start, header = 0x100000, 32
    text = start + header + 20
    code = b"\xbe" + text.to_bytes(4, "little") + bytes.fromhex(
        "ac 84c0 7407 66baf803 ee ebf4 f4 ebfd"  # lodsb; test; jz; mov dx, 0x3f8; out; jmp; hlt
    )
    return struct.pack(
        "<8I", 0x1BADB002, 1 << 16, -(0x1BADB002 + (1 << 16)) & 0xFFFFFFFF, start, start, 0, 0,
        start + header,
    ) + code + says.encode("ascii") + b"\0"  # fmt: skip
