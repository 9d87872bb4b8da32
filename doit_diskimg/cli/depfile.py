"""A dependency file: what a disk is made of, as Make and Ninja read it.

Both read the rules that ``gcc -MD -MP`` writes.  Paths are escaped so that both understand them
alike; where they do not (GNU make expands ``*`` and ``%``, Ninja does not) nothing can be done.
"""

import os
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence

from doit_diskimg.disk.model import Disk
from doit_diskimg.host.session import Session
from doit_diskimg.host.walk import walk
from doit_diskimg.plan.content import Tree, Wanted


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
