"""A user's project in a temporary folder, built by the real doit."""

import hashlib
import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from doit_server import CHAIN, DoitServer
from tools import tool

USUAL, OTHER = DoitServer(seed=1), DoitServer(seed=2)
"""What one seed of Python's builds must equal a clean build by the other."""


def _decided_at_start(environment: Mapping[str, str]) -> dict[str, str]:
    """Return what a process looks at when it starts and a forked one can't be told any more."""
    names = ("PYTHON", "LC_", "LANG", "LD_")
    return {name: value for name, value in environment.items() if name.startswith(names)}


@dataclass(frozen=True)
class Run:
    """What one call of doit said."""

    code: int
    out: str
    err: str

    @property
    def ran(self) -> set[str]:
        """The tasks that were executed."""
        return {line[3:] for line in self.out.splitlines() if line.startswith(".  ")}

    @property
    def skipped(self) -> set[str]:
        """The tasks that were up to date."""
        return {line[3:] for line in self.out.splitlines() if line.startswith("-- ")}

    @property
    def said(self) -> str:
        return self.out + self.err


def whole_calls(trace: str) -> Iterator[str]:
    """Yield the lines of strace; it tells a call in two when another thread comes between."""
    begun: dict[str, str] = {}
    for line in trace.splitlines():
        thread = line.split(maxsplit=1)[0]
        if line.endswith(" <unfinished ...>"):
            begun[thread] = line.removesuffix(" <unfinished ...>")
        elif match := re.match(r"\d+ +<... \w+ resumed>(.*)", line):
            yield begun.pop(thread) + match[1]
        else:
            yield line


@dataclass
class Project:
    folder: Path
    dodo: str
    image: str = "build/os.img"
    env: dict[str, str] = field(default_factory=dict)
    server: DoitServer = USUAL
    fresh: bool = False
    """A new process for each call: dodo.py changes the package before anything of it is loaded."""
    by: str = "doit"
    """What `build` builds with: ``doit``, or ``chain``, what the tasks do without doit."""

    def __post_init__(self) -> None:
        self.folder.mkdir(parents=True, exist_ok=True)
        self.write("dodo.py", self.dodo)

    def write(self, path: str, data: bytes | str) -> Path:
        file = self.folder / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(data.encode() if isinstance(data, str) else data)
        return file

    def doit(self, *args: str, code: int | None = 0) -> Run:
        """Call doit; ``code`` is the exit code that it must have, None for any."""
        fresh = self.fresh or _decided_at_start(self.env)
        done = self._started(args) if fresh else self._forked(args)
        run = Run(done.returncode, done.stdout, done.stderr)
        assert code is None or run.code == code, run.said
        assert "Traceback" not in run.said, run.said
        return run

    def build(self) -> Run:
        """Build with what the project is built with; the disk is dodo.py's ``disk``."""
        return self.chain() if self.by == "chain" else self.doit()

    def chain(self, *, code: int | None = 0) -> Run:
        """Build without doit; what is said looks like doit's."""
        return self.doit(*CHAIN, code=code)

    def _forked(self, args: Sequence[str]) -> "subprocess.CompletedProcess[str]":
        return self.server.run([*args], self.folder, {**os.environ, **self.env})

    def _started(self, args: Sequence[str]) -> "subprocess.CompletedProcess[str]":
        return subprocess.run(
            [sys.executable, "-m", "doit", *args],
            cwd=self.folder,
            env={**os.environ, "PYTHONDONTWRITEBYTECODE": "1", **self.env},
            capture_output=True,
            text=True,
            timeout=300,
            check=False,
        )

    def doit_under_strace(
        self, trace: Path, *args: str, calls: str = "/write|copy_file_range|sendfile"
    ) -> Run:
        """Call doit and write to ``trace`` what it and its children write, or other calls."""
        done = subprocess.run(
            [tool("strace"), "-f", "-y", "-qq", "-e", f"trace={calls}",
             "-o", str(trace), sys.executable, "-m", "doit", *args],
            cwd=self.folder, env={**os.environ, **self.env}, capture_output=True, text=True,
            timeout=300, check=False,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        trace.write_text("".join(f"{line}\n" for line in whole_calls(trace.read_text())))
        return Run(done.returncode, done.stdout, done.stderr)

    @property
    def image_path(self) -> Path:
        return self.folder / self.image

    def sha256(self) -> str:
        with self.image_path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()

    def clean_build(self, elsewhere: Path) -> str:
        """Return the sha256 of a build from nothing, in another folder, of what is here now."""
        import shutil

        image, state = Path(self.image).name, "." + Path(self.image).name
        made = [
            Path(json.loads(record.read_bytes())["path"]).name
            for record in (self.image_path.parent / state).glob("*.output.json")
        ]
        ignore = shutil.ignore_patterns(image, state, *made, ".doit.db*", "__pycache__")
        shutil.copytree(self.folder, elsewhere, ignore=ignore, symlinks=True)
        other = Project(elsewhere, self.dodo, self.image, self.env, OTHER, self.fresh, self.by)
        other.build()
        return other.sha256()
