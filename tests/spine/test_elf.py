"""Offsets of ELF symbols in flat binaries, judged by the binutils: gcc links, objcopy flattens.

Each label stands before a number that occurs once, so that where it lies in the binary is seen in
the binary.  What nm says of addresses is compared where load address and address are one.
"""

import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest
from fakes import FakeFiles, render
from tools import tool

from doit_diskimg import BootCode, DescriptionError, Patch, Segment, WorldError
from doit_diskimg.ondisk.elf import Elf

SOURCE = """
    .section .text
    .globl _start
_start:
    nop
    .globl kernel_lba
kernel_lba: .long 0x11223344
    .size kernel_lba, 4
    .globl count
count: .word 0x5566
    .size count, 2
    .globl unsized
unsized: .quad 0x778899aabbccddee
    .globl guid
guid: .ascii "sixteen letters."
    .size guid, 16
    .globl three
three: .ascii "abc"
    .size three, 3
    .section .rodata
    .globl table
table: .quad 0x0123456789abcdef
    .size table, 8
    .data
    .globl number
number: .long 0xcafef00d
    .size number, 4
    .bss
    .globl buffer
buffer: .skip 64
    .globl room
    .equ room, 440
"""


BYTES = {
    "kernel_lba": bytes.fromhex("44332211"), "count": bytes.fromhex("6655"),
    "unsized": bytes.fromhex("eeddccbbaa998877"), "guid": b"sixteen letters.",
    "table": bytes.fromhex("efcdab8967452301"), "number": bytes.fromhex("0df0feca"),
}

PLAIN = "SECTIONS { . = 0x7c00; .text : { *(.text) *(.rodata) *(.data) } .bss : { *(.bss) } }"
HOLES = (
    "SECTIONS { . = 0x7c00; .text : { *(.text) } . = 0x7e00; .rodata : { *(.rodata) } "
    ". = 0x9000; .data : { *(.data) } .bss : { *(.bss) } }"
)
LOADED_ELSEWHERE = (
    "SECTIONS { . = 0x100000; .text : AT(0x8000) { *(.text) } "
    ".rodata 0xc0000000 : AT(0x8200) { *(.rodata) } .data 0xc0100000 : AT(0x8400) { *(.data) } "
    ".bss : { *(.bss) } }"
)
BACKWARDS = (
    "SECTIONS { .bss 0x500 : { *(.bss) } .text 0x9000 : { *(.text) } "
    ".rodata 0x8000 : { *(.rodata) } .data 0x7000 : { *(.data) } }"
)
SCRIPTS = {
    "plain": PLAIN, "holes": HOLES, "loaded elsewhere": LOADED_ELSEWHERE, "backwards": BACKWARDS,
}


@dataclass
class Program:
    elf: Path
    flat: Path

    def find(self, name):
        return Elf(self.elf.read_bytes(), str(self.elf), "here").find(name, "here")


def build(folder, script, source=SOURCE, bits=32, more=()):
    (folder / "a.S").write_text(source)
    (folder / "a.ld").write_text("OUTPUT_ARCH(i386)\n" * (bits == 32) + script)
    elf, flat = folder / "a.elf", folder / "a.bin"
    subprocess.run(
        [tool("gcc"), f"-m{bits}", "-nostdlib", "-static", "-no-pie", "-Wl,--build-id=none",
         "-Wl,-z,noexecstack", "-Wl,-T," + str(folder / "a.ld"), *more, str(folder / "a.S"),
         "-o", str(elf)],
        check=True, capture_output=True,
    )
    subprocess.run([tool("objcopy"), "-O", "binary", elf, flat], check=True)
    return Program(elf, flat)


@pytest.mark.parametrize("bits", [32, 64])
@pytest.mark.parametrize("script", SCRIPTS)
def test_a_symbol_lies_where_objcopy_put_it(tmp_path, script, bits):
    program = build(tmp_path, SCRIPTS[script], bits=bits)
    flat = program.flat.read_bytes()
    for name, data in BYTES.items():
        assert flat.count(data) == 1
        found = program.find(name)
        assert found.offset == flat.index(data), name
        assert found.data[: len(data)] == data
        assert found.order == "<"


def test_nm_agrees_where_code_runs_where_it_is_loaded(tmp_path):
    program = build(tmp_path, HOLES)
    told = subprocess.run(
        [tool("nm"), "-S", program.elf], capture_output=True, text=True, check=True
    ).stdout
    rows = {row.split()[-1]: row.split() for row in told.splitlines()}
    for name in BYTES:
        assert program.find(name).offset == int(rows[name][0], 16) - 0x7C00
        size = int(rows[name][1], 16) if len(rows[name]) == 4 else 0
        assert program.find(name).size == size


def code(program, *patches, source="a.bin"):
    files = FakeFiles({"a.bin": program.flat.read_bytes(), "a.elf": program.elf.read_bytes()})
    boot = BootCode(source, elf="a.elf", patches=patches)
    assert not list(boot.source_problems("boot"))
    picture = Segment("s", boot, 0).fill(files, "boot")
    return render(picture, len(files.contents["a.bin"]), files.contents)


def test_patches_by_name(tmp_path):
    program = build(tmp_path, HOLES)
    flat = bytearray(program.flat.read_bytes())
    new = code(
        program, Patch("kernel_lba", None, 0x01020304), Patch("count", None, 7),
        Patch("unsized", ">I", 5), Patch("guid", None, b"another"), Patch("three", None, b"xyz"),
        Patch("table", None, 9), Patch(0, "B", 0xCC), Patch("number", "<h", -1),
    )  # fmt: skip
    for name, data in (
        ("kernel_lba", "04030201"), ("count", "0700"), ("unsized", "00000005"),
        ("guid", b"another".ljust(16, b"\0").hex()), ("three", b"xyz".hex()),
        ("table", "0900000000000000"), ("number", "ffff"),
    ):  # fmt: skip
        at = program.find(name).offset
        flat[at : at + len(data) // 2] = bytes.fromhex(data)
    flat[0] = 0xCC
    assert new == flat


SIZE = "without a format it must be a symbol of 1, 2, 4 or 8 bytes"
BAD = [
    (Patch("kernel_lbe", "<I", 1), "'a.elf' has no symbol 'kernel_lbe', near it are 'kernel_lba'",
     "(write 'kernel_lba')"),
    (Patch("zzzzz", "<I", 1), "'a.elf' has no symbol 'zzzzz'", "must be a label of its (correct"),
    (Patch("buffer", "<I", 1), "'buffer' has no bytes in the binary, it lies in .bss", ".text or"),
    (Patch("room", "<I", 1), "'room' is a number and no place", "into .text"),
    (Patch("unsized", None, 1), f"format: 'unsized' has no size, {SIZE}", '".size unsized, 4"'),
    (Patch("three", None, 1), f"format: 'three' has 3 bytes, {SIZE}", '".size three, 4"'),
    (Patch("count", None, 65536), '65,536, the field at 0x5 ("<H") holds 65,535 at most', "<I"),
]  # fmt: skip


@pytest.mark.parametrize(("patch", "text", "change"), BAD)
def test_a_bad_name_is_told_what_to_change(tmp_path, patch, text, change):
    with pytest.raises(DescriptionError) as caught:
        code(build(tmp_path, PLAIN), patch)
    assert str(caught.value).startswith("boot.patches[0]")
    assert text in str(caught.value)
    assert change in str(caught.value)
    assert "\n" not in str(caught.value)


def test_all_bad_names_are_told_at_once(tmp_path):
    with pytest.raises(DescriptionError) as caught:
        code(build(tmp_path, PLAIN), Patch("a", "<I", 1), Patch("b", "<I", 1), Patch(2, "<I", 1))
    assert [str(problem)[:15] for problem in caught.value.problems] == [
        "boot.patches[0]", "boot.patches[1]",
    ]  # fmt: skip


def test_a_binary_of_another_program_is_refused(tmp_path):
    program = build(tmp_path, PLAIN)
    program.flat.write_bytes(b"\0" + program.flat.read_bytes())
    with pytest.raises(DescriptionError) as caught:
        code(program, Patch("count", None, 1))
    assert str(caught.value) == (
        "boot.patches[0]: 'count' is 66 55 in the ELF file, the binary has 11 66 at 0x5, the "
        "binary must be made of that file by objcopy -O binary (name the file that it was made of, "
        "or make it again)"
    )


def test_one_name_in_two_files(tmp_path):
    """A local label of two files is two places; a global one beside a local one is the one."""
    (tmp_path / "b.S").write_text(".data\ntwice: .long 2\nonce: .long 3\n")
    source = SOURCE + ".data\ntwice: .long 1\n.globl once\nonce: .long 0x0badcafe\n"
    program = build(tmp_path, PLAIN, source, more=(str(tmp_path / "b.S"),))
    assert program.find("once").data[:4] == bytes.fromhex("fecaad0b")
    with pytest.raises(DescriptionError, match="has 'twice' 2 times, must be one place"):
        program.find("twice")


@pytest.mark.parametrize(
    ("make", "text"),
    [
        (lambda folder: b"MZ" + bytes(100), "is not an ELF file"),
        (lambda folder: b"", "is not an ELF file"),
        (lambda folder: b"\x7fELF\1\1\1", "is not an ELF file"),
        (lambda folder: (folder / "a.elf").read_bytes()[:2000], "is not an ELF file"),
        (lambda folder: (folder / "a.o").read_bytes(), "is not linked: its code has no addresses"),
    ],
)
def test_what_is_no_linked_program(tmp_path, make, text):
    program = build(tmp_path, PLAIN)
    command = [tool("gcc"), "-m32", "-c", tmp_path / "a.S", "-o", tmp_path / "a.o"]
    subprocess.run(command, check=True)
    program.elf.write_bytes(make(tmp_path))
    with pytest.raises(WorldError) as caught:
        code(program, Patch("count", None, 1))
    assert str(caught.value).startswith(f"boot.elf: 'a.elf' {text}")


def test_a_stripped_program_has_no_names(tmp_path):
    program = build(tmp_path, PLAIN)
    subprocess.run([tool("strip"), "--strip-all", program.elf], check=True)
    with pytest.raises(DescriptionError, match="link without --strip-all"):
        code(program, Patch("count", None, 1))


def test_without_pyelftools(tmp_path, monkeypatch):
    program = build(tmp_path, PLAIN)
    for name in ("elftools", "elftools.elf", "elftools.elf.elffile"):
        monkeypatch.setitem(sys.modules, name, None)
    with pytest.raises(WorldError) as caught:
        code(program, Patch("count", None, 1))
    assert str(caught.value) == (
        "boot.elf: the package pyelftools is not installed, must be there to read ELF files (pip "
        "install 'doit_diskimg[elf]')"
    )


def test_a_name_needs_a_file():
    boot = BootCode(b"code", patches=[Patch("count", "<H", 1), Patch(0, None, 1)])
    assert [str(problem) for problem in boot.source_problems("boot")] == [
        "boot.patches[0].offset: 'count' is the name of a symbol, its place is in the ELF file "
        'that the binary was made of (give that file too, for example elf="build/stage1.elf", or '
        "write a number)",
        "boot.patches[1].format: None is not a format of one field, must be a byte "
        "order and one of "
        'b B h H i I l L q Q, or a length and s (write for example "<Q", "B" or "16s")',
    ]
    assert [str(problem) for problem in BootCode(b"code", elf=7).source_problems("boot")] == [
        "boot.elf: 7 is not a path, must be the path of an ELF file (write for example "
        '"build/stage1.elf")'
    ]
