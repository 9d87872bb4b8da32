"""GRUB for PCs with a BIOS, put where ``grub-bios-setup`` puts it.

`boot.img` goes into sector 0 and loads the first sector of `core.img`, which loads the rest of it.
Each has the number of the first sector that it loads, and of nothing else on the disk:

    boot.img   0x5c  8 bytes   first sector of core.img           (GRUB_BOOT_MACHINE_KERNEL_SECTOR)
               0x64  1 byte    drive; 0xff: that which the BIOS names     (..._BOOT_DRIVE)
               0x66  2 bytes   a jump over the check of that drive, no-ops for hard disks
                                                                          (..._DRIVE_CHECK)
    core.img   0x1f4 8 bytes   its second sector                  (boot_blocklist: start,
               0x1fc 2 bytes   how many sectors follow the first   len,
               0x1fe 2 bytes   the segment that they are loaded to  segment)

(GRUB's include/grub/i386/pc/boot.h and grub-core/boot/i386/pc.)  All of core.img is one run of
sectors, so one block list is enough.
"""

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import KW_ONLY
from os import PathLike, fspath
from typing import Any

from doit_diskimg.disk import at
from doit_diskimg.disk.bootcode import KEEP, BootCode
from doit_diskimg.disk.bootfield import Patch
from doit_diskimg.disk.fields import is_path, shown
from doit_diskimg.disk.model import Disk
from doit_diskimg.disk.segment import Segment, Stretch
from doit_diskimg.disk.symbols import Numbers, Symbol
from doit_diskimg.errors import (
    BadValue,
    DescriptionError,
    Problem,
    ProgramMissing,
    SourceMissing,
    WorldError,
)
from doit_diskimg.extent import Extent
from doit_diskimg.frozen import dataclass
from doit_diskimg.kinds.bootloaders import embedding
from doit_diskimg.kinds.bootloaders.grub_image import FORMATS, GrubImage
from doit_diskimg.plan.content import Files
from doit_diskimg.units import SECTOR, ceil_div

_FORMAT = "i386-pc"
_SEGMENT = 0x820
"""Where core.img's second sector is loaded to, the first being at 0x8000."""

_PROBE = range(0x1B8, 0x1FE)
"""Code of boot.img for diskettes, where a hard disk has its signature and partition table."""

BOOT, CORE = "grub", "grub-core"
"""The segments of a disk with GRUB."""

_PREFIX = re.compile(r"\([^,()]*,(gpt|msdos)([0-9]+)\)")


@dataclass(frozen=True, described=True)
class Grub:
    """`GrubBios` without its task: ``Disk(boot=grub)``.

    With an MBR, core.img goes into the gap behind it.  With a GPT it needs a partition of its own,
    ``Partition("bios", grub.core())``.  ``Fat(..., **grub.in_fat())`` is a volume that boots by
    itself.

    ``path`` is where core.img is made, by a task of its own; the fields after it are those of
    `GrubImage`.  Or ``core`` is a core.img that was made elsewhere.  ``directory`` has GRUB's
    files: boot.img is read there in either case.
    """

    path: str | PathLike[str] | None = None
    _: KW_ONLY
    core_image: str | PathLike[str] | None = None
    prefix: str = "/boot/grub"
    modules: Sequence[str] | None = None
    config: str | PathLike[str] | bytes | None = None
    directory: str | PathLike[str] | None = None
    program: str = "grub-mkimage"

    @property
    def image(self) -> GrubImage:
        return GrubImage(
            self._core, format=_FORMAT, prefix=self.prefix, modules=self.modules,
            config=self.config, directory=self.directory, program=self.program,
        )  # fmt: skip

    @property
    def _core(self) -> str | PathLike[str]:
        return self.path or self.core_image or ""

    # Where it boots the disk: `ports.Bootloader` -------------------------------------------------

    def problems(self, where: str, disk: Disk) -> Iterator[Problem]:
        """Yield what is wrong with the description, or with this disk for GRUB."""
        yield from self.own_problems(f"{where}.")
        if disk.sector_size != SECTOR:
            yield BadValue(where, f"the disk's sectors have {disk.sector_size} bytes",
                           "GRUB's boot sector counts in 512", "write sector_size=512")
        yield from embedding.problems(disk, self.core(), where, "GRUB", "grub.core()")
        yield from self._prefix_problems(where, disk)

    def segments(self, disk: Disk) -> Sequence[Segment]:
        """Return boot.img, and core.img unless a partition has it."""
        partition = embedding.holder(disk, self.core())
        if partition is not None:
            return [Segment(BOOT, self._boot(at.lba(partition.name)), 0, keep=KEEP)]
        return [
            Segment(BOOT, self._boot(at.lba(CORE)), 0, keep=KEEP),
            Segment(CORE, core(self._core, at.lba(CORE) + 1), SECTOR),
        ]

    def own_problems(self, where: str) -> Iterator[Problem]:
        """Yield what is wrong with the description itself."""
        if self.path is None and self.core_image is not None and not is_path(self.core_image):
            yield BadValue(f"{where}core_image", f"{shown(self.core_image)} is not a path",
                           "must be a core.img that is there", 'write "build/core.img"')
            return
        if (self.path is None) == (self.core_image is None):
            both = "both path and core_image are" if self.path else "neither path nor core_image is"
            yield BadValue(f"{where}path", f"{both} given", "must be the core.img that is made, or "
                           "one that is there", 'write for example GrubBios("build/core.img")')
            return
        yield from self.image.problems(where)
        for field in ("modules", "config"):
            if self.core_image is not None and getattr(self, field) is not None:
                yield BadValue(f"{where}{field}", f"{shown(getattr(self, field))} is given",
                               "a core_image has what it was made with", f"leave {field} out")

    def _prefix_problems(self, where: str, disk: Disk) -> Iterator[Problem]:
        match = _PREFIX.match(self.prefix) if isinstance(self.prefix, str) else None
        if match is None or disk.table is None:
            return
        kind = "msdos" if embedding.gap_is_free(disk) else "gpt"
        number = int(match[2])
        if match[1] != kind:
            yield BadValue(f"{where}.prefix",
                           f"{shown(self.prefix)} names a partition of another table",
                           f"GRUB calls those of this one {kind}1 and so on", f"write {kind}")
        elif kind == "gpt" and number not in disk.table.numbers(disk):
            yield BadValue(f"{where}.prefix", f"{shown(self.prefix)} names partition {number}",
                           f"the disk has {len(disk.partitions)}", "correct the number")

    # Where it boots otherwise --------------------------------------------------------------------

    def core(self) -> "GrubCore":
        """Return core.img as what fills a BIOS boot partition."""
        return GrubCore(self._core)

    def in_fat(self, sector: int = 8, *, floppy: bool = False) -> dict[str, Any]:
        """Return GRUB as options of a `Fat` that is a whole disk: ``Fat({...}, **grub.in_fat())``.

        core.img lies in the reserved sectors from ``sector`` on; FAT32 has the first 8 for itself.
        The volume is that of a hard disk unless it is a ``floppy``.
        """
        return {
            "boot_sector": self._boot(sector, floppy=floppy, bare=True),
            "reserved": {sector: core(self._core, sector + 1)},
        }

    def _boot(
        self, sector: int | Symbol, *, floppy: bool = False, bare: bool = False
    ) -> "BootImage":
        patches = [Patch(0x5C, "<Q", sector), Patch(0x64, "B", 0xFF)]
        if not floppy:
            patches.append(Patch(0x66, "2s", b"\x90\x90"))
        if bare and not floppy:
            # Some BIOS look for a partition table there, and would find code.
            patches.append(Patch(_PROBE.start, f"{len(_PROBE)}s", bytes(len(_PROBE))))
        return BootImage(f"{self.image.folder}/boot.img", patches=patches)


def core(path: str | PathLike[str], second: int | Symbol) -> "CoreImage":
    """Return a core.img whose second sector is that of the disk."""
    return CoreImage(path, patches=[Patch(0x1F4, "<Q", second)])


@dataclass(frozen=True)
class BootImage(BootCode):
    """GRUB's boot.img, which comes with a package."""

    source: str

    def size(self, files: Files, where: str) -> int:
        try:
            return super().size(files, where)
        except WorldError as error:
            if not any(isinstance(problem, SourceMissing) for problem in error.problems):
                raise
            raise WorldError(ProgramMissing(
                where, f"there is no {self.source!r}", f"GRUB's files for {_FORMAT} must be there",
                f"install them (Debian package {FORMATS[_FORMAT]}), or write directory=...",
            )) from None


@dataclass(frozen=True)
class CoreImage(BootCode):
    """A core.img, one run of sectors."""

    source: str | PathLike[str]

    def stretches(
        self, place: Extent, own: Iterable[Extent], files: Files, numbers: Numbers | None,
        where: str,
    ) -> list[Stretch]:
        """Return its bytes; see `BootCode`.  Raises DescriptionError for another file."""
        path, length = fspath(self.source), min(SECTOR, place.length)
        first = files.read_range(path, 0, length, where)
        count = ceil_div(place.length, SECTOR) - 1
        if first[0x1FC:] != count.to_bytes(2, "little") + _SEGMENT.to_bytes(2, "little"):
            raise DescriptionError(BadValue(
                where, f"{self.source!r} is not a core.img of {count + 1} sectors",
                "must be what grub-mkimage -O i386-pc makes", "name another file",
            ))
        return super().stretches(place, own, files, numbers, where)


@dataclass(frozen=True)
class GrubCore(embedding.SecondPart):
    """A core.img that fills a BIOS boot partition; `Grub.core` makes it."""

    TERM = "core.img"

    def problems(
        self, where: str, size: int | None, sector_size: int = SECTOR
    ) -> Iterator[Problem]:
        if not is_path(self.path):
            yield BadValue(f"{where}.payload", f"{shown(self.path)} is not a path",
                           "must be that of core.img", 'write GrubBios("build/core.img")')

    def length(self, files: Files, where: str) -> int:
        """Return the file's length."""
        return files.size(fspath(self.path), where)

    def code(self, start: int) -> "CoreImage":
        """Return core.img, patched for its place."""
        return core(self.path, start // SECTOR + 1)

    @property
    def _name(self) -> str:
        return shown(fspath(self.path))
