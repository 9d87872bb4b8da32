"""What a field of a machine may hold, and what is wrong with one that holds something else."""

from collections.abc import Iterator, Mapping
from typing import get_args

from doit_diskimg.disk.fields import YES_OR_NO, Kind, is_number, is_path, shown
from doit_diskimg.disk.model import Disk
from doit_diskimg.errors import BadSize, BadValue, Problem
from doit_diskimg.kinds.machines.architecture import Exit, Firmware
from doit_diskimg.kinds.machines.drives import Interface
from doit_diskimg.units import MIB, SizeLike, parse_size


def _is_text(value: object) -> bool:
    return value == "" or (isinstance(value, str) and is_path(value))  # no program takes another


def _are_texts(value: object) -> bool:
    return isinstance(value, (list, tuple)) and all(map(_is_text, value))


_TEXT = Kind(_is_text, "must be text", "leave it out if in doubt")
_PATH = Kind(
    lambda value: value == "" or is_path(value), "must be a path", "leave it out if in doubt"
)
KINDS = {
    "disk": Kind(
        lambda value: value is None or isinstance(value, Disk), "must be a Disk(...) or None",
        "give the disk, not its path",
    ),
    "arch": Kind(lambda value: _is_text(value) and value != "", "must be text",
                 "write for example 'aarch64'"),
    "machine": _TEXT,
    "cpu": _TEXT,
    "cores": Kind(
        lambda value: value is None or value in range(1, 1 << 16),
        "must be a number from 1", "leave it out if in doubt",
    ),
    "interface": Kind(
        lambda value: value in get_args(Interface),
        f"must be one of {', '.join(map(repr, get_args(Interface)[1:]))}",
        "leave it out if in doubt",
    ),
    "kernel": _PATH,
    "initrd": _PATH,
    "append": _TEXT,
    "dtb": _PATH,
    "console": _TEXT,
    "monitor": _TEXT,
    "network": _TEXT,
    "accel": Kind(
        lambda value: value in ("auto", "kvm", "tcg"), "must be 'auto', 'kvm' or 'tcg'",
        "choose one",
    ),
    "warm": Kind(
        lambda value: value is None or isinstance(value, bool), "must be True, False or None",
        "leave it out if in doubt",
    ),
    "symbols": _PATH,
    "program": _PATH,
    "snapshot": YES_OR_NO,
    "drives": Kind(
        lambda value: isinstance(value, (list, tuple)), "must be a list of drives",
        "write for example [Drive(data)]",
    ),
}  # fmt: skip


def list_problems(described: object) -> Iterator[Problem]:
    """Yield what is wrong with the fields that are lists of texts."""
    for name in ("arguments", "serial", "devices"):
        value = getattr(described, name)
        if isinstance(value, str):
            yield BadValue(name, f"{value!r} is one text", "must be a list with a "
                           "text for each word", f"write {value.split()!r}")
        elif not _are_texts(value):
            yield BadValue(name, f"{shown(value)} is given", "must be a list with a text for each "
                           "word", 'write for example ["-smp", "2"]')


def firmware_problems(
    firmware: object, kernel: object, known: Mapping[str, Firmware | None]
) -> Iterator[Problem]:
    """Yield what is wrong with a firmware, of which an architecture has the ``known`` names."""
    pair = (
        isinstance(firmware, (tuple, list)) and len(firmware) == 2 and all(map(is_path, firmware))
    )
    # A name has no slash and no dot.
    path = {"/", "."} & {*firmware} if isinstance(firmware, str) else is_path(firmware)
    if not pair and not path and firmware not in ("", *known):
        names = ", ".join(map(repr, known))
        yield BadValue("firmware", f"{firmware!r} is unknown",
                       f"must be {names + ', ' if names else ''}a path or a pair of paths",
                       "write for example ('OVMF_CODE.fd', 'OVMF_VARS.fd')")
    how = known.get(firmware) if isinstance(firmware, str) else None
    if how is not None and how.how == "kernel" and kernel:
        yield BadValue("kernel", f"QEMU starts {firmware!r} in its place", "one of the two can be "
                       "the kernel", "leave one out")


def memory_problems(memory: SizeLike) -> Iterator[Problem]:
    """Yield what is wrong with a size of memory."""
    try:
        size = parse_size(memory)
    except ValueError as error:
        yield BadSize("memory", str(error), 'must be bytes or text such as "256MiB"', "fix it")
        return
    if size == 0 or size % MIB:
        yield BadSize("memory", f"{memory!r} is {size:,} bytes", "must be a multiple of 1 MiB",
                      'write for example "256MiB"')


def exit_problems(number: object, way: Exit | None, arch: str) -> Iterator[Problem]:
    """Yield what is wrong with the number with which a guest is to end QEMU."""
    if way is None:
        yield BadValue("debug_exit", f"it is {number!r}", f"{arch} has no such device",
                       "leave it out")
    elif not is_number(number) or number not in range(way.least, way.most + 1):
        status = "twice that and 1" if way.doubled else "the same, and 1 is its own"
        yield BadValue("debug_exit", f"it is {number!r}", f"must be a byte from {way.least} to "
                       f"{way.most}, since QEMU's status is {status}", "choose another byte")
