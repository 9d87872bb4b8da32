"""What the actions of `Qemu` do: start a machine, before the user's eyes or to judge its guest."""

import os
import shlex
import time
from collections.abc import Sequence
from dataclasses import replace

from doit.exceptions import TaskFailed

from doit_diskimg.errors import BootFailed, DiskimgError, SourceMissing, WorldError
from doit_diskimg.host.linked_image import ready
from doit_diskimg.host.paths import normal
from doit_diskimg.host.qemu import find as find_qemu
from doit_diskimg.host.qemu import guest, traces, verdict
from doit_diskimg.host.qemu.harmless import check_arguments, check_drives
from doit_diskimg.host.qemu.junit import Case, junit
from doit_diskimg.host.state import StateFolder, host_failed, read
from doit_diskimg.host.terminal import say
from doit_diskimg.kinds.machines.command import Machine
from doit_diskimg.kinds.machines.console import ends_by
from doit_diskimg.kinds.machines.qemu_machine import QemuMachine
from doit_diskimg.plan.recipe import plain
from doit_diskimg.tasks.action import failure_text
from doit_diskimg.tasks.boots import Run, Test
from doit_diskimg.tasks.turn import leave
from doit_diskimg.tasks.warming import warm_or_cold


def check(qemu: QemuMachine) -> None:
    """Raise WorldError if a file is missing that the user names, or a guest could do harm."""
    missing = [
        SourceMissing(field, f"there is no file {path!r}", "QEMU has to be given it", change)
        for field, path in qemu.files()
        if field not in ("arguments", "program") and not os.path.exists(path)
        for change in ["fix the path, or add the task that makes it"]
    ]
    if missing:
        raise WorldError(*missing)
    check_arguments(qemu.arguments)


# Before the user's eyes --------------------------------------------------------------------------


def run(boot: Run, gdb: int) -> TaskFailed | None:
    """Boot; with a port for ``gdb``, which is not 0, wait for it before the first instruction."""
    for disk in boot.qemu.disks():  # they are built by now: no doit shall wait for the guest
        leave(StateFolder(normal(disk.image)).file("lock"))
    try:
        check(boot.qemu)
        machine, host = _ready(boot), boot.host()
        argv = boot.argv(host, machine, gdb=gdb)

        def start(more: Sequence[str], warm: bool) -> int | None:
            say(f"{shlex.join([*argv, *more])}\n({ends_by(machine.wiring)} ends it)")
            if gdb:
                program = find_qemu.debugger(boot.qemu.architecture)
                attach = f"target remote localhost:{gdb}"
                say(f"waiting for: {program} -ex {attach!r}{symbols_word(boot.qemu)}")
            return guest.attend([*argv, *more], warm=warm)

        home = boot.qemu.home
        return _ended(boot, warm_or_cold(boot.qemu.warm, boot.machine, host, home, start))
    except KeyboardInterrupt:
        return None  # while it waited for the firmware
    except DiskimgError as error:
        return boot.failed(error)
    except OSError as error:
        return boot.failed(host_failed(boot.qemu.qemu, error, "start QEMU"))


def symbols_word(qemu: QemuMachine) -> str:
    """Return the file with symbols as the last word of a line that somebody types."""
    path = os.fspath(qemu.symbols)
    return f" {shlex.quote(plain(path) if path.startswith('-') else path)}" if path else ""


def _ready(boot: Run) -> Machine:
    """Return the machine with the disk that it boots.  Raises WorldError."""
    check_drives(boot.machine.drives)
    if not boot.linked:
        return boot.machine
    disk, *others = boot.machine.drives
    linked = replace(disk, path=ready(disk.path), format="vmdk")
    return replace(boot.machine, drives=(linked, *others))


def _ended(boot: Run, status: int | None) -> TaskFailed | None:
    good, way = boot.qemu.debug_exit, boot.qemu.architecture.exit
    number = None if good is None or way is None else way.number(status)
    if status in (None, 0) or number == good is not None:
        return None
    if number is None or way is None:
        found, must = f"it ended with status {status}", "0 is the one without trouble"
    else:
        found, must = f"the guest wrote {number:#x} to {way.where}", f"must be {good:#x}"
    return boot.failed(WorldError(BootFailed("qemu", found, must, "see above")))


# To judge the guest ------------------------------------------------------------------------------


def answers(test: Test, name: str) -> dict[str, str]:
    """Boot once, as ``name``; return for each test how it failed, empty if it passed.

    Raises WorldError.
    """
    for file in filter(None, (test.screenshot, test.junit)):
        file.check()
    began = time.monotonic()
    try:
        cases = _cases(test, name, _judged(test, name))
    except DiskimgError as error:
        text = failure_text(test.qemu.name, error)
        _report(test, name, [Case(one or name, 0, text, text, True) for one, _ in test.tests])
        raise
    _report(test, name, cases)
    if not all(case.trouble for case in cases):
        say(f"booted in {time.monotonic() - began:.1f} s")
    return dict(zip(dict(test.tests), (case.detail for case in cases), strict=True))


def _judged(test: Test, name: str) -> guest.Ending:
    check(test.qemu)
    host, log = test.host(), traces.log(_state(test), name)
    wishes, picture = [wish for _, wish in test.tests], test.screenshot
    path, claim = (picture.path, picture.claim) if picture else (None, None)

    def start(more: Sequence[str], warm: bool) -> guest.Ending:
        argv, screen = [*test.argv(host), *more], test.machine.wiring.console == "screen"
        return guest.boot(argv, log, wishes, path, claim, warm=warm, screen=screen)

    try:
        return warm_or_cold(bool(test.qemu.warm), test.machine, host, test.qemu.home, start)
    except KeyboardInterrupt:
        return guest.Ending(["it was interrupted" for _ in wishes])
    except OSError as error:
        raise host_failed(test.qemu.qemu, error, "start QEMU") from error


def _cases(test: Test, name: str, ending: guest.Ending) -> list[Case]:
    trace = traces.keep(_state(test), name, ending, os.fspath(test.qemu.symbols))
    lines = verdict.tail(_log(test, name)) if any(ending.troubles) else []
    tail = "".join(f"\n  | {line}" for line in lines) or "\n  (it said nothing)"
    must, cases = "the guest must do what the test says", list[Case]()
    times = ending.seconds or [0.0 for _ in ending.troubles]
    for (one, _), trouble, seconds in zip(test.tests, ending.troubles, times, strict=True):
        line = ""
        if trouble:
            where = f"{name}:{one}" if one else name
            problem = BootFailed(where, trouble + trace.where, must, trace.files)
            line = failure_text(test.qemu.name, WorldError(problem))
        cases.append(Case(one or name, seconds, line, line and line + tail))
    return cases


def _report(test: Test, name: str, cases: list[Case]) -> None:
    if test.junit is not None:
        test.junit.write(junit(name, cases, _log(test, name)))


def _log(test: Test, name: str) -> bytes:
    return read(traces.log(_state(test), name)) or b""


def _state(test: Test) -> StateFolder:
    return StateFolder(test.qemu.home)
