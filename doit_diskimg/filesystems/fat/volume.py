"""`Fat`: a FAT volume as the user describes it.

Every `doit` imports this module, so it imports next to nothing; the work is done by its siblings.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import KW_ONLY, dataclass, field
from os import PathLike, fsdecode
from typing import TYPE_CHECKING

from doit_diskimg.content import Files, Source, Tree, Wanted
from doit_diskimg.units import SizeLike, parse_size

if TYPE_CHECKING:
    from doit_diskimg.errors import Problem
    from doit_diskimg.extent import Extent
    from doit_diskimg.picture import Picture
    from doit_diskimg.ports import Place, Room


@dataclass(frozen=True)
class Fat:
    """A FAT volume and what is in it.

    ``files`` maps paths in the volume (``"EFI/BOOT/BOOTX64.EFI"``) to sources: a path of the host,
    ``bytes``, or a ``Tree``, which is merged into the directory that its key names (``"/"`` is the
    root).  ``size`` is the volume's, the partition's unless given.

    ``fat`` (12, 16 or 32) and ``cluster_size`` are chosen by size unless given.  ``label`` has up
    to 11 upper-case characters.  ``volume_id`` is a number or text such as ``"1234-ABCD"``, and
    comes from the partition's GUID unless given.
    """

    files: Mapping[str, Source] = field(default_factory=dict)
    _: KW_ONLY
    fat: int | None = None
    size: SizeLike | None = None
    label: str | None = None
    volume_id: int | str | None = None
    cluster_size: SizeLike | None = None

    @property
    def populated(self) -> bool:
        """A file system is formatted and populated; see `ports.Payload`."""
        return True

    def sources(self, where: str) -> Iterator[Wanted]:
        """Yield the files and trees of the host, in the order of their keys."""
        for key in sorted(self.files, key=str):
            source = self.files[key]
            if isinstance(source, (str, PathLike)):
                yield Wanted(f"{where}.files[{key!r}]", fsdecode(source))
            elif isinstance(source, Tree):
                yield Wanted(f"{where}.files[{key!r}]", source)

    def blank(self) -> object:
        """Return what decides the geometry, sizes in bytes."""
        return {
            "fat": self.fat,
            "size": _bytes(self.size),
            "cluster_size": _bytes(self.cluster_size),
        }

    def problems(self, where: str, size: int | None) -> "Iterator[Problem]":
        """Yield what is wrong with the description; see `ports.Payload`."""
        from doit_diskimg.filesystems.fat import check, tree

        yield from check.problems(self, where, size)
        yield from tree.gather(self.files, None, where).wrong

    def room(self, size: int | None, files: Files, where: str) -> "Room":
        """Return the volume's length and type.  Raises DescriptionError if the size can't work."""
        from doit_diskimg.errors import BadSize, refuse
        from doit_diskimg.filesystems.fat import check
        from doit_diskimg.ports import Room
        from doit_diskimg.units import format_size

        refuse(check.problems(self, where, size))
        if size is None and self.size is None:
            found, must = "neither the partition nor the volume has one", "a FAT volume has a size"
            change = 'give the partition a size, for example "33MiB"'
            refuse([BadSize(f"{where}.size", found, must, change)])
        length = check.length(self, size)
        geometry = check.geometry(self, length, where)
        return Room(
            length=length,
            type=f"fat{geometry.fat}",
            facts=(
                ("file system", f"FAT{geometry.fat}"),
                ("cluster", format_size(geometry.cluster_size)),
                ("clusters", f"{geometry.clusters:,}"),
            ),
        )

    def fill(self, place: "Place", files: Files, where: str) -> "Picture":
        """Return the bytes of the volume.  Raises DescriptionError or WorldError."""
        from doit_diskimg.filesystems.fat import build, populate

        return build.draw(populate.volume(self, place, files, where))

    def needed(self, extent: "Extent", picture: "Picture") -> "Iterable[Extent]":
        """Yield what some reader relies on; see `ports.Selective`."""
        from doit_diskimg.filesystems.fat.needed import needed

        return needed(extent, picture)


def _bytes(size: SizeLike | None) -> object:
    """Return ``size`` in bytes, or as it is if it is no size: `problems` says so."""
    try:
        return None if size is None else parse_size(size)
    except ValueError:
        return size
