"""pyfatfs: a library, of which only the low level is used, and only to create.

Its own mkfs knows neither our geometry nor hidden sectors nor labels with a blank, and leaves out
what mtools needs.  So the blank volume is ours (the boot sector and the first entries of the FATs)
and the rest, directories, chains and contents, is the library's work.  What it gets wrong on this
way is refused.
"""

import json
from collections.abc import Iterator
from typing import Any

from doit_diskimg.errors import EngineCannot, Problem
from doit_diskimg.kinds.filesystems.fat import encode
from doit_diskimg.kinds.filesystems.fat.contents import ROOT
from doit_diskimg.kinds.filesystems.fat.encode import PlannedFat
from doit_diskimg.kinds.filesystems.fat.engines import staged
from doit_diskimg.kinds.filesystems.fat.reserved import BACKUP_BOOT_SECTOR, FS_INFO_SECTOR
from doit_diskimg.kinds.filesystems.tree import Directory, FileNode
from doit_diskimg.ondisk import fat_dirent, fat_entries
from doit_diskimg.ondisk.fat_boot import UNKNOWN, FsInfo
from doit_diskimg.ondisk.fat_dirent import Timestamp
from doit_diskimg.ondisk.fat_entries import FIRST_CLUSTER, ClusterRun
from doit_diskimg.plan.recipe import Command, Program, Recipe, Staged
from doit_diskimg.units import ceil_div

PYFATFS = Program("pyfatfs", "pyfatfs", (), library=True)

REFUSES = {
    "reserved": "knows no contents of reserved sectors",
    "first": "allocates in path order",
    "low": "allocates in path order",
}

LONGEST_NAME = 127
"""UTF-16 units: it takes bytes for units when it compares with 255."""

DEEPEST = 100
"""Directories above each other: it is called once within the other."""

WRITER = 1
"""Of `host.pyfat`: changes when it writes other bytes, so that payloads are made again."""

_DESCRIPTION = "volume.json"
_NOT_IN_SHORT = set('"*+,./:;<=>?[\\]|')


def faults(volume: PlannedFat, where: str) -> Iterator[Problem]:
    """Yield the names that pyfatfs can't write."""
    must = "every engine makes the same volume, or none"
    change = "rename it, or write engine='native'"
    for path, node in staged.paths(volume):
        stored = volume.stored[staged.above(node.path)][node.name]
        fault = name_fault(stored.long) if stored.long else ""
        if path.count("/") > DEEPEST:
            fault = f"lies below more than {DEEPEST} directories"
        if fault:
            yield EngineCannot(node.where, f"{path!r} {fault}", must, change)


def name_fault(long: str) -> str:
    """Return why pyfatfs can't write a long name, empty if it can."""
    if len(long.encode("utf-16-le")) // 2 > LONGEST_NAME:
        return f"has a name of more than {LONGEST_NAME} UTF-16 units, pyfatfs writes no longer ones"
    if _looks_short(long):
        return "has a name that pyfatfs takes for an 8.3 name, which it is not"
    return ""


def _looks_short(long: str) -> bool:
    """Whether pyfatfs takes a name for 8.3: blanks and letters of its code page pass."""
    base, _, extension = long.rpartition(".") if "." in long.lstrip(".") else (long, "", "")
    if long != long.upper() or len(base) > 8 or len(extension) > 3:
        return False
    try:
        (base + extension).encode("cp437")
    except UnicodeEncodeError:
        return False
    return not _NOT_IN_SHORT & set(base + extension)


def recipe(volume: PlannedFat) -> Recipe:
    """Return the description of the volume, and the files that go into it."""
    files = [node for node in volume.root.everything() if isinstance(node, FileNode)]
    places = {node.path: f"file-{number}" for number, node in enumerate(files)}
    description = json.dumps(_description(volume, places), sort_keys=True)
    return Recipe(
        length=volume.geometry.total_sectors * volume.geometry.sector_size,
        staged=(
            Staged(_DESCRIPTION, description.encode("ascii"), ""),
            *(staged.file(volume, node, places[node.path]) for node in files if node.size),
        ),
        commands=(Command(PYFATFS, (_DESCRIPTION,)),),
        musts=tuple(staged.musts(volume)),
        contents=staged.contents(volume),
    )


def _description(volume: PlannedFat, places: dict[str, str]) -> dict[str, Any]:
    geometry = volume.geometry
    sector = geometry.sector_size
    info = FS_INFO_SECTOR * sector
    return {
        "writer": WRITER,
        "blank": [[offset, data.hex()] for offset, data in _blank(volume)],
        "clusters": geometry.clusters,
        "root_sectors": ceil_div(geometry.root_entries * fat_dirent.SIZE, sector),
        "fs_info": [info, BACKUP_BOOT_SECTOR * sector + info] if geometry.fat == 32 else [],
        "root": {
            "label": f"{volume.label:11}" if volume.label else "",
            "attributes": fat_dirent.VOLUME_ID,
            "case": 0,
            "time": _time(volume.time),
            "children": _children(volume, places),
        },
    }


def _blank(volume: PlannedFat) -> Iterator[tuple[int, bytes]]:
    """Yield the bytes of the volume without anything in it, and where they lie."""
    geometry = volume.geometry
    sector = geometry.sector_size
    boot = encode.boot_sector(volume).pack()
    yield 0, boot
    runs = []
    if geometry.fat == 32:
        info = FsInfo(free_count=UNKNOWN, next_free=UNKNOWN).pack()
        yield FS_INFO_SECTOR * sector, info
        yield BACKUP_BOOT_SECTOR * sector, boot
        yield (BACKUP_BOOT_SECTOR + FS_INFO_SECTOR) * sector, info
        runs.append(ClusterRun(FIRST_CLUSTER, 1))
    entries = fat_entries.table(runs, fat=geometry.fat, media=geometry.media)
    for number in range(geometry.number_of_fats):
        start = geometry.fat_start + number * geometry.fat_length
        yield start, fat_entries.pack(entries, fat=geometry.fat)


def _children(volume: PlannedFat, places: dict[str, str]) -> list[dict[str, Any]]:
    """Return what is in the root, and below it, without recursion: paths may be deep."""
    below: dict[str, list[dict[str, Any]]] = {ROOT: []}
    for node in volume.root.everything():
        if node.path == ROOT:
            continue
        stored = volume.stored[staged.above(node.path)][node.name]
        entry: dict[str, Any] = {
            "short": stored.short.decode("ascii"),
            "long": stored.long,
            "case": stored.case,
            "attributes": node.attributes,
            "time": _time(volume.times.get(node.path, volume.time)),
        }
        if isinstance(node, Directory):
            own = 2 + sum(name.entries for name in volume.stored[node.path].values())
            entry |= {"length": own * fat_dirent.SIZE, "children": []}
            below[node.path] = entry["children"]
        else:
            entry |= {"length": node.size, "file": places[node.path]}
        below[staged.above(node.path)].append(entry)
    return below[ROOT]


def _time(time: "Timestamp") -> list[int]:
    return [time.date, time.time, time.tenths]
