"""From a description, a place and the files of the host to a volume decided to the last number.

The order of work: the fields, the contents, the geometry, the boot sector, the digests.  Problems
are collected on the way and raised once.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from doit_diskimg.errors import (
    BadValue,
    OutsideDisk,
    Problem,
    WorldError,
    refuse,
)
from doit_diskimg.extent import Extent
from doit_diskimg.kinds.filesystems.fat import (
    allocate,
    contents,
    encode,
    engines,
    fat_check,
    fit,
    full,
    own_boot,
    patched,
    reserved,
)
from doit_diskimg.kinds.filesystems.fat.choose import MAX_SECTORS
from doit_diskimg.kinds.filesystems.fat.contents import Contents
from doit_diskimg.kinds.filesystems.fat.encode import Volume
from doit_diskimg.kinds.filesystems.fat.geometry import Geometry
from doit_diskimg.kinds.filesystems.fat.patched import OwnNumbers
from doit_diskimg.ondisk.fat_dirent import Timestamp
from doit_diskimg.ondisk.fat_entries import Run
from doit_diskimg.plan.content import FilePart, Files, parts
from doit_diskimg.plan.picture import Picture

if TYPE_CHECKING:
    from doit_diskimg.disk.ports import Place
    from doit_diskimg.kinds.filesystems.fat.volume import Fat


def geometry(fat: "Fat", size: int | None, files: Files, where: str, sector_size: int) -> Geometry:
    """Return the numbers of the volume in a partition of ``size``, if it has one.

    Raises DescriptionError with everything that is wrong; where the contents decide, also
    WorldError.
    """
    refuse(fat_check.problems(fat, where, size, sector_size=sector_size))
    length = fat_check.length(fat, size)
    if length is not None:
        # Asked for only where it matters: what is written there may need to know the layout.
        area = reserved.gather(fat, files if fat.reserved_sectors is None else None, where)
        refuse([], area.failed)
        found = fat_check.geometry(fat, length, where, parts=area.parts, sector_size=sector_size)
        refuse(reserved.problems(area.parts, found, where))
        return found
    return _automatic(fat, _gather(fat, files, where), files, where, sector_size)


def _automatic(
    fat: "Fat", what: Contents, files: Files, where: str, sector_size: int
) -> Geometry:
    options, least = fat_check.options(fat, what.parts, sector_size), fat_check.minimum(fat)
    free = fat_check.free(fat, automatic=True)
    found = fit.smallest(what, options, free, least, sector_size=sector_size)
    if found is None:
        refuse([_no_size(fat, what, where)])
    assert found is not None
    refuse(
        [
            *reserved.problems(what.parts, found, where),
            *full.problems(fat, what, found, fat_check.free(fat), files, where),
        ]
    )
    return found


def _no_size(fat: "Fat", what: Contents, where: str) -> Problem:
    largest = full.largest(what)
    return BadValue(
        f"{where}.size", f"no size of FAT has room for its files ({largest})",
        "a volume has at most 2 TiB, and FAT12 and FAT16 have few clusters",
        "drop fat, cluster_size and root_entries, or leave files out",
    )


def draw(fat: "Fat", place: "Place", files: Files, where: str) -> Picture:
    """Return the bytes of the volume, and what should be known of it.

    Raises DescriptionError with everything that is wrong, or WorldError if nothing is wrong but
    files of the host are missing.
    """
    decided = volume(fat, place, files, where)
    if fat.engine == engines.NATIVE:
        picture = encode.draw(decided)
        # A time stamp, or a number in boot code, may change with a file and is nowhere in there.
        told = fat.times != "epoch" or any(True for _ in fat.asks(where))
        return replace(picture, outline=None) if told else picture
    return engines.draw(fat.engine, decided, files, where)


def locate(
    fat: "Fat", paths: Sequence[str], place: "Place", files: Files, where: str
) -> dict[str, Extent | str]:
    """Return where files lie on the disk, or why not, in words; see `abilities.Locating`."""
    what, geometry = _decide(fat, place, files, where)
    numbers = OwnNumbers(place, what, geometry, _runs(what, geometry), files)
    return {path: numbers.located(path) for path in paths}


def _decide(
    fat: "Fat", place: "Place", files: Files, where: str
) -> tuple[Contents, Geometry]:
    """Return what goes into the volume at ``place`` and the volume's numbers; see `draw`."""
    size, sector_size = place.extent.length, place.sector_size
    length = size if fat.size == fat_check.AUTO else fat_check.length(fat, size)
    assert length is not None
    given = None if fat.size == fat_check.AUTO else size
    wrong = list(fat_check.problems(fat, where, given, sector_size=sector_size))
    what = _gather(fat, files, where, wrong)
    geometry = fat_check.geometry(fat, length, where, parts=what.parts, sector_size=sector_size)
    refuse(
        [
            *reserved.problems(what.parts, geometry, where),
            *full.problems(fat, what, geometry, fat_check.free(fat), files, where),
            *_place_problems(fat, place, where),
        ]
    )
    return what, geometry


def _runs(what: Contents, geometry: Geometry) -> dict[str, Run]:
    needs = what.needs(geometry)
    return allocate.assign(needs.directories, needs.files, geometry.clusters, needs.first)


def volume(fat: "Fat", place: "Place", files: Files, where: str) -> Volume:
    """Return the volume that ``fat`` becomes at ``place``; see `draw`."""
    what, geometry = _decide(fat, place, files, where)
    runs = _runs(what, geometry)
    numbers = OwnNumbers(place, what, geometry, runs, files)
    sector = own_boot.read(fat, files, where)
    found, failed = digests(what, files, whole=fat.engine != engines.NATIVE)
    refuse([], failed)
    decided = Volume(
        geometry=geometry,
        root=what.root,
        stored=what.stored,
        runs=runs,
        parts=what.parts,
        patched=patched.reserved(what, geometry, place, files, numbers),
        digests=found,
        start=place.extent.start,
        hidden_sectors=_hidden_sectors(fat, place),
        drive_number=_drive_number(fat, place, geometry),
        label=fat.label or "",
        first_entries=sum("/" not in path for path in dict.fromkeys(what.first)),
        volume_id=_volume_id(fat, place),
        time=Timestamp.of(place.epoch),
        times=times(fat, what, files, place.epoch),
        code=own_boot.code(sector, fat.oem_name, geometry.fat, fat.bpb),
        notes=(*_label_notes(fat, where), *what.notes(where)),
    )
    if sector is None:
        return decided
    ours = encode.boot_sector(decided).pack()
    refuse(own_boot.problems(sector, ours, geometry.fat, fat.oem_name, fat.bpb, where))
    sector = patched.boot_sector(fat, sector, geometry, files, numbers, where)
    return replace(decided, code=own_boot.code(sector, fat.oem_name, geometry.fat, fat.bpb))


def _label_notes(fat: "Fat", where: str) -> Iterator[str]:
    label = fat.label or ""
    if label != label.upper():
        yield (
            f"note: {where}.label: {label!r} has lower-case letters, which the standard does not "
            "know, DOS and some firmware don't find it"
        )


def _gather(fat: "Fat", files: Files, where: str, wrong: Iterable[Problem] = ()) -> Contents:
    found = contents.gather(fat, files, where)
    # What is wrong with the reserved area itself is among the fields' problems already.
    refuse(list(dict.fromkeys([*wrong, *found.wrong])), found.failed)
    return found.contents


def digests(
    what: Contents, files: Files, *, whole: bool
) -> tuple[dict[str, Sequence[FilePart]], list[Problem]]:
    """Return the digests of the host's files by their paths, and what failed.

    A ``whole`` file is one part: programs get copies, which are compared as wholes.
    """
    sources: list[tuple[object, int, str]] = []
    sources += [(file.source, file.size, file.where) for file in what.files]
    sources += [(part.source, part.length, part.where) for part in what.parts]
    found: dict[str, Sequence[FilePart]] = {}
    failed: list[Problem] = []
    for source, size, where in sources:
        if not isinstance(source, str) or not size or source in found:
            continue
        try:
            if whole:
                found[source] = [FilePart(0, size, files.digest(source, where))]
            else:
                found[source] = parts(files, source, size, where)
        except WorldError as error:
            failed += error.problems
    return found, failed


def times(fat: "Fat", what: Contents, files: Files, epoch: int) -> dict[str, Timestamp]:
    """Return the time stamps of the host's files, if they are wanted; bytes have none.

    Those that are ``"clamped"`` are ``epoch`` at the latest.
    """
    if fat.times == "epoch":
        return {}
    latest = epoch if fat.times == "clamped" else float("inf")
    return {
        file.path: Timestamp.of(int(min(files.mtime(file.source, file.where), latest)))
        for file in what.files
        if isinstance(file.source, str)
    }


def _hidden_sectors(fat: "Fat", place: "Place") -> int:
    if fat.hidden_sectors is not None:
        return fat.hidden_sectors
    return 0 if place.bare else place.extent.start // place.sector_size


def _place_problems(fat: "Fat", place: "Place", where: str) -> Iterator[Problem]:
    hidden = _hidden_sectors(fat, place)
    if hidden > MAX_SECTORS:
        yield OutsideDisk(
            f"{where}.hidden_sectors", f"{hidden:,} sectors lie before the volume",
            f"its boot sector counts at most {MAX_SECTORS:,}",
            "write hidden_sectors=0, which only loaders of a BIOS mind, or place it lower",
        )


def _drive_number(fat: "Fat", place: "Place", geometry: Geometry) -> int:
    if fat.drive_number is not None:
        return fat.drive_number
    return 0x00 if place.bare and geometry.floppy else 0x80


def _volume_id(fat: "Fat", place: "Place") -> int:
    if fat.volume_id is None:
        return place.identity.int & 0xFFFFFFFF
    return fat_check.volume_id(fat.volume_id)
