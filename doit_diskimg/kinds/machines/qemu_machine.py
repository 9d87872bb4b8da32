"""What a user says of a machine, what is wrong with it, and the machine that it means."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import KW_ONLY
from os import PathLike, fspath
from typing import Literal, TypeAlias

from doit_diskimg.disk.fields import (
    is_path,
    kind_problems,
    misuse_problems,
)
from doit_diskimg.disk.model import Disk
from doit_diskimg.errors import BadValue, Problem
from doit_diskimg.frozen import dataclass
from doit_diskimg.kinds.machines.architecture import Architecture, Board
from doit_diskimg.kinds.machines.architectures import ARCHITECTURES, architecture
from doit_diskimg.kinds.machines.command import Given, Machine, board_name, words
from doit_diskimg.kinds.machines.console import Console, Wiring, console_problems, wiring_of
from doit_diskimg.kinds.machines.drives import (
    Drive,
    Interface,
    Media,
    Slot,
    media_path,
    media_problems,
    slot_of,
    slot_problems,
)
from doit_diskimg.kinds.machines.machine_fields import (
    KINDS,
    exit_problems,
    firmware_problems,
    list_problems,
    memory_problems,
)
from doit_diskimg.units import SizeLike, parse_size

_Path: TypeAlias = str | PathLike[str]


@dataclass(frozen=True, described=True)
class QemuMachine:
    """A machine with ``disk`` in it, from which it boots; None is a machine without one.

    * ``arch``: ``"x86_64"``, ``"i386"``, ``"aarch64"``, ``"arm"``, ``"riscv64"``, ``"riscv32"``,
      ``"loongarch64"``; another of QEMU's with its ``program``.
    * ``machine``, ``cpu``: names that QEMU knows (``q35``, ``raspi3b``, ``microvm``; ``max``).
      Unless given, a PC is QEMU's choice and a ``q35`` with UEFI, all else is ``virt``.
    * ``memory``: bytes, or text such as ``"256MiB"``; a multiple of 1 MiB.
    * ``cores``: how many processors.
    * ``firmware``: ``"bios"`` (PC), ``"uefi"``, ``"u-boot"`` (ARM, RISC-V), ``"opensbi"`` or
      ``"none"`` (RISC-V), found where systems keep it; a pair of paths (UEFI's code and its
      variables); or the path of a file for ``-bios``.  What QEMU brings unless given.
    * ``interface``: what the disk is connected by, ``"ide"``, ``"ahci"``, ``"nvme"``,
      ``"virtio"``, ``"virtio-mmio"``, ``"scsi"``, ``"usb"``, ``"sd"`` or ``"floppy"``; the
      machine's usual one unless given.
    * ``snapshot``: False lets the guest of a run write to the image (and `doit` builds it anew).
    * ``drives``: more disks, each a `Drive`, a `Disk`, an output, or a path.
    * ``cdrom``: an `Iso`, or the path of one; the firmware tries it first.
    * ``kernel``, ``initrd``, ``append``, ``dtb``: what QEMU loads itself, and the command line.
    * ``console``: what a run shows and a test reads: ``"serial"`` is the first serial port,
      ``"debugcon"`` the PC's port 0xE9, ``"screen"`` the PC's text screen, ``"chardev:ID"`` the
      character device that one of ``devices`` names.
    * ``serial``: QEMU's words for the serial ports, in order, such as ``["stdio", "file:log"]``.
    * ``monitor``: QEMU's word for its monitor, such as ``"stdio"``.
    * ``network``: QEMU's words for the network card, such as ``"user,model=e1000"``; none unless
      given.
    * ``devices``: QEMU's words for more devices.
    * ``debug_exit``: a guest that is content ends QEMU with this number; every other is a failure.
      On a PC it is a byte from 1 to 127 for port 0xF4; on RISC-V sifive_test, on ARM semihosting
      take one from 2 to 255.
    * ``accel``: ``"kvm"`` or ``"tcg"``; ``"auto"`` is KVM where it runs such guests.
    * ``warm``: True lets UEFI go on where it begins to look at disks, in a state that is taken
      once.  Unless given a run does so where the processor is emulated, a test never.
    * ``symbols``: an ELF file with symbols, named in the line to type for gdb.
    * ``arguments``: what else QEMU is to be told, after everything of ours.
    * ``program``: QEMU itself, a name in PATH or a path; ``qemu-system-ARCH`` unless given.
    """

    disk: Disk | None
    _: KW_ONLY
    arch: str = "x86_64"
    machine: str = ""
    cpu: str = ""
    memory: SizeLike | None = None
    cores: int | None = None
    firmware: str | PathLike[str] | tuple[_Path, _Path] = ""
    interface: Interface = ""
    snapshot: bool = True
    drives: Sequence[Drive | Media] = ()
    cdrom: Media | None = None
    kernel: _Path = ""
    initrd: _Path = ""
    append: str = ""
    dtb: _Path = ""
    console: Console = "serial"
    serial: Sequence[str] = ()
    monitor: str = ""
    network: str = ""
    devices: Sequence[str] = ()
    debug_exit: int | None = None
    accel: Literal["auto", "kvm", "tcg"] = "auto"
    warm: bool | None = None
    symbols: _Path = ""
    arguments: Sequence[str] = ()
    program: _Path = ""

    @property
    def architecture(self) -> Architecture:
        """What is known of the architecture."""
        return architecture(self.arch)

    @property
    def qemu(self) -> str:
        """The program, a name or a path."""
        return fspath(self.program) or f"qemu-system-{self.arch}"

    @property
    def more_drives(self) -> Sequence[Drive]:
        """The drives beside the disk, each as a `Drive`."""
        return [it if isinstance(it, Drive) else Drive(it) for it in self.drives]

    @property
    def given_firmware(self) -> Given | None:
        """The firmware's files as the user named them; None if there is another way to find it."""
        if isinstance(self.firmware, (tuple, list)):
            return Given("flash", tuple(str(fspath(path)) for path in self.firmware))
        if self.firmware and self.firmware not in self.architecture.firmware:
            return Given("bios", (fspath(self.firmware),))
        return None

    def files(self) -> Iterator[tuple[str, str]]:
        """Yield every file that the user names, but those of disks of ours, with its field."""
        for field in ("kernel", "initrd", "dtb"):
            if path := getattr(self, field):
                yield field, fspath(path)
        if given := self.given_firmware:
            yield from (("firmware", path) for path in given.files)
        media = {f"drives[{index}]": it.source for index, it in enumerate(self.more_drives)}
        if self.cdrom is not None:
            media["cdrom"] = self.cdrom
        yield from ((at, media_path(it)) for at, it in media.items() if not isinstance(it, Disk))
        if "/" in fspath(self.program):  # a script, or a QEMU of the user's own
            yield "program", fspath(self.program)
        texts = [self.machine, self.network, *self.devices, *self.arguments]
        yield from (("arguments", word) for word in words(texts))

    def disks(self) -> Iterator[Disk]:
        """Yield the disks of ours that are in the machine, the one that it boots first."""
        for media in (self.disk, *(it.source for it in self.more_drives), self.cdrom):
            if isinstance(media, Disk):
                yield media

    def planned(
        self, path: Callable[[_Path], str], *, snapshot: bool, stay: bool = False
    ) -> Machine:
        """Return the machine; ``path`` makes a path of the user's normal.

        ``snapshot`` keeps what a guest writes out of every drive.  ``stay`` leaves out the device
        by which a guest ends QEMU.
        """
        def named(file: _Path) -> str:
            return path(file) if file else ""

        return Machine(
            self._slots(path, snapshot=snapshot), architecture=self.architecture,
            machine=self.machine, cpu=self.cpu, cores=self.cores,
            memory=None if self.memory is None else parse_size(self.memory),
            kernel=named(self.kernel), initrd=named(self.initrd), dtb=named(self.dtb),
            append=self.append, network=self.network, devices=tuple(self.devices),
            exits=self.debug_exit is not None and not stay, wiring=self.wiring,
        )  # fmt: skip

    def _slots(self, path: Callable[[_Path], str], *, snapshot: bool) -> tuple[Slot, ...]:
        """Return the drives, the disk first."""
        slots = list[Slot]()
        if self.disk is not None:
            disk = Drive(
                self.disk, interface=self.interface, snapshot=self.snapshot,
                bootindex=self._bootindex(),
            )
            slots.append(slot_of(disk, path(media_path(self.disk)), "disk", snapshot=snapshot))
        if self.cdrom is not None:
            iso = path(media_path(self.cdrom))
            slots.append(Slot(iso, id="cdrom", cdrom=True, bootindex=0))
        for number, drive in enumerate(self.more_drives, 1):
            found = path(media_path(drive.source))
            slots.append(slot_of(drive, found, f"drive{number}", snapshot=snapshot))
        return tuple(slots)

    def _bootindex(self) -> int | None:
        """Return the disk's, behind that of a CD; some can't have one.

        Alone it needs one on a PC with UEFI, which else looks into QEMU's empty CD drive first.
        """
        interface = self.interface or self.board.disk
        others = self.drives or self.cdrom or (
            self.firmware == "uefi" and self.machine in ("", "q35") and interface in ("", "ide")
        )
        known = self.arch in ARCHITECTURES and interface not in ("sd", "floppy", "none")
        return 1 if others and known else None

    @property
    def board(self) -> Board:
        """What is known of the machine."""
        uefi = self.firmware == "uefi"
        return self.architecture.board(board_name(self.architecture, self.machine, uefi=uefi))

    @property
    def wiring(self) -> Wiring:
        """Who has the terminal."""
        return wiring_of(self.console, self.serial, self.monitor, self.arguments)

    def problems(self) -> Iterator[Problem]:
        """Yield what is wrong with the description."""
        of_disk = ("disk.", "disk[")  # its tasks say so
        for problem in misuse_problems(self, ""):
            if not problem.where.startswith(of_disk):
                yield problem
        kinds = [*kind_problems(self, "", KINDS), *list_problems(self)]
        yield from kinds
        known = architecture(self.arch if isinstance(self.arch, str) else "")
        yield from firmware_problems(self.firmware, self.kernel, known.firmware)
        if self.memory is not None:
            yield from memory_problems(self.memory)
        if self.debug_exit is not None:
            yield from exit_problems(self.debug_exit, known.exit, self.arch)
        if not kinds:
            yield from self._problems()

    def _problems(self) -> Iterator[Problem]:
        """Yield what is wrong with fields that are of their kind."""
        if self.disk is None and not (self.drives or self.cdrom or self.kernel):
            yield BadValue("disk", "it is None", "a machine has something to start",
                           "give it a disk, a kernel or a cdrom")
        if self.arch not in ARCHITECTURES and not self.program:
            yield BadValue("arch", f"{self.arch!r} is unknown", "must be one of "
                           f"{', '.join(map(repr, ARCHITECTURES))}, or another with a program",
                           f"choose one, or write program='qemu-system-{self.arch}'")
        yield from console_problems(
            self.wiring, debugcon=self.architecture.debugcon, arch=self.arch
        )
        yield from self._drive_problems()

    def _drive_problems(self) -> Iterator[Problem]:
        faults = list[Problem]()
        for index, drive in enumerate(self.more_drives):
            faults += drive.problems(f"drives[{index}]")
        if self.cdrom is not None:
            faults += media_problems(self.cdrom, "cdrom")
        yield from faults
        if faults or (self.disk is not None and not is_path(self.disk.image)):
            return
        slots = self._slots(lambda path: str(fspath(path)), snapshot=True)
        fields = ["interface"] if self.disk is not None else []
        fields += ["cdrom"] if self.cdrom is not None else []
        fields += [f"drives[{index}].interface" for index in range(len(self.drives))]
        yield from slot_problems([*zip(fields, slots, strict=True)], self.board, self.machine)
