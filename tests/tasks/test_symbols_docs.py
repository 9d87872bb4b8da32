"""docs/how-to/boot-code-with-symbols.md, as it stands: every description on it is built by doit."""

import inspect
import re
import struct
from pathlib import Path

import pytest
from project import Project

from doit_diskimg import at

PAGE = Path(__file__).parents[2] / "docs/how-to/boot-code-with-symbols.md"
WHOLE, ELF, SEGMENT, VOLUME, PARTITION, OWN = re.findall(
    r"```python\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL
)
VBR = bytes([0xEB, 88, 0x90]).ljust(510, b"\0") + b"\x55\xaa"
PARTITION = PARTITION.partition("\n\n")[2]  # without its import
FILES = {
    "build/stage1.bin": b"\xf4" * 300 + bytes(210) + b"\x55\xaa", "build/stage2.bin": b"2" * 3000,
    "build/kernel.bin": b"k" * 100_000, "build/vbr.bin": VBR, "build/core.img": b"c" * 50_000,
}


@pytest.fixture
def project(tmp_path):
    project = Project(tmp_path, WHOLE)
    for path, data in FILES.items():
        project.write(path, data)
    return project


def test_the_page_begins_with_a_whole_dodo(project):
    project.doit()
    image = project.image_path.read_bytes()
    assert struct.unpack_from("<QH", image, 0x5C) == (1, 6)
    lba, sectors = struct.unpack_from("<IH", image, 0x70)
    assert image[lba * 512 :][: sectors * 512].rstrip(b"\0") == FILES["build/kernel.bin"]


def test_its_refusal_is_the_one_that_is_shown(project):
    project.write("build/kernel.bin", bytes(70_000 * 512))
    project.write("dodo.py", WHOLE.replace("32MiB", "64MiB").replace("16MiB", "48MiB"))
    run = project.doit(code=None)
    (shown,) = re.findall(r"```\n(os.img: .*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)
    assert " ".join(shown.split()) in run.said


MORE = {
    "segment": ("disk", f"segments=[{SEGMENT}], partitions=[BOOT]"),
    "volume": ("disk", f"partitions=[{VOLUME}]"),
    "partition": ("gpt", f"partitions=[{PARTITION}]"),
    "bootloader": ("own", "boot=Chain(), partitions=[BOOT]"),
}


@pytest.mark.parametrize("row", MORE)
def test_what_else_is_on_it_can_be_built(project, row):
    kind, fields = MORE[row]
    table = "Gpt()" if kind == "gpt" else "Mbr()"
    project.write("dodo.py", (
        "from doit_diskimg import *\n" + (OWN if kind == "own" else "") +
        'BOOT = Partition("boot", Fat({"KERNEL.BIN": "build/kernel.bin"}), size="16MiB")\n'
        f'disk = Disk("build/os.img", size="64MiB", table={table}, {fields})\n'
        "def task_image():\n    return disk.tasks()\n"
    ))  # fmt: skip
    project.doit()
    assert "no errors" in project.doit("os.img:verify").out


def test_names_of_symbols_are_those_of_the_reference():
    page = (PAGE.parents[1] / "reference/symbols.md").read_text(encoding="utf-8")
    described = set(re.findall(r"`at\.([a-z]\w+)\(", page))
    assert described == {name for name, value in vars(at).items() if inspect.isfunction(value)}
    assert "elf=" in ELF
