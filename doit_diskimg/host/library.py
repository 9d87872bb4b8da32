"""Python packages that make payloads, as programs do: found, asked for their version, called.

Each has one module of ours that calls it, named in the table below and imported when it is needed.
It works in this process, so that module has to see that nothing of the surroundings gets in.
"""

from collections.abc import Mapping
from importlib import import_module, metadata
from importlib.util import find_spec

MODULES: Mapping[str, str] = {"pyfatfs": "doit_diskimg.host.pyfat"}
"""The module that calls a package; its `make` gets the folder and the arguments of the recipe."""


class LibraryError(Exception):
    """A package could not make what it had to; its text is one line."""


def find(name: str) -> str | None:
    """Return the file that a package begins with, None if it is not installed."""
    try:
        spec = find_spec(name)
    except (ImportError, ValueError):
        return None
    return None if spec is None else spec.origin


def version(name: str) -> str:
    """Return the version of a package that is there."""
    try:
        return f"{name} {metadata.version(name)}"
    except metadata.PackageNotFoundError:
        return f"{name}, of no known version"


def run(name: str, folder: str, arguments: tuple[str, ...]) -> str:
    """Let a package work in ``folder``.  Raises LibraryError and OSError."""
    import_module(MODULES[name]).make(folder, *arguments)
    return ""
