"""The sources of a volume by their paths: ``files``, in the words that every file system shares.

A key is a path in the volume.  Slashes at its beginning and several in a row count for nothing:
``"/"`` and ``""`` are the root, ``"a//b"`` is ``"a/b"``.  One at its end says that the path is a
directory.  A list of sources is as if each had a key of its own for that path.
"""

from collections.abc import Iterator
from os import PathLike, fsdecode, fspath
from typing import NamedTuple

from doit_diskimg.disk.fields import path_text_problems
from doit_diskimg.errors import BadPath, BadValue, Problem
from doit_diskimg.plan.content import Tree, each


class Mapped(NamedTuple):
    """A source and the path that it is put at; the root's is empty."""

    path: str
    source: str | bytes | Tree
    where: str
    """Its place in the description."""


def mapped(key: object, sources: object, where: str) -> Iterator[Mapped | Problem]:
    """Yield the sources of a key, and what is wrong with it or them."""
    if not isinstance(key, str):
        yield BadPath(where, f"{key!r} is no text", "a key is the path in the volume, as text", (
            f"write {fspath(key)!r}" if isinstance(key, PathLike) else 'write for example "a/b.bin"'
        ))
        return
    path = key_path(key)
    if isinstance(sources, (list, tuple)) and not sources:
        yield BadValue(
            where, f"{sources!r} is no source", "a list has one source or more",
            "leave the key out",
        )
    for here, source in each(sources, where):
        problem = _problem(key, source, here)
        if problem is not None:
            yield problem
        elif isinstance(source, (bytes, Tree)):
            yield Mapped(path, source, here)
        elif isinstance(source, (str, PathLike)):
            yield Mapped(path, fsdecode(source), here)


def key_path(key: str) -> str:
    """Return the path that a key stands for, without slashes that count for nothing."""
    return "/".join(filter(None, key.split("/")))


def _problem(key: str, source: object, where: str) -> Problem | None:
    """Return what is wrong with one source under this key."""
    if not isinstance(source, (str, PathLike, bytes, Tree)):
        must = "a source is a path of the host, bytes, or a Tree"
        return BadValue(where, f"{source!r} is no source", must, "change it")
    if key.endswith("/") and key_path(key) and not isinstance(source, Tree):
        name = "NAME" if isinstance(source, bytes) else fsdecode(source).rpartition("/")[2]
        return BadPath(
            where, f"{key!r} is a directory", "a file needs a name in it",
            f"write {key + name!r}, or leave the slash out",
        )
    return next(path_text_problems(source, where), None)
