"""Numbers of the layout in the boot sector and the reserved sectors of a FAT volume.

The places of files are what mtools reads from the volume.
"""

import json
import re
import struct
import subprocess
import zlib

import pytest
from project import Project
from tools import tool

DODO = '''
import json
from pathlib import Path

spec = json.loads(Path("spec.json").read_text())

from doit_diskimg import *

volume = Fat(
    {"KERNEL.BIN": "kernel.bin", "other.bin": "other.bin"},
    boot_sector=eval(spec["boot_sector"]), reserved=eval(spec["reserved"]), fat=spec["fat"],
)
parts = [Partition("v", volume)] if spec["bare"] else [
    Partition("first", Fat({"note": "note"}), size="4MiB"), Partition("v", volume, size="40MiB"),
]
disk = Disk("build/os.img", size=spec["size"], table=eval(spec["table"]), partitions=parts)

def task_image():
    return disk.tasks()
'''

FLOPPY = {
    "bare": True, "table": "None", "size": "1.44M floppy", "fat": 12,
    "boot_sector": """BootCode("vbr.bin", patches=[
        Patch(0x40, "<I", at.file_lba("v", "/kernel.bin")),
        Patch(0x44, "<H", at.file_sectors("v", "kernel.bin")),
        Patch(0x48, "<I", at.crc32("v", "KERNEL.BIN")),
        Patch(0x4c, "<I", at.lba("v")),
    ])""",
    "reserved": """{1: BootCode("stage2.bin", patches=[
        Patch(0x210, "<I", at.file_lba("v", "other.bin")),
        Patch(0x800, "<I", at.file_length("v", "other.bin")),
    ])}""",
}
HARD = {
    **FLOPPY, "bare": False, "table": "Gpt()", "size": "64MiB", "fat": 32,
    "boot_sector": """BootCode("vbr32.bin", patches=[
        Patch(0x60, "<I", at.file_lba("v", "/kernel.bin")),
        Patch(0x64, "<I", at.file_lba("first", "note")),
        Patch(0x70, "16s", at.partition_guid("v")),
    ])""",
    "reserved": FLOPPY["reserved"].replace("{1:", "{8:"),
}  # fmt: skip


def random_bytes(length, seed=1):
    from random import Random

    return Random(seed).randbytes(length)


def vbr(code_start):
    head = bytes([0xEB, code_start - 2, 0x90]) + b"MYLOADER"
    return head.ljust(code_start, b"\0") + b"\xf4" * (510 - code_start) + b"\x55\xaa"


@pytest.fixture
def project(tmp_path):
    project = Project(tmp_path / "project", DODO)
    project.write("vbr.bin", vbr(62))
    project.write("vbr32.bin", vbr(90))
    project.write("stage2.bin", random_bytes(5000))
    project.write("kernel.bin", random_bytes(100_000))
    project.write("other.bin", random_bytes(30_000))
    project.write("note", b"n" * 600)
    return project


def use(project, spec, **changes):
    project.write("spec.json", json.dumps({**spec, **changes}))


def run(*command):
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout


def file_lba(image, start, name):
    """Return where a file of the volume at sector ``start`` begins, as mtools reads it."""
    at = f"{image}@@{start * 512}"
    info = run(tool("minfo"), "-i", at, "::")

    def number(text):
        return int(re.search(text + r"[:=] ?(\d+)", info)[1])

    per_fat = number("sectors per fat") or number("Big fatlen")
    data = number(r"reserved \(boot\) sectors") + number("fats") * per_fat
    data += number("max available root directory slots") * 32 // 512
    (cluster,) = re.findall(r"<(\d+)", run(tool("mshowfat"), "-i", at, f"::{name}"))
    return start + data + (int(cluster) - 2) * number("cluster size")


def test_a_diskette_finds_its_own_files(project):
    use(project, FLOPPY)
    project.doit()
    image = project.image_path.read_bytes()
    kernel = (project.folder / "kernel.bin").read_bytes()
    place = file_lba(project.image_path, 0, "KERNEL.BIN")
    assert struct.unpack_from("<IHxxII", image, 0x40) == (place, 196, zlib.crc32(kernel), 0)
    assert image[place * 512 :][: len(kernel)] == kernel
    assert image[0x50:510] == b"\xf4" * (510 - 0x50)
    other = file_lba(project.image_path, 0, "other.bin")
    stage2 = bytearray((project.folder / "stage2.bin").read_bytes())
    struct.pack_into("<I", stage2, 0x210, other)
    struct.pack_into("<I", stage2, 0x800, 30_000)
    assert image[512:5512] == stage2
    run(tool("fsck.fat"), "-n", project.image_path)
    assert "no errors" in project.doit("os.img:verify").out


def test_a_partition_of_fat32_and_its_backup(project):
    use(project, HARD)
    project.doit()
    image = project.image_path.read_bytes()
    told = [run(tool("sgdisk"), "-i", number, project.image_path) for number in "12"]
    first, start = (int(re.search(r"First sector: (\d+)", text)[1]) for text in told)
    sector = image[start * 512 :][:512]
    assert struct.unpack_from("<II", sector, 0x60) == (
        file_lba(project.image_path, start, "KERNEL.BIN"),
        file_lba(project.image_path, first, "note"),
    )
    from uuid import UUID

    guid = UUID(re.search(r"unique GUID: (\S+)", told[1])[1])
    assert UUID(bytes_le=sector[0x70:0x80]) == guid
    assert image[(start + 6) * 512 :][:512] == sector
    assert "no errors" in project.doit("os.img:verify").out


def written(run_, task):
    lines = run_.out.splitlines()
    return lines[lines.index(f".  os.img:{task}") + 1]


@pytest.mark.parametrize(("spec", "sectors"), [(FLOPPY, 1), (HARD, 0)])
def test_a_kernel_edit_costs_its_clusters_and_the_sector_of_its_number(
    project, spec, sectors, tmp_path
):
    """On the diskette the boot sector has the kernel's checksum; the other has places alone."""
    use(project, spec)
    project.doit()
    project.write("kernel.bin", random_bytes(100_000, 2))
    told = written(project.doit(), "v:inject")
    kib = (100_000 + 512 * sectors) * 10 // 1024 / 10
    assert told == f"{1 + sectors} extent{'s' * (sectors > 0)}, {kib} KiB written"
    assert project.sha256() == project.clean_build(tmp_path / "clean")


def test_another_volume_that_is_asked_decides_what_runs(project, tmp_path):
    use(project, HARD)
    project.doit()
    project.write("note", b"m" * 600)
    ran = {task.removeprefix("os.img:") for task in project.doit().ran}
    assert ran == {"first:populate", "first:inject", "seal"}
    project.write("note", b"")
    run_ = project.doit(code=None)
    assert run_.code != 0
    assert (
        "os.img: partitions[1].boot_sector.patches[1]: 'note' is empty and has no cluster, must be "
        "the path of a file with contents in the volume" in run_.said
    )
    project.write("note", b"m" * 600)
    project.doit()
    assert project.sha256() == project.clean_build(tmp_path / "clean")


WRONG = {
    "over the jump": ("Patch(0, 'B', 1)", 'the field at 0x0 ("B") is among bytes 0 to 61'),
    "over the BPB": ("Patch(0x3c, '<I', 1)", 'the field at 0x3c ("<I") is among bytes 0 to 61'),
    "over the signature": ("Patch(509, '<H', 1)", 'the field at 0x1fd ("<H") is among bytes 510'),
    "no file": ("Patch(0x40, '<I', at.file_lba('v', 'x'))", "there is no 'x' in the volume"),
    "the volume itself": ("Patch(0x40, '<I', at.crc32('v'))", "'v' needs the bytes of 'v'"),
    "too large": (
        "Patch(0x40, 'B', at.file_length('v', 'kernel.bin'))",
        "kernel.bin: 100,000 bytes, the field",
    ),
}  # fmt: skip


@pytest.mark.parametrize("row", WRONG)
def test_one_line_for_each_mistake(project, row):
    patch, text = WRONG[row]
    use(project, FLOPPY, boot_sector=f'BootCode("vbr.bin", patches=[{patch}])')
    run_ = project.doit(code=None)
    assert run_.code != 0
    (line,) = [line for line in run_.said.splitlines() if text in line]
    assert "os.img: partitions[0].boot_sector.patches[0]" in line


def test_fat32_has_a_longer_bpb(project):
    """The type of a volume is not known before its size: then the rule is applied at the build."""
    project.write("dodo.py", project.dodo.replace("40MiB", "1GiB"))
    use(project, HARD, fat=None, size="2GiB",
        boot_sector='BootCode("vbr32.bin", patches=[Patch(0x40, "<I", at.lba("v"))])')
    run_ = project.doit(code=None)
    assert run_.code != 0
    assert (
        'os.img: partitions[1].boot_sector.patches[0]: the field at 0x40 ("<I") is among bytes 0 '
        "to 89, those are not the boot code's own (move the field)" in run_.said
    )


def test_a_bpb_that_lies_is_still_refused(project):
    use(project, FLOPPY)
    sector = bytearray(vbr(62))
    sector[13] = 2
    project.write("vbr.bin", bytes(sector))
    run_ = project.doit(code=None)
    assert "partitions[0].boot_sector: BPB_SecPerClus: byte 13 says 2" in run_.said


def test_two_boot_sectors_that_ask_each_other(project):
    use(project, HARD)
    project.write("dodo.py", project.dodo.replace(
        'Fat({"note": "note"})', 'Fat({"note": "note"}, boot_sector=BootCode("vbr.bin", patches=['
        'Patch(0x40, "<I", at.file_lba("v", "KERNEL.BIN"))]))',
    ))  # fmt: skip
    assert "'first' needs the bytes of 'v', which needs 'first'" in project.doit(code=3).said


def test_boot_code_in_a_partition_of_its_own(project, tmp_path):
    """As GRUB has it on a GPT: a file with patches, and nothing else in the partition."""
    use(project, HARD)
    project.write("dodo.py", project.dodo.replace(
        'Partition("first", Fat({"note": "note"}), size="4MiB")',
        'Partition("first", File(BootCode("stage2.bin", patches=['
        'Patch(0x1f4, "<Q", at.lba("first") + 1), '
        'Patch(0x400, "<I", at.file_lba("v", "KERNEL.BIN"))])),'
        ' type="bios-boot", size="1MiB")',
    ))  # fmt: skip
    project.dodo = (project.folder / "dodo.py").read_text()
    boot_sector = HARD["boot_sector"].replace('"first", "note"', '"v", "other.bin"')
    use(project, HARD, boot_sector=boot_sector)
    project.doit()
    image = project.image_path.read_bytes()
    told = [run(tool("sgdisk"), "-i", number, project.image_path) for number in "12"]
    first, start = (int(re.search(r"First sector: (\d+)", text)[1]) for text in told)
    data = image[first * 512 :]
    assert struct.unpack_from("<Q", data, 0x1F4) == (first + 1,)
    assert struct.unpack_from("<I", data, 0x400) == (
        file_lba(project.image_path, start, "KERNEL.BIN"),
    )
    project.write("other.bin", random_bytes(200_000))  # larger than the kernel: it comes first
    project.doit()
    assert project.sha256() == project.clean_build(tmp_path / "clean")
    assert struct.unpack_from("<I", project.image_path.read_bytes()[first * 512 :], 0x400) == (
        file_lba(project.image_path, start, "KERNEL.BIN"),
    )


def test_the_checksum_of_a_partition_follows_its_length(project, tmp_path):
    """Its file is as it was and the volume lies where it lay: there are more zeros, that is all."""
    boot_sector = 'BootCode("vbr32.bin", patches=[Patch(0x60, "<I", at.crc32("root"))])'
    use(project, HARD, boot_sector=boot_sector)
    for size in ("1MiB", "2MiB"):
        project.dodo = DODO.replace(
            'Partition("v", volume, size="40MiB")',
            'Partition("v", volume, size="40MiB"), Partition("root", File("other.bin"), '
            f'type="linux-filesystem", size="{size}")',
        )
        project.write("dodo.py", project.dodo)
        project.doit()
    image = project.image_path.read_bytes()
    told = {number: run(tool("sgdisk"), "-i", number, project.image_path) for number in "23"}
    start, low, high = (
        int(re.search(rf"{word} sector: (\d+)", told[number])[1])
        for number, word in (("2", "First"), ("3", "First"), ("3", "Last"))
    )
    root = image[low * 512 : (high + 1) * 512]
    assert len(root) == 2 << 20
    assert struct.unpack_from("<I", image, start * 512 + 0x60) == (zlib.crc32(root),)
    assert project.sha256() == project.clean_build(tmp_path / "clean")


@pytest.mark.parametrize(
    ("path", "data", "expected"),
    [
        ("stage2.bin", random_bytes(5000, 2), "v:populate v:inject seal"),
        ("stage2.bin", random_bytes(9000), "v:format table v:populate v:inject seal"),
        ("vbr.bin", vbr(62).replace(b"\xf4", b"\xcc"), "v:populate v:inject seal"),
    ],
)
def test_an_edit_of_boot_code(project, path, data, expected, tmp_path):
    """A longer stage 2 takes more reserved sectors, and every file lies elsewhere."""
    use(project, FLOPPY)
    project.doit()
    project.write(path, data)
    ran = {task.removeprefix("os.img:") for task in project.doit().ran}
    assert ran == set(expected.split())
    assert project.sha256() == project.clean_build(tmp_path / "clean")
    assert not project.doit().ran
