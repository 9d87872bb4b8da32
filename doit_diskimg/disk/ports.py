"""The sockets.  A rib fits one of them; the spine knows nothing else about it.

Any object with these methods is as good as ours: there is no registry and nothing to inherit.
Each rib answers two questions, **how much room?** (before the layout) and **what bytes?** (after
it), and answers them as a pure function of the description and of what `Files` says.
"""

from collections.abc import Iterable, Iterator, Sequence
from os import PathLike
from typing import TYPE_CHECKING, Protocol, runtime_checkable

from doit_diskimg.disk.segment import Identity, PlacedPartition, Region, Segment
from doit_diskimg.disk.symbols import Numbers
from doit_diskimg.errors import Problem
from doit_diskimg.extent import Extent
from doit_diskimg.frozen import dataclass
from doit_diskimg.plan.content import Entry, Files, Tree, Wanted
from doit_diskimg.plan.picture import Picture

if TYPE_CHECKING:
    from uuid import UUID

    from doit_diskimg.disk.model import Disk, Partition
    from doit_diskimg.plan.recipe import Program


@dataclass(frozen=True, kw_only=True)
class Place:
    """Where a payload will lie, and who it is: all that the disk tells it."""

    extent: Extent
    sector_size: int
    """Bytes per logical sector of the disk."""
    identity: "UUID"
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
    """The partition type that goes with it, by name; None leaves it to the description."""
    facts: tuple[tuple[str, str], ...] = ()
    """What a person would like to know, as (term, value)."""


@runtime_checkable
class Payload(Protocol):
    """What fills a partition: a file system, or a file as it is."""

    @property
    def populated(self) -> bool:
        """True for a file system, which is formatted and populated by tasks of its own."""
        ...

    def problems(self, where: str, size: int | None, sector_size: int) -> Iterable[Problem]:
        """Yield what is wrong with the description itself.

        ``size`` is the partition's; None if the payload will be asked for one, or if the layout
        has still to find how much the others leave.  ``sector_size`` is the disk's, in bytes.
        """
        ...

    def sources(self, where: str) -> Iterable[Wanted]:
        """Yield every path and tree that the bytes come from; inline bytes may be left out."""
        ...

    def blank(self) -> object:
        """Return the part of the description that decides the room, as plain data."""
        ...

    def room(self, size: int | None, files: Files, where: str, sector_size: int) -> Room:
        """Answer how much room is needed.

        Without a ``size``: the least that holds the contents.  With one: what becomes of a
        partition of that size, which may decide its type; lengths of files at most play a part
        then, never the list of a tree.  A partition with the rest of the disk is asked in the
        second way once its place is known, and in the first way before only if the size of the
        disk depends on it.  Raises DescriptionError if the size can't work.
        """
        ...

    def fill(self, place: Place, files: Files, where: str) -> Picture:
        """Return the bytes, at their places on the disk.

        Raises DescriptionError or WorldError with every problem found.
        """
        ...


@dataclass(frozen=True, kw_only=True)
class Chain:
    """Partitions that a table records one by one in sectors before them: an MBR's logical ones."""

    members: frozenset[int]
    """Their indexes in the description; at least one."""
    number: int
    """Entry number of the extended partition around them."""
    first_number: int
    """Number of the first of them, in the order of the disk."""
    type: str
    """The extended partition's, as `PlacedPartition` stores it."""
    start: int | None = None
    """Where the user wants the extended partition to begin, in bytes; None for where it fits."""
    length: int | None = None
    """How long it must be; None for as long as its contents."""


@runtime_checkable
class Table(Protocol):
    """A partition table."""

    @property
    def sector_size(self) -> int:
        """Bytes per logical sector."""
        ...

    def problems(self, disk: "Disk") -> Iterable[Problem]:
        """Yield what is wrong with the table's own fields and with partitions it can't record."""
        ...

    def regions(self, size: int) -> Sequence[Region]:
        """Return what the table occupies on a disk of ``size`` bytes."""
        ...

    def usable(self, size: int) -> Extent:
        """Return the bytes that partitions may lie in."""
        ...

    def size_for(self, end: int) -> int | None:
        """Return the bytes of the smallest disk with usable bytes up to ``end``.

        None if no disk has them, since the table can't count so far.
        """
        ...

    def numbers(self, disk: "Disk") -> Sequence[int]:
        """Return the number of each partition, in the order of the description.

        0 for those that are not in the table; what it says of a chain's members does not count.
        """
        ...

    def chain(self, disk: "Disk") -> Chain | None:
        """Return which partitions are chained, None if none are."""
        ...

    def type_of(self, partition: "Partition", payload_type: str | None) -> str:
        """Return a partition's type as `PlacedPartition` stores it.

        The description's own type wins; ``payload_type`` is what the payload would choose.
        Raises ValueError if there is neither, or if the table can't store it.
        """
        ...

    def encode(
        self, size: int, identity: Identity, partitions: Sequence[PlacedPartition]
    ) -> Picture:
        """Return the table's bytes.

        ``partitions`` are all that the table mentions, in any order; the extended partition, if
        there is one, is among them.
        """
        ...


@runtime_checkable
class Bootloader(Protocol):
    """Boot code outside the partitions, ``Disk(boot=...)``.

    It becomes segments like any others: they are placed, injected and verified as the user's own,
    and where their numbers are not known yet, their sources are `BootCode` with symbols.
    """

    def problems(self, where: str, disk: "Disk") -> Iterable[Problem]:
        """Yield what is wrong with the description, or with this disk for such a bootloader.

        What is wrong with its segments themselves is found there.
        """
        ...

    def segments(self, disk: "Disk") -> Sequence[Segment]:
        """Return its segments; it is asked only if it has no problems."""
        ...


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
        """Every stretch that some reader relies on, zeros included; see `abilities.Selective`."""
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
        """Return bytes of the target, whoever wrote them."""
        ...

    def beside(self, name: str, data: Iterable[bytes | memoryview]) -> str:
        """Write another file beside the target, for a program to read, and return its path."""
        ...

    def run(self, program: "Program", *arguments: str) -> str:
        """Run a program and return what it printed."""
        ...

    def filter(
        self, program: "Program", arguments: Sequence[str], data: Iterable[bytes | memoryview]
    ) -> Iterator[bytes]:
        """Run a program on ``data`` as its standard input, and yield its standard output."""
        ...


@runtime_checkable
class Output(Protocol):
    """A file that is made of the finished image."""

    @property
    def path(self) -> str | PathLike[str]:
        """The file."""
        ...

    @property
    def name(self) -> str:
        """What its task is called, after the name of the disk and a colon."""
        ...

    @property
    def programs(self) -> "Sequence[Program]":
        """The programs that `make` runs."""
        ...

    @property
    def made_with(self) -> str:
        """The version of whatever else decides its bytes, such as a library; else empty."""
        ...

    def problems(self, where: str, disk: "Disk") -> Iterable[Problem]:
        """Yield what is wrong with the description."""
        ...

    def sources(self, where: str, disk: "Disk") -> Iterable[Wanted]:
        """Yield the files that it is made of beside the image; inline bytes may be left out."""
        ...

    def make(self, disk: "Disk", work: Work, where: str) -> str | None:
        """Make the target; return what to tell the user, if anything.  Raises WorldError."""
        ...
