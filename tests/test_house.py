"""The rules of the house: who may import whom, who may touch the world, how long things may be.

A rule is a function from modules (names and syntax trees) to what breaks it, most of them from one
module.  The rules run over the package, and over bad examples that prove that each can fail.

What still breaks a rule stands in house_debts.txt: nothing may break it that is not in there.

    python tests/test_house.py             writes house_debts.txt anew; it should get shorter
    python tests/test_house.py figures     counts rooms, modules, circles and so on
    python tests/test_house.py figures ../old/doit_diskimg
"""

import ast
import json
import subprocess
import sys
import tomllib
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping
from fnmatch import fnmatchcase
from functools import cache
from pathlib import Path
from typing import NamedTuple

import pytest

NAME = "doit_diskimg"
PACKAGE = Path(__file__).parent.parent / NAME
DEBTS = Path(__file__).parent / "house_debts.txt"

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
    "verify": {"plan", "ondisk", "disk", "kinds"},  # it judges what these made, by other code
    "chain": {"kinds", "shortcuts"},  # it meets kinds in the sockets, shortcuts as hooks
}
"""Rooms, and the lower ones that they don't know all the same."""

DOORS = (
    ("", "*"),  # public names are loaded on first use
    ("disk.model", "tasks.*"),  # disk.tasks() hands a description to the skin
    ("disk.model", "disk.check*"),  # and disk.problems() to those who find mistakes
    ("tasks.qemu_task", "tasks.*"),  # as that of a machine does
    ("tasks.boots", "tasks.booting.*"),  # and its actions to what they do
    ("tasks.*", "chain.*"),  # a task to its action
    ("chain.steps", "chain.*"),  # a step to its work
    ("chain.steps", "disk.identity.*"),  # of outputs, which most disks have not
    ("chain.steps", "host.program.*"),  # of those that programs make
    ("shortcuts.checked", "chain.own_sources.*"),  # asked only of a description that is new
    ("chain.*", "chain.compare.*"),  # what reads the whole image, with the judge's code
    ("chain.*", "chain.keeping.*"),  # of guests, which most disks have not
    ("chain.populate", "chain.readback.*"),  # the judge of volumes that programs make
    ("tasks.*", "verify.*"),
    ("tasks.*", "shortcuts.*"),
    ("host.files", "host.workshop.*"),  # programs, which most volumes do without
    ("host.recorded", "host.workshop.*"),
    ("host.recorded", "host.hashing.*"),  # files that were touched, which few are
    ("host.walk", "plan.patterns.*"),  # which most trees have not
    ("verify.witnesses", "verify.pyfat_reader.*"),  # which needs pyfatfs
    ("kinds.*", "{folder}.*"),  # a description, i.e. what is public, to the files that do its work
)  # fmt: skip
"""(importer, imported): the lazy imports that there may be, and the only ones in a circle."""

LAZY = {
    "ctypes", "difflib", "doit", "elftools", "importlib", "multiprocessing", "pyfatfs", "rich",
    "secrets", "shutil", "uuid", "watchfiles", "xxhash", "zlib",
}  # fmt: skip
"""What is not ours and may be imported in a function: it is heavy, or seldom needed."""

SMALLEST_KIND = 20

MODULE_LINES, FUNCTION_LINES = 350, 50
VOCABULARY = {f"{NAME}.disk.model": 450}
"""What everything else speaks of may be longer: it is read once, as a whole."""

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
    lazy: bool  # in a function


def imports(tree: ast.AST, typing_only: bool = False, lazy: bool = False) -> Iterator[Import]:
    """Yield the imports of a module, wherever in it they stand."""
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield Import(alias.name, node.lineno, typing_only, lazy)
        elif isinstance(node, ast.ImportFrom):
            base = "." * node.level + (node.module or "")
            for alias in node.names:
                yield Import(f"{base}.{alias.name}", node.lineno, typing_only, lazy)
        elif isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test):
            yield from imports(ast.Module(node.body, []), True, lazy)
            yield from imports(ast.Module(node.orelse, []), typing_only, lazy)
        else:
            function = isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda)
            yield from imports(node, typing_only, lazy or function)


def short(module: str) -> str:
    """Return the name of a module within the package."""
    return module.removeprefix(NAME).removeprefix(".")


def is_door(module: str, target: str) -> bool:
    """Tell whether an import is one of those that may be lazy, and part of a circle."""
    name, other = short(module), short(target)
    public = part_of(module) != "kinds" or name in descriptions()
    folder = name.rpartition(".")[0]
    return public and any(
        fnmatchcase(name, importer) and fnmatchcase(other, imported.format(folder=folder))
        for importer, imported in DOORS
    )


@cache
def descriptions() -> frozenset[str]:
    """Return the modules that the package shows to its users."""
    tree = ast.parse((PACKAGE / "__init__.py").read_bytes())
    return frozenset(short(target).rpartition(".")[0] for target, *_ in imports(tree))


def part_of(module: str) -> str:
    """Return the part of the package that a module belongs to, empty for the package itself."""
    return module.partition(".")[2].partition(".")[0]


@cache
def faces() -> frozenset[str]:
    """Return the public names, as an import from the package itself has them."""
    tree = ast.parse((PACKAGE / "__init__.py").read_bytes())
    return frozenset(f"{NAME}.{target.rpartition('.')[2]}" for target, *_ in imports(tree))


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
    room = part_of(module)
    for target, line, *_ in imports(tree):
        other = part_of(target)
        if target.startswith("."):
            yield f"{line}: {target} is relative"
        if target.partition(".")[0] != NAME or room in FACES or other == room:
            continue
        if other in FACES or target in faces():
            yield f"{line}: {target} is shown by a face, import it from its home instead"
        elif other not in LEVEL:
            yield f"{line}: {target} is in no room"
        elif is_door(module, target):
            continue
        elif LEVEL[other] > LEVEL[room]:
            yield f"{line}: {room} imports {other}, which is above it"
        elif LEVEL[other] == LEVEL[room] and room not in STONES:
            yield f"{line}: {room} imports {other}, which is beside it"
        elif other in APART.get(room, ()):
            yield f"{line}: {room} imports {other}, which it may not know"


def only_the_skin_knows_doit(module: str, tree: ast.Module) -> Iterator[str]:
    for target, line, *_ in imports(tree):
        if target.partition(".")[0] == "doit" and part_of(module) != "tasks":
            yield f"{line}: {target} is imported outside tasks"


def only_the_judge_knows_pyfatfs(module: str, tree: ast.Module) -> Iterator[str]:
    for target, line, *_ in imports(tree):
        outside = part_of(module) not in {"host", "verify"}
        if target.partition(".")[0] in {"pyfatfs", "fs"} and outside:
            yield f"{line}: {target} is imported outside host and verify"


def below_the_host_there_is_no_world(module: str, tree: ast.Module) -> Iterator[str]:
    if part_of(module) in FACES or LEVEL[part_of(module)] >= LEVEL["host"]:
        return
    for target, line, *_ in imports(tree):
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
    if "dataclasses.dataclass" not in names or short(module) == "frozen":  # which defines it
        return
    for node in ast.walk(tree):
        text = ast.unparse(node) if isinstance(node, ast.Call) else ""
        if text.startswith("dataclass(") and "frozen=True" in text:
            yield f"{node.lineno}: a frozen dataclass comes from {NAME}.frozen"


def nothing_is_long(module: str, tree: ast.Module) -> Iterator[str]:
    length = max((node.end_lineno or 0 for node in tree.body), default=0)
    most = VOCABULARY.get(module, MODULE_LINES)
    if length > most:
        yield f"1: {length} lines, {most} at most"
    for node in functions(tree):
        length = (node.end_lineno or 0) - node.lineno + 1
        if length > FUNCTION_LINES:
            yield f"{node.lineno}: {node.name} has {length} lines, {FUNCTION_LINES} at most"


def what_is_public_is_documented(module: str, tree: ast.Module) -> Iterator[str]:
    if not ast.get_docstring(tree):
        yield f"1: {module} has no docstring"
    for node in public(tree.body):
        stub = ast.unparse(node.body[-1]) == "..." and len(node.body) == 1  # of a protocol
        if not ast.get_docstring(node) and not stub and node.name not in socket_methods():
            yield f"{node.lineno}: {node.name} has no docstring"


@cache
def socket_methods() -> frozenset[str]:
    """Return the methods that protocols of the package ask for, where they are documented."""
    return frozenset(
        method.name
        for tree in modules().values() for node in tree.body if isinstance(node, ast.ClassDef)
        if any("Protocol" in ast.unparse(base) for base in node.bases)
        for method in node.body if isinstance(method, ast.FunctionDef)
    )


def no_import_is_for_types_only(module: str, tree: ast.Module) -> Iterator[str]:
    for target, line, typing_only, _ in imports(tree):
        if typing_only and module != NAME:
            yield f"{line}: {target} is imported for types only"


def lazy_imports_stand_at_doors(module: str, tree: ast.Module) -> Iterator[str]:
    for target, line, _, lazy in imports(tree):
        top = target.partition(".")[0]
        if lazy and (top not in LAZY if top != NAME else not is_door(module, target)):
            yield f"{line}: {target} is imported in a function"


CONTAINERS = {
    "Counter", "OrderedDict", "WeakKeyDictionary", "WeakSet", "WeakValueDictionary", "bytearray",
    "defaultdict", "deque", "dict", "list", "set",
}  # fmt: skip
CHANGES = {
    "add", "append", "appendleft", "clear", "difference_update", "discard", "extend", "insert",
    "intersection_update", "pop", "popitem", "popleft", "remove", "setdefault", "update",
}  # fmt: skip


def containers(tree: ast.Module) -> Iterator[tuple[str, ast.expr]]:
    """Yield names and values of the lists, sets and dicts that a module makes when it is loaded."""
    for node in tree.body:
        if isinstance(node, ast.Assign | ast.AnnAssign) and node.value is not None:
            value = node.value
            made = isinstance(value, ast.Call) and ast.unparse(value.func).split(".")[-1]
            literal = ast.List | ast.Dict | ast.Set | ast.ListComp | ast.DictComp | ast.SetComp
            if made in CONTAINERS or isinstance(value, literal):
                for target in node.targets if isinstance(node, ast.Assign) else [node.target]:
                    yield ast.unparse(target), value


def changed_names(tree: ast.Module) -> set[str]:
    """Return the names of which a module changes the contents."""
    found: set[str] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Subscript) and not isinstance(node.ctx, ast.Load):
            found.add(ast.unparse(node.value))
        elif isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
            if node.func.attr in CHANGES:
                found.add(ast.unparse(node.func.value))
        elif isinstance(node, ast.AugAssign):
            found.add(ast.unparse(node.target))
    return found


def modules_have_no_state(module: str, tree: ast.Module) -> Iterator[str]:
    """Find what one call may leave behind in a module for another: containers, globals, caches.

    A container that is made empty is made to be filled, by this module or by another one.
    """
    changed = changed_names(tree)
    for name, value in containers(tree):
        if name in changed or ast.unparse(value) in ("[]", "{}") or ast.unparse(value)[-2:] == "()":
            yield f"{value.lineno}: {name} is state of the module"
    for node in ast.walk(tree):
        if isinstance(node, ast.Global):
            yield f"{node.lineno}: {', '.join(node.names)} is state of the module"
    for node in functions(tree):
        for decorator in node.decorator_list:
            text = ast.unparse(decorator).removeprefix("functools.")
            unbounded = text == "cache" or (text.startswith("lru_cache(") and "None" in text)
            if unbounded and (node.args.args or node.args.vararg or node.args.kwonlyargs):
                yield f"{node.lineno}: {node.name} has a cache without a bound"


# Rules about all modules -------------------------------------------------------------------------

Trees = Mapping[str, ast.Module]


def imports_make_no_circle(trees: Trees) -> Iterator[str]:
    leads = arrows(trees, doors=False)
    for circle in circles(leads):
        for module in sorted(circle):
            for other in sorted(circle & leads[module]):
                yield f"{short(module)}: imports {short(other)}, which leads back to it"


def class_names_are_unique(trees: Trees) -> Iterator[str]:
    named = [
        (module, node.name) for module, tree in trees.items() for node in tree.body
        if isinstance(node, ast.ClassDef)
    ]  # fmt: skip
    times = Counter(name for _, name in named)
    for module, name in named:
        if times[name] > 1:
            yield f"{short(module)}: there is another class {name}"


def file_names_are_unique(trees: Trees) -> Iterator[str]:
    packages = {module.rpartition(".")[0] for module in trees}
    files = [module for module in trees if module not in packages]
    times = Counter(module.rpartition(".")[2] for module in files)
    for module in files:
        if times[module.rpartition(".")[2]] > 1:
            yield f"{short(module)}: there is another file of this name"


def the_smallest_kind_is_small(trees: Trees) -> Iterator[str]:
    kinds = {
        module: lines_of_code(tree) for module, tree in trees.items()
        if short(module).startswith("kinds.filesystems.") and short(module) in descriptions()
    }  # fmt: skip
    if kinds and min(kinds.values()) > SMALLEST_KIND:
        smallest = min(kinds, key=kinds.__getitem__)
        yield f"{short(smallest)}: the smallest kind has more than {SMALLEST_KIND} lines of code"


def arrows(trees: Trees, doors: bool) -> dict[str, set[str]]:
    """Return for each module the other modules that it imports, anywhere in it."""
    found: dict[str, set[str]] = {}
    for module, tree in trees.items():
        targets = {
            t if t in trees else t.rpartition(".")[0]
            for t, *_ in imports(tree)
            if doors or not is_door(module, t)
        }
        found[module] = {target for target in targets if target in trees} - {module}
    return found


def circles(arrows: Mapping[str, Iterable[str]]) -> list[set[str]]:
    """Return the sets of modules of which each one leads to every other one."""
    reach: dict[str, set[str]] = {}
    for module in arrows:
        found, ahead = set[str](), list(arrows[module])
        while ahead:
            if (here := ahead.pop()) not in found:
                found.add(here)
                ahead += arrows[here]
        reach[module] = found
    among = {frozenset(n for n in reach[m] if m in reach[n]) for m in arrows if m in reach[m]}
    return sorted((set(circle) for circle in among), key=sorted)


def lines_of_code(tree: ast.Module) -> int:
    """Return how many lines have a statement on them that is no docstring."""
    lines: set[int] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant):
            continue
        if isinstance(node, ast.FunctionDef | ast.ClassDef):
            lines.add(node.lineno)
        elif isinstance(node, ast.stmt):
            lines |= set(range(node.lineno, (node.end_lineno or 0) + 1))
    return len(lines)


Rule = Callable[[str, ast.Module], Iterator[str]]
RULES: list[Rule] = [
    imports_go_down,
    only_the_skin_knows_doit,
    only_the_judge_knows_pyfatfs,
    below_the_host_there_is_no_world,
    frozen_dataclasses_are_the_cheap_ones,
    nothing_is_long,
    what_is_public_is_documented,
    no_import_is_for_types_only,
    lazy_imports_stand_at_doors,
    modules_have_no_state,
]
WHOLE: list[Callable[[Trees], Iterator[str]]] = [
    imports_make_no_circle,
    class_names_are_unique,
    file_names_are_unique,
    the_smallest_kind_is_small,
]


# The package keeps them --------------------------------------------------------------------------


def trees_of(package: Path) -> dict[str, ast.Module]:
    return {
        ".".join([NAME, *path.relative_to(package).with_suffix("").parts])
        .removesuffix(".__init__"): ast.parse(path.read_bytes(), filename=str(path))
        for path in sorted(package.rglob("*.py"))
    }  # fmt: skip


@cache
def modules() -> dict[str, ast.Module]:
    return trees_of(PACKAGE)


def broken(rule: str) -> list[tuple[str, str]]:
    """Return what breaks a rule: with line numbers, and as house_debts.txt has it."""
    for each in RULES:
        if each.__name__ == rule:
            found = [(short(m), text) for m, tree in modules().items() for text in each(m, tree)]
            return [(f"{m}:{text}", f"{rule} {m}: {text.partition(': ')[2]}") for m, text in found]
    whole = next(each for each in WHOLE if each.__name__ == rule)
    return [(text, f"{rule} {text}") for text in whole(modules())]


ALL = [rule.__name__ for rule in (*RULES, *WHOLE)]


@pytest.mark.parametrize("rule", ALL)
def test_the_package_keeps_the_rule(rule):
    debts = set(DEBTS.read_text().splitlines()) if DEBTS.exists() else set()
    assert [shown for shown, debt in broken(rule) if debt not in debts] == []


def test_the_top_level_has_four_stones_and_ten_folders():
    rooms = {part_of(name) for name in modules()} - FACES
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
        (imports_go_down, "verify.gpt_reader", "from doit_diskimg.ondisk.gpt_header import f",
         ["1: verify imports ondisk, which it may not know"]),
        (imports_go_down, "verify.judge", "from doit_diskimg.host.program import find", []),
        (imports_go_down, "cli.build", "from doit_diskimg.tasks.disk import Disk",
         ["1: cli imports tasks, which is beside it"]),
        (imports_go_down, "disk.model", "from .layout import Layout",
         ["1: .layout.Layout is relative"]),
        (imports_go_down, "disk.model", "from doit_diskimg import Fat",
         ["1: doit_diskimg.Fat is shown by a face, import it from its home instead"]),
        (imports_go_down, "disk.model", "from doit_diskimg.ports import MIB",
         ["1: doit_diskimg.ports.MIB is shown by a face, import it from its home instead"]),
        (imports_go_down, "disk.model", "from doit_diskimg.attic import MIB",
         ["1: doit_diskimg.attic.MIB is in no room"]),
        (imports_go_down, "disk.model", "def f():\n    from doit_diskimg.tasks.chain import f", []),
        (imports_go_down, "disk.layout", "def f():\n    from doit_diskimg.tasks.chain import f",
         ["2: disk imports tasks, which is above it"]),

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

        (no_import_is_for_types_only, "units", "from typing import TYPE_CHECKING", []),
        (no_import_is_for_types_only, "units", "if TYPE_CHECKING:\n    import json\nimport os",
         ["2: json is imported for types only"]),
        (no_import_is_for_types_only, "units", "if typing.TYPE_CHECKING:\n    import json",
         ["2: json is imported for types only"]),

        (lazy_imports_stand_at_doors, "units", "import json, rich", []),
        (lazy_imports_stand_at_doors, "host.files", "def f():\n    import xxhash", []),
        (lazy_imports_stand_at_doors, "host.files", "def f():\n    import json",
         ["2: json is imported in a function"]),
        (lazy_imports_stand_at_doors, "", "def f():\n    from doit_diskimg.disk import at", []),
        (lazy_imports_stand_at_doors, "tasks.chain",
         "def f():\n    from doit_diskimg.chain.populate import f", []),
        (lazy_imports_stand_at_doors, "tasks.chain",
         "def f():\n    from doit_diskimg.host.seal import f",
         ["2: doit_diskimg.host.seal.f is imported in a function"]),
        (lazy_imports_stand_at_doors, "kinds.filesystems.zero",
         "class C:\n    def f():\n        from doit_diskimg.kinds.filesystems.work import f", []),
        (lazy_imports_stand_at_doors, "kinds.filesystems.zero",
         "def f():\n    from doit_diskimg.kinds.tables.work import f",
         ["2: doit_diskimg.kinds.tables.work.f is imported in a function"]),
        (lazy_imports_stand_at_doors, "kinds.filesystems.work",
         "def f():\n    from doit_diskimg.kinds.filesystems.zero import Zero",
         ["2: doit_diskimg.kinds.filesystems.zero.Zero is imported in a function"]),

        (modules_have_no_state, "units", "A = {1: 2}\nB = (1, 2)\nC = [1]\nprint(A[1])", []),
        (modules_have_no_state, "units", "def f():\n    a = {}\n    a[1] = 2", []),
        (modules_have_no_state, "units", "A = {}", ["1: A is state of the module"]),
        (modules_have_no_state, "units", "A: list[int] = []", ["1: A is state of the module"]),
        (modules_have_no_state, "units", "A = WeakSet()", ["1: A is state of the module"]),
        (modules_have_no_state, "units", "A = {1: 2}\ndef f():\n    A[1] = 3",
         ["1: A is state of the module"]),
        (modules_have_no_state, "units", "A = {1: 2}\ndef f():\n    del A[1]",
         ["1: A is state of the module"]),
        (modules_have_no_state, "units", "A = [1]\ndef f():\n    A.append(3)",
         ["1: A is state of the module"]),
        (modules_have_no_state, "units", "A = 1\ndef f():\n    global A\n    A = 2",
         ["3: A is state of the module"]),
        (modules_have_no_state, "units", "@cache\ndef f(): pass", []),
        (modules_have_no_state, "units", "@lru_cache(maxsize=8)\ndef f(x): pass", []),
        (modules_have_no_state, "units", "@functools.cache\ndef f(x): pass",
         ["2: f has a cache without a bound"]),
        (modules_have_no_state, "units", "@lru_cache(maxsize=None)\ndef f(x): pass",
         ["2: f has a cache without a bound"]),
    ],
)  # fmt: skip
def test_the_rule_tells_good_from_bad(rule, module, source, broken):
    name = f"{NAME}.{module}".removesuffix(".")
    assert list(rule(name, ast.parse(source))) == broken


ZERO = "from x import y\n" * 17 + "class Zero:\n    'Doc.'\n    def f(self):\n        'Doc.'\n"


@pytest.mark.parametrize(
    ("rule", "sources", "broken"),
    [
        (imports_make_no_circle,
         {"disk.a": "import doit_diskimg.disk.b", "disk.b": "from doit_diskimg.disk.c import f",
          "disk.c": "from doit_diskimg.units import f", "units": ""}, []),
        (imports_make_no_circle,
         {"disk.a": "import doit_diskimg.disk.b", "disk.b": "from doit_diskimg.disk.c import f",
          "disk.c": "def f():\n    from doit_diskimg.disk import a",
          "disk.d": "from doit_diskimg.disk.a import f"},
         ["disk.a: imports disk.b, which leads back to it",
          "disk.b: imports disk.c, which leads back to it",
          "disk.c: imports disk.a, which leads back to it"]),
        (imports_make_no_circle,
         {"disk.a": "import doit_diskimg.disk.b",
          "disk.b": "if TYPE_CHECKING:\n    from doit_diskimg.disk.a import f"},
         ["disk.a: imports disk.b, which leads back to it",
          "disk.b: imports disk.a, which leads back to it"]),
        (imports_make_no_circle,
         {"disk.model": "def f():\n    from doit_diskimg.tasks.chain import f",
          "tasks.chain": "from doit_diskimg.disk.model import Disk"}, []),
        (class_names_are_unique, {"a": "class A: pass", "b": "class B:\n    class A: pass"}, []),
        (class_names_are_unique, {"a": "class A: pass", "b": "class A: pass"},
         ["a: there is another class A", "b: there is another class A"]),
        (file_names_are_unique, {"disk.a": "", "disk": "", "kinds": "", "kinds.b": ""}, []),
        (file_names_are_unique, {"disk.a": "", "kinds.a": "", "b": ""},
         ["disk.a: there is another file of this name",
          "kinds.a: there is another file of this name"]),
        (the_smallest_kind_is_small,
         {"kinds.filesystems.zero": ZERO + "        return 1", "units": ZERO * 2}, []),
        (the_smallest_kind_is_small,
         {"kinds.filesystems.zero": ZERO + "        return (1\n        )"},
         ["kinds.filesystems.zero: the smallest kind has more than 20 lines of code"]),
    ],
)  # fmt: skip
def test_the_rule_about_all_tells_good_from_bad(rule, sources, broken):
    trees = {f"{NAME}.{name}": ast.parse(source) for name, source in sources.items()}
    assert list(rule(trees)) == broken


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
        (
            f"from {NAME} import {WITHOUT_SEGMENTS}",
            HEAVY | {f"{NAME}.disk.bootcode", f"{NAME}.disk.check"},
        ),
        (
            f"from {NAME} import DescriptionError, WorldError",
            HEAVY | {"doit", f"{NAME}.disk.model"},
        ),
    ],
)
def test_dodo_py_is_read_on_every_doit_so_imports_are_cheap(statement, without):
    code = f"import json, sys; {statement}; print(json.dumps(sorted(sys.modules)))"
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, check=True, cwd=PACKAGE.parent
    )
    assert without & set(json.loads(done.stdout)) == set()


NAMES = (
    "Bmap, BootCode, Compressed, Disk, DiskImage, Esp, Expect, Ext, Fat, FatImage, File, Gpt, "
    "GrubBios, GrubEfi, Iso, Limine, Mbr, Partition, PartitionFile, Patch, Qcow2, Qemu, Screen, "
    "Segment, Sha256, Symbol, Tree, Vdi, Vhdx, Vmdk, Zero, at"
)
DESCRIBED = """
import sys
sys.modules["doit"] = None
from doit_diskimg import *
import doit_diskimg.ports
disk = Disk("os.img", size="64MiB", table=Gpt(), boot=BootCode(b"b"), partitions=[
    Esp({"a": b"a", "t": Tree("t")}), Partition("root", Ext({})), Partition("raw", File("raw")),
    Partition("swap", Zero(), size="1MiB", type="linux-swap"),
], segments=[Segment("s", BootCode(b"s" * 9, patches=[Patch(0, "<Q", at.lba("s"))]), "17KiB")],
    outputs=[Qcow2("q"), Vdi("i"), Vmdk("m"), Vhdx("x"), Compressed("c.gz"), Bmap("b"), Iso("o"),
             PartitionFile("p", partition="esp"), Sha256("s")])
DiskImage(base="theirs.img", image="os.img", partitions={1: FatImage("theirs.fat", {})})
Disk("mbr.img", size="1MiB", table=Mbr(), boot=Limine("limine"))
Disk("grub.img", size="1MiB", table=Mbr(), boot=GrubBios("build/core.img"))
GrubEfi("build/grub.efi")
Qemu(disk, firmware="uefi")
Expect("login:").send("root").expect("#")
print(*map(str, disk.problems()), len(disk.parts()))
"""


def test_to_describe_a_disk_takes_no_doit():
    done = subprocess.run(
        [sys.executable, "-c", DESCRIBED.replace("import *", f"import {NAMES}")],
        capture_output=True, text=True, cwd=PACKAGE.parent,
    )  # fmt: skip
    assert (done.stdout, done.stderr) == ("4\n", "")


def test_every_public_name_can_be_imported():
    code = f"import {NAME} as d; print(*(getattr(d, name).__name__ for name in d.__all__))"
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, check=True, cwd=PACKAGE.parent, text=True
    )
    assert "Disk DiskImage Partition Esp" in done.stdout


def test_a_public_name_stands_in_all_three_lists():
    import doit_diskimg

    homes = {f"{NAME}.{home}.{name}" for name, home in doit_diskimg._HOME.items()}
    tree = ast.parse((PACKAGE / "__init__.py").read_bytes())
    assert {target for target, _, typing_only, _ in imports(tree) if typing_only} == {
        *homes, f"{NAME}.disk.at"
    }  # fmt: skip
    assert {*doit_diskimg.__all__} == {*doit_diskimg._HOME, "at"}


def test_the_version_is_that_of_the_package():
    import doit_diskimg

    project = tomllib.loads((PACKAGE.parent / "pyproject.toml").read_text())["project"]
    assert doit_diskimg.__version__ == project["version"]


def test_an_unknown_name_is_no_attribute():
    import doit_diskimg

    with pytest.raises(AttributeError, match="no attribute 'Dsik'"):
        _ = doit_diskimg.Dsik


def test_the_test_command_installs_every_judge():
    tests = Path(__file__).parent
    _, _, rest = (tests / "run").read_text().partition('PACKAGES="')
    named = dict(containers(ast.parse((tests / "support/tools.py").read_bytes())))["PACKAGES"]
    essential = {"coreutils"}  # every Debian has them
    assert {*ast.literal_eval(named).values()} - essential <= {*rest.partition('"')[0].split()}


# Run as a program --------------------------------------------------------------------------------


def figures(package: Path) -> dict[str, int]:
    """Count what the plan of rooms is measured by."""
    trees = trees_of(package)
    every = {module: list(imports(tree)) for module, tree in trees.items()}
    ours = {m: [i for i in each if i.target.startswith(NAME)] for m, each in every.items()}
    files = Counter(p.name for p in package.rglob("*.py") if p.name != "__init__.py")
    classes = [n for t in trees.values() for n in t.body if isinstance(n, ast.ClassDef)]
    between: defaultdict[str, set[str]] = defaultdict(set)
    for module, others in arrows(trees, doors=True).items():
        between[part_of(module)] |= {part_of(other) for other in others} - {part_of(module), ""}
    loops, real = (circles(arrows(trees, doors=doors)) for doors in (True, False))
    return {
        "rooms": len({part_of(m) for m in trees} - {""}),
        "arrows between rooms": sum(map(len, between.values())),
        "modules": len(trees),
        "modules under 60 lines": sum(
            len(p.read_bytes().splitlines()) < 60 for p in package.rglob("[!_]*.py")
        ),
        "lines": sum(len(p.read_bytes().splitlines()) for p in package.rglob("*.py")),
        "circles of files": len(loops),
        "files in circles": sum(map(len, loops)),
        "files in circles that are not through a door": sum(map(len, real)),
        "lazy imports of ours": sum(i.lazy and not i.typing_only for e in ours.values() for i in e),
        "modules with a TYPE_CHECKING block": sum(
            any(i.typing_only for i in each) for each in every.values()
        ),
        "class names twice": sum(n > 1 for n in Counter(c.name for c in classes).values()),
        "file names twice": sum(n > 1 for n in files.values()),
        "module state": sum(1 for m, t in trees.items() for _ in modules_have_no_state(m, t)),
        "reason classes": sum(
            isinstance(node, ast.ClassDef) and {"reason", "see"} & {f.name for f in functions(node)}
            != set() for m, t in trees.items() if part_of(m) == "tasks" for node in t.body
        ),
    }  # fmt: skip


def main() -> None:
    if sys.argv[1:2] == ["figures"]:
        for name, count in figures(Path(*sys.argv[2:3]) if sys.argv[2:] else PACKAGE).items():
            print(f"{count:>7,}  {name}")
        return
    before = len(DEBTS.read_text().splitlines()) if DEBTS.exists() else 0
    debts = sorted({debt for rule in ALL for _, debt in broken(rule)})
    DEBTS.write_text("".join(f"{debt}\n" for debt in debts))
    print(f"{DEBTS.name}: {len(debts)} lines, {before} before")
    for rule, count in Counter(debt.split()[0] for debt in debts).items():
        print(f"{count:>5}  {rule}")


if __name__ == "__main__":
    main()
