"""The actions of `Qemu`, and what makes a boot test run again."""

import json
import os
import shlex
import time
from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from doit_diskimg.chain.facts import Facts, Found
from doit_diskimg.errors import BootFailed, DiskimgError, SourceMissing, WorldError
from doit_diskimg.frozen import dataclass
from doit_diskimg.host.hashing import digest_file
from doit_diskimg.host.paths import normal
from doit_diskimg.host.qemu import find as find_qemu
from doit_diskimg.host.qemu import guest, traces, verdict
from doit_diskimg.host.qemu.harmless import check_arguments, check_drives
from doit_diskimg.host.qemu.junit import Case, junit
from doit_diskimg.host.qemu.verdict import Expectation
from doit_diskimg.host.seal import sealed_digest
from doit_diskimg.host.state import StateFolder, host_failed, read
from doit_diskimg.kinds.machines import command
from doit_diskimg.kinds.machines.command import Host, Machine
from doit_diskimg.kinds.machines.console import ends_by
from doit_diskimg.plan.content import FORMAT, digest_of
from doit_diskimg.plan.recipe import plain
from doit_diskimg.tasks import SESSION
from doit_diskimg.tasks.action import failure_text
from doit_diskimg.tasks.boot_file import BootFile
from doit_diskimg.tasks.on_request import skipped
from doit_diskimg.tasks.turn import leave
from doit_diskimg.tasks.warming import warm_or_cold

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
        uefi = found is not None and found.how == "flash"
        machine = command.board_name(known, qemu.machine, uefi=uefi)
        accel = find_qemu.accel(known, machine) if qemu.accel == "auto" else qemu.accel
        return Host(find_qemu.program(qemu.qemu, known.package), found, accel)

    def check(self) -> None:
        """Raise WorldError if a file is missing that the user names, or a guest could do harm."""
        missing = [
            SourceMissing(field, f"there is no file {path!r}", "QEMU has to be given it", change)
            for field, path in self.qemu.files()
            if field != "arguments" and not os.path.exists(path)
            for change in ["fix the path, or add the task that makes it"]
        ]
        if missing:
            raise WorldError(*missing)
        check_arguments(self.qemu.arguments)

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
        for disk in self.qemu.disks():  # they are built by now: no doit shall wait for the guest
            leave(StateFolder(normal(disk.image)).file("lock"))
        try:
            self.check()
            machine, host = self._ready(), self.host()
            argv = self._argv(machine, host, gdb=gdb_port if gdb else 0)

            def start(more: Sequence[str], warm: bool) -> int | None:
                _say(f"{shlex.join([*argv, *more])}\n({ends_by(machine.wiring)} ends it)")
                if gdb:
                    program = find_qemu.debugger(self.qemu.architecture)
                    attach = f"target remote localhost:{gdb_port}"
                    _say(f"waiting for: {program} -ex {attach!r}{self._symbols()}")
                return guest.attend([*argv, *more], warm=warm)

            home = self.qemu.home
            return self._ended(warm_or_cold(self.qemu.warm, self.machine, host, home, start))
        except KeyboardInterrupt:
            return None  # while it waited for the firmware
        except DiskimgError as error:
            return self.failed(error)
        except OSError as error:
            return self.failed(host_failed(self.qemu.qemu, error, "start QEMU"))

    def argv(self, host: Host) -> list[str]:
        """Return QEMU's arguments, those of the disk as it is built."""
        return self._argv(self.machine, host, gdb=0)

    @staticmethod
    def _argv(machine: Machine, host: Host, *, gdb: int) -> list[str]:
        argv = command.command(machine, host)
        return argv + command.attended(machine, display=find_qemu.has_display(), gdb=gdb)

    def _symbols(self) -> str:
        """Return the file with symbols as the last word of a line that somebody types."""
        path = os.fspath(self.qemu.symbols)
        return f" {shlex.quote(plain(path) if path.startswith('-') else path)}" if path else ""

    def _ready(self) -> Machine:
        """Return the machine with the disk that it boots.  Raises WorldError."""
        check_drives(self.machine.drives)
        if not self.linked:
            return self.machine
        from doit_diskimg.host.linked_image import ready

        disk, *others = self.machine.drives
        linked = replace(disk, path=ready(disk.path), format="vmdk")
        return replace(self.machine, drives=(linked, *others))

    def _ended(self, status: int | None) -> "TaskFailed | None":
        good, way = self.qemu.debug_exit, self.qemu.architecture.exit
        number = None if good is None or way is None else way.number(status)
        if status in (None, 0) or number == good is not None:
            return None
        if number is None or way is None:
            found, must = f"it ended with status {status}", "0 is the one without trouble"
        else:
            found, must = f"the guest wrote {number:#x} to {way.where}", f"must be {good:#x}"
        return self.failed(WorldError(BootFailed("qemu", found, must, "see above")))


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
        for file in filter(None, (self.screenshot, self.junit)):
            file.check()
        began = time.monotonic()
        try:
            cases = self._cases(name, self._run(name))
        except DiskimgError as error:
            text = failure_text(self.qemu.name, error)
            cases = [Case(test or name, 0, text, text, True) for test, _ in self.tests]
            self._report(name, cases)
            raise
        self._report(name, cases)
        if not all(case.trouble for case in cases):
            _say(f"booted in {time.monotonic() - began:.1f} s")
        answers = [case.detail for case in cases]
        return dict(zip(dict(self.tests), answers, strict=True))

    def _run(self, name: str) -> guest.Ending:
        self.check()
        host, log = self.host(), traces.log(self._state, name)
        wishes, picture = [wish for _, wish in self.tests], self.screenshot
        path, claim = (picture.path, picture.claim) if picture else (None, None)

        def start(more: Sequence[str], warm: bool) -> guest.Ending:
            argv, screen = [*self.argv(host), *more], self.machine.wiring.console == "screen"
            return guest.boot(argv, log, wishes, path, claim, warm=warm, screen=screen)

        try:
            wanted = bool(self.qemu.warm)
            return warm_or_cold(wanted, self.machine, host, self.qemu.home, start)
        except KeyboardInterrupt:
            return guest.Ending(["it was interrupted" for _ in wishes])
        except OSError as error:
            raise host_failed(self.qemu.qemu, error, "start QEMU") from error

    def _cases(self, name: str, ending: guest.Ending) -> list[Case]:
        trace = traces.keep(self._state, name, ending, os.fspath(self.qemu.symbols))
        lines = verdict.tail(self._log(name)) if any(ending.troubles) else []
        tail = "".join(f"\n  | {line}" for line in lines) or "\n  (it said nothing)"
        must, cases = "the guest must do what the test says", list[Case]()
        times = ending.seconds or [0.0 for _ in ending.troubles]
        for (test, _), trouble, seconds in zip(self.tests, ending.troubles, times, strict=True):
            line = ""
            if trouble:
                where = f"{name}:{test}" if test else name
                problem = BootFailed(where, trouble + trace.where, must, trace.files)
                line = failure_text(self.qemu.name, WorldError(problem))
            cases.append(Case(test or name, seconds, line, line and line + tail))
        return cases

    def _report(self, name: str, cases: list[Case]) -> None:
        if self.junit is not None:
            self.junit.write(junit(name, cases, self._log(name)))

    def _log(self, name: str) -> bytes:
        return read(traces.log(self._state, name)) or b""

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

    @property
    def _state(self) -> StateFolder:
        return StateFolder(self.qemu.home)


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


def _say(text: str) -> None:
    from doit_diskimg.host.terminal import say

    say(text)
