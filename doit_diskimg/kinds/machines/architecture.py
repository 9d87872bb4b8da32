"""What we know of an architecture that QEMU emulates, as data: one module of this folder each.

A new one is a module with an `Architecture` and one line in `architectures`.  Words are those of
QEMU's manual (System Emulation, Invocation; and its page of each target).
"""

from collections.abc import Mapping, Sequence
from dataclasses import field
from typing import Literal, NamedTuple

from doit_diskimg.frozen import dataclass


class Firmware(NamedTuple):
    """Firmware that QEMU is given, as files.

    ``how``: ``"flash"`` is code and variables in two flash chips, ``"bios"`` the file of ``-bios``,
    ``"kernel"`` that of ``-kernel``, which QEMU's own firmware starts; with ``"none"`` there is no
    firmware at all.  ``places`` are the files, at each place where a system keeps them, the most
    usual first.
    """

    how: Literal["flash", "bios", "kernel", "none"]
    places: Sequence[tuple[str, ...]]
    package: str
    """Debian's."""


QEMU_DATA = ("/usr/share/qemu", "/opt/homebrew/share/qemu", "/usr/local/share/qemu")
"""Where QEMU keeps the firmware that it is built with."""


def flash(package: str, *pairs: tuple[str, str], own: tuple[str, str]) -> Firmware:
    """Return UEFI in two chips: ``pairs`` of absolute paths, then QEMU's ``own`` names of them."""
    code, variables = own
    last = [(f"{folder}/{code}", f"{folder}/{variables}") for folder in QEMU_DATA]
    return Firmware("flash", [*pairs, *last], package)


@dataclass(frozen=True)
class Exit:
    """How a guest ends QEMU with a number of its choice, ``Qemu(debug_exit=...)``.

    ``words`` is what the command line needs, ``where`` what the guest has to do, in a message.
    The number is from ``least`` to ``most``; QEMU's status is that or, ``doubled``, twice that and
    one.  Status 1 is how QEMU says that it could not start.
    """

    words: tuple[str, ...]
    where: str
    least: int = 2
    most: int = 255
    doubled: bool = False

    def status(self, number: int) -> int:
        """Return the status with which QEMU ends."""
        return 2 * number + 1 if self.doubled else number

    def number(self, status: int | None) -> int | None:
        """Return the guest's number, None if QEMU ended for a reason of its own."""
        if status is None or status < 2 or (self.doubled and status % 2 == 0):
            return None
        return status >> 1 if self.doubled else status


@dataclass(frozen=True)
class Board:
    """What QEMU's machines of one name, or of all names that begin with it, have in common.

    ``disk`` is the interface of a disk for which none is named (empty: QEMU's choice).  Without
    ``pci`` there is no place for AHCI and NVMe, and virtio is memory-mapped.  ``ide_units`` is how
    many drives an IDE bus has.
    """

    disk: str = ""
    pci: bool = True
    kvm: bool = True
    ide_units: int = 2


@dataclass(frozen=True)
class Architecture:
    """An architecture, ``name`` as in ``qemu-system-NAME``; ``package`` is Debian's, or a name that
    one of them provides.

    ``machine`` and ``cpu`` are what is taken unless the user names one, empty for QEMU's choice;
    ``uefi_machine`` the machine that UEFI gets.  ``hosts`` are the processors, in ``uname``'s
    words, whose KVM runs such guests.  ``debugcon`` says whether there is an isa-debugcon.
    """

    name: str
    package: str = ""
    machine: str = ""
    uefi_machine: str = ""
    uefi_words: tuple[str, ...] = ()
    """What its UEFI wants to be told."""
    cpu: str = ""
    hosts: tuple[str, ...] = ()
    firmware: Mapping[str, Firmware | None] = field(default_factory=dict)
    """By name; None is what QEMU brings and starts by itself."""
    exit: Exit | None = None
    boards: Mapping[str, Board] = field(default_factory=dict)
    debugcon: bool = False
    memory_start: int = 0
    """Where the memory of a machine with UEFI begins."""

    def board(self, machine: str) -> Board:
        """Return what is known of a machine, by the longest name that fits."""
        known = [name for name in self.boards if machine.startswith(name)]
        return self.boards[max(known, key=len)] if known else Board()
