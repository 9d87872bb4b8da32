"""The examples boot."""

from collections.abc import Callable
from typing import Any

import pytest
from tools import tool

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
    line = "Hello from doit_diskimg: two stages and a file of a FAT volume, and here is C."
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


def test_hello_tests_itself_when_asked(example: Callable[[str], Any]) -> None:
    tool("qemu-system-x86_64")
    hello = example("hello")
    assert "test" not in hello.doit()
    assert hello.doit("test") == ["test"]
    hello.edit("dodo.py", "no root, no mount", "once more, no mount")
    assert hello.doit("test")[-2:] == ["hello.img:seal", "test"]
    assert hello.doit("test") == []


@pytest.mark.usefixtures("compiler")
def test_bios_tests_itself_when_asked(example: Callable[[str], Any]) -> None:
    tool("qemu-system-x86_64")
    bios = example("bios")
    assert bios.doit("test")[-1] == "test"
    assert bios.doit("test") == []


@pytest.mark.slow
@pytest.mark.usefixtures("compiler", "ovmf")
def test_uefi_tests_itself_when_asked(example: Callable[[str], Any]) -> None:
    tool("qemu-system-x86_64")
    uefi = example("uefi")
    assert uefi.doit("test")[-1] == "test"
    assert uefi.doit("test") == []
    uefi.edit("hello.c", "an EFI application", "a new EFI application")
    assert uefi.doit("test")[-1] == "test"
    assert uefi.doit("boot") == ["boot"]  # the application switches the machine off
