"""`Fat` and `FatImage`: a FAT volume as the user describes it, ours or an existing one.

Every `doit` imports this module, so it imports next to nothing; the work is done by its siblings:
`planner` for the one, `fat_image` for the other.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import KW_ONLY, field, replace
from os import PathLike, fsdecode
from typing import Literal, TypeAlias, get_args

from doit_diskimg.disk.segment import CodeSource
from doit_diskimg.disk.sockets import Payload, Place, Room
from doit_diskimg.disk.symbols import Symbol
from doit_diskimg.errors import Problem
from doit_diskimg.extent import Extent
from doit_diskimg.frozen import dataclass, keep_copies
from doit_diskimg.plan.content import Files, Sources, Wanted, each, wanted_files
from doit_diskimg.plan.picture import Picture
from doit_diskimg.units import SECTOR, SizeLike, parse_size

EngineName: TypeAlias = Literal["native", "mtools", "pyfatfs", "guestfish"]
"""Who writes the volume; see `engines`."""


@dataclass(frozen=True, described=True)
class Fat(Payload):
    """A FAT volume and what is in it.

    ``files`` maps paths in the volume (``"EFI/BOOT/BOOTX64.EFI"``) to sources: a path of the host,
    ``bytes``, or a ``Tree``, which is merged into the directory that its key names (``"/"`` is the
    root); or a list of these, as if each had that key for itself.  ``size`` is the
    volume's, the partition's unless given.

    **Size.**  Without one, or with ``"auto"``, in a partition without one, the volume is the
    smallest that holds its files and leaves ``free`` free: ``"10%"`` of itself (the default) or a
    size such as ``"4MiB"``; in steps of up to an eighth, so that a file that grows seldom changes
    it; at least ``minimum``.  With ``free=0`` it is exactly as long as it must be.  ``free`` and
    ``minimum`` hold for a given size too.

    **Numbers.**  ``fat`` (12, 16 or 32) and ``cluster_size`` are chosen by size unless given;
    ``prefer`` is the type to take where the size allows it.
    ``root_entries`` (512), ``number_of_fats`` (2), ``media`` (0xF8), ``drive_number`` (0x80) and
    ``oem_name`` (``"MSWIN4.1"``) go into the boot sector; diskettes have values of their own.
    ``hidden_sectors`` are those before the partition unless given.  ``label`` has up to 11
    upper-case characters, or of both cases with ``lower_case_label``.  ``volume_id`` is a number or
    text such as ``"1234-ABCD"``, and comes from the partition's GUID unless given.

    **Booting.**  ``boot_sector`` is the path of up to 512 bytes, or bytes: the jump, the OEM name
    and the code are taken from it, the BPB is the volume's, and a number in it that is neither
    zero nor the volume's is an error, unless ``bpb="replace"`` says that the sector's own are made
    up.  ``reserved`` maps sectors of the volume to what lies in them, a stage 2 for example; there
    are as many reserved sectors as it takes, or ``reserved_sectors``.  Either may be `BootCode`,
    whose patches can hold the places of the volume's own files.

    **Files.**  Files lie apart, where there is room, so that one that is added moves no other.
    ``first`` are paths whose entries and clusters come before all others, as loaders of DOS need
    them, and ``low`` are paths whose clusters come next, for code that reaches no high sectors.
    ``attributes`` maps paths to letters: ``r`` read-only, ``h`` hidden, ``s``
    system, ``a`` archive, which files have unless told otherwise.  ``times="source"`` gives files
    the time stamps of the host's; the default is that of the whole build (SOURCE_DATE_EPOCH, or
    1980), and with ``"clamped"`` a file has its own unless that is later.  ``long_names=False``
    makes an 8.3 volume, upper case, in which other names are errors.  ``case_bits=True`` stores
    ``kernel.elf`` without a long name, for readers that know the bits.

    **Engine.**  ``"native"`` is our own planner.  ``"mtools"``, ``"pyfatfs"`` and ``"guestfish"``
    are other people's programs, which make the same volume by the same numbers: files, names,
    contents, attributes, label, volume id and type are equal, the places of the clusters are not.
    """

    files: Mapping[str, Sources] = field(default_factory=dict)
    _: KW_ONLY
    fat: Literal[12, 16, 32] | None = None
    prefer: Literal[12, 16, 32] | None = None
    size: SizeLike | None = None
    free: SizeLike | None = None
    minimum: SizeLike | None = None
    label: str | None = None
    lower_case_label: bool = False
    volume_id: int | str | None = None
    cluster_size: SizeLike | None = None
    root_entries: int | None = None
    reserved_sectors: int | None = None
    reserved: Mapping[int, str | PathLike[str] | bytes | CodeSource] = field(default_factory=dict)
    number_of_fats: int = 2
    media: int | None = None
    hidden_sectors: int | None = None
    drive_number: int | None = None
    oem_name: str | None = None
    boot_sector: str | PathLike[str] | bytes | CodeSource | None = None
    bpb: Literal["match", "replace"] = "match"
    first: Sequence[str] = ()
    low: Sequence[str] = ()
    attributes: Mapping[str, str] = field(default_factory=dict)
    times: Literal["epoch", "source", "clamped"] = "epoch"
    long_names: bool = True
    case_bits: bool = False
    engine: EngineName = "native"

    def __post_init__(self) -> None:
        keep_copies(self)

    populated = True

    def sources(self, where: str) -> Iterator[Wanted]:
        yield from wanted_files(self.files, where)
        decides = self.reserved_sectors is None
        for sector, part in self.reserved.items():
            for want in _wanted_code(part, f"{where}.reserved[{sector!r}]"):
                yield Wanted(want.where, want.source, decides)
        yield from _wanted_code(self.boot_sector, f"{where}.boot_sector")

    def asks(self, where: str) -> Iterator[tuple[str, Symbol]]:
        if isinstance(self.boot_sector, CodeSource):
            yield from self.boot_sector.asks(f"{where}.boot_sector")
        for sector, source in self.reserved.items():
            if isinstance(source, CodeSource):
                yield from source.asks(f"{where}.reserved[{sector!r}]")

    def blank(self) -> object:
        """Return what decides the geometry, sizes in bytes.

        Without a size of its own that includes which files there are, and how long inline ones.
        """
        return {
            "fat": self.fat,
            "prefer": self.prefer,
            "size": _bytes(self.size),
            "cluster_size": _bytes(self.cluster_size),
            "reserved": _shape(self.reserved),
            **{name: getattr(self, name) for name in _NUMBERS},
            "contents": self._contents() if self.size in (None, "auto") else None,
        }

    def _contents(self) -> object:
        names = self.long_names, self.case_bits, self.label is not None, self.first
        return [_shape(self.files), *names]

    def problems(
        self, where: str, size: int | None, sector_size: int = SECTOR
    ) -> Iterator[Problem]:
        from doit_diskimg.kinds.filesystems.fat import fat_check

        return fat_check.all_problems(self, where, size, sector_size)

    def room(
        self, size: int | None, files: Files, where: str, sector_size: int = SECTOR
    ) -> Room:
        from doit_diskimg.kinds.filesystems.fat import planner

        return planner.room(self, size, files, where, sector_size)

    def fill(self, place: Place, files: Files, where: str) -> Picture:
        from doit_diskimg.kinds.filesystems.fat import planner

        return planner.fill(self, place, files, where)

    def unlocatable(self, path: str) -> str:
        from doit_diskimg.kinds.filesystems.fat import planner

        return planner.unlocatable(self, path)

    def locate(
        self, paths: Sequence[str], place: Place, files: Files, where: str
    ) -> Mapping[str, Extent | str]:
        from doit_diskimg.kinds.filesystems.fat import planner

        return planner.locate(self, paths, place, files, where)

    def needed(self, extent: Extent, picture: Picture) -> Iterable[Extent]:
        from doit_diskimg.kinds.filesystems.fat import planner

        return planner.needed(extent, picture)

    def listing(self, files: Files, where: str) -> Mapping[str, str | None]:
        from doit_diskimg.kinds.filesystems.fat import planner

        return planner.listing(self, files, where)

    def by_engine(self) -> "Mapping[str, Fat]":
        return {name: replace(self, engine=name) for name in get_args(EngineName)}


@dataclass(frozen=True, described=True)
class FatImage(Payload):
    """An existing FAT volume, the file ``path``, with ``files`` of yours put into it.

    What is there already under the name of a file is replaced, all else stays: the numbers, the
    label, other files.  ``files``, ``attributes`` and ``times`` are as those of `Fat`.  mtools does
    it on a copy (packages mtools and coreutils), and anew when the image or one of the files
    changes.
    """

    path: str | PathLike[str]
    files: Mapping[str, Sources] = field(default_factory=dict)
    _: KW_ONLY
    attributes: Mapping[str, str] = field(default_factory=dict)
    times: Literal["epoch", "source", "clamped"] = "epoch"

    populated = True

    def __post_init__(self) -> None:
        keep_copies(self)

    @property
    def added(self) -> Fat:
        """What is put into the volume, as a description of its own."""
        return Fat(self.files, attributes=self.attributes, times=self.times)

    def sources(self, where: str) -> Iterator[Wanted]:
        if isinstance(self.path, (str, PathLike)):
            yield Wanted(f"{where}.path", fsdecode(self.path), decides_room=True)
        yield from self.added.sources(where)

    def blank(self) -> object:
        """Return what decides the room: the image, of which the rest is asked by its path."""
        return self.path

    def problems(self, where: str, size: int | None, sector_size: int) -> Iterator[Problem]:
        from doit_diskimg.kinds.filesystems.fat import fat_image

        return fat_image.problems(self, where, size, sector_size)

    def room(self, size: int | None, files: Files, where: str, sector_size: int) -> Room:
        from doit_diskimg.kinds.filesystems.fat import fat_image

        return fat_image.room(self, files, where, sector_size)

    def fill(self, place: Place, files: Files, where: str) -> Picture:
        from doit_diskimg.kinds.filesystems.fat import fat_image

        return fat_image.draw(self, place, files, where)


_NUMBERS = ("root_entries", "reserved_sectors", "number_of_fats", "free", "minimum")


def _shape(sources: object) -> object:
    """Return the names of ``sources``, and of inline bytes only how many there are."""
    if not isinstance(sources, Mapping):
        return None
    return [
        [str(key), *(len(one) if isinstance(one, bytes) else one for _, one in each(source, ""))]
        for key, source in sorted(_plain(sources), key=lambda item: str(item[0]))
    ]


def _plain(sources: Mapping[object, object]) -> Iterator[tuple[object, object]]:
    """Yield each source by its key; of boot code, what is patched into it decides no room."""
    for key, source in sources.items():
        is_code = isinstance(source, CodeSource)
        yield key, getattr(source, "source", source) if is_code else source


def _wanted_code(source: object, where: str) -> Iterable[Wanted]:
    """Return the files of the host that one boot sector or stage 2 is made of."""
    if isinstance(source, (str, PathLike)):
        return [Wanted(where, fsdecode(source))]
    return source.wanted(where) if isinstance(source, CodeSource) else ()


def _bytes(size: SizeLike | None) -> object:
    """Return ``size`` in bytes, or as it is if it is no size: `problems` says so."""
    try:
        return None if size is None else parse_size(size)
    except ValueError:
        return size
