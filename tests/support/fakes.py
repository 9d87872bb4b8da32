"""Stand-ins for the outside world that keep a list of what was asked, and a model of the disk."""

import zlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from doit_diskimg.disk.model import Disk
from doit_diskimg.disk.placed import Region
from doit_diskimg.disk.sockets import Place, Room
from doit_diskimg.errors import Problem, SourceMissing, WorldError
from doit_diskimg.extent import Extent
from doit_diskimg.plan.content import Entry, Tree, Wanted, digest_of
from doit_diskimg.plan.patch import ImagePatch
from doit_diskimg.plan.picture import BLOB, Canvas, Picture, Piece
from doit_diskimg.plan.recipe import Chunk, Made, Recipe


@dataclass
class FakeFiles:
    """`content.Files` whose files are a mapping from path to bytes."""

    contents: Mapping[str, bytes] = field(default_factory=dict)
    asked: list[tuple[str, str, str]] = field(default_factory=list)
    """(question, path, where), in the order of the questions."""
    recipes: list[Recipe] = field(default_factory=list)

    def size(self, path: str, where: str) -> int:
        return len(self._answer("size", path, where))

    def digest(self, path: str, where: str) -> str:
        return digest_of(self._answer("digest", path, where))

    def part_digests(self, path: str, length: int, where: str) -> Sequence[str]:
        data = self._answer("part_digests", path, where)
        return [digest_of(data[at : at + length]) for at in range(0, len(data), length)]

    def range_digest(self, path: str, offset: int, length: int, where: str) -> str:
        data = self._answer("range_digest", path, where)[offset : offset + length]
        assert len(data) == length
        return digest_of(data)

    def read(self, path: str, where: str) -> bytes:
        return self._answer("read", path, where)

    def read_range(self, path: str, offset: int, length: int, where: str) -> bytes:
        return self._answer("read_range", path, where)[offset : offset + length]

    def crc32(self, path: str, offset: int, length: int, before: int, where: str) -> int:
        return zlib.crc32(self._answer("crc32", path, where)[offset : offset + length], before)

    def executable(self, path: str, where: str) -> bool:
        self._answer("executable", path, where)
        return path.endswith(".sh")

    def make(self, recipe: Recipe, where: str) -> Made:
        self.asked.append(("make", recipe.commands[0].program.name, where))
        self.recipes.append(recipe)
        return Made("the payload", (Chunk(0, 512, "d0"), Chunk(1 << 20, 512, "d1")))

    def walk(self, tree: Tree, where: str) -> Sequence[Entry]:
        self.asked.append(("walk", str(tree.dir), where))
        prefix = f"{tree.dir}/"
        return [
            Entry(path.removeprefix(prefix), path)
            for path in sorted(self.contents)
            if path.startswith(prefix)
        ]

    def _answer(self, question: str, path: str, where: str) -> bytes:
        self.asked.append((question, path, where))
        if path not in self.contents:
            raise WorldError(SourceMissing(where, f"no {path!r}", "must be there", "make it"))
        return self.contents[path]


@dataclass(frozen=True)
class FakePayload:
    """A payload of ``length`` bytes; complains as it is told."""

    length: int = 512
    complaints: Sequence[Problem] = ()
    populated: bool = False

    def problems(self, where: str, size: int | None, sector_size: int) -> Iterator[Problem]:
        yield from self.complaints

    def sources(self, where: str) -> Sequence[Wanted]:
        return []

    def blank(self) -> object:
        return self.length

    def room(self, size: int | None, files: object, where: str, sector_size: int) -> Room:
        return Room(length=self.length)

    def fill(self, place: Place, files: object, where: str) -> Picture:
        canvas = Canvas()
        canvas.content(place.extent.start, b"x" * self.length)
        return canvas.picture()


@dataclass(frozen=True)
class FakeTable:
    """A table that takes ``head`` bytes at the start of the disk and ``tail`` bytes at its end."""

    head: int = 1024
    tail: int = 512
    sector_size: int = 512
    complaints: Sequence[Problem] = ()

    def problems(self, disk: object) -> Iterator[Problem]:
        yield from self.complaints

    def regions(self, size: int) -> list[Region]:
        return [
            Region(name="head", where="table", extent=Extent(0, self.head)),
            Region(name="tail", where="table", extent=Extent(size - self.tail, self.tail)),
        ]

    def usable(self, size: int) -> Extent:
        return Extent(self.head, size - self.head - self.tail)

    def size_for(self, end: int) -> int | None:
        return end + self.tail

    def numbers(self, disk: Disk) -> list[int]:
        return list(range(1, len(disk.partitions) + 1))

    def chain(self, disk: object) -> None:
        return None

    def type_of(self, partition: object, payload_type: str | None) -> str:
        described = getattr(partition, "type", None)
        if described == "unknown":
            raise ValueError("'unknown' is not a type")
        return str(described or payload_type or "some type")

    def encode(self, size: int, identity: object, partitions: object) -> Picture:
        canvas = Canvas()
        canvas.data(0, f"{identity} {partitions}".encode())
        return canvas.picture()


# A disk in memory --------------------------------------------------------------------------------


def data_of(piece: Piece, blob: bytes, files: Mapping[str, bytes]) -> bytes:
    """Return the bytes that a piece stands for."""
    source = blob if piece.file == BLOB else files[piece.file]
    data = source[piece.offset : piece.offset + piece.length]
    assert len(data) == piece.length
    return data


def render(picture: Picture, size: int, files: Mapping[str, bytes]) -> bytes:
    """Return a disk of ``size`` bytes that holds a picture and is zero elsewhere."""
    disk = bytearray(size)
    for piece in picture.pieces:
        disk[piece.start : piece.end] = data_of(piece, picture.blob, files)
    assert len(disk) == size
    return bytes(disk)


def patched(old: bytes, patch: ImagePatch, blob: bytes, files: Mapping[str, bytes]) -> bytes:
    """Return the disk ``old`` after a patch, carried out backwards: the order may not matter."""
    disk = bytearray(old)
    for piece in reversed(patch.writes):
        disk[piece.start : piece.end] = data_of(piece, blob, files)
    for extent in reversed(patch.zeros):
        disk[extent.start : extent.end] = bytes(extent.length)
    assert len(disk) == len(old)
    return bytes(disk)
