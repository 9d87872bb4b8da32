"""How large a volume is, what stays free in it, and why files do not fit.

**The size of a volume without one** is the smallest that holds its files, leaves
``free`` free and has up to an eighth to spare for files that grow; in steps of an eighth, so that a
kernel that grows does not move the partitions behind it at every build.  With ``free=0`` it is
exactly as long as it must be.

Type and cluster size depend on the length (`fat_type`), and not in one direction: across the limit
of a type a longer volume may have smaller clusters and longer tables.  So lengths are tried, in
order, with everything counted for each, and the first that does is the answer.
"""

import re
from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

from doit_diskimg.disk.fields import AUTO
from doit_diskimg.errors import BadValue, DescriptionError, DirectoryFull, Problem, VolumeFull
from doit_diskimg.kinds.filesystems.fat import reserved
from doit_diskimg.kinds.filesystems.fat.allocate import slot
from doit_diskimg.kinds.filesystems.fat.contents import MOST_ENTRIES, ROOT, FatContents
from doit_diskimg.kinds.filesystems.fat.fat_type import (
    MAX_SECTORS,
    MOST,
    choose,
    fewest,
    limits,
    shapes,
    undoubted,
    writable,
)
from doit_diskimg.kinds.filesystems.fat.geometry import FatGeometry, Options, least_length
from doit_diskimg.kinds.filesystems.fat.reserved import ReservedPart
from doit_diskimg.kinds.filesystems.fat.volume import Fat
from doit_diskimg.kinds.filesystems.tree import FileNode
from doit_diskimg.plan.content import Files
from doit_diskimg.units import MIB, SizeLike, align_up, ceil_div, format_size, parse_size

FREE_IF_AUTOMATIC = "10%"
"""What an automatic size leaves free unless told otherwise."""

_NAMED = 3
"""How many files a message names."""

_PERCENT = re.compile(r"\s*([0-9]+)\s*%\s*")


class Free(NamedTuple):
    """A part of the volume's clusters, or bytes; one of the two is 0."""

    percent: int
    length: int

    def clusters(self, geometry: FatGeometry) -> int:
        """Return how many clusters of the volume that is, rounded up."""
        part = ceil_div(self.percent * max(0, geometry.clusters), 100)
        return part + ceil_div(self.length, geometry.cluster_size)


def parse_free(free: SizeLike | None) -> Free:
    """Return what ``free`` says: ``"10%"`` of the volume, or a size; nothing for None.

    Raises ValueError, in words for the user, for anything else.
    """
    match = _PERCENT.fullmatch(free) if isinstance(free, str) else None
    if match is None:
        return Free(0, 0 if free is None else parse_size(free))
    percent = int(match[1])
    if percent >= 100:
        raise ValueError(f"{free!r} leaves nothing for the files")
    return Free(percent, 0)


NOTHING = Free(0, 0)


# What the description asks for -------------------------------------------------------------------


def length_of(fat: Fat, size: int | None) -> int | None:
    """Return the volume's bytes in a partition of ``size``; None if its contents decide."""
    return size if fat.size in (None, AUTO) else parse_size(fat.size)


def free_of(fat: Fat, *, automatic: bool = False) -> Free:
    """Return what must stay free; an automatic size leaves something unless told not to."""
    return parse_free(FREE_IF_AUTOMATIC if automatic and fat.free is None else fat.free)


def minimum_of(fat: Fat) -> int:
    """Return the fewest bytes that the volume may have."""
    return 0 if fat.minimum is None else parse_size(fat.minimum)


def options_of(fat: Fat, parts: Sequence[ReservedPart], sector_size: int) -> Options:
    """Return what the user asked for; ``parts`` lie in the reserved sectors."""
    return Options(
        fat=fat.fat,
        prefer=fat.prefer,
        cluster_size=None if fat.cluster_size is None else parse_size(fat.cluster_size),
        root_entries=fat.root_entries,
        reserved_sectors=fat.reserved_sectors,
        reserved_least=min(reserved.least(parts, sector_size), reserved.MOST),
        number_of_fats=fat.number_of_fats,
        media=fat.media,
    )


# The smallest volume -----------------------------------------------------------------------------


def fits(contents: FatContents, geometry: FatGeometry, free: Free) -> bool:
    """Return whether the clusters are enough."""
    return contents.needs(geometry).clusters + free.clusters(geometry) <= geometry.clusters


def smallest(fat: Fat, contents: FatContents, sector_size: int) -> FatGeometry | None:
    """Return the smallest volume that does; None if none does."""
    options, free = options_of(fat, contents.parts, sector_size), free_of(fat, automatic=True)
    least = max(minimum_of(fat), sum(file.size for file in contents.files))
    if free == NOTHING:
        lengths: Iterable[int] = turning_points(contents, options, free, least, sector_size)
    else:
        lengths = steps(least)
    for length in lengths:
        if length // sector_size > MAX_SECTORS:
            break
        try:
            found = choose(length, options, where="", sector_size=sector_size)
        except DescriptionError:
            continue
        if _does(contents, found, free):
            return found
    return None


def _does(contents: FatContents, found: FatGeometry, free: Free) -> bool:
    # Diskettes have few entries and other numbers: they are for those who ask for them.
    if found.floppy or not undoubted(found) or not fits(contents, found, free):
        return False
    return free == NOTHING or contents.needs(found).slots <= found.clusters


def steps(least: int) -> Iterator[int]:
    """Yield the sizes that automatic volumes have: MiB of up to four significant bits."""
    size = max(1, ceil_div(least, MIB))
    while True:
        size = slot(size)
        yield size * MIB
        size += 1


def turning_points(
    contents: FatContents, options: Options, free: Free, least: int, sector_size: int
) -> list[int]:
    """Return every length that can be the smallest: one that just fits, or just gets a type.

    A type and cluster size have the files from some length on, and are chosen between limits; so
    the smallest length of all is one where the files just fit, or a limit.
    """
    lengths = {align_up(least, sector_size)}
    for shape in shapes(options, sector_size):
        used = contents.needs(shape).clusters + ceil_div(free.length, shape.cluster_size)
        clusters = max(ceil_div(used * 100, 100 - free.percent), fewest(shape.fat))
        if clusters <= MOST[shape.fat]:
            lengths.add(least_length(shape, clusters))
        lengths.update(limits(shape))
    return sorted(length for length in lengths if length >= least)


# Why files do not fit ----------------------------------------------------------------------------


def problems(
    fat: Fat, contents: FatContents, geometry: FatGeometry, files: Files, where: str
) -> list[Problem]:
    """Return the directories with too many entries, and whether the volume has too few clusters."""
    free = free_of(fat)
    found = [
        _directory_full(path, entries, geometry, where)
        for path, entries in contents.entries.items()
        if entries > _most_entries(path, geometry)
    ]
    if not fits(contents, geometry, free):
        found.append(_volume_full(fat, contents, geometry, free, files, where))
    return found


def _most_entries(path: str, geometry: FatGeometry) -> int:
    return geometry.root_entries if path == ROOT and geometry.fat != 32 else MOST_ENTRIES


def _directory_full(path: str, entries: int, geometry: FatGeometry, where: str) -> Problem:
    name, change = repr(path or "/"), "spread the files over several directories"
    most = _most_entries(path, geometry)
    if most < MOST_ENTRIES:
        name = "the root directory"
        enough = align_up(entries, geometry.sector_size // 32)
        change = f"move files into a directory, or write root_entries={enough}"
    found = f"{name} needs {entries:,} entries (long names take several)"
    return DirectoryFull(f"{where}.files", found, f"it has room for {most:,}", change)


def _volume_full(
    fat: Fat, contents: FatContents, geometry: FatGeometry, free: Free, files: Files, where: str
) -> Problem:
    needed, spare = contents.needs(geometry).clusters, free.clusters(geometry)
    missing = needed + spare - geometry.clusters
    found = f"the files need {needed:,} clusters of {format_size(geometry.cluster_size)}"
    if spare:
        found += f" and free={fat.free!r} takes {spare:,}"
    found += f", {missing:,} too many ({_largest(contents)}{_grown(contents, files)})"
    change = "leave files out"
    enough = _enough(contents, geometry, free)
    if enough is not None:
        change = f'make its size "{enough}" or more, or {change}'
    elif fat.fat is not None or fat.cluster_size is not None:
        change = f"drop fat and cluster_size and make it larger, or {change}"
    return VolumeFull(f"{where}.files", found, f"the volume has {geometry.clusters:,}", change)


def _enough(contents: FatContents, geometry: FatGeometry, free: Free) -> str | None:
    """Return a size that has room for everything, as a user writes it; None if none has."""
    options, sector_size = geometry.options, geometry.sector_size
    least = geometry.total_sectors * sector_size
    for length in turning_points(contents, options, free, least, sector_size):
        size = writable(length, up=True)
        try:
            larger = choose(parse_size(size), options, where="", sector_size=sector_size)
        except DescriptionError:
            continue
        if fits(contents, larger, free):
            return size
    return None


def no_size(contents: FatContents, where: str) -> Problem:
    """Return the problem of files for which there is no volume."""
    return BadValue(
        f"{where}.size", f"no size of FAT has room for its files ({_largest(contents)})",
        "a volume has at most 2 TiB, and FAT12 and FAT16 have few clusters",
        "drop fat, cluster_size and root_entries, or leave files out",
    )


def _largest(contents: FatContents) -> str:
    """Return the names and sizes of the largest files."""
    found = sorted(contents.files, key=lambda file: (-file.size, file.path))[:_NAMED]
    return "the largest: " + ", ".join(f"{file.path} {format_size(file.size)}" for file in found)


def _grown(contents: FatContents, files: Files) -> str:
    """Return which files are longer than at the last build, or new since."""
    grown = list[tuple[int, FileNode]]()
    for file in contents.files:
        before = None if isinstance(file.source, bytes) else files.size_before(file.source)
        if before is not None and file.size > before:
            grown.append((file.size - before, file))
    grown.sort(key=lambda pair: (-pair[0], pair[1].path))
    if not grown:
        return ""
    named = (f"{file.path} by {format_size(more)}" for more, file in grown[:_NAMED])
    return "; grown since the last build: " + ", ".join(named)
