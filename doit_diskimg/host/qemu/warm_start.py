"""Whether a machine can go on behind its firmware, and from which file: found, or taken now.

A state lies in the state folder of the disk.  Its name is a digest of all that decides about it,
so a changed machine, QEMU or firmware finds none, and a changed disk finds the same.
"""

import json
import os
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from typing import NamedTuple

from doit_diskimg.host import folder
from doit_diskimg.host.hashing import digest_file
from doit_diskimg.host.machine import Signature
from doit_diskimg.host.qemu import firmware_state
from doit_diskimg.host.qemu.firmware_state import NotTakenError
from doit_diskimg.host.session import Session
from doit_diskimg.host.state import StateFolder, read_json, write_json
from doit_diskimg.kinds.machines.command import words
from doit_diskimg.plan.content import digest_of
from doit_diskimg.units import MIB

STATE, COLD = ".warm", ".cold.json"
"""Endings of a state and of the reason why there is none."""

_SECONDS = 120.0
"""How long a state may take: twenty times what it does."""

_KEPT = 4
"""States of one disk that stay, those that were used last: a run, a test, and one to change to."""

_STAND_IN = 64 * MIB
"""Length of the empty disk that the firmware does not look at."""


class Warm(NamedTuple):
    """How to start a machine: with these words more, or cold for that reason."""

    more: list[str]
    cold: str = ""
    taken: bool = False
    """Whether the state was taken just now."""


class Warmth:
    """The states of a machine.

    ``line`` returns QEMU's arguments for a disk image: what every start of the machine has, and
    nothing of how it is watched.  ``arch`` is QEMU's name of the architecture.
    """

    def __init__(
        self, state: StateFolder, line: Callable[[str], list[str]], arch: str, session: Session
    ) -> None:
        self._folder = state
        self.line = line
        self._helper = firmware_state.helper(arch)
        self._session = session

    @property
    def folder(self) -> str:
        """Where the states lie."""
        return self._folder.path

    def ready(self) -> Warm:
        """Return how to start; take the state if there is none.  Raises OSError."""
        if why := self.obstacle():
            return Warm([], why)
        if why := str(read_json(self._file(COLD)).get("why", "")):
            return Warm([], why)
        path = self._file(STATE)
        taken = not os.path.exists(path)
        if taken:
            try:
                self.take()
            except NotTakenError as error:
                return Warm([], str(error))
        else:
            os.utime(path)  # it is in use
        return Warm(firmware_state.resume(self._helper, os.path.abspath(path)), taken=taken)

    def obstacle(self) -> str:
        """Return why the machine can't start warm, empty if it may."""
        why = obstacle(self.line(""))
        return why or ("" if self._helper else "there is no helper for its architecture")

    def is_there(self) -> bool:
        """Return whether the state, or the reason why there is none, is known."""
        return any(os.path.exists(self._file(ending)) for ending in (STATE, COLD))

    def take(self) -> None:
        """Take the state.  Raises NotTakenError, which is noted, and OSError."""
        with folder.entered(self._folder.path, make=True) as handle:
            _remove_old(handle)
        with (
            tempfile.NamedTemporaryFile(suffix=".img") as disk,
            tempfile.TemporaryFile(dir=self._folder.path) as state,
        ):
            disk.truncate(_STAND_IN)
            try:
                firmware_state.take(
                    self.line(disk.name), self._helper, state.fileno(), _SECONDS
                )
            except NotTakenError as error:
                self._note(str(error))
                raise
            self._keep(state.fileno())

    def refused(self, warm: Warm) -> None:
        """QEMU did not go on from the state: that goes, and no new one comes if it was new."""
        folder.unlink_in(self._file(STATE))
        if warm.taken:
            self._note("QEMU refuses the state that it wrote")

    def _keep(self, state: int) -> None:
        with folder.entered(self._folder.path) as handle:
            name = os.path.basename(self._file(STATE))
            folder.replace(handle, name, lambda file: _packed(state, file))
            with suppress(FileNotFoundError):
                os.unlink(os.path.basename(self._file(COLD)), dir_fd=handle)

    def _note(self, why: str) -> None:
        write_json(self._file(COLD), {"why": why})

    def _file(self, ending: str) -> str:
        return self._folder.file(f"firmware-{self._key()}", ending)

    def _key(self) -> str:
        """Return a digest of what a state depends on; of all this QEMU compares next to nothing."""
        program, *argv = self.line("")
        paths = [self._helper, *files(argv)]
        contents = [digest_file(path, self._session)[1] for path in paths if os.path.isfile(path)]
        # An update of QEMU is a new file; its version would say less, and has to be asked for.
        facts = [firmware_state.FORMAT, [*Signature.of(program)], argv, contents]
        return digest_of(json.dumps(facts).encode("ascii"))


def _packed(state: int, file: int) -> None:
    if not firmware_state.pack(state, file):
        os.ftruncate(file, 0)
        size = os.fstat(state).st_size
        at = 0
        while at < size:
            at += os.sendfile(file, state, at, size - at)


def _remove_old(handle: int) -> None:
    """Remove the states that were not used for longest, so that few are left with a new one."""
    names = [name for name in os.listdir(handle) if name.endswith((STATE, COLD))]
    ours = [name for name in names if folder.is_ours(handle, name)]
    ours.sort(key=lambda name: os.stat(name, dir_fd=handle).st_mtime_ns, reverse=True)
    for name in ours[_KEPT - 1 :]:
        os.unlink(name, dir_fd=handle)


# What the words say ------------------------------------------------------------------------------

_NEVER = {
    "-kernel": "it starts a kernel without the firmware",
    "-bios": "its firmware is one file, which keeps its variables on the disk",
    "-incoming": "it goes on from a state of its own",
    "-loadvm": "it goes on from a state of its own",
    "-S": "it waits before its first instruction",
    "-serial": "its serial ports are not ours, and the helper speaks there",
    "-nographic": "its serial ports are not ours, and the helper speaks there",
}
"""Options with the reason why a machine that has one starts cold."""

_MACHINES = ("q35", "pc", "virt")
"""Machines whose firmware starts a helper, and those of their versions (``pc-q35-7.2``)."""

_NVME = ("nvme", "driver=nvme")
"""What names the disk that QEMU calls a non-migratable device."""

_DISKS = {
    "-drive", "-cdrom", "-hda", "-hdb", "-hdc", "-hdd", "-fda", "-fdb", "-sd", "-mtdblock",
}  # fmt: skip
"""Options that name disks, which the firmware has not looked at when the state is taken."""


def obstacle(argv: Sequence[str]) -> str:
    """Return why a machine with these arguments can't start warm, empty if it may."""
    options = [*_options(argv)]
    for option, value in options:
        if option in _NEVER:
            return _NEVER[option]
        if option == "-device" and value.split(",")[0].startswith(_NVME):
            return "QEMU writes no state of a machine with an NVMe disk"
        if option in ("-machine", "-M") and not _is_known(value):
            return f"no helper knows the machine {value!r}"
    flash = [set(value.split(",")) for option, value in options if "if=pflash" in value.split(",")]
    if not flash:
        return "its firmware is not UEFI on flash chips"
    everything = any(option == "-snapshot" for option, _ in options)
    if not everything and not all(chip & {"snapshot=on", "readonly=on"} for chip in flash):
        return "the state would overwrite its file of variables"
    return ""


def files(argv: Sequence[str]) -> Iterator[str]:
    """Yield the texts that may be paths of files and decide about a state: all but disks."""
    for option, value in _options(argv):
        if option not in _DISKS or "if=pflash" in value.split(","):
            yield from words([value])


def _options(argv: Sequence[str]) -> Iterator[tuple[str, str]]:
    """Yield options with their values, and alone those that have none.

    No list of options is needed: what does not begin with a dash belongs to what does.
    """
    option = ""
    for word in argv:
        if word.startswith("-"):
            if option:
                yield option, ""
            option = "-" + word.lstrip("-")
        elif option:
            yield option, word
            option = ""
    if option:
        yield option, ""


def _is_known(value: str) -> bool:
    fields = value.split(",")
    named = [field.removeprefix("type=") for field in fields if field.startswith("type=")]
    name = (named or fields)[0]
    if "=" in name:  # other properties alone: -machine may be given more than once
        return True
    return name in _MACHINES or name.startswith(("pc-", "virt-"))
