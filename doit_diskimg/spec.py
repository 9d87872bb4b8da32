"""What the user says: a disk, its partitions, its segments.

Frozen, and checked against itself only: nothing here looks at a file or decides a place.  All
that is wrong is found in one go (`Disk.problems`), each problem with the path to its place in the
description, such as ``partitions[1].size``.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import KW_ONLY, fields, is_dataclass
from enum import Enum
from functools import cached_property
from os import PathLike, fspath
from pathlib import PurePath
from typing import TYPE_CHECKING

from doit_diskimg.content import digest_of
from doit_diskimg.errors import BadSize, BadValue, DuplicateName, Problem, Unaligned
from doit_diskimg.fields import (
    AUTO,
    REST,
    as_size,
    is_path,
    list_problems,
    name_problems,
    size_problems,
)
from doit_diskimg.frozen import dataclass
from doit_diskimg.made import output_problems
from doit_diskimg.ondisk.guids import as_uuid, derived_guid
from doit_diskimg.ports import Output, Payload, Table
from doit_diskimg.segment import Identity, Segment
from doit_diskimg.units import SECTOR, SizeLike, counted, next_power_of_two, parse_size

if TYPE_CHECKING:
    from uuid import UUID

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
    disk.  ``guid`` is derived from the names of disk and partition unless given.  ``attributes``
    are GPT bits by name or as a number, ``active`` is the MBR's 0x80.  ``logical`` puts a partition
    of an MBR into the extended one (True) or among the primary ones (False).  With
    ``in_table=False`` the partition takes its room but the table does not mention it.
    """

    name: str
    payload: Payload
    _: KW_ONLY
    type: str | int | None = None
    start: SizeLike | None = None
    size: SizeLike | None = None
    align: SizeLike | None = None
    guid: "str | UUID | None" = None
    attributes: int | Sequence[str] = ()
    active: bool = False
    logical: bool | None = None
    in_table: bool = True

    def problems(self, where: str, size: SizeLike | None, sector_size: int) -> Iterator[Problem]:
        """Yield what is wrong with this partition alone; ``size`` is what it was given."""
        yield from name_problems(self.name, f"{where}.name")
        yield from size_problems(self.start, f"{where}.start", sector_size)
        yield from size_problems(self.size, f"{where}.size", sector_size, words=(AUTO, REST))
        yield from size_problems(self.align, f"{where}.align", sector_size, positive=True)
        yield from self._start_problems(where)
        yield from self._unlisted_problems(where)
        if not isinstance(self.payload, Payload):
            yield BadValue(
                f"{where}.payload",
                f"{self.payload!r} is no payload",
                "must be Fat(...), File(...) or an object of your own that fits the Payload port",
                'write for example File("build/root.ext2")',
            )
            return
        length = as_size(size)
        if size is None or length is not None:  # else reported above
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
        for field in ("type", "guid", "attributes", "active", "logical"):
            if getattr(self, field):
                yield BadValue(
                    f"{where}.{field}", f"{getattr(self, field)!r} is given",
                    "a partition that is not in the table has no place to store it",
                    f"leave {field} out, or in_table",
                )


@dataclass(frozen=True)
class Disk:
    """A whole disk and the file that holds it.

    ``image`` is the path of the file.  ``size`` is in bytes, text such as ``"64MiB"`` or
    ``"1.44M floppy"``, or ``"auto"``: the least that holds everything, in whole multiples of
    ``align``.  ``power_of_two`` rounds either up to a power of two, as QEMU's SD cards need it.
    ``table`` is ``Gpt()``, ``Mbr()`` or None: for a bare volume (one partition that is the whole
    disk), or for segments alone (a boot sector and what it loads).  ``segments`` are bytes outside
    the partitions.  ``align`` is the multiple of bytes at which partitions without a ``start``
    begin.  ``guid`` (GPT) and ``signature`` (MBR) identify the disk; they are derived from ``name``
    unless given, so that they are known before the build.  ``name`` is that of the tasks, the
    image's file name unless given.
    ``outputs`` are files that are made of the finished image: `Qcow2`, `Compressed` and others.

    ``busy`` says what happens while a QEMU has the image: ``"swap"`` puts a new file in its place
    and leaves the guest the old one, ``"error"`` refuses to build.  ``guest_writes`` says what
    happens when somebody else wrote to the image: ``"restore"`` builds it anew, ``"error"``
    refuses.  ``durable`` waits until the image has reached the disk.
    """

    image: str | PathLike[str]
    _: KW_ONLY
    size: SizeLike
    table: Table | None
    partitions: Sequence[Partition] = ()
    segments: Sequence[Segment] = ()
    align: SizeLike = "1MiB"
    guid: "str | UUID | None" = None
    signature: int | None = None
    name: str = ""
    busy: str = "swap"
    guest_writes: str = "restore"
    durable: bool = False
    power_of_two: bool = False
    outputs: Sequence[Output] = ()

    def __post_init__(self) -> None:
        if is_path(self.image):
            object.__setattr__(self, "name", self.name or PurePath(self.image).name)
        for field in ("partitions", "segments", "outputs"):
            if isinstance(getattr(self, field), Sequence):
                object.__setattr__(self, field, tuple(getattr(self, field)))

    @property
    def sector_size(self) -> int:
        """Bytes per logical sector."""
        # Asked before it is known that the table is one: everything wrong is listed at once.
        return getattr(self.table, "sector_size", SECTOR)

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
        if self.table is None and size in (None, REST):
            whole = as_size(self.size)
            size = self.size if whole is None else self.rounded(whole)
        return None if size in (AUTO, REST) else size

    def takes_rest(self, partition: Partition) -> bool:
        """Whether a partition is as long as the others leave it room."""
        if self.table is None:
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
        return as_uuid(self.guid) if self.guid else derived_guid(as_uuid(_NAMESPACE), self.name)

    def identity_of(self, partition: Partition) -> "UUID":
        """The partition GUID: as given, else derived from the disk's and the partition's name."""
        if partition.guid:
            return as_uuid(partition.guid)
        return derived_guid(self.identity, partition.name)

    def identities(self) -> Identity:
        """The disk's GUID and its MBR signature: as given, else derived from the name."""
        derived = self.identity.int & 0xFFFFFFFF or 1
        return Identity(self.identity, derived if self.signature is None else self.signature)

    def problems(self) -> list[Problem]:
        """Return everything that is wrong with the description, in its own order.

        Of fields that are of the wrong kind nothing else can be said.
        """
        return list(self._shape_problems()) or list(self._problems())

    def _shape_problems(self) -> Iterator[Problem]:
        if not is_path(self.image):
            yield BadValue(
                "image", f"{self.image!r} is no path", "must be the path of the image's file",
                'write for example "build/os.img"',
            )
        # A class has the methods of a table too, so that forgotten parentheses look like one.
        if self.table is not None and (
            isinstance(self.table, type) or not isinstance(self.table, Table)
        ):
            yield BadValue(
                "table", f"{self.table!r} is no partition table",
                "must be Gpt(), Mbr() or None", "write table=Gpt()",
            )
        yield from list_problems(self.partitions, Partition, "partitions")
        yield from list_problems(self.segments, Segment, "segments")

    def _problems(self) -> Iterator[Problem]:
        yield from name_problems(self.name, "name")
        yield from size_problems(
            self.size, "size", self.sector_size, needed=True, positive=True, words=(AUTO,)
        )
        yield from size_problems(self.align, "align", self.sector_size, needed=True)
        if as_size(self.align) == 0:
            yield BadSize("align", "0 is no step", "must be a sector or more", 'write "1MiB"')
        yield from self._choice_problems()
        yield from self._table_problems()
        for index, partition in enumerate(self.partitions):
            size = self.size_of(partition)
            yield from partition.problems(f"partitions[{index}]", size, self.sector_size)
        for index, segment in enumerate(self.segments):
            yield from segment.problems(f"segments[{index}]")
        yield from self._duplicates()
        yield from self._rest_problems()
        yield from output_problems(self, {TABLE, *STEPS})

    def _rest_problems(self) -> Iterator[Problem]:
        rest = [index for index, part in enumerate(self.partitions) if part.size == REST]
        for index in rest[1:]:
            yield BadValue(
                f"partitions[{index}].size", f'partitions[{rest[0]}] has "{REST}" too',
                "must be one partition at most, since there is one rest",
                f'give all but one a size, or "{AUTO}"',
            )

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
            yield from self._bare_problems()
        else:
            yield from self.table.problems(self)

    def _bare_problems(self) -> Iterator[Problem]:
        volume = len(self.partitions) == 1 and not self.segments
        if not volume and (self.partitions or not self.segments):
            yield BadValue(
                "table",
                f"there is none, but {counted(len(self.partitions), 'partition')} and "
                f"{counted(len(self.segments), 'segment')}",
                "a disk without a table is one volume, or segments and nothing else",
                "describe one partition and no segment, or only segments, or write table=Mbr()",
            )
        for index, partition in enumerate(self.partitions):
            for field in ("type", "start", "align", "guid", "attributes", "active", "logical"):
                if getattr(partition, field):
                    yield BadValue(
                        f"partitions[{index}].{field}",
                        f"{getattr(partition, field)!r} is given",
                        "a disk without a table has no place to store it",
                        f"leave {field} out, or write table=Mbr()",
                    )

    def _duplicates(self) -> Iterator[Problem]:
        """Names become tasks and state files, and file systems may ignore case."""
        seen: dict[str, str] = {TABLE: "the partition table's own tasks"}
        named = [(f"partitions[{i}]", part.name) for i, part in enumerate(self.partitions)]
        named += [(f"segments[{i}]", segment.name) for i, segment in enumerate(self.segments)]
        for where, name in named:
            key = str(name).casefold()
            if key in seen:
                yield DuplicateName(
                    f"{where}.name", f"{name!r} is the name of {seen[key]} too",
                    "every partition and segment needs a name of its own", "rename one",
                )
            seen.setdefault(key, where)


def canonical(value: object) -> object:
    """Return ``value`` as plain data that is equal exactly when the description is.

    Mappings are sorted (their order decides nothing), bytes become their digest, and a payload of
    somebody else's that is not a dataclass counts with its public attributes.
    """
    if value is None or isinstance(value, (bool, int, str)):
        return value
    if isinstance(value, Enum):
        return [type(value).__qualname__, value.name]
    if isinstance(value, (bytes, bytearray)):
        return ["bytes", len(value), digest_of(bytes(value))]
    if isinstance(value, PathLike):
        return fspath(value)
    if isinstance(value, Mapping):
        return ["mapping", sorted([str(key), canonical(item)] for key, item in value.items())]
    if isinstance(value, (set, frozenset)):
        return ["set", sorted(map(str, value))]
    if isinstance(value, Iterable):
        return [canonical(item) for item in value]
    return [type(value).__qualname__, *_attributes(value)]


def _attributes(value: object) -> Iterator[object]:
    if is_dataclass(value):
        for field in fields(value):
            yield [field.name, canonical(getattr(value, field.name))]
    elif hasattr(value, "__dict__"):
        for name, item in sorted(vars(value).items()):
            if not name.startswith("_"):
                yield [name, canonical(item)]
    else:
        yield str(value)  # a UUID, a date: types whose text is their value
