"""From an existing image, a place and files to a recipe: mtools on a copy.

The volume is a function of the image's bytes and of the files, so it is made anew when either
changes, and never changed in place.
"""

from collections.abc import Iterator
from os import fsdecode
from typing import NamedTuple

from doit_diskimg.disk.fields import is_path
from doit_diskimg.disk.sockets import Place, Room
from doit_diskimg.errors import BadImage, BadValue, Problem, WorldError, refuse
from doit_diskimg.kinds.filesystems.fat import fat_check
from doit_diskimg.kinds.filesystems.fat.contents import FatContents
from doit_diskimg.kinds.filesystems.fat.encode import FatLoad
from doit_diskimg.kinds.filesystems.fat.engines import mtools, staged
from doit_diskimg.kinds.filesystems.fat.volume import FatImage
from doit_diskimg.ondisk import fat_boot, fat_dirent, fat_entries
from doit_diskimg.ondisk.fat_boot import BootSector
from doit_diskimg.ondisk.fat_dirent import Timestamp
from doit_diskimg.plan.content import Files
from doit_diskimg.plan.picture import Canvas, Picture
from doit_diskimg.plan.recipe import PAYLOAD, Command, Must, Program, Recipe, Staged
from doit_diskimg.units import ceil_div, format_size

DD = Program("dd", "coreutils", ("--version",))

_HIDDEN = "hidden-sectors"
_FORM_NAME = "track-and-heads"
_HIDDEN_AT = 28  # BPB_HiddSec
_FAT12_BELOW, _FAT16_BELOW = 4085, 65525
_DIRTY = "BS_Reserved1"
_UNMIRRORED, _ACTIVE = 0x80, 0x0F  # BPB_ExtFlags: one FAT alone counts, and which
_FORM_AT, _FORM_SIZE = 24, 4  # BPB_SecPerTrk, BPB_NumHeads
_FORM = 63 | 255 << 16
_FREE_AT = 488  # FSI_Free_Count
_WINDOW = 1 << 20
_ENOUGH = 1 << 30
# A size for which nothing is wrong, where only names are looked at.


class Base(NamedTuple):
    """What the boot sector of the image says."""

    path: str
    sector: bytes
    boot: BootSector
    copy: int
    """Where the backup boot sector lies, in bytes of the volume; 0 where there is none."""

    @property
    def length(self) -> int:
        """Bytes of the volume."""
        return self.boot.total_sectors * self.boot.bytes_per_sector

    @property
    def cluster_size(self) -> int:
        """Bytes in a cluster."""
        return self.boot.sectors_per_cluster * self.boot.bytes_per_sector

    @property
    def clusters(self) -> int:
        """How many clusters there are."""
        boot = self.boot
        root = ceil_div(boot.root_entries * fat_dirent.SIZE, boot.bytes_per_sector)
        tables = boot.number_of_fats * boot.sectors_per_fat
        room = boot.total_sectors - boot.reserved_sectors - tables - root
        return room // boot.sectors_per_cluster

    @property
    def fat(self) -> int:
        """The type, which follows from the count of clusters."""
        return 12 if self.clusters < _FAT12_BELOW else 16 if self.clusters < _FAT16_BELOW else 32


def problems(
    image: FatImage, where: str, size: int | None, sector_size: int
) -> Iterator[Problem]:
    """Yield what is wrong with the description."""
    if not is_path(image.path):
        yield BadValue(
            f"{where}.path", f"{image.path!r} is not a path", "must be the path of a FAT volume",
            'write for example FatImage("vendor.img", {...})',
        )
    yield from fat_check.all_problems(image.added, where, size or _ENOUGH, sector_size)


def room(image: FatImage, files: Files, where: str, sector_size: int) -> Room:
    """Return the volume's length and type.  Raises WorldError if it is no FAT volume."""
    found = read(image, files, where, sector_size)
    return Room(
        length=found.length,
        type=f"fat{found.fat}",
        facts=(
            ("file system", f"FAT{found.fat} of {fsdecode(image.path)}"),
            ("cluster", format_size(found.cluster_size)),
            ("clusters", f"{found.clusters:,}"),
        ),
    )


def read(image: FatImage, files: Files, where: str, sector_size: int) -> Base:
    """Return what the image is.  Raises WorldError if it is no FAT volume for such a disk."""
    path, where = str(image.path), f"{where}.path"
    length = files.size(path, where)
    sector = files.read_range(path, 0, min(fat_boot.SIZE, length), where)
    try:
        boot = BootSector.unpack(sector, old=True)
        base = Base(path, sector, boot, copy=0)
        clusters = base.clusters
    except (ValueError, ZeroDivisionError) as error:
        raise _no_volume(where, f"{path!r} is not a FAT volume: {error}") from None
    if clusters < 1 or base.boot.is_fat32 != (base.fat == 32):
        raise _no_volume(where, f"{path!r} has {clusters:,} clusters, which no FAT of its kind has")
    if length < base.length:
        raise _no_volume(
            where, f"{path!r} has {length:,} bytes, its volume {base.length:,}: it is cut short"
        )
    if boot.is_fat32 and boot.ext_flags & _UNMIRRORED and boot.ext_flags & _ACTIVE:
        found = f"{path!r} has BPB_ExtFlags {base.boot.ext_flags:#06x}: another FAT than the first "
        raise _no_volume(where, f"{found}one counts, and mtools writes broken chains then")
    if base.boot.bytes_per_sector != sector_size:
        found = f"{path!r} has sectors of {base.boot.bytes_per_sector} bytes, the disk's have "
        raise _no_volume(where, f"{found}{sector_size}")
    if 0 < boot.backup_boot_sector < boot.reserved_sectors:
        place = boot.backup_boot_sector * boot.bytes_per_sector
        if _has_copy(sector, files.read_range(path, place, fat_boot.SIZE, where)):
            return base._replace(copy=place)
    return base


def _no_volume(where: str, found: str) -> WorldError:
    must = "must be a whole FAT volume, without a partition table before it"
    return WorldError(BadImage(where, found, must, "name another image, or fix it"))


def draw(image: FatImage, place: Place, files: Files, where: str) -> Picture:
    """Return the bytes of the volume at ``place``.  Raises DescriptionError or WorldError."""
    base = read(image, files, where, place.sector_size)
    if base.length > place.extent.length:
        found = f"its volume has {base.length:,} bytes, the partition {place.extent.length:,}"
        raise _no_volume(f"{where}.path", found)
    added = image.added
    what = FatContents(added, files, where)
    refuse(what.wrong, what.failed)
    digests, failed = what.digests(files, whole=True)
    refuse([], [*what.failed, *failed])
    load = FatLoad(
        root=what.root, stored=what.stored, digests=digests, time=Timestamp.of(place.epoch),
        times=what.times(added.times, files, place.epoch),
    )
    refuse(mtools.faults(load, where))
    hidden = 0 if place.bare else place.extent.start // place.sector_size
    digest = files.digest(base.path, f"{where}.path")
    free = _wrong_count(base, files, f"{where}.path")
    recipe = _recipe(base, load, hidden, digest, free)
    canvas = Canvas()
    canvas.made(place.extent.start, files.make(recipe, where))
    return canvas.picture(what.notes(where))


def _recipe(base: Base, load: FatLoad, hidden: int, digest: str, free: int | None) -> Recipe:
    nodes = list(staged.paths(load))
    number = hidden.to_bytes(4, "little")
    sector = base.sector[:_HIDDEN_AT] + number + base.sector[_HIDDEN_AT + 4 :]
    before, after = list(_patches(base, number, free)), list(_restored(base))
    patched = {patch.name: Staged(patch.name, patch.data, "") for patch in (*before, *after)}
    seconds = load.time.epoch()
    return Recipe(
        length=base.length,
        staged=(
            Staged(PAYLOAD, base.path, digest),
            *patched.values(),
            *mtools.stage(load, nodes),
        ),
        commands=(
            *(patch.command for patch in before),
            *mtools.fill(load, nodes),
            *(patch.command for patch in after),
        ),
        environment=mtools.environment(seconds),
        seconds=seconds,
        musts=tuple(
            Must(field.start, sector[field.start : field.end], field.name)
            for field in fat_boot.fields(base.fat) if field.name != _DIRTY
        ),
        contents=staged.contents(load, base.path),
    )


class _Patch(NamedTuple):
    """Bytes that are written into the copy of the image."""

    name: str
    """Of the file in which they are laid out."""
    data: bytes
    place: int

    @property
    def command(self) -> Command:
        """What writes them."""
        options = ("bs=1", f"seek={self.place}", "conv=notrunc", "status=none")
        return Command(DD, (f"if={self.name}", f"of={PAYLOAD}", *options), silent=True)


def _patches(base: Base, hidden: bytes, free: int | None) -> Iterator[_Patch]:
    """Yield what is written before mtools looks at the copy."""
    for place in (0, base.copy) if base.copy else (0,):
        yield _Patch(_HIDDEN, hidden, place + _HIDDEN_AT)
    if _is_formless(base):  # mtools takes no volume without; nothing that it writes depends on it
        yield _Patch(_FORM_NAME, _FORM.to_bytes(_FORM_SIZE, "little"), _FORM_AT)
    if free is not None:
        sector = base.boot.fs_info_sector * base.boot.bytes_per_sector
        yield _Patch("free-count", free.to_bytes(4, "little"), sector + _FREE_AT)


def _restored(base: Base) -> Iterator[_Patch]:
    """Yield what is written when mtools is done."""
    if _is_formless(base):
        theirs = base.sector[_FORM_AT : _FORM_AT + _FORM_SIZE]
        yield _Patch(f"their-{_FORM_NAME}", theirs, _FORM_AT)


def _is_formless(base: Base) -> bool:
    return not base.boot.heads or not base.boot.sectors_per_track


def _has_copy(sector: bytes, copy: bytes) -> bool:
    """Whether the backup boot sector is one, of the same volume, whatever its code."""
    numbers = slice(fat_boot.fields(32)[0].start, _HIDDEN_AT)
    return copy[-2:] == fat_boot.SIGNATURE and copy[numbers] == sector[numbers]


def _wrong_count(base: Base, files: Files, where: str) -> int | None:
    """Return how many clusters are free, where FSInfo says another number; else None.

    mtools believes FSInfo: with 0 there it has a full disk, and what it counts on from a wrong
    number is wrong.
    """
    boot, size = base.boot, base.boot.bytes_per_sector
    if not boot.is_fat32 or not 0 < boot.fs_info_sector < boot.reserved_sectors:
        return None
    sector = files.read_range(base.path, boot.fs_info_sector * size, fat_boot.SIZE, where)
    said = int.from_bytes(sector[_FREE_AT : _FREE_AT + 4], "little")
    if (sector[:4], sector[484:488]) != (b"RRaA", b"rrAa") or said == fat_boot.UNKNOWN:
        return None
    start, left, free = boot.reserved_sectors * size, 4 * (base.clusters + 2), 0
    end = min(start + left, start + boot.sectors_per_fat * size)
    for place in range(start, end, _WINDOW):
        data = files.read_range(base.path, place, min(_WINDOW, end - place), where)
        free += fat_entries.unpack32(data).count(0)
    return None if free == said else free
