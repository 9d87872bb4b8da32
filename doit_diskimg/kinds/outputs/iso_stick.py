"""What makes an ISO start from a stick with a BIOS: code in its first sector that finds the rest.

On a stick El Torito is nothing to a BIOS: it runs the first sector, as that of every disk.  Three
loaders have code for that, which finds the rest of them in the ISO:

    GRUB       boot_hybrid.img: loads what lies behind the first 2048 bytes of the boot image,
               whose place xorriso writes at 0x1b0, and into the boot image at 2548
    ISOLINUX   isohdp*.bin: loads the boot image, whose place xorriso writes at 0x1b0
    Limine     the boot sector of its hard disks: stage 2 is a file of the ISO, since the table
               that UEFI needs leaves no room behind the first sector
"""

from collections.abc import Callable, Iterator
from os import PathLike, fspath
from typing import TypeAlias

from doit_diskimg.disk.fields import is_path, shown
from doit_diskimg.disk.model import Disk
from doit_diskimg.disk.sockets import Work
from doit_diskimg.errors import BadValue, DescriptionError, Problem, ProgramFailed, WorldError
from doit_diskimg.frozen import dataclass
from doit_diskimg.kinds.bootloaders.limine import FIELDS, Limine, boot_sector, hdd_of
from doit_diskimg.plan.content import Wanted
from doit_diskimg.plan.recipe import Program, plain
from doit_diskimg.units import SECTOR

GRUB, LIMINE = "grub", "limine"
"""The loaders that are named by a word."""

GRUB_MBR = "/usr/lib/grub/i386-pc/boot_hybrid.img"
"""Where Debian, Fedora and Arch have it."""

STAGE2 = "/limine-stage2.bin"
"""Limine's stage 2 in the ISO."""

_FIELDS_END = 0x1B8
"""Where a disk's signature and table follow."""

CD_SECTOR = 2048

XORRISO = Program("xorriso", "xorriso", ("-version",))

Stick: TypeAlias = "str | PathLike[str] | Limine | None"
"""What a user may write: a word, the path of an MBR, or Limine."""


@dataclass(frozen=True)
class Start:
    """What to tell xorriso, and what to do when it is done."""

    code: tuple[str, ...] = ()
    """The arguments for the first sector."""
    image: tuple[str, ...] = ()
    """Those for the boot image that a BIOS loads from the CD."""
    table: tuple[str, ...] = ("-efi-boot-part", "--efi-boot-image")
    """Those that tell a UEFI where its volume is."""
    files: tuple[tuple[str, str], ...] = ()
    """More files of the ISO: its path there, and on the host."""
    finish: Callable[[Work], None] | None = None


def is_stick(value: object) -> bool:
    """Return whether ``value`` can be what makes an ISO start from a stick."""
    return value is None or is_path(value) or isinstance(value, Limine)


def problems(
    stick: Stick, where: str, disk: Disk, *, bios: str | None, code: object, emulated: bool
) -> Iterator[Problem]:
    """Yield what is wrong with it, beside an ISO's other fields."""
    if stick is None:
        return
    if code is not None:
        yield BadValue(where, "boot_code is given too", "one of them is the first sector",
                       "leave boot_code out")
    limine = _limine(stick, disk)
    if limine is not None:
        yield from limine.own_problems(where)
    elif stick == LIMINE:
        yield BadValue(where, "the disk has no boot=Limine(...)", "must be known where its files "
                       "are", 'write hybrid=Limine("limine"), or boot=Limine("limine") in Disk')
    elif bios is None or emulated:
        yield BadValue(
            where, f"{shown(stick)} is given, and {'no bios' if bios is None else 'emulation'}",
            "the code in the first sector loads the boot image of the CD, as it is",
            "name a boot image in bios" if bios is None else "leave emulation out",
        )


def has_stage2(stick: Stick, disk: Disk) -> bool:
    """Return whether `STAGE2` is a file of the ISO."""
    return _limine(stick, disk) is not None


def _source(stick: Stick, disk: Disk) -> str | None:
    limine = _limine(stick, disk)
    if limine is not None:
        return limine.hdd_path
    if stick is None or isinstance(stick, Limine) or stick == LIMINE:
        return None
    return GRUB_MBR if stick == GRUB else fspath(stick)


def wanted(stick: Stick, where: str, disk: Disk) -> Iterator[Wanted]:
    """Yield the file of the host that the first sector comes from."""
    path = _source(stick, disk)
    if path is not None:
        yield Wanted(f"{where} (Debian's grub-pc-bin has it)" if path == GRUB_MBR else where, path)


def start(stick: Stick, where: str, disk: Disk, work: Work) -> Start:
    """Return how to make the ISO start from a stick."""
    path = _source(stick, disk)
    if path is None:
        return Start()
    data = b"".join(map(bytes, work.read_file(path)))
    limine = _limine(stick, disk)
    if limine is not None:
        return _start_limine(limine, path, data, where, work)
    if b"GRUB " in data[:SECTOR]:
        return Start(("--grub2-mbr", plain(path)), ("-boot-info-table", "--grub2-boot-info"))
    if b"isolinux" in data[:SECTOR]:
        # xorriso makes it no other table; UEFI finds its volume by the entry of the MBR.
        return Start(
            ("-isohybrid-mbr", plain(path)), ("-boot-info-table",), ("-isohybrid-gpt-basdat",)
        )
    raise DescriptionError(BadValue(
        where, f"{path!r} finds no boot image in an ISO", "must be GRUB's boot_hybrid.img or an "
        "isohdp*.bin of ISOLINUX", "name one, or write boot_code=... for code that does without",
    ))


def _limine(stick: object, disk: Disk) -> Limine | None:
    given = disk.boot if stick == LIMINE else stick
    return given if isinstance(given, Limine) else None


def _start_limine(limine: Limine, path: str, data: bytes, where: str, work: Work) -> Start:
    hdd = hdd_of(path, data, where)

    def sector(place: int) -> bytes:
        return boot_sector(hdd, limine.generation, place, path, where)

    def finish(work: Work) -> None:
        """Write the place of stage 2, which xorriso has chosen."""
        work.write(FIELDS, sector(_place(work, STAGE2))[FIELDS:_FIELDS_END])

    return Start(
        ("-G", plain(work.beside("stage1", [sector(0)]))),
        files=((STAGE2, work.beside("stage2", [hdd.stage2])),), finish=finish,
    )


def _place(work: Work, path: str) -> int:
    """Return where the file of an ISO begins, in bytes."""
    said = work.run(
        XORRISO, "-no_rc", "-indev", f"stdio:{plain(work.target)}",
        "-find", path, "-exec", "report_lba", "--",
    )
    for line in said.splitlines():
        words = line.removeprefix("File data lba:").split(",")
        if len(words) > 1 and line.startswith("File data lba:"):
            return int(words[1]) * CD_SECTOR
    raise WorldError(ProgramFailed(
        work.target, f"xorriso does not say where {path!r} is", "it has to be known by the first "
        "sector", "use another version of it",
    ))
