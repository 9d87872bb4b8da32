"""Whether a machine can go on behind its firmware, and from which file: found, or taken now.

A state lies in the state folder of the disk.  Its name is a digest of all that decides about it,
so a changed machine, QEMU or firmware finds none, and a changed disk finds the same.
"""

import json
import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from typing import Any, NamedTuple

from doit_diskimg.host import folder
from doit_diskimg.host.hashing import CHUNK, digest_file
from doit_diskimg.host.machine import Signature
from doit_diskimg.host.qemu import firmware_state
from doit_diskimg.host.qemu.firmware_state import NotTakenError
from doit_diskimg.host.session import Session
from doit_diskimg.host.state import StateFolder, read_json, write_json
from doit_diskimg.kinds.machines.command import words
from doit_diskimg.plan.content import digest_of, hasher
from doit_diskimg.units import MIB

STATE, WHOLE, COLD = ".warm", ".warm.json", ".cold.json"
"""Endings of a state, of the digest that it has, and of the reason why there is none."""

_SECONDS = 120.0
"""How long a state may take: twenty times what it does."""

_KEPT = 3
"""States of one disk that stay, those that were used last: a run, a test, and one to change to."""

_NO_DISK = "any.img"
"""The disk's path where it does not matter."""

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
    nothing of how it is watched.  ``arch`` is QEMU's name of the architecture, ``cold`` a reason
    that the caller has for a cold start.
    """

    def __init__(
        self, state: StateFolder, line: Callable[[str], list[str]], arch: str, session: Session,
        cold: str = "",
    ) -> None:
        self._folder = state
        self.line = line
        self._helper = firmware_state.helper(arch)
        self._session = session
        self._cold = cold

    @property
    def folder(self) -> str:
        """Where the states lie."""
        return self._folder.path

    def ready(self, tell: Callable[[str], None]) -> Warm:
        """Return how to start; take the state if there is none, and tell so before."""
        try:
            if why := self.obstacle() or str(read_json(self._file(COLD)).get("why", "")):
                return Warm([], why)
            path = self._file(STATE)
            if taken := not self.is_there():
                tell("waiting for the firmware, once for this machine")
                self.take()
            os.utime(path)  # it is in use
            return Warm(firmware_state.resume(self._helper, os.path.abspath(path)), taken=taken)
        except (NotTakenError, OSError) as error:
            return Warm([], str(error))

    def obstacle(self) -> str:
        """Return why the machine can't start warm, empty if it may."""
        why = self._cold or obstacle(self.line(_NO_DISK))
        return why or ("" if self._helper else "there is no helper for its architecture")

    def is_there(self) -> bool:
        """Return whether there is a state that is as it was written.

        Of an empty one QEMU waits for more for ever, and one that was changed it believes.
        """
        state, record = self._file(STATE), self._file(WHOLE)
        try:
            return read_json(record).get("digest") == _digest(state)
        except OSError:
            return False

    def facts(self) -> dict[str, Any]:
        """Return what a state depends on; of all this QEMU compares next to nothing.

        Raises OSError.
        """
        program, *argv = self.line(_NO_DISK)
        paths = [path for path in files(argv) if os.path.isfile(path)]
        return {
            # An update is a new file; the version would say less, and has to be asked for.
            "QEMU": [*Signature.of(program)],
            "the arguments": argv,
            "the firmware": [digest_file(path, self._session)[1] for path in paths],
            "the helper": digest_file(self._helper, self._session)[1] if self._helper else "",
            "how a state is taken": firmware_state.FORMAT,
        }

    def take(self) -> None:
        """Take the state.  Raises NotTakenError, which is noted, and OSError."""
        name = os.path.basename(self._file(STATE))
        with (
            folder.entered(self._folder.path, make=True) as handle,
            _stand_in(handle, name) as disk,
        ):
            _remove_old(handle)
            line = self.line(os.path.join(self._folder.path, disk))
            try:
                folder.replace(handle, name, lambda state: firmware_state.take(
                    line, self._helper, state, _SECONDS,
                ))
            except NotTakenError as error:
                self._note(str(error))
                raise
        write_json(self._file(WHOLE), {"digest": _digest(self._file(STATE))})
        folder.unlink_in(self._file(COLD))

    def refused(self, warm: Warm) -> None:
        """QEMU did not go on from the state: that goes, and no new one comes if it was new."""
        folder.unlink_in(self._file(STATE))
        folder.unlink_in(self._file(WHOLE))
        if warm.taken:
            self._note("QEMU refuses the state that it wrote")

    def _note(self, why: str) -> None:
        write_json(self._file(COLD), {"why": why})

    def _file(self, ending: str) -> str:
        return self._folder.file(f"firmware-{self._key()}", ending)

    def _key(self) -> str:
        return digest_of(json.dumps(self.facts()).encode("ascii"))


def _digest(path: str) -> str:
    """Return the digest of a state, of which others may set the time meanwhile.  Raises OSError."""
    digest = hasher()
    with open(os.open(path, folder.READ), "rb", buffering=0) as file:
        while data := file.read(CHUNK):
            digest.update(data)
    return digest.hexdigest()


@contextmanager
def _stand_in(handle: int, name: str) -> Iterator[str]:
    """Yield the name, in the state folder, of an empty disk that is there meanwhile."""
    disk = folder.temporary_name(name)
    file = os.open(disk, folder.NEW, dir_fd=handle)
    try:
        with open(file, "wb") as opened:
            opened.truncate(_STAND_IN)
        yield disk
    finally:
        with suppress(FileNotFoundError):
            os.unlink(disk, dir_fd=handle)


def _remove_old(handle: int) -> None:
    """Remove the states that were not used for longest, so that few are left with a new one."""
    names = [name for name in os.listdir(handle) if name.endswith((STATE, WHOLE, COLD))]
    ours = [name for name in names if folder.is_ours(handle, name)]
    ours.sort(key=lambda name: os.stat(name, dir_fd=handle).st_mtime_ns, reverse=True)
    kept = [*dict.fromkeys(name.partition(".")[0] for name in ours)][: _KEPT - 1]
    for name in ours:
        if name.partition(".")[0] not in kept:
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
