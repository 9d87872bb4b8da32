"""Where QEMU and its firmware are, and what this host can do."""

import os
import subprocess
import sys
from collections.abc import Sequence

from doit_diskimg.errors import ProgramMissing, WorldError
from doit_diskimg.host import child
from doit_diskimg.host.program import find_program
from doit_diskimg.host.qemu.command import Flash

PACKAGES = {"qemu-system-x86_64": "qemu-system-x86", "qemu-system-i386": "qemu-system-x86"}
"""Program -> Debian package."""

UEFI = [
    Flash("/usr/share/OVMF/OVMF_CODE_4M.fd", "/usr/share/OVMF/OVMF_VARS_4M.fd"),  # Debian
    Flash("/usr/share/OVMF/OVMF_CODE.fd", "/usr/share/OVMF/OVMF_VARS.fd"),  # Debian until 12
    Flash("/usr/share/edk2/ovmf/OVMF_CODE.fd", "/usr/share/edk2/ovmf/OVMF_VARS.fd"),  # Fedora
    Flash("/usr/share/edk2/x64/OVMF_CODE.4m.fd", "/usr/share/edk2/x64/OVMF_VARS.4m.fd"),  # Arch
    Flash("/usr/share/edk2-ovmf/x64/OVMF_CODE.fd", "/usr/share/edk2-ovmf/x64/OVMF_VARS.fd"),
    *(  # QEMU's own build of it, which Homebrew and Arch install; one file of variables for both
        Flash(f"{prefix}/edk2-x86_64-code.fd", f"{prefix}/edk2-i386-vars.fd")
        for prefix in ("/opt/homebrew/share/qemu", "/usr/local/share/qemu", "/usr/share/qemu")
    ),
]
"""Where systems keep UEFI for x86-64 without Secure Boot, the most usual first."""


def program(name: str) -> str:
    """Return the path of QEMU.  Raises WorldError."""
    found = find_program(name)
    if found is None:
        package = PACKAGES.get(name)
        remedy = f"install it (Debian package {package})" if package else "install it"
        raise WorldError(
            ProgramMissing(name, "it is not installed", "must be in PATH to boot", remedy)
        )
    return found


def uefi(candidates: Sequence[Flash] = UEFI) -> Flash:
    """Return the first UEFI firmware that is installed.  Raises WorldError."""
    for flash in candidates:
        if all(map(os.path.exists, flash)):
            return flash
    raise WorldError(ProgramMissing(
        "UEFI", "no firmware for QEMU is installed", "must be OVMF's two files",
        "install it (Debian package ovmf), or name the files: "
        "firmware=('CODE.fd', 'VARS.fd')",
    ))


def version(path: str) -> str:
    """Return what QEMU says of its version, empty if it says nothing."""
    try:
        done = child.run(
            [path, "--version"], capture_output=True, text=True, timeout=30, check=False
        )
    except (OSError, subprocess.TimeoutExpired):
        return ""
    said: str = done.stdout
    return said.partition("\n")[0].strip()


def accel() -> str:
    """Return ``kvm`` where it can be used and the CPU is made for it, else ``tcg``.

    Some virtual machines have a /dev/kvm that opens, on a CPU without the extensions that KVM is
    for.  It is slower there than TCG, and OVMF dies in it (tried, with a PVM kernel), so we ask for
    the extensions too.
    """
    if not os.access("/dev/kvm", os.R_OK | os.W_OK):
        return "tcg"
    try:
        with open("/proc/cpuinfo", encoding="ascii", errors="replace") as file:
            flags = {word for line in file if line.startswith("flags") for word in line.split()}
    except OSError:
        return "tcg"
    return "kvm" if flags & {"vmx", "svm"} else "tcg"


def has_display() -> bool:
    """Return whether QEMU can open a window here."""
    if sys.platform == "darwin":
        return True
    return bool(os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY"))
