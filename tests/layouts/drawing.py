"""A whole disk without doit: description, layout, bytes.  The files of the host are a mapping."""

from collections.abc import Mapping
from pathlib import Path

from doit_diskimg.disk.identity import identity_of, partition_guid
from doit_diskimg.disk.layout import place
from doit_diskimg.disk.model import Disk
from doit_diskimg.disk.placed import Layout
from doit_diskimg.disk.segment import Segment
from doit_diskimg.disk.sockets import Place, Room
from doit_diskimg.errors import SourceMissing, WorldError, refuse
from doit_diskimg.plan.content import Entry, Tree, digest_of
from doit_diskimg.plan.picture import BLOB, Picture

EPOCH = 315532800


class Files:
    """`content.Files` from a mapping."""

    def __init__(self, contents: Mapping[str, bytes]) -> None:
        self.contents = contents

    def size(self, path: str, where: str) -> int:
        return len(self._read(path, where))

    def digest(self, path: str, where: str) -> str:
        return digest_of(self._read(path, where))

    def part_digests(self, path: str, length: int, where: str) -> list[str]:
        raise NotImplementedError

    def range_digest(self, path: str, offset: int, length: int, where: str) -> str:
        return digest_of(self._read(path, where)[offset : offset + length])

    def walk(self, tree: Tree, where: str) -> list[Entry]:
        raise NotImplementedError

    def _read(self, path: str, where: str) -> bytes:
        if path not in self.contents:
            raise WorldError(SourceMissing(where, f"no {path!r}", "must be there", "make it"))
        return self.contents[path]


def lay_out(disk: Disk, contents: Mapping[str, bytes]) -> Layout:
    """Return the layout, as the tasks make it.  Raises DescriptionError."""
    refuse(disk.problems())
    files = Files(contents)

    def room(index: int, length: int | None) -> Room:
        part = disk.parts()[index]
        return part.payload.room(length, files, part.where, disk.sector_size)

    rooms = [
        room(part.index, part.wish.length) if part.wish.asked_first else Room(length=0)
        for part in disk.parts()
    ]
    lengths = {
        segment.name: segment.measure(files, where) for where, segment in disk.outside
    }
    return place(disk, rooms, lengths, room)


def start_of(segment: Segment, layout: Layout) -> int | None:
    return layout.extent(segment.name).start if segment.start is None else None


def draw(disk: Disk, contents: Mapping[str, bytes], path: Path) -> Layout:
    """Write the image to ``path``."""
    layout, files = lay_out(disk, contents), Files(contents)
    pictures = [
        part.payload.fill(
            Place(
                extent=layout.extent(part.name),
                sector_size=disk.sector_size,
                identity=partition_guid(disk, part),
                epoch=EPOCH,
                bare=disk.is_one_volume,
            ),
            files,
            f"partitions[{index}]",
        )
        for index, part in enumerate(disk.partitions)
    ]
    pictures += [
        segment.fill(files, where, start=start_of(segment, layout))
        for where, segment in disk.outside
    ]
    if disk.table is not None:
        pictures.append(disk.table.encode(layout.size, identity_of(disk), layout.recorded()))
    with path.open("xb") as image:
        image.truncate(layout.size)
        for picture in pictures:
            _paint(picture, contents, image)
    return layout


def _paint(picture: Picture, contents: Mapping[str, bytes], image: object) -> None:
    for piece in picture.pieces:
        source = picture.blob if piece.file == BLOB else contents[piece.file]
        data = source[piece.offset : piece.offset + piece.length]
        assert len(data) == piece.length
        assert not piece.digest or digest_of(data) == piece.digest
        image.seek(piece.start)  # type: ignore[attr-defined]
        image.write(data)  # type: ignore[attr-defined]
