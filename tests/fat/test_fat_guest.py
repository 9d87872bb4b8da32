"""A guest that fills a volume to its last cluster touches nothing beside it."""

import struct

import pytest
from tools import run, tool

from doit_diskimg.disk.identity import identity_of, partition_guid
from doit_diskimg.disk.layout import place
from doit_diskimg.disk.model import Disk, Partition
from doit_diskimg.disk.sockets import Place
from doit_diskimg.errors import DescriptionError
from doit_diskimg.extent import Extent
from doit_diskimg.kinds.filesystems.fat.volume import Fat
from doit_diskimg.kinds.tables.gpt import Gpt
from doit_diskimg.units import MIB

DISKS = [
    # size of the disk, of the volume, options; the volume ends with the last usable sector.
    (16 * MIB, 7 * MIB, {}),
    (40 * MIB, 3 * MIB, {"cluster_size": 512}),
    (64 * MIB, 20 * MIB, {"fat": 16, "reserved": {1: bytes(9999)}}),
    (80 * MIB, 2 * MIB, {"fat": 32}),
    (80 * MIB, 5 * MIB, {"fat": 32, "number_of_fats": 1, "cluster_size": 512}),
]


@pytest.mark.parametrize(("disk_size", "first_size", "options"), DISKS)
def test_filled_by_mtools(bench, disk_size, first_size, options):
    """Two volumes side by side, the second up to the backup GPT; mtools fills both."""
    last = disk_size - 33 * 512 - MIB - first_size
    parts = [
        Partition("one", Fat({"a": b"one"}), type="esp", size=first_size),
        Partition("two", Fat({"b": b"two"}, **options), type="esp", size=last),
    ]
    disk = Disk("x.img", size=disk_size, table=Gpt(), partitions=parts)
    rooms = [part.payload.room(part.size, None, "p") for part in parts]
    layout = place(disk, rooms, {})
    assert layout.extent("two") == Extent(MIB + first_size, last)
    pictures = [disk.table.encode(disk_size, identity_of(disk), layout.partitions)]
    for part in parts:
        at = Place(extent=layout.extent(part.name), sector_size=512,
                   identity=partition_guid(disk, part), epoch=0)
        pictures.append(part.payload.fill(at, None, "p"))
    path = bench.folder / "gpt.img"
    with open(path, "wb") as image:
        image.truncate(disk_size)
        for picture in pictures:
            for piece in picture.pieces:
                image.seek(piece.start)
                image.write(picture.blob[piece.offset : piece.offset + piece.length])
    outside = spared(path, layout)
    for part in reversed(parts):
        start, length = layout.extent(part.name)
        fill_with_mtools(bench, path, start)
        assert spared(path, layout) == outside
        # Nothing is free any more: the last cluster that mtools can have is written.
        assert free_bytes(bench, path, start) == 0
        alone = bench.folder / "alone.img"
        with open(path, "rb") as image:
            image.seek(start)
            alone.write_bytes(image.read(length))
        run("fsck.fat", "-n", alone)
    assert "No problems found" in run("sgdisk", "-v", path)
    assert bench.mtools("mtype", "-i", f"{path}@@{MIB}", "::a") == "one"
    assert bench.mtools("mtype", "-i", f"{path}@@{MIB + first_size}", "::b") == "two"


def spared(path, layout):
    """Return every byte that belongs to neither volume."""
    one, two = layout.extent("one"), layout.extent("two")
    data = path.read_bytes()
    return data[: one.start], data[one.end : two.start], data[two.end :]


def free_bytes(bench, path, start):
    last = bench.mtools("mdir", "-i", f"{path}@@{start}", "::").splitlines()[-2]
    assert last.endswith("bytes free"), last
    return int(last.replace("bytes free", "").replace(" ", ""))


def fill_with_mtools(bench, path, start):
    free = free_bytes(bench, path, start)
    filler = bench.folder / "filler"
    filler.write_bytes(b"\xff" * free)
    bench.mtools("mcopy", "-i", f"{path}@@{start}", filler, "::FILLER")


@pytest.mark.parametrize(("fat", "size"), [(12, 1 * MIB), (16, 16 * MIB), (32, 34 * MIB)])
def test_one_byte_more_than_mtools_takes_is_refused_by_us(bench, fake, fat, size):
    """Both count the same clusters."""
    tool("mdir")
    path = bench.make(Fat(fat=fat), size)
    free = free_bytes(bench, path, 0)
    (reserved,) = struct.unpack_from("<H", path.read_bytes(), 14)
    assert reserved
    bench.fsck(bench.make(Fat({"A": "a"}, fat=fat), size, fake({"a": free})))
    with pytest.raises(DescriptionError, match="1 too many"):
        bench.fill(Fat({"A": "a"}, fat=fat), size, fake({"a": free + 1}))
