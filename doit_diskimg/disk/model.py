"""What the user says: a disk, its partitions, its segments; and the sockets that know the disk.

Plain data.  Nothing here looks at a file, decides a place or finds a mistake: `check` says what is
wrong with a description, `layout` where everything lies, `links` what parts want to know of one
another.  Every `doit` reads this.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import KW_ONLY
from functools import cached_property
from itertools import accumulate
from os import PathLike
from pathlib import PurePath
from typing import Any, Literal, NamedTuple, Protocol, runtime_checkable

from doit_diskimg.disk.fields import AUTO, REST, as_size, is_path
from doit_diskimg.disk.placed import PlacedPartition, Region
from doit_diskimg.disk.segment import BOOT, Segment
from doit_diskimg.disk.sockets import Payload, Work
from doit_diskimg.disk.symbols import Guid
from doit_diskimg.errors import Problem
from doit_diskimg.extent import Extent
from doit_diskimg.frozen import dataclass
from doit_diskimg.plan.content import Wanted
from doit_diskimg.plan.picture import Picture
from doit_diskimg.plan.recipe import Program
from doit_diskimg.units import SECTOR, SizeLike, is_power_of_two, next_power_of_two, parse_size

STEPS = ("create", "seal", "verify", "linked")
"""The names of the other steps of the whole disk, which no output may have."""


@dataclass(frozen=True)
class Identity:
    """Who a disk is, in the words of either table."""

    guid: Guid
    """The disk GUID of a GPT."""
    signature: int
    """The disk signature of an MBR: 32 bits, not 0."""
    signature_given: bool = False
    """Whether the description has it; a hybrid MBR has none unless it is given."""


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
        return SECTOR

    def problems(self, disk: "Disk") -> Iterable[Problem]:
        """Yield what is wrong with the table's own fields and with partitions it can't record."""
        return ()

    def regions(self, size: int) -> Sequence[Region]:
        """Return what the table occupies on a disk of ``size`` bytes."""
        return ()

    def usable(self, size: int) -> Extent:
        """Return the bytes that partitions may lie in."""
        return Extent(0, size)

    def size_for(self, end: int) -> int | None:
        """Return the bytes of the smallest disk with usable bytes up to ``end``.

        None if no disk has them, since the table can't count so far.
        """
        return end

    def numbers(self, disk: "Disk") -> Sequence[int]:
        """Return the number of each partition, in the order of the description.

        0 for partitions outside of the table; what it says of a chain's members does not count.
        """
        listed = accumulate(part.in_table for part in disk.partitions)
        parts = zip(disk.partitions, listed, strict=True)
        return [number if part.in_table else 0 for part, number in parts]

    def chain(self, disk: "Disk") -> Chain | None:
        """Return which partitions are chained, None if none are."""
        return None

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
        return ()

    def segments(self, disk: "Disk") -> Sequence[Segment]:
        """Return its segments; it is asked only if it has no problems."""
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
    def programs(self) -> Sequence[Program]:
        """The programs that `make` runs."""
        return ()

    @property
    def made_with(self) -> str:
        """The version of whatever else decides its bytes, such as a library; else empty."""
        return ""

    def problems(self, where: str, disk: "Disk") -> Iterable[Problem]:
        """Yield what is wrong with the description."""
        return ()

    def sources(self, where: str, disk: "Disk") -> Iterable[Wanted]:
        """Yield the files that it is made of beside the image; inline bytes may be left out."""
        return ()

    def make(self, disk: "Disk", work: Work, where: str) -> str | None:
        """Make the target; return what to tell the user, if anything.  Raises WorldError."""
        ...


# What a table may be able to do beside ------------------------------------------------------------


@runtime_checkable
class Yielding(Protocol):
    """A table of which some parts can lie elsewhere; of any other, they can't."""

    def ways_out(self, region: Region, extent: Extent) -> Iterable[str]:
        """Yield what to write so that its ``region`` leaves ``extent``, a segment's, alone."""
        ...

    def ways_before(self, extent: Extent) -> Iterable[str]:
        """Yield what to write so that a partition may begin where ``extent`` does."""
        ...


@runtime_checkable
class Marking(Protocol):
    """A table with attributes; any other stores none."""

    def attributes_of(self, partition: "Partition") -> int:
        """Return a partition's attributes as a number."""
        ...


@runtime_checkable
class Noting(Protocol):
    """A table that knows what is legal and likely to be trouble."""

    def notes(self, disk: "Disk", regions: Sequence[Region]) -> Iterable[str]:
        """Yield what a person should know, each with its place in the description.

        ``regions`` are all that lie on the disk.
        """
        ...


# The description ----------------------------------------------------------------------------------


@dataclass(frozen=True, described=True)
class Partition:
    """A partition: a name, what fills it, and what the table says about it.

    ``type`` is a name (``"esp"``, ``"linux-filesystem"``), a type GUID or an MBR type byte; a FAT
    payload supplies its own.  ``start`` (bytes) is the next free multiple of ``align`` unless
    given, and ``align`` is the disk's.  ``size`` is what the payload asks for unless given
    (``"auto"`` says so aloud); ``"rest"`` is all that the others leave, for one partition of a
    disk.  ``guid`` is derived from the names of disk and partition unless given, and
    ``partition_name``, what a GPT calls the partition, is ``name`` unless given.  ``attributes``
    are GPT bits by name or as a number, ``active`` is the MBR's 0x80.  ``logical`` puts a partition
    of an MBR into the extended one (True) or among the primary ones (False).  With
    ``in_table=False`` the partition takes its room but the table does not mention it.
    ``persist`` leaves its bytes to the guest: they are made once and carried over from then on.
    """

    name: str
    payload: Payload
    _: KW_ONLY
    type: str | int | None = None
    start: SizeLike | None = None
    size: SizeLike | None = None
    align: SizeLike | None = None
    guid: str | Guid | None = None
    partition_name: str | None = None
    attributes: int | Sequence[str] = ()
    active: bool = False
    logical: bool | None = None
    in_table: bool = True
    persist: bool = False


@dataclass(frozen=True)
class Wish:
    """What a partition asks of the layout, in bytes; what is no size counts as not given."""

    length: int | None
    """What it was given: its own size, or the disk's if it is the whole disk; None if the layout
    has to find it, by asking the payload or as what the others leave."""
    grows: bool
    """Whether it is as long as the others leave it room."""
    asked_first: bool
    """Whether its payload has to say how much room it needs before anything is placed: not if a
    disk of given size leaves the partition what it has."""
    align: int
    start: int | None
    """Its place; None for the next free multiple of ``align``."""


@dataclass(frozen=True)
class Part:
    """A partition of one disk: what it is, and where in the description it stands."""

    index: int
    name: str
    where: str
    """Its place in the description, such as ``partitions[1]``."""
    payload: Payload
    wish: Wish
    partition: Partition
    """As it is described."""


class Outside(NamedTuple):
    """A segment and the place in the description that it comes from."""

    where: str
    segment: Segment


@dataclass(frozen=True, described=True)
class Disk:
    """A whole disk and the file that holds it.

    ``image`` is the path of the file.  ``size`` is in bytes, text such as ``"64MiB"`` or
    ``"1.44M floppy"``, or ``"auto"``: the least that holds everything, in whole multiples of
    ``align``.  ``power_of_two`` rounds either up to a power of two, as QEMU's SD cards need it.
    ``table`` is ``Gpt()``, ``Mbr()`` or None: for a bare volume (one partition that is the whole
    disk), for segments alone (a boot sector and what it loads), or for volumes and segments at
    places that only their readers know: then each partition has a ``start``.  ``boot`` is the boot
    code of a disk with a table: `BootCode`, or a bootloader that becomes several segments.
    ``segments`` are other bytes outside the partitions.  ``align`` is the multiple of bytes at
    which partitions without a ``start`` begin.  ``guid`` (GPT) and ``signature`` (MBR) identify the
    disk; they are derived from ``name`` unless given, so that they are known before the build.
    ``name`` is that of the tasks, the image's file name unless given.
    ``outputs`` are files that are made of the finished image: `Qcow2`, `Compressed` and others.

    ``busy`` says what happens while a QEMU has the image: ``"swap"`` puts a new file in its place
    and leaves the guest the old one, ``"error"`` refuses to build.  ``guest_writes`` says what
    happens when something else wrote to the image: ``"restore"`` builds it anew, ``"error"``
    refuses.  ``durable`` waits until the image has reached the disk.  ``replace`` lets a file that
    was not built here be replaced, where the image or one of the outputs is to be.
    """

    image: str | PathLike[str]
    _: KW_ONLY
    size: SizeLike
    table: Table | None
    partitions: Sequence[Partition] = ()
    segments: Sequence[Segment] = ()
    boot: Bootloader | None = None
    align: SizeLike = "1MiB"
    guid: str | Guid | None = None
    signature: int | None = None
    name: str = ""
    busy: Literal["swap", "error"] = "swap"
    guest_writes: Literal["restore", "error"] = "restore"
    durable: bool = False
    replace: bool = False
    power_of_two: bool = False
    outputs: Sequence[Output] = ()

    def __post_init__(self) -> None:
        if is_path(self.image):
            object.__setattr__(self, "name", self.name or PurePath(self.image).name)
        for field in ("partitions", "segments", "outputs"):
            value = getattr(self, field)
            if isinstance(value, Sequence) and not isinstance(value, (str, bytes)):
                object.__setattr__(self, field, tuple(value))

    def parts(self) -> tuple[Part, ...]:
        """Return the partitions, in the order of the description."""
        return tuple(
            Part(index, it.name, f"partitions[{index}]", it.payload, self._wish(it), it)
            for index, it in enumerate(self.partitions)
        )

    def _wish(self, it: Partition) -> Wish:
        size, grows = it.size, it.size == REST
        if self.is_one_volume and size in (None, REST):  # it has what the disk has
            whole = as_size(self.size)
            size, grows = whole and self.rounded(whole), self.size == AUTO
        return Wish(
            length=None if size is None else as_size(size),
            grows=grows,
            asked_first=self.size == AUTO or not grows,
            align=as_size(self.align if it.align is None else it.align) or self.sector_size,
            start=as_size(it.start),
        )

    @cached_property
    def outside(self) -> tuple[Outside, ...]:
        """Every segment of the disk: those that the bootloader becomes, and the user's own."""
        if self.boot is None:
            return self.own_segments
        boot = self.boot.segments(self)
        where = [BOOT] if len(boot) == 1 else [f"{BOOT}.segments[{i}]" for i in range(len(boot))]
        return (*map(Outside, where, boot), *self.own_segments)

    @property
    def own_segments(self) -> tuple[Outside, ...]:
        """The segments that the user describes."""
        return tuple(
            Outside(f"segments[{index}]", segment) for index, segment in enumerate(self.segments)
        )

    @property
    def sector_size(self) -> int:
        """Bytes per logical sector."""
        size = SECTOR if self.table is None else self.table.sector_size
        # The table complains of an invalid size; everything else is told in usual sectors.
        is_size = isinstance(size, int) and size >= SECTOR and is_power_of_two(size)
        return size if is_size else SECTOR

    @property
    def is_one_volume(self) -> bool:
        """Whether one partition is the whole disk: no table, nothing beside it, no start."""
        alone = self.table is None and len(self.partitions) == 1 and not self.segments
        return alone and self.partitions[0].start is None

    @property
    def length(self) -> int | None:
        """The disk's bytes as described; None for ``"auto"``.  ValueError if it is no size."""
        return None if self.size == AUTO else self.rounded(parse_size(self.size))

    def rounded(self, length: int) -> int:
        """Return a disk length that the description accepts: a power of two, if it wants one."""
        return next_power_of_two(max(1, length)) if self.power_of_two else length


    def named(self, partition: Partition) -> list[object]:
        """Return what decides the GUID of a partition, which takes longer to find."""
        if partition.guid:
            return [str(partition.guid)]
        return [str(self.guid) if self.guid else None, self.name, partition.name]

    def problems(self) -> list[Problem]:
        """Return everything that is wrong with the description, in its own order."""
        from doit_diskimg.disk.check import problems

        return problems(self)

    # The door to doit: nothing else here knows of it.

    def tasks(self) -> Iterator[dict[str, Any]]:
        """Yield the doit tasks that build the image: ``return disk.tasks()`` in a task function.

        They are named ``<name>:<partition>:<step>`` and form the group ``<name>``.  If anything is
        wrong with the description, doit stops with one line per problem before any task runs.
        """
        from doit_diskimg.tasks.disk import tasks

        return tasks(self)

    def linked_task(self, path: str | PathLike[str] | None = None) -> dict[str, Any]:
        """Return the task ``<name>:linked``, for ``return disk.linked_task()`` in a task function.

        It writes a VMDK descriptor (``path``, else the image's path and ``.vmdk``) that points into
        your own files, so that QEMU boots a disk that was never written.  QEMU must open it with
        ``snapshot=on``.  ``tasks()`` must be in the same dodo.py; the image itself is not needed.
        """
        from doit_diskimg.tasks.disk import linked_task

        return linked_task(self, path)
