"""What a guest may write to: regular files that one name leads to, and no device of the host."""

import os
import re
import stat
from collections.abc import Iterator, Sequence

from doit_diskimg.errors import BootFailed, WorldError
from doit_diskimg.host.machine import kind_of
from doit_diskimg.kinds.machines.command import words
from doit_diskimg.kinds.machines.drives import Slot

_GUARDS = {"readonly=on", "read-only=on", "snapshot=on"}


def check_drives(drives: Sequence[Slot]) -> None:
    """Raise WorldError if a guest may write to a drive whose file is not its own."""
    for drive in drives:
        if not (drive.snapshot or drive.readonly or drive.cdrom):
            _check_writable(drive.path)


def _check_writable(image: str) -> None:
    """Raise WorldError if what a guest writes to the image would be written to something else."""
    try:
        found = os.stat(image)
    except OSError:
        return  # QEMU will say so
    if not stat.S_ISREG(found.st_mode):
        raise WorldError(BootFailed(
            image, f"it is a {kind_of(found.st_mode)}", "with snapshot=False the guest would "
            "write to it", "name a regular file, or leave snapshot out",
        ))
    if found.st_nlink > 1:
        raise WorldError(BootFailed(
            image, f"it has {found.st_nlink} names (hard links)",
            "with snapshot=False the guest would write to what the others name, too",
            "make the other name a copy, or leave snapshot out",
        ))


def check_arguments(arguments: Sequence[str]) -> None:
    """Raise WorldError if the user's own words let a guest write to a device of the host."""
    options = ["", *arguments]
    for option, argument in zip(options, arguments, strict=False):
        guarded = "-snapshot" in arguments or not _GUARDS.isdisjoint(argument.split(","))
        if option.lstrip("-") == "append":
            continue  # what it names are the guest's own devices
        if not guarded and any(map(_is_block_device, _paths(argument))):
            raise WorldError(BootFailed(
                "arguments", f"{argument!r} names a block device of this computer",
                "the guest would write to it", "add snapshot=on or readonly=on",
            ))


def _paths(argument: str) -> Iterator[str]:
    """Yield what may be paths: alone, behind the name of a protocol (``file:PATH``), in JSON."""
    for word in words([argument]):
        yield word
        yield from re.split(r'[:"{}]', word)


def _is_block_device(path: str) -> bool:
    try:
        return stat.S_ISBLK(os.stat(path).st_mode)
    except (OSError, ValueError):
        return False
