"""Other people's programs, which judge our bytes."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from doit_diskimg.plan.picture import BLOB, Picture

PACKAGES = {
    "bmaptool": "bmap-tools",
    "busybox": "busybox-static",
    "debugfs": "e2fsprogs",
    "dumpe2fs": "e2fsprogs",
    "e2fsck": "e2fsprogs",
    "fdisk": "fdisk",
    "fsck.fat": "dosfstools",
    "grub-bios-setup": "grub-pc-bin",
    "grub-file": "grub-common",
    "grub-mkimage": "grub-common",
    "mcopy": "mtools",
    "mdir": "mtools",
    "minfo": "mtools",
    "mke2fs": "e2fsprogs",
    "mkfs.fat": "dosfstools",
    "mtype": "mtools",
    "ld.lld": "lld",
    "lld-link": "lld",
    "ninja": "ninja-build",
    "parted": "parted",
    "qemu-img": "qemu-utils",
    "qemu-system-aarch64": "qemu-system-arm",
    "qemu-system-loongarch64": "qemu-system-misc",
    "qemu-system-riscv32": "qemu-system-misc",
    "qemu-system-riscv64": "qemu-system-misc",
    "qemu-system-m68k": "qemu-system-misc",
    "qemu-system-i386": "qemu-system-x86",
    "qemu-system-x86_64": "qemu-system-x86",
    "setpriv": "util-linux",
    "sfdisk": "fdisk",
    "sgdisk": "gdisk",
    "sha256sum": "coreutils",
    "syslinux": "syslinux",
    "xz": "xz-utils",
}
"""Program -> the Debian package that has it, where the two have different names."""


def tool(name: str) -> str:
    """Return the path of a program.

    Without it the test is skipped, naming the package; where ``CI`` is ``true`` it fails, so that
    nobody takes a run without judges for a verdict.
    """
    path = os.pathsep.join([os.environ.get("PATH", os.defpath), "/sbin", "/usr/sbin"])
    found = shutil.which(name, path=path)
    if found is None:
        reason = f"{name} is not installed (Debian package {PACKAGES.get(name, name)})"
        if os.environ.get("CI") == "true":
            pytest.fail(reason)
        pytest.skip(reason)
    return found


def run(name: str, *arguments: str | Path, stdin: str = "", **environment: str) -> str:
    """Run a program and return what it prints; the test fails, with all of it, if it fails."""
    argv = [tool(name), *map(str, arguments)]
    done = subprocess.run(
        argv,
        input=stdin,
        capture_output=True,
        text=True,
        encoding="utf-8",
        env={**os.environ, "LC_ALL": "C.UTF-8", **environment},
        timeout=60,
    )
    if done.returncode != 0:
        pytest.fail(f"{' '.join(argv)} ended with {done.returncode}:\n{done.stdout}{done.stderr}")
    return done.stdout


def paint(picture: Picture, path: Path, size: int) -> Path:
    """Write a picture that is all blob into a new sparse file of ``size`` bytes."""
    with open(path, "xb") as file:
        file.truncate(size)
        for piece in picture.pieces:
            assert piece.file == BLOB
            assert piece.end <= size
            file.seek(piece.start)
            file.write(picture.blob[piece.offset : piece.offset + piece.length])
    return path


def path_without(folder: Path, *programs: str) -> str:
    """Return a PATH with all that is installed but ``programs``; ``folder`` is made for it."""
    folder.mkdir()
    for place in [*os.environ.get("PATH", os.defpath).split(os.pathsep), "/usr/sbin", "/sbin"]:
        for program in Path(place).iterdir() if Path(place).is_dir() else ():
            link = folder / program.name
            if program.name not in programs and not link.is_symlink():
                link.symlink_to(program)
    return str(folder)
