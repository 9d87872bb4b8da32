"""ISOs that start as a CD and from a stick, judged by xorriso, sfdisk and sgdisk, and booted."""

import re
from pathlib import Path

import pytest
from bootloaders.liminefiles import as_header, bootable
from guests import boot_code, says_and_ends
from multiboot import kernel
from project import Project
from tools import run, tool

ENDS = 33
"""QEMU's status when a guest writes 0x10 to port 0xf4."""

DODO = '''
from doit_diskimg import Disk, Esp, Gpt, GrubCd, Iso, Limine

grub = GrubCd("build/eltorito.img", prefix="/boot/grub")
MENU = b"serial\\nterminal_output serial\\nmultiboot /boot/kernel\\nboot\\n"
image = {"boot/cd.bin": "cd.bin"}
both = {"bios": "boot/cd.bin", "files": image}
disk = Disk("build/os.img", size="auto", table=Gpt(), partitions=[
    Esp({"a.txt": b"a"}, size="2MiB", fat=12),
], outputs=[
    Iso("build/grub.iso", name="grub", efi="esp", hybrid="grub",
        bios="boot/grub/eltorito.img", files={
            "boot/grub/eltorito.img": grub, "boot/kernel": "kernel",
            "boot/grub/grub.cfg": MENU,
        }),
    Iso("build/grub_bios.iso", name="grub_bios", hybrid="grub", bios="eltorito.img", files={
        "eltorito.img": grub, "boot/kernel": "kernel", "boot/grub/grub.cfg": MENU,
    }),
    Iso("build/isolinux.iso", name="isolinux", **both,
        hybrid="/usr/lib/ISOLINUX/isohdpfx.bin"),
    Iso("build/isolinux_efi.iso", name="isolinux_efi", **both, efi="esp",
        hybrid="/usr/lib/ISOLINUX/isohdpfx.bin"),
    Iso("build/limine8.iso", name="limine8", **both, efi="esp", hybrid=Limine("limine8")),
    Iso("build/limine9.iso", name="limine9", hybrid=Limine("limine9")),
    Iso("build/floppy.iso", name="floppy", bios="floppy.img", emulation="floppy",
        files={"floppy.img": "floppy.img"}),
    Iso("build/full.iso", name="full", bios="full.bin", load_size="full",
        files={"full.bin": "full.bin"}),
])

def task_grub():
    return grub.task()

def task_image():
    return disk.tasks()
'''

ISOLINUX = bytes.fromhex("e9 41 00").ljust(64, b"\x90") + bytes.fromhex("fb c0 78 70")
"""How a boot image begins that ISOLINUX's code for sticks enters at 68, and a CD's BIOS at 0."""


def make(folder: Path) -> Project:
    for name in ("xorriso", "grub-mkimage"):
        tool(name)
    for path, package in (("/usr/lib/grub/i386-pc/boot_hybrid.img", "grub-pc-bin"),
                          ("/usr/lib/ISOLINUX/isohdpfx.bin", "isolinux")):
        if not Path(path).exists():
            tool(package)  # says so
    project = Project(folder, DODO)
    kernel(folder / "kernel", "hello from GRUB\n")
    project.write("cd.bin", (ISOLINUX + says_and_ends("hello from the CD\n", origin=0x7C44)
                             ).ljust(2048, b"\0"))
    floppy = boot_code("hello from drive A\n", "writes 0x10").ljust(510, b"\0") + b"\x55\xaa"
    project.write("floppy.img", floppy.ljust(1440 << 10, b"\0"))
    project.write("full.bin", says_and_ends("hello from afar\n", filler=20_000))
    for generation in (8, 9):
        data = bootable(folder, generation)
        project.write(f"limine{generation}/limine-bios-hdd.h", as_header(data))
    project.doit()
    return project


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    return make(tmp_path_factory.mktemp("iso"))


def test_the_same_bytes_elsewhere(built, tmp_path):
    assert not built.doit().ran
    again = make(tmp_path / "elsewhere")
    isos = sorted(path.name for path in (built.folder / "build").glob("*.iso"))
    assert len(isos) == 8
    for name in isos:
        here, there = (project.folder / "build" / name for project in (built, again))
        assert here.read_bytes() == there.read_bytes(), name


@pytest.mark.parametrize(("name", "entries"), [
    ("grub", ["BIOS y none 4", "UEFI y none 4096"]),
    ("isolinux", ["BIOS y none 4"]),
    ("isolinux_efi", ["BIOS y none 4", "UEFI y none 4096"]),
    ("limine8", ["BIOS y none 4", "UEFI y none 4096"]),
    ("limine9", []),
    ("floppy", ["BIOS y fd1.4 1"]),
    ("full", ["BIOS y none 40"]),
])  # fmt: skip
def test_el_torito(built, name, entries):
    said = run("xorriso", "-indev", built.folder / f"build/{name}.iso", "-report_el_torito",
               "plain")
    # number, platform, bootable, emulation, segment, type of partition, sectors, place
    line = r"El Torito boot img : +\d+ +(\w+) +(y) +(\S+) +0x0000 +0x00 +(\d+) +\d+"
    assert [" ".join(match) for match in re.findall(line, said)] == entries


@pytest.mark.parametrize("name", ["grub", "limine8"])
def test_the_table_that_uefi_reads_is_right(built, name):
    iso = built.folder / f"build/{name}.iso"
    assert "EFI System" in run("sfdisk", "-l", iso)
    assert "No problems found" in run("sgdisk", "-v", iso)


def test_uefi_finds_its_volume_beside_isolinux(built):
    said = run("fdisk", "-l", "-t", "dos", built.folder / "build/isolinux_efi.iso")
    assert re.search(r"iso2 .* ef EFI", said)


@pytest.mark.parametrize(("name", "how", "says"), [
    ("grub", "cd", "hello from GRUB"),
    ("grub", "stick", "hello from GRUB"),
    ("grub_bios", "stick", "hello from GRUB"),
    ("isolinux", "cd", "hello from the CD"),
    ("isolinux", "stick", "hello from the CD"),
    ("isolinux_efi", "stick", "hello from the CD"),
    ("limine8", "cd", "hello from the CD"),
    ("limine8", "stick", "hello from stage 2"),
    ("limine9", "stick", "hello from stage 2"),
    ("floppy", "cd", "hello from drive A"),
    ("full", "cd", "hello from afar"),
])  # fmt: skip
def test_it_boots_with_a_bios(built, boot, name, how, says):
    boot("seabios", built.folder / f"build/{name}.iso", says=says, ends=ENDS, cd=how == "cd")


REFUSED = [
    ('hybrid="grub"', "outputs[0].hybrid: 'grub' is given, and no bios, the code in the first "
     "sector loads the boot image of the CD, as it is (name a boot image in bios)"),
    ('hybrid="grub", bios="a", emulation="floppy"', "outputs[0].hybrid: 'grub' is given, and "
     "emulation, the code in the first sector loads the boot image of the CD, as it is "
     "(leave emulation out)"),
    ('hybrid="limine"', "outputs[0].hybrid: the disk has no boot=Limine(...), must be known where "
     "its files are"),
    ('hybrid=Limine(3)', "outputs[0].hybrid.folder: 3 is not a path"),
    ('hybrid=3', "outputs[0].hybrid: 3 is given, must be \"grub\", \"limine\", a Limine(...) or "
     "the path of an MBR (leave it out if it need not start from a stick)"),
    ('hybrid="grub", bios="a", boot_code=b"x"', "outputs[0].hybrid: boot_code is given too"),
    ('bios="a", emulation="cdrom"', "outputs[0].emulation: 'cdrom' is given, must be \"floppy\""),
    ('bios="a", emulation="floppy", load_size=512', "outputs[0].load_size: it is 512, of a "
     "diskette a BIOS loads the first sector"),
    ('bios="a", load_size="all"', "outputs[0].load_size: 'all' is given, must be a number of "
     "bytes, or \"full\""),
    ('bios="a", load_size=640 << 10', "outputs[0].load_size: it is 655360, must be a multiple of "
     "512 bytes, 623,616 at the most"),
]


@pytest.mark.parametrize(("fields", "message"), REFUSED)
def test_it_is_refused_before_anything_runs(tmp_path, fields, message):
    said = small(tmp_path, fields).doit(code=3).said
    assert f"os.img: {message}" in said


def test_a_file_has_the_name_of_stage_2(tmp_path):
    project = small(tmp_path, 'hybrid=Limine("limine")', file="Limine-Stage2.bin")
    assert (
        "os.img: outputs[0].files['Limine-Stage2.bin']: it is the name of Limine's stage 2 too, "
        "every file needs a different path (rename it)"
    ) in project.doit(code=3).said


@pytest.mark.parametrize(("fields", "size", "message"), [
    ('bios="a", emulation="floppy"', 1440 << 10, ""),
    ('bios="a", emulation="floppy"', (1440 << 10) - 1, "outputs[0].bios: 'a' has 1,474,559 bytes, "
     "must be a diskette of 1.2, 1.44 or 2.88 MB, that is 1,228,800 or 1,474,560 or 2,949,120 "),
    ('bios="a", load_size="full"', 623_616, ""),
    ('bios="a", load_size="full"', 623_617, "outputs[0].load_size: 'a' has 623,617 bytes, there is "
     "room for 623,616 where a BIOS loads it"),
    ('bios="a", hybrid="a"', 512, "outputs[0].hybrid: 'a' finds no boot image in an ISO, must be "
     "GRUB's boot_hybrid.img or an isohdp*.bin of ISOLINUX"),
])  # fmt: skip
def test_what_the_boot_image_must_be(tmp_path, fields, size, message):
    tool("xorriso")
    project = small(tmp_path, fields)
    project.write("a", bytes(size))
    assert message in project.doit(code=1 if message else 0).said


def small(folder, fields, file="a"):
    return Project(folder, f"""
from doit_diskimg import Disk, Iso, Limine, Mbr

def task_image():
    return Disk("os.img", size="1MiB", table=Mbr(), outputs=[
        Iso("os.iso", files={{"{file}": "a"}}, {fields}),
    ]).tasks()
""")


def test_the_limine_of_the_disk_and_a_kernel_that_changes(tmp_path):
    """The place of stage 2 is that of this ISO; an edit of another file moves it."""
    tool("xorriso")
    project = Project(tmp_path, """
from doit_diskimg import Disk, Iso, Limine, Mbr

def task_image():
    return Disk("os.img", size="2MiB", table=Mbr(), boot=Limine("limine"), outputs=[
        Iso("os.iso", files={"a": "a"}, hybrid="limine"),
    ]).tasks()
""")
    stage = bootable(tmp_path, 8)
    project.write("limine/limine-bios-hdd.h", as_header(stage))
    for size in (5000, 50_000):
        project.write("a", bytes(size))
        assert "os.img:iso" in project.doit().ran
        iso = (tmp_path / "os.iso").read_bytes()
        first, length = iso.find(stage[512:]), len(stage) - 512
        assert first % 2048 == 0
        assert int.from_bytes(iso[0x1A8:0x1B0], "little") == first
        assert iso[first : first + length] == stage[512:]
    stage = bootable(tmp_path, 9)
    project.write("limine/limine-bios-hdd.h", as_header(stage))
    assert "os.img:iso" in project.doit().ran
