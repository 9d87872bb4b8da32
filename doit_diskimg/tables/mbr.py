"""The MBR partition table: four primary partitions in sector 0, or three and logical ones.

It claims bytes 440 to 511 and leaves the boot code before it to whoever brings some.  Sectors
have 512 bytes: what firmware makes of an MBR on larger ones differs from machine to machine.
"""

from collections.abc import Iterator, Sequence

from doit_diskimg.errors import BadValue, Problem
from doit_diskimg.extent import Extent
from doit_diskimg.fields import as_size, is_number, size_problems
from doit_diskimg.frozen import dataclass
from doit_diskimg.ondisk import mbr as ondisk
from doit_diskimg.ondisk.guids import MBR_TYPES, type_byte, type_guid
from doit_diskimg.picture import Canvas, Picture
from doit_diskimg.ports import Chain
from doit_diskimg.segment import Identity, PlacedPartition, Region
from doit_diskimg.tables import mbr_chain
from doit_diskimg.tables.described import (
    EXTENDED_TYPES,
    RESERVED_TYPES,
    DescribedDisk,
    DescribedPartition,
    byte_meant,
    names_to_use,
    too_small_problems,
    type_problem,
)
from doit_diskimg.units import SECTOR, SizeLike, align_down

REACH = 2**32 * SECTOR
"""The first byte that no partition of an MBR can have: 2 TiB."""


@dataclass(frozen=True, kw_only=True)
class Mbr:
    """An MBR with up to four primary partitions, or up to three and logical ones.

    A partition's ``type`` is a name (``"fat32"``) or the byte (``0x0c``, ``"0x0c"``); with 0 its
    entry is written but counts as unused.  ``active`` marks the partition that a BIOS boot sector
    of the usual kind starts.

    With more than four partitions the fourth and all after it are logical, unless some say
    ``logical=True`` themselves.  The extended partition around them has entry
    ``extended_number`` and type ``extended_type``.  It begins with the first of them and ends with
    the last, unless ``extended_start`` and ``extended_size`` (bytes) say otherwise.
    """

    extended_number: int = ondisk.ENTRY_COUNT
    extended_type: str | int = "extended-lba"
    extended_start: SizeLike | None = None
    extended_size: SizeLike | None = None

    has_guids = False

    @property
    def sector_size(self) -> int:
        """Bytes per logical sector."""
        return SECTOR

    def problems(self, disk: DescribedDisk) -> Iterator[Problem]:
        """Yield what an MBR can't store, with the path to each."""
        yield from _identity_problems(disk)
        yield from too_small_problems(disk.size, 2 * SECTOR, "an MBR")
        yield from self._extended_problems()
        yield from mbr_chain.problems(disk)
        for index, partition in enumerate(disk.partitions):
            yield from _partition_problems(partition, f"partitions[{index}]")
        active = [index for index, partition in enumerate(disk.partitions) if partition.active]
        for index in active[1:]:
            yield BadValue(
                f"partitions[{index}].active",
                f"partitions[{active[0]}] is active too",
                "must be one partition at most, since boot code looks for one",
                "leave active out of all but one",
            )

    def regions(self, size: int) -> Sequence[Region]:
        """Return the end of sector 0: bytes 440 to 511."""
        extent = Extent(ondisk.START, SECTOR - ondisk.START)
        return [Region(name="MBR", where="table", extent=extent)]

    def usable(self, size: int) -> Extent:
        """Return all after sector 0, as far as 32 bits count sectors."""
        end = align_down(min(size, REACH), SECTOR)
        return Extent(SECTOR, max(0, end - SECTOR))

    def size_for(self, end: int) -> int | None:
        """Return ``end``, for nothing lies behind the partitions; a sector of content at least.

        None beyond 2 TiB.
        """
        return max(end, 2 * SECTOR) if end <= REACH else None

    def numbers(self, disk: DescribedDisk) -> Sequence[int]:
        """Return the entry numbers, without the extended partition's; logical ones from 5."""
        return mbr_chain.numbers(disk, self.extended_number)

    def chain(self, disk: DescribedDisk) -> Chain | None:
        """Return the logical partitions, None if all are primary."""
        members = mbr_chain.logical_indexes(disk)
        if not members:
            return None
        return Chain(
            members=members,
            number=self.extended_number,
            first_number=mbr_chain.FIRST_NUMBER,
            type=f"{type_byte(self.extended_type):#04x}",
            start=as_size(self.extended_start),
            length=as_size(self.extended_size),
        )

    def type_of(self, partition: DescribedPartition, payload_type: str | None) -> str:
        """Return the type byte as text, such as ``0x0c``.

        Raises ValueError, in words for the user, if nobody names a type or it is not a known one.
        """
        given = payload_type if partition.type is None else partition.type
        if given is None:
            raise ValueError("no type is given, and the payload has none of its own")
        byte = type_byte(given)
        if byte is None:
            raise ValueError(f"{given!r} is no type that an MBR can store")
        return f"{byte:#04x}"

    def encode(
        self, size: int, identity: Identity, partitions: Sequence[PlacedPartition]
    ) -> Picture:
        """Return bytes 440 to 511 of the disk, and of the EBR before each logical partition."""
        entries = [ondisk.UNUSED] * ondisk.ENTRY_COUNT
        primary = [partition for partition in partitions if partition.ebr is None]
        for partition in primary:
            entries[partition.number - 1] = mbr_chain.entry(partition)
        table = ondisk.Mbr(signature=identity.signature, entries=tuple(entries))
        canvas = Canvas()
        canvas.data(ondisk.START, table.pack())
        for extended in primary if len(primary) < len(partitions) else ():
            if extended.number == self.extended_number:
                for ebr, link in mbr_chain.chain(partitions, extended):
                    canvas.data(ebr + ondisk.START, link.pack())
        return canvas.picture()

    def _extended_problems(self) -> Iterator[Problem]:
        number = self.extended_number
        if not is_number(number) or not 1 <= number <= ondisk.ENTRY_COUNT:
            yield BadValue(
                "table.extended_number", repr(self.extended_number), "must be an entry, 1 to 4",
                "leave it out for 4",
            )
        if type_byte(self.extended_type) not in EXTENDED_TYPES:
            yield BadValue(
                "table.extended_type", f"{self.extended_type!r} is no type of an extended one",
                "must be 0x05, 0x0f or 0x85", 'leave it out for "extended-lba", 0x0f',
            )
        yield from size_problems(self.extended_start, "table.extended_start", SECTOR)
        yield from size_problems(
            self.extended_size, "table.extended_size", SECTOR, positive=True
        )


def _identity_problems(disk: DescribedDisk) -> Iterator[Problem]:
    if disk.guid:
        yield BadValue(
            "guid", f"{disk.guid!r} is given", "must be left out, since an MBR has no place for it",
            "write signature=..., or use Gpt()",
        )
    signature = disk.signature
    if signature is None or (is_number(signature) and 0 < signature < 1 << 32):
        return
    # Zero would be "no signature", which Windows replaces by one of its own.
    yield BadValue(
        "signature",
        f"{signature:#x}" if is_number(signature) else repr(signature),
        "must be a number from 1 to 0xffffffff",
        "leave it out to have one derived",
    )


def _partition_problems(partition: DescribedPartition, where: str) -> Iterator[Problem]:
    yield from _type_problems(partition.type, f"{where}.type")
    for field in ("guid", "attributes"):
        if getattr(partition, field):
            yield BadValue(
                f"{where}.{field}",
                f"{getattr(partition, field)!r} is given",
                "must be left out, since an MBR has no place for it",
                f"remove {field}, or use Gpt()",
            )


def _type_problems(value: str | int | None, where: str) -> Iterator[Problem]:
    if value is None:
        return
    if type_byte(value) in RESERVED_TYPES:
        yield type_problem(
            where, value, "must be that of a partition: the table itself has such entries",
            "write logical=True for what lies in an extended partition, which comes by itself",
        )
        return
    if type_byte(value) is not None:
        return
    guid = type_guid(value)
    meant = [name for name in MBR_TYPES if guid and type_guid(name) == guid]
    byte = byte_meant(value)
    if guid and not meant:
        change = "use Gpt(), which knows it"
    elif byte is not None and type_byte(byte) is not None:
        change = f"write {byte:#04x}"
    else:
        change = names_to_use(value, MBR_TYPES, meant)
    must = "must be a name that an MBR has a type for, or a byte from 0x00 to 0xff"
    yield type_problem(where, value, must, change)
