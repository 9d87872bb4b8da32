"""A FAT volume of somebody else's, with files of ours added or replaced.

The numbers, the label and everything that is not replaced stay theirs.  mtools works on a copy, as
the engine of that name does; the volume is a function of the image's bytes and of the files, so it
is made anew when either changes, and never changed in place.
"""

from collections.abc import Iterator, Mapping
from dataclasses import KW_ONLY, field
from os import PathLike, fsdecode
from typing import TYPE_CHECKING, Literal

from doit_diskimg.frozen import dataclass
from doit_diskimg.plan.content import Files, Sources, Wanted

if TYPE_CHECKING:
    from doit_diskimg.disk.ports import Place, Room
    from doit_diskimg.errors import Problem
    from doit_diskimg.kinds.filesystems.fat.volume import Fat
    from doit_diskimg.plan.picture import Picture


@dataclass(frozen=True)
class FatImage:
    """What `Fat.from_image` returns: the volume that fills ``path``, with ``files`` put into it.

    ``files``, ``attributes`` and ``times`` are as those of `Fat`.
    """

    path: str | PathLike[str]
    files: Mapping[str, Sources] = field(default_factory=dict)
    _: KW_ONLY
    attributes: Mapping[str, str] = field(default_factory=dict)
    times: Literal["epoch", "source", "clamped"] = "epoch"

    @property
    def populated(self) -> bool:
        """A file system is formatted and populated; see `ports.Payload`."""
        return True

    @property
    def added(self) -> "Fat":
        """What is put into the volume, as a description of its own."""
        from doit_diskimg.kinds.filesystems.fat.volume import Fat

        return Fat(self.files, attributes=self.attributes, times=self.times)

    def sources(self, where: str) -> Iterator[Wanted]:
        """Yield the image, then the files and trees of the host."""
        if isinstance(self.path, (str, PathLike)):
            yield Wanted(f"{where}.path", fsdecode(self.path), decides_room=True)
        yield from self.added.sources(where)

    def blank(self) -> object:
        """Return what decides the room: the image, of which the rest is asked by its path."""
        return self.path

    def problems(self, where: str, size: int | None, sector_size: int) -> "Iterator[Problem]":
        """Yield what is wrong with the description; see `ports.Payload`."""
        from doit_diskimg.errors import BadValue

        if not isinstance(self.path, (str, PathLike)) or not fsdecode(self.path):
            yield BadValue(
                f"{where}.path", f"{self.path!r} is no path", "must be the path of a FAT volume",
                'write for example Fat.from_image("vendor.img", {...})',
            )
        yield from self.added.problems(where, size or _ENOUGH, sector_size)

    def room(self, size: int | None, files: Files, where: str, sector_size: int) -> "Room":
        """Return the volume's length and type.  Raises WorldError if it is no FAT volume."""
        from doit_diskimg.disk.ports import Room
        from doit_diskimg.kinds.filesystems.fat import base
        from doit_diskimg.units import format_size

        found = base.read(self, files, where, sector_size)
        return Room(
            length=found.length,
            type=f"fat{found.fat}",
            facts=(
                ("file system", f"FAT{found.fat} of {fsdecode(self.path)}"),
                ("cluster", format_size(found.cluster_size)),
                ("clusters", f"{found.clusters:,}"),
            ),
        )

    def fill(self, place: "Place", files: Files, where: str) -> "Picture":
        """Return the bytes of the volume.  Raises DescriptionError or WorldError."""
        from doit_diskimg.kinds.filesystems.fat import base

        return base.draw(self, place, files, where)


_ENOUGH = 1 << 30
"""A size for which nothing is wrong, where only names are looked at."""
