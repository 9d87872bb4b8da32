"""One spelling for each path.

doit compares paths as strings: ``./a`` and ``a`` are two files to it.
"""

import os
from collections.abc import Iterator, Sequence

from doit_diskimg.errors import SourceKind


def _has_detours(path: str) -> bool:
    return "/." in path or "//" in path


def normal(path: str | os.PathLike[str]) -> str:
    """Return ``path`` relative to the current directory if it lies below it, else absolute.

    Symbolic links stay as they are: a target that is a link is its owner's business.  Only behind
    a link does ``..`` lead elsewhere than its text says; then the path is what the system finds.
    """
    given = os.fspath(path)
    if given[:1] not in ("", "/", ".") and given[-1] != "/" and not _has_detours(given):
        return given  # as most are; all else takes five times as long
    text = os.path.normpath(given)
    if os.pardir in given and os.path.realpath(text) != os.path.realpath(given):
        text = os.path.realpath(given)
    here = os.path.join(os.getcwd(), "")
    return text[len(here) :] if text.startswith(here) else text


def spellings(path: str | os.PathLike[str]) -> Iterator[str]:
    """Yield the spellings by which others may name the same file, the normal one first."""
    text = normal(path)
    yield text
    yield os.fspath(path)
    absolute, here = os.path.abspath(text), os.path.join(os.getcwd(), "")
    yield absolute
    below = absolute[len(here) :] if absolute.startswith(here) else text
    if below != text:  # there and back again: ../here/a
        yield below
    if not os.path.isabs(below):
        yield os.path.join(os.curdir, below)


def spellings_below(top: str, paths: Sequence[str]) -> list[str]:
    """Return the same of files below ``top``, which is normal: quicker, for there may be thousands.

    Each of ``paths`` is ``top``, a slash and a path without detours.
    """
    above = os.path.join(os.path.abspath(top), "")
    if os.path.join(os.getcwd(), "").startswith(above):
        # The current directory is among them: what is below it has spellings of its own.
        return [text for path in paths for text in spellings(path)]
    rests, found = [path[len(top) :] for path in paths], list[str]()
    for other in dict.fromkeys(spellings(top)):
        found += [other + rest for rest in rests]
    return found


def place(path: str) -> str:
    """Return where a file of ours lies, whatever leads there; it itself is never a link."""
    head, tail = os.path.split(path)
    return os.path.join(os.path.realpath(head or os.curdir), tail)


def one_place(path: str | os.PathLike[str]) -> list[str]:
    """Return the normal path of a file of ours, and the one that it has without links above it.

    As targets of a task: doit compares targets as text, and refuses two tasks that write one file.
    """
    text = normal(path)
    return list(dict.fromkeys([text, normal(place(text))]))


def no_path(path: str, where: str) -> SourceKind:
    """Return the problem of a text that can't be a path on any system."""
    return SourceKind(
        where, f"{path!r} is not a path", "a path has no NUL byte and no half of a character",
        "fix the path",
    )
