"""`Fat`: a FAT volume as the user describes it.

Every `doit` imports this module, so it imports next to nothing; the work is done by its siblings.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import KW_ONLY, field
from os import PathLike, fsdecode
from typing import TYPE_CHECKING, Literal, TypeAlias

from doit_diskimg.frozen import dataclass, keep_copies
from doit_diskimg.plan.content import Files, Sources, Tree, Wanted, each, wanted
from doit_diskimg.units import SECTOR, SizeLike, exact_size, parse_size

if TYPE_CHECKING:
    from doit_diskimg.disk.bootcode import BootCode
    from doit_diskimg.disk.ports import Place, Room
    from doit_diskimg.disk.symbols import Symbol
    from doit_diskimg.errors import Problem
    from doit_diskimg.extent import Extent
    from doit_diskimg.kinds.filesystems.fat.fat_image import FatImage
    from doit_diskimg.plan.picture import Picture

EngineName: TypeAlias = Literal["native", "mtools", "pyfatfs", "guestfish"]
"""Who writes the volume; see `engines`."""


@dataclass(frozen=True)
class Fat:
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

    **Files.**  ``first`` are paths whose entries and clusters come before all others, as loaders
    of DOS need them.  ``attributes`` maps paths to letters: ``r`` read-only, ``h`` hidden, ``s``
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
    reserved: "Mapping[int, str | PathLike[str] | bytes | BootCode]" = field(default_factory=dict)
    number_of_fats: int = 2
    media: int | None = None
    hidden_sectors: int | None = None
    drive_number: int | None = None
    oem_name: str | None = None
    boot_sector: "str | PathLike[str] | bytes | BootCode | None" = None
    bpb: Literal["match", "replace"] = "match"
    first: Sequence[str] = ()
    attributes: Mapping[str, str] = field(default_factory=dict)
    times: Literal["epoch", "source", "clamped"] = "epoch"
    long_names: bool = True
    case_bits: bool = False
    engine: EngineName = "native"

    @staticmethod
    def from_image(
        path: str | PathLike[str],
        files: Mapping[str, Sources] | None = None,
        *,
        attributes: Mapping[str, str] | None = None,
        times: Literal["epoch", "source", "clamped"] = "epoch",
    ) -> "FatImage":
        """Return the volume of somebody else's that fills ``path``, with ``files`` put into it.

        What is there already under the name of a file is replaced, all else stays.  mtools does
        that on a copy (packages mtools and coreutils).
        """
        from doit_diskimg.kinds.filesystems.fat.fat_image import FatImage

        return FatImage(path, files or {}, attributes=attributes or {}, times=times)

    def __post_init__(self) -> None:
        keep_copies(self)

    @property
    def populated(self) -> bool:
        """A file system is formatted and populated; see `ports.Payload`."""
        return True

    def sources(self, where: str) -> Iterator[Wanted]:
        """Yield the files and trees of the host, in the order of their keys."""
        for key in sorted(self.files, key=str):
            yield from wanted(self.files[key], f"{where}.files[{key!r}]")
        decides = self.reserved_sectors is None
        for sector, part in self.reserved.items():
            if isinstance(part, (str, PathLike)):
                yield Wanted(f"{where}.reserved[{sector!r}]", fsdecode(part), decides)
            elif code := _boot_code(part):
                for want in code.wanted(f"{where}.reserved[{sector!r}]"):
                    yield want._replace(decides_room=decides)
        if isinstance(self.boot_sector, (str, PathLike)):
            yield Wanted(f"{where}.boot_sector", fsdecode(self.boot_sector))
        elif code := _boot_code(self.boot_sector):
            yield from code.wanted(f"{where}.boot_sector")

    def asks(self, where: str) -> "Iterator[tuple[str, Symbol]]":
        """Yield the symbols in its boot code; see `abilities.Asking`."""
        if code := _boot_code(self.boot_sector):
            yield from code.asks(f"{where}.boot_sector")
        for sector, source in self.reserved.items():
            if code := _boot_code(source):
                yield from code.asks(f"{where}.reserved[{sector!r}]")

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
        names = self.long_names, self.case_bits, self.label is not None
        return [_shape(self.files), *names]

    def problems(
        self, where: str, size: int | None, sector_size: int = SECTOR
    ) -> "Iterator[Problem]":
        """Yield what is wrong with the description; see `ports.Payload`."""
        from doit_diskimg.kinds.filesystems.fat import contents, fat_check

        found = list(fat_check.problems(self, where, size, sector_size=sector_size))
        yield from found
        for problem in contents.gather(self, None, where).wrong:
            if problem not in found:
                yield problem

    def room(
        self, size: int | None, files: Files, where: str, sector_size: int = SECTOR
    ) -> "Room":
        """Return the volume's length and type.  Raises DescriptionError if the size can't work."""
        from doit_diskimg.disk.ports import Room
        from doit_diskimg.kinds.filesystems.fat import decide, fat_check
        from doit_diskimg.units import format_size

        geometry = decide.geometry(self, size, files, where, sector_size)
        given = fat_check.length(self, size)
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

    def fill(self, place: "Place", files: Files, where: str) -> "Picture":
        """Return the bytes of the volume.  Raises DescriptionError or WorldError."""
        from doit_diskimg.kinds.filesystems.fat import decide

        return decide.draw(self, place, files, where)

    def unlocatable(self, path: str) -> str:
        """Return what speaks against a file at ``path``; see `abilities.Locating`."""
        from doit_diskimg.kinds.filesystems.fat import contents

        if self.engine != "native":
            return f"engine={self.engine!r} decides where it lies, native says so beforehand"
        return contents.unlocatable(self, path)

    def locate(
        self, paths: Sequence[str], place: "Place", files: Files, where: str
    ) -> "Mapping[str, Extent | str]":
        """Return the places of files on the disk; see `abilities.Locating`."""
        from doit_diskimg.kinds.filesystems.fat import decide

        return decide.locate(self, paths, place, files, where)

    def needed(self, extent: "Extent", picture: "Picture") -> "Iterable[Extent]":
        """Yield what some reader relies on; see `abilities.Selective`."""
        from doit_diskimg.kinds.filesystems.fat.needed import needed

        return needed(extent, picture)


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
        code = _boot_code(source)
        yield key, code.source if code else source


def _boot_code(source: object) -> "BootCode | None":
    """Return ``source`` if it is boot code, whose module only those import who have some."""
    if source is None or isinstance(source, (str, bytes, Tree, PathLike)):
        return None
    from doit_diskimg.disk.bootcode import BootCode

    return source if isinstance(source, BootCode) else None


def _bytes(size: SizeLike | None) -> object:
    """Return ``size`` in bytes, or as it is if it is no size: `problems` says so."""
    try:
        return None if size is None else parse_size(size)
    except ValueError:
        return size
