"""QEMU's argument list, as pure data: a machine and what was found on the host go in.

Nothing here looks at the host, so that every list can be tested as a table.  The words and their
meaning are those of QEMU's manual (System Emulation, Invocation).
"""

from collections.abc import Iterator, Sequence
from dataclasses import KW_ONLY
from typing import NamedTuple

from doit_diskimg.frozen import dataclass
from doit_diskimg.kinds.machines.architecture import Architecture
from doit_diskimg.kinds.machines.console import Wiring, attended_words, watched_words
from doit_diskimg.kinds.machines.drives import Slot, drive_words, file_option
from doit_diskimg.kinds.machines.x86 import X86_64
from doit_diskimg.plan.recipe import plain
from doit_diskimg.units import MIB


@dataclass(frozen=True)
class Machine:
    """A machine whose files are paths; empty texts, and None, stand for QEMU's own choice.

    ``memory`` is in bytes.  ``exits`` adds the device by which a guest ends QEMU.  ``wiring`` holds
    the user's own ``arguments``, too, which come last, since of two QEMU takes the later one.
    """

    drives: tuple[Slot, ...] = ()
    _: KW_ONLY
    architecture: Architecture = X86_64
    machine: str = ""
    cpu: str = ""
    memory: int | None = None
    cores: int | None = None
    kernel: str = ""
    initrd: str = ""
    append: str = ""
    dtb: str = ""
    network: str = ""
    devices: tuple[str, ...] = ()
    exits: bool = False
    wiring: Wiring = Wiring()


class Given(NamedTuple):
    """Firmware for QEMU: ``how`` as in `Firmware`, and the files."""

    how: str
    files: tuple[str, ...]


def is_uefi(given: Given | None) -> bool:
    """Return whether firmware is UEFI: what lies in two flash chips, code and variables."""
    return given is not None and given.how == "flash"


class Host(NamedTuple):
    """What was found on the host: QEMU's path, the firmware (None: what QEMU brings), the CPU."""

    program: str
    firmware: Given | None
    accel: str


def command(machine: Machine, host: Host) -> list[str]:
    """Return the arguments that every run of ``machine`` has; the caller adds what it needs."""
    known = machine.architecture
    uefi = is_uefi(host.firmware)
    name = board_name(known, machine.machine, uefi=uefi)
    arguments = machine.wiring.arguments
    argv = [host.program, "-accel", host.accel]
    if name:
        argv += ["-machine", name]
    if cpu := machine.cpu or _usual_cpu(machine, host, name):
        argv += ["-cpu", cpu]
    if machine.memory is not None:
        argv += ["-m", f"{machine.memory // MIB}M"]
    if machine.cores is not None:
        argv += ["-smp", str(machine.cores)]
    argv += _firmware(host.firmware)
    argv += known.uefi_words if uefi else ()
    argv += drive_words(machine.drives, known.board(name))
    for word, value in (("-kernel", machine.kernel), ("-initrd", machine.initrd),
                        ("-dtb", machine.dtb)):  # fmt: skip
        argv += [word, plain(value)] if value else []
    if machine.append:
        argv += ["-append", machine.append]
    if machine.exits and known.exit:
        argv += known.exit.words
    argv += [text for device in machine.devices for text in ("-device", device)]
    if machine.network:
        argv += ["-nic", machine.network]
    elif not _has_network(arguments):
        argv += ["-net", "none"]  # OVMF waits for a network to boot from, if there is one
    return argv + list(arguments)


def board_name(known: Architecture, machine: str, *, uefi: bool) -> str:
    """Return the name of QEMU's machine, empty if that is QEMU's choice."""
    return machine or (known.uefi_machine if uefi else "") or known.machine


def _usual_cpu(machine: Machine, host: Host, name: str) -> str:
    """Return the CPU of a board whose own is not what its users expect."""
    known = machine.architecture
    if not known.cpu or not name.startswith(known.machine):
        return ""
    return "host" if host.accel == "kvm" else known.cpu


def _firmware(given: Given | None) -> Iterator[str]:
    if given is None:
        return
    if given.how == "flash":
        # Two chips and never -bios: with that one OVMF keeps its variables in a file on the ESP.
        for unit, (how, path) in enumerate(zip(("readonly", "snapshot"), given.files, strict=True)):
            yield from ("-drive", f"format=raw,if=pflash,unit={unit},{how}=on,{file_option(path)}")
    elif given.how == "none":
        yield from ("-bios", "none")
    else:
        yield from (f"-{given.how}", plain(given.files[0]))


def attended(machine: Machine, *, display: bool, gdb: int = 0) -> list[str]:
    """Return what a run before the user's eyes adds: the console is the terminal.

    At the port ``gdb`` the machine waits for a debugger, unless that is 0.
    """
    argv = attended_words(machine.wiring, display=display)
    # Not `-s`, which listens to the whole network: who debugs the guest may ask QEMU for our files.
    return [*argv, "-gdb", f"tcp:127.0.0.1:{gdb}", "-S"] if gdb else argv


def watched(machine: Machine, *, stay: bool) -> list[str]:
    """Return what an unattended run adds: console on stdout, no screen, no second start.

    ``stay`` keeps QEMU when the guest switches the machine off, so that its screen can be saved.
    """
    argv = [*watched_words(machine.wiring), "-no-reboot"]
    return [*argv, "-no-shutdown"] if stay else argv


def monitor(handle: int) -> list[str]:
    """Return what gives QEMU a machine-readable monitor on a socket that it inherits.

    An inherited socket has no name and no port that another QEMU could want too.
    """
    return ["-chardev", f"socket,id=qmp,fd={handle}", "-mon", "chardev=qmp,mode=control"]


def words(arguments: Sequence[str]) -> Iterator[str]:
    """Yield every text in ``arguments`` that could be the path of a file.

    A path may have a "=", and a module of ``-initrd`` has words of its own behind a space.
    """
    for argument in arguments:
        for part in argument.replace(",,", "\0").split(","):
            texts = (part.rpartition("=")[2], part.partition("=")[2], part, part.partition(" ")[0])
            yield from (text.replace("\0", ",") for text in dict.fromkeys(texts) if text)


def _has_network(arguments: Sequence[str]) -> bool:
    return any(word in ("-net", "-netdev", "-nic") for word in arguments)
