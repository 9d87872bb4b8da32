"""A CD that boots, and that boots as a disk too: ISO 9660 with El Torito, by xorriso."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import KW_ONLY, field
from os import PathLike, fspath
from typing import ClassVar, Literal
from uuid import uuid5

from doit_diskimg.disk.fields import YES_OR_NO, Kind, is_number, is_path, kind_problems
from doit_diskimg.disk.identity import disk_guid
from doit_diskimg.disk.model import Disk
from doit_diskimg.disk.sockets import Work
from doit_diskimg.errors import (
    BadPath,
    BadValue,
    DescriptionError,
    DuplicatePath,
    Problem,
    refuse,
)
from doit_diskimg.frozen import dataclass
from doit_diskimg.kinds.filesystems.tree import Directory, FileNode, Rules, gather, key_path
from doit_diskimg.kinds.outputs import iso_stick
from doit_diskimg.kinds.outputs.iso_stick import CD_SECTOR, XORRISO, Start, Stick
from doit_diskimg.kinds.outputs.output_file import OutputFile, unknown
from doit_diskimg.plan.content import Sources, Wanted, wanted_files
from doit_diskimg.plan.recipe import Program, plain
from doit_diskimg.units import KIB

_DISKETTES = (1200 * KIB, 1440 * KIB, 2880 * KIB)
"""What El Torito can emulate."""

_LOADED = 0xA0000 - 0x7C00
"""Bytes from where a BIOS loads a boot image to the end of the memory that it can load to."""

_EFI = "/efi.img"
# A file of the ISO, and not a partition behind it: El Torito counts its sectors in 16 bits, and of
# a longer one (32 MiB) UEFI takes what is left of the volume, which ends before the partitions.

def _is_text(value: object) -> bool:
    return isinstance(value, str)


def _is_source(value: object) -> bool:
    return value is None or isinstance(value, bytes) or is_path(value)


_RULES = Rules("an ISO", lambda path, name: None)

_KINDS = {
    "files": Kind(
        lambda value: isinstance(value, Mapping) and all(map(_is_text, value)),
        "must map paths in the ISO to sources", 'write {"boot/kernel.elf": "build/kernel.elf"}',
    ),
    "efi": Kind(
        lambda value: value is None or _is_text(value), "must be the name of a partition",
        'write for example "esp"',
    ),
    "bios": Kind(
        lambda value: value is None or _is_text(value), "must be the path of one of the files",
        "write the key that it has in files",
    ),
    "load_size": Kind(
        lambda value: is_number(value) or value == "full", 'must be a number of bytes, or "full"',
        f"leave it out for {CD_SECTOR}",
    ),
    "boot_info_table": YES_OR_NO,
    "emulation": Kind(
        lambda value: value in (None, "floppy"), 'must be "floppy"', "leave it out for none"
    ),
    "hybrid": Kind(
        iso_stick.is_stick, 'must be "grub", "limine", a Limine(...) or the path of an MBR',
        "leave it out if it need not start from a stick",
    ),
    "boot_code": Kind(_is_source, "must be the path of a file, or bytes", "change it"),
    "label": Kind(_is_text, "must be text", 'write for example "MYOS"'),
}


@dataclass(frozen=True, described=True)
class Iso(OutputFile):
    """An ISO 9660 image with Rock Ridge names.

    * ``files`` is what is in it: paths to sources, as in `Fat`.
    * ``efi`` names a FAT partition of the disk that UEFI boots from.  It becomes ``efi.img`` in
      the ISO, is El Torito's UEFI entry, and is an EFI system partition in the ISO's own GPT, so
      that it boots from a stick as well.
    * ``bios`` is the path, among ``files``, of the boot image that a BIOS loads from the CD: its
      first ``load_size`` bytes to 0x7C00, or all of it (``"full"``).  ``boot_info_table`` says
      whether it has room for the table of 56 bytes at 8 that GRUB and Limine read.  With
      ``emulation="floppy"`` it is a diskette of 1.2, 1.44 or 2.88 MB, which is drive A then.
    * ``hybrid`` makes it start from a stick with a BIOS: ``"grub"``, ``"limine"`` for the Limine
      that boots the disk, another ``Limine(...)``, or the path of an MBR of GRUB or ISOLINUX.
    * ``boot_code`` is up to 32 KiB for the very beginning in place of that, whose first 440 bytes
      a BIOS runs when the image is on a stick.
    * ``label`` is the volume id, up to 32 of ``A-Z``, ``0-9`` and ``_``.
    """

    _: KW_ONLY
    files: Mapping[str, Sources] = field(default_factory=dict)
    efi: str | None = None
    bios: str | None = None
    load_size: int | Literal["full"] = CD_SECTOR
    boot_info_table: bool = False
    emulation: Literal["floppy"] | None = None
    hybrid: Stick = None
    boot_code: str | PathLike[str] | bytes | None = None
    label: str = "BOOT"

    KIND: ClassVar[str] = "iso"
    programs: ClassVar[Sequence[Program]] = (XORRISO,)

    def problems(self, where: str, disk: Disk) -> Iterator[Problem]:
        kinds = list(kind_problems(self, f"{where}.", _KINDS))
        yield from kinds
        if not kinds:
            yield from self._problems(where, disk)

    def _problems(self, where: str, disk: Disk) -> Iterator[Problem]:
        if self.efi is not None:
            yield from unknown(f"{where}.efi", self.efi, disk)
        if self.bios is not None and _absolute(self.bios) not in map(_absolute, self.files):
            yield BadValue(
                f"{where}.bios", f"{self.bios!r} is not one of the files",
                "must be the path in the ISO of one of them", "add it to files",
            )
        yield from self._load_problems(f"{where}.load_size")
        yield from iso_stick.problems(
            self.hybrid, f"{where}.hybrid", disk, bios=self.bios, code=self.boot_code,
            emulated=self.emulation is not None,
        )
        known = set("ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_")
        if not 0 < len(self.label) <= 32 or not known.issuperset(self.label):
            yield BadValue(
                f"{where}.label", f"{self.label!r} is not a volume id",
                "must be 1 to 32 of A-Z, 0-9 and _", 'write for example "MYOS"',
            )
        gathered = gather(self.files, where, _RULES)
        yield from [*gathered.wrong, *self._name_problems(gathered.root, disk)]
        for path in self.files:
            if ".." in path.split("/") or not path.isprintable():
                yield BadPath(
                    f"{where}.files[{path!r}]", "it can't be stored",
                    "must be a path of printable names", "rename it",
                )

    def _load_problems(self, where: str) -> Iterator[Problem]:
        size = self.load_size
        if size != "full" and (not 0 < size <= _LOADED or size % 512):
            yield BadValue(
                where, f"it is {size!r}",
                f"must be a multiple of 512 bytes, {_LOADED:,} at the most",
                f"leave it out for {CD_SECTOR}",
            )
        if size != CD_SECTOR and self.emulation is not None:
            yield BadValue(
                where, f"it is {size!r}", "of a diskette a BIOS loads the first sector",
                "leave it out",
            )

    def _name_problems(self, root: Directory, disk: Disk) -> Iterator[Problem]:
        ours = {_EFI: "UEFI's volume"} if self.efi is not None else {}
        if iso_stick.has_stage2(self.hybrid, disk):
            ours[iso_stick.STAGE2] = "Limine's stage 2"
        for node in root.children.values():
            if what := ours.get(f"/{node.name}".lower()):
                yield DuplicatePath(
                    node.where, f"it is the name of {what} too",
                    "every file needs a different path", "rename it",
                )

    def sources(self, where: str, disk: Disk) -> Iterator[Wanted]:
        yield from wanted_files(self.files, where)
        if self.boot_code is not None and not isinstance(self.boot_code, bytes):
            yield Wanted(f"{where}.boot_code", self.boot_code)
        yield from iso_stick.wanted(self.hybrid, f"{where}.hybrid", disk)

    def make(self, disk: Disk, work: Work, where: str) -> str | None:
        start = iso_stick.start(self.hybrid, f"{where}.hybrid", disk, work)
        grafts = {**dict(self._grafts(disk, work, where)), **dict(start.files)}
        self._check_image(grafts, work, where)
        names = "".join(f"{_graft(path, grafts[path])}\n" for path in sorted(grafts))
        listing = work.beside("files", [names.encode("utf-8", "surrogateescape")])
        arguments = ["-no_rc", "-as", "mkisofs", "-quiet", "-o", plain(work.target)]
        # Rock Ridge with root's ids and a neutral umask; what a link leads to; Joliet for Windows.
        arguments += ["-V", self.label, "-r", "-f", "-J", "-joliet-long"]
        # By itself xorriso takes SOURCE_DATE_EPOCH for the volume, but the files' own for files.
        arguments += ["--set_all_file_dates", f"={work.epoch}"]
        arguments += self._boot(disk, work, start)
        work.run(XORRISO, *arguments, "-graft-points", "--quoted_path_list", plain(listing))
        if start.finish is not None:
            start.finish(work)
        return None

    def _check_image(self, grafts: Mapping[str, str], work: Work, where: str) -> None:
        """Raise DescriptionError if the boot image has a size that El Torito can't say."""
        if self.bios is None or (self.emulation is None and self.load_size != "full"):
            return
        length = sum(map(len, work.read_file(grafts[_absolute(self.bios)])))
        found = f"{self.bios!r} has {length:,} bytes"
        if self.emulation is not None and length not in _DISKETTES:
            raise DescriptionError(BadValue(
                f"{where}.bios", found, "must be a diskette of 1.2, 1.44 or 2.88 MB, that is "
                f"{' or '.join(f'{size:,}' for size in _DISKETTES)} bytes",
                "give it one of these sizes",
            ))
        if self.emulation is None and length > _LOADED:
            raise DescriptionError(BadValue(
                f"{where}.load_size", found, f"there is room for {_LOADED:,} where a BIOS loads it",
                "load a part of it",
            ))

    def _boot(self, disk: Disk, work: Work, start: Start) -> Iterator[str]:
        """Yield the arguments that make it boot."""
        code = [*start.code]
        if isinstance(self.boot_code, bytes):
            code = ["-G", plain(work.beside("code", [self.boot_code]))]
        elif self.boot_code is not None:
            code = ["-G", plain(fspath(self.boot_code))]
        yield from code
        if code and self.efi is None and "-isohybrid-mbr" not in code:
            yield "--protective-msdos-label"  # a GPT brings one of its own; BIOSes want the 55 AA
        if self.bios is not None:
            yield from self._bios(start)
        if self.efi is not None:
            if self.bios is not None:
                yield "-eltorito-alt-boot"
            yield from ("-e", _EFI, "-no-emul-boot", *start.table)
            yield from ("--gpt_disk_guid", str(uuid5(disk_guid(disk), "iso")))

    def _bios(self, start: Start) -> Iterator[str]:
        """Yield the arguments for the boot image that a BIOS loads."""
        assert self.bios is not None
        yield from ("-b", _absolute(self.bios))
        if self.emulation is None:
            size = self.load_size if self.load_size == "full" else str(self.load_size // 512)
            yield from ("-no-emul-boot", "-boot-load-size", size)
        if self.boot_info_table and "-boot-info-table" not in start.image:
            yield "-boot-info-table"
        yield from start.image

    def _grafts(self, disk: Disk, work: Work, where: str) -> Iterator[tuple[str, str]]:
        """Yield each file's path in the ISO and on the host."""
        if self.efi is not None:
            yield _EFI, work.beside("efi", work.read(work.extent(self.efi)))
        root, wrong, failed = gather(self.files, where, _RULES, work.entries)
        refuse([*wrong, *self._name_problems(root, disk)], failed)
        for number, node in enumerate(root.everything()):
            if not isinstance(node, FileNode):
                continue
            if isinstance(node.source, bytes):
                yield f"/{node.path}", work.beside(f"inline{number}", [node.source])
            else:
                yield f"/{node.path}", node.source


def _absolute(path: str) -> str:
    return f"/{key_path(path)}"


def _graft(path: str, source: str) -> str:
    """Return a graft point as one word of xorriso's quoted input.

    In single quotes it takes every byte as it is, a newline too; nothing stands for a single quote,
    so that one is put between two words without a space, which are one.
    """
    pair = "=".join(text.replace("\\", "\\\\").replace("=", "\\=") for text in (path, source))
    return "'" + pair.replace("'", "'\"'\"'") + "'"
