"""The helper that waits behind the firmware: its binaries are what its source says."""

import os
import re
import struct
import subprocess
from pathlib import Path

import pytest
from tools import tool

import doit_diskimg

FOLDER = Path(doit_diskimg.__file__).parent / "host" / "qemu" / "warm"
MACHINES = {"x86_64": 0x8664, "aarch64": 0xAA64}
"""Architecture -> its number in a PE file (PE Format, Machine Types)."""

TRIED = {"14", "16", "19"}
"""Versions of clang and lld that were seen to make the same bytes."""


@pytest.mark.parametrize("name", MACHINES)
def test_it_is_an_efi_application_that_qemu_takes(name):
    data = (FOLDER / f"{name}.efi").read_bytes()
    (header,) = struct.unpack_from("<I", data, 0x3C)
    assert data[:2] == b"MZ"
    assert data[header : header + 4] == b"PE\0\0"
    assert struct.unpack_from("<H", data, header + 4) == (MACHINES[name],)
    assert struct.unpack_from("<I", data, header + 8) == (0,)  # no time stamp
    assert struct.unpack_from("<H", data, header + 24 + 68) == (10,)  # an EFI application
    assert len(data) == 8192


def test_the_binaries_come_from_the_source(tmp_path):
    environment = {**os.environ, "CLANG": tool("clang"), "LLD": tool("lld-link")}
    for program in ("CLANG", "LLD"):
        said = subprocess.check_output([environment[program], "--version"], text=True)
        version = re.search(r"\d+", said).group()
        if version not in TRIED:
            pytest.skip(f"{program.lower()} is version {version}, the bytes were compared with "
                        f"{', '.join(sorted(TRIED))}")
    subprocess.run([FOLDER / "build.sh", tmp_path], env=environment, check=True)
    for name in MACHINES:
        assert (tmp_path / f"{name}.efi").read_bytes() == (FOLDER / f"{name}.efi").read_bytes()
    assert sorted(os.listdir(tmp_path)) == ["aarch64.efi", "x86_64.efi"]
