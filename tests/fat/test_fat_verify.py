"""The second opinion: reads what is right, and notices what is not."""

import struct

import pytest
from volumes import read_volume

from doit_diskimg.kinds.filesystems.fat.volume import Fat
from doit_diskimg.units import MIB

FILES = {"kernel.elf": b"k" * 5000, "EFI/BOOT/BOOTX64.EFI": b"x" * 300, "empty": b""}
EXPECTED = {**FILES, "EFI/": b"", "EFI/BOOT/": b""}


@pytest.mark.parametrize("offset", [0, 512, 1 * MIB])
@pytest.mark.parametrize("fat", [12, 16, 32])
def test_reads(bench, fat, offset):
    size = 64 * MIB
    picture = bench.fill(Fat(FILES, fat=fat), size, start=offset, bare=not offset)
    assert read_volume(bench.image(picture, offset + size), offset) == EXPECTED


def test_leaves_the_image_alone(bench):
    path = bench.make(Fat(FILES), 16 * MIB)
    before = path.read_bytes()
    read_volume(path)
    assert path.read_bytes() == before


@pytest.mark.parametrize("clusters", [4052, 4053, 4083, 4084, 4085])
def test_type_near_the_limit(bench, fake, clusters):
    """Pyfatfs counts the clusters before it knows the root directory: FAT12 from 4053 on."""
    size = {4085: 2128384}.get(clusters, 2123776 - (4084 - clusters) * 512)
    path = bench.make(Fat(FILES, cluster_size=512), size)
    assert bench.fsck(path).endswith(f"/{clusters} clusters")
    assert read_volume(path) == EXPECTED


DAMAGE = [
    ("FATs differ", lambda at: (at["fat2"] + 10, b"\x12\x34")),
    ("b has 2 clusters, its size needs 5", lambda at: (at["entry"], b"\xff\xff")),
    ("FREE_CLUSTER mark found", lambda at: (at["entry"], b"\0\0")),
    ("b has 5 clusters, its size needs 1", lambda at: (at["root"] + 96 + 28, b"\1\0\0\0")),
    ("Broken LFN entry", lambda at: (at["root"] + 64 + 13, b"\x99")),
    ("'a' occurs twice", lambda at: (at["root"] + 64, at["first entries"])),
    ("Invalid signature", lambda at: (510, b"\0\0")),
    ("Boot code must start", lambda at: (0, b"\0")),
]


@pytest.mark.parametrize(("message", "damage"), DAMAGE, ids=[message for message, _ in DAMAGE])
def test_notices_damage(bench, message, damage):
    """One change each: both tables where the table is meant, unless they are to differ."""
    path = bench.make(Fat({"a": b"a", "b": b"b" * 9000}, fat=16, low=["b", "a"]), 16 * MIB)
    data = bytearray(path.read_bytes())
    reserved, fats, sectors = struct.unpack_from("<HB5xH", data, 14)
    table = reserved * 512
    root = table + fats * sectors * 512
    fields = {"fat2": table + sectors * 512, "entry": table + 2 * 3, "root": root}
    fields["first entries"] = bytes(data[root : root + 64])
    at, change = damage(fields)
    for place in {at, at + sectors * 512 if table <= at < table + sectors * 512 else at}:
        data[place : place + len(change)] = change
    path.write_bytes(data)
    with pytest.raises(ValueError, match=message):
        read_volume(path)


def test_no_volume(tmp_path):
    with pytest.raises(FileNotFoundError):
        read_volume(tmp_path / "none")
    (tmp_path / "empty").write_bytes(b"")
    with pytest.raises(ValueError, match="Invalid Boot sector"):
        read_volume(tmp_path / "empty")
