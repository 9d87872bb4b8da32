"""Where QEMU and its firmware are, and what this host can do."""

import os
import subprocess
import sys

from doit_diskimg.errors import ProgramMissing, WorldError
from doit_diskimg.host import child
from doit_diskimg.host.program import find_program
from doit_diskimg.kinds.machines.architecture import Architecture, Firmware
from doit_diskimg.kinds.machines.command import Given


def program(name: str, package: str) -> str:
    """Return the path of QEMU, which is in Debian's ``package``.  Raises WorldError."""
    found = find_program(name)
    if found is None:
        remedy = f"install it (Debian package {package})" if package else "install it"
        raise WorldError(
            ProgramMissing(name, "it is not installed", "must be in PATH to boot", remedy)
        )
    return found


def firmware(known: Architecture, name: str) -> Given | None:
    """Return the firmware that is installed; None for what QEMU brings.  Raises WorldError."""
    wanted = known.firmware.get(name)
    if wanted is None:
        return None
    if wanted.how == "none":
        return Given("none", ())
    return _installed(known, name, wanted)


def _installed(known: Architecture, name: str, wanted: Firmware) -> Given:
    for files in wanted.places:
        if all(map(os.path.exists, files)):
            return Given(wanted.how, files)
    shown = "('CODE.fd', 'VARS.fd')" if wanted.how == "flash" else "'FILE'"
    raise WorldError(ProgramMissing(
        name.upper() if name == "uefi" else name, f"no firmware for {known.name} is installed",
        "QEMU has to be given it", f"install it (Debian package {wanted.package}), or name the "
        f"file{'s' if wanted.how == 'flash' else ''}: firmware={shown}",
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


def accel(known: Architecture, machine: str) -> str:
    """Return ``kvm`` where that runs such guests and the CPU is made for it, else ``tcg``.

    Some virtual machines have a /dev/kvm that opens, on a CPU without the extensions that KVM is
    for.  It is slower there than TCG, and OVMF dies in it (tried, with a PVM kernel), so we ask
    a PC for the extensions too.
    """
    host = os.uname().machine
    fits = host in known.hosts and known.board(machine).kvm
    if not fits or not os.access("/dev/kvm", os.R_OK | os.W_OK):
        return "tcg"
    if host != "x86_64":
        return "kvm"
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


def debugger(known: Architecture) -> str:
    """Return the name of the gdb that knows an architecture: the system's own is for one."""
    return "gdb" if os.uname().machine in known.hosts else "gdb-multiarch"
