"""Limine for a BIOS, with stand-ins for its files: each field that ``limine bios-install`` sets.

The numbers are those of Limine 8.2, which has a stage 2 of 20,991 bytes, 41 sectors: halves of
10,752 and 10,240 bytes.
"""

import struct
from pathlib import Path

import pytest
from bootloaders.liminefiles import MARK, STAGE2_8_2, as_header, bootable, hdd
from project import Project
from tools import run, tool

from doit_diskimg import Disk, File, Gpt, Limine, Mbr, Partition

DODO = """
from doit_diskimg import Disk, Esp, Fat, Gpt, Limine, Mbr, Partition, Qemu

limine = Limine("limine", hdd="{hdd}")
disk = Disk("build/os.img", size="auto", boot=limine, {disk})

def task_image():
    return disk.tasks()

def task_boots():
    return Qemu(disk, debug_exit=0x10).test_task(expect="^hello from stage 2")
"""
FILES = '{**limine.files("BOOTX64.EFI"), "limine.conf": b"timeout: 0\\n"}'
MBR = f"""table=Mbr(),
    partitions=[Partition("boot", Fat({FILES}, fat=32), active=True)]"""
GPT = f"""table=Gpt(), partitions=[
    Partition("first", Fat({{"a": b"a"}}), type="esp"),
    Partition("bios", limine.stage2()),
    Esp({FILES}),
]"""


def make(folder: Path, disk: str, data: bytes, name: str = "limine-bios-hdd.bin") -> Project:
    project = Project(folder, DODO.format(disk=disk, hdd=name))
    project.write(f"limine/{name}", as_header(data) if name.endswith(".h") else data)
    project.write("limine/limine-bios.sys", b"stage 3" * 1000)
    project.write("limine/BOOTX64.EFI", b"MZ" * 1000)
    return project


def expected(data: bytes, image: bytes, fields: bytes) -> bytes:
    """Return sector 0 after bios-install: bytes 218 to 223 and 440 to 509 are the disk's own."""
    stage1 = bytearray(data[:512])
    stage1[218:224] = bytes(6)
    stage1[0x1A4 : 0x1A4 + len(fields)] = fields
    return bytes(stage1[:440]) + image[440:510] + b"\x55\xaa"


CASES = [
    pytest.param(MBR, 512, 8, struct.pack("<HHQQ", 10_752, 10_240, 512, 11_264), id="mbr-8"),
    pytest.param(MBR, 512, 9, struct.pack("<Q", 512), id="mbr-9"),
    pytest.param(GPT, 2 << 20, 8,
                 struct.pack("<HHQQ", 10_752, 10_240, 2 << 20, (2 << 20) + 10_752), id="gpt-8"),
    pytest.param(GPT, 2 << 20, 9, struct.pack("<Q", 2 << 20), id="gpt-9"),
]


@pytest.mark.parametrize("name", ["limine-bios-hdd.bin", "limine-bios-hdd.h"])
@pytest.mark.parametrize(("disk", "place", "generation", "fields"), CASES)
def test_every_byte(tmp_path, disk, place, generation, fields, name):
    data = hdd(generation)
    project = make(tmp_path, disk.replace('Fat({"a": b"a"})', 'Fat({"a": b"a"}, size="1MiB")'),
                   data, name)
    project.doit()
    image = project.image_path.read_bytes()
    assert image[:512] == expected(data, image, fields)
    assert image[place : place + STAGE2_8_2] == data[512:]
    assert not any(image[place + STAGE2_8_2 : place + (63 << 9)]), "what 9 reads beyond it"
    assert "No errors detected" in run("sfdisk", "-V", project.image_path)
    if "Gpt" in disk:
        assert "No problems found" in run("sgdisk", "-v", project.image_path)
    start = (3 if "Gpt" in disk else 1) << 20
    for path in ("boot/limine/limine-bios.sys", "EFI/BOOT/BOOTX64.EFI", "limine.conf"):
        assert run("mdir", "-b", "-i", f"{project.image_path}@@{start}", f"::{path}")
    project.doit("os.img:verify")


@pytest.mark.parametrize("disk", [MBR, GPT], ids=["mbr", "gpt"])
@pytest.mark.parametrize("generation", [8, 9])
def test_a_stand_in_boots(tmp_path, disk, generation):
    """Its boot sector loads its stage 2 by the same fields and in the same way as Limine's."""
    tool("qemu-system-x86_64")
    project = make(tmp_path, disk, bootable(tmp_path, generation))
    assert "boots" in project.doit("boots").ran
    assert not project.doit("boots").ran


@pytest.mark.parametrize("disk", [MBR, GPT], ids=["mbr", "gpt"])
def test_another_release_and_incremental_equals_clean(tmp_path, disk):
    project = make(tmp_path / "p", disk, hdd(8))
    project.doit()
    assert not project.doit().ran
    project.write("limine/limine-bios-hdd.bin", hdd(9, 30_000))
    assert "os.img:limine:inject" in project.doit().ran
    assert project.sha256() == project.clean_build(tmp_path / "clean")


TO_BLAME = "boot.segments[0].source: 'limine/limine-bios-hdd.bin'"
FAILS = [
    pytest.param(
        hdd(8).replace(MARK[8], b"\0\0\0"),
        f"{TO_BLAME} does not show where its boot sector finds stage 2, must be the file of a "
        "release of Limine's (write generation=8 for Limine 8.x and before, 9 for a later one)",
        id="no-generation",
    ),
    pytest.param(
        hdd(8).replace(b"\x10\x11\x12", MARK[9], 1),
        f"{TO_BLAME} does not show where its boot sector finds stage 2", id="both-generations",
    ),
    pytest.param(
        hdd(9, 32_257),
        "boot.segments[0].source: the stage 2 of 'limine/limine-bios-hdd.bin' has 32,257 bytes, "
        "its boot sector loads 32,256 (take a release as it is)", id="too-long",
    ),
    pytest.param(
        b"no boot sector" * 100,
        "'limine/limine-bios-hdd.bin' is not a boot sector with a stage 2, must be Limine's "
        "limine-bios-hdd.bin, or the C header of it (write hdd=... for the name of that file)",
        id="another-file",
    ),
]


@pytest.mark.parametrize(("data", "message"), FAILS)
def test_files_that_are_not_limines(tmp_path, data, message):
    assert message in make(tmp_path, MBR, data).doit(code=1).said


def test_a_file_that_is_not_there(tmp_path):
    project = make(tmp_path, MBR, hdd(8))
    project.write("dodo.py", project.dodo.replace('"limine-bios-hdd.bin"', '"hdd.bin"'))
    assert (
        "'limine/hdd.bin' does not exist, must be in the folder of a release of Limine's (correct "
        "the folder, or write hdd=... for the name of the file)"
    ) in project.doit(code=1).said


@pytest.mark.parametrize("text", ["", "{ 0xeb, what }", "{ 0x1ff }", "{ 0x55, 0xaa }"])
def test_headers_that_are_not_limines(tmp_path, text):
    project = make(tmp_path, MBR, hdd(8), "limine-bios-hdd.h")
    project.write("limine/limine-bios-hdd.h", text)
    assert "is not a boot sector with a stage 2" in project.doit(code=1).said


def test_the_generation_may_be_said(tmp_path):
    project = make(tmp_path, MBR, hdd(8).replace(MARK[8], b"\0\0\0"))
    text = project.dodo.replace("limine-bios-hdd.bin\"", "limine-bios-hdd.bin\", generation=8")
    project.write("dodo.py", text)
    project.doit()
    fields = struct.unpack_from("<HHQQ", project.image_path.read_bytes(), 0x1A4)
    assert fields == (10_752, 10_240, 512, 11_264)


def test_a_partition_before_sector_63(tmp_path):
    disk = MBR.replace("active=True", 'active=True, start=50 * 512, align=512')
    project = make(tmp_path, disk, hdd(8))
    assert (
        "boot.segments[0].source: partition 'boot' begins in sector 50, Limine takes a disk with "
        "one before sector 63 for one without a table (leave start out, and align)"
    ) in project.doit(code=1).said


ROOT = Partition("root", File("root"), type=0x83)
LIMINE = Limine("limine")


def disk(*partitions, table=None, boot=LIMINE):
    return Disk("os.img", size="40MiB", table=table or Gpt(), boot=boot, partitions=partitions)


REFUSED = [
    pytest.param(
        disk(Partition("root", File("root"), type="esp")),
        "boot: sector 1 is the table's, so nothing can follow the boot sector, Limine on a GPT has "
        'a BIOS boot partition (add Partition("bios", limine.stage2()) to the partitions)',
        id="no-place",
    ),
    pytest.param(
        disk(Partition("bios", LIMINE.stage2(), type="esp")),
        "partitions[0].type: 'esp' is the type of the partition with Limine's second part, Limine "
        'looks for a BIOS boot partition (leave type out, or write "bios-boot")',
        id="another-type",
    ),
    pytest.param(
        disk(Partition("bios", LIMINE.stage2(), size="31KiB")),
        "partitions[0].size: 31,744 bytes for Limine's stage 2, its boot sector reads 32 KiB "
        '(leave size out, or write "1MiB")', id="too-small",
    ),
    pytest.param(
        disk(ROOT, table=Mbr()),
        "partitions: none is active, some BIOS boot no disk without one, and limine bios-install "
        "makes the first one so (write active=True for the first)", id="not-active",
    ),
    pytest.param(
        disk(ROOT, table=Mbr(), boot=Limine(3)),
        "boot.folder: 3 is not a path, must be the folder with Limine's files (write for example "
        '"limine")', id="no-folder",
    ),
    pytest.param(
        disk(ROOT, table=Mbr(), boot=Limine("limine", generation=12)),
        "boot.generation: 12 is unknown, must be 8, or 9 for all that came later (leave it out)",
        id="no-such-generation",
    ),
]


@pytest.mark.parametrize(("described", "message"), REFUSED)
def test_what_limine_refuses_we_do(described, message):
    assert message in list(map(str, described.problems()))
