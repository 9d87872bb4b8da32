"""What a boot leaves in the state folder: its log, and when it failed a picture of the screen.

The log of the last failure stays until the next one, under a second name: who starts a test again
to see whether it fails twice shall not lose the only log of a rare fault.
"""

import os
from contextlib import suppress
from typing import NamedTuple

from doit_diskimg.errors import WorldError
from doit_diskimg.host import folder
from doit_diskimg.host.qemu.guest import Ending
from doit_diskimg.host.state import StateFolder, write
from doit_diskimg.ondisk.elf import Elf

LOG, FAILED_LOG, SCREEN = ".serial.log", ".failed.log", ".failed.png"


class Traces(NamedTuple):
    """What a message says of a failed boot."""

    where: str
    """Where the processor stood, with a comma before it; empty if nobody knows."""
    files: str
    """Which files tell more."""


def log(state: StateFolder, name: str) -> str:
    """Return the path of the log of the last boot of the test ``name``."""
    return state.file(name, LOG)


def keep(state: StateFolder, name: str, report: Ending, symbols: str) -> Traces:
    """Keep what a boot left if it failed; ``symbols`` is an ELF file, or empty.

    Raises WorldError.
    """
    if not any(report.troubles):
        return Traces("", "")
    failed, screen = state.file(name, FAILED_LOG), state.file(name, SCREEN)
    files = f"the console's log is {log(state, name)!r}"
    with suppress(OSError):  # of a file system without hard links
        folder.unlink_in(failed)
        os.link(log(state, name), failed)
    if report.screen:
        write(screen, report.screen)
        files += f", its screen {screen!r}"
    else:
        with suppress(OSError):
            folder.unlink_in(screen)  # it would be of another boot
    stood = report.stood
    if stood is None:
        return Traces("", files)
    symbol = symbol_at(symbols, stood.address) if symbols else ""
    return Traces(f", {stood}" + (f" ({symbol})" if symbol else ""), files)


def symbol_at(path: str, address: int) -> str:
    """Return the function of an ELF file that an address lies in, empty if it can't be told."""
    try:
        with open(path, "rb") as file:
            return Elf(file.read(), path, "symbols").at(address)
    except (OSError, WorldError):
        return ""  # a name is more than a message needs: one of the gdb line may be of a stub
