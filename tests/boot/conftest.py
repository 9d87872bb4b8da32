"""Examples built by doit and booted by QEMU, without a display, judged by the serial port."""

import os
import platform
import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn

import pytest
from tools import tool

ROOT = Path(__file__).parents[2]
TIMEOUT = 120
"""Seconds for a boot; OVMF takes about 5 on an idle machine."""

OVMF = [
    ("/usr/share/OVMF/OVMF_CODE.fd", "/usr/share/OVMF/OVMF_VARS.fd"),
    ("/usr/share/OVMF/OVMF_CODE_4M.fd", "/usr/share/OVMF/OVMF_VARS_4M.fd"),
    ("/usr/share/edk2/ovmf/OVMF_CODE.fd", "/usr/share/edk2/ovmf/OVMF_VARS.fd"),
    ("/usr/share/edk2/x64/OVMF_CODE.4m.fd", "/usr/share/edk2/x64/OVMF_VARS.4m.fd"),
]
"""Where Debian, newer Debian, Fedora and Arch have UEFI for QEMU: code and variables."""


def missing(what: str) -> NoReturn:
    """Skip the test, or fail it where nothing may be missing."""
    if os.environ.get("CI") == "true":
        pytest.fail(what)
    pytest.skip(what)


@dataclass(frozen=True)
class Example:
    """A copy of one of the examples."""

    folder: Path

    def doit(self, *arguments: str) -> list[str]:
        """Run doit and return the tasks that ran, in that order."""
        path = os.pathsep.join([str(ROOT), *filter(None, [os.environ.get("PYTHONPATH")])])
        done = subprocess.run(
            [sys.executable, "-m", "doit", *arguments],
            cwd=self.folder,
            env={**os.environ, "PYTHONPATH": path},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=TIMEOUT,
        )
        print(done.stdout)
        assert done.returncode == 0
        return [line[3:] for line in done.stdout.splitlines() if line.startswith(".  ")]

    def edit(self, name: str, old: str, new: str) -> None:
        """Replace a text that is in a file once."""
        path = self.folder / name
        text = path.read_text(encoding="utf-8")
        assert text.count(old) == 1
        path.write_text(text.replace(old, new), encoding="utf-8")


@pytest.fixture
def example(tmp_path: Path) -> Callable[[str], Example]:
    """Return a function that copies an example, without what was built in it."""

    def copy(name: str) -> Example:
        folder = tmp_path / name
        leave = shutil.ignore_patterns("build", ".doit.db*", "__pycache__")
        shutil.copytree(ROOT / "examples" / name, folder, ignore=leave)
        return Example(folder)

    return copy


@pytest.fixture
def compiler() -> None:
    """See to it that there is an x86 compiler, which the examples in C want."""
    for name in ("gcc", "ld", "objcopy"):
        tool(name)
    if platform.machine().lower() not in ("x86_64", "amd64"):
        missing(f"gcc of {platform.machine()} makes no x86 code")


def firmware(name: str) -> list[str]:
    """Return QEMU's arguments for a PC with a BIOS or with UEFI."""
    if name == "seabios":
        return []  # QEMU has it, and takes it unless told otherwise
    for code, variables in OVMF:
        if Path(code).exists() and Path(variables).exists():
            return [
                *("-machine", "q35"),
                *("-drive", f"if=pflash,format=raw,unit=0,readonly=on,file={code}"),
                *("-drive", f"if=pflash,format=raw,unit=1,snapshot=on,file={variables}"),
            ]
    missing("there is no UEFI for QEMU (Debian package ovmf)")


@pytest.fixture
def ovmf() -> None:
    """See to it that there is UEFI for QEMU."""
    firmware("ovmf")


@pytest.fixture
def boot(tmp_path: Path) -> Callable[..., None]:
    """Return a function that boots an image with the firmware ``name``, as a disk or as a CD.

    It returns as soon as the machine has said ``says`` on its serial port and, unless ``ends`` is
    None, has ended with that status.  If neither happens in time, the test fails and shows the end
    of what the machine did say.
    """
    log = tmp_path / "serial.log"

    def said() -> str:
        return log.read_text(encoding="utf-8", errors="replace") if log.exists() else ""

    def boot(
        name: str, image: Path | str, *, says: str, ends: int | None = None, cd: bool = False
    ) -> None:
        log.unlink(missing_ok=True)
        medium = ["-cdrom", str(image)] if cd else ["-drive", f"format=raw,file={image}"]
        if isinstance(image, str):  # the whole value of -drive
            medium = ["-drive", image]
        argv = [tool("qemu-system-x86_64"), *firmware(name), *medium]
        argv += ["-display", "none", "-serial", f"file:{log}", "-net", "none", "-no-reboot"]
        argv += ["-device", "isa-debug-exit,iobase=0xf4,iosize=4"]  # status 2n + 1 for a byte n
        deadline = time.monotonic() + TIMEOUT
        with subprocess.Popen(argv, stderr=subprocess.PIPE, text=True) as qemu:
            while qemu.poll() is None and time.monotonic() < deadline:
                if ends is None and says in said():
                    break
                time.sleep(0.05)
            status = qemu.poll()
            qemu.kill()
            complaints = qemu.communicate()[1]
        if says not in said() or (ends is not None and status != ends):
            state = "still ran" if status is None else f"ended with {status}"
            pytest.fail(
                f"QEMU {state}; it should say {says!r} and end with {ends}\n{complaints}"
                f"\nThe end of what it said:\n{said()[-2000:]}"
            )

    return boot
