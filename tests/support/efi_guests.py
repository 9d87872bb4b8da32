"""EFI applications that say what a test wants, and machines with UEFI that start them."""

import os
import re
import select
import subprocess
import time
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory, TemporaryFile
from typing import NamedTuple

import pytest
from tools import tool

from doit_diskimg import Disk, Esp, Fat, Gpt, Mbr, Partition

_SOURCE = Path(__file__).parent / "efi_guest.c"
_PLACE = "@ here goes the text that the test wants to see".encode("utf-16-le")
_LONGEST = 60
BOOT_FILE = {"x86_64": "EFI/BOOT/BOOTX64.EFI", "aarch64": "EFI/BOOT/BOOTAA64.EFI"}
"""What firmware starts from a disk that it has never seen (UEFI 2.10, 3.5.1.1)."""


@cache
def _program(arch: str) -> bytes:
    clang, lld = tool("clang"), tool("lld-link")
    with TemporaryDirectory() as folder:
        made, finished = Path(folder, "guest.o"), Path(folder, "guest.efi")
        subprocess.run(
            [clang, "-target", f"{arch}-unknown-windows", "-std=c11", "-O1", "-ffreestanding",
             "-fshort-wchar", "-mno-red-zone", "-w", "-c", _SOURCE, "-o", made], check=True,
        )  # fmt: skip
        subprocess.run(
            [lld, "-subsystem:efi_application", "-entry:entry", "-nodefaultlib",
             f"-out:{finished}", made], check=True,
        )  # fmt: skip
        return finished.read_bytes()


def program(text: str, arch: str = "x86_64", filler: int = 0) -> bytes:
    """Return an application that says ``text`` and goes by its first letter.

    P switches the machine off, R restarts it, X (x86) writes 0x10 to port 0xF4, any other letter
    stays for ever.  ``filler`` bytes follow the program.
    """
    assert len(text) <= _LONGEST
    data = _program(arch)
    assert data.count(_PLACE) == 1
    said = f"{text}\r\n\0".encode("utf-16-le")
    return data.replace(_PLACE, said.ljust(len(_PLACE), b"\0")[: max(len(_PLACE), len(said))]) + (
        bytes(range(1, 251)) * (filler // 250 + 1)
    )[:filler]


class Shape(NamedTuple):
    """A disk by what firmware may notice of it."""

    table: str  # gpt, mbr, none
    size: int  # MiB
    fat: int
    before: int  # MiB that lie before the partition


def disk(image: Path, shape: Shape, files: dict[str, bytes]) -> Disk:
    """Return a disk of that shape with an ESP that has ``files``."""
    most = {12: 100, 16: 500, 32: 4096}[shape.fat]
    room = min(shape.size - shape.before - 2, most)
    path = str(image)
    size = f"{shape.size}MiB"
    if shape.table == "none":
        return Disk(path, size=size, partitions=[Partition("all", Fat(files, fat=shape.fat))],
                    table=None)
    table = Gpt() if shape.table == "gpt" else Mbr()
    esp = Esp(files, fat=shape.fat, size=f"{room}MiB", start=f"{1 + shape.before}MiB")
    return Disk(path, size=size, table=table, partitions=[esp])


FIRMWARE = {
    "x86_64": ("ovmf", [
        ("/usr/share/OVMF/OVMF_CODE_4M.fd", "/usr/share/OVMF/OVMF_VARS_4M.fd"),
        ("/usr/share/OVMF/OVMF_CODE.fd", "/usr/share/OVMF/OVMF_VARS.fd"),
        ("/usr/share/edk2/ovmf/OVMF_CODE.fd", "/usr/share/edk2/ovmf/OVMF_VARS.fd"),
    ]),
    "aarch64": ("qemu-efi-aarch64", [
        ("/usr/share/AAVMF/AAVMF_CODE.fd", "/usr/share/AAVMF/AAVMF_VARS.fd"),
    ]),
}  # fmt: skip
_MACHINE = {
    "x86_64": ["-machine", "q35"],
    # AAVMF waits 5 s for a key unless told otherwise.
    "aarch64": ["-machine", "virt", "-cpu", "cortex-a57", "-boot", "menu=on,splash-time=0"],
}


def firmware(arch: str) -> tuple[str, str]:
    """Return the paths of UEFI's code and variables; without them the test is skipped."""
    package, pairs = FIRMWARE[arch]
    for pair in pairs:
        if all(Path(path).exists() for path in pair):
            return pair
    tool(package)  # says so
    raise AssertionError(package)


def line(image: object, arch: str = "x86_64", *, disk: str = "", more: list[str] | None = None,
         variables: str = "snapshot=on") -> list[str]:  # fmt: skip
    """Return QEMU's arguments for a machine with UEFI and that disk image."""
    code, empty = firmware(arch)
    chip = "format=raw,if=pflash,unit="
    return [
        tool(f"qemu-system-{arch}"), "-accel", "tcg", *_MACHINE[arch],
        "-drive", f"{chip}0,readonly=on,file={code}",
        "-drive", f"{chip}1,{variables},file={empty}",
        "-drive", f"format=raw,{disk or 'if=virtio'},snapshot=on,file={image}",
        "-net", "none", *(more or []),
    ]  # fmt: skip


class Said(NamedTuple):
    """What a machine said on its serial port, and how it ended if it did."""

    text: str
    status: int | None
    cpu: float
    complaints: str


def boot(
    argv: list[str], until: str = "", *, seconds: float = 120, more: Sequence[str] = ("-no-reboot",)
) -> Said:
    """Run a machine until it has said what matches ``until``, or to its end.

    ``cpu`` are the seconds of processor time that it took.
    """
    words = [*argv, "-display", "none", "-serial", "stdio", *more]
    pattern = re.compile(until.encode()) if until else None
    heard, deadline = b"", time.monotonic() + seconds
    with TemporaryFile() as complaints, subprocess.Popen(
        words, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=complaints
    ) as process:
        assert process.stdout is not None
        while not (pattern and pattern.search(heard)):
            if select.select([process.stdout], [], [], 0.2)[0]:
                data = os.read(process.stdout.fileno(), 65536)
                heard += data
                if not data:
                    break
            elif time.monotonic() > deadline:
                process.kill()
                pytest.fail(f"it went on for {seconds} s and said {heard[-1000:]!r}")
        ended = pattern is None or not pattern.search(heard)
        if not ended:
            process.kill()
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        complaints.seek(0)
        return Said(
            heard.decode("utf-8", "replace"), process.returncode if ended else None,
            usage.ru_utime + usage.ru_stime, complaints.read().decode(),
        )  # fmt: skip
