"""The bytes of a volume, once everything about it is decided.

Nothing is chosen here and nothing can fail: sizes, names, clusters and digests are known.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace

from doit_diskimg.disk.segment import CodeSource, Stretch
from doit_diskimg.disk.segment import draw as draw_stretches
from doit_diskimg.frozen import dataclass
from doit_diskimg.kinds.filesystems.fat.contents import ROOT
from doit_diskimg.kinds.filesystems.fat.geometry import FatGeometry
from doit_diskimg.kinds.filesystems.fat.names import StoredName
from doit_diskimg.kinds.filesystems.fat.reserved import (
    BACKUP_BOOT_SECTOR,
    FS_INFO_SECTOR,
    Code,
    ReservedPart,
)
from doit_diskimg.kinds.filesystems.tree import Directory, FileNode
from doit_diskimg.ondisk import fat_dirent, fat_entries
from doit_diskimg.ondisk.fat_boot import UNKNOWN, BootSector, FsInfo
from doit_diskimg.ondisk.fat_dirent import Timestamp
from doit_diskimg.ondisk.fat_entries import FIRST_CLUSTER, ClusterRun
from doit_diskimg.plan.content import FilePart
from doit_diskimg.plan.picture import Canvas, Outline, Picture, Spot


@dataclass(frozen=True, kw_only=True)
class FatLoad:
    """What goes into a volume, whatever the volume."""

    root: Directory
    stored: Mapping[str, Mapping[str, StoredName]]
    """How each directory, by path, stores each name in it."""
    digests: Mapping[str, Sequence[FilePart]]
    """Digests of each file of the host, by its path on the host."""
    time: Timestamp
    times: Mapping[str, Timestamp]
    """Those of files that have one of their own, by path."""


@dataclass(frozen=True, kw_only=True)
class PlannedFat(FatLoad):
    """Everything that decides the bytes."""

    geometry: FatGeometry
    runs: Mapping[str, ClusterRun]
    """Clusters by path; on FAT32 also those of the root."""
    starts: Mapping[str, int]
    """In directories with gaps, the number of the first entry that is for a path."""
    parts: Sequence[ReservedPart]
    """What lies in the reserved sectors."""
    patched: Mapping[int, Sequence[Stretch]]
    """The bytes of those of them that are boot code with patches, by sector."""
    start: int
    """Where the volume begins on the disk, in bytes."""
    hidden_sectors: int
    drive_number: int
    label: str
    """The volume label, or nothing."""
    first_entries: int
    """How many entries of the root come before the label."""
    volume_id: int
    code: Code
    notes: tuple[str, ...] = ()


def draw(volume: PlannedFat) -> Picture:
    """Return the bytes of the volume at their places on the disk."""
    canvas, spots, lengths = Canvas(), list[Spot](), dict[str, int]()
    _draw_reserved(volume, canvas)
    _draw_tables(volume, canvas)
    clusters = volume.start + volume.geometry.cluster_start(0), volume.geometry.cluster_size
    for node in volume.root.everything():
        if isinstance(node, Directory):
            start, data = volume.start + _directory_start(volume, node), bytearray()
            for path, entry in _entries(volume, node):
                if path in volume.starts:
                    gap = volume.starts[path] - len(data) // fat_dirent.SIZE
                    assert gap >= 0, f"{path!r} has no room for its entries"
                    data += fat_dirent.FREE * gap
                data += entry
                lengths[path] = start + len(data) - fat_dirent.SIZE + fat_dirent.FILE_SIZE
            canvas.data(start, data)
        elif node.size:
            start = clusters[0] + volume.runs[node.path].first * clusters[1]
            _draw_source(volume, canvas, start, node.source, node.size)
            if isinstance(node.source, str):
                spots.append(Spot(node.source, start, lengths[node.path]))
    outline = Outline(volume.geometry.cluster_size, tuple(spots))
    return replace(canvas.picture(volume.notes), outline=outline)


def _draw_reserved(volume: PlannedFat, canvas: Canvas) -> None:
    canvas.data(volume.start, boot_sector(volume).pack())
    if volume.geometry.fat == 32:
        sector = volume.geometry.sector_size
        canvas.data(volume.start + FS_INFO_SECTOR * sector, _fs_info(volume).pack())
        copy = volume.start + BACKUP_BOOT_SECTOR * sector
        canvas.again(copy, (FS_INFO_SECTOR + 1) * sector, volume.start)
    for part in volume.parts:
        start = volume.start + part.sector * volume.geometry.sector_size
        if isinstance(part.source, CodeSource):
            draw_stretches(canvas, start, volume.patched[part.sector])
        else:
            _draw_source(volume, canvas, start, part.source, part.length)


def boot_sector(volume: PlannedFat) -> BootSector:
    """Return the first sector."""
    geometry = volume.geometry
    fat32 = geometry.fat == 32
    # The 16-bit field counts what it can; FAT32 never uses it.
    small = not fat32 and geometry.total_sectors < 0x10000
    return BootSector(
        jump=volume.code.jump,
        oem_name=volume.code.oem_name,
        bytes_per_sector=geometry.sector_size,
        sectors_per_cluster=geometry.sectors_per_cluster,
        reserved_sectors=geometry.reserved_sectors,
        number_of_fats=geometry.number_of_fats,
        root_entries=geometry.root_entries,
        total_sectors_16=geometry.total_sectors if small else 0,
        media=geometry.media,
        sectors_per_fat_16=0 if fat32 else geometry.sectors_per_fat,
        sectors_per_track=geometry.sectors_per_track,
        heads=geometry.heads,
        hidden_sectors=volume.hidden_sectors,
        total_sectors_32=0 if small else geometry.total_sectors,
        sectors_per_fat_32=geometry.sectors_per_fat if fat32 else 0,
        root_cluster=volume.runs[ROOT].first if fat32 else 0,
        fs_info_sector=FS_INFO_SECTOR if fat32 else 0,
        backup_boot_sector=BACKUP_BOOT_SECTOR if fat32 else 0,
        drive_number=volume.drive_number,
        volume_id=volume.volume_id,
        volume_label=f"{volume.label or 'NO NAME':11}".encode("ascii"),
        file_system_type=f"FAT{geometry.fat}   ".encode("ascii"),
        boot_code=volume.code.code,
    )


def _fs_info(volume: PlannedFat) -> FsInfo:
    """Return the count of free clusters, and the first one."""
    free = volume.geometry.clusters - sum(run.length for run in volume.runs.values())
    ends, cluster = {run.first: run.end for run in volume.runs.values()}, FIRST_CLUSTER
    while cluster in ends:
        cluster = ends[cluster]
    return FsInfo(free_count=free, next_free=cluster if free else UNKNOWN)


def _draw_tables(volume: PlannedFat, canvas: Canvas) -> None:
    geometry = volume.geometry
    entries = fat_entries.table(volume.runs.values(), fat=geometry.fat, media=geometry.media)
    start = volume.start + geometry.fat_start
    canvas.data(start, fat_entries.pack(entries, fat=geometry.fat))
    for number in range(1, geometry.number_of_fats):
        canvas.again(start + number * geometry.fat_length, geometry.fat_length, start)


def _draw_source(
    volume: PlannedFat, canvas: Canvas, start: int, source: str | bytes, length: int
) -> None:
    if isinstance(source, bytes):
        canvas.content(start, source)
    elif length:
        canvas.parts(start, source, volume.digests[source])


def _directory_start(volume: PlannedFat, directory: Directory) -> int:
    run = volume.runs.get(directory.path)
    return volume.geometry.cluster_start(run.first) if run else volume.geometry.root_start


def _entries(volume: PlannedFat, directory: Directory) -> Iterator[tuple[str, bytes]]:
    """Yield the entries, each with the path that it is for, if that is a child's.

    The dots, then the children in order; in the root the label too.
    """
    stored, runs = volume.stored[directory.path], volume.runs
    times, time = volume.times, volume.time
    # Before everything, as mkfs.fat has it; but loaders of DOS look for their files there.
    label = volume.first_entries if directory.path == ROOT and volume.label else -1
    if directory.path != ROOT:
        yield "", _dots(volume, directory)
    for number, child in enumerate(directory.children.values()):
        if number == label:
            yield "", _label(volume)
        name = stored[child.name]
        long = fat_dirent.pack_long_name(name.long, name.short) if name.long else b""
        run = runs.get(child.path)
        short = fat_dirent.pack_short(
            name.short,
            child.attributes,
            times.get(child.path, time) if times else time,
            run.first if run else 0,
            child.size if isinstance(child, FileNode) else 0,
            case=name.case,
        )
        yield child.path, long + short
    if label == len(directory.children):
        yield "", _label(volume)


def _label(volume: PlannedFat) -> bytes:
    name = f"{volume.label:11}".encode("ascii")
    return fat_dirent.pack_short(name, fat_dirent.VOLUME_ID, volume.time, 0)


def _dots(volume: PlannedFat, directory: Directory) -> bytes:
    """Return ``.`` and ``..``; for ``..`` the root is cluster 0, also on FAT32."""
    parent = directory.path.rpartition("/")[0]
    above = volume.runs[parent].first if parent != ROOT else 0
    own = volume.runs[directory.path].first
    return b"".join(
        [
            fat_dirent.pack_short(b".          ", fat_dirent.DIRECTORY, volume.time, own),
            fat_dirent.pack_short(b"..         ", fat_dirent.DIRECTORY, volume.time, above),
        ]
    )
