"""What is on the disk, and the order of the checks.

A disk has a GPT (a header or its backup, for sectors of 512 or 4096 bytes), an MBR, or is one bare
FAT volume.  A boot sector of FAT may have the form of a table in it, as mformat writes it; that is
a table if it has a partition behind the volume.
"""

import dataclasses
from collections.abc import Mapping, Sequence
from os import PathLike
from typing import NamedTuple

from doit_diskimg.errors import HostFailed, WorldError
from doit_diskimg.verify import gpt_reader, mbr_reader, volume_reader
from doit_diskimg.verify.boot_sector import means_fat
from doit_diskimg.verify.finding import Finding, Findings
from doit_diskimg.verify.mbr_reader import sector_zero
from doit_diskimg.verify.partitions import FoundPartition
from doit_diskimg.verify.source import Budget, Source, Window
from doit_diskimg.verify.volume_reader import CheckedVolume
from doit_diskimg.verify.witnesses import ask_witnesses

_ESP = "c12a7328-f81f-11d2-ba4b-00a0c93ec93b"
_FAT_GUIDS = frozenset({
    _ESP,
    "ebd0a0a2-b9e5-4433-87c0-68b6b72699c7",  # basic data
    "bc13c2ff-59e6-4262-a352-b275fd6f7172",  # extended boot loader partition
})  # fmt: skip
_FAT_BYTES = {
    0x01: (12,), 0x04: (16,), 0x06: (16,), 0x0E: (16,), 0x0B: (32,), 0x0C: (32,),
    0xEF: (12, 16, 32),
    # The same, hidden by boot managers and OEMs: 0x10 more.
    0x11: (12,), 0x14: (16,), 0x16: (16,), 0x1E: (16,), 0x1B: (32,), 0x1C: (32,),
}  # fmt: skip


class Known(NamedTuple):
    """A FAT volume that a description has: it is checked, whatever its boot sector looks like."""

    name: str
    start: int
    length: int


@dataclasses.dataclass
class Report:
    """Everything that was found, and the volumes that could be read."""

    source: Source
    disk: Findings
    table: str = ""
    """``"gpt"``, ``"mbr"`` or empty."""
    sector_size: int = 512
    volumes: list[CheckedVolume] = dataclasses.field(default_factory=list)
    budget: Budget = dataclasses.field(default_factory=Budget)
    """Of all volumes together."""

    def findings(self) -> list[Finding]:
        """Return all findings, the disk's first."""
        return [*self.disk, *(finding for one in self.volumes for finding in one.found)]


def verify_image(
    path: str | PathLike[str], *, offset: int | None = None, witnesses: bool = True
) -> list[Finding]:
    """Check a disk image, or a bare FAT volume, and return what is wrong with it.

    With ``offset``, only the FAT volume that begins at that byte is checked.  ``witnesses`` asks
    fsck.fat, sgdisk (where they are installed) and pyfatfs about what we find no error in; what
    they complain of is a warning.

    Any file may be given: time and memory are bounded, nothing is written.  Raises WorldError if
    the file can't be read, and ValueError if ``offset`` is outside of it.
    """
    with Source(path) as source:
        return inspect(source, offset=offset, witnesses=witnesses).findings()


def inspect(
    source: Source, *, offset: int | None = None, witnesses: bool = True,
    known: Sequence[Known] = (),
) -> Report:
    """Like `verify_image`, for an image that is open; keeps what was read.

    ``known`` is what the image's description says; without one the image must say it itself.
    Raises WorldError too if there is not enough memory: what was found by then says nothing.
    """
    try:
        return _inspect(source, offset, witnesses, known)
    except MemoryError as error:
        must = "verify needs some 300 MiB at most"
        change = "run it with more memory, or with --alone"
        raise WorldError(
            HostFailed(source.path, "not enough memory to read it", must, change)
        ) from error


def _inspect(
    source: Source, offset: int | None, witnesses: bool, known: Sequence[Known]
) -> Report:
    report = Report(source, Findings())
    if offset is not None:
        if not 0 <= offset < max(source.length, 1):
            raise ValueError(f"byte {offset} is outside of an image of {source.length} bytes")
        _bare(report, offset)
    else:
        volumes = {one.start: one for one in known}
        _disk(report, volumes)
        read = {one.start for one in report.volumes if one.looked}
        for one in volumes.values():  # that no table mentions
            if one.start not in read:
                _volume(report, repr(one.name), 0, Window(source, one.start, one.length))
    if witnesses:
        gpt = report.table == "gpt" and report.sector_size == 512  # all that sgdisk reads
        ask_witnesses(source, report.disk, report.volumes, gpt=gpt)
    return report


def _disk(report: Report, known: Mapping[int, Known]) -> None:
    """Find out what is on the disk and check it."""
    source = report.source
    if size := gpt_reader.present(source):
        report.table, report.sector_size = "gpt", size
        parts = gpt_reader.check(source, size, report.disk)
        mbr_reader.check_protective(source, size, parts, report.disk)
        _partitions(report, parts, known)
        return
    bare, table = sector_zero(source)
    if bare:
        _bare(report, 0)
    if table:
        report.table = "mbr"
        report.sector_size = mbr_reader.sector_size(source)
        parts = mbr_reader.check(source, report.sector_size, report.disk, bare=bare)
        _partitions(report, [part for part in parts if part.start or not bare], known)
    elif not bare:
        text = "neither a partition table nor a FAT volume is there: nothing was checked"
        report.disk.add("unknown", text, at=0, length=min(512, source.length))


def _bare(report: Report, start: int) -> None:
    _volume(report, "", 0, Window(report.source, start, report.source.length - start))


def _volume(report: Report, title: str, number: int, window: Window) -> None:
    """Check a volume that no partition's table knows."""
    found = Findings(title, window.start, report.disk.kept)
    checked = volume_reader.check(window, window.room, {window.start}, found, report.budget)
    report.volumes.append(CheckedVolume(title, number, window.start, found, checked, looked=True))


def _partitions(report: Report, parts: list[FoundPartition], known: Mapping[int, Known]) -> None:
    if not parts:
        report.disk.add("part-none", "the table has no partitions")
    starts = set[int]()
    for index, part in enumerate(parts):
        if report.budget.spent:
            text = f"{len(parts) - index:,} partitions were not looked at: {report.budget.spent}"
            report.disk.add("limit", text)
            return
        if part.start not in starts:  # those that overlap were reported, one is read
            _partition(report, part, part.start in known)
        starts.add(part.start)


def _partition(report: Report, part: FoundPartition, known: bool) -> None:
    found = Findings(part.title, part.start, report.disk.kept)
    window = Window(report.source, part.start, part.length)
    fits, checked = _fits(part), None
    certain = bool(fits) and part.type not in _MAYBE
    looked = known or means_fat(window.read(0, 512), expected=certain)
    if looked:
        hidden = {part.start, part.relative}
        checked = volume_reader.check(window, part.length, hidden, found, report.budget)
    elif certain:
        text = f"no FAT volume is there, its type is {part.type}"
        found.add("part-not-fat", text, at=0, length=512)
    if checked and checked.geometry.fat not in fits:
        text = f"its type is {part.type}, the volume is FAT{checked.geometry.fat}"
        report.disk.add("part-type-fat", text, at=part.entry, length=16, path=part.title)
    report.volumes.append(
        CheckedVolume(part.title, part.number, part.start, found, checked, looked)
    )


_MAYBE = _FAT_GUIDS - {_ESP}
"""Types that may be FAT and may be something else."""


def _fits(part: FoundPartition) -> tuple[int, ...]:
    """Return the FAT types that go with a partition's type."""
    if len(part.type) == 36:
        return (12, 16, 32) if part.type in _FAT_GUIDS else ()
    return _FAT_BYTES.get(int(part.type, 16), ())
