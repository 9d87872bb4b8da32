"""Stand-ins for Limine's files: the same shape, other contents.

What Limine's own ``limine bios-install`` (8.2) does to a disk is described in numbers in
test_limine.py; its binaries are not here.
"""

import struct
import subprocess
from pathlib import Path

from tools import tool

MARK = {8: b"\xbf\xa8\x7d", 9: b"\xbf\xa4\x7d"}
"""Generation -> ``mov di`` with the address of the place of stage 2."""

STAGE2_8_2 = 20_991
"""Bytes of the stage 2 of Limine 8.2."""


def hdd(generation: int, length: int = STAGE2_8_2) -> bytes:
    """Return a boot sector that can't boot, all of it different from zero, and a stage 2."""
    stage1 = bytearray(1 + n % 251 for n in range(512))
    stage1[0x60:0x63] = MARK[generation]
    stage1[510:] = b"\x55\xaa"
    return bytes(stage1) + bytes(1 + n % 241 for n in range(length))


def as_header(data: bytes) -> str:
    """Return the C header of a file, as releases have it."""
    words = ", ".join(f"0x{byte:02x}" for byte in data)
    return f"#pragma once\nconst uint8_t binary_limine_hdd_bin_data[] = {{\n  {words}\n}};\n"


_BOOTS = """
.code16
.org 0
    cli
    xor %ax, %ax
    mov %ax, %ds
    mov %ax, %ss
    xor %bx, %bx
    mov $0x7c00, %sp
    push $0x7000
    pop %es
    mov $PLACE, %di
    mov FIRST, %cx
    call load
    MORE
    ljmp $0x7000, $0
load:                       # cx bytes from the byte of the disk at di to es:bx, and bx behind them
    movw $16, packet
    mov %cx, %ax
    shr $9, %ax
    mov %ax, packet + 2
    mov %bx, packet + 4
    mov %es, packet + 6
    mov (%di), %eax
    shr $9, %eax
    mov %eax, packet + 8
    movl $0, packet + 12
    mov $packet, %si
    mov $0x42, %ah
    int $0x13
    add %cx, %bx
    ret
.org 0x1b8
.org 510
.byte 0x55, 0xaa
stage2:
    push %cs
    pop %ds
    mov $text - stage2, %si
    mov $0x3f8, %dx
next:
    lodsb
    test %al, %al
    jz over
    out %al, %dx
    jmp next
over:
    mov $0x10, %al
    out %al, $0xf4
    hlt
.org 512 + 16000, 0x90      # in the second half
text:
.asciz "hello from stage 2\\n"
.org 512 + 20991, 0
packet = 0x500
"""

_LOADS = {
    8: {"PLACE": "0x7da8", "FIRST": "0x7da4",
        "MORE": "add $8, %di\n mov 0x7da6, %cx\n call load"},
    9: {"PLACE": "0x7da4", "FIRST": "$32256", "MORE": ""},
}
"""Generation -> where it finds how much it loads from where."""


def bootable(folder: Path, generation: int) -> bytes:
    """Return a boot sector that loads its stage 2 as Limine's does, and a stage 2 that talks."""
    for name in ("gcc", "objcopy"):
        tool(name)
    text = _BOOTS
    for name, words in _LOADS[generation].items():
        text = text.replace(name, words)
    program, flat = folder / "stand-in.o", folder / "stand-in.bin"
    argv = [tool("gcc"), "-m32", "-c", "-xassembler", "-o", str(program), "-"]
    subprocess.run(argv, input=text, text=True, check=True)
    argv = [tool("objcopy"), "-O", "binary", "-j", ".text", str(program), str(flat)]
    subprocess.run(argv, check=True)
    data = flat.read_bytes()
    assert data.count(MARK[generation]) == 1
    assert struct.unpack_from("<H", data, 510) == (0xAA55,)
    assert len(data) == 512 + STAGE2_8_2
    return data
