"""What gdb, and VS Code in front of it, is told to debug a machine: text, made of a description."""

import json
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from doit_diskimg.frozen import dataclass
from doit_diskimg.kinds.machines.architecture import Architecture
from doit_diskimg.units import MIB

_GIB = 1024 * MIB
_USUAL_MEMORY = 128 * MIB


class Loaded(NamedTuple):
    """A file with symbols: as linked, moved by ``offset``, or where an EFI application lies."""

    symbols: str
    offset: int = 0
    application: str = ""


@dataclass(frozen=True, kw_only=True)
class GdbSession:
    """What is debugged: ``loaded`` are its symbols, ``stops`` the functions to stop in."""

    architecture: Architecture
    memory: int | None
    port: int
    loaded: Sequence[Loaded]
    stops: Sequence[str]

    def script(self, helper: str) -> str:
        """Return gdb's script; ``helper`` is the text of what runs inside gdb."""
        return "\n".join(self._lines(helper)) + "\n"

    def _lines(self, helper: str) -> Iterator[str]:
        yield "set pagination off"
        yield "set confirm off"
        yield f"target remote localhost:{self.port}"
        fixed = [it for it in self.loaded if not it.application]
        # Not `file`: that would take a PC for one of 32 bits if such a kernel is debugged.
        for it in fixed:
            moved = f" -o {it.offset:#x}" if it.offset else ""
            yield f"add-symbol-file {quoted(it.symbols)}{moved}"
        # Hardware breakpoints: what is loaded later does not overwrite them.
        if fixed:
            yield from self._breakpoints()
        if len(fixed) < len(self.loaded):
            yield from ("python", helper.rstrip("\n"), "")
            start, end = self._memory()
            for it in self.loaded:
                if it.application:
                    names = f"{it.application!r}, {it.symbols!r}"
                    yield f"symbols_when_loaded({names}, {start:#x}, {end:#x})"
            yield "end"
            yield from self._breakpoints()
        yield "set confirm on"
        yield "continue"

    def _breakpoints(self) -> Iterator[str]:
        yield from (f"hbreak {name}" for name in self.stops)

    def _memory(self) -> tuple[int, int]:
        """Return where the machine has memory, with room for the hole of a PC below 4 GiB."""
        start = self.architecture.memory_start
        size = self.memory or _USUAL_MEMORY
        return start, start + (size if start or size < 2 * _GIB else size + 2 * _GIB)

    def launch(self, name: str, script: str, gdb: str) -> str:
        """Return a ``launch.json`` for VS Code with Microsoft's extension for C and C++."""
        symbols = self.loaded[0].symbols.removeprefix("./")
        configuration = {
            "name": name,
            "type": "cppdbg",
            "request": "launch",
            "program": symbols if symbols.startswith("/") else f"${{workspaceFolder}}/{symbols}",
            "cwd": "${workspaceFolder}",
            "MIMode": "gdb",
            "miDebuggerPath": gdb,
            # In place of those by which it would start the program.
            "customLaunchSetupCommands": [{"text": f"source {script}"}],
            "launchCompleteCommand": "None",
        }
        described = {"version": "0.2.0", "configurations": [configuration]}
        return json.dumps(described, indent=4) + "\n"


def quoted(path: str) -> str:
    """Return a path as one word of gdb's."""
    return '"' + path.replace("\\", "\\\\").replace('"', '\\"') + '"'
