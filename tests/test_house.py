"""The rules of the house: who may import whom, who may touch the world, how long things may be.

Each rule is a function from a module's name and its syntax tree to what breaks it.  The rules run
over the package, and over bad examples that prove that each of them can fail.
"""

import ast
import json
import subprocess
import sys
import tomllib
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path
from typing import NamedTuple

import pytest

NAME = "doit_diskimg"
PACKAGE = Path(__file__).parent.parent / NAME

STONES = {"errors", "units", "extent", "frozen"}
FACES = {"", "__main__", "ports"}
"""What stands at the door and may show anything that is inside."""

LEVELS = (
    STONES, {"plan", "ondisk"}, {"disk"}, {"kinds"}, {"host"}, {"verify"}, {"chain"},
    {"shortcuts"}, {"tasks", "cli"},
)  # fmt: skip
"""The rooms, lowest first.  A room imports lower ones; the stones may import each other."""

LEVEL = {room: level for level, rooms in enumerate(LEVELS) for room in rooms}
APART = {
    "verify": {"plan", "disk", "kinds"},  # it judges what these made, by other code
    "chain": {"kinds", "shortcuts"},  # it meets kinds in the sockets, shortcuts as hooks
}
"""Rooms, and the lower ones that they don't know all the same."""

EXCEPTIONS = {
    ("verify.against_plan", "plan"), ("verify.readback", "plan"), ("verify.survey", "plan"),
}  # fmt: skip
"""What still breaks the rule; nothing is added here."""

MODULE_LINES, FUNCTION_LINES = 350, 50

WORLDLY_MODULES = {
    "asyncio", "fcntl", "glob", "locale", "mmap", "multiprocessing", "platform", "random",
    "secrets", "shutil", "socket", "subprocess", "tempfile", "time", "urllib",
}  # fmt: skip
WORLDLY_NAMES = {
    "environ", "fdopen", "getcwd", "getenv", "input", "now", "open", "read_bytes", "read_text",
    "today", "urandom", "utcnow", "uuid1", "uuid4", "write_bytes", "write_text",
}  # fmt: skip
PURE_OS = {"PathLike", "fsdecode", "fsencode", "fspath"}


# What a module says ------------------------------------------------------------------------------


class Import(NamedTuple):
    target: str
    line: int
    typing_only: bool


def imports(tree: ast.AST, typing_only: bool = False) -> Iterator[Import]:
    """Yield the imports of a module, wherever in it they stand."""
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield Import(alias.name, node.lineno, typing_only)
        elif isinstance(node, ast.ImportFrom):
            base = "." * node.level + (node.module or "")
            for alias in node.names:
                yield Import(f"{base}.{alias.name}", node.lineno, typing_only)
        elif isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING":
            yield from imports(ast.Module(node.body, []), True)
            yield from imports(ast.Module(node.orelse, []), typing_only)
        else:
            yield from imports(node, typing_only)


def part_of(module: str) -> str:
    """Return the part of the package that a module belongs to, empty for the package itself."""
    return module.partition(".")[2].partition(".")[0]


def functions(tree: ast.AST) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef]:
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield node


def public(body: list[ast.stmt]) -> Iterator[ast.FunctionDef | ast.ClassDef]:
    """Yield the public functions and classes of a module, and what is public in the classes."""
    for node in body:
        if isinstance(node, ast.FunctionDef | ast.ClassDef) and not node.name.startswith("_"):
            yield node
            if isinstance(node, ast.ClassDef):
                yield from public(node.body)


# The rules ---------------------------------------------------------------------------------------


def imports_go_down(module: str, tree: ast.Module) -> Iterator[str]:
    room, name = part_of(module), module.removeprefix(f"{NAME}.")
    for target, line, _ in imports(tree):
        other = part_of(target)
        if target.startswith("."):
            yield f"{line}: {target} is relative"
        if target.partition(".")[0] != NAME or room in FACES or other == room:
            continue
        if other not in LEVEL:
            yield f"{line}: {target} is in no room"
        elif LEVEL[other] > LEVEL[room]:
            yield f"{line}: {room} imports {other}, which is above it"
        elif LEVEL[other] == LEVEL[room] and room not in STONES:
            yield f"{line}: {room} imports {other}, which is beside it"
        elif other in APART.get(room, ()) and (name, other) not in EXCEPTIONS:
            yield f"{line}: {room} imports {other}, which it may not know"


def only_the_skin_knows_doit(module: str, tree: ast.Module) -> Iterator[str]:
    for target, line, _ in imports(tree):
        if target.partition(".")[0] == "doit" and part_of(module) != "tasks":
            yield f"{line}: {target} is imported outside tasks"


def only_the_judge_knows_pyfatfs(module: str, tree: ast.Module) -> Iterator[str]:
    for target, line, _ in imports(tree):
        outside = part_of(module) not in {"host", "verify"}
        if target.partition(".")[0] in {"pyfatfs", "fs"} and outside:
            yield f"{line}: {target} is imported outside host and verify"


def below_the_host_there_is_no_world(module: str, tree: ast.Module) -> Iterator[str]:
    if part_of(module) in FACES or LEVEL[part_of(module)] >= LEVEL["host"]:
        return
    for target, line, _ in imports(tree):
        top, _, name = target.partition(".")
        worldly = top in WORLDLY_MODULES or (top == "os" and name not in {*PURE_OS, ""})
        if worldly or target in {"pathlib", "pathlib.Path"} or name in {"uuid1", "uuid4"}:
            yield f"{line}: {target} is of the outside world"
    for node in ast.walk(tree):
        if isinstance(node, ast.Name) and node.id in WORLDLY_NAMES:
            yield f"{node.lineno}: {node.id} is of the outside world"
        elif isinstance(node, ast.Attribute):
            impure = ast.unparse(node.value) == "os" and node.attr not in PURE_OS
            if impure or node.attr in WORLDLY_NAMES:
                yield f"{node.lineno}: {ast.unparse(node)} is of the outside world"


def frozen_dataclasses_are_the_cheap_ones(module: str, tree: ast.Module) -> Iterator[str]:
    names = {target for target, *_ in imports(tree)}
    if "dataclasses.dataclass" not in names:
        return
    for node in ast.walk(tree):
        text = ast.unparse(node) if isinstance(node, ast.Call) else ""
        if text.startswith("dataclass(") and "frozen=True" in text:
            yield f"{node.lineno}: a frozen dataclass comes from {NAME}.frozen"


def nothing_is_long(module: str, tree: ast.Module) -> Iterator[str]:
    length = max((node.end_lineno or 0 for node in tree.body), default=0)
    if length > MODULE_LINES:
        yield f"1: {length} lines, {MODULE_LINES} at most"
    for node in functions(tree):
        length = (node.end_lineno or 0) - node.lineno + 1
        if length > FUNCTION_LINES:
            yield f"{node.lineno}: {node.name} has {length} lines, {FUNCTION_LINES} at most"


def what_is_public_is_documented(module: str, tree: ast.Module) -> Iterator[str]:
    if not ast.get_docstring(tree):
        yield f"1: {module} has no docstring"
    for node in public(tree.body):
        stub = ast.unparse(node.body[-1]) == "..." and len(node.body) == 1  # of a protocol
        if not ast.get_docstring(node) and not stub:
            yield f"{node.lineno}: {node.name} has no docstring"


Rule = Callable[[str, ast.Module], Iterator[str]]
RULES: list[Rule] = [
    imports_go_down,
    only_the_skin_knows_doit,
    only_the_judge_knows_pyfatfs,
    below_the_host_there_is_no_world,
    frozen_dataclasses_are_the_cheap_ones,
    nothing_is_long,
    what_is_public_is_documented,
]


# The package keeps them --------------------------------------------------------------------------


@cache
def modules() -> tuple[tuple[str, ast.Module], ...]:
    return tuple(
        (".".join(path.relative_to(PACKAGE.parent).with_suffix("").parts).removesuffix(".__init__"),
         ast.parse(path.read_bytes(), filename=str(path)))
        for path in sorted(PACKAGE.rglob("*.py"))
    )  # fmt: skip


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.__name__)
def test_the_package_keeps_the_rule(rule):
    broken = [f"{name}:{text}" for name, tree in modules() for text in rule(name, tree)]
    assert broken == []


def test_the_top_level_has_four_stones_and_ten_folders():
    rooms = {part_of(name) for name, _ in modules()} - FACES
    assert rooms <= set(LEVEL)


# Each of them can fail ---------------------------------------------------------------------------

LONG_FUNCTION = "def f():\n    x = 0\n" + "    x += 1\n" * 48
STUB = "class P(Protocol):\n    'Doc.'\n    def f(self): ..."


@pytest.mark.parametrize(
    ("rule", "module", "source", "broken"),
    [
        (imports_go_down, "disk.overlaps", "from doit_diskimg.disk.layout import Layout", []),
        (imports_go_down, "plan.stored", "import os.path, json, rich", []),
        (imports_go_down, "units", "from doit_diskimg.errors import Problem", []),
        (imports_go_down, "kinds.tables.gpt", "from doit_diskimg.kinds.bootloaders import f", []),
        (imports_go_down, "tasks.disk", "from doit_diskimg.disk import model", []),
        (imports_go_down, "", "from doit_diskimg.tasks.disk import Disk", []),
        (imports_go_down, "ports", "from doit_diskimg.disk.model import Disk", []),
        (imports_go_down, "units", "from doit_diskimg.plan.content import f",
         ["1: units imports plan, which is above it"]),
        (imports_go_down, "units", "def f():\n    from doit_diskimg import disk",
         ["2: units imports disk, which is above it"]),
        (imports_go_down, "plan.picture", "import doit_diskimg.ondisk.mbr_sector",
         ["1: plan imports ondisk, which is beside it"]),
        (imports_go_down, "host.files", "from doit_diskimg.verify.judge import verify",
         ["1: host imports verify, which is above it"]),
        (imports_go_down, "disk.layout", "from doit_diskimg.kinds.tables.gpt import Gpt",
         ["1: disk imports kinds, which is above it"]),
        (imports_go_down, "disk.model",
         "if TYPE_CHECKING:\n    from doit_diskimg.host.files import f",
         ["2: disk imports host, which is above it"]),
        (imports_go_down, "chain.populate", "from doit_diskimg.kinds.tables.gpt import Gpt",
         ["1: chain imports kinds, which it may not know"]),
        (imports_go_down, "chain.populate", "from doit_diskimg.shortcuts.amend import f",
         ["1: chain imports shortcuts, which is above it"]),
        (imports_go_down, "verify.judge", "from doit_diskimg.plan.picture import Picture",
         ["1: verify imports plan, which it may not know"]),
        (imports_go_down, "cli.build", "from doit_diskimg.tasks.disk import Disk",
         ["1: cli imports tasks, which is beside it"]),
        (imports_go_down, "disk.model", "from .layout import Layout",
         ["1: .layout.Layout is relative"]),
        (imports_go_down, "disk.model", "from doit_diskimg import Fat",
         ["1: doit_diskimg.Fat is in no room"]),

        (only_the_skin_knows_doit, "tasks.disk", "from doit.exceptions import TaskFailed", []),
        (only_the_skin_knows_doit, "host.files", "import doit_diskimg.units", []),
        (only_the_skin_knows_doit, "host.files", "def f():\n    import doit.tools",
         ["2: doit.tools is imported outside tasks"]),
        (only_the_skin_knows_doit, "cli.main", "from doit import get_var",
         ["1: doit.get_var is imported outside tasks"]),

        (only_the_judge_knows_pyfatfs, "verify.pyfat_reader", "from pyfatfs.PyFat import PyFat",
         []),
        (only_the_judge_knows_pyfatfs, "kinds.filesystems.fat.encode", "from pyfatfs import PyFat",
         ["1: pyfatfs.PyFat is imported outside host and verify"]),
        (only_the_judge_knows_pyfatfs, "tasks.disk", "import fs",
         ["1: fs is imported outside host and verify"]),

        (below_the_host_there_is_no_world, "host.files", "import os, time\nopen(os.environ)", []),
        (below_the_host_there_is_no_world, "cli.main", "import subprocess", []),
        (below_the_host_there_is_no_world, "disk.model",
         "from os import PathLike, fspath\nfrom pathlib import PurePath\nfrom uuid import uuid5",
         []),
        (below_the_host_there_is_no_world, "ondisk.fat_dirent",
         "from datetime import datetime\ndatetime.fromtimestamp(0)", []),
        (below_the_host_there_is_no_world, "plan.stored", "def f(p):\n    return open(p)",
         ["2: open is of the outside world"]),
        (below_the_host_there_is_no_world, "plan.stored", "f = open",
         ["1: open is of the outside world"]),
        (below_the_host_there_is_no_world, "kinds.tables.gpt",
         "import os\nos.fspath(os.environ['X'])",
         ["2: os.environ is of the outside world"]),
        (below_the_host_there_is_no_world, "kinds.tables.gpt", "import os\nos.path.exists('x')",
         ["2: os.path is of the outside world"]),
        (below_the_host_there_is_no_world, "disk.layout", "from os import stat",
         ["1: os.stat is of the outside world"]),
        (below_the_host_there_is_no_world, "disk.layout", "from pathlib import Path",
         ["1: pathlib.Path is of the outside world"]),
        (below_the_host_there_is_no_world, "disk.layout", "import time",
         ["1: time is of the outside world"]),
        (below_the_host_there_is_no_world, "ondisk.fat_dirent", "datetime.datetime.now()",
         ["1: datetime.datetime.now is of the outside world"]),
        (below_the_host_there_is_no_world, "ondisk.guids", "from uuid import uuid4",
         ["1: uuid.uuid4 is of the outside world"]),
        (below_the_host_there_is_no_world, "ondisk.guids", "import uuid\nuuid.uuid4()",
         ["2: uuid.uuid4 is of the outside world"]),
        (below_the_host_there_is_no_world, "disk.model", "from random import random",
         ["1: random.random is of the outside world"]),
        (below_the_host_there_is_no_world, "disk.model", "def f():\n    import secrets, socket",
         ["2: secrets is of the outside world", "2: socket is of the outside world"]),

        (frozen_dataclasses_are_the_cheap_ones, "plan.stored",
         f"from {NAME}.frozen import dataclass\n@dataclass(frozen=True)\nclass C: pass", []),
        (frozen_dataclasses_are_the_cheap_ones, "plan.stored",
         "from dataclasses import dataclass\n@dataclass(slots=True)\nclass C: pass", []),
        (frozen_dataclasses_are_the_cheap_ones, "plan.stored",
         "from dataclasses import dataclass\n@dataclass(frozen=True)\nclass C: pass",
         [f"2: a frozen dataclass comes from {NAME}.frozen"]),

        (nothing_is_long, "units", "x = 1\n" * 350, []),
        (nothing_is_long, "units", "x = 1\n" * 351, ["1: 351 lines, 350 at most"]),
        (nothing_is_long, "units", LONG_FUNCTION, []),
        (nothing_is_long, "units", LONG_FUNCTION + "    return x",
         ["1: f has 51 lines, 50 at most"]),

        (what_is_public_is_documented, "units", '"""Doc."""\ndef _f(): pass', []),
        (what_is_public_is_documented, "units", f"'Doc.'\n{STUB}", []),
        (what_is_public_is_documented, "units", "x = 1",
         ["1: doit_diskimg.units has no docstring"]),
        (what_is_public_is_documented, "units", "'Doc.'\ndef f(): pass", ["2: f has no docstring"]),
        (what_is_public_is_documented, "units", "'Doc.'\nclass C:\n    def f(self): pass",
         ["2: C has no docstring", "3: f has no docstring"]),
    ],
)  # fmt: skip
def test_the_rule_tells_good_from_bad(rule, module, source, broken):
    name = f"{NAME}.{module}".removesuffix(".")
    assert list(rule(name, ast.parse(source))) == broken


# What an import costs ----------------------------------------------------------------------------

HEAVY = {"rich", "pyfatfs", "fs", "pathspec", "xxhash"}
WHAT_A_DODO_IMPORTS = "Disk, Partition, Fat, Gpt, Mbr, File, Segment, Tree"
WITHOUT_SEGMENTS = "Disk, Partition, Esp, Ext, Fat, Gpt, Mbr, File, Zero, Tree"


@pytest.mark.parametrize(
    ("statement", "without"),
    [
        (f"import {NAME}", HEAVY | {"uuid", "doit", f"{NAME}.disk.model"}),
        (f"import {NAME}; dir({NAME})", HEAVY | {"uuid", "doit", f"{NAME}.disk.model"}),
        (f"from {NAME} import {WHAT_A_DODO_IMPORTS}", HEAVY),
        (f"from {NAME} import {WITHOUT_SEGMENTS}",
         HEAVY | {f"{NAME}.disk.bootcode", f"{NAME}.disk.segment"}),
        (f"from {NAME} import DescriptionError, WorldError",
         HEAVY | {"doit", f"{NAME}.disk.model"}),
    ],
)
def test_dodo_py_is_read_on_every_doit_so_imports_are_cheap(statement, without):
    code = f"import json, sys; {statement}; print(json.dumps(sorted(sys.modules)))"
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, check=True, cwd=PACKAGE.parent
    )
    assert without & set(json.loads(done.stdout)) == set()


def test_every_public_name_can_be_imported():
    code = f"import {NAME} as d; print(*(getattr(d, name).__name__ for name in d.__all__))"
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, check=True, cwd=PACKAGE.parent, text=True
    )
    assert "Disk Partition Esp" in done.stdout


def test_the_version_is_that_of_the_package():
    import doit_diskimg

    project = tomllib.loads((PACKAGE.parent / "pyproject.toml").read_text())["project"]
    assert doit_diskimg.__version__ == project["version"]


def test_an_unknown_name_is_no_attribute():
    import doit_diskimg

    with pytest.raises(AttributeError, match="no attribute 'Dsik'"):
        _ = doit_diskimg.Dsik
