"""QEMU's argument list, as pure data: a machine and what was found on the host go in.

Nothing here looks at the host, so that every list can be tested as a table.  The words and their
meaning are those of QEMU's manual (System Emulation, Invocation).
"""

from collections.abc import Iterator, Sequence
from dataclasses import KW_ONLY
from typing import NamedTuple

from doit_diskimg.frozen import dataclass
from doit_diskimg.plan.recipe import plain
from doit_diskimg.units import MIB

DEBUG_EXIT_PORT = 0xF4
"""I/O port of the device isa-debug-exit, as is usual."""


class Flash(NamedTuple):
    """The two flash chips of UEFI firmware: paths of the code and of the empty variables."""

    code: str
    variables: str


@dataclass(frozen=True)
class Machine:
    """A PC and the disk in it.

    ``image`` is the path of the disk, ``format`` QEMU's name for its kind of file.  Empty texts,
    and None, stand for QEMU's own choice; ``memory`` is in bytes.  ``debug_exit`` adds the device
    isa-debug-exit.  ``snapshot`` keeps what the guest writes out of the image.
    """

    image: str
    _: KW_ONLY
    format: str = "raw"
    machine: str = ""
    cpu: str = ""
    memory: int | None = None
    interface: str = ""
    debug_exit: bool = False
    snapshot: bool = True
    arguments: tuple[str, ...] = ()


class Host(NamedTuple):
    """What was found on the host: QEMU's path, the firmware (None: QEMU's BIOS), the CPU."""

    program: str
    flash: Flash | None
    accel: str


def command(machine: Machine, host: Host) -> list[str]:
    """Return the arguments that every run of ``machine`` has; the caller adds what it needs.

    The user's own arguments come last, since of two QEMU takes the later one.
    """
    argv = [host.program, "-accel", host.accel]
    if machine.machine or host.flash:
        argv += ["-machine", machine.machine or "q35"]
    if machine.cpu:
        argv += ["-cpu", machine.cpu]
    if machine.memory is not None:
        argv += ["-m", f"{machine.memory // MIB}M"]
    if host.flash is not None:
        # Two chips and never -bios: with that one OVMF keeps its variables in a file on the ESP.
        argv += _drive("if=pflash,unit=0,readonly=on", host.flash.code)
        argv += _drive("if=pflash,unit=1,snapshot=on", host.flash.variables)
    interface = f"if={machine.interface}" if machine.interface else ""
    options = _joined(interface, "snapshot=on" if machine.snapshot else "")
    argv += _drive(options, machine.image, machine.format)
    if machine.debug_exit:
        argv += ["-device", f"isa-debug-exit,iobase={DEBUG_EXIT_PORT:#x},iosize=4"]
    if not _has_network(machine.arguments):
        argv += ["-net", "none"]  # OVMF waits for a network to boot from, if there is one
    return argv + list(machine.arguments)


def attended(*, display: bool, gdb: bool) -> list[str]:
    """Return what a run before the user's eyes adds: the serial port is the terminal."""
    argv = ["-serial", "stdio"]
    if not display:
        argv += ["-display", "none"]
    if gdb:
        argv += ["-s", "-S"]
    return argv


def watched(*, stay: bool) -> list[str]:
    """Return what an unattended run adds: serial port on stdout, no screen, no second start.

    ``stay`` keeps QEMU when the guest switches the machine off, so that its screen can be saved.
    """
    argv = ["-display", "none", "-serial", "stdio", "-no-reboot"]
    return [*argv, "-no-shutdown"] if stay else argv


def monitor(handle: int) -> list[str]:
    """Return what gives QEMU a machine-readable monitor on a socket that it inherits.

    An inherited socket has no name and no port that another QEMU could want too.
    """
    return ["-chardev", f"socket,id=qmp,fd={handle}", "-mon", "chardev=qmp,mode=control"]


def words(arguments: Sequence[str]) -> Iterator[str]:
    """Yield every text in ``arguments`` that could be the path of a file."""
    for argument in arguments:
        for part in argument.replace(",,", "\0").split(","):
            yield part.rpartition("=")[2].replace("\0", ",")


def _drive(options: str, path: str, format: str = "raw") -> list[str]:
    return ["-drive", _joined(f"format={format}", options, file_option(path))]


def file_option(path: str) -> str:
    """Return QEMU's option for a file: commas end an option, a protocol's name may begin a path."""
    return f"file={plain(path).replace(',', ',,')}"


def _joined(*options: str) -> str:
    return ",".join(filter(None, options))


def _has_network(arguments: Sequence[str]) -> bool:
    return any(word in ("-net", "-netdev", "-nic") for word in arguments)
