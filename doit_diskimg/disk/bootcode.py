"""`BootCode`: a binary of the user's with numbers of the layout in it.

It stands wherever boot code goes: as ``Disk(boot=...)``, as the source of a `Segment`, in the
reserved sectors of a FAT volume or as its boot sector, in a partition of its own.

The user's file stays as it is.  What reaches the image are ranges of it and, for each patched
field, the sector around it in a few bytes of ours: a number that changes rewrites that sector.

Whatever may hold boot code imports this module, so what patches need is imported where there are
some.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import KW_ONLY
from os import PathLike, fsdecode
from typing import TYPE_CHECKING, NamedTuple

from doit_diskimg.disk.fields import path_text_problems
from doit_diskimg.errors import (
    BadValue,
    DescriptionError,
    PatchMisplaced,
    Problem,
    WorldError,
    refuse,
)
from doit_diskimg.extent import Extent, clipped, merged, subtract
from doit_diskimg.frozen import dataclass
from doit_diskimg.plan.content import Files, Wanted, digest_of
from doit_diskimg.units import SECTOR, align_down, align_up

if TYPE_CHECKING:
    from doit_diskimg.disk.bootfield import Field, Patch
    from doit_diskimg.disk.model import Disk
    from doit_diskimg.disk.segment import Segment
    from doit_diskimg.disk.symbols import Numbers, Symbol
    from doit_diskimg.ondisk.elf import Elf
    from doit_diskimg.plan.picture import Canvas


class Stretch(NamedTuple):
    """Bytes from the beginning of ``offset`` on, either of a file or given."""

    offset: int
    length: int
    source: str | bytes
    """The path of the file, of which these bytes begin at ``offset``, or the bytes."""
    digest: str
    """Of the bytes; empty for patched ones, which are compared one by one."""


@dataclass(frozen=True)
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
    patches: "Sequence[Patch]" = ()
    elf: str | PathLike[str] | None = None

    def __post_init__(self) -> None:
        if isinstance(self.patches, Sequence) and not isinstance(self.patches, (str, bytes)):
            object.__setattr__(self, "patches", tuple(self.patches))

    # Where it is a bootloader: `ports.Bootloader` ---------------------------------------------

    def problems(self, where: str, disk: "Disk") -> Iterator[Problem]:
        """Yield what is wrong with it as the boot code of a disk: nothing that its bytes decide."""
        return iter(())

    def segments(self, disk: "Disk") -> "Sequence[Segment]":
        """Return the one segment that it is: sector 0 up to the disk signature."""
        from doit_diskimg.disk.sector_zero import segment

        room = getattr(disk.table, "boot_code_length", None)
        return [segment(self.source, self.patches, self.elf, room)]

    # Where it is a source -----------------------------------------------------------------------

    def source_problems(self, where: str, kept: Sequence[Extent] = ()) -> Iterator[Problem]:
        """Yield what is wrong with the description; ``kept`` are bytes that no patch may touch."""
        from doit_diskimg.disk.bootfield import misplaced

        if not isinstance(self.source, (str, PathLike, bytes)) or not self.source:
            yield BadValue(
                f"{where}.source", f"{self.source!r} is no source",
                "must be the path of a file, or bytes", 'write for example "build/stage1.bin"',
            )
        yield from path_text_problems(self.source, f"{where}.source")
        if self.elf is not None and not (isinstance(self.elf, (str, PathLike)) and self.elf):
            yield BadValue(
                f"{where}.elf", f"{self.elf!r} is no path", "must be the path of an ELF file",
                'write for example "build/stage1.elf"',
            )
        if not isinstance(self.patches, tuple):
            yield BadValue(
                f"{where}.patches", f"{self.patches!r} is no list", "must be a list of patches",
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

    def asks(self, where: str) -> "Iterator[tuple[str, Symbol]]":
        """Yield the symbols of its patches, each with its place in the description."""
        if not self.patches:
            return
        from doit_diskimg.disk.bootfield import Patch
        from doit_diskimg.disk.symbols import Symbol

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
        numbers: "Numbers | None",
        where: str,
    ) -> list[Stretch]:
        """Return its bytes, patched.

        ``place`` is where it lies on the disk, ``own`` are the bytes of the disk that it may have.
        Raises DescriptionError or WorldError with all that is wrong.
        """
        own = list(own)
        kept = [_moved(hole, -place.start) for hole in subtract([place], own)]
        fields = self.fields(place.length, kept, files, numbers, where)
        touched = list(merged(_sectors(_moved(field.extent, place.start)) for field, _ in fields))
        plain = subtract(own, touched)
        patched = [part for extent in own for part in clipped(touched, extent)]
        found = [self._plain(_moved(part, -place.start), place, files, where) for part in plain]
        for part in patched:
            found.append(self._patched(_moved(part, -place.start), fields, files, where))
        return sorted(found)

    def fields(
        self,
        length: int,
        kept: Sequence[Extent],
        files: Files,
        numbers: "Numbers | None",
        where: str,
    ) -> "list[tuple[Field, bytes]]":
        """Return what to write where; all that is wrong with it is raised at once.

        ``length`` is that of the source, ``kept`` are bytes of it that no patch may touch.
        """
        from doit_diskimg.disk.bootfield import misplaced, resolve

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

    def _located(self, elf: "Elf | None", where: str) -> "tuple[list[Field], list[Problem]]":
        """Return the fields, and what is wrong with those that are symbols."""
        fields: list[Field] = []
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

    def _elf(self, files: Files, where: str) -> "Elf | None":
        if self.elf is None:
            return None
        from doit_diskimg.ondisk.elf import Elf

        path, where = fsdecode(self.elf), f"{where}.elf"
        return Elf(files.read(path, where), path, where)

    def _foreign(
        self, fields: "Iterable[Field]", elf: "Elf", files: Files, where: str
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

    def _patches(self, where: str) -> "Iterator[tuple[str, Patch]]":
        for index, patch in enumerate(self.patches if isinstance(self.patches, tuple) else ()):
            yield f"{where}.patches[{index}]", patch

    def _plain(self, part: Extent, place: Extent, files: Files, where: str) -> Stretch:
        if isinstance(self.source, bytes):
            data = self.source[part.start : part.end]
            return Stretch(*part, data, digest_of(data))
        path, where = fsdecode(self.source), f"{where}.source"
        if part == (0, place.length) == (0, files.size(path, where)):
            return Stretch(*part, path, files.digest(path, where))
        return Stretch(*part, path, files.range_digest(path, *part, where))

    def _patched(
        self, part: Extent, fields: "Iterable[tuple[Field, bytes]]", files: Files, where: str
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


def draw(canvas: "Canvas", start: int, stretches: Iterable[Stretch]) -> None:
    """Put what `BootCode.stretches` returned at ``start``, a byte of the disk."""
    for stretch in stretches:
        place = start + stretch.offset
        if isinstance(stretch.source, str):
            canvas.file(place, stretch.length, stretch.source, stretch.digest, stretch.offset)
        elif stretch.digest:
            canvas.content(place, stretch.source)
        else:
            canvas.whole(place, stretch.source)


def _problems(patch: object, where: str, *, elf: bool) -> Iterator[Problem]:
    from doit_diskimg.disk.bootfield import Patch

    if isinstance(patch, Patch):
        yield from patch.problems(where, elf)
    else:
        yield BadValue(
            where, f"{patch!r} is no patch", "must be Patch(offset, format, value)",
            'write for example Patch(0x5c, "<Q", at.lba("stage2"))',
        )


def _moved(extent: Extent, by: int) -> Extent:
    return Extent(extent.start + by, extent.length)


def _sectors(extent: Extent) -> Extent:
    """Return the whole sectors of the disk around some bytes of it."""
    start, end = align_down(extent.start, SECTOR), align_up(extent.end, SECTOR)
    return Extent(start, end - start)
