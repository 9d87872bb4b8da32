"""A boot sector and a kernel behind it, no table, as most tutorials begin (layout L0)."""

import pytest
from guests import assemble, says_and_ends
from project import Project

DODO = """
from doit_diskimg import Disk, Segment

disk = Disk(
    "build/os.img",
    size=%r,
    table=None,
    segments=[Segment("boot", "boot.bin", 0), Segment("kernel", "kernel.bin", 512)],
)

def task_image():
    return disk.tasks()
"""
LOADER = """
    fa 31 c0 8e d8 8e c0 8e d0 bc =origin fb fc
    b8 %02x 02      ; mov  ax, 0x02..   AH=2: read so many sectors
    bb 00 7e        ; mov  bx, 0x7e00   to here,
    b9 02 00 b6 00  ; mov  cx, 2; mov dh, 0   from the second one of the medium
    cd 13           ; int  0x13         (DL is the drive that it was started from)
    ea 00 7e 00 00  ; jmp  0:0x7e00
"""
KERNEL_ORIGIN = 0x7E00
FILLER = 5000
"""Bytes between the kernel's code and what it says, so that every sector of it has to be there."""


def boot_sector(sectors: int) -> bytes:
    return assemble(LOADER % sectors, 0x7C00).ljust(510, b"\0") + b"\x55\xaa"


@pytest.mark.parametrize(("size", "drive"), [("1.44M floppy", "if=floppy"), ("auto", "if=ide")])
def test_it_boots_and_grows(tmp_path, boot, size, drive):
    project = Project(tmp_path / "project", DODO % size)
    for line, filler in [("A flat disk", FILLER), ("A flat disk that grew", 2 * FILLER)]:
        kernel = says_and_ends(line, origin=KERNEL_ORIGIN, filler=filler)
        project.write("boot.bin", boot_sector(-(-len(kernel) // 512)))
        project.write("kernel.bin", kernel)
        assert "55 aa" not in project.doit().out
        assert not project.doit().ran
        image = project.image_path
        boot("seabios", f"{drive},format=raw,snapshot=on,file={image}", says=line, ends=33)
        project.doit("os.img:verify")
    assert project.sha256() == project.clean_build(tmp_path / "clean")


def test_a_boot_sector_without_its_mark_is_noted(tmp_path):
    project = Project(tmp_path, DODO % "auto")
    project.write("boot.bin", boot_sector(1)[:510])
    project.write("kernel.bin", b"k" * 512)
    assert (
        "note: segments[0]: bytes 510 and 511 of the disk are 00 00 and not 55 aa, without which "
        "no BIOS starts it\n"
    ) in project.doit().out
    assert not project.doit().ran
