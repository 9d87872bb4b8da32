"""What a test needs of the machine, as a marker: pure, host, tools, doit or qemu.

A test has the greatest need of its module and of the modules of its fixtures, and a module tells
its own by what it imports, or by a constant ``NEED``.  So markers need no care; `forbid_programs`
makes a test fail that does more than its need says.
"""

import ast
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from types import ModuleType

import pytest

NEEDS = {
    "pure": "computes, and touches nothing",
    "host": "reads and writes files, and starts no program",
    "tools": "starts other programs than doit",
    "doit": "runs doit",
    "qemu": "starts a machine",
}
"""From the least to the greatest."""

_ORDER = [*NEEDS]
_OF_IMPORTS = {
    "machines": "qemu",
    "doit_diskimg.host.qemu": "qemu",
    "project": "doit",
    "forked": "doit",
    "doit": "doit",
    "tools": "tools",
    "foreign": "tools",
    "layouts.judges": "tools",
    "subprocess": "tools",
    "doit_diskimg.host": "host",
    "pathlib": "host",
    "tempfile": "host",
}
"""Support modules and others, with what a test needs that imports them."""

_TESTS = os.path.join(os.path.dirname(os.path.dirname(__file__)), "")

_OF_FIXTURES = {"tmp_path": "host", "tmp_path_factory": "host"}


def need_of(item: pytest.Item) -> str:
    """Return the need of a test."""
    found = [_of_module(item.module)]
    info = getattr(item, "_fixtureinfo", None)
    for name, definitions in (info.name2fixturedefs if info else {}).items():
        found.append(_OF_FIXTURES.get(name, "pure"))
        modules = (sys.modules.get(definition.func.__module__) for definition in definitions)
        found += [_of_module(module) for module in modules if _is_of_tests(module)]
    return max(found, key=_ORDER.index)


def _is_of_tests(module: ModuleType | None) -> bool:
    return str(getattr(module, "__file__", "")).startswith(_TESTS)


@cache
def _of_module(module: ModuleType) -> str:
    with open(str(module.__file__), "rb") as file:
        tree = ast.parse(file.read())
    names = {name for node in ast.walk(tree) for name in _imported(node)}
    found = [need for name, need in _OF_IMPORTS.items() if name in names]
    return max([getattr(module, "NEED", "pure"), *found], key=_ORDER.index)


def _imported(node: ast.AST) -> Iterator[str]:
    """Yield the module that a statement imports, and the packages that it is in."""
    whole: list[str] = []
    if isinstance(node, ast.Import):
        whole = [alias.name for alias in node.names]
    elif isinstance(node, ast.ImportFrom):
        base = node.module or ""
        whole = [base, *(f"{base}.{alias.name}" for alias in node.names)]
    for name in whole:
        parts = name.split(".")
        yield from (".".join(parts[:end]) for end in range(1, len(parts) + 1))


_STARTS = {"subprocess.Popen", "os.posix_spawn", "os.exec", "os.spawn", "os.system"}
_without: list[str] = []
"""The test, if there is one, that may start no program."""


def _hook(event: str, arguments: tuple[object, ...]) -> None:
    if event in _STARTS and _without:
        pytest.fail(f"{_without[0]} starts a program: {arguments[0]!r}; see tests/support/needs.py")


sys.addaudithook(_hook)


@contextmanager
def forbid_programs(item: pytest.Item) -> Iterator[None]:
    """Fail a test that starts a program although its need says that it starts none."""
    if any(item.get_closest_marker(need) for need in ("pure", "host")):
        _without.append(item.nodeid)
    try:
        yield
    finally:
        _without.clear()
