"""What fills a partition, and what an output may ask: the sockets that know of no disk.

Any object with these methods is as good as ours: there is no registry and nothing has to be
inherited.  Who inherits gets honest defaults: a payload that only says what its bytes are is whole.
Each answers two questions, **how much room?** (before the layout) and **what bytes?** (after it),
as a pure function of the description and of what `Files` says.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Protocol, runtime_checkable

from doit_diskimg.disk.symbols import Guid, Numbers, Symbol
from doit_diskimg.errors import Problem
from doit_diskimg.extent import Extent
from doit_diskimg.frozen import dataclass
from doit_diskimg.plan.content import Entry, Files, Tree, Wanted
from doit_diskimg.plan.picture import Picture
from doit_diskimg.plan.recipe import Program


@dataclass(frozen=True, kw_only=True)
class Place:
    """Where a payload will lie, and who it is: all that the disk tells it."""

    extent: Extent
    sector_size: int
    """Bytes per logical sector of the disk."""
    identity: Guid
    """The partition's GUID, from which a payload derives serial numbers of its own."""
    epoch: int
    """Seconds since 1970 UTC, the time stamp for everything that needs one."""
    bare: bool = False
    """True for a volume that is the whole disk: nothing is hidden before it."""
    name: str = ""
    """The partition's name."""
    numbers: Numbers | None = None
    """Answers the symbols in the payload; None if the caller knows that there are none."""


@dataclass(frozen=True, kw_only=True)
class Room:
    """The answer to "how much room?"."""

    length: int
    """Bytes that the payload takes."""
    type: str | None = None
    """The partition type that goes with it, by a name that both tables know (`ondisk.guids`), such
    as "linux-filesystem"; None leaves it to the description."""
    facts: tuple[tuple[str, str], ...] = ()
    """What a person would like to know, as (term, value)."""


@runtime_checkable
class Payload(Protocol):
    """What fills a partition: a file system, or a file as it is."""

    @property
    def populated(self) -> bool:
        """True for a file system, which is formatted and populated by tasks of its own."""
        return False

    def problems(self, where: str, size: int | None, sector_size: int) -> Iterable[Problem]:
        """Yield what is wrong with the description itself.

        ``where`` is the partition's place in it, such as ``partitions[0]``; add ``.field``.
        ``size`` is the partition's; None if the payload will be asked for one, or if the layout
        has still to find how much the others leave.  ``sector_size`` is the disk's, in bytes.
        """
        return ()

    def sources(self, where: str) -> Iterable[Wanted]:
        """Yield every path and tree that the bytes come from; inline bytes may be left out."""
        return ()

    def blank(self) -> object:
        """Return the part of the description that decides the room, as plain data.

        It is asked only where `populated`.
        """
        return None

    def room(self, size: int | None, files: Files, where: str, sector_size: int) -> Room:
        """Return the bytes it takes; more than ``size`` is refused.  By default none, so that the
        partition needs a size.

        Without a ``size``: the least that holds the contents.  With one: what becomes of a
        partition of that size, which may decide its type; lengths of files at most play a part
        then, never the list of a tree.  A partition with the rest of the disk is asked in the
        second way once its place is known, and in the first way before only if the size of the
        disk depends on it.  Raises DescriptionError if the size can't work.
        """
        return Room(length=0)

    def fill(self, place: Place, files: Files, where: str) -> Picture:
        """Return the bytes, at their places on the disk.

        Raises DescriptionError or WorldError with every problem found.
        """
        ...


# What a payload may be able to do beside ----------------------------------------------------------


@runtime_checkable
class Selective(Protocol):
    """A payload that knows which of its bytes matter; of any other, all do."""

    def needed(self, extent: Extent, picture: Picture) -> Iterable[Extent]:
        """Yield every stretch of the partition that some reader relies on, zeros included.

        The rest, such as free clusters, may hold anything.  ``picture`` is what `fill` returned.
        """
        ...


@runtime_checkable
class Asking(Protocol):
    """A payload in whose bytes there are numbers of the layout; of any other, there are none.

    Its `fill` resolves them by ``place.numbers``, those about files of its own by itself.
    """

    def asks(self, where: str) -> Iterable[tuple[str, Symbol]]:
        """Yield its symbols, each with its place in the description."""
        ...


@runtime_checkable
class Locating(Protocol):
    """A payload that knows where its files lie, each in one stretch."""

    def unlocatable(self, path: str) -> str:
        """Return what the description alone has against a file at ``path``, in words.

        Empty if it is there or may be.
        """
        ...

    def locate(
        self, paths: Sequence[str], place: Place, files: Files, where: str
    ) -> Mapping[str, Extent | str]:
        """Return for each of ``paths`` its place on the disk, or why it has none, in words.

        No symbol of the payload's own may play a part.  Raises what `fill` raises.
        """
        ...


@runtime_checkable
class Listed(Protocol):
    """A payload whose files `verify` finds in the finished image, for it is a FAT volume."""

    def listing(self, files: Files, where: str) -> Mapping[str, str | None]:
        """Return the digest of every file by its path, None for a directory.

        The path of a directory ends with a slash.  Raises what `fill` raises.
        """
        ...


@runtime_checkable
class Engines(Protocol):
    """A payload that several programs can make, each the same volume."""

    def by_engine(self) -> Mapping[str, Payload]:
        """Return the payload that each makes, by its name; the first is what others must equal."""
        ...


# What an output may ask ---------------------------------------------------------------------------


class Work(Protocol):
    """What an output may ask of the outside world: the finished image, and a file to write.

    Every method raises WorldError in one line.
    """

    @property
    def image(self) -> str:
        """The path of the finished image, which is only read."""
        ...

    @property
    def target(self) -> str:
        """The path of the file to make.

        It has the name that the output will have and a folder of its own, where other files may
        lie until it is done.
        """
        ...

    @property
    def size(self) -> int:
        """Bytes of the disk."""
        ...

    @property
    def epoch(self) -> int:
        """Seconds since 1970 UTC, the time stamp for everything that needs one."""
        ...

    @property
    def covered(self) -> Sequence[Extent]:
        """Every stretch of the disk that may be other than zero, sorted and joined."""
        ...

    @property
    def needed(self) -> Sequence[Extent]:
        """Every stretch that some reader relies on, zeros included; see `Selective`."""
        ...

    def extent(self, partition: str) -> Extent:
        """Return the place of the partition of that name."""
        ...

    def read(self, extent: Extent) -> Iterator[memoryview]:
        """Yield the image's bytes; each view is valid until the next."""
        ...

    def read_file(self, path: str) -> Iterator[memoryview]:
        """Yield the bytes of another file."""
        ...

    def entries(self, tree: Tree, where: str) -> Sequence[Entry]:
        """Return what is in a tree of the host."""
        ...

    def relative(self, path: str) -> str:
        """Return ``path`` as seen from the folder that the output will be in."""
        ...

    def create(self, length: int = 0) -> None:
        """Make the target: ``length`` bytes of zero that take no room."""
        ...

    def write(self, offset: int, data: bytes | memoryview) -> None:
        """Write into the target."""
        ...

    def written(self, offset: int, length: int) -> bytes:
        """Return bytes of the target."""
        ...

    def beside(self, name: str, data: Iterable[bytes | memoryview]) -> str:
        """Write another file beside the target, for a program to read, and return its path."""
        ...

    def run(self, program: Program, *arguments: str) -> str:
        """Run a program and return what it printed."""
        ...

    def filter(
        self, program: Program, arguments: Sequence[str], data: Iterable[bytes | memoryview]
    ) -> Iterator[bytes]:
        """Run a program on ``data`` as its standard input, and yield its standard output."""
        ...
