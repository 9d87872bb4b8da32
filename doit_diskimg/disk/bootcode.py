"""`BootCode`: a binary of the user's with numbers of the layout in it.

It stands wherever boot code goes: as ``Disk(boot=...)``, as the source of a `Segment`, in the
reserved sectors of a FAT volume or as its boot sector, in a partition of its own.

The user's file stays as it is.  What reaches the image are ranges of it and, for each patched
field, the sector around it in a few bytes of ours: a number that changes rewrites that sector.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import KW_ONLY
from os import PathLike, fsdecode

from doit_diskimg.disk.bootfield import Patch, PatchField, misplaced, resolve
from doit_diskimg.disk.fields import path_text_problems, shown
from doit_diskimg.disk.model import Disk
from doit_diskimg.disk.segment import Segment, Stretch, stretch_of
from doit_diskimg.disk.symbols import Numbers, Symbol
from doit_diskimg.errors import (
    BadValue,
    ContentTooLarge,
    DescriptionError,
    OverTable,
    PatchMisplaced,
    Problem,
    WorldError,
    refuse,
)
from doit_diskimg.extent import Extent, clipped, merged, subtract
from doit_diskimg.frozen import dataclass
from doit_diskimg.ondisk import mbr_sector
from doit_diskimg.ondisk.elf import Elf
from doit_diskimg.plan.content import Files, Wanted
from doit_diskimg.units import SECTOR, align_down, align_up

SEGMENT = "bootcode"
"""The name of the segment that it is.  Not ``boot``: partitions are called that."""

BOOT_CODE = mbr_sector.START
"""Bytes before the disk signature and the partition table; without a signature there are more."""

KEEP = [(BOOT_CODE, SECTOR)]
"""What boot code of a whole sector leaves to the table, whatever its own file has there."""

_TABLE_END = 510
_SIGNATURE = b"\x55\xaa"


@dataclass(frozen=True, described=True)
class BootCode:
    """Boot code: ``source`` is the path of a flat binary, or bytes; ``patches`` are put into it.

    ``elf`` is the path of the ELF file that the binary was made of (``objcopy -O binary``): then a
    patch may name a symbol of it instead of an offset.

    As ``Disk(boot=BootCode(...))`` it is the boot code of sector 0, bytes 0 to 439, or to 445 with
    ``Mbr(disk_signature=False)``.  A binary of 512 bytes is fine there if nothing but 55 aa follows
    those: the rest is the partition table's.
    """

    source: str | PathLike[str] | bytes
    _: KW_ONLY
    patches: Sequence[Patch] = ()
    elf: str | PathLike[str] | None = None

    def __post_init__(self) -> None:
        if isinstance(self.patches, Sequence) and not isinstance(self.patches, (str, bytes)):
            object.__setattr__(self, "patches", tuple(self.patches))

    # Where it is a bootloader: `ports.Bootloader` ---------------------------------------------

    def problems(self, where: str, disk: Disk) -> Iterator[Problem]:
        """Yield what is wrong with it as the boot code of a disk: nothing that its bytes decide."""
        return iter(())

    def segments(self, disk: Disk) -> Sequence[Segment]:
        """Return the one segment that it is: sector 0 up to the disk signature."""
        given = getattr(disk.table, "boot_code_length", None)  # of an MBR, else what all leave
        room = given or BOOT_CODE
        code = SectorZero(
            self.source, patches=self.patches, elf=self.elf, room=room, optional=given == BOOT_CODE
        )
        return [Segment(SEGMENT, code, 0, keep=[(room, SECTOR)])]

    # Where it is a source -----------------------------------------------------------------------

    def source_problems(self, where: str, kept: Sequence[Extent] = ()) -> Iterator[Problem]:
        """Yield what is wrong with the description; ``kept`` are bytes that no patch may touch."""
        if not isinstance(self.source, (str, PathLike, bytes)) or not self.source:
            yield BadValue(
                f"{where}.source", f"{shown(self.source)} is not a source",
                "must be the path of a file, or bytes", 'write for example "build/stage1.bin"',
            )
        yield from path_text_problems(self.source, f"{where}.source")
        if self.elf is not None and not (isinstance(self.elf, (str, PathLike)) and self.elf):
            yield BadValue(
                f"{where}.elf", f"{self.elf!r} is not a path", "must be the path of an ELF file",
                'write for example "build/stage1.elf"',
            )
        if not isinstance(self.patches, tuple):
            yield BadValue(
                f"{where}.patches", f"{self.patches!r} is not a list", "must be a list of patches",
                "put it in brackets",
            )
            return
        length = len(self.source) if isinstance(self.source, bytes) else None
        fields = []
        for here, patch in self._patches(where):
            found = list(_problems(patch, here, elf=self.elf is not None))
            yield from found
            if not found and isinstance(patch.offset, int):
                fields.append(patch.field(here))
        yield from misplaced(fields, length, kept)

    def wanted(self, where: str) -> Iterator[Wanted]:
        """Yield the files that it is made of."""
        if not isinstance(self.source, bytes):
            yield Wanted(f"{where}.source", fsdecode(self.source))
        if self.elf is not None:
            yield Wanted(f"{where}.elf", fsdecode(self.elf))

    def asks(self, where: str) -> Iterator[tuple[str, Symbol]]:
        """Yield the symbols of its patches, each with its place in the description."""
        if not self.patches:
            return
        for here, patch in self._patches(where):
            if isinstance(patch, Patch) and isinstance(patch.value, Symbol):
                yield here, patch.value

    def size(self, files: Files, where: str) -> int:
        """Return how many bytes it has.  Raises WorldError if there is no such file."""
        if isinstance(self.source, bytes):
            return len(self.source)
        return files.size(fsdecode(self.source), f"{where}.source")

    def stretches(
        self,
        place: Extent,
        own: Iterable[Extent],
        files: Files,
        numbers: Numbers | None,
        where: str,
    ) -> list[Stretch]:
        """Return its bytes, patched.

        ``place`` is where it lies on the disk, ``own`` are the bytes of the disk that it may have.
        Raises DescriptionError or WorldError with all that is wrong.
        """
        own, source = list(own), f"{where}.source"
        kept = [_moved(hole, -place.start) for hole in subtract([place], own)]
        fields = self.fields(place.length, kept, files, numbers, where)
        touched = list(merged(_sectors(_moved(field.extent, place.start)) for field, _ in fields))
        plain = subtract(own, touched)
        patched = [part for extent in own for part in clipped(touched, extent)]
        found = [
            stretch_of(self.source, _moved(part, -place.start), place.length, files, source)
            for part in plain
        ]
        for part in patched:
            found.append(self._patched(_moved(part, -place.start), fields, files, where))
        return sorted(found, key=lambda stretch: stretch.offset)

    def fields(
        self,
        length: int,
        kept: Sequence[Extent],
        files: Files,
        numbers: Numbers | None,
        where: str,
    ) -> list[tuple[PatchField, bytes]]:
        """Return what to write where; all that is wrong with it is raised at once.

        ``length`` is that of the source, ``kept`` are bytes of it that no patch may touch.
        """
        elf = self._elf(files, where)
        fields, wrong = self._located(elf, where)
        wrong += misplaced(fields, length, kept)
        if elf is not None and not wrong:
            wrong += self._foreign(fields, elf, files, where)
        failed, values = list[Problem](), []
        for field in fields:
            try:
                values.append((field, resolve(field, numbers)))
            except DescriptionError as error:
                wrong += error.problems
            except WorldError as error:
                failed += error.problems
        refuse(wrong, failed)
        return values

    def patched(
        self, data: bytes, kept: Sequence[Extent], files: Files, numbers: Numbers | None, where: str
    ) -> bytes:
        """Return the bytes of the source, which are ``data``, with the values of the patches."""
        found = bytearray(data)
        for field, value in self.fields(len(data), kept, files, numbers, where):
            found[field.offset : field.offset + field.size] = value
        return bytes(found)

    def _located(self, elf: Elf | None, where: str) -> tuple[list[PatchField], list[Problem]]:
        """Return the fields, and what is wrong with those that are symbols."""
        fields: list[PatchField] = []
        wrong: list[Problem] = []
        for here, patch in self._patches(where):
            if isinstance(patch.offset, int):
                fields.append(patch.field(here))
                continue
            try:
                assert elf is not None
                fields.append(patch.found(here, elf.find(patch.offset, here)))
            except DescriptionError as error:
                wrong += error.problems
        return fields, wrong

    def _elf(self, files: Files, where: str) -> Elf | None:
        if self.elf is None:
            return None
        path, where = fsdecode(self.elf), f"{where}.elf"
        return Elf(files.read(path, where), path, where)

    def _foreign(
        self, fields: Iterable[PatchField], elf: Elf, files: Files, where: str
    ) -> Iterator[Problem]:
        """Yield a problem if the binary is not the one that was made of the ELF file."""
        patches = dict(self._patches(where))
        for field in fields:
            name = patches[field.where].offset
            if isinstance(name, int):
                continue
            expected = elf.find(name, field.where).data[: field.size]
            found = self.read(Extent(field.offset, len(expected)), files, where)
            if found != expected:
                yield PatchMisplaced(
                    field.where, f"{name!r} is {expected.hex(' ')} in the ELF file, the binary has "
                    f"{found.hex(' ')} at {field.offset:#x}",
                    "the binary must be made of that file by objcopy -O binary",
                    "name the file that it was made of, or make it again",
                )
                return

    def _patches(self, where: str) -> Iterator[tuple[str, Patch]]:
        for index, patch in enumerate(self.patches if isinstance(self.patches, tuple) else ()):
            yield f"{where}.patches[{index}]", patch

    def _patched(
        self, part: Extent, fields: Iterable[tuple[PatchField, bytes]], files: Files, where: str
    ) -> Stretch:
        data = bytearray(self.read(part, files, where))
        for field, value in fields:
            if part.contains(field.extent):
                low = field.offset - part.start
                data[low : low + field.size] = value
        return Stretch(*part, bytes(data), "")

    def read(self, part: Extent, files: Files, where: str) -> bytes:
        """Return bytes of the source, as they are."""
        if isinstance(self.source, bytes):
            return self.source[part.start : part.end]
        return files.read_range(fsdecode(self.source), *part, f"{where}.source")


def _problems(patch: object, where: str, *, elf: bool) -> Iterator[Problem]:
    if isinstance(patch, Patch):
        yield from patch.problems(where, elf)
    else:
        yield BadValue(
            where, f"{patch!r} is not a patch", "must be Patch(offset, format, value)",
            'write for example Patch(0x5c, "<Q", at.lba("stage2"))',
        )


def _moved(extent: Extent, by: int) -> Extent:
    return Extent(extent.start + by, extent.length)


def _sectors(extent: Extent) -> Extent:
    """Return the whole sectors of the disk around some bytes of it."""
    start, end = align_down(extent.start, SECTOR), align_up(extent.end, SECTOR)
    return Extent(start, end - start)


# In sector 0 --------------------------------------------------------------------------------------


@dataclass(frozen=True)
class SectorZero(BootCode):
    """Boot code whose last bytes, from ``room`` on, are the partition table's if it has them."""

    _: KW_ONLY
    room: int = BOOT_CODE
    optional: bool = False
    """Whether the table can do without a disk signature, which lies there."""

    def size(self, files: Files, where: str) -> int:
        """Return how many bytes it has.  Raises DescriptionError if they are more than a sector."""
        length = super().size(files, where)
        if length > SECTOR:
            raise DescriptionError(
                ContentTooLarge(
                    where, f"the boot code has {length:,} bytes",
                    f"sector 0 has {self.room} for it, before the partition table",
                    'load the rest from elsewhere: Segment("stage2", "build/stage2.bin", 512); '
                    "what spans the table by itself is a segment with "
                    f"keep=[({self.room}, {SECTOR})]",
                )
            )
        return length

    def stretches(
        self,
        place: Extent,
        own: Iterable[Extent],
        files: Files,
        numbers: Numbers | None,
        where: str,
    ) -> list[Stretch]:
        """Return its bytes; see `BootCode`.  None may lie where the table does."""
        if place.length > self.room:
            tail = self.read(Extent(self.room, place.length - self.room), files, where)
            table, end = tail[: _TABLE_END - self.room], tail[_TABLE_END - self.room :]
            if any(table) or (any(end) and end != _SIGNATURE[: len(end)]):
                raise DescriptionError(self._over_table(tail, place.length, where))
        return super().stretches(place, own, files, numbers, where)

    def _over_table(self, tail: bytes, length: int, where: str) -> Problem:
        room = self.room
        if tail[_TABLE_END - room :] == _SIGNATURE:
            tail = tail[: _TABLE_END - room]
        last = room + max(index for index, byte in enumerate(tail) if byte)
        change = f"make the code {last + 1 - room} bytes shorter, or let it load a stage 2"
        if self.optional and last < mbr_sector.ENTRIES_START:
            change += ", or write Mbr(disk_signature=False)"
        return OverTable(
            where, f"its {length:,} bytes reach over the partition table: byte {last} is not zero",
            f"bytes {room} to {SECTOR - 1} are the table's; a binary of {SECTOR} may have zeros "
            "there and 55 aa at the end",
            change,
        )
