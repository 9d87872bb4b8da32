"""Volumes and disks of somebody else's, made and read by mkfs.fat, mtools, sfdisk and sgdisk."""

import os
import struct
import subprocess

import pytest
from project import Project
from tools import run, tool

from doit_diskimg import DiskImage, Fat, File, Partition, Segment

MIB = 1 << 20
QUIET = {"MTOOLSRC": "/dev/null", "MTOOLS_SKIP_CHECK": ""}


def volume(path, fat, size=None):
    """mkfs.fat -F FAT -n VENDOR -i CAFE1234, and files of theirs by mmd, mcopy and mattrib."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with open(path, "wb") as file:
        file.truncate(size or {12: 8 * MIB, 16: 16 * MIB, 32: 40 * MIB}[fat])
    run("mkfs.fat", "-F", str(fat), "-n", "VENDOR", "-i", "CAFE1234", path)
    theirs = path.with_suffix(".txt")
    theirs.write_bytes(b"theirs" * 1000)
    for arguments in (
        ("mmd", "-i", path, "::EFI", "::EFI/BOOT", "::docs"),
        ("mcopy", "-i", path, theirs, "::EFI/BOOT/BOOTX64.EFI"),
        ("mcopy", "-i", path, theirs, "::docs/A long name of theirs.txt"),
        ("mattrib", "+r", "+h", "-i", path, "::EFI/BOOT/BOOTX64.EFI"),
    ):
        run(*arguments, **QUIET)
    return path


def listing(image, at=0):
    image = f"{image}@@{at}"
    return set(run("mdir", "-/", "-a", "-b", "-i", image, "::", **QUIET).splitlines())


def contents(image, path, at=0):
    done = subprocess.run(
        [tool("mtype"), "-i", f"{image}@@{at}", f"::{path}"], capture_output=True, check=True,
        env={**os.environ, **QUIET},
    )
    return done.stdout


def fsck(image, at, length):
    with open(image, "rb") as disk, open(f"{image}.volume", "wb") as file:
        disk.seek(at)
        file.write(disk.read(length))
    done = subprocess.run(
        [tool("fsck.fat"), "-n", f"{image}.volume"], capture_output=True, text=True
    )
    assert (done.returncode, len(done.stdout.splitlines())) == (0, 2), done.stdout


# FatImage ----------------------------------------------------------------------------------

FAT_DODO = """
from doit_diskimg import Disk, FatImage, Gpt, Partition, Tree
disk = Disk("build/os.img", size="auto", table=Gpt(), partitions=[
    Partition("esp", FatImage("vendor.img", {
        "efi/boot/bootx64.efi": "kernel.elf", "EFI/new/deep/[x].cfg": b"new", "KERNEL.SYS": b"k",
        "modules": Tree("modules"),
    }, attributes={"KERNEL.SYS": "rs"}), type="esp"),
])
def task_image():
    return disk.tasks()
"""


@pytest.fixture(params=[12, 16, 32])
def vendor(request, tmp_path):
    tool("mkfs.fat"), tool("mcopy")
    project = Project(tmp_path / "project", FAT_DODO)
    volume(project.folder / "vendor.img", request.param)
    project.write("kernel.elf", b"ours" * 20_000)
    project.write("modules/net.ko", b"net")
    return project


def test_files_are_added_and_replaced(vendor, tmp_path):
    before = (vendor.folder / "vendor.img").read_bytes()
    vendor.doit()
    image = vendor.image_path
    assert listing(image, MIB) == {
        "::/EFI/", "::/docs/", "::/KERNEL.SYS", "::/modules/", "::/modules/net.ko", "::/EFI/BOOT/",
        "::/EFI/BOOT/bootx64.efi", "::/docs/A long name of theirs.txt", "::/EFI/new/",
        "::/EFI/new/deep/", "::/EFI/new/deep/[x].cfg",
    }
    assert contents(image, "EFI/BOOT/BOOTX64.EFI", MIB) == b"ours" * 20_000
    assert contents(image, "docs/A long name of theirs.txt", MIB) == b"theirs" * 1000
    flags = run("mattrib", "-i", f"{image}@@1M", "::KERNEL.SYS", **QUIET)
    assert flags.split() == ["S", "R", "::/KERNEL.SYS"]
    said = run("minfo", "-i", f"{image}@@1M", "::", **QUIET)
    assert 'disk label="VENDOR     "' in said
    assert "serial number: CAFE1234" in said
    assert "hidden sectors: 2048" in said
    fsck(image, MIB, len(before))
    assert "no errors" in vendor.doit("os.img:verify").out
    assert (vendor.folder / "vendor.img").read_bytes() == before
    assert vendor.doit().ran == set()
    assert vendor.sha256() == vendor.clean_build(tmp_path / "clean")


def test_what_runs_again(vendor, tmp_path):
    vendor.doit()
    vendor.write("kernel.elf", b"ours" * 19_999)
    assert vendor.doit().ran == {"os.img:esp:populate", "os.img:esp:inject", "os.img:seal"}
    assert vendor.sha256() == vendor.clean_build(tmp_path / "one")
    run("mcopy", "-i", vendor.folder / "vendor.img", vendor.folder / "kernel.elf", "::theirs.new",
        **QUIET)  # fmt: skip
    assert "os.img:esp:populate" in vendor.doit().ran
    assert "::/theirs.new" in listing(vendor.image_path, MIB)
    assert vendor.sha256() == vendor.clean_build(tmp_path / "two")


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (lambda data: bytes(512), "'vendor.img' is not a FAT volume: not a boot sector: 55 AA is "
         "missing at byte 510"),
        (lambda data: data[:100], "'vendor.img' is not a FAT volume: not a boot sector: 55 AA is "
         "missing at byte 510"),
        (lambda data: data[:5 * MIB], "'vendor.img' has 5,242,880 bytes, its volume 8,388,608: it "
         "is cut short"),
        (lambda data: data[:13] + b"\0" + data[14:], "'vendor.img' is not a FAT volume: integer "
         "division or modulo by zero"),
    ],
)  # fmt: skip
def test_an_image_that_is_none(tmp_path, damage, message):
    project = Project(tmp_path, FAT_DODO)
    vendor = volume(project.folder / "vendor.img", 12)
    vendor.write_bytes(damage(vendor.read_bytes()))
    said = project.doit(code=1).said
    assert (
        f"os.img: partitions[0].path: {message}, must be a whole FAT volume, without a partition "
        "table before it (name another image, or fix it)"
    ) in said.splitlines()


def test_an_image_without_room(tmp_path):
    project = Project(tmp_path, FAT_DODO)
    volume(project.folder / "vendor.img", 12, size=MIB)
    (project.folder / "modules").mkdir()
    project.write("kernel.elf", bytes(range(1, 256)) * 8000)
    said = project.doit(code=1).said
    assert "mcopy ended with 1: Disk full, it has to make the payload" in said
    assert not project.image_path.exists()


def test_a_name_to_which_a_file_of_theirs_answers(tmp_path):
    """The last image stays as it is, and so does the base."""
    project = Project(tmp_path, FAT_DODO)
    base = volume(project.folder / "vendor.img", 16)
    (project.folder / "modules").mkdir()
    project.write("kernel.elf", b"kernel")
    project.doit()
    before, image = base.read_bytes(), project.image_path.read_bytes()
    project.write("dodo.py", FAT_DODO.replace('"KERNEL.SYS": b"k"', '"docs/ALONGN~1.TXT": b"x"')
                  .replace('"KERNEL.SYS": "rs"', ""))
    said = project.doit(code=1).said
    assert (
        "os.img: partitions[0]: 'docs/ALONGN~1.TXT' is the short name of 'docs/A long name of "
        "theirs.txt' in 'vendor.img', a name must not be the short name of another file "
        "(rename it, or write 'docs/A long name of theirs.txt' if you mean that)"
    ) in said.splitlines()
    assert (base.read_bytes(), project.image_path.read_bytes()) == (before, image)


# DiskImage ----------------------------------------------------------------------------------------

MBR = "label: dos\nlabel-id: 0x12345678\nstart=2048, size=16384, type=c, bootable\n" + (
    "start=20480, size=8192, type=83\n"
)
MBR_DODO = """
from doit_diskimg import DiskImage, Fat, File, Partition, Segment
disk = DiskImage(base="vendor.img", image="build/os.img", partitions={
    1: Fat({"KERNEL.BIN": "kernel.elf"}),
}, own=[
    Segment("code", b"our boot code", 0),
    Partition("stage2", File("stage2.bin"), start=512, size="31KiB", in_table=False),
])
def task_image():
    return disk.tasks()
"""
GPT_DODO = """
from doit_diskimg import DiskImage, FatImage, File
disk = DiskImage(base="vendor.img", image="build/os.img", partitions={
    "boot": FatImage("boot.img", {"EFI/BOOT/BOOTX64.EFI": "kernel.elf"}), 3: File("root.bin"),
})
def task_image():
    return disk.tasks()
"""


def mbr_disk(path):
    """sfdisk, with noise of theirs everywhere else."""
    noise = bytearray(os.urandom(1 << 16) * 256)
    noise[440:512] = bytes(72)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(noise)
    run("sfdisk", "--quiet", "--wipe", "never", path, stdin=MBR)
    return path


def gpt_disk(path):
    """sgdisk, with noise of theirs where no table is."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(bytes(MIB) + os.urandom(1 << 16) * 464 + bytes(2 * MIB))
    run("sgdisk", "-a", "8", "-n", "1:2048:+8M", "-t", "1:ef00", "-c", "1:boot", "-n",
        "2:20480:+4M", "-t", "2:8300", "-c", "2:home", "-n", "3:40960:+4M", "-t", "3:8300", "-c",
        "3:seal", path)  # fmt: skip
    return path


ROOMS = {
    "partition": 'Partition("stage2", File("stage2.bin"), start=512, size="31KiB", in_table=False)',
    "segment": 'Segment("stage2", "stage2.bin", 512, size="31KiB")',
}


@pytest.mark.parametrize("room", ROOMS)
def test_an_mbr_disk_of_somebody_else_s(tmp_path, room):
    dodo = MBR_DODO.replace(ROOMS["partition"], ROOMS[room])
    assert ROOMS[room] in dodo
    project = Project(tmp_path / "project", dodo)
    theirs = mbr_disk(project.folder / "vendor.img").read_bytes()
    project.write("kernel.elf", b"kernel" * 10_000)
    project.write("stage2.bin", b"stage 2" * 1000)
    first = project.doit()
    assert "os.img:base:inject" in first.ran
    assert "os.img:partition1:populate" in first.ran
    ours = project.image_path.read_bytes()
    assert len(ours) == len(theirs)
    assert ours[13:512] == theirs[13:512]
    assert ours[:13] == b"our boot code"
    assert ours[512:7512] == b"stage 2" * 1000
    assert ours[7512:32256] == bytes(32256 - 7512)
    assert ours[32256:MIB] == theirs[32256:MIB]
    assert ours[9 * MIB :] == theirs[9 * MIB :]
    dump = [run("sfdisk", "-d", path).split("\n", 6)[-1].replace(str(path), "")
            for path in (project.folder / "vendor.img", project.image_path)]  # fmt: skip
    assert dump[0] == dump[1]
    assert listing(project.image_path, MIB) == {"::/KERNEL.BIN"}
    fsck(project.image_path, MIB, 8 * MIB)
    assert project.doit().ran == set()

    project.write("kernel.elf", b"kernel" * 11_000)
    project.write("stage2.bin", b"stage 2" * 1100)
    ran = project.doit().ran
    assert ran == {"os.img:table", "os.img:partition1:populate", "os.img:partition1:inject",
                   "os.img:stage2:inject", "os.img:seal"}  # fmt: skip
    assert project.sha256() == project.clean_build(tmp_path / "one")

    changed = bytearray(theirs)
    changed[10 * MIB] ^= 1
    project.write("vendor.img", bytes(changed))
    assert "os.img:base:inject" in project.doit().ran
    assert project.image_path.read_bytes()[9 * MIB :] == changed[9 * MIB :]
    assert project.sha256() == project.clean_build(tmp_path / "two")


def test_a_gpt_disk_of_somebody_else_s(tmp_path):
    project = Project(tmp_path / "project", GPT_DODO)
    theirs = gpt_disk(project.folder / "vendor.img").read_bytes()
    volume(project.folder / "boot.img", 12)
    project.write("kernel.elf", b"kernel" * 10_000)
    project.write("root.bin", b"root" * 1000)
    ran = project.doit().ran
    assert {"os.img:boot:populate", "os.img:partition3:inject", "os.img:base:inject"} <= ran
    ours = project.image_path.read_bytes()
    for start, end in ((0, MIB), (9 * MIB, 20 * MIB), (24 * MIB, len(theirs))):
        assert ours[start:end] == theirs[start:end]
    assert ours[20 * MIB : 20 * MIB + 4000] == b"root" * 1000
    assert not any(ours[20 * MIB + 4000 : 24 * MIB])
    assert "No problems found" in run("sgdisk", "-v", project.image_path)
    assert contents(project.image_path, "EFI/BOOT/BOOTX64.EFI", MIB) == b"kernel" * 10_000
    fsck(project.image_path, MIB, 8 * MIB)
    assert "no errors" in project.doit("os.img:verify").out
    assert project.sha256() == project.clean_build(tmp_path / "clean")

    # Another table of theirs: our partition follows its place.
    run("sgdisk", "-d", "3", "-n", "3:49152:+2M", "-c", "3:moved", project.folder / "vendor.img")
    project.write("dodo.py", GPT_DODO.replace("3: File", '"moved": File'))
    project.doit()
    ours = project.image_path.read_bytes()
    assert ours[24 * MIB : 24 * MIB + 4000] == b"root" * 1000


@pytest.fixture
def base(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return mbr_disk(tmp_path / "vendor.img")


MUST = "must be an existing disk image with a partition table (name another image)"
ROOM = 'write Partition("stage2", File(...), start=512, size="31KiB", in_table=False)'
BAD = [
    (("none.img", "os.img", {1: Fat({})}), {}, ["base: 'none.img' does not exist, its table is "
     "read when dodo.py is, so it must be there before the build (fix it)"]),
    (("vendor.img", "./vendor.img", {1: Fat({})}), {},
     [f"base: 'vendor.img' is the image that is built, {MUST}"]),
    (("vendor.txt", "os.img", {1: Fat({})}), {},
     [f"base: 'vendor.txt' has neither a GPT nor an MBR, {MUST}"]),
    ((5, "os.img", {1: Fat({})}), {}, [f"base: 5 is not a path, {MUST}"]),
    (("vendor.img", "os.img", {3: Fat({}), "esp": Fat({})}), {}, [
        f"partitions[{key}]: 'vendor.img' has no such partition, must be the number of one, or a "
        "name that one of them has (there are: partition 1, partition 2)" for key in ("3", "'esp'")
    ]),
    (("vendor.img", "os.img", {}), {}, ["partitions: nothing in 'vendor.img' is ours, one "
     "partition must be, or something in own (write for example {2: Fat({...})})"]),
    (("vendor.img", "os.img", {}), {"own": [Segment("s", "stage2.bin", 512), 5]}, [
        "own[0]: 's' is as long as its file, what lies in an existing disk needs a room "
        "that does not change (give it a size, for example size=\"31KiB\")",
        f"own[1]: 5 is neither, must be Segment(...), or Partition(..., in_table=False) ({ROOM})",
    ]),
    (("vendor.img", "os.img", {}), {"own": [Segment("s", b"s")]}, [
        "own[0]: 's' has no start, what lies in an existing disk needs a room that does "
        "not change (write start=512)",
    ]),
    (("vendor.img", "os.img", {}), {"own": [Segment("s", "stage2.bin", 512, size="1MiB")]}, [
        "segments[1] 's': it covers partition 1 of 'vendor.img' at 0x100000, what has no place in "
        "their table must lie between their partitions (move it, or name that partition)",
    ]),
    (("vendor.img", "os.img", {}), {"own": [Partition("p", File("x"), start=512)]},
     [f"own[0]: 'p' has not, must have in_table=False, a start and a size: their table stays as "
      f"it is ({ROOM})"]),
    (("vendor.img", "os.img", {1: Fat({})}), {"own": [
        Segment("code", bytes(450), 0),
        Partition("two", File("x"), start="10MiB", size=512, in_table=False)]}, [
        "segments[1] 'code': it covers the partition table of 'vendor.img' at 0x1b8, what has no "
        "place in their table must lie between their partitions (move it, or name that partition)",
        "partitions[1] 'two': it covers partition 2 of 'vendor.img' at 0xa00000, what has no place "
        "in their table must lie between their partitions (move it, or name that partition)",
    ]),
]  # fmt: skip


@pytest.mark.parametrize(("arguments", "more", "messages"), BAD)
def test_what_can_t_be_ours(base, arguments, more, messages):
    base.with_suffix(".txt").write_bytes(bytes(1024))
    given, image, parts = arguments
    disk = DiskImage(base=given, image=image, partitions=parts, **more)
    assert sorted(map(str, disk.problems())) == sorted(messages)


CLEAR = (
    "a partition of ours must be clear of their table and of all other partitions (name another "
    "partition, or change the table of that image)"
)


def superfloppy(path):
    """mkfs.fat --mbr=y: a volume whose boot sector is a table, with the volume as partition 1."""
    path.write_bytes(bytes(8 * MIB))
    run("mkfs.fat", "--mbr=y", path)


def fat_alone(*command):
    """mkfs.fat, or mformat, which writes an entry for the volume into its boot sector."""
    def make(path):
        path.write_bytes(bytes(8 * MIB))
        run(*command, path, *(["::"] if command[0] == "mformat" else []), **QUIET)
    return make


def unused(path):
    """sfdisk: partition 3; then two entries of type 0 with places before it, as a board has them.
    """
    path.write_bytes(bytes(8 * MIB))
    run("sfdisk", "--quiet", path, stdin="label: dos\nlabel-id: 1\n3: start=4096,size=4096\n")
    patched(path, 8, "<II", [(446, 64, 512), (462, 1024, 1024)])


def isohybrid(path):
    """xorriso -as mkisofs -isohybrid-mbr: partition 1 is the whole ISO, from sector 0 on."""
    (path.parent / "root").mkdir()
    (path.parent / "root/file").write_bytes(b"file" * 9999)
    (path.parent / "code").write_bytes(bytes(432))
    (path.parent / "root/cd").write_bytes(bytes(2048))
    run("xorriso", "-as", "mkisofs", "-o", path, "-isohybrid-mbr", path.parent / "code", "-b", "cd",
        "-no-emul-boot", "-boot-load-size", "4", path.parent / "root")  # fmt: skip


def logical(*patches):
    """sfdisk: partition 1, and two logical ones; then (byte, start and length) in the tables."""
    def make(path):
        path.write_bytes(bytes(16 * MIB))
        run("sfdisk", "--quiet", path, stdin="label: dos\nlabel-id: 1\n"
            "start=2048,size=4096,type=83\nstart=8192,size=20480,type=5\n"
            "start=10240,size=4096\nstart=16384,size=4096\n")  # fmt: skip
        patched(path, 8, "<II", patches)
    return make


def gpt(*patches):
    """sgdisk -a 1 with two partitions; then (byte, first and last sector) in the arrays."""
    def make(path):
        path.write_bytes(bytes(4 * MIB))
        run("sgdisk", "-a", "1", "-n", "1:2048:4095", "-n", "2:4096:6143", path)
        patched(path, 32, "<QQ", patches)
    return make


def patched(path, at, form, patches):
    with open(path, "r+b") as file:
        for place, *numbers in patches:
            file.seek(place + at)
            file.write(struct.pack(form, *numbers))


def over(index, name, what, at):
    return f"partitions[{index}] {name!r}: it covers {what} of 'theirs.img' at {at:#x}, {CLEAR}"


EBR = "the sector that records a logical partition"
LAST = 4 * MIB - 512
ALONE = f"base: 'theirs.img' is a FAT volume alone, {MUST}"
OVER = [
    (superfloppy, {1: File("x")}, [ALONE]),
    (fat_alone("mkfs.fat"), {1: File("x")}, [ALONE]),
    (fat_alone("mformat", "-T", "16384", "-h", "16", "-s", "32", "-i"), {1: File("x")}, [ALONE]),
    (unused, {3: File("x")}, []),
    (unused, {1: File("x")}, [
        "partitions[1]: 'theirs.img' has no such partition, must be the number of one, or a name "
        "that one of them has (there are: partition 3)"]),
    (isohybrid, {1: File("x")}, [over(0, "partition1", "the partition table", 440)]),
    (logical(), {1: File("x"), 5: File("x"), 6: File("x")}, []),
    (logical((446, 0, 4096)), {1: File("x")}, [over(0, "partition1", "the partition table", 440)]),
    (logical((446, 0, 4096)), {5: File("x")}, []),
    (logical((446, 2048, 6145)), {1: File("x")}, [
        over(0, "partition1", "the extended partition", 4 * MIB),
        over(0, "partition1", EBR, 4 * MIB)]),
    (logical((4 * MIB + 446, 2048, 8192)), {5: File("x")}, [
        over(0, "partition5", EBR, 7 * MIB), over(0, "partition5", "partition 6", 8 * MIB)]),
    (logical((4 * MIB + 446, 2048, 8192)), {6: File("x")},
     [over(0, "partition6", "partition 5", 5 * MIB)]),
    (gpt(), {1: File("x"), 2: File("x")}, []),
    (gpt((1024, 0, 4095)), {1: File("x")}, [
        over(0, "partition1", "the partition table", 440),
        over(0, "partition1", "the header of the GPT", 512),
        over(0, "partition1", "the entries of the GPT", 1024)]),
    (gpt((1024, 33, 4095)), {1: File("x")},
     [over(0, "partition1", "the entries of the GPT", 1024)]),
    (gpt((1024, 34, 4096)), {1: File("x")}, [over(0, "partition1", "partition 2", 2 * MIB)]),
    (gpt((1152, 4096, 8191)), {2: File("x")}, [
        over(0, "partition2", "the header of the backup GPT", LAST),
        over(0, "partition2", "the entries of the backup GPT", LAST - 32 * 512)]),
]  # fmt: skip


@pytest.mark.parametrize(("make", "parts", "messages"), OVER)
def test_a_partition_that_covers_their_table_or_another_one(tmp_path, monkeypatch, make, parts,
                                                            messages):  # fmt: skip
    monkeypatch.chdir(tmp_path)
    make(tmp_path / "theirs.img")
    disk = DiskImage(base="theirs.img", image="os.img", partitions=parts)
    assert sorted(map(str, disk.problems())) == sorted(messages)


def test_the_last_image_stays_when_a_partition_covers_the_table(tmp_path):
    """The last image stays, byte by byte, when the base becomes one that can't be built from."""
    project = Project(tmp_path, MBR_DODO)
    mbr_disk(project.folder / "vendor.img")
    project.write("kernel.elf", b"kernel")
    project.write("stage2.bin", b"stage 2")
    project.doit()
    before = project.image_path.read_bytes()
    isohybrid(project.folder / "vendor.img")
    said = project.doit(code=3).said
    assert "partitions[0] 'partition1': it covers the partition table of 'vendor.img'" in said
    assert project.image_path.read_bytes() == before


def test_logical_partitions_keep_the_sectors_that_record_them(tmp_path):
    dodo = """
from doit_diskimg import DiskImage, File
disk = DiskImage(base="vendor.img", image="build/os.img", partitions={5: File("x"), 6: File("x")})
def task_image():
    return disk.tasks()
"""
    project = Project(tmp_path, dodo)
    logical()(project.folder / "vendor.img")
    project.write("x", b"x" * 4096 * 512)
    project.doit()
    theirs, ours = (project.folder / "vendor.img").read_bytes(), project.image_path.read_bytes()
    for first in (10240, 16384):
        place = first * 512
        assert ours[place : place + 4096 * 512] == b"x" * 4096 * 512
        theirs = theirs[:place] + b"x" * 4096 * 512 + theirs[place + 4096 * 512 :]
    assert ours == theirs


def test_a_base_image_that_is_missing_is_one_line_of_doit_s(tmp_path):
    project = Project(tmp_path, MBR_DODO)
    assert "os.img: base: 'vendor.img' does not exist" in project.doit(code=3).said


def test_numbers_and_types_are_theirs(base):
    disk = DiskImage(base=base, image="os.img", partitions={2: File("x")})
    assert disk.problems() == []
    (part,) = disk.partitions
    assert (part.name, part.start, part.size) == ("partition2", 20480 * 512, 8192 * 512)
    assert disk.table.numbers(disk) == [2]
    assert disk.table.type_of(part, None) == "0x83"
