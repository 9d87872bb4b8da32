"""The actions of `Qemu`, and what makes a boot test run again."""

import json
import os
import shlex
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from doit_diskimg.chain.facts import Facts, Found
from doit_diskimg.errors import DiskimgError
from doit_diskimg.frozen import dataclass
from doit_diskimg.host.hashing import digest_file
from doit_diskimg.host.paths import normal
from doit_diskimg.host.qemu import find as find_qemu
from doit_diskimg.host.qemu.verdict import Expectation
from doit_diskimg.host.seal import sealed_digest
from doit_diskimg.host.state import host_failed
from doit_diskimg.kinds.machines import command
from doit_diskimg.kinds.machines.command import Host, Machine
from doit_diskimg.plan.content import FORMAT, digest_of
from doit_diskimg.tasks import SESSION
from doit_diskimg.tasks.action import failure_text
from doit_diskimg.tasks.boot_file import BootFile
from doit_diskimg.tasks.on_request import skipped

if TYPE_CHECKING:
    from doit.exceptions import TaskFailed

    from doit_diskimg.tasks.qemu_task import Qemu


@dataclass(frozen=True)
class Boot:
    """What the actions of a machine have in common."""

    qemu: "Qemu"
    machine: Machine

    def host(self) -> Host:
        """Look for what the machine needs of the host.  Raises WorldError."""
        qemu, known = self.qemu, self.qemu.architecture
        found = qemu.given_firmware or find_qemu.firmware(known, str(qemu.firmware))
        machine = command.board_name(known, qemu.machine, uefi=command.is_uefi(found))
        accel = find_qemu.accel(known, machine) if qemu.accel == "auto" else qemu.accel
        return Host(find_qemu.program(qemu.qemu, known.package), found, accel)

    def failed(self, error: DiskimgError, more: str = "") -> "TaskFailed":
        """Return what doit is told."""
        from doit.exceptions import TaskFailed

        return TaskFailed(failure_text(self.qemu.name, error) + more)


@dataclass(frozen=True)
class Run(Boot):
    """Boots before the user's eyes."""

    linked: bool = False

    def __call__(self, task: Any, gdb: bool, gdb_port: int) -> "TaskFailed | None":
        """Called by doit."""
        if skipped(task):
            return None
        from doit_diskimg.tasks.booting import run

        return run(self, gdb_port if gdb else 0)

    def argv(self, host: Host, machine: Machine | None = None, *, gdb: int = 0) -> list[str]:
        """Return QEMU's arguments, those of the disk as it is built unless given a machine."""
        machine = machine or self.machine
        argv = command.command(machine, host)
        return argv + command.attended(machine, display=find_qemu.has_display(), gdb=gdb)


class Told:
    """What QEMU is told by a `Run` or a `Test`, for `doit info`: found out when somebody asks."""

    def __init__(self, boot: Any) -> None:
        self._boot = boot

    def __repr__(self) -> str:
        try:
            return shlex.join(self._boot.argv(self._boot.host()))
        except DiskimgError as error:
            return str(error)


@dataclass(frozen=True)
class Test(Boot):
    """Boots in secret and fails if the guest does not do what is wished.

    ``tests`` are all that one boot answers, each with its name, which is empty if it is the only
    one; of all of them the end of the machine is the same.
    """

    tests: tuple[tuple[str, Expectation], ...]
    screenshot: BootFile | None = None
    junit: BootFile | None = None

    def __call__(self, task: Any) -> "TaskFailed | None":
        """Called by doit."""
        if skipped(task):
            return None
        try:
            (answer,) = self.boot(task.name).values()
        except DiskimgError as error:
            return self.failed(error)
        return self.failure(answer)

    def failure(self, answer: str) -> "TaskFailed | None":
        """Return what doit is told of an answer, which is empty if the test has passed."""
        from doit.exceptions import TaskFailed

        return TaskFailed(answer) if answer else None

    def boot(self, name: str) -> dict[str, str]:
        """Boot once, as ``name``; return for each test how it failed, empty if it passed.

        Raises WorldError.
        """
        from doit_diskimg.tasks.booting import answers

        return answers(self, name)

    def argv(self, host: Host) -> list[str]:
        """Return QEMU's arguments."""
        watched = command.watched(self.machine, stay=all(wish.stays for _, wish in self.tests))
        return command.command(self.machine, host) + watched

    def expected(self, name: str) -> object:
        """Return what is expected by one of the tests, for comparison.

        What one of them types, the others may see the effect of: then all decide about each.
        """
        all_of_them = {test: [it.said, it.forbid, it.status] for test, it in self.tests}
        types = any(it.types for _, it in self.tests)
        return all_of_them if types else all_of_them[name]

def facts_of(test: Test, name: str = "") -> Facts:
    """Return everything that decides about a test, except time: ``name`` is which of a boot's."""

    def find(before: Found) -> Found:
        try:
            host = test.host()
            files = sorted({path for field, path in test.qemu.files() if field != "firmware"})
            # The program's version stands for it: an update of QEMU need not change its path.
            return {
                "the image": [sealed_digest(image) for image in images],
                "QEMU's version": find_qemu.version(host.program),
                "the firmware": _digests(host.firmware.files if host.firmware else ()),
                "the arguments": _digest([FORMAT, test.argv(host)[1:]]),
                "the files in the machine": _digests(files),
                "what is expected": _digest(test.expected(name)),
            }
        except OSError as error:
            raise host_failed(test.qemu.qemu, error, "look what is booted") from error

    def unmet() -> str:
        return "" if all(map(sealed_digest, images)) else _NOT_SEALED

    images = [normal(disk.image) for disk in test.qemu.disks()]
    return Facts(find, unmet=unmet, first="it has not passed yet")


_NOT_SEALED = "the image is not as the last build left it"


def _digest(value: object) -> str:
    return digest_of(json.dumps(value).encode("utf-8"))


def _digests(paths: Iterable[str]) -> str:
    """Return one digest of the contents of those ``paths`` that are files."""
    return _digest([digest_file(path, SESSION)[1] for path in paths if os.path.isfile(path)])
