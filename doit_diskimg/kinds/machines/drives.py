"""`Drive`: a disk in a machine, and the words that connect it."""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import KW_ONLY
from os import PathLike, fspath
from typing import Literal, TypeAlias, get_args

from doit_diskimg.disk.fields import (
    YES_OR_NO,
    Kind,
    is_number,
    is_path,
    kind_problems,
    misuse_problems,
)
from doit_diskimg.disk.model import Disk, Output
from doit_diskimg.errors import BadValue, Problem
from doit_diskimg.frozen import dataclass
from doit_diskimg.kinds.machines.architecture import Board
from doit_diskimg.plan.recipe import plain

Interface: TypeAlias = Literal[
    "", "ide", "ahci", "nvme", "virtio", "virtio-mmio", "scsi", "usb", "sd", "floppy", "none"
]
"""What a drive is connected by; empty is the machine's usual, ``none`` leaves it to `devices`."""

Media: TypeAlias = Disk | Output | str | PathLike[str]
"""What is in a drive: a disk, an output of a disk, or a file."""

_FORMATS = {
    ".qcow2": "qcow2", ".vdi": "vdi", ".vmdk": "vmdk", ".vhdx": "vhdx", ".vhd": "vpc",
}  # fmt: skip
"""QEMU's names of formats, by the endings that files of them have; all else is raw."""

_CONTROLLERS = {
    "ahci": "ahci,id=ahci",
    "scsi": "virtio-scsi-pci,id=scsi",
    "usb": "qemu-xhci,id=usb",
    "sd": "sdhci-pci",
}
_DEVICES = {
    "ide": "ide-hd,bus=ide.{bus}",
    "ahci": "ide-hd,bus=ahci.{number}",
    "nvme": "nvme,serial={id}",
    "virtio": "virtio-blk-pci",
    "virtio-mmio": "virtio-blk-device",
    "scsi": "scsi-hd,bus=scsi.0",
    "usb": "usb-storage,bus=usb.0",
    "sd": "sd-card",
}
_CONTROLLERS_WITHOUT_PCI = {"scsi": "virtio-scsi-device,id=scsi"}
_DEVICES_WITHOUT_PCI = {"virtio": "virtio-blk-device", "usb": "usb-storage"}
_SLOTS = ("", "ide", "virtio", "sd", "floppy")
"""Interfaces that QEMU connects by itself, by ``if=`` alone."""

SECTORS = ("nvme", "virtio", "virtio-mmio", "scsi")
"""Interfaces that can have sectors of 4096 bytes."""


@dataclass(frozen=True, described=True)
class Drive:
    """A disk that a machine has.

    * ``source``: a `Disk`, an output of one, or the path of an image; its task runs first.
    * ``interface``: what it is connected by; see `Interface`.
    * ``readonly``: the guest sees that it can't write.
    * ``snapshot``: False lets the guest of a run write to it.  A boot test never does.
    * ``bootindex``: which the firmware tries first; 0 before 1.
    * ``id``: its name among QEMU's, for ``devices`` of yours; made up unless given.
    """

    source: Media
    _: KW_ONLY
    interface: Interface = ""
    readonly: bool = False
    snapshot: bool = True
    bootindex: int | None = None
    id: str = ""

    def problems(self, where: str) -> Iterator[Problem]:
        """Yield what is wrong with it."""
        yield from misuse_problems(self, f"{where}.")
        yield from kind_problems(self, f"{where}.", _KINDS)
        yield from media_problems(self.source, f"{where}.source")


def media_path(media: Media) -> str:
    """Return the path of what is in a drive."""
    if isinstance(media, Disk):
        return fspath(media.image)
    return fspath(media.path if isinstance(media, Output) else media)


def media_problems(media: object, where: str) -> Iterator[Problem]:
    """Yield a problem if that can't be in a drive."""
    if not (isinstance(media, (Disk, Output)) or (is_path(media) and media)):
        yield BadValue(where, f"{media!r} is given", "must be a Disk, an output such as Iso, or "
                       "the path of an image", "change it")


_KINDS = {
    "interface": Kind(
        lambda value: value in get_args(Interface),
        f"must be one of {', '.join(map(repr, get_args(Interface)))}", "leave it out if in doubt",
    ),
    "readonly": YES_OR_NO,
    "snapshot": YES_OR_NO,
    "bootindex": Kind(
        lambda value: value is None or is_number(value), "must be a number", "write for example 0"
    ),
    "id": Kind(
        lambda value: isinstance(value, str) and (not value or value.replace("-", "").isalnum()),
        "must be letters and digits", 'write for example "data"',
    ),
}  # fmt: skip


# The words ---------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Slot:
    """A drive as it is put into a machine: its file by its path, and its sectors in bytes."""

    path: str
    _: KW_ONLY
    id: str = ""
    format: str = "raw"
    interface: str = ""
    cdrom: bool = False
    readonly: bool = False
    snapshot: bool = True
    bootindex: int | None = None
    sector_size: int = 512


def slot_of(drive: Drive, path: str, id: str, *, snapshot: bool) -> Slot:
    """Return how a drive whose file is at ``path`` is put into a machine, as ``id`` unless it has
    one; ``snapshot`` keeps what a guest writes out of it.
    """
    return Slot(
        path, id=drive.id or id, format=format_of(path), interface=drive.interface,
        readonly=drive.readonly, snapshot=snapshot or drive.snapshot, bootindex=drive.bootindex,
        sector_size=drive.source.sector_size if isinstance(drive.source, Disk) else 512,
    )  # fmt: skip


def format_of(path: str) -> str:
    """Return QEMU's name for the format of a file."""
    return next((name for end, name in _FORMATS.items() if path.endswith(end)), "raw")


def slot_problems(
    slots: Sequence[tuple[str, Slot]], board: Board, machine: str
) -> Iterator[Problem]:
    """Yield what a board can't connect; ``slots`` come with the field that names the interface."""
    for where, slot in slots:
        interface = slot.interface or board.disk
        if not board.pci and interface in ("ahci", "nvme", "ide"):
            yield BadValue(
                where, f"it is {interface!r}", f"{machine!r} has no PCI bus for one",
                f"leave it out, or choose {board.disk or 'virtio-mmio'!r}",
            )
        if slot.sector_size != 512 and interface and interface not in (*SECTORS, "none"):
            yield BadValue(
                where, f"{interface!r} has sectors of 512 bytes only",
                f"the disk's have {slot.sector_size}", "choose 'virtio', 'nvme' or 'scsi'",
            )


def drive_words(slots: Sequence[Slot], board: Board) -> list[str]:
    """Return the words that connect the drives of a machine, in order."""
    words, seen = list[str](), Counter[str]()
    interfaces = [_interface(slot, board) for slot in slots]
    # QEMU puts a device on the place that it keeps for a drive with if=ide: one way for all.
    pairs = [*zip(slots, interfaces, strict=True)]
    named = any(it == "ide" and _needs_device(slot) for slot, it in pairs)
    for slot, wanted in pairs:
        interface = "ide" if named and not wanted else wanted
        number = seen[interface]
        seen[interface] += 1
        device = _needs_device(slot) or (named and interface == "ide") or (
            interface == "sd" and board.disk != "sd"  # a card reader that the board has not
        )
        form = f"format={slot.format}"
        if interface in _SLOTS and not device:
            by_qemu = f"if={interface}" if interface else ""
            words += ["-drive", _joined(form, by_qemu, _rest(slot))]
            continue
        id = slot.id or "disk"
        words += ["-drive", _joined(form, "if=none", f"id={id}", _rest(slot))]
        if interface == "none":
            continue
        if number == 0 and (controller := _controller(interface, board)):
            words += ["-device", controller]
        words += ["-device", _device(slot, interface, board, id, number)]
    return words


def _interface(slot: Slot, board: Board) -> str:
    """Return what a drive is connected by, which may be left to QEMU."""
    interface = slot.interface or board.disk
    if slot.cdrom and not slot.interface:
        return "scsi" if board.disk in ("virtio", "virtio-mmio") else "ide"
    if interface in ("", "ide") and slot.sector_size != 512:
        return "virtio"
    return interface or ("ide" if _needs_device(slot) else "")


def _needs_device(slot: Slot) -> bool:
    return slot.cdrom or slot.bootindex is not None or slot.sector_size != 512


def _controller(interface: str, board: Board) -> str:
    return (_CONTROLLERS if board.pci else _CONTROLLERS_WITHOUT_PCI).get(interface, "")


def _device(slot: Slot, interface: str, board: Board, id: str, number: int) -> str:
    pattern = _DEVICES[interface]
    if not board.pci:
        pattern = _DEVICES_WITHOUT_PCI.get(interface, pattern)
    if slot.cdrom:
        pattern = pattern.replace("-hd", "-cd")
    if pattern == "virtio-blk-device":  # its place, or QEMU would fill them from behind
        pattern += f",bus=virtio-mmio-bus.{number}"
    size = slot.sector_size
    return _joined(
        pattern.format(number=number, id=id, bus=number // board.ide_units), f"drive={id}",
        "" if size == 512 else f"logical_block_size={size},physical_block_size={size}",
        # QEMU's own first one is that of -kernel, a helper's of ours perhaps.
        "" if slot.bootindex is None else f"bootindex={slot.bootindex + 1}",
    )  # fmt: skip


def _rest(slot: Slot) -> str:
    return _joined(
        "media=cdrom" if slot.cdrom else "",
        "readonly=on" if slot.readonly or slot.cdrom else "",
        "snapshot=on" if slot.snapshot and not slot.cdrom else "",
        file_option(slot.path),
    )


def file_option(path: str) -> str:
    """Return QEMU's option for a file: commas end an option, a protocol's name may begin a path."""
    return f"file={plain(path).replace(',', ',,')}"


def _joined(*options: str) -> str:
    return ",".join(filter(None, options))
