"""From a description, a place and the files of the host to a volume decided to the last number.

The order of work: the fields, the tree, the names, the clusters, the digests.  Problems are
collected on the way and raised once.
"""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from doit_diskimg.content import Files
from doit_diskimg.errors import (
    DescriptionError,
    DirectoryFull,
    Problem,
    VolumeFull,
    WorldError,
)
from doit_diskimg.filesystems.fat import allocate, check, names, tree
from doit_diskimg.filesystems.fat.allocate import Need
from doit_diskimg.filesystems.fat.build import ROOT, Volume
from doit_diskimg.filesystems.fat.choose import writable
from doit_diskimg.filesystems.fat.geometry import Geometry, least_length
from doit_diskimg.filesystems.fat.names import StoredName
from doit_diskimg.filesystems.fat.tree import Directory, File
from doit_diskimg.ondisk import fat_dirent
from doit_diskimg.ondisk.fat_dirent import Timestamp
from doit_diskimg.units import ceil_div, format_size, parse_size

if TYPE_CHECKING:
    from doit_diskimg.filesystems.fat.volume import Fat
    from doit_diskimg.ports import Place

MOST_ENTRIES = 65536
"""Entries in the longest directory: the standard's limit of 2 MiB."""


def volume(fat: "Fat", place: "Place", files: Files, where: str) -> Volume:
    """Return the volume that ``fat`` becomes at ``place``.

    Raises DescriptionError with everything that is wrong, or WorldError if nothing is wrong but
    files of the host are missing.
    """
    wrong = check.problems(fat, where, place.extent.length, sector_size=place.sector_size)
    gathered = tree.gather(fat.files, files, where)
    _raise([*wrong, *gathered.wrong], gathered.failed)
    length = check.length(fat, place.extent.length)
    geometry = check.geometry(fat, length, where, sector_size=place.sector_size)
    contents = _Contents(gathered.root, has_label=bool(fat.label))
    _raise(_overflows(fat, contents, geometry, where), [])
    digests, failed = _digests(contents.files, files)
    _raise([], failed)
    return Volume(
        geometry=geometry,
        root=contents.root,
        stored=contents.stored,
        runs=allocate.assign(*contents.needs(geometry), geometry.clusters),
        digests=digests,
        start=place.extent.start,
        hidden_sectors=0 if place.bare else place.extent.start // place.sector_size,
        drive_number=0x00 if place.bare and geometry.floppy else 0x80,
        label=fat.label or "",
        volume_id=_volume_id(fat, place),
        time=Timestamp.of(place.epoch),
    )


class _Contents:
    """What goes into the volume, and how much room it takes there."""

    def __init__(self, root: Directory, *, has_label: bool) -> None:
        self.root = root
        nodes = list(root.everything())
        self.directories = [node for node in nodes if isinstance(node, Directory)]
        self.files = [node for node in nodes if isinstance(node, File)]
        self.stored: dict[str, Mapping[str, StoredName]] = {}
        self.entries: dict[str, int] = {}
        for directory in self.directories:
            stored = names.assign(child.name for child in directory.children.values())
            # Beside the children: "." and "..", or the label.
            own = int(has_label) if directory.path == ROOT else 2
            self.stored[directory.path] = stored
            self.entries[directory.path] = own + sum(name.entries for name in stored.values())

    def needs(self, geometry: Geometry) -> tuple[list[Need], list[Need]]:
        """Return the clusters of each directory and of each file."""
        size = geometry.cluster_size
        directories = [
            Need(path, max(1, ceil_div(entries * fat_dirent.SIZE, size)))
            for path, entries in self.entries.items()
            # FAT12 and FAT16 keep the root directory outside the clusters.
            if path != ROOT or geometry.fat == 32
        ]
        return directories, [Need(file.path, ceil_div(file.size, size)) for file in self.files]

    def clusters(self, geometry: Geometry) -> int:
        """Return how many clusters everything takes, without slack."""
        return sum(need.clusters for needs in self.needs(geometry) for need in needs)


def _overflows(fat: "Fat", contents: _Contents, geometry: Geometry, where: str) -> list[Problem]:
    """Return the directories with too many entries, and whether the volume has too few clusters."""
    problems: list[Problem] = []
    for path, entries in contents.entries.items():
        name, most = repr(path or "/"), MOST_ENTRIES
        change = "spread the files over several directories"
        if path == ROOT and geometry.fat != 32:
            name, most = "the root directory", geometry.root_entries
            change = f"move files into a directory; a root of FAT{geometry.fat} is short"
        if entries > most:
            found = f"{name} needs {entries:,} entries (long names take several)"
            must = f"it has room for {most:,}"
            problems.append(DirectoryFull(f"{where}.files", found, must, change))
    if contents.clusters(geometry) > geometry.clusters:
        problems.append(_volume_full(fat, contents, geometry, where))
    return problems


def _volume_full(fat: "Fat", contents: _Contents, geometry: Geometry, where: str) -> VolumeFull:
    largest = sorted(contents.files, key=lambda file: (-file.size, file.path))[:3]
    sizes = ", ".join(f"{file.path} {format_size(file.size)}" for file in largest)
    enough = _enough(fat, contents, geometry)
    change = "leave files out"
    if enough is not None:
        change = f'make its size "{enough}" or more, or {change}'
    elif fat.fat is not None or fat.cluster_size is not None:
        change = f"drop fat and cluster_size and make it larger, or {change}"
    return VolumeFull(
        f"{where}.files",
        f"the files need {contents.clusters(geometry):,} clusters of "
        f"{format_size(geometry.cluster_size)} (the largest: {sizes})",
        f"the volume has {geometry.clusters:,}",
        change,
    )


def _enough(fat: "Fat", contents: _Contents, geometry: Geometry) -> str | None:
    """Return a size that has room for everything, as a user writes it; None if none has.

    A larger volume may have larger clusters, in which the same files take more room; so look at
    what comes of each size until one fits.
    """
    while True:
        size = writable(least_length(geometry, contents.clusters(geometry)), up=True)
        try:
            larger = check.geometry(fat, parse_size(size), "", sector_size=geometry.sector_size)
        except DescriptionError:
            return None
        if contents.clusters(larger) <= larger.clusters:
            return size
        if larger.total_sectors <= geometry.total_sectors:
            return None
        geometry = larger


def _digests(contents: Sequence[File], files: Files) -> tuple[dict[str, str], list[Problem]]:
    """Return the digests of the host's files by their paths, and what failed."""
    digests: dict[str, str] = {}
    failed: list[Problem] = []
    for file in contents:
        source = file.source
        if isinstance(source, bytes) or not file.size or source in digests:
            continue
        try:
            digests[source] = files.digest(source, file.where)
        except WorldError as error:
            failed += error.problems
    return digests, failed


def _volume_id(fat: "Fat", place: "Place") -> int:
    if fat.volume_id is None:
        return place.identity.int & 0xFFFFFFFF
    return check.volume_id(fat.volume_id)


def _raise(wrong: Sequence[Problem], failed: Sequence[Problem]) -> None:
    """Raise for all problems at once; a wrong description outweighs a missing file."""
    if wrong:
        raise DescriptionError([*wrong, *failed])
    if failed:
        raise WorldError(failed)
