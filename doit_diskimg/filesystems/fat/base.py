"""From an image of somebody else's, a place and files to a recipe: mtools on a copy."""

from typing import TYPE_CHECKING, NamedTuple

from doit_diskimg.content import Files
from doit_diskimg.errors import BadImage, DescriptionError, WorldError, refuse
from doit_diskimg.filesystems.fat import contents, populate
from doit_diskimg.filesystems.fat.engines import mtools, staged
from doit_diskimg.filesystems.fat.engines.staged import Load
from doit_diskimg.ondisk import fat_boot, fat_dirent
from doit_diskimg.ondisk.fat_boot import BootSector
from doit_diskimg.ondisk.fat_dirent import Timestamp
from doit_diskimg.picture import Canvas, Picture
from doit_diskimg.recipe import PAYLOAD, Command, Must, Program, Recipe, Staged
from doit_diskimg.units import ceil_div

if TYPE_CHECKING:
    from doit_diskimg.filesystems.fat.image import FatImage
    from doit_diskimg.ports import Place

DD = Program("dd", "coreutils", ("--version",))

_HIDDEN = "hidden-sectors"
_HIDDEN_AT = 28  # BPB_HiddSec
_FAT12_BELOW, _FAT16_BELOW = 4085, 65525
_DIRTY = "BS_Reserved1"


class Base(NamedTuple):
    """What the boot sector of the image says."""

    path: str
    sector: bytes
    boot: BootSector

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


def read(image: "FatImage", files: Files, where: str, sector_size: int) -> Base:
    """Return what the image is.  Raises WorldError if it is no FAT volume for such a disk."""
    path, where = str(image.path), f"{where}.path"
    length = files.size(path, where)
    sector = files.read_range(path, 0, min(fat_boot.SIZE, length), where)
    try:
        base = Base(path, sector, BootSector.unpack(sector))
        clusters = base.clusters
    except (ValueError, ZeroDivisionError) as error:
        raise _no_volume(where, f"{path!r} is no FAT volume: {error}") from None
    if clusters < 1 or base.boot.is_fat32 != (base.fat == 32):
        raise _no_volume(where, f"{path!r} has {clusters:,} clusters, which no FAT of its kind has")
    if length < base.length:
        raise _no_volume(
            where, f"{path!r} has {length:,} bytes, its volume {base.length:,}: it is cut short"
        )
    if base.boot.bytes_per_sector != sector_size:
        found = f"{path!r} has sectors of {base.boot.bytes_per_sector} bytes, the disk's have "
        raise _no_volume(where, f"{found}{sector_size}")
    return base


def _no_volume(where: str, found: str) -> WorldError:
    must = "must be a whole FAT volume, without a partition table before it"
    return WorldError([BadImage(where, found, must, "name another image, or mend it")])


def draw(image: "FatImage", place: "Place", files: Files, where: str) -> Picture:
    """Return the bytes of the volume at ``place``.  Raises DescriptionError or WorldError."""
    base = read(image, files, where, place.sector_size)
    if base.length > place.extent.length:
        found = f"its volume has {base.length:,} bytes, the partition {place.extent.length:,}"
        raise _no_volume(f"{where}.path", found)
    added = image.added
    gathered = contents.gather(added, files, where)
    if gathered.wrong:
        raise DescriptionError([*gathered.wrong, *gathered.failed])
    what = gathered.contents
    digests, failed = populate.digests(what, files, whole=True)
    if gathered.failed or failed:
        raise WorldError([*gathered.failed, *failed])
    load = Load(
        root=what.root, stored=what.stored, digests=digests, time=Timestamp.of(place.epoch),
        times=populate.times(added, what, files, place.epoch),
    )
    refuse(mtools.faults(load, where))
    hidden = 0 if place.bare else place.extent.start // place.sector_size
    digest = files.digest(base.path, f"{where}.path")
    canvas = Canvas()
    canvas.made(place.extent.start, files.make(_recipe(base, load, hidden, digest), where))
    return canvas.picture(what.notes(where))


def _recipe(base: Base, load: Load, hidden: int, digest: str) -> Recipe:
    nodes = list(staged.paths(load))
    number = hidden.to_bytes(4, "little")
    sector = base.sector[:_HIDDEN_AT] + number + base.sector[_HIDDEN_AT + 4 :]
    seconds = load.time.epoch()
    return Recipe(
        length=base.length,
        staged=(
            Staged(PAYLOAD, base.path, digest),
            Staged(_HIDDEN, number, ""),
            *mtools.stage(load, nodes),
        ),
        commands=(*(_hide(place) for place in _copies(base)), *mtools.fill(nodes)),
        environment=mtools.environment(seconds),
        seconds=seconds,
        musts=tuple(
            Must(field.start, sector[field.start : field.end], field.name)
            for field in fat_boot.fields(base.fat) if field.name != _DIRTY
        ),
    )


def _copies(base: Base) -> list[int]:
    """Return where the boot sector lies, and its copy, in bytes of the volume."""
    copy = base.boot.backup_boot_sector * base.boot.bytes_per_sector
    return [0, copy] if 0 < copy < base.length else [0]


def _hide(place: int) -> Command:
    """Return the command that writes the sectors before the volume into a boot sector."""
    seek = f"seek={place + _HIDDEN_AT}"
    options = ("bs=1", seek, "conv=notrunc", "status=none")
    return Command(DD, (f"if={_HIDDEN}", f"of={PAYLOAD}", *options), silent=True)
