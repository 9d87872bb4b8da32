"""What outside programs have to do to make a payload, as plain data.

A kind that leaves its bytes to a program writes a `Recipe` and asks `content.Files.make` for the
result, as it asks for the digest of a file.  So a kind stays a pure function: what it says is which
files are laid out, which programs run with which arguments, and how long the payload is.  The host
does it (`host.workshop`), and what comes back is a file with the digests of its chunks.

The programs run in an empty folder of their own, in which they find what is staged and a file
`PAYLOAD`: of zeros, unless it is staged too.  All names in the arguments are relative to that
folder, so that a recipe is the same on every machine and no name of the host's can be taken for an
option.
"""

from collections.abc import Callable, Iterable

from doit_diskimg.errors import Problem
from doit_diskimg.frozen import dataclass

PAYLOAD = "payload"
"""The file that the programs fill, in the folder in which they run."""

CHUNK = 1 << 16
"""Bytes of a payload that have one digest: what is written again if one byte of them changes."""


def plain(path: str) -> str:
    """Return ``path`` so that it is a path to every program, whatever it begins with.

    A relative one could be an option (``-x``), a protocol of QEMU's (``nbd:``, ``json:``), a drive
    of xorriso's (``stdio:``) or a mark for another kind of argument (``@x``, ``--interval:``).
    """
    return path if path.startswith("/") else f"./{path}"


@dataclass(frozen=True)
class Program:
    """A program of the host; found in PATH, where /usr/sbin counts as well."""

    name: str
    package: str
    """The Debian package that has it, for the message when it is missing."""
    version: tuple[str, ...]
    """The arguments that make it print its version; a payload depends on that too."""
    library: bool = False
    """True for a Python package of that name, which code of the host's calls (`host.program`)."""


@dataclass(frozen=True)
class Command:
    """One run of a program: no shell, no input, the environment that the recipe gives."""

    program: Program
    arguments: tuple[str, ...]
    silent: bool = False
    """True for a program that goes on after errors: if it writes anything but its own name and
    version to stderr, it has failed."""
    codes: tuple[int, ...] = (0,)
    """The exit codes of success."""


@dataclass(frozen=True)
class Staged:
    """A file or directory that is laid out for the programs."""

    path: str
    """Relative to the folder, with ``/`` between its parts; directories before their files."""
    source: str | bytes | None
    """A file of the host that is copied, bytes as they are, or None for a directory."""
    digest: str
    """What the copy must turn out to be; empty for anything but a file of the host."""
    mode: int = 0o644
    """Permission bits, whatever the umask.  The owner is the user who builds."""
    seconds: int | None = None
    """Its time stamp, since 1970; None for that of the recipe."""


@dataclass(frozen=True)
class Must:
    """Bytes that a payload must have when it is made: no program decides what we decided."""

    offset: int
    data: bytes
    name: str
    """What they are, in the words of the standard."""


@dataclass(frozen=True)
class Stored:
    """A file or directory that must be in a volume when it is made."""

    path: str
    """From the root, with ``/`` between its parts; a directory's ends with one."""
    size: int
    attributes: str
    """Those of ``"rhsa"`` that it has, in this order."""
    digest: str
    """Of a file's contents; empty for a directory."""


@dataclass(frozen=True)
class Contents:
    """What must be in a volume when it is made, and nothing else."""

    stored: tuple[Stored, ...]
    base: str = ""
    """The image that is staged as the payload, as messages call it: what is in it already stays,
    but for what ``stored`` replaces.  Empty for a volume that is new."""


@dataclass(frozen=True)
class Recipe:
    """How to make a payload of ``length`` bytes."""

    length: int
    staged: tuple[Staged, ...]
    commands: tuple[Command, ...]
    environment: tuple[tuple[str, str], ...] = ()
    """What the programs see beside PATH, HOME, ``LC_ALL=C`` and ``TZ=UTC``."""
    seconds: int = 0
    """The time stamp of everything that is staged, since 1970."""
    musts: tuple[Must, ...] = ()
    contents: Contents | None = None
    """What a reader must find in the payload, where it is a volume that we can read."""


Judge = Callable[[str, Contents, str], Callable[[], Iterable[Problem]]]
"""Who reads volumes back, with other code than wrote them (`verify.readback`).

It gets the payload's file before the programs run, what must come out, and where in the description
that is said; it raises DescriptionError or WorldError if that can't come out.  What it returns is
called when they have run, and yields what came out otherwise."""


@dataclass(frozen=True)
class Chunk:
    """Bytes of a payload that are not all zero; they begin at a multiple of `CHUNK`."""

    offset: int
    length: int
    digest: str


@dataclass(frozen=True)
class Made:
    """A payload that was made: its file, and where it is not zero."""

    file: str
    chunks: tuple[Chunk, ...]
