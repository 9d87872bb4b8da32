"""From a description, a place and the files of the host to the bytes of a volume.

This is the door to the work: what a `volume.Fat` becomes is decided from here.  The order of work:
the fields, the contents, the geometry, the boot sector, the digests.  Problems are collected on the
way and raised once.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from zlib import crc32

from doit_diskimg.disk.fields import AUTO
from doit_diskimg.disk.links import no_file
from doit_diskimg.disk.sockets import Place, Room
from doit_diskimg.disk.symbols import Guid, Numbers
from doit_diskimg.errors import DescriptionError, OutsideDisk, Problem, refuse
from doit_diskimg.extent import Extent
from doit_diskimg.kinds.filesystems.fat import (
    contents,
    encode,
    engines,
    fat_check,
    reserved,
    sizing,
)
from doit_diskimg.kinds.filesystems.fat.allocate import Allocation, allocate
from doit_diskimg.kinds.filesystems.fat.contents import FatContents, no_place
from doit_diskimg.kinds.filesystems.fat.encode import PlannedFat
from doit_diskimg.kinds.filesystems.fat.fat_type import MAX_SECTORS, choose
from doit_diskimg.kinds.filesystems.fat.geometry import FatGeometry
from doit_diskimg.kinds.filesystems.fat.volume import Fat
from doit_diskimg.kinds.filesystems.tree import Directory, FileNode
from doit_diskimg.ondisk import fat_dirent
from doit_diskimg.ondisk.fat_boot import BootSector
from doit_diskimg.ondisk.fat_dirent import Timestamp
from doit_diskimg.ondisk.fat_entries import FIRST_CLUSTER, ClusterRun
from doit_diskimg.plan.content import Files, digest_of
from doit_diskimg.plan.picture import BLOB, Picture
from doit_diskimg.units import align_down, align_up, ceil_div, exact_size, format_size


def room(fat: Fat, size: int | None, files: Files, where: str, sector_size: int) -> Room:
    """Return the volume's length and type.  Raises DescriptionError if the size can't work."""
    geometry = _geometry(fat, size, files, where, sector_size)
    given = sizing.length_of(fat, size)
    length = geometry.total_sectors * sector_size if given is None else given
    return Room(
        length=length,
        type=f"fat{geometry.fat}",
        facts=(
            ("file system", f"FAT{geometry.fat}"),
            *([("size", exact_size(length))] if given is None else []),
            ("cluster", format_size(geometry.cluster_size)),
            ("clusters", f"{geometry.clusters:,}"),
        ),
    )


def fill(fat: Fat, place: Place, files: Files, where: str) -> Picture:
    """Return the bytes of the volume, and what should be known of it.

    Raises DescriptionError with everything that is wrong, or WorldError if nothing is wrong but
    files of the host are missing.
    """
    decided = _volume(fat, place, files, where)
    if fat.engine != engines.NATIVE:
        return engines.draw(fat.engine, decided, files, where)
    picture = encode.draw(decided)
    # A time stamp, or a number in boot code, may change with a file and is nowhere in there.
    told = fat.times != "epoch" or any(True for _ in fat.asks(where))
    return replace(picture, outline=None) if told else picture


def unlocatable(fat: Fat, path: str) -> str:
    """Return what speaks against a file at ``path``, in words."""
    if fat.engine != engines.NATIVE:
        return f"engine={fat.engine!r} decides where it lies, native says so beforehand"
    return contents.unlocatable(fat, path)


def locate(
    fat: Fat, paths: Sequence[str], place: Place, files: Files, where: str
) -> dict[str, Extent | str]:
    """Return where files lie on the disk, or why not, in words."""
    what, geometry = _decide(fat, place, files, where)
    numbers = OwnNumbers(place, what, geometry, _allocated(what, geometry).runs, files)
    return {path: numbers.located(path) for path in paths}


def listing(fat: Fat, files: Files, where: str) -> dict[str, str | None]:
    """Return the digest of every file by the path that readers see, None for directories."""
    what = _gather(fat, files, where, [])
    found: dict[str, str | None] = {}
    for node in what.root.everything():
        path = node.path if fat.long_names else node.path.upper()
        if isinstance(node, Directory):
            found[f"{path}/"] = None
        elif isinstance(node.source, bytes):
            found[path] = digest_of(node.source)
        else:
            found[path] = files.digest(node.source, node.where)
    del found["/"]  # the root
    return found


def needed(extent: Extent, picture: Picture) -> Iterator[Extent]:
    """Yield the area before the first cluster, and every cluster that the picture has a part of.

    The zeros between them count: a free entry of a table is one, and so is the end of a directory.
    Raises ValueError if the picture is that of no volume at ``extent``.
    """
    if picture.pieces and picture.pieces[0].file != BLOB:  # made by an engine: a file like any
        yield extent
        return
    boot = _boot_sector(extent, picture)
    sectors = boot.reserved_sectors + boot.number_of_fats * boot.sectors_per_fat
    sectors += ceil_div(boot.root_entries * fat_dirent.SIZE, boot.bytes_per_sector)
    data = extent.start + sectors * boot.bytes_per_sector
    yield Extent(extent.start, data - extent.start)
    cluster = boot.sectors_per_cluster * boot.bytes_per_sector
    if boot.is_fat32:  # the root directory of an empty volume is all zero
        yield Extent(data + (boot.root_cluster - FIRST_CLUSTER) * cluster, cluster)
    for piece in picture.pieces:
        if piece.start >= data:
            start = data + align_down(piece.start - data, cluster)
            yield Extent(start, data + align_up(piece.end - data, cluster) - start)


def _boot_sector(extent: Extent, picture: Picture) -> BootSector:
    first = picture.pieces[0] if picture.pieces else None
    if first is None or first.start != extent.start or first.file != BLOB:
        raise ValueError("the volume has no boot sector")
    return BootSector.unpack(picture.blob[first.offset : first.offset + first.length])


# The decisions -----------------------------------------------------------------------------------


def _geometry(
    fat: Fat, size: int | None, files: Files, where: str, sector_size: int
) -> FatGeometry:
    """Return the numbers of the volume in a partition of ``size``, if it has one.

    Raises DescriptionError with everything that is wrong; where the contents decide, also
    WorldError.
    """
    refuse(fat_check.problems(fat, where, size, sector_size))
    length = sizing.length_of(fat, size)
    if length is not None:
        # Asked for only where it matters: what is written there may need to know the layout.
        area = reserved.gather(fat, files if fat.reserved_sectors is None else None, where)
        refuse([], area.failed)
        options = sizing.options_of(fat, area.parts, sector_size)
        found = choose(length, options, where=where, sector_size=sector_size)
        refuse(reserved.problems(area.parts, found, where))
        return found
    what = _gather(fat, files, where, [])
    smallest = sizing.smallest(fat, what, sector_size)
    if smallest is None:
        raise DescriptionError(sizing.no_size(what, where))
    wrong = list(reserved.problems(what.parts, smallest, where))
    refuse([*wrong, *sizing.problems(fat, what, smallest, files, where)])
    return smallest


def _decide(
    fat: Fat, place: Place, files: Files, where: str
) -> tuple[FatContents, FatGeometry]:
    """Return what goes into the volume at ``place`` and the volume's numbers; see `fill`."""
    size, sector_size = place.extent.length, place.sector_size
    length = size if fat.size == AUTO else sizing.length_of(fat, size)
    assert length is not None
    given = None if fat.size == AUTO else size
    what = _gather(fat, files, where, fat_check.problems(fat, where, given, sector_size))
    options = sizing.options_of(fat, what.parts, sector_size)
    geometry = choose(length, options, where=where, sector_size=sector_size)
    refuse(
        [
            *reserved.problems(what.parts, geometry, where),
            *sizing.problems(fat, what, geometry, files, where),
            *_place_problems(fat, place, where),
        ]
    )
    return what, geometry


def _gather(fat: Fat, files: Files, where: str, wrong: Iterable[Problem]) -> FatContents:
    wrong = list(wrong)
    what = FatContents(fat, files, where)
    # What is wrong with the reserved area itself is among the fields' problems already.
    refuse(list(dict.fromkeys([*wrong, *what.wrong])), what.failed)
    return what


def _allocated(what: FatContents, geometry: FatGeometry) -> Allocation:
    return allocate(what.needs(geometry), geometry.clusters)


def _volume(fat: Fat, place: Place, files: Files, where: str) -> PlannedFat:
    """Return the volume that ``fat`` becomes at ``place``; see `fill`."""
    what, geometry = _decide(fat, place, files, where)
    allocation = _allocated(what, geometry)
    runs = allocation.runs
    numbers = OwnNumbers(place, what, geometry, runs, files)
    sector = reserved.read_boot_sector(fat, files, where)
    digests, failed = what.digests(files, whole=fat.engine != engines.NATIVE)
    refuse([], failed)
    decided = PlannedFat(
        geometry=geometry,
        root=what.root,
        stored=what.stored,
        runs=runs,
        starts=what.starts(geometry, roomy=allocation.roomy),
        parts=what.parts,
        patched=reserved.stretches(what.parts, geometry.sector_size, place, files, numbers),
        digests=digests,
        start=place.extent.start,
        hidden_sectors=_hidden_sectors(fat, place),
        drive_number=_drive_number(fat, place, geometry),
        label=fat.label or "",
        first_entries=sum("/" not in path for path in dict.fromkeys(what.first)),
        volume_id=_volume_id(fat, place),
        time=Timestamp.of(place.epoch),
        times=what.times(fat.times, files, place.epoch),
        code=reserved.code_around_bpb(sector, fat.oem_name, geometry.fat, fat.bpb),
        notes=(
            *_label_notes(fat, where),
            *what.notes(where),
            *_room_notes(fat, geometry, where, packed=allocation.packed),
        ),
    )
    if sector is None:
        return decided
    ours = encode.boot_sector(decided).pack()
    refuse(reserved.boot_sector_problems(sector, ours, geometry.fat, fat.oem_name, fat.bpb, where))
    sector = reserved.patched_boot_sector(fat, sector, geometry.fat, files, numbers, where)
    code = reserved.code_around_bpb(sector, fat.oem_name, geometry.fat, fat.bpb)
    return replace(decided, code=code)


def _label_notes(fat: Fat, where: str) -> Iterator[str]:
    label = fat.label or ""
    if label != label.upper():
        yield (
            f"note: {where}.label: {label!r} has lower-case letters, which the standard does not "
            "know, DOS and some firmware don't find it"
        )


def _room_notes(fat: Fat, geometry: FatGeometry, where: str, *, packed: bool) -> Iterator[str]:
    ours = packed and fat.engine == engines.NATIVE
    if ours and (fat.free is None or sizing.free_of(fat) != sizing.NOTHING):
        yield (
            f"note: {where}: files lie packed in its {geometry.clusters:,} clusters, so that an "
            "edit may move others (make it larger, or write free=0 if that is meant)"
        )


def _hidden_sectors(fat: Fat, place: Place) -> int:
    if fat.hidden_sectors is not None:
        return fat.hidden_sectors
    return 0 if place.bare else place.extent.start // place.sector_size


def _place_problems(fat: Fat, place: Place, where: str) -> Iterator[Problem]:
    hidden = _hidden_sectors(fat, place)
    if hidden > MAX_SECTORS:
        yield OutsideDisk(
            f"{where}.hidden_sectors", f"{hidden:,} sectors lie before the volume",
            f"its boot sector counts at most {MAX_SECTORS:,}",
            "write hidden_sectors=0, which only loaders of a BIOS mind, or place it lower",
        )


def _drive_number(fat: Fat, place: Place, geometry: FatGeometry) -> int:
    if fat.drive_number is not None:
        return fat.drive_number
    return 0x00 if place.bare and geometry.floppy else 0x80


def _volume_id(fat: Fat, place: Place) -> int:
    if fat.volume_id is None:
        return place.identity.int & 0xFFFFFFFF
    return fat_check.volume_id(fat.volume_id)


# Where files lie ---------------------------------------------------------------------------------


class OwnNumbers:
    """`symbols.Numbers` for a volume on its way into an image."""

    def __init__(
        self, place: Place, what: FatContents, geometry: FatGeometry,
        runs: Mapping[str, ClusterRun], files: Files,
    ) -> None:
        self._place, self._what, self._geometry = place, what, geometry
        self._runs, self._files = runs, files
        self.sector_size = place.sector_size

    @property
    def _others(self) -> Numbers:
        assert self._place.numbers is not None, "the numbers must be known when a volume is filled"
        return self._place.numbers

    def located(self, path: str) -> Extent | str:
        """Return where a file of the volume lies on the disk, or why it has no place, in words."""
        node = self._what.find(path)
        size = node.size if isinstance(node, FileNode) else 0
        if node is None or not size:
            return no_place(path, node, empty=not size)
        start = self._geometry.cluster_start(self._runs[node.path].first)
        return Extent(self._place.extent.start + start, size)

    def extent(self, name: str, where: str) -> Extent:
        return self._others.extent(name, where)

    def file(self, partition: str, path: str, where: str) -> Extent:
        if partition != self._place.name:
            return self._others.file(partition, path, where)
        found = self.located(path)
        if isinstance(found, str):
            raise DescriptionError(no_file(where, found))
        return found

    def crc32(self, name: str, path: str | None, where: str) -> int:
        if path is None or name != self._place.name:
            return self._others.crc32(name, path, where)
        self.file(name, path, where)
        node = self._what.find(path)
        assert isinstance(node, FileNode)
        if isinstance(node.source, bytes):
            return crc32(node.source)
        return self._files.crc32(node.source, 0, node.size, 0, node.where)

    def partition_guid(self, name: str) -> Guid:
        return self._others.partition_guid(name)

    def disk_guid(self) -> Guid:
        return self._others.disk_guid()

    def disk_signature(self) -> int:
        return self._others.disk_signature()
