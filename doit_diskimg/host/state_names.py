"""Every name that we write into a state folder: the one table of them.

`folder` makes no files of other names, and `doit clean` removes none.
"""

import re

from doit_diskimg.host.folder import MARKER

WORK = ".work"
"""Ending of a folder in which programs work; what is in it is never used by anybody else."""

NAMES = frozenset({
    MARKER, "broken.json", "changed.json", "checked", "generation", "images.json", "kept.json",
    "layout.json", "linked-needs-snapshot-on.img", "linked.json", "linked.receipt",
    "linked.sources.json", "lock", "patching", "seal.json",
})  # fmt: skip
"""The files of the image as a whole."""

SUFFIXES = frozenset({
    ".blob", ".facts", ".files-geometry.json", ".files-injected.json", ".files.json",
    ".geometry.json", ".injected", ".made.json", ".outline.json", ".output.json", ".payload",
    ".places.json", ".plan", ".serial.log", ".volume",
})  # fmt: skip
"""What the files of one part of the disk end in; its name comes first."""

BUILDING = r"new-[0-9a-f]{32}\.img"
"""An image of a new generation."""

_TEMPORARY = r"\.([0-9a-f]{16}|[0-9]+)\.tmp"
"""The rest of a name until a file is whole; some versions wrote a process id there."""

_PART = r"[A-Za-z0-9_.~%-]+"
"""What `StateFolder.file` makes of the name of a part."""


def _any(texts: frozenset[str]) -> str:
    return "|".join(map(re.escape, sorted(texts)))


_OURS = rf"({_any(NAMES)}|{BUILDING}|{_PART}({_any(SUFFIXES)}))({_TEMPORARY})?"


def is_file_of_ours(name: str) -> bool:
    """Return whether we write files of that name."""
    return re.fullmatch(_OURS, name) is not None


def is_folder_of_ours(name: str) -> bool:
    """Return whether we make folders of that name, with whatever a program puts there."""
    return re.fullmatch(rf"{_PART}\.payload{re.escape(WORK)}", name) is not None


def is_building(name: str) -> bool:
    """Return whether it is an image that a build did not finish."""
    return re.fullmatch(rf"{BUILDING}({_TEMPORARY})?", name) is not None


def is_marker(name: str) -> bool:
    """Return whether it is the marker, or one that somebody is about to write."""
    return re.fullmatch(rf"{re.escape(MARKER)}({_TEMPORARY})?", name) is not None
