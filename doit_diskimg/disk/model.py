"""What the user says: a disk, its partitions, its segments.

Frozen, and checked against itself only: nothing here looks at a file or decides a place.  All
that is wrong is found in one go (`Disk.problems`), each problem with the path to its place in the
description, such as ``partitions[1].size``.

Every `doit` imports this module, and most find a description that was right before: what looks for
mistakes, and what derives GUIDs, is imported when it is asked.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import KW_ONLY
from functools import cached_property
from os import PathLike
from pathlib import PurePath
from typing import TYPE_CHECKING, Literal, NamedTuple

from doit_diskimg.disk import asked
from doit_diskimg.disk.fields import (
    AUTO,
    REST,
    as_size,
    is_path,
    name_problems,
    persist_problems,
    rest_problems,
    size_problems,
)
from doit_diskimg.errors import BadSize, BadValue, DuplicateName, Problem, Unaligned
from doit_diskimg.frozen import dataclass
from doit_diskimg.units import SECTOR, SizeLike, is_power_of_two, next_power_of_two, parse_size

if TYPE_CHECKING:
    from uuid import UUID

    from doit_diskimg.disk.ports import Bootloader, Output, Payload, Table
    from doit_diskimg.disk.segment import Identity, Segment

TABLE = "table"
"""The name of the table's own steps (``os.img:table:inject``), which no part may have."""

STEPS = ("create", "seal", "verify", "linked")
"""The names of the other steps of the whole disk, which no output may have."""

_NAMESPACE = "fc12ab56-eba0-53cb-8443-2345f4181d3f"
"""Namespace of every derived GUID: uuid5(NAMESPACE_DNS, "doit_diskimg"), for ever."""


@dataclass(frozen=True)
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
    payload: "Payload"
    _: KW_ONLY
    type: str | int | None = None
    start: SizeLike | None = None
    size: SizeLike | None = None
    align: SizeLike | None = None
    guid: "str | UUID | None" = None
    partition_name: str | None = None
    attributes: int | Sequence[str] = ()
    active: bool = False
    logical: bool | None = None
    in_table: bool = True
    persist: bool = False

    def problems(self, where: str, size: SizeLike | None, sector_size: int) -> Iterator[Problem]:
        """Yield what is wrong with this partition alone; ``size`` is what it was given."""
        from doit_diskimg.disk.ports import Payload
        from doit_diskimg.disk.shape import fits, partition_kind_problems

        yield from name_problems(self.name, f"{where}.name")
        yield from size_problems(self.start, f"{where}.start", sector_size)
        yield from size_problems(self.size, f"{where}.size", sector_size, words=(AUTO, REST))
        yield from size_problems(self.align, f"{where}.align", sector_size, positive=True)
        yield from self._start_problems(where)
        yield from self._unlisted_problems(where)
        yield from partition_kind_problems(self, where)
        yield from persist_problems(self.persist and self.size != REST, size, f"{where}.size")
        length = as_size(size)
        is_size = size is None or length is not None  # else reported above
        if is_size and fits(self.payload, Payload):
            yield from self.payload.problems(where, length, sector_size)

    def _start_problems(self, where: str) -> Iterator[Problem]:
        start, align = as_size(self.start), as_size(self.align)
        if start is not None and align and start % align:
            yield Unaligned(
                f"{where}.start", f"{start} bytes are not aligned",
                f"must be a multiple of its align, {align}",
                f"leave align out, or write {start // align * align + align}",
            )

    def _unlisted_problems(self, where: str) -> Iterator[Problem]:
        if self.in_table:
            return
        for field in ("type", "guid", "attributes", "active", "logical", "partition_name"):
            if getattr(self, field) or getattr(self, field) == "":
                yield BadValue(
                    f"{where}.{field}", f"{getattr(self, field)!r} is given",
                    "a partition that is not in the table has no place to store it",
                    f"leave {field} out, or in_table",
                )


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
    payload: "Payload"
    wish: Wish
    partition: Partition
    """As it is described."""


class Outside(NamedTuple):
    """A segment and the place in the description that it comes from."""

    where: str
    segment: "Segment"


@dataclass(frozen=True)
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
    happens when somebody else wrote to the image: ``"restore"`` builds it anew, ``"error"``
    refuses.  ``durable`` waits until the image has reached the disk.  ``replace`` lets a file that
    was not built here be replaced, where the image or one of the outputs is to be.
    """

    image: str | PathLike[str]
    _: KW_ONLY
    size: SizeLike
    table: "Table | None"
    partitions: Sequence[Partition] = ()
    segments: "Sequence[Segment]" = ()
    boot: "Bootloader | None" = None
    align: SizeLike = "1MiB"
    guid: "str | UUID | None" = None
    signature: int | None = None
    name: str = ""
    busy: Literal["swap", "error"] = "swap"
    guest_writes: Literal["restore", "error"] = "restore"
    durable: bool = False
    replace: bool = False
    power_of_two: bool = False
    outputs: "Sequence[Output]" = ()

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
        grows, align = self.takes_rest(it), self.align if it.align is None else it.align
        return Wish(
            length=as_size(self.size_of(it)),
            grows=grows,
            asked_first=self.size == AUTO or not grows,
            align=as_size(align) or self.sector_size,
            start=as_size(it.start),
        )

    @cached_property
    def outside(self) -> tuple[Outside, ...]:
        """Every segment of the disk: those that the bootloader becomes, and the user's own."""
        if self.boot is None:
            return self._own_segments
        from doit_diskimg.disk.segment import BOOT

        boot = self.boot.segments(self)
        where = [BOOT] if len(boot) == 1 else [f"{BOOT}.segments[{i}]" for i in range(len(boot))]
        return (*map(Outside, where, boot), *self._own_segments)

    @property
    def _own_segments(self) -> tuple[Outside, ...]:
        return tuple(
            Outside(f"segments[{index}]", segment) for index, segment in enumerate(self.segments)
        )

    @property
    def sector_size(self) -> int:
        """Bytes per logical sector."""
        size = SECTOR if self.table is None else self.table.sector_size
        # Of a size that is none the table complains; everything else is told in usual sectors.
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

    def size_of(self, partition: Partition) -> SizeLike | None:
        """What a partition was given: its own size, or the disk's if it is the whole disk.

        None if the layout has to find it: by asking the payload, or as what the others leave.
        """
        size = partition.size
        if self.is_one_volume and size in (None, REST):
            whole = as_size(self.size)
            size = self.size if whole is None else self.rounded(whole)
        return None if size in (AUTO, REST) else size

    def takes_rest(self, partition: Partition) -> bool:
        """Whether a partition is as long as the others leave it room."""
        if self.is_one_volume:
            return self.size == AUTO and partition.size in (None, REST)
        return partition.size == REST

    def asked_first(self, partition: Partition) -> bool:
        """Whether the layout has to know a payload's own room before it places anything.

        Not if a disk of given size leaves the partition what it has.
        """
        return self.size == AUTO or not self.takes_rest(partition)

    @cached_property
    def identity(self) -> "UUID":
        """The disk GUID: as given, else derived from the name.  ValueError if it is malformed."""
        from doit_diskimg.ondisk.guids import as_uuid, derived_guid

        return as_uuid(self.guid) if self.guid else derived_guid(as_uuid(_NAMESPACE), self.name)

    def identity_of(self, partition: Partition) -> "UUID":
        """The partition GUID: as given, else derived from the disk's and the partition's name."""
        from doit_diskimg.ondisk.guids import as_uuid, derived_guid

        if partition.guid:
            return as_uuid(partition.guid)
        return derived_guid(self.identity, partition.name)

    def named(self, partition: Partition) -> list[object]:
        """Return what decides `identity_of`, which takes longer to find."""
        if partition.guid:
            return [str(partition.guid)]
        return [str(self.guid) if self.guid else None, self.name, partition.name]

    def identities(self) -> "Identity":
        """The disk's GUID and its MBR signature: as given, else derived from the name."""
        from doit_diskimg.disk.segment import Identity

        derived = self.identity.int & 0xFFFFFFFF or 1
        if self.signature is None:
            return Identity(self.identity, derived)
        return Identity(self.identity, self.signature, signature_given=True)

    def problems(self) -> list[Problem]:
        """Return everything that is wrong with the description, in its own order.

        Of fields that are of the wrong kind nothing else can be said, and of the symbols of parts
        that are wrong otherwise neither.
        """
        from doit_diskimg.disk.shape import shape_problems, source_problems

        return (
            list(shape_problems(self, Partition))
            or list(self._problems())
            or [*source_problems(self), *asked.problems(self)]
        )

    def _problems(self) -> Iterator[Problem]:
        from doit_diskimg.disk.made import output_problems
        from doit_diskimg.disk.shape import disk_kind_problems

        yield from name_problems(self.name, "name")
        yield from size_problems(
            self.size, "size", self.sector_size, needed=True, positive=True, words=(AUTO,)
        )
        yield from size_problems(self.align, "align", self.sector_size, needed=True)
        if as_size(self.align) == 0:
            yield BadSize("align", "0 is no step", "must be a sector or more", 'write "1MiB"')
        yield from disk_kind_problems(self)
        yield from self._choice_problems()
        yield from self._table_problems()
        for index, partition in enumerate(self.partitions):
            size = self.size_of(partition)
            yield from partition.problems(f"partitions[{index}]", size, self.sector_size)
        yield from self._outside_problems()
        yield from rest_problems([part.size for part in self.partitions])
        yield from output_problems(self, {TABLE, *STEPS})

    def _outside_problems(self) -> Iterator[Problem]:
        """A bootloader that does not suit the disk is not asked what it would become."""
        from doit_diskimg.disk.segment import BOOT

        found = []
        if self.boot is not None and self.table is not None:
            found = list(self.boot.problems(BOOT, self))
        yield from found
        outside = self._own_segments if found or self.table is None else self.outside
        for where, segment in outside:
            yield from segment.problems(where)
        yield from self._duplicates(outside)

    def _choice_problems(self) -> Iterator[Problem]:
        for field, values in (("busy", ("swap", "error")), ("guest_writes", ("restore", "error"))):
            if getattr(self, field) not in values:
                yield BadValue(
                    field, f"{getattr(self, field)!r} is no choice",
                    f"must be {' or '.join(map(repr, values))}",
                    f"leave it out for {values[0]!r}",
                )

    def _table_problems(self) -> Iterator[Problem]:
        if self.table is None:
            from doit_diskimg.disk.bare import bare_problems

            yield from bare_problems(self)
        else:
            yield from self.table.problems(self)

    def _duplicates(self, outside: Iterable[Outside]) -> Iterator[Problem]:
        """Names become tasks and state files, and file systems may ignore case."""
        seen: dict[str, str] = {TABLE: "the partition table's own tasks"}
        named = [(f"partitions[{i}]", part.name) for i, part in enumerate(self.partitions)]
        named += [(where, segment.name) for where, segment in outside]
        for where, name in named:
            key = str(name).casefold()
            if key in seen:
                yield DuplicateName(
                    f"{where}.name", f"{name!r} is the name of {seen[key]} too",
                    "every partition and segment needs a name of its own", "rename one",
                )
            seen.setdefault(key, where)
