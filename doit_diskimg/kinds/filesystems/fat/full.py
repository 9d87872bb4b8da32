"""Why the files do not fit, and what would help."""

from typing import TYPE_CHECKING

from doit_diskimg.errors import DescriptionError, DirectoryFull, Problem, VolumeFull
from doit_diskimg.kinds.filesystems.fat import fit
from doit_diskimg.kinds.filesystems.fat.choose import choose, writable
from doit_diskimg.kinds.filesystems.fat.contents import ROOT, Contents
from doit_diskimg.kinds.filesystems.fat.free import Free
from doit_diskimg.kinds.filesystems.fat.geometry import Geometry
from doit_diskimg.kinds.filesystems.fat.tree import File
from doit_diskimg.plan.content import Files
from doit_diskimg.units import align_up, format_size, parse_size

if TYPE_CHECKING:
    from doit_diskimg.kinds.filesystems.fat.volume import Fat

MOST_ENTRIES = 65536
"""Entries in the longest directory: the standard's limit of 2 MiB."""

_NAMED = 3
"""How many files a message names."""


def problems(
    fat: "Fat", contents: Contents, geometry: Geometry, free: Free, files: Files, where: str
) -> list[Problem]:
    """Return the directories with too many entries, and whether the volume has too few clusters."""
    found = [
        _directory_full(path, entries, geometry, where)
        for path, entries in contents.entries.items()
        if entries > _most_entries(path, geometry)
    ]
    if not fit.fits(contents, geometry, free):
        found.append(_volume_full(fat, contents, geometry, free, files, where))
    return found


def _most_entries(path: str, geometry: Geometry) -> int:
    return geometry.root_entries if path == ROOT and geometry.fat != 32 else MOST_ENTRIES


def _directory_full(path: str, entries: int, geometry: Geometry, where: str) -> Problem:
    name, change = repr(path or "/"), "spread the files over several directories"
    most = _most_entries(path, geometry)
    if most < MOST_ENTRIES:
        name = "the root directory"
        enough = align_up(entries, geometry.sector_size // 32)
        change = f"move files into a directory, or write root_entries={enough}"
    found = f"{name} needs {entries:,} entries (long names take several)"
    return DirectoryFull(f"{where}.files", found, f"it has room for {most:,}", change)


def _volume_full(
    fat: "Fat", contents: Contents, geometry: Geometry, free: Free, files: Files, where: str
) -> Problem:
    needed, spare = contents.needs(geometry).clusters, free.clusters(geometry)
    missing = needed + spare - geometry.clusters
    found = f"the files need {needed:,} clusters of {format_size(geometry.cluster_size)}"
    if spare:
        found += f" and free={fat.free!r} takes {spare:,}"
    found += f", {missing:,} too many ({largest(contents)}{_grown(contents, files)})"
    change = "leave files out"
    enough = _enough(contents, geometry, free)
    if enough is not None:
        change = f'make its size "{enough}" or more, or {change}'
    elif fat.fat is not None or fat.cluster_size is not None:
        change = f"drop fat and cluster_size and make it larger, or {change}"
    return VolumeFull(f"{where}.files", found, f"the volume has {geometry.clusters:,}", change)


def _enough(contents: Contents, geometry: Geometry, free: Free) -> str | None:
    """Return a size that has room for everything, as a user writes it; None if none has."""
    options, sector_size = geometry.options, geometry.sector_size
    least = geometry.total_sectors * sector_size
    for length in fit.turning_points(contents, options, free, least, sector_size):
        size = writable(length, up=True)
        try:
            larger = choose(parse_size(size), options, where="", sector_size=sector_size)
        except DescriptionError:
            continue
        if fit.fits(contents, larger, free):
            return size
    return None


def largest(contents: Contents) -> str:
    """Return the names and sizes of the largest files."""
    found = sorted(contents.files, key=lambda file: (-file.size, file.path))[:_NAMED]
    return "the largest: " + ", ".join(f"{file.path} {format_size(file.size)}" for file in found)


def _grown(contents: Contents, files: Files) -> str:
    """Return which files are longer than at the last build, or new since."""
    grown = list[tuple[int, File]]()
    for file in contents.files:
        before = None if isinstance(file.source, bytes) else files.size_before(file.source)
        if before is not None and file.size > before:
            grown.append((file.size - before, file))
    grown.sort(key=lambda pair: (-pair[0], pair[1].path))
    if not grown:
        return ""
    named = (f"{file.path} by {format_size(more)}" for more, file in grown[:_NAMED])
    return "; grown since the last build: " + ", ".join(named)
