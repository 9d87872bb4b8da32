"""Outputs boot where they can boot."""

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from tools import tool

PORT_F4 = 33
"""QEMU's status when a guest writes 0x10 to port 0xf4."""

LINE = "Hello from doit_diskimg: no root, no mount, no loop device."


def test_a_linked_image_boots(example: Callable[[str], Any], boot: Callable[..., None]) -> None:
    hello = example("hello")
    hello.edit("dodo.py", "    return disk.tasks()\n", "    return disk.tasks()\n\n\n"
               "def task_linked():\n    return disk.linked_task()\n")
    hello.doit("hello.img:linked")
    assert not (hello.folder / "build/hello.img").exists()
    ask = "from doit_diskimg.host.linked_image import drive; print(drive('build/hello.img'))"
    value = subprocess.run(
        [sys.executable, "-c", ask], cwd=hello.folder, capture_output=True, text=True, check=True,
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])},
    ).stdout.strip()
    value = value.replace("file=./build", f"file={hello.folder}/build")
    boot("seabios", value, says=LINE, ends=PORT_F4)


@pytest.mark.parametrize("cd", [True, False], ids=["as a CD", "as a disk"])
def test_an_iso_boots_with_a_bios(
    example: Callable[[str], Any], boot: Callable[..., None], cd: bool
) -> None:
    tool("xorriso")
    hello = example("hello")
    hello.edit("dodo.py", "import Disk, Fat, Mbr", "import Disk, Fat, Iso, Mbr")
    hello.edit("dodo.py", "    partitions=[\n", '    outputs=[Iso("build/hello.iso", bios="cd.bin",'
               ' files={"cd.bin": hello(MESSAGE)}, boot_code=hello(MESSAGE))],\n    partitions=[\n')
    hello.doit()
    boot("seabios", hello.folder / "build/hello.iso", says=LINE, ends=PORT_F4, cd=cd)


@pytest.mark.slow
@pytest.mark.usefixtures("compiler")
@pytest.mark.parametrize(("cd", "hybrid"), [
    (True, None), (False, None), (False, "/usr/lib/grub/i386-pc/boot_hybrid.img"),
    (False, "/usr/lib/ISOLINUX/isohdpfx.bin"),
], ids=["as a CD", "as a disk", "as a disk, GRUB's", "as a disk, ISOLINUX's"])  # fmt: skip
def test_an_iso_boots_with_uefi(
    example: Callable[[str], Any], boot: Callable[..., None], cd: bool, hybrid: str | None
) -> None:
    tool("xorriso")
    if hybrid is not None and not Path(hybrid).exists():
        tool("grub-pc-bin" if "grub" in hybrid else "isolinux")  # says so
    uefi = example("uefi")
    uefi.edit("dodo.py", "import Disk, Esp, Gpt", "import Disk, Esp, Gpt, Iso")
    iso = f'Iso("build/uefi.iso", efi="esp", bios="a", files={{"a": bytes(4096)}}, {hybrid=})'
    uefi.edit("dodo.py", "    table=Gpt(),\n", f"    table=Gpt(),\n    outputs=[{iso}],\n")
    uefi.doit()
    line = "Hello from doit_diskimg: an EFI application on a GPT disk."
    boot("ovmf", uefi.folder / "build/uefi.iso", says=line, ends=0, cd=cd)


@pytest.mark.parametrize("output", ["Qcow2", "Vdi", "Vmdk", "Vhdx"])
def test_a_virtual_disk_boots(
    example: Callable[[str], Any], boot: Callable[..., None], output: str
) -> None:
    tool("qemu-img")
    hello = example("hello")
    hello.edit("dodo.py", "import Disk, Fat, Mbr", f"import Disk, Fat, Mbr, {output}")
    partitions = "    partitions=[\n"
    hello.edit("dodo.py", partitions, f'    outputs=[{output}("build/disk")],\n{partitions}')
    hello.doit()
    value = f"format={output.lower()},file={hello.folder / 'build/disk'}"
    boot("seabios", value, says=LINE, ends=PORT_F4)
