"""Starts a machine behind its firmware where it may, and cold otherwise."""

import os
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import TypeVar

from doit_diskimg.host.qemu.guest import StateRefusedError
from doit_diskimg.host.qemu.warm_start import Warm, Warmth, files
from doit_diskimg.host.state import StateFolder
from doit_diskimg.host.terminal import say
from doit_diskimg.kinds.machines.command import Host, Machine, command, is_uefi
from doit_diskimg.tasks import SESSION

_T = TypeVar("_T")


def warmth_of(machine: Machine, host: Host, home: str) -> Warmth:
    """Return the states of a machine, which lie in the state folder of ``home``.

    What is in the drives does not count, nor whether guests may write there, so that a run and a
    test have one state.
    """

    def line(image: str) -> list[str]:
        drives = [replace(it, path=image, format="raw", snapshot=True) for it in machine.drives]
        return command(replace(machine, drives=tuple(drives)), host)

    ours = machine.wiring.console == "serial" and not machine.wiring.serial
    cold = "" if ours else "its console is not the first serial port"
    return Warmth(StateFolder(home), line, machine.architecture.name, SESSION, cold)


def warm_or_cold(
    wanted: bool | None,
    machine: Machine,
    host: Host,
    home: str,
    start: Callable[[Sequence[str], bool], _T],
) -> _T:
    """Start a machine; None wants it warm where that helps, and says nothing where it does not.

    ``start`` gets the words to add, and whether they are those of a warm start.
    """
    if wanted is None:
        emulated_uefi = is_uefi(host.firmware) and host.accel == "tcg"
        wanted = emulated_uefi and not machine.kernel and not _has_files(machine)
    if not wanted:
        return start([], False)
    warmth = warmth_of(machine, host, home)
    warm = warmth.ready(say)
    if warm.more:
        try:
            return start(warm.more, True)
        except StateRefusedError:
            warmth.refused(warm)
            warm = Warm([], "QEMU refuses the state behind the firmware")
    say(f"starts cold: {warm.cold}")
    return start([], False)


def _has_files(machine: Machine) -> bool:
    """Return whether files of the user's are in the state, which would be taken at every edit."""
    devices = [word for device in machine.devices for word in ("-device", device)]
    return any(map(os.path.isfile, files([*machine.wiring.arguments, *devices])))
