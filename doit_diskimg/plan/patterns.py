"""Patterns of trees: gitignore's syntax and meaning.

https://git-scm.com/docs/gitignore, "PATTERN FORMAT"; what that page leaves open is as git's
wildmatch.c does it, except that ``?`` and ``[...]`` match a character where git matches a byte.
"""

import re
from collections.abc import Iterator, Sequence
from os import PathLike, fspath
from typing import NamedTuple

from doit_diskimg.errors import BadPattern, BadValue, Problem
from doit_diskimg.plan.content import Tree

_CLASSES = {
    "alnum": "0-9A-Za-z", "alpha": "A-Za-z", "blank": " \t", "digit": "0-9", "lower": "a-z",
    "punct": r"!-/:-@\[-`{-~", "space": " \t-\r", "upper": "A-Z", "xdigit": "0-9A-Fa-f",
}


class _Pattern(NamedTuple):
    regex: re.Pattern[str]
    for_directories: bool
    negated: bool


class Patterns:
    """Patterns in order, the last that matches decides.  Raises ValueError if one is malformed."""

    def __init__(self, lines: Sequence[str]) -> None:
        self._patterns = [pattern for line in reversed(lines) if (pattern := _parsed(line))]

    def match(self, path: str, *, is_directory: bool) -> bool:
        """Return whether the patterns name ``path`` itself.

        A directory above it that they name is for the caller to see first: nothing below it is
        asked about.
        """
        for regex, for_directories, negated in self._patterns:
            if (is_directory or not for_directories) and regex.fullmatch(path):
                return not negated
        return False


def tree_problems(tree: Tree, where: str) -> Iterator[Problem]:
    """Yield what is wrong with the description of a tree."""
    if not isinstance(tree.dir, (str, PathLike)) or not fspath(tree.dir):
        yield BadValue(
            f"{where}.dir", f"{tree.dir!r} is not a path", "Tree(...) takes a directory",
            'write for example Tree("sysroot")',
        )
    for name in ("include", "exclude", "after"):
        value = getattr(tree, name)
        if not isinstance(value, tuple) or not all(isinstance(item, str) for item in value):
            what = "names of tasks" if name == "after" else "patterns"
            yield BadValue(
                f"{where}.{name}", f"{value!r} has something else in it",
                f"must be {what}, one text or several", 'write for example ["a", "b"]',
            )
        elif name != "after":
            for fault in faults(value):
                yield BadPattern(
                    f"{where}.{name}", fault,
                    "must be a pattern of gitignore that matches something",
                    'write for example "*.o" or "build/"; a backslash takes a special meaning away',
                )


def faults(patterns: Sequence[str]) -> Iterator[str]:
    """Yield what is wrong with each pattern by which git would match nothing, in words."""
    for pattern in patterns:
        try:
            if _parsed(pattern) is None:
                yield f"{pattern!r} is {'a comment' if pattern.strip() else 'blank'} to git"
        except ValueError as error:
            yield f"{pattern!r} {error}"


def _parsed(line: str) -> _Pattern | None:
    """Return the pattern; None for a blank line or a comment."""
    glob = _without_trailing_spaces(line)
    if not glob or glob.startswith("#"):
        return None
    negated = glob.startswith("!")
    glob = glob[negated:]
    for_directories = glob.endswith("/")
    glob = glob.removesuffix("/")
    if not glob:
        raise ValueError("names nothing")
    if "/" not in glob:
        return _Pattern(re.compile(f"(?s:(?:.*/)?{_segment(glob)})"), for_directories, negated)
    return _Pattern(re.compile(f"(?s:{_path(glob)})"), for_directories, negated)


def _without_trailing_spaces(line: str) -> str:
    match = re.match(r"(?s)((?:\\.|[^ \\]|\\$| +(?! *$))*) *$", line)
    return match[1] if match else line


def _path(glob: str) -> str:
    """Return the regular expression of a pattern with a slash: relative to the tree's top."""
    parts = glob.removeprefix("/").split("/")
    text = ""
    for index, part in enumerate(parts):
        is_last = index == len(parts) - 1
        if part == "**":
            text += ".+" if is_last else "(?:.*/)?"
        else:
            text += _segment(part) + ("" if is_last else "/")
    return text


def _segment(glob: str) -> str:
    """Return the regular expression of what stands between slashes."""
    text, position = "", 0
    while position < len(glob):
        char = glob[position]
        position += 1
        if char == "*":
            text += "[^/]*"
        elif char == "?":
            text += "[^/]"
        elif char == "[":
            part, position = _bracket(glob, position)
            text += part
        elif char == "\\":
            if position == len(glob):
                raise ValueError("ends with a backslash")
            text += re.escape(glob[position])
            position += 1
        else:
            text += re.escape(char)
    return text


def _bracket(glob: str, position: int) -> tuple[str, int]:
    """Return the regular expression of ``[...]``, and the position behind it."""
    negated = glob[position : position + 1] in ("!", "^")
    position += negated
    items, begin = "", position
    while position == begin or glob[position : position + 1] != "]":
        if named := re.compile(r"\[:([a-z]+):\]").match(glob, position):
            if named[1] not in _CLASSES:
                raise ValueError(f"has an unknown class {named[0]}")
            items, position = items + _CLASSES[named[1]], named.end()
            continue
        low, position = _member(glob, position)
        high = low
        if glob[position : position + 1] == "-" and glob[position + 1 : position + 2] != "]":
            high, position = _member(glob, position + 1)
        if high < low:
            raise ValueError(f"has a range from {low!r} down to {high!r}")
        items += f"{re.escape(low)}-{re.escape(high)}"
    return f"(?!/)[{'^' * negated}{items}]", position + 1


def _member(glob: str, position: int) -> tuple[str, int]:
    """Return one character of a bracket, and the position behind it."""
    position += glob[position : position + 1] == "\\"
    if position >= len(glob):
        raise ValueError("has a '[' without its ']'")
    return glob[position], position + 1
