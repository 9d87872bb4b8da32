"""The task that writes a script for gdb, and settings for VS Code: for a machine that waits."""

import json
import os
from collections.abc import Iterator, Mapping, Sequence
from os import PathLike, fspath
from pathlib import Path
from typing import Any, TypeAlias

from doit.exceptions import TaskFailed

from doit_diskimg.chain.facts import FACTS, Facts, Found
from doit_diskimg.chain.job import CLAIMS
from doit_diskimg.disk.fields import is_number, is_path, path_problems, shown
from doit_diskimg.errors import BadValue, DiskimgError, Problem
from doit_diskimg.frozen import dataclass
from doit_diskimg.host import own
from doit_diskimg.host.own import check_target
from doit_diskimg.host.paths import normal
from doit_diskimg.host.qemu import find
from doit_diskimg.host.scratch import Scratch
from doit_diskimg.host.state import StateFolder, host_failed
from doit_diskimg.kinds.machines.architecture import Architecture
from doit_diskimg.kinds.machines.gdb_script import GdbSession, Loaded
from doit_diskimg.plan.content import digest_of
from doit_diskimg.plan.recipe import plain
from doit_diskimg.tasks.action import AsBefore, CleanFile, failure_text

_Path: TypeAlias = str | PathLike[str]
Symbols: TypeAlias = "Sequence[_Path | tuple[_Path, int]]"
"""Files with symbols, each as linked, or with what is added to its addresses."""


@dataclass(frozen=True, kw_only=True)
class Debugging:
    """What a user says of it; see `Qemu.gdb_task`."""

    path: _Path
    stop: str | Sequence[str]
    symbols: Symbols
    efi: Mapping[str, _Path]
    port: int
    launch: _Path | None

    @property
    def stops(self) -> Sequence[str]:
        """The functions to stop in."""
        return (self.stop,) if isinstance(self.stop, str) else tuple(self.stop)

    def loaded(self) -> Iterator[Loaded]:
        """Yield the files with symbols."""
        for it in self.symbols:
            path, offset = it if isinstance(it, tuple) else (it, 0)
            yield Loaded(plain(normal(path)), offset)
        for application, symbols in self.efi.items():
            yield Loaded(plain(normal(symbols)), application=plain(normal(application)))

    def problems(self) -> Iterator[Problem]:
        """Yield what is wrong with it."""
        kinds = [*self._kind_problems()]
        yield from kinds or self._problems()

    def _kind_problems(self) -> Iterator[Problem]:
        """Yield what is wrong with what holds several."""
        for name, kind, must, example in (
            ("stop", (str, list, tuple), "a name or a list of them", '"kernel_main"'),
            ("symbols", (list, tuple), "a list", '["build/kernel.elf"]'),
            ("efi", Mapping, "a mapping of applications to files with symbols",
             '{"build/a.efi": "build/a.elf"}'),
        ):  # fmt: skip
            if not isinstance(value := getattr(self, name), kind):
                yield BadValue(f"gdb.{name}", f"{shown(value)} is given", f"must be {must}",
                               f"write for example {example}")

    def _problems(self) -> Iterator[Problem]:
        if not self.symbols and not self.efi:
            yield BadValue("gdb.symbols", "none is given", "gdb must know names and lines",
                           'write Qemu(symbols="build/kernel.elf"), or symbols=[...]')
        for index, it in enumerate(self.symbols):
            path, offset = it if isinstance(it, tuple) and len(it) == 2 else (it, 0)
            if not is_path(path) or not is_number(offset):
                yield BadValue(f"gdb.symbols[{index}]", f"{shown(it)} is given", "must be the path "
                               "of a file, or that and an offset", 'write ("build/a.elf", 0x8000)')
            else:
                yield from _line_problems(f"gdb.symbols[{index}]", path)
        for application, symbols in self.efi.items():
            if not is_path(application) or not is_path(symbols):
                yield BadValue("gdb.efi", f"{shown(application)}: {shown(symbols)} is given",
                               "must be paths", 'write {"build/a.efi": "build/a.elf"}')
            else:
                yield from _line_problems("gdb.efi", application)
                yield from _line_problems("gdb.efi", symbols)
        for name in self.stops:
            if not isinstance(name, str) or not name.isprintable() or not name.strip():
                yield BadValue("gdb.stop", f"{shown(name)} is no place of gdb's",
                               "must be one or several", 'write for example "kernel_main"')
        if not is_number(self.port) or not 0 < self.port < 65536:
            yield BadValue("gdb.port", f"it is {self.port!r}", "must be a TCP port",
                           "leave it out for 1234")
        for name in ("path", "launch"):
            if (value := getattr(self, name)) is not None:
                yield from path_problems(value, f"gdb.{name}", "must be the path of a file",
                                         "leave it out")
                if is_path(value):
                    yield from _line_problems(f"gdb.{name}", value)


def _line_problems(where: str, path: _Path) -> Iterator[Problem]:
    if not fspath(path).isprintable():
        yield BadValue(where, f"{fspath(path)!r} is given", "must be text, since it is a part of "
                       "a line of gdb's", "rename it")


def gdb_task(
    name: str, home: str, architecture: Architecture, memory: int | None, wish: Debugging
) -> dict[str, Any]:
    """Return the task; ``home`` is the file beside which its state folder lies."""
    session = GdbSession(
        architecture=architecture, memory=memory, port=wish.port, loaded=tuple(wish.loaded()),
        stops=wish.stops,
    )
    script = normal(wish.path)
    helper = Path(__file__).parents[1].joinpath("host/qemu/in_gdb.py")
    launch = "" if wish.launch is None else normal(wish.launch)
    action = WriteScripts(name, home, session, str(helper), script, launch)
    return {
        "basename": f"{name}:gdb",
        "doc": f"write {script}, with which gdb debugs the machine of --gdb",
        "actions": [action],
        "targets": action.targets,
        "uptodate": [AsBefore(action.facts())],
        "clean": [CleanFile(home, name, action.claims(it), it) for it in action.targets],
        "verbosity": 2,
    }


@dataclass(frozen=True)
class WriteScripts:
    """Writes the script, and VS Code's file if it is asked for."""

    name: str
    home: str
    session: GdbSession
    helper: str
    script: str
    launch: str

    @property
    def targets(self) -> list[str]:
        """The files that it writes."""
        return [self.script, self.launch] if self.launch else [self.script]

    def claims(self, path: str) -> str:
        """Return the path of the record that says which file there is ours."""
        return self._state.file(f"gdb:{path}", CLAIMS)

    @property
    def _state(self) -> StateFolder:
        return StateFolder(self.home)

    def facts(self) -> Facts:
        """Return what decides about the files: their bytes."""

        def find(before: Found) -> Found:
            return {"the machine": digest_of(json.dumps(self.texts()).encode("utf-8"))}

        return Facts(find, self._state.file("gdb", FACTS), results=self.targets)

    def texts(self) -> dict[str, str]:
        """Return what is in each file."""
        try:
            with open(self.helper, encoding="utf-8") as file:
                helper = file.read()
        except OSError as error:
            raise host_failed(self.helper, error, "read it") from error
        texts = {self.script: self.session.script(helper)}
        if self.launch:
            program = find.debugger(self.session.architecture)
            texts[self.launch] = self.session.launch(self.name, plain(self.script), program)
        return texts

    def __call__(self) -> TaskFailed | None:
        """Called by doit."""
        facts = self.facts()
        try:
            self._state.make()
            facts.look()
            for path, text in self.texts().items():
                self._write(path, text)
            facts.keep()
        except DiskimgError as error:
            return TaskFailed(failure_text(self.name, error))
        return None

    def _write(self, path: str, text: str) -> None:
        check_target(path)
        own.check_file(self.claims(path), path, replace=False)
        try:
            with Scratch(path) as scratch:
                with open(scratch.target, "x", encoding="utf-8") as file:
                    file.write(text)
                own.claim(self.claims(path), scratch.target, path)
                scratch.finish()
        except OSError as error:
            raise host_failed(path, error, "write it") from error


def beside(home: str) -> str:
    """Return where the script is unless the user says otherwise."""
    return f"{os.path.splitext(fspath(home))[0]}.gdb"
