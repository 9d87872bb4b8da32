"""`Qemu`: a machine to boot a disk in, as tasks.

``run`` boots it before the user's eyes, ``test`` in secret and only when something changed.
"""

import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any, Literal, TypeAlias

from doit_diskimg.disk.fields import path_problems, shown
from doit_diskimg.disk.model import Disk
from doit_diskimg.errors import BadValue, Problem
from doit_diskimg.frozen import dataclass
from doit_diskimg.host.paths import normal, spellings
from doit_diskimg.host.qemu.verdict import Expectation
from doit_diskimg.host.state import StateFolder
from doit_diskimg.kinds.machines.console import unheard_problems
from doit_diskimg.kinds.machines.expect import (
    Expected,
    steps_of,
    typing_problems,
    wish_problems,
)
from doit_diskimg.kinds.machines.qemu_machine import QemuMachine

_Task = dict[str, Any]
_Path: TypeAlias = str | os.PathLike[str]

_GDB = {
    "name": "gdb",
    "long": "gdb",
    "type": bool,
    "default": False,
    "help": "let the machine wait for gdb before its first instruction",
}


_GDB_PORT = {
    "name": "gdb_port",
    "long": "gdb-port",
    "type": int,
    "default": 1234,
    "help": "the TCP port of this computer at which it waits for gdb",
}

@dataclass(frozen=True, described=True)
class Qemu(QemuMachine):
    """A machine to boot a disk in, as tasks; the fields are those of `QemuMachine`."""

    def run_task(
        self, *, image: Literal["built", "linked"] = "built", **changes: Any
    ) -> _Task:
        """Return a task that builds what is stale of all that is in the machine, and boots it.

        With ``image="linked"`` it boots the linked image instead (`Disk.linked_task`, whose task
        must be there too), and nothing is copied; no guest ever writes to that one.  ``changes``
        are fields that are otherwise in this run: ``run_task(cdrom=iso)`` boots a CD,
        ``run_task(kernel="kernel.elf")`` goes straight to the kernel.

        The console is the terminal, the guest's screen a window if there can be one.
        The task runs when it is named (``doit boot``) and never because `doit` alone runs
        everything.  With ``--gdb`` the machine waits for gdb.
        """
        return replace(self, **changes)._run_task(image)

    def _run_task(self, image: Literal["built", "linked"]) -> _Task:
        from doit_diskimg.tasks.boots import Run
        from doit_diskimg.tasks.on_request import OnRequest

        _refuse(self, [*self.problems(), *_image_problems(image, self)])
        machine = self.planned(normal, snapshot=False)
        action = Run(self, machine, linked=image == "linked")
        task = {**self._task(action, OnRequest()), "params": [_GDB, _GDB_PORT]}
        if action.linked:
            task["task_dep"][0] = f"{self.name}:linked"
        return task

    def test_task(
        self,
        *,
        expect: Expected = None,
        forbid: str | None = None,
        timeout: float = 60,
        screenshot: _Path | None = None,
        junit: _Path | None = None,
        **changes: Any,
    ) -> _Task:
        """Return a task that boots the image without a screen and judges what it says.

        ``expect`` is a regular expression that must be found in a line of the console, a list of
        them that must be found in this order, or a script with answers
        (``Expect("login:").send("root\\n").expect("#")``).  ``forbid`` is one that must be found
        in none until then; ``timeout`` is in seconds.  With ``debug_exit`` the guest must end QEMU
        with that number, too.  With neither it must switch the machine off.  ``screenshot`` is the
        path of a PNG file, a target, which shows the screen when the guest has passed; the device
        that ends QEMU is left out then, since the machine has to stay.  ``junit`` is the path of a
        report in JUnit's form, a target, which is written if the test fails, too.  ``changes`` are
        fields that are otherwise in this test.

        The task runs when it is asked for, and only if the contents of an image or of a file in
        the machine, QEMU's version, the firmware, the arguments or the patterns changed.  The guest
        never writes to a drive.
        """
        qemu, tests = replace(self, **changes), {"": expect}
        return qemu._test_task(qemu._test(tests, forbid, timeout, screenshot, junit))

    def test_tasks(
        self,
        tests: Mapping[str, Expected],
        *,
        forbid: str | None = None,
        timeout: float = 60,
        junit: _Path | None = None,
        **changes: Any,
    ) -> Iterator[_Task]:
        """Yield a task for each of several tests that one boot answers.

        ``tests`` are names and what each expects, as ``expect`` of `test_task`.  Each reads all
        that the guest says, from the beginning, and passes or fails by itself; the machine runs
        until that is clear for all.  The other arguments hold for each of them.

        Whichever runs first boots.  One that has passed runs again if what it expects changed,
        and not if another's did; but if any of them types, all of them do.
        """
        from doit_diskimg.tasks.shared_boot import SharedTest

        qemu, run = replace(self, **changes), os.urandom(8).hex()
        given: object = tests
        if not isinstance(given, Mapping) or not given:
            _refuse(qemu, [BadValue("tests", f"{shown(given)} is given", "must be a mapping of "
                                    "names to what is expected",
                                    'write for example {"login": r"^login:"}')])
        test = qemu._test(tests, forbid, timeout, None, junit)
        for index, name in enumerate(tests):
            task = qemu._test_task(test, SharedTest(test, name, run), name, makes=index == 0)
            yield {"name": name, **task}

    def _test(
        self, tests: Mapping[str, Expected], forbid: str | None, timeout: float,
        screenshot: _Path | None, junit: _Path | None,
    ) -> Any:
        """Return the action of a boot that answers these tests."""
        from doit_diskimg.tasks.boots import Test

        way, number = self.architecture.exit, self.debug_exit
        status = None if way is None or number is None else way.status(number)
        problems = [
            *self.problems(), *wish_problems(tests, forbid, timeout),
            *_file_problems(screenshot, "screenshot", "a PNG file", "build/screen.png"),
            *_file_problems(junit, "junit", "an XML file", "build/boot.xml"),
            *_number_problems(tests.get(""), None if screenshot is None else number),
        ]
        _refuse(self, problems or [
            *unheard_problems(self.wiring), *typing_problems(tests, self.console)
        ])
        ends = None if screenshot else status
        wishes = {
            name: Expectation(steps_of(expect), forbid, ends, timeout, way)
            for name, expect in tests.items()
        }
        picture, report = self._made("screenshot", screenshot), self._made("junit", junit)
        machine = self.planned(normal, snapshot=True, stay=picture is not None)
        return Test(self, machine, tuple(wishes.items()), picture, report)

    def _made(self, kind: str, path: _Path | None) -> Any:
        """Return a file that a boot makes, None if it is not to."""
        from doit_diskimg.tasks.boot_file import BootFile

        anyway = self.disk is not None and self.disk.replace
        return None if path is None else BootFile(self.home, kind, normal(path), anyway)

    def _test_task(
        self, test: Any, action: object = None, name: str = "", *, makes: bool = True
    ) -> _Task:
        """Return the task of a test, which ``makes`` the files of its boot."""
        from doit_diskimg.tasks.action import AsBefore, CleanFile
        from doit_diskimg.tasks.boots import facts_of
        from doit_diskimg.tasks.on_request import OnRequest
        from doit_diskimg.tasks.turn import in_turn

        reason = OnRequest(AsBefore(facts_of(test, name), stored=True))
        task = {**self._task(test, reason), "actions": [action or test]}
        if self.disk is not None:
            task = in_turn(task, StateFolder(self.home), self.name)
        files = [file for file in (test.screenshot, test.junit) if file is not None and makes]
        if not files:
            return task
        clean = [CleanFile(it.image, self.name, it.claims, it.path) for it in files]
        return {**task, "targets": [it.path for it in files], "clean": clean}

    def firmware_task(self, **changes: Any) -> _Task:
        """Return the task ``<name>:firmware``, for ``return qemu.firmware_task()`` in a function.

        It takes the state in which the machine goes on behind its firmware, before it has looked
        at a disk.  A run that wants one takes it by itself; the task does so ahead of that, or once
        more.  It runs when it is asked for, and only if the machine, QEMU or the firmware changed.
        """
        return replace(self, **changes)._firmware_task()

    def _firmware_task(self) -> _Task:
        from doit_diskimg.tasks.action import AsBefore
        from doit_diskimg.tasks.firmware_task import Take, facts_of
        from doit_diskimg.tasks.on_request import OnRequest

        _refuse(self, self.problems())
        action = Take(self, self.planned(normal, snapshot=True))
        reason = OnRequest(AsBefore(facts_of(action)))
        task = {**self._task(action, reason), "task_dep": []}  # any disk does
        return {**task, "basename": f"{self.name}:firmware"}

    def gdb_task(
        self,
        path: str | os.PathLike[str] | None = None,
        *,
        stop: str | Sequence[str] = "kernel_main",
        symbols: Sequence[Any] = (),
        efi: Mapping[str, str | os.PathLike[str]] | None = None,
        port: int = 1234,
        launch: str | os.PathLike[str] | None = None,
    ) -> _Task:
        """Return the task ``<disk>:gdb`` that writes a script for gdb: ``gdb -x build/os.gdb``.

        It attaches to a machine that waits (``doit boot --gdb``), knows the ``symbols`` (those of
        the machine unless given; a file, or a pair of it and of what is added to its addresses) and
        goes on until the guest is in one of the functions ``stop``.  ``efi`` are EFI applications,
        each with its file of symbols, which is moved to where the firmware has loaded it.
        ``path`` is beside the image unless given, ``launch`` a ``launch.json`` for VS Code.
        """
        from doit_diskimg.tasks.gdb_task import Debugging, beside, gdb_task

        own = [self.symbols] if self.symbols and not efi else []
        wish = Debugging(
            path=beside(self.home) if path is None else path, stop=stop,
            symbols=symbols or own, efi=efi or {}, port=port, launch=launch,
        )
        _refuse(self, [*self.problems(), *wish.problems()])
        memory = self.planned(normal, snapshot=True).memory
        return gdb_task(self.name, self.home, self.architecture, memory, wish)

    def _task(self, action: object, reason: object) -> _Task:
        from doit_diskimg.tasks.boots import Told
        from doit_diskimg.tasks.turn import OrderOnly

        files = [text for _, path in self.files() for text in spellings(path)]
        return {
            "actions": [action],
            "file_dep": files,  # for the order alone; see `turn.OrderOnly`
            "task_dep": [f"{disk.name}:seal" for disk in self.disks()],
            "uptodate": [OrderOnly(), reason],
            "meta": {"doit_diskimg:qemu": Told(action)},
        }

    @property
    def name(self) -> str:
        """What messages begin with."""
        return self.disk.name if isinstance(self.disk, Disk) else "qemu"

    @property
    def home(self) -> str:
        """The file beside which the state folder of its tests lies; ``qemu`` if no disk is ours.

        A kernel may be the system's, in a folder where nothing of ours has to be.
        """
        disk = next(self.disks(), None)
        return "qemu" if disk is None else normal(disk.image)


def _image_problems(image: object, qemu: Qemu) -> Iterator[Problem]:
    if image not in ("built", "linked"):
        yield BadValue("run.image", f"{image!r} is unknown", "must be 'built' or 'linked'",
                       "choose one")
    elif image == "linked" and qemu.disk is None:
        yield BadValue("run.image", "it is 'linked'", "there is no disk that could be linked",
                       "leave it out")
    elif image == "linked" and not qemu.snapshot:
        yield BadValue("run.image", "the linked image is your own files, and snapshot is False",
                       "no guest may write to them", "leave snapshot out, or image")


def _number_problems(expect: Expected, number: int | None) -> Iterator[Problem]:
    """Yield the problem of a picture of a machine that would be gone, and nothing else to expect.
    """
    if expect is None and number is not None:
        yield BadValue("test", "nothing says when the guest has passed", "must have a pattern, or "
                       "a byte of Qemu(debug_exit=...) and no screenshot",
                       "write test_task(expect=..., screenshot=...)")


def _file_problems(path: object, field: str, kind: str, example: str) -> Iterator[Problem]:
    if path is not None:
        yield from path_problems(
            path, f"test.{field}", f"must be the path of {kind}", f'write for example "{example}"'
        )


def _refuse(qemu: Qemu, problems: Iterable[Problem]) -> None:
    """Stop doit before any task runs, with one line for each problem."""
    lines = [f"qemu: {problem}" for problem in problems]
    if lines:
        from doit.exceptions import InvalidTask

        if isinstance(qemu.disk, Disk):
            lines = [f"{qemu.name}: {line}" for line in lines]
        raise InvalidTask("\n".join(lines))
