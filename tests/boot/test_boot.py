"""The examples boot."""

from collections.abc import Callable
from typing import Any

import pytest

PORT_F4 = 33
"""QEMU's status when a guest writes 0x10 to port 0xf4."""


def test_hello_boots(example: Callable[[str], Any], boot: Callable[..., None]) -> None:
    hello = example("hello")
    hello.doit()
    line = "Hello from doit_diskimg: no root, no mount, no loop device."
    boot("seabios", hello.folder / "build/hello.img", says=line, ends=PORT_F4)


@pytest.mark.usefixtures("compiler")
def test_bios_boots(example: Callable[[str], Any], boot: Callable[..., None]) -> None:
    bios = example("bios")
    bios.doit()
    line = "Hello from doit_diskimg: two stages and a FAT16 volume, and here is C."
    boot("seabios", bios.folder / "build/bios.img", says=line, ends=PORT_F4)


@pytest.mark.slow
@pytest.mark.usefixtures("compiler")
def test_uefi_boots(example: Callable[[str], Any], boot: Callable[..., None]) -> None:
    uefi = example("uefi")
    uefi.doit()
    line = "Hello from doit_diskimg: an EFI application on a GPT disk."
    boot("ovmf", uefi.folder / "build/uefi.img", says=line, ends=0)


@pytest.mark.slow
@pytest.mark.usefixtures("compiler")
def test_existing_project_boots(example: Callable[[str], Any], boot: Callable[..., None]) -> None:
    tinyos = example("existing_project")
    tinyos.doit()
    line = "Welcome to tinyos. This line is a file of the disk image."
    boot("ovmf", tinyos.folder / "build/tinyos.img", says=line)  # it runs for ever
