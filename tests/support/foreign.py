"""Images that other people's programs made, with identifiers and times fixed by hand."""

from pathlib import Path

from tools import run

MIB = 1 << 20
MADE = {"SOURCE_DATE_EPOCH": "1700000000", "TZ": "UTC"}

CONTENTS = {
    "KERNEL.BIN": b"k" * 5000,
    "readme.txt": b"lower case in 8.3\n",
    "a long file name with spaces.config": b"x=1\n" * 700,
    "EMPTY": b"",
    "SUB/inner file number one.dat": b"1" * 3000,
    "SUB/DEEP/Deeper Still/leaf.bin": b"leaf",
}
"""Enough for a chain of several clusters, long names of several pieces, a tree of depth 4."""


def mkfs(path: Path, fat: int, kib: int, *options: str) -> Path:
    """Make an empty volume by mkfs.fat."""
    run("mkfs.fat", "-C", "-F", str(fat), "-i", "12345678", "-n", "LABEL", *options, path,
        str(kib), **MADE)
    return path


def mcopy(path: Path, offset: int = 0) -> Path:
    """Put `CONTENTS` into a volume, by mtools."""
    top = path.parent / f"{path.name}.tree"
    for name, data in CONTENTS.items():
        file = top / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(data)
    volume = f"{path}@@{offset}"
    run("mcopy", "-s", "-i", volume, *sorted(top.iterdir()), "::", **MADE)
    return path


def filled(path: Path, fat: int, *options: str) -> Path:
    """Make a small volume with `CONTENTS`: clusters of 512 bytes, but for FAT12's of 2048."""
    kib = {12: 1440, 16: 8 << 10, 32: 34 << 10}[fat]
    return mcopy(mkfs(path, fat, kib, "-s", "4" if fat == 12 else "1", *options))


def sfdisk(path: Path, script: str, size: int = 8 * MIB) -> Path:
    """Make a disk with a table by sfdisk."""
    with open(path, "wb") as file:
        file.truncate(size)
    run("sfdisk", "--quiet", "--no-tell-kernel", path, stdin=script)
    return path


def sgdisk(path: Path, *options: str, size: int = 8 * MIB) -> Path:
    """Make a disk with a GPT by sgdisk."""
    with open(path, "wb") as file:
        file.truncate(size)
    run("sgdisk", "--disk-guid=11111111-1111-1111-1111-111111111111", *options, path)
    return path


LOGICAL = "label: dos\nlabel-id: 0x12345678\n" + "\n".join([
    "start=2048, size=2048, type=c, bootable",
    "start=4096, size=12288, type=5",
    "size=1024, type=83",
    "size=1024, type=83",
    "size=1024, type=83",
]) + "\n"

GPT = (
    "-n1:2048:4095", "-t1:ef00", "-c1:esp", "-u1:22222222-2222-2222-2222-222222222222",
    "-n2:4096:8191", "-t2:8300", "-c2:root", "-u2:33333333-3333-3333-3333-333333333333",
)
