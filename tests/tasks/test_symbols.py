"""Numbers of the layout in boot code: judged by other programs, written again only if they change.

After each edit the image equals a build from nothing in another folder, and one more `doit` has
nothing to do.
"""

import json
import os
import re
import shutil
import struct
import subprocess
import uuid
import zlib

import pytest
from project import Project
from tools import tool

DODO = '''
import json
from pathlib import Path

spec = json.loads(Path("spec.json").read_text())

from doit_diskimg import *

volume = Fat({
    "KERNEL.BIN": "kernel.bin", "initrd.img": "initrd.img", "empty": b"", "boot/cfg": b"timeout=0",
}, label="BOOT")
disk = Disk(
    "build/os.img",
    size="32MiB",
    table=eval(spec["table"]),
    boot=eval(spec["boot"]),
    segments=[Segment("stage2", eval(spec["stage2"]), spec["at"])],
    partitions=[
        Partition("boot", volume, size="8MiB"),
        Partition("root", File("root.bin"), type="linux-filesystem", size="1MiB"),
    ],
)

def task_image():
    return disk.tasks()
'''

SPEC = {
    "table": "Mbr()",
    "at": "1KiB",
    "boot": """BootCode("stage1.bin", patches=[
        Patch(0x40, "<Q", at.lba("stage2")),
        Patch(0x48, "<H", at.sectors("stage2")),
        Patch(0x50, "<I", at.file_lba("boot", "/kernel.bin")),
        Patch(0x54, ">I", at.file_length("boot", "kernel.bin")),
        Patch(0x58, "<I", at.disk_signature()),
    ])""",
    "stage2": """BootCode("stage2.bin", patches=[
        Patch(0x1fe, "<I", at.file_lba("boot", "initrd.img") + 1),
        Patch(0x800, "<I", at.file_sectors("boot", "initrd.img")),
    ])""",
}


def random_bytes(length, seed=1):
    from random import Random

    return Random(seed).randbytes(length)


@pytest.fixture
def project(tmp_path):
    project = Project(tmp_path / "project", DODO)
    project.write("spec.json", json.dumps(SPEC))
    project.write("stage1.bin", b"\xf4" * 300 + bytes(210) + b"\x55\xaa")
    project.write("stage2.bin", random_bytes(5000))
    project.write("kernel.bin", random_bytes(300_000))
    project.write("initrd.img", random_bytes(40_000))
    project.write("root.bin", random_bytes(70_001))
    return project


def spec(**changes):
    return lambda project: project.write("spec.json", json.dumps({**SPEC, **changes}))


def write(path, data):
    return lambda project: project.write(path, data)


def image_of(project):
    return project.image_path.read_bytes()


def first_cluster_lba(project, name):
    """Return where a file begins on the disk, from what mtools and sfdisk say."""
    start = int(re.search(r"img1 : start= *(\d+)", sfdisk(project))[1])
    at = f"{project.image_path}@@{start * 512}"
    told = subprocess.run(
        [tool("mshowfat"), "-i", at, f"::{name}"], capture_output=True, text=True, check=True
    ).stdout
    info = subprocess.run(
        [tool("minfo"), "-i", at, "::"], capture_output=True, text=True, check=True
    ).stdout

    def number(text):
        return int(re.search(text + r": (\d+)", info)[1])

    data = number(r"reserved \(boot\) sectors") + number("fats") * number("sectors per fat")
    data += number("max available root directory slots") * 32 // 512
    clusters = [int(part) for part in re.findall(r"<(\d+)", told)]
    assert len(clusters) == 1, "a file lies in one piece"
    return start + data + (clusters[0] - 2) * number("cluster size")


def sfdisk(project):
    done = subprocess.run(
        [tool("sfdisk"), "-d", project.image_path], capture_output=True, text=True, check=True
    )
    return done.stdout


def test_other_programs_find_what_the_patches_say(project):
    project.doit()
    image = image_of(project)
    kernel, initrd = (first_cluster_lba(project, name) for name in ("KERNEL.BIN", "initrd.img"))
    assert struct.unpack_from("<QH", image, 0x40) == (2, 10)
    assert struct.unpack_from("<I", image, 0x50) == (kernel,)
    assert struct.unpack_from(">I", image, 0x54) == (300_000,)
    signature = int(re.search(r"label-id: (0x\w+)", sfdisk(project))[1], 16)
    assert struct.unpack_from("<I", image, 0x58) == (signature,)
    assert struct.unpack_from("<I", image, 1024 + 0x1FE) == (initrd + 1,)
    assert struct.unpack_from("<I", image, 1024 + 0x800) == (79,)
    # The kernel is where stage 1 will look for it, and all else is as the user's files are.
    assert image[kernel * 512 :][:300_000] == (project.folder / "kernel.bin").read_bytes()
    stage2 = bytearray((project.folder / "stage2.bin").read_bytes())
    stage2[0x1FE:0x202], stage2[0x800:0x804] = image[0x5FE:0x602], image[0xC00:0xC04]
    assert image[1024 : 1024 + 5000] == stage2
    assert image[510:512] == b"\x55\xaa"
    assert image[0x5C:300] == b"\xf4" * (300 - 0x5C)
    assert "no errors" in project.doit("os.img:verify").out


CRCS = {
    "table": "Gpt()",
    "at": "64KiB",
    "boot": """BootCode("stage1.bin", patches=[
        Patch(0x10, "<I", at.crc32("boot", "/KERNEL.BIN")),
        Patch(0x14, "<I", at.crc32("stage2")),
        Patch(0x18, "<I", at.crc32("boot")),
        Patch(0x1c, "<I", at.crc32("root")),
        Patch(0x20, "16s", at.partition_guid("root")),
        Patch(0x30, "16s", at.disk_guid()),
        Patch(0x40, "<Q", at.lba("root")),
        Patch(0x48, "<Q", at.length("root")),
        Patch(0x50, "<Q", at.start("stage2")),
    ])""",
}


def test_checksums_and_identities_are_those_of_the_disk(project):
    spec(**CRCS)(project)
    project.doit()
    image = image_of(project)
    told = {
        number: subprocess.run(
            [tool("sgdisk"), "-i", number, project.image_path],
            capture_output=True, text=True, check=True,
        ).stdout
        for number in "12"
    }
    bounds = {
        number: [int(re.search(rf"{word} sector: (\d+)", text)[1]) for word in ("First", "Last")]
        for number, text in told.items()
    }
    parts = {number: image[low * 512 : (high + 1) * 512] for number, (low, high) in bounds.items()}
    kernel = (project.folder / "kernel.bin").read_bytes()
    assert struct.unpack_from("<IIII", image, 0x10) == (
        zlib.crc32(kernel), zlib.crc32(image[65536 : 65536 + 5000]),
        zlib.crc32(parts["1"]), zlib.crc32(parts["2"]),
    )  # fmt: skip
    guid = re.search(r"unique GUID: (\S+)", told["2"])[1]
    assert uuid.UUID(bytes_le=image[0x20:0x30]) == uuid.UUID(guid)
    disk = re.search(r"label-id: (\S+)", sfdisk(project))[1]
    assert uuid.UUID(bytes_le=image[0x30:0x40]) == uuid.UUID(disk)
    assert struct.unpack_from("<QQQ", image, 0x40) == (bounds["2"][0], 1 << 20, 65536)


POPULATE = "boot:populate boot:inject seal"
BOOTCODE = "bootcode:inject seal"
INJECTS = "boot:inject root:inject bootcode:inject stage2:inject table:inject seal"

TABLE = {
    "nothing": (lambda project: None, ""),
    "kernel changed, as long as it was": (write("kernel.bin", random_bytes(300_000, 2)), POPULATE),
    "kernel longer": (write("kernel.bin", random_bytes(300_001)), f"{POPULATE} bootcode:inject"),
    "initrd longer, its sectors too": (
        write("initrd.img", random_bytes(40_449)), f"{POPULATE} stage2:inject",
    ),
    "initrd longer in its last sector": (write("initrd.img", random_bytes(40_400)), POPULATE),
    "stage 2 longer": (write("stage2.bin", random_bytes(5200)),
                       "table stage2:inject bootcode:inject seal"),
    "stage 2 longer in its last sector": (write("stage2.bin", random_bytes(5001)),
                                          "table stage2:inject seal"),
    "stage 2 changed": (write("stage2.bin", random_bytes(5000, 2)), "stage2:inject seal"),
    "stage 1 changed": (write("stage1.bin", b"\xf5" * 300), "table bootcode:inject seal"),
    "root changed": (write("root.bin", random_bytes(70_001, 2)), "root:inject seal"),
    "a constant in a patch": (
        spec(boot=SPEC["boot"].replace('"/kernel.bin")', '"/kernel.bin") + 1')), BOOTCODE,
    ),
    "another file is asked for": (
        spec(boot=SPEC["boot"].replace('"/kernel.bin")', '"initrd.img")')),
        "boot:populate bootcode:inject seal",
    ),
    "stage 2 moved": (spec(at="2KiB"), f"table create {INJECTS}"),
    "places deleted": (
        lambda project: (project.folder / "build/.os.img/boot.places.json").unlink(),
        "boot:populate",
    ),
    "places damaged": (
        write("build/.os.img/boot.places.json", b"{}"), "boot:populate",
    ),
}  # fmt: skip


@pytest.mark.parametrize(("row", "by"), [
    *((row, "chain") for row in TABLE),
    ("nothing", "doit"), ("kernel longer", "doit"), ("stage 2 longer", "doit"),
])
def test_what_runs(project, row, by, tmp_path):
    edit, expected = TABLE[row]
    project.by = by
    project.build()
    edit(project)
    ran = {task.removeprefix("os.img:") for task in project.build().ran}
    assert ran == set(expected.split())
    assert project.sha256() == project.clean_build(tmp_path / "clean")
    assert not project.build().ran


CRC_TABLE = {
    "kernel": ("kernel.bin", 300_000, f"{POPULATE} bootcode:inject"),
    "stage 2": ("stage2.bin", 5000, "stage2:inject bootcode:inject seal"),
    "root": ("root.bin", 70_001, "root:inject bootcode:inject seal"),
}


@pytest.mark.parametrize("row", CRC_TABLE)
def test_a_checksum_follows_what_it_is_of(project, row, tmp_path):
    project.by = "chain"
    path, length, expected = CRC_TABLE[row]
    spec(**CRCS)(project)
    project.build()
    project.write(path, random_bytes(length, 2))
    ran = {task.removeprefix("os.img:") for task in project.build().ran}
    assert ran == set(expected.split())
    assert project.sha256() == project.clean_build(tmp_path / "clean")
    assert not project.build().ran


def test_a_checksum_of_a_patched_part_follows_what_is_patched_into_it(project, tmp_path):
    project.by = "chain"
    spec(boot='BootCode("stage1.bin", patches=[Patch(0x14, "<I", at.crc32("stage2"))])')(project)
    project.build()
    project.write("initrd.img", random_bytes(60_000))
    ran = {task.removeprefix("os.img:") for task in project.build().ran}
    assert ran == {"boot:populate", "boot:inject", "stage2:inject", "bootcode:inject", "seal"}
    image = image_of(project)
    assert struct.unpack_from("<I", image, 0x14) == (zlib.crc32(image[1024:6024]),)
    # A constant in the other's description is no number of the layout.
    more = {"stage2": SPEC["stage2"].replace("])", " Patch(0, 'B', 1)])")}
    spec(boot='BootCode("stage1.bin", patches=[Patch(0x14, "<I", at.crc32("stage2"))])', **more)(
        project
    )
    ran = {task.removeprefix("os.img:") for task in project.build().ran}
    assert ran == {"stage2:inject", "bootcode:inject", "seal"}
    assert project.sha256() == project.clean_build(tmp_path / "clean")


def written(run, task):
    lines = run.out.splitlines()
    return lines[lines.index(f".  os.img:{task}") + 1]


def test_a_number_that_changed_costs_its_sector(project):
    """Stage 2 holds the kernel's length in two sectors: these are written, and not its file."""
    project.write("stage2.bin", random_bytes(700_000))
    spec(stage2="""BootCode("stage2.bin", patches=[
        Patch(0x10000, "<I", at.file_length("boot", "KERNEL.BIN")),
        Patch(0x10200 - 2, "<I", at.file_length("boot", "KERNEL.BIN")),
        Patch(0x80000, "<I", at.file_lba("boot", "KERNEL.BIN")),
    ])""")(project)
    assert written(project.doit(), "stage2:inject") == "5 extents, 683.5 KiB written"
    project.write("kernel.bin", random_bytes(327_680))  # both halves change, and it stays
    run = project.doit()
    assert written(run, "bootcode:inject") == "1 extent, 440 B written"
    assert written(run, "stage2:inject") == "1 extent, 1 KiB written"


def test_two_processes_and_threads(project, tmp_path):
    clean = project.clean_build(tmp_path / "clean")
    for number, kind in enumerate(("process", "thread")):
        shutil.rmtree(project.folder / "build", ignore_errors=True)
        project.doit("-n", "4", "-P", kind)
        assert project.sha256() == clean
        project.write("kernel.bin", random_bytes(310_000))
        project.doit("-n", "4", "-P", kind)
        assert project.sha256() == project.clean_build(tmp_path / f"clean {number}")
        project.write("kernel.bin", random_bytes(300_000))


def test_a_linked_image_has_the_numbers_too(project):
    project.dodo += "\ndef task_linked():\n    return disk.linked_task()\n"
    project.write("dodo.py", project.dodo)
    for length in (300_000, 320_000):
        project.write("kernel.bin", random_bytes(length))
        project.doit()
        raw = project.folder / "linked.raw"
        subprocess.run(
            [tool("qemu-img"), "convert", "-O", "raw", "build/os.img.vmdk", raw],
            cwd=project.folder, check=True,
        )
        assert raw.read_bytes() == image_of(project)
        assert not project.doit().ran


def test_the_volume_pays_only_if_somebody_asks(project):
    spec(boot='BootCode("stage1.bin")', stage2='"stage2.bin"')(project)
    project.doit()
    assert not (project.folder / "build/.os.img/boot.places.json").exists()


def test_info_says_which_number_it_is(project):
    project.doit()
    project.write("kernel.bin", random_bytes(300_001))
    project.doit("os.img:boot:populate")
    said = project.doit("info", "os.img:bootcode:inject", code=None).out
    assert "at.file_length('boot', 'kernel.bin') is 300001 now and was 300000" in said


WRONG = {
    "a number that does not fit": (
        "Patch(0x64, 'B', at.file_sectors('boot', 'kernel.bin'))",
        'os.img: boot.patches[0]: kernel.bin: 586 sectors, the field at 0x64 ("B") holds 255 at '
        'most (use a wider field such as "<H", or make it smaller)',
    ),
    "an offset outside the source": (
        "Patch(0x200, 'B', 1)",
        'os.img: boot.patches[0]: the field at 0x200 ("B") ends at byte 513, the source has 512 '
        "bytes (correct the offset, or make the source longer)",
    ),
    "a file in a tree that is not there": (
        "Patch(0, '<Q', at.file_lba('root', 'x'))",
        "os.img: boot.patches[0]: at.file_lba('root', 'x'): File can't tell where its files lie, "
        "must be a volume of Fat(...) (put the file into one, or into a segment)",
    ),
}  # fmt: skip


@pytest.mark.parametrize("row", WRONG)
def test_one_line_for_each_mistake(project, row):
    patch, line = WRONG[row]
    spec(boot=f'BootCode("stage1.bin", patches=[{patch}])')(project)
    run = project.doit(code=None)
    assert run.code != 0
    assert line in run.said.replace("ERROR: ", "").splitlines()


def test_a_file_that_left_the_tree(project):
    project.dodo = project.dodo.replace('"initrd.img": "initrd.img"', '"/": Tree("tree")')
    project.write("dodo.py", project.dodo)
    project.write("tree/initrd.img", b"i" * 5000)
    project.doit()
    os.unlink(project.folder / "tree/initrd.img")
    run = project.doit(code=None)
    assert run.code != 0
    assert (
        "os.img: segments[0].source.patches[0]: there is no 'initrd.img' in the volume, must be "
        "the path of a file with contents in the volume (fix the path, or put the file there)"
    ) in run.said
    project.write("tree/initrd.img", b"i" * 6000)
    project.doit()


def test_a_file_that_another_task_puts_into_a_tree(project, tmp_path):
    """The tree is empty when doit starts; the number is that of the file that the task made."""
    project.dodo = project.dodo.replace(
        '"initrd.img": "initrd.img"', '"/": Tree("tree", after="fill")'
    ) + '''
def task_fill():
    return {"actions": ["mkdir -p tree && cp initrd.img tree"], "file_dep": ["initrd.img"],
            "targets": ["tree/initrd.img"]}
'''
    project.write("dodo.py", project.dodo)
    for length in (40_000, 90_000):
        project.write("initrd.img", random_bytes(length))
        project.doit("-n", "4")
        sectors = struct.unpack_from("<I", image_of(project), 1024 + 0x800)
        assert sectors == (-(-length // 512),)
        assert not project.doit().ran
    assert project.sha256() == project.clean_build(tmp_path / "clean")


def test_a_circle_of_checksums_is_refused_before_anything_runs(project):
    spec(
        at="2KiB", boot=None,
        stage2='BootCode("stage2.bin", patches=[Patch(0, "<I", at.crc32("stage2"))])',
    )(project)
    project.write("dodo.py", project.dodo.replace('eval(spec["boot"])', "None"))
    run = project.doit(code=3)
    assert run.said.count("segments[0].source.patches[0]: at.crc32('stage2'): 'stage2' needs") == 1
    assert not project.image_path.parent.exists()
