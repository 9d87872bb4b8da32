"""GRUB for a BIOS: where it lies, judged by GRUB's own installer; and what is refused."""

import struct
from pathlib import Path
from uuid import UUID

import pytest
from bootloaders.biossetup import install
from bootloaders.liminefiles import as_header, hdd
from fakes import FakeFiles
from project import Project
from tools import run, tool

from doit_diskimg import (
    Disk,
    Esp,
    File,
    Gpt,
    GrubBios,
    GrubEfi,
    Limine,
    Mbr,
    Partition,
    Segment,
    Zero,
)
from doit_diskimg.disk.sockets import Place
from doit_diskimg.errors import DescriptionError
from doit_diskimg.extent import Extent

DODO = """
from doit_diskimg import Disk, Fat, Gpt, GrubBios, Mbr, Partition, Zero

grub = GrubBios("build/core.img", modules=["biosdisk", "part_gpt", "part_msdos", "fat"],
                prefix="/boot/grub", {grub})
files = {{"boot/grub/grub.cfg": b"echo\\n"}}
disk = Disk("build/os.img", {disk})

def task_grub():
    return grub.task()

def task_image():
    return disk.tasks()
"""
MBR = """size="40MiB", table=Mbr(), boot=grub,
    partitions=[Partition("boot", Fat(files), size="rest", active=True)]"""
GPT = """size="40MiB", table=Gpt(), boot=grub, partitions=[
    Partition("first", Fat(files), size="8MiB", type="esp"),
    Partition("bios", grub.core()),
]"""
BARE = """size="40MiB", table=None,
    partitions=[Partition("boot", Fat(files, fat=32, **grub.in_fat()))]"""


@pytest.fixture(autouse=True)
def grub_files() -> None:
    """See to it that GRUB's files are here."""
    tool("grub-mkimage")
    if not Path("/usr/lib/grub/i386-pc/boot.img").exists():
        tool("grub-pc-bin")  # says so


def make(folder: Path, disk: str, grub: str = "") -> Project:
    project = Project(folder, DODO.format(disk=disk, grub=grub))
    project.doit()
    return project


@pytest.mark.parametrize("disk", [MBR, GPT], ids=["mbr", "gpt"])
def test_it_is_what_grub_bios_setup_makes_of_the_same_disk(tmp_path, disk):
    """The installer gets the disk without GRUB on it: the table, the volume, an empty partition."""
    project = make(tmp_path / "ours", disk)
    empty = 'Zero(), size="1MiB", type="bios-boot"'
    without = disk.replace("boot=grub,", "").replace("grub.core()", empty)
    assert without.count("grub") == 0
    other = make(tmp_path / "other", without)
    core = (project.folder / "build/core.img").read_bytes()
    assert install(tmp_path / "grub", core, other.image_path) == project.image_path.read_bytes()
    assert "No errors detected" in run("sfdisk", "-V", project.image_path)
    project.doit("os.img:verify")


def test_a_bare_volume_has_it_in_its_reserved_sectors(tmp_path):
    project = make(tmp_path, BARE)
    data, core = project.image_path.read_bytes(), (tmp_path / "build/core.img").read_bytes()
    boot = Path("/usr/lib/grub/i386-pc/boot.img").read_bytes()
    count = -(-len(core) // 512)
    assert struct.unpack_from("<Q", data, 0x5C) == (8,)
    assert data[0x64] == 0xFF
    assert data[0x66:0x68] == b"\x90\x90"
    assert data[0x5A:0x5C] + data[0x65:0x66] == boot[0x5A:0x5C] + boot[0x65:0x66]
    assert data[0x68:0x1B8] == boot[0x68:0x1B8]
    assert data[0x1B8:0x200] == bytes(70) + b"\x55\xaa"
    assert data[6 * 512 : 7 * 512] == data[:512], "the backup of the boot sector"
    there = data[8 * 512 : (8 + count) * 512]
    assert struct.unpack_from("<QHH", there, 0x1F4) == (9, count - 1, 0x820)
    assert there[:0x1F4] + there[0x200 : len(core)] == core[:0x1F4] + core[0x200:]
    assert run("fsck.fat", "-n", project.image_path)
    project.doit("os.img:verify")


def test_a_diskette_keeps_what_only_diskettes_need(tmp_path):
    disk = """size="1.44M floppy", table=None,
        partitions=[Partition("boot", Fat(files, **grub.in_fat(1, floppy=True)))]"""
    project = make(tmp_path, disk)
    data = project.image_path.read_bytes()
    boot = Path("/usr/lib/grub/i386-pc/boot.img").read_bytes()
    assert struct.unpack_from("<Q", data, 0x5C) == (1,)
    assert struct.unpack_from("<Q", data, 512 + 0x1F4) == (2,)
    assert data[0x64:0x200] == boot[0x64:0x200]


@pytest.mark.parametrize("disk", [MBR, GPT, BARE], ids=["mbr", "gpt", "bare"])
def test_another_core_writes_what_differs_and_incremental_equals_clean(tmp_path, disk):
    project = make(tmp_path / "p", disk)
    assert not project.doit().ran
    text = project.dodo.replace('"fat"]', '"fat", "normal"]')
    project.dodo = text
    project.write("dodo.py", text)
    ran = project.doit().ran
    assert "grub" in ran
    assert "os.img:seal" in ran
    assert project.sha256() == project.clean_build(tmp_path / "clean")


def test_a_larger_first_partition_moves_the_number_only(tmp_path):
    project = make(tmp_path / "p", GPT)
    text = project.dodo.replace('size="8MiB"', 'size="9MiB"')
    project.dodo = text
    project.write("dodo.py", text)
    assert "os.img:grub:inject" in project.doit().ran
    assert struct.unpack_from("<Q", project.image_path.read_bytes(), 0x5C) == (10 * 2048,)
    assert project.sha256() == project.clean_build(tmp_path / "clean")


def test_a_core_that_somebody_else_made(tmp_path):
    ours = make(tmp_path / "ours", MBR)
    text = ours.dodo.replace('GrubBios("build/core.img", modules=["biosdisk", "part_gpt", '
                             '"part_msdos", "fat"],', 'GrubBios(core_image="core.img",')
    text = text.replace("def task_grub():\n    return grub.task()\n", "")
    assert "core_image" in text
    theirs = Project(tmp_path / "theirs", text)
    theirs.write("core.img", (ours.folder / "build/core.img").read_bytes())
    theirs.doit()
    assert theirs.sha256() == ours.sha256()

    theirs.write("core.img", b"\x55" * 4000)
    assert (
        "os.img: boot.segments[1].source: 'core.img' is not a core.img of 8 sectors, must be what "
        "grub-mkimage -O i386-pc makes (name another file)"
    ) in theirs.doit(code=1).said


@pytest.mark.parametrize(
    ("payload", "what"),
    [
        (GrubBios(core_image="core.img").core(), "'core.img'"),
        (Limine("limine").stage2(), "stage 2"),
    ],
    ids=["grub", "limine"],
)
def test_a_second_part_never_leaves_its_partition(payload, what):
    """It has grown since the layout was made: nothing else lets it come so far."""
    header = as_header(hdd(8)).encode()
    files = FakeFiles({"core.img": bytes(9000), "limine/limine-bios-hdd.h": header})
    place = Place(extent=Extent(1 << 20, 8192), sector_size=512, identity=UUID(int=0), epoch=0)
    with pytest.raises(DescriptionError) as error:
        payload.fill(place, files, "partitions[0]")
    assert str(error.value).startswith(f"partitions[0].payload: {what} has ")
    assert "its partition has 8 KiB" in str(error.value)


def test_a_boot_image_that_is_not_installed_names_its_package(tmp_path):
    project = make(tmp_path, MBR)
    text = project.dodo.replace('GrubBios("build/core.img", modules=["biosdisk", "part_gpt", '
                                '"part_msdos", "fat"],',
                                'GrubBios(core_image="build/core.img", directory="nowhere",')
    project.write("dodo.py", text.replace("return grub.task()", 'return {"actions": []}'))
    assert (
        "there is no 'nowhere/boot.img', GRUB's files for i386-pc must be there (install them "
        "(Debian package grub-pc-bin), or write directory=...)"
    ) in project.doit("os.img", code=1).said


def grub(**fields):
    return GrubBios("core.img", **fields)


def disk(boot, *partitions, table=None):
    return Disk("os.img", size="40MiB", table=table or Gpt(), boot=boot, partitions=partitions)


ROOT = Partition("root", File("root"), type="linux-filesystem")
REFUSED = [
    pytest.param(
        disk(grub(), Esp({}), ROOT),
        "boot: sector 1 is the table's, so nothing can follow the boot sector, GRUB on a GPT has a "
        'BIOS boot partition (add Partition("bios", grub.core()) to the partitions)', id="no-place",
    ),
    pytest.param(
        disk(grub(), Partition("bios", GrubBios("core.img").core(), type="esp")),
        "partitions[0].type: 'esp' is the type of the partition with GRUB's second part, GRUB "
        'looks for a BIOS boot partition (leave type out, or write "bios-boot")', id="another-type",
    ),
    pytest.param(
        disk(grub(prefix="(,msdos1)/grub"), Partition("bios", GrubBios("core.img").core())),
        "boot.prefix: '(,msdos1)/grub' names a partition of another table, GRUB calls those of "
        "this one gpt1 and so on (write gpt)", id="another-table",
    ),
    pytest.param(
        disk(grub(prefix="(hd0,gpt3)/grub"), Partition("bios", GrubBios("core.img").core()), ROOT),
        "boot.prefix: '(hd0,gpt3)/grub' names partition 3, the disk has 2 (correct the number)",
        id="another-number",
    ),
    pytest.param(
        disk(GrubBios(), table=Mbr()),
        "boot.path: neither path nor core_image is given, must be the core.img that is made, or "
        'one that is there (write for example GrubBios("build/core.img"))', id="no-core",
    ),
    pytest.param(
        disk(GrubBios("a", core_image="b"), table=Mbr()),
        "boot.path: both path and core_image are given, must be the core.img that is made, or one "
        'that is there (write for example GrubBios("build/core.img"))', id="two-cores",
    ),
    pytest.param(
        disk(GrubBios(core_image="b", modules=["fat"]), table=Mbr()),
        "boot.modules: ['fat'] is given, a core_image has what it was made with (leave modules "
        "out)", id="modules-of-a-core",
    ),
    pytest.param(
        disk(grub(), Partition("bios", GrubBios("core.img").core()), table=Gpt(sector_size=4096)),
        "boot: the disk's sectors have 4096 bytes, GRUB's boot sector counts in 512 (write "
        "sector_size=512)", id="large-sectors",
    ),
]


@pytest.mark.parametrize(("described", "message"), REFUSED)
def test_what_can_not_boot_is_refused(described, message):
    assert message in list(map(str, described.problems()))


@pytest.mark.parametrize(
    "described",
    [
        disk(grub(prefix="(,gpt2)/x"), Partition("bios", grub().core()), ROOT),
        disk(grub(prefix="(,msdos1)/x"), ROOT, table=Mbr()),
        disk(grub(prefix="/boot/grub"), ROOT, table=Mbr()),
    ],
)  # fmt: skip
def test_what_can_boot_is_not(described):
    assert described.problems() == []


def test_segments_of_the_users_beside_it():
    described = Disk(
        "os.img", size="40MiB", table=Mbr(), boot=grub(),
        segments=[Segment("config", b"x", "512KiB")],
        partitions=[Partition("a", Zero(), size="1MiB", type=0x83)],
    )
    assert described.problems() == []


ODD = [
    None, True, 5, -5, 2**70, 3.5, "", "x", "\udcff", b"", b"x", [], [5], {}, {"a": 5}, object(),
    Mbr,
]


@pytest.mark.parametrize("kind", [GrubBios, GrubEfi, Limine])
def test_nothing_in_any_field_raises(kind):
    """And whatever is refused is refused in words."""
    for field in kind.__dataclass_fields__:
        for value in ODD if field != "_" else ():
            odd = kind(**{{Limine: "folder"}.get(kind, "path"): "x", field: value})
            if kind is GrubEfi:
                problems = list(odd.image.problems())
            else:
                payload = odd.core() if kind is GrubBios else odd.stage2()
                problems = disk(odd, Partition("bios", payload, size="1MiB")).problems()
                if not problems:
                    assert odd.segments(disk(odd))
            for problem in problems:
                assert "\n" not in str(problem)
                assert problem.where
                assert problem.change
