"""Every output, read back by the tool that it is made for."""

import subprocess
from xml.etree import ElementTree

import pytest
from project import Project
from tools import run, tool

MIB = 1 << 20

DODO = '''
from doit_diskimg import (
    Bmap, Compressed, Disk, Esp, File, Gpt, Iso, Partition, PartitionFile, Qcow2, Sha256, Tree,
    Vdi, Vhdx, Vmdk,
)

disk = Disk("build/os.img", size="40MiB", table=Gpt(), partitions=[
    Esp({"kernel.elf": "kernel.elf", "etc": Tree("etc")}, size="33MiB", label="SYSTEM"),
    Partition("root", File("root.bin"), type="linux-filesystem"),
], outputs=[
    Qcow2("build/os.qcow2"),
    Qcow2("build/small.qcow2", compress="zstd", name="small"),
    Vdi("build/os.vdi"),
    Vmdk("build/os.vmdk"),
    Vmdk("build/stream.vmdk", subformat="streamOptimized", name="stream"),
    Vhdx("build/os.vhdx"),
    Vhdx("build/fixed.vhdx", subformat="fixed", name="fixed"),
    Compressed("build/os.img.gz"),
    Compressed("build/os.img.xz", level=0),
    Compressed("build/os.img.zst"),
    PartitionFile("build/esp.img", partition="esp"),
    Bmap("build/os.bmap"),
    Iso("build/os.iso", efi="esp", bios="/boot/cd.bin", label="TINYOS", files={
        "boot/cd.bin": b"\\xf4" * 2048,
        "kernel.elf": "kernel.elf",
        "etc": [Tree("etc"), Tree("etc.d")],
        "a=b": b"an equals sign",
    }),
    Sha256("build/SHA256SUMS"),
])

def task_image():
    return disk.tasks()
'''

FILES = {
    "os.qcow2", "small.qcow2", "os.vdi", "os.vmdk", "stream.vmdk", "os.vhdx", "fixed.vhdx",
    "os.img.gz", "os.img.xz", "os.img.zst", "esp.img", "os.bmap", "os.iso", "SHA256SUMS",
}


def make(folder, kernel):
    project = Project(folder, DODO)
    project.write("kernel.elf", kernel)
    project.write("etc/motd", b"hello\n")
    project.write("etc.d/sub/more", b"more\n")
    project.write("root.bin", bytes(range(256)) * 400)
    return project


KERNEL = bytes(i * i % 251 for i in range(2_000_000))


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    """A project whose outputs were made twice: what counts is what an edit leaves."""
    for name in ("qemu-img", "zstd", "xorriso"):
        tool(name)
    project = make(tmp_path_factory.mktemp("outputs"), b"\xee" * 5_000_000)
    project.doit()
    project.write("kernel.elf", KERNEL)
    assert project.doit().err == "", "neither a program nor Python has a word to say"
    return project


def test_all_are_there_and_nothing_else(built):
    assert {path.name for path in (built.folder / "build").iterdir()} == {
        *FILES, "os.img", ".os.img",
    }


def test_the_same_image_gives_the_same_bytes(built, tmp_path):
    """Elsewhere and from nothing, where the image's holes and all clocks are others."""
    clean = make(tmp_path / "clean", KERNEL)
    clean.doit("-n", "2")
    for name in sorted(FILES):
        here, there = (project.folder / "build" / name for project in (built, clean))
        assert here.read_bytes() == there.read_bytes(), name


@pytest.mark.parametrize(
    "name", ["os.qcow2", "small.qcow2", "os.vdi", "os.vmdk", "stream.vmdk", "os.vhdx", "fixed.vhdx"]
)
def test_qemu_reads_virtual_disks(built, name):
    path = built.folder / "build" / name
    kind = path.suffix[1:]
    if name != "fixed.vhdx":
        run("qemu-img", "check", "-f", kind, path)
    run("qemu-img", "compare", "-s" if kind == "raw" else "-q", "-F", kind, built.image_path, path)
    assert f'"virtual-size": {40 * MIB}' in run("qemu-img", "info", "--output=json", path)


def test_a_descriptor_names_its_own_file(built):
    assert b'SPARSE "os.vmdk"' in (built.folder / "build/os.vmdk").read_bytes()[:4096]


@pytest.mark.parametrize(("program", "suffix"), [("gzip", "gz"), ("xz", "xz"), ("zstd", "zst")])
def test_programs_decompress(built, program, suffix):
    path = built.folder / f"build/os.img.{suffix}"
    run(program, "-t", path)
    done = subprocess.run([tool(program), "-dc", path], capture_output=True, check=True)
    assert done.stdout == built.image_path.read_bytes()


def test_gzip_knows_the_size(built):
    """One member, for readers that stop after the first, such as U-Boot and browsers."""
    assert f" {40 * MIB} " in run("gzip", "-l", built.folder / "build/os.img.gz")


def test_a_partition_is_a_volume(built):
    volume = built.folder / "build/esp.img"
    assert "2 files" in run("fsck.fat", "-n", volume) or run("mdir", "-i", volume, "::/etc/motd")
    with built.image_path.open("rb") as image:
        image.seek(MIB)
        assert image.read(33 * MIB) == volume.read_bytes()
    assert volume.stat().st_blocks * 512 < 4 * MIB, "it is sparse"


def test_sums_are_right(built):
    said = subprocess.run(
        [tool("sha256sum"), "--check", "--strict", "SHA256SUMS"], cwd=built.folder / "build",
        capture_output=True, text=True, check=True,
    )
    assert {line.partition(":")[0] for line in said.stdout.splitlines()} == {
        *FILES - {"SHA256SUMS"}, "os.img",
    }


@pytest.mark.parametrize("packed", ["", ".gz", ".xz", ".zst"])
def test_bmaptool_copies_by_the_map(built, packed, tmp_path):
    """It checks the map's own sum and that of every range."""
    bmap, medium = built.folder / "build/os.bmap", tmp_path / "medium"
    run("bmaptool", "copy", "--bmap", bmap, f"{built.image_path}{packed}", medium)
    assert medium.read_bytes() == built.image_path.read_bytes()


def flash(bmap, image, medium):
    """Write the blocks of the map onto a medium that is full of 0xFF.

    bmaptool itself empties a regular file first, so what it leaves alone is seen on devices only.
    """
    medium.write_bytes(b"\xff" * (40 * MIB))
    block = 0
    with image.open("rb") as source, medium.open("r+b") as file:
        for entry in ElementTree.parse(bmap).iter("Range"):
            first, _, last = entry.text.strip().partition("-")
            length = (int(last or first) - int(first) + 1) * 4096
            block += length
            source.seek(int(first) * 4096)
            file.seek(int(first) * 4096)
            file.write(source.read(length))
    assert block < 8 * MIB, "free clusters are not copied"
    volume = medium.with_name("volume")
    volume.write_bytes(medium.read_bytes()[MIB : 34 * MIB])
    return volume


def test_what_the_map_has_is_enough_for_a_medium_full_of_something_else(built, tmp_path):
    medium, copy = tmp_path / "medium", tmp_path / "kernel"
    volume = flash(built.folder / "build/os.bmap", built.image_path, medium)
    assert "No problems found" in run("sgdisk", "-v", medium)
    run("fsck.fat", "-n", volume)
    run("mcopy", "-n", "-i", volume, "::/kernel.elf", copy, MTOOLSRC="/dev/null")
    assert copy.read_bytes() == KERNEL


def test_a_map_of_holes_would_not_do(built, tmp_path):
    """Why we do not leave it to `bmaptool create`: the FAT's zeros are holes of a sparse image."""
    bmap = tmp_path / "bmap"
    run("bmaptool", "create", built.image_path, "-o", bmap)
    volume = flash(bmap, built.image_path, tmp_path / "medium")
    done = subprocess.run([tool("fsck.fat"), "-n", volume], capture_output=True, check=False)
    assert done.returncode != 0


def test_xorriso_and_sfdisk_read_the_iso(built):
    iso = built.folder / "build/os.iso"
    said = run("xorriso", "-indev", iso, "-report_el_torito", "plain", "-find", "/", "-exec",
               "lsdl", "--")
    assert "El Torito boot img :   1  BIOS  y   none" in said
    assert "El Torito boot img :   2  UEFI  y   none" in said
    assert "El Torito img path :   1  /boot/cd.bin" in said
    for name in ("/kernel.elf'", "/etc/motd'", "/etc/sub/more'", "/a=b'"):
        assert name in said
    assert "EFI System" in run("sfdisk", "-l", iso)
    assert "No problems found" in run("sgdisk", "-v", iso)


def test_two_sources_of_one_path_in_the_iso(tmp_path):
    """xorriso would store the last one and say nothing."""
    tool("xorriso")
    project = Project(tmp_path, '''
from doit_diskimg import Disk, Iso, Mbr, Tree

def task_image():
    return Disk("os.img", size="1MiB", table=Mbr(), outputs=[
        Iso("os.iso", files={"etc": [Tree("a"), Tree("b")]}),
    ]).tasks()
''')
    project.write("a/motd", b"a")
    project.write("b/motd", b"b")
    assert (
        "os.img: outputs[0].files['etc'][1]: 'etc/motd' is the file 'b/motd' here, and the file "
        "'a/motd' in outputs[0].files['etc'][0], a path has one source (remove one of the two)"
    ) in project.doit(code=1).said
    assert not (tmp_path / "os.iso").exists()


@pytest.fixture(scope="module")
def large(tmp_path_factory):
    """A mebibyte at either end of 2 GiB, between them two stretches that begin at odd places."""
    for name in ("gzip", "xz", "zstd"):
        tool(name)
    project = Project(tmp_path_factory.mktemp("large"), '''
from doit_diskimg import Compressed, Disk, File, Partition, Segment

disk = Disk("build/os.img", size="2GiB", table=Mbr(), segments=[
    Segment("a", bytes(range(1, 256)) * 700, 1001),
    Segment("b", b"odd" * 1234567, (700 << 20) + 77),
    Segment("c", b"the end", (2 << 30) - 7),
], outputs=[Compressed(f"build/os.img.{suffix}") for suffix in ("gz", "xz", "zst")])

def task_image():
    return disk.tasks()
'''.replace("Compressed, Disk, File, Partition,", "Compressed, Disk, Mbr,"))
    project.doit()
    return project


@pytest.mark.slow
@pytest.mark.parametrize(("program", "suffix"), [("gzip", "gz"), ("xz", "xz"), ("zstd", "zst")])
def test_long_stretches_of_zeros(large, program, suffix):
    path = large.folder / f"build/os.img.{suffix}"
    with subprocess.Popen([tool(program), "-dc", path], stdout=subprocess.PIPE) as unpacked:
        done = subprocess.run(
            [tool("cmp"), "-", large.image_path], stdin=unpacked.stdout, capture_output=True,
            text=True, check=False,
        )
    assert (done.returncode, done.stdout) == (0, "")
