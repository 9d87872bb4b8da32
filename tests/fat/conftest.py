"""A bench for volumes: a fake world for sources, images in sparse files, and the judges.

The judges are other people's: fsck.fat, mtools, pyfatfs.  What they let pass although no volume
should have it (facts: wrong checksums, illegal short names, a backup that differs) is looked for
by `strict`, which reads bytes with `struct` and shares nothing with what wrote them.
"""

import os
import re
import shutil
import struct
import subprocess
import uuid
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from tools import tool
from volumes import read_volume

from doit_diskimg.disk.sockets import Place
from doit_diskimg.errors import SourceMissing, WorldError
from doit_diskimg.extent import Extent
from doit_diskimg.kinds.filesystems.fat.volume import Fat
from doit_diskimg.plan.content import Entry, Tree, digest_of
from doit_diskimg.plan.picture import BLOB, Picture

EPOCH = 1700000001
IDENTITY = uuid.UUID(int=0x0BADCAFE12345678)
WHERE = "partitions[0]"


@dataclass
class FakeFiles:
    """A file system in a dictionary; an int is that many zero bytes.  Notes what was asked."""

    contents: Mapping[str, bytes | int] = field(default_factory=dict)
    empty: Sequence[str] = ()
    """Empty directories."""
    asked: list[tuple[str, str]] = field(default_factory=list)
    before: Mapping[str, int] = field(default_factory=dict)
    """Lengths at the last build."""
    mtimes: Mapping[str, int] = field(default_factory=dict)

    def read(self, path: str, where: str) -> bytes:
        self.asked.append(("read", path))
        return self._get(path, where)

    def read_range(self, path: str, offset: int, length: int, where: str) -> bytes:
        self.asked.append(("read_range", path))
        return self._get(path, where)[offset : offset + length]

    def mtime(self, path: str, where: str) -> int:
        self.asked.append(("mtime", path))
        self._get(path, where)
        return self.mtimes[path]

    def size_before(self, path: str) -> int | None:
        return self.before.get(path)

    def size(self, path: str, where: str) -> int:
        self.asked.append(("size", path))
        data = self._get(path, where)
        return data if isinstance(data, int) else len(data)

    def digest(self, path: str, where: str) -> str:
        self.asked.append(("digest", path))
        data = self._get(path, where)
        return digest_of(b"%d zeros" % data if isinstance(data, int) else data)

    def part_digests(self, path: str, length: int, where: str) -> list[str]:
        size = self.size(path, where)
        return [digest_of(b"%d of %d" % (at, size)) for at in range(0, size, length)]

    def walk(self, tree: Tree, where: str) -> list[Entry]:
        self.asked.append(("walk", str(tree.dir)))
        above = f"{tree.dir}/"
        below = {path[len(above) :]: path for path in self.contents if path.startswith(above)}
        empty = [path[len(above) :] for path in self.empty if path.startswith(above)]
        if not below and not empty:
            raise WorldError(_missing(str(tree.dir), where))
        folders = set(empty)
        for path in (*below, *empty):
            parts = path.split("/")[:-1]
            folders |= {"/".join(parts[: n + 1]) for n in range(len(parts))}
        return sorted(Entry(path, below.get(path)) for path in {*below, *folders})

    def _get(self, path: str, where: str) -> bytes | int:
        if path not in self.contents:
            raise WorldError(_missing(path, where))
        return self.contents[path]


def _missing(path: str, where: str) -> SourceMissing:
    return SourceMissing(where, f"{path!r} is missing", "must be there", "make it")


@dataclass(frozen=True)
class Bench:
    """Plans volumes, writes them into sparse files, and has them judged."""

    folder: Path

    def fill(
        self,
        fat: Fat,
        size: int,
        files: FakeFiles | None = None,
        *,
        start: int = 0,
        bare: bool = True,
        epoch: int = EPOCH,
        sector_size: int = 512,
    ) -> Picture:
        place = Place(
            extent=Extent(start, size), sector_size=sector_size, identity=IDENTITY, epoch=epoch,
            bare=bare,
        )
        return fat.fill(place, files or FakeFiles(), WHERE)

    def image(self, picture: Picture, end: int, files: FakeFiles | None = None) -> Path:
        """Write a picture into a new file of ``end`` bytes."""
        path = self.folder / "disk.img"
        path.unlink(missing_ok=True)
        with open(path, "xb") as file:
            file.truncate(end)
            for piece in picture.pieces:
                assert piece.end <= end
                data = picture.blob if piece.file == BLOB else files.contents[piece.file]
                if isinstance(data, int):
                    assert piece.offset + piece.length <= data
                    continue
                part = data[piece.offset : piece.offset + piece.length]
                assert len(part) == piece.length
                assert piece.digest in ("", digest_of(part))
                file.seek(piece.start)
                file.write(part)
        return path

    def make(
        self, fat: Fat, size: int, files: FakeFiles | None = None, *, sector_size: int = 512
    ) -> Path:
        """Plan and write a bare volume."""
        return self.image(self.fill(fat, size, files, sector_size=sector_size), size, files)

    def fsck(self, path: Path) -> str:
        """Return fsck.fat's summary, "9 files, 31/8166 clusters"; it may say nothing else."""
        done = subprocess.run(
            [tool("fsck.fat"), "-n", str(path)], capture_output=True, text=True, timeout=60
        )
        lines = done.stdout.splitlines()
        assert (done.returncode, done.stderr, len(lines)) == (0, "", 2), done.stdout + done.stderr
        return lines[1].partition(": ")[2]

    def mtools(self, name: str, *arguments: str | Path) -> str:
        """Run one of mtools with its checks on and no configuration of the host's."""
        environment = {k: v for k, v in os.environ.items() if k != "MTOOLS_SKIP_CHECK"}
        environment |= {"MTOOLSRC": "/dev/null", "LC_ALL": "C.UTF-8", "TZ": "UTC"}
        done = subprocess.run(
            [tool(name), *map(str, arguments)],
            capture_output=True,
            encoding="utf-8",
            errors="surrogateescape",
            env=environment,
            timeout=60,
        )
        assert (done.returncode, done.stderr) == (0, ""), done.stdout + done.stderr
        return done.stdout

    def mtools_read(self, path: Path, offset: int = 0) -> dict[str, bytes]:
        """Copy everything out with mcopy and return it as `read_volume` does."""
        out = self.folder / "out"
        shutil.rmtree(out, ignore_errors=True)
        out.mkdir()
        image = f"{path}@@{offset}"
        # "-b" without "-/" lists the root: an empty one has nothing that mcopy could copy.
        if self.mtools("mdir", "-b", "-i", image, "::"):
            self.mtools("mcopy", "-s", "-n", "-Q", "-i", image, "::*", out)
        return {
            f"{found.relative_to(out)}/" if found.is_dir() else str(found.relative_to(out)):
            b"" if found.is_dir() else found.read_bytes()
            for found in out.rglob("*")
        }

    def judge(
        self, path: Path, expected: Mapping[str, bytes], *, mtools: bool = True,
        pyfat: Mapping[str, bytes] | None = None,
    ) -> str:
        """Have all judges read the volume; return fsck.fat's summary.

        ``pyfat`` is what pyfatfs should find, where that is something else.
        """
        summary = self.fsck(path)
        strict(path)
        assert read_volume(path) == (expected if pyfat is None else pyfat)
        if mtools:
            # mtools writes "__" for a character outside the BMP.
            wanted = {re.sub("[\U00010000-\U0010ffff]", "__", k): v for k, v in expected.items()}
            assert self.mtools_read(path) == wanted
        return summary


@pytest.fixture(scope="session")
def bench(tmp_path_factory: pytest.TempPathFactory) -> Bench:
    return Bench(tmp_path_factory.mktemp("fat"))


@pytest.fixture
def fake() -> type[FakeFiles]:
    return FakeFiles


# A reader of our own, by the standard and with struct -------------------------------------------


@dataclass(frozen=True)
class Raw:
    """The numbers of a volume, counted from its boot sector's bytes."""

    fat: int
    clusters: int
    fields: dict[str, int]
    fat_sectors: int
    data_sector: int


def raw(path: Path, offset: int = 0) -> Raw:
    """Read a boot sector: offsets from the standard's tables, and its way of counting clusters."""
    with open(path, "rb") as file:
        file.seek(offset)
        sector = file.read(512)
    names = "bytes per_cluster reserved fats root total16 media fat16 track heads hidden total32"
    fields = dict(zip(names.split(), struct.unpack_from("<HBHBHHBHHHII", sector, 11), strict=True))
    fat_sectors = fields["fat16"] or struct.unpack_from("<I", sector, 36)[0]
    root_sectors = -(-fields["root"] * 32 // fields["bytes"])
    data = fields["reserved"] + fields["fats"] * fat_sectors + root_sectors
    clusters = ((fields["total16"] or fields["total32"]) - data) // fields["per_cluster"]
    fat = 12 if clusters < 4085 else 16 if clusters < 65525 else 32
    return Raw(fat, clusters, fields, fat_sectors, data)


def strict(path: Path) -> Raw:
    """Check what fsck.fat lets pass."""
    volume = raw(path)
    fields, size = volume.fields, volume.fields["bytes"]
    image = path.open("rb")
    with image:
        sector = image.read(512)
        assert sector[510:] == b"\x55\xaa"
        label_at = 71 if volume.fat == 32 else 43
        assert sector[label_at + 11 : label_at + 19] == b"FAT%d   " % volume.fat
        assert (fields["fat16"] == 0) == (volume.fat == 32)
        if volume.fat == 32:
            image.seek(0)
            boot, info = image.read(size), image.read(size)
            assert struct.unpack_from("<HH", boot, 48) == (1, 6)
            image.seek(6 * size)
            assert image.read(2 * size) == boot + info
        image.seek(fields["reserved"] * size)
        table = image.read(volume.fat_sectors * size)
        assert all(image.read(len(table)) == table for _ in range(fields["fats"] - 1))
        ones = {12: b"\xff\xff", 16: b"\xff\xff\xff", 32: b"\xff\xff\x0f\xff\xff\xff\x0f"}
        assert table.startswith(bytes([fields["media"]]) + ones[volume.fat])
        # Long enough for the last cluster, and no sector longer (a data area that had one more
        # cluster for it can't be seen from here; the geometry's own tests look at that).
        assert (volume.clusters + 2) * volume.fat <= len(table) * 8
        _strict_directories(image, volume, table, sector[label_at : label_at + 11])
    return volume


def _strict_directories(image, volume: Raw, table: bytes, label: bytes) -> None:
    size = volume.fields["bytes"]
    cluster_size = volume.fields["per_cluster"] * size

    def chain(cluster: int) -> bytes:
        data = b""
        while cluster < {12: 0xFF8, 16: 0xFFF8, 32: 0x0FFFFFF8}[volume.fat]:
            image.seek(volume.data_sector * size + (cluster - 2) * cluster_size)
            data += image.read(cluster_size)
            if volume.fat == 12:
                pair = int.from_bytes(table[cluster * 3 // 2 :][:2], "little")
                cluster = pair >> 4 if cluster % 2 else pair & 0xFFF
            else:
                width = volume.fat // 8
                cluster = int.from_bytes(table[cluster * width :][:width], "little")
        return data

    image.seek(0)
    sector = image.read(512)
    if volume.fat == 32:
        root = chain(struct.unpack_from("<I", sector, 44)[0])
    else:
        image.seek((volume.data_sector * size) - volume.fields["root"] * 32)
        root = image.read(volume.fields["root"] * 32)
    stack = [("", 0, 0, root)]
    while stack:
        path, own, parent, data = stack.pop()
        entries = list(_strict_entries(data))
        labels = [entry for entry in entries if entry[1] & 0x08]
        if path:
            dots = [(name, cluster) for name, _, cluster, _ in entries[:2]]
            assert dots == [(b".".ljust(11), own), (b"..".ljust(11), parent)]
            assert not labels
        elif label == b"NO NAME    ":
            assert not labels
        else:
            assert [name for name, *_ in labels] == [label]
        children = [entry for entry in entries[2 if path else 0 :] if not entry[1] & 0x08]
        shorts = [name for name, *_ in children]
        assert len(set(shorts)) == len(shorts)
        longs = [long.upper() for *_, long in children if long]
        assert len(set(longs)) == len(longs)
        for name, attributes, cluster, _ in children:
            assert re.fullmatch(rb"[A-Z0-9!#$%&'()@^_`{}~-]+ *", name[:8])
            assert re.fullmatch(rb"[A-Z0-9!#$%&'()@^_`{}~-]* *", name[8:])
            if attributes & 0x10:
                assert not attributes & ~0x37
                stack.append((f"{path}/{name!r}", cluster, own, chain(cluster)))
            else:
                assert not attributes & ~0x27


def _strict_entries(data: bytes) -> Iterator[tuple[bytes, int, int, str]]:
    """Yield (short name, attributes, cluster, long name), with long names checked to the bit."""
    pieces: list[bytes] = []
    checksum = expected = 0
    for at in range(0, len(data), 32):
        entry = data[at : at + 32]
        if entry[0] == 0:
            assert not any(data[at:])
            assert not pieces
            return
        if entry[0] == 0xE5:
            # Only between the entries of a long directory, and nothing that could be undeleted.
            assert not pieces
            assert entry == b"\xe5" + bytes(31)
            assert len(data) > 4096
            continue
        if entry[11] == 0x0F:
            if not pieces:
                assert entry[0] & 0x40
                expected, checksum = entry[0] & 0x3F, entry[13]
            assert (entry[0] & 0x3F, entry[13]) == (expected, checksum)
            assert (entry[12], entry[26:28]) == (0, b"\0\0")
            expected -= 1
            pieces.insert(0, entry[1:11] + entry[14:26] + entry[28:])
            continue
        long = b"".join(pieces)
        if pieces:
            assert expected == 0
            assert checksum == _checksum(entry[:11])
            units = [long[n : n + 2] for n in range(0, len(long), 2)]
            if b"\0\0" in units:
                end = units.index(b"\0\0")
                assert len(pieces) * 13 - 13 <= end - 1 < len(pieces) * 13 - 1
                assert all(unit == b"\xff\xff" for unit in units[end + 1 :])
                long = long[: 2 * end]
        high, low = struct.unpack_from("<H", entry, 20)[0], struct.unpack_from("<H", entry, 26)[0]
        yield entry[:11], entry[11], high << 16 | low, long.decode("utf-16-le")
        pieces = []


def _checksum(short: bytes) -> int:
    total = 0
    for byte in short:
        total = ((total & 1) * 0x80 + (total >> 1) + byte) % 256
    return total
