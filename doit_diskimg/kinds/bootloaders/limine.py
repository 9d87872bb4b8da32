"""Limine for PCs with a BIOS, put where ``limine bios-install`` puts it.

Its file for hard disks is a boot sector, which goes into sector 0, and a stage 2.  The boot sector
has the place of stage 2 in bytes from the beginning of the disk, in one of two ways, which we call
generations:

    8, up to 8.x   0x1a4  2 bytes  size of the first half, the larger: whole sectors, in bytes
                   0x1a6  2 bytes  size of the second half
                   0x1a8  8 bytes  place of the first half
                   0x1b0  8 bytes  place of the second half: right behind the first, for us
    9, later       0x1a4  8 bytes  place of stage 2, of which it always reads 63 sectors

(Limine's stage1/hdd/bootsect.asm and host/limine.c.)  Which it is shows in its code: it loads the
address of the first place, 0x7da8 or 0x7da4, into a register.
"""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import KW_ONLY
from os import PathLike, fspath
from struct import pack
from typing import Literal, NamedTuple

from doit_diskimg.disk import at
from doit_diskimg.disk.bootcode import KEEP, BootCode
from doit_diskimg.disk.fields import is_path, shown
from doit_diskimg.disk.model import Disk
from doit_diskimg.disk.segment import Segment, Stretch
from doit_diskimg.disk.symbols import Numbers, Symbol
from doit_diskimg.errors import (
    BadValue,
    ContentTooLarge,
    DescriptionError,
    Problem,
    SourceMissing,
    TooSmall,
    WorldError,
    refuse,
)
from doit_diskimg.extent import Extent
from doit_diskimg.frozen import dataclass
from doit_diskimg.kinds.bootloaders import embedding
from doit_diskimg.plan.content import Files, digest_of
from doit_diskimg.units import KIB, SECTOR, ceil_div

BOOT, STAGE2 = "limine", "limine-stage2"
"""The segments of a disk with Limine."""

_FIRST_PARTITION = 63 * SECTOR
"""No partition begins earlier on a disk that Limine takes for one with an MBR."""

_LEAST_PARTITION = 32 * KIB


@dataclass(frozen=True, described=True)
class Limine:
    """Limine for a BIOS: ``Disk(boot=limine)``, and its files for `Fat` or `Esp`.

    With an MBR, stage 2 goes into the gap behind it.  With a GPT it needs a partition of its own,
    ``Partition("bios", limine.stage2())``.

    ``folder`` has the files of one release of Limine's, ``hdd`` is the name of the one for hard
    disks: ``limine-bios-hdd.h`` in releases, ``limine-bios-hdd.bin`` where Limine was built.
    ``generation`` is 8 for a boot sector of Limine 8.x and before, 9 for a later one; the boot
    sector's code tells, unless it was changed.
    """

    folder: str | PathLike[str]
    _: KW_ONLY
    hdd: str = "limine-bios-hdd.h"
    generation: Literal[8, 9] | None = None

    @property
    def hdd_path(self) -> str:
        """The file for hard disks."""
        return f"{self._folder}/{self.hdd}"

    @property
    def _folder(self) -> str:
        return fspath(self.folder) if is_path(self.folder) else str(self.folder)

    # Where it boots the disk: `ports.Bootloader` -------------------------------------------------

    def problems(self, where: str, disk: Disk) -> Iterator[Problem]:
        """Yield what is wrong with the description, or with this disk for Limine."""
        yield from self.own_problems(where)
        if is_path(self.folder):
            yield from embedding.problems(disk, self.stage2(), where, "Limine", "limine.stage2()")
            if disk.table is not None and embedding.gap_is_free(disk):
                yield from _active_problems(disk)

    def own_problems(self, where: str) -> Iterator[Problem]:
        """Yield what is wrong with the description itself."""
        if not is_path(self.folder):
            yield BadValue(f"{where}.folder", f"{shown(self.folder)} is not a path",
                           "must be the folder with Limine's files", 'write for example "limine"')
            return
        if not isinstance(self.hdd, str) or not self.hdd:
            yield BadValue(f"{where}.hdd", f"{shown(self.hdd)} is not a name",
                           "must be that of a file in the folder", "leave it out for a release's")
        if self.generation not in (None, *MOST):
            yield BadValue(f"{where}.generation", f"{shown(self.generation)} is unknown",
                           "must be 8, or 9 for all that came later", "leave it out")

    def segments(self, disk: Disk) -> Sequence[Segment]:
        """Return the boot sector, and stage 2 unless a partition has it."""
        partition = embedding.holder(disk, self.stage2())
        if partition is not None:
            stage1 = Stage1(self.hdd_path, generation=self.generation, stage2=partition.name)
            return [Segment(BOOT, stage1, 0, keep=KEEP)]
        names = tuple(part.name for part in disk.partitions if part.in_table)
        stage1 = Stage1(
            self.hdd_path, generation=self.generation, stage2=STAGE2, partitions=names
        )
        return [
            Segment(BOOT, stage1, 0, keep=KEEP),
            Segment(STAGE2, Stage2(self.hdd_path), SECTOR),
        ]

    # What else of it a disk has ------------------------------------------------------------------

    def stage2(self) -> "LimineStage2":
        """Return stage 2 as what fills a BIOS boot partition."""
        return LimineStage2(self.hdd_path)

    def files(self, *efi: str) -> Mapping[str, str]:
        """Return the files that Limine needs in a FAT volume, for ``Fat({**limine.files(), ...})``.

        Stage 2 looks for ``limine-bios.sys``; ``efi`` are names of loaders for UEFI, such as
        ``"BOOTX64.EFI"``.  Its configuration, ``limine.conf``, is yours.
        """
        folder = self._folder
        paths = {"boot/limine/limine-bios.sys": f"{folder}/limine-bios.sys"}
        return {**paths, **{f"EFI/BOOT/{name}": f"{folder}/{name}" for name in efi}}


def _active_problems(disk: Disk) -> Iterator[Problem]:
    if disk.partitions and not any(part.active for part in disk.partitions):
        yield BadValue(
            "partitions", "none is active", "some BIOS boot no disk without one, and limine "
            "bios-install makes the first one so", "write active=True for the first",
        )


# The parts as sources of segments ----------------------------------------------------------------


@dataclass(frozen=True)
class Stage1(BootCode):
    """Limine's boot sector, which finds its stage 2 at the beginning of a part of the disk.

    ``partitions`` are the names of those that must begin late enough.
    """

    _: KW_ONLY
    generation: int | None = None
    stage2: str = STAGE2
    partitions: tuple[str, ...] = ()

    def asks(self, where: str) -> Iterator[tuple[str, Symbol]]:
        yield from ((where, at.start(name)) for name in (self.stage2, *self.partitions))

    def size(self, files: Files, where: str) -> int:
        return SECTOR

    def stretches(
        self, place: Extent, own: Iterable[Extent], files: Files, numbers: Numbers | None,
        where: str,
    ) -> list[Stretch]:
        assert numbers is not None
        hdd = read(str(self.source), files, where)
        refuse([*self._late_problems(numbers, where)])
        second = numbers.extent(self.stage2, where).start
        code = boot_sector(hdd, self.generation, second, str(self.source), where)
        parts = [Extent(extent.start - place.start, extent.length) for extent in own]
        return [Stretch(*part, code[part.start : part.end], "") for part in parts]

    def _late_problems(self, numbers: Numbers, where: str) -> Iterator[Problem]:
        for name in self.partitions:
            first = numbers.extent(name, where).start
            if first < _FIRST_PARTITION:
                yield BadValue(
                    where, f"partition {name!r} begins in sector {first // SECTOR}", "Limine takes "
                    "a disk with one before sector 63 for one without a table",
                    "leave start out, and align",
                )


@dataclass(frozen=True)
class Stage2(BootCode):
    """Limine's stage 2."""

    def size(self, files: Files, where: str) -> int:
        return len(read(str(self.source), files, where).stage2)

    def stretches(
        self, place: Extent, own: Iterable[Extent], files: Files, numbers: Numbers | None,
        where: str,
    ) -> list[Stretch]:
        data = read(str(self.source), files, where).stage2
        return [Stretch(0, len(data), data, digest_of(data))]


@dataclass(frozen=True)
class LimineStage2(embedding.SecondPart):
    """Limine's stage 2 as what fills a BIOS boot partition; `Limine.stage2` makes it."""

    TERM = "stage 2"

    def problems(
        self, where: str, size: int | None, sector_size: int = SECTOR
    ) -> Iterator[Problem]:
        if size is not None and size < _LEAST_PARTITION:
            yield TooSmall(
                f"{where}.size", f"{size:,} bytes for Limine's stage 2",
                "its boot sector reads 32 KiB", 'leave size out, or write "1MiB"',
            )

    def length(self, files: Files, where: str) -> int:
        """Return the length of what follows the boot sector in Limine's file."""
        return self.code(0).size(files, where)

    def code(self, start: int) -> "Stage2":
        """Return stage 2, which is the same everywhere."""
        return Stage2(self.path)


# Limine's file for hard disks --------------------------------------------------------------------


FIELDS = 0x1A4
"""Where the boot sector has the place of stage 2."""

TIME = slice(218, 224)
"""Where systems of Microsoft's may note the time; ``limine bios-install`` leaves it as it is."""

MOST = {8: 0xFFFF // SECTOR * SECTOR * 2, 9: 63 * SECTOR}
"""Generation -> bytes of a stage 2 that its boot sector can load."""

_CODE = {8: b"\xbf\xa8\x7d", 9: b"\xbf\xa4\x7d"}
"""Generation -> ``mov di`` with the address of the first place."""

_ARRAY = re.compile(rb"\{([^{}]*)\}")


class Hdd(NamedTuple):
    """The two parts of Limine's file for hard disks."""

    stage1: bytes
    stage2: bytes


def read(path: str, files: Files, where: str) -> Hdd:
    """Return what is in a ``limine-bios-hdd.bin`` or ``.h``.

    Raises WorldError, and DescriptionError if it is a different kind of file.
    """
    try:
        data = files.read(path, where)
    except WorldError as error:
        if not any(isinstance(problem, SourceMissing) for problem in error.problems):
            raise
        raise WorldError(SourceMissing(
            where, f"{path!r} does not exist", "must be in the folder of a release of Limine's",
            "correct the folder, or write hdd=... for the name of the file",
        )) from None
    return hdd_of(path, data, where)


def hdd_of(path: str, data: bytes, where: str) -> Hdd:
    """Return the two parts of what is in the file of that name.  Raises DescriptionError."""
    if path.endswith(".h"):
        data = _from_header(data)
    if len(data) <= SECTOR or data[510:SECTOR] != b"\x55\xaa":
        raise DescriptionError(BadValue(
            where, f"{path!r} is not a boot sector with a stage 2", "must be Limine's "
            "limine-bios-hdd.bin, or the C header of it", "write hdd=... for the name of that file",
        ))
    return Hdd(data[:SECTOR], data[SECTOR:])


def _from_header(text: bytes) -> bytes:
    """Return the bytes of the array in a C header, none if there is none."""
    match = _ARRAY.search(text)
    try:
        words = match[1].split(b",") if match is not None else []
        return bytes(int(word, 0) for word in words if word.strip())
    except ValueError:
        return b""


def generation_of(stage1: bytes) -> int | None:
    """Return which of the two ways a boot sector knows its stage 2 by, None if it does not show."""
    found = [generation for generation, code in _CODE.items() if code in stage1]
    return found[0] if len(found) == 1 else None


def boot_sector(hdd: Hdd, generation: int | None, place: int, path: str, where: str) -> bytes:
    """Return the boot sector that finds its stage 2 in the byte of the disk at ``place``.

    Raises DescriptionError.
    """
    generation = generation or generation_of(hdd.stage1)
    if generation is None:
        raise DescriptionError(BadValue(
            where, f"{path!r} does not show where its boot sector finds stage 2",
            "must be the file of a release of Limine's", "write generation=8 for Limine 8.x "
            "and before, 9 for a later one",
        ))
    length, most = len(hdd.stage2), MOST[generation]
    if length > most:
        raise DescriptionError(ContentTooLarge(
            where, f"the stage 2 of {path!r} has {length:,} bytes",
            f"its boot sector loads {most:,}", "take a release as it is",
        ))
    code = bytearray(hdd.stage1)
    code[TIME] = bytes(6)
    found = fields(generation, length, place)
    code[FIELDS : FIELDS + len(found)] = found
    return bytes(code)


def fields(generation: int, length: int, place: int) -> bytes:
    """Return what the boot sector has in `FIELDS` for a stage 2 of that length at that place."""
    if generation != 8:
        return pack("<Q", place)
    count = ceil_div(length, SECTOR)
    first, second = ceil_div(count, 2) * SECTOR, count // 2 * SECTOR
    return pack("<HHQQ", first, second, place, place + first)
