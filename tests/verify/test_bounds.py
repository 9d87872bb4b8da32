"""What one image may cost: bytes that are read, memory, lines; seconds are not counted."""

import re
import struct
import subprocess
import sys
import zlib
from uuid import UUID

import foreign
import pytest
from damage import Volume
from foreign import MIB

COUNTED = """
import os, re, resource, sys
from doit_diskimg.cli.verify_command import main

def number(path, name):
    return int(re.search(name + r":\\s*(\\d+)", open(path).read())[1])

before = number("/proc/self/io", "rchar")
code = main(sys.argv[1:])
read = number("/proc/self/io", "rchar") - before
children = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss
print("COUNTED", read >> 20, number("/proc/self/status", "VmHWM") >> 10, children >> 10)
sys.exit(code)
"""


def counted(path, *options):
    """Return what the command says, and how many MiB it read, itself took, a child of it took."""
    done = subprocess.run(
        [sys.executable, "-c", COUNTED, path, *options], capture_output=True, text=True,
        timeout=300, check=False,
    )
    assert "Traceback" not in done.stderr, done.stderr
    said, _, numbers = done.stdout.partition("COUNTED ")
    return said.splitlines(), *map(int, numbers.split())


def with_entries(path, count, place):
    """sgdisk's GPT of ``count`` entries with one partition, which is copied into all of them.

    ``place`` gives (first, last) sector of each; GUIDs are counted up, all CRCs are made right.
    """
    foreign.sgdisk(path, f"--resize-table={count}", "-n1:4096:8191", "-t1:0700", size=8 * MIB)
    data = bytearray(path.read_bytes())
    (array,) = struct.unpack_from("<Q", data, 512 + 72)
    entry = bytes(data[array * 512 : array * 512 + 128])
    entries = b"".join(
        entry[:16] + UUID(int=number + 1).bytes_le + struct.pack("<QQ", *place(number))
        + entry[48:]
        for number in range(count)
    )
    last = len(data) // 512 - 1
    for header in (512, last * 512):
        (array,) = struct.unpack_from("<Q", data, header + 72)
        data[array * 512 : array * 512 + len(entries)] = entries
        struct.pack_into("<I", data, header + 88, zlib.crc32(entries))
        struct.pack_into("<I", data, header + 16, 0)
        struct.pack_into("<I", data, header + 16, zlib.crc32(data[header : header + 92]))
    path.write_bytes(data)
    return path


def test_a_volume_that_4096_entries_lead_to_is_read_once(tmp_path):
    disk = with_entries(tmp_path / "disk.img", 4096, lambda number: (4096, 8191))
    volume = foreign.filled(tmp_path / "v.img", 12, "-h", "4096").read_bytes()
    with open(disk, "r+b") as file:
        file.seek(2 * MIB)
        file.write(volume)
    said, read, memory, _ = counted(disk, "--alone")
    codes = [line.split()[1].rstrip(":") for line in said]
    assert set(codes) == {"part-overlap"}
    assert len(codes) == 21
    assert said[-1] == "error part-overlap: and 4,075 more of this kind"
    assert read < 8
    assert memory < 100


def test_volumes_without_end_are_not_all_read(tmp_path):
    """4,096 boot sectors one behind the other, with one FAT and one directory behind all."""
    count = 4096
    disk = with_entries(tmp_path / "disk.img", count, lambda number: (4096 + number, 15000))
    volume = foreign.filled(tmp_path / "v.img", 12, "-h", "4096").read_bytes()
    boot = bytearray(volume[:512])
    with open(disk, "r+b") as file:
        for number in range(count):
            struct.pack_into("<H", boot, 14, count - number)  # reserved sectors
            struct.pack_into("<H", boot, 19, 2880 + count - number - 1)
            struct.pack_into("<I", boot, 28, 4096 + number)
            file.seek((4096 + number) * 512)
            file.write(boot)
        file.write(volume[512:])
    said, read, memory, _ = counted(disk, "--alone")
    assert "error limit: 3,071 partitions were not looked at: more than 1,024 FAT volumes" in said
    assert len(said) < 100
    assert read < 200
    assert memory < 200


def claims(path, clusters, *, used=0):
    """mkfs.fat's FAT32 with other numbers in its boot sectors: a file that is nearly all hole.

    ``used`` clusters are one chain, which nobody has.
    """
    small = foreign.mkfs(path.parent / "small.img", 32, 34 << 10, "-s", "1")
    boot = bytearray(small.read_bytes()[: 32 * 512])
    table = (clusters + 2) * 4 // 512 + 1
    sectors = 32 + 2 * table + clusters
    for at in (0, 6 * 512):
        struct.pack_into("<I", boot, at + 32, sectors)
        struct.pack_into("<I", boot, at + 36, table)
    struct.pack_into("<I", boot, 512 + 488, 0xFFFFFFFF)
    root = b"LABEL      \x08" + bytes(20)
    with open(path, "wb") as file:
        file.write(boot)
        for copy in range(2):
            file.seek((32 + copy * table) * 512)
            file.write(struct.pack("<3I", 0x0FFFFFF8, 0x0FFFFFFF, 0x0FFFFFFF))
            for first in range(3, 3 + used, 1 << 16):
                file.write(struct.pack("<65536I", *range(first + 1, first + 1 + (1 << 16))))
        file.seek((32 + 2 * table) * 512)
        file.write(root)
        file.truncate(sectors * 512)
    return path


def test_clusters_that_are_only_claimed_cost_nothing(tmp_path):
    """2^28 clusters in a file of some KiB; fsck.fat, which takes 2.6 GiB for them, is not asked."""
    path = claims(tmp_path / "v.img", (1 << 28) - 20)
    assert path.stat().st_blocks < 200
    said, read, memory, child = counted(path)
    assert said == [
        "warning witness-silent 0x0..0x1: fsck.fat: not asked about 268,435,436 clusters"
    ]
    assert read < 8
    assert memory < 100
    assert child < 100


def test_a_fat_is_read_in_windows(tmp_path):
    """64 MiB of entries in use, and a copy of them: they are never in memory together."""
    path = claims(tmp_path / "v.img", 17 << 20, used=16 << 20)
    said, read, memory, _ = counted(path, "--alone")
    assert said == ["error limit: more than 16,777,216 clusters"]
    assert read < 600
    assert memory < 120


@pytest.mark.parametrize("kind", [12, 16, 32])
def test_a_file_read_as_a_directory_is_one_line(tmp_path, kind):
    """Not an error for each field of each entry."""
    path = foreign.filled(tmp_path / "v.img", kind)
    volume = Volume(path.read_bytes(), kind)
    at = volume.short(b"KERNEL  BIN")
    volume.put(at + 11, b"\x10")
    volume.put32(at + 28, 0)
    volume.write(path)
    said, *_ = counted(path, "--alone")
    size = 6144 if kind == 12 else 5120
    assert len(said) == 1
    text = (
        r"error fat-dir-content \S+ /KERNEL\.BIN/: "
        r"[\d,]+ faults in \d+ entries: no directory is there"
    )
    assert re.fullmatch(text, said[0]), said
    first, last = re.search(r"0x(\w+)\.\.0x(\w+)", said[0]).groups()
    assert int(last, 16) - int(first, 16) == size
