"""`Qemu`: a machine to boot a disk in, as tasks.

``run`` boots it before the user's eyes, ``test`` in secret and only when something changed.
"""

import os
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import KW_ONLY
from typing import Any, Literal

from doit_diskimg.disk.fields import (
    YES_OR_NO,
    Kind,
    is_path,
    kind_problems,
    misuse_problems,
    path_problems,
)
from doit_diskimg.disk.model import Disk
from doit_diskimg.errors import BadSize, BadValue, Problem
from doit_diskimg.frozen import dataclass
from doit_diskimg.host.paths import normal
from doit_diskimg.host.qemu.command import DEBUG_EXIT_PORT, Flash, Machine
from doit_diskimg.host.qemu.verdict import Expectation
from doit_diskimg.host.state import StateFolder
from doit_diskimg.units import MIB, SizeLike, parse_size

_Task = dict[str, Any]

_GDB = {
    "name": "gdb",
    "long": "gdb",
    "type": bool,
    "default": False,
    "help": "let the machine wait for gdb before its first instruction",
}


@dataclass(frozen=True, described=True)
class Qemu:
    """A PC with ``disk`` in it, which boots from it.

    * ``firmware``: ``"bios"``, ``"uefi"`` (OVMF, found where systems keep it), or a pair of paths:
      UEFI's code and its variables.
    * ``memory``: bytes, or text such as ``"256MiB"``; a multiple of 1 MiB.
    * ``machine``, ``cpu``: names that QEMU knows (``q35``, ``max``); QEMU chooses if they are
      empty, but UEFI gets a ``q35``.
    * ``interface``: what the disk is connected by: ``"ide"``, ``"virtio"``, ``"floppy"``; QEMU
      chooses if it is empty.
    * ``accel``: ``"kvm"`` or ``"tcg"``; ``"auto"`` is KVM where the host can.
    * ``debug_exit``: a guest that is content writes this byte (1 to 127) to port 0xF4 and so ends
      QEMU; every other byte is a failure.  Adds the device isa-debug-exit.
    * ``snapshot``: False lets the guest of `run` write to the image (and `doit` builds it anew).
    * ``symbols``: an ELF file with symbols, named in the line to type for gdb.
    * ``arguments``: what else QEMU is to be told, after everything of ours.
    * ``program``: QEMU itself, a name in PATH or a path.
    """

    disk: Disk
    _: KW_ONLY
    firmware: str | tuple[str, str] = "bios"
    memory: SizeLike | None = None
    machine: str = ""
    cpu: str = ""
    interface: str = ""
    accel: Literal["auto", "kvm", "tcg"] = "auto"
    debug_exit: int | None = None
    snapshot: bool = True
    symbols: str = ""
    arguments: Sequence[str] = ()
    program: str = "qemu-system-x86_64"

    def run_task(self, *, image: Literal["built", "linked"] = "built") -> _Task:
        """Return a task that builds the image if it is stale and boots it.

        With ``image="linked"`` it boots the linked image instead (`Disk.linked`, whose task must be
        there too), and nothing is copied; no guest ever writes to that one.

        The guest's first serial port is the terminal, its screen a window if there can be one.
        The task runs when it is named (``doit boot``) and never because `doit` alone runs
        everything.  With ``--gdb`` the machine waits for gdb.
        """
        from doit_diskimg.tasks.boots import Run
        from doit_diskimg.tasks.on_request import OnRequest

        _refuse(self, [*self._problems(), *_image_problems(image, self.snapshot)])
        action = Run(self, self._machine(self.snapshot), linked=image == "linked")
        task = {**self._task(action, OnRequest()), "params": [_GDB]}
        return {**task, "task_dep": [f"{self.disk.name}:linked"]} if action.linked else task

    def test_task(
        self,
        *,
        expect: str | None = None,
        forbid: str | None = None,
        timeout: float = 60,
        screenshot: str | os.PathLike[str] | None = None,
    ) -> _Task:
        """Return a task that boots the image without a screen and judges what it says.

        ``expect`` is a regular expression that must be found in a line of the serial port,
        ``forbid`` one that must be found in none until then; ``timeout`` is in seconds.  With
        ``debug_exit`` the guest must end QEMU with that byte, too.  ``screenshot`` is the path of
        a PNG file, a target, which shows the screen when the expected line came; the device
        isa-debug-exit is left out then, since the machine has to stay.

        The task runs when it is asked for, and only if the image's contents, QEMU's version, the
        firmware, the arguments or the patterns changed.  The guest never writes to the image.
        """
        from doit_diskimg.tasks.action import AsBefore, CleanFile
        from doit_diskimg.tasks.boots import Test, facts_of
        from doit_diskimg.tasks.on_request import OnRequest
        from doit_diskimg.tasks.turn import in_turn

        status = None if self.debug_exit is None else 2 * self.debug_exit + 1
        wish = Expectation(expect, forbid, None if screenshot else status, timeout)
        _refuse(
            self, [*self._problems(), *_wish_problems(wish), *_screenshot_problems(screenshot)]
        )
        target = None if screenshot is None else normal(screenshot)
        action = Test(self, self._machine(snapshot=True, stay=target is not None), wish, target)
        state = StateFolder(normal(self.disk.image))
        reason = OnRequest(AsBefore(facts_of(action), stored=True))
        task = in_turn(self._task(action, reason), state, self.disk.name)
        if target is None:
            return task
        clean = CleanFile(state.image, self.disk.name, action.claims(target), target)
        return {**task, "targets": [target], "clean": [clean]}

    def _task(self, action: object, reason: object) -> _Task:
        return {"actions": [action], "task_dep": [f"{self.disk.name}:seal"], "uptodate": [reason]}

    def _machine(self, snapshot: bool, stay: bool = False) -> Machine:
        return Machine(
            normal(self.disk.image),
            machine=self.machine,
            cpu=self.cpu,
            memory=None if self.memory is None else parse_size(self.memory),
            interface=self.interface,
            debug_exit=self.debug_exit is not None and not stay,
            snapshot=snapshot,
            arguments=tuple(self.arguments),
        )

    @property
    def flash(self) -> Flash | None:
        """The firmware's files as the user named them, None if we are to find them."""
        return None if isinstance(self.firmware, str) else Flash(*map(os.fspath, self.firmware))

    def _problems(self) -> Iterator[Problem]:
        if not isinstance(self.disk, Disk):
            yield BadValue("disk", f"{self.disk!r} is not a disk", "must be a Disk(...)",
                           "give the disk, not its path")
        of_disk = ("disk.", "disk[")  # its tasks say so
        for problem in misuse_problems(self, ""):
            if not problem.where.startswith(of_disk):
                yield problem
        yield from _firmware_problems(self.firmware)
        if self.memory is not None:
            yield from _memory_problems(self.memory)
        if self.accel not in ("auto", "kvm", "tcg"):
            yield BadValue("accel", f"{self.accel!r} is unknown", "must be 'auto', 'kvm' or 'tcg'",
                           "choose one")
        if self.debug_exit is not None and self.debug_exit not in range(1, 128):
            # 0 would be status 1, QEMU's own way to say that it could not start.
            yield BadValue("debug_exit", f"it is {self.debug_exit!r}", "must be a byte from 1 to "
                           "127, since QEMU's status is twice that and 1", "choose another byte")
        yield from kind_problems(self, "", _KINDS)
        if isinstance(self.arguments, str):
            yield BadValue("arguments", f"{self.arguments!r} is one text", "must be a list with a "
                           "text for each word", f"write {self.arguments.split()!r}")


_TEXT = Kind(lambda value: isinstance(value, str), "must be text", "leave it out if in doubt")
_PATH = Kind(
    lambda value: value == "" or is_path(value), "must be a path", "leave it out if in doubt"
)
_KINDS = {
    "machine": _TEXT,
    "cpu": _TEXT,
    "interface": _TEXT,
    "symbols": _PATH,
    "program": _PATH,
    "snapshot": YES_OR_NO,
    "arguments": Kind(
        lambda value: isinstance(value, str) or (
            isinstance(value, (list, tuple)) and all(isinstance(word, str) for word in value)
        ),
        "must be a list with a text for each word", 'write for example ["-smp", "2"]',
    ),
}  # fmt: skip


def _firmware_problems(firmware: object) -> Iterator[Problem]:
    pair = (
        isinstance(firmware, (tuple, list)) and len(firmware) == 2 and all(map(is_path, firmware))
    )
    if not pair and firmware not in ("bios", "uefi"):
        yield BadValue("firmware", f"{firmware!r} is unknown", "must be 'bios', 'uefi' or a pair "
                       "of paths", "write for example ('OVMF_CODE.fd', 'OVMF_VARS.fd')")


def _image_problems(image: object, snapshot: bool) -> Iterator[Problem]:
    if image not in ("built", "linked"):
        yield BadValue("run.image", f"{image!r} is unknown", "must be 'built' or 'linked'",
                       "choose one")
    elif image == "linked" and not snapshot:
        yield BadValue("run.image", "the linked image is your own files, and snapshot is False",
                       "no guest may write to them", "leave snapshot out, or image")


def _memory_problems(memory: SizeLike) -> Iterator[Problem]:
    try:
        size = parse_size(memory)
    except ValueError as error:
        yield BadSize("memory", str(error), 'must be bytes or text such as "256MiB"', "fix it")
        return
    if size == 0 or size % MIB:
        yield BadSize("memory", f"{memory!r} is {size:,} bytes", "must be a multiple of 1 MiB",
                      'write for example "256MiB"')


def _wish_problems(wish: Expectation) -> Iterator[Problem]:
    if wish.expect is None and wish.status is None:
        yield BadValue("test", "nothing says when the guest has passed", "must have a pattern, or "
                       "a byte of Qemu(debug_exit=...) and no screenshot",
                       "write test_task(expect=...), or debug_exit=0x10 for port "
                       f"{DEBUG_EXIT_PORT:#x}")
    for name, pattern in (("expect", wish.expect), ("forbid", wish.forbid)):
        try:
            re.compile(pattern or "")
        except (re.error, TypeError) as error:
            yield BadValue(f"test.{name}", f"{pattern!r} can't be used: {error}",
                           "must be a regular expression of Python's", "fix it")
    if not isinstance(wish.seconds, (int, float)) or not wish.seconds > 0:
        yield BadValue("test.timeout", f"it is {wish.seconds!r}", "must be seconds, more than 0",
                       "give it time")


def _screenshot_problems(screenshot: object) -> Iterator[Problem]:
    if screenshot is not None:
        yield from path_problems(
            screenshot, "test.screenshot", "must be the path of a PNG file",
            'write for example "build/screen.png"',
        )


def _refuse(qemu: Qemu, problems: Iterable[Problem]) -> None:
    """Stop doit before any task runs, with one line for each problem."""
    lines = [f"qemu: {problem}" for problem in problems]
    if lines:
        from doit.exceptions import InvalidTask

        if isinstance(qemu.disk, Disk):
            lines = [f"{qemu.disk.name}: {line}" for line in lines]
        raise InvalidTask("\n".join(lines))
