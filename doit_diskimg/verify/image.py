"""What is on the disk, and the order of the checks.

A disk has a GPT (a header or its backup, for sectors of 512 or 4096 bytes), an MBR, or is one bare
FAT volume.  A boot sector of FAT with a table behind it is both, if its FAT is there.
"""

import dataclasses
from os import PathLike

from doit_diskimg.frozen import dataclass
from doit_diskimg.verify import boot_sector, gpt, mbr, volume
from doit_diskimg.verify.finding import Finding, Findings
from doit_diskimg.verify.partitions import Part
from doit_diskimg.verify.source import Source, Window
from doit_diskimg.verify.volume import Volume

_ESP = "c12a7328-f81f-11d2-ba4b-00a0c93ec93b"
_FAT_GUIDS = frozenset({
    _ESP,
    "ebd0a0a2-b9e5-4433-87c0-68b6b72699c7",  # basic data
    "bc13c2ff-59e6-4262-a352-b275fd6f7172",  # extended boot loader partition
})  # fmt: skip
_FAT_BYTES = {
    0x01: (12,), 0x04: (16,), 0x06: (16,), 0x0E: (16,), 0x0B: (32,), 0x0C: (32,),
    0xEF: (12, 16, 32),
}  # fmt: skip
_MEANS_FAT = 6
_FOREIGN = (b"NTFS    ", b"EXFAT   ")


@dataclass(frozen=True)
class Checked:
    """One FAT volume that was looked at."""

    title: str
    """``partition 1 'esp'``, or empty for a bare volume."""
    number: int
    """Of the partition; 0 for a bare volume."""
    start: int
    found: Findings
    volume: Volume | None


@dataclasses.dataclass
class Report:
    """Everything that was found, and the volumes that could be read."""

    source: Source
    disk: Findings
    table: str = ""
    """``"gpt"``, ``"mbr"`` or empty."""
    sector_size: int = 512
    volumes: list[Checked] = dataclasses.field(default_factory=list)

    def findings(self) -> list[Finding]:
        """Return all findings, the disk's first."""
        return [*self.disk, *(finding for one in self.volumes for finding in one.found)]


def verify(
    path: str | PathLike[str], *, offset: int | None = None, witnesses: bool = True
) -> list[Finding]:
    """Check a disk image, or a bare FAT volume, and return what is wrong with it.

    With ``offset``, only the FAT volume that begins at that byte is checked.  ``witnesses`` asks
    fsck.fat, sgdisk (where they are installed) and pyfatfs about what we find no error in; what
    they complain of is an error then.

    Any file may be given: time and memory are bounded, nothing is written.  Raises WorldError if
    the file can't be read, and ValueError if ``offset`` is outside of it.
    """
    with Source(path) as source:
        return inspect(source, offset=offset, witnesses=witnesses).findings()


def inspect(source: Source, *, offset: int | None = None, witnesses: bool = True) -> Report:
    """Like `verify`, for an image that is open; keeps what was read."""
    report = Report(source, Findings())
    if offset is not None:
        if not 0 <= offset < max(source.length, 1):
            raise ValueError(f"byte {offset} is outside of an image of {source.length} bytes")
        _bare(report, offset)
    elif size := gpt.present(source):
        report.table, report.sector_size = "gpt", size
        parts = gpt.check(source, size, report.disk)
        mbr.check_protective(source, size, parts, report.disk)
        _partitions(report, parts)
    else:
        _first_sector(report)
    if witnesses:
        from doit_diskimg.verify.witnesses import ask

        ask(report)
    return report


def inspect_volume(report: Report, start: int, length: int, name: str) -> Checked:
    """Check the FAT volume that somebody knows to be there, though no table mentions it."""
    found = Findings(repr(name), start)
    window = Window(report.source, start, length)
    checked = volume.check(window, length, {start}, found)
    report.volumes.append(Checked(repr(name), 0, start, found, checked))
    return report.volumes[-1]


def _first_sector(report: Report) -> None:
    """Decide what sector 0 is: a boot sector, a table, both, or nothing that we know."""
    source = report.source
    sector, sectors = source.read(0, 512), source.length // 512
    table = mbr.looks_valid(sector, sectors)
    bare = _is_fat(sector, _MEANS_FAT) and (not table or _has_fat(source, sector))
    if not bare and mbr.signed(sector):
        table = mbr.looks_valid(sector, sectors, faults=1)
    if bare:
        _bare(report, 0)
    elif not table:
        text = "there is neither a partition table nor a FAT volume"
        report.disk.add("unknown", text, at=0, length=min(512, source.length))
    if table:
        report.table = "mbr"
        parts = mbr.check(source, 512, report.disk, bare=bare)
        _partitions(report, [part for part in parts if part.start or not bare])


def _is_fat(sector: bytes, likeness: int) -> bool:
    return sector[3:11] not in _FOREIGN and boot_sector.likeness(sector) >= likeness


def _has_fat(source: Source, sector: bytes) -> bool:
    """Return whether a FAT begins where the boot sector says, or whether it is only a form.

    Boot sectors of disks with a table have such a form too, for BIOSes that want to see one.
    """
    boot = boot_sector.decode(sector)
    return source.read(boot.reserved * boot.sector_size, 1) == bytes([boot.media])


def _bare(report: Report, start: int) -> None:
    found = Findings(base=start)
    room = report.source.length - start
    window = Window(report.source, start, room)
    checked = volume.check(window, room, {start}, found)
    report.volumes.append(Checked("", 0, start, found, checked))


def _partitions(report: Report, parts: list[Part]) -> None:
    for part in parts:
        found = Findings(part.title, part.start)
        window = Window(report.source, part.start, part.length)
        sector = window.read(0, 512)
        fits = _fits(part)
        # What calls itself FAT is held to it, even if half of its boot sector is gone.
        if not _is_fat(sector, 4 if fits else _MEANS_FAT):
            if fits and part.type not in _MAYBE:
                text = f"its type is {part.type}, no FAT volume is there"
                found.add("part-not-fat", text, at=0, length=512)
            report.volumes.append(Checked(part.title, part.number, part.start, found, None))
            continue
        checked = volume.check(window, part.length, {part.start, part.relative}, found)
        if checked and checked.geometry.fat not in fits:
            text = f"its type is {part.type}, the volume is FAT{checked.geometry.fat}"
            report.disk.add("part-type-fat", text, at=part.entry, length=16, path=part.title)
        report.volumes.append(Checked(part.title, part.number, part.start, found, checked))


_MAYBE = _FAT_GUIDS - {_ESP}
"""Types that may be FAT and may be something else."""


def _fits(part: Part) -> tuple[int, ...]:
    """Return the FAT types that go with a partition's type."""
    if len(part.type) == 36:
        return (12, 16, 32) if part.type in _FAT_GUIDS else ()
    return _FAT_BYTES.get(int(part.type, 16), ())
