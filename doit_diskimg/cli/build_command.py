"""``build FILE [NAME...]``: builds the disks that a dodo.py describes, without doit."""

import argparse
import importlib.util
import os
import re
import sys
import traceback
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from importlib.machinery import SourceFileLoader
from types import ModuleType

from doit_diskimg.chain.build import build
from doit_diskimg.disk.model import Disk
from doit_diskimg.errors import DiskimgError
from doit_diskimg.host.paths import normal
from doit_diskimg.host.session import Session
from doit_diskimg.host.state import host_failed
from doit_diskimg.host.terminal import say
from doit_diskimg.host.walk import walk
from doit_diskimg.plan.content import Tree, Wanted

_EPILOG = (
    "Exit code 0: all is built; 1: something failed; 2: FILE or NAME is not there.  What other "
    "tasks of FILE would make has to exist already: nobody runs them.  docs/how-to/"
    "from-make-and-ninja.md has rules for Make and Ninja."
)


class _UsageError(Exception):
    """What is asked for is not there; its text is one line."""


def main(arguments: Sequence[str]) -> int:
    """Build the disks; return the exit code."""
    chosen = _parser().parse_args(arguments)
    here = os.getcwd()
    try:
        if not os.path.isfile(chosen.file):
            raise _UsageError(f"there is no file {chosen.file!r}")
        if chosen.target is not None and chosen.depfile is None:
            raise _UsageError("--target says what the rules of --depfile are for, which is missing")
        file = os.path.abspath(chosen.file)
        disks = _chosen(_disks(vars(_load(file))), chosen.names, chosen.file)
        code = max([_build(disk) for disk in disks])
        if code == 0 and chosen.depfile is not None:
            path = os.path.join(here, chosen.depfile)
            _write_depfile(path, chosen.target, disks, file, here)
        return code
    except _UsageError as error:
        say(f"build: {error}", sys.stderr)
        return 2
    except DiskimgError as error:
        for problem in error.problems:
            say(f"build: {problem}", sys.stderr)
        return 1
    except _TheirError as error:
        sys.stderr.write(str(error))
        return 1
    except KeyboardInterrupt:
        say("build: interrupted; the next build goes on from here", sys.stderr)
        return 130


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m doit_diskimg build", epilog=_EPILOG,
        description="Build the disks that a Python file describes; print what each step did.",
    )
    parser.add_argument("file", metavar="FILE", help="a dodo.py, or a file like one")
    parser.add_argument(
        "names", metavar="NAME", nargs="*", help="the name or the image of a disk; all if none is"
    )
    parser.add_argument(
        "--depfile", metavar="PATH", help="write there what the images are made of, for Make"
    )
    parser.add_argument(
        "--target", metavar="NAME", help="what the rules in that file are for, not the images"
    )
    return parser


# What the file says ------------------------------------------------------------------------------


class _TheirError(Exception):
    """A fault in the user's own Python; its text is the traceback, but for what is ours."""


def _load(path: str) -> ModuleType:
    """Run the user's file as doit does: in its folder, which is the first place for imports.

    ``path`` is absolute.
    """
    folder, name = os.path.split(path)
    os.chdir(folder)
    sys.path.insert(0, folder)
    module_name = os.path.splitext(name)[0]
    loader = SourceFileLoader(module_name, path)
    spec = importlib.util.spec_from_loader(module_name, loader)
    assert spec is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[module_name] = module
    try:
        loader.exec_module(module)
    except DiskimgError:
        raise
    except Exception as error:
        trace = error.__traceback__
        while trace is not None and trace.tb_frame.f_globals.get("__name__") != module_name:
            trace = trace.tb_next
        lines = traceback.format_exception(error.with_traceback(trace))
        raise _TheirError("".join(lines)) from None
    return module


def _disks(value: object, depth: int = 0) -> Iterator[Disk]:
    """Yield the disks among the variables of a module, and in lists and dicts of them."""
    if isinstance(value, Disk):
        yield value
    elif isinstance(value, Mapping) and depth < _DEEPEST:
        for item in [*value.values()]:
            yield from _disks(item, depth + 1)
    elif isinstance(value, (list, tuple, set, frozenset)) and depth < _DEEPEST:
        for item in value:
            yield from _disks(item, depth + 1)


_DEEPEST = 8
"""Lists in one another; a list may hold itself."""


def _chosen(found: Iterator[Disk], names: Sequence[str], file: str) -> list[Disk]:
    """Return the disks that are named, or all; what one is made of comes before it."""
    disks = list({id(disk): disk for disk in found}.values())
    if not disks:
        raise _UsageError(f"{file}: no variable holds a Disk(...)")
    for name in names:
        if not any(_is_named(disk, name) for disk in disks):
            known = ", ".join(repr(disk.name) for disk in disks)
            raise _UsageError(f"{file}: {name!r} is not a disk, must be one of: {known}")
    disks = [disk for disk in disks if not names or any(_is_named(disk, name) for name in names)]
    return _in_order(disks)


def _is_named(disk: Disk, name: str) -> bool:
    return name in (disk.name, os.fspath(disk.image))


def _in_order(disks: Sequence[Disk]) -> list[Disk]:
    """Return the disks so that an image that is a source of another is built first."""
    session, ordered, left = Session(), list[Disk](), list(disks)
    made_of = {} if len(left) == 1 else {id(disk): _files(disk, session) for disk in left}
    while left:
        images = {os.fspath(disk.image) for disk in left if made_of}
        ready = [disk for disk in left if images.isdisjoint(made_of.get(id(disk), ()))]
        ready = ready or left  # made of each other: nothing can be built first
        ordered += ready
        left = [disk for disk in left if not any(disk is other for other in ready)]
    return ordered


def _files(disk: Disk, session: Session) -> set[str]:
    if disk.problems():
        return set()  # the build will say so
    with suppress(DiskimgError):
        return {os.fspath(path) for path in sources(disk, session)}
    return set()


# Building ----------------------------------------------------------------------------------------


def _build(disk: Disk) -> int:
    """Build one disk; return the exit code."""
    try:
        done = build(disk, tell=say)
    except DiskimgError as error:
        for problem in error.problems:
            say(f"{disk.name}: {problem}", sys.stderr)
        return 1
    if not any(step.ran for step in done):
        say(f"{disk.name}: up to date")
    return 0


def _write_depfile(
    path: str, target: str | None, disks: Sequence[Disk], file: str, here: str
) -> None:
    """Write what the images are made of, as seen from the folder ``here``.

    ``target`` stands for the images.  Raises WorldError.
    """
    session, made_of = Session(), dict[str, list[str]]()
    for disk in disks:
        (image,) = relative([normal(disk.image)], here)
        paths = [file, *sources(disk, session)]
        made_of.setdefault(target or image, []).extend(relative(map(normal, paths), here))
    try:
        text = rules(made_of)
    except ValueError as error:
        raise _UsageError(str(error)) from None
    try:
        with open(path, "w", encoding="utf-8", errors="surrogateescape") as stream:
            stream.write(text)
    except OSError as error:
        raise host_failed(path, error, "write what the images are made of") from error


# The dependency file -----------------------------------------------------------------------------


def sources(disk: Disk, session: Session) -> list[str]:
    """Return every file that a disk is made of, and the directories of its trees, in which another
    file may appear.  Raises WorldError.
    """
    found = dict[str, None]()
    for want in _wanted(disk):
        if isinstance(want.source, Tree):
            top = os.fspath(want.source.dir)
            found[top] = None
            for entry in walk(want.source, want.where, session):
                found[entry.source or os.path.join(top, entry.path)] = None
        elif not isinstance(want.source, bytes):
            found[os.fspath(want.source)] = None
    return list(found)


def _wanted(disk: Disk) -> Iterator[Wanted]:
    for part in disk.parts():
        yield from part.payload.sources(part.where)
    for where, segment in disk.outside:
        yield from segment.sources(where)


def rules(made_of: Mapping[str, Sequence[str]]) -> str:
    """Return a rule for each target, and an empty one for each source.

    By that a source that is gone is no error for Make, but a reason to build.
    """
    lines = [
        " \\\n  ".join([f"{escaped(target)}:", *map(escaped, paths)])
        for target, paths in made_of.items()
    ]
    paths = dict.fromkeys(path for paths in made_of.values() for path in paths)
    # A percent sign in a target would make a pattern of it, and the image has a rule.
    lines += [f"{escaped(path)}:" for path in paths if path not in made_of and "%" not in path]
    return "\n".join([*lines, ""])


def escaped(path: str) -> str:
    """Return a path as it stands in a rule.  Raises ValueError for one that can't."""
    if "\n" in path or "\r" in path:
        raise ValueError(f"{path!r} has a line break, which no rule of Make's can have")
    # Backslashes are themselves, except before what is escaped by one.
    text = re.sub(r"(\\*)([ \t#])", r"\1\1\\\2", path)
    return re.sub(r"(\\*):", r"\1\\:", text).replace("$", "$$")


def relative(paths: Iterable[str], folder: str) -> list[str]:
    """Return paths, which are relative to the current directory, as seen from ``folder``; what is
    absolute stays absolute.
    """
    return [path if os.path.isabs(path) else os.path.relpath(path, folder) for path in paths]
