"""Rooms, ranges of files, places that follow from others, volumes without a table.

All of it on the real doit.
"""

import shutil

import pytest
from project import Project
from tools import run, tool

DODO = '''
from doit_diskimg import BootCode, Disk, Fat, File, Mbr, Partition, Patch, Segment, at

disk = Disk("build/os.img", size="8MiB", table=Mbr(), partitions=[
    Partition("part", File("blob", offset=1000, length=100_000), type=0xDA),
], segments=[
    Segment("stage2", "stage2", size="16KiB"),
    Segment("behind", "behind"),
    Segment("range", "blob", offset="512", length="64KiB"),
], boot=BootCode(bytes(440), patches=[
    Patch(0, "<I", at.lba("stage2")), Patch(4, "<I", at.sectors("stage2")),
    Patch(8, "<I", at.start("behind")), Patch(12, "<I", at.sectors("behind")),
    Patch(16, "<I", at.crc32("stage2")), Patch(20, "<I", at.start("range")),
]))

def task_image():
    return disk.tasks()

def task_linked():
    return disk.linked_task()
'''


def blob(number=0):
    return bytes((n * n + number) % 251 for n in range(200_000))


@pytest.fixture
def project(tmp_path):
    project = Project(tmp_path / "project", DODO)
    project.write("stage2", b"2" * 9000)
    project.write("behind", b"b" * 700)
    project.write("blob", blob())
    project.doit("os.img")
    return project


def image(project):
    return project.image_path.read_bytes()


def same_as_clean(project, tmp_path):
    assert project.sha256() == project.clean_build(tmp_path / "clean")
    shutil.rmtree(tmp_path / "clean")
    assert "no errors" in project.doit("os.img:verify").said


def test_a_source_grows_and_shrinks_within_its_room(project, tmp_path):
    created = (project.folder / "build/.os.img/generation").read_bytes()
    assert image(project)[512 : 512 + 9000] == b"2" * 9000
    for length in (16 << 10, 10, 0, 5000):
        project.write("stage2", b"S" * length)
        project.doit("os.img")
        room = image(project)[512 : 512 + (16 << 10)]
        assert room == (b"S" * length).ljust(16 << 10, b"\0"), "and zero behind it"
        assert image(project)[512 + (16 << 10) :][:700] == b"b" * 700
        same_as_clean(project, tmp_path)
    assert (project.folder / "build/.os.img/generation").read_bytes() == created, "nothing moved"
    project.write("stage2", b"S" * 16385)
    assert (
        "os.img: segments[0] 'stage2': its source has 16,385 bytes (16 KiB), its room is 16 KiB "
        "(give it size=16385 or more, or shrink it)"
    ) in project.doit("os.img", code=1).said


def test_symbols_say_where_it_lies(project, tmp_path):
    import struct
    import zlib

    room = (b"2" * 9000).ljust(16 << 10, b"\0")
    behind, range_ = 512 + (16 << 10), 512 + (16 << 10) + 1024
    numbers = [1, 32, behind, 2, zlib.crc32(room), range_]
    assert [*struct.unpack("<6I", image(project)[:24])] == numbers
    project.write("behind", b"B" * 1025)  # one sector more: what lies behind it moves
    project.doit("os.img")
    numbers[3], numbers[5] = 3, range_ + 512
    assert [*struct.unpack("<6I", image(project)[:24])] == numbers
    assert image(project)[range_ + 512 :][: 64 << 10] == blob()[512 : 512 + (64 << 10)]
    same_as_clean(project, tmp_path)


def test_a_change_beside_the_range_writes_nothing(project, tmp_path):
    place = image(project).index(blob()[1000:101_000])
    data = bytearray(blob())
    data[:512] = b"x" * 512
    data[150_000:] = b"y" * 50_000
    project.write("blob", bytes(data))
    said = project.doit("os.img").said
    assert "0 extents, 0 B written" in said
    assert "1 extent" not in said
    data[1000] = data[1000] ^ 1
    project.write("blob", bytes(data))
    project.doit("os.img")
    assert image(project)[place] == data[1000]
    same_as_clean(project, tmp_path)
    project.write("blob", bytes(data[:100_999]))
    assert (
        "os.img: partitions[0].payload: 'blob' has 100,999 bytes (98.6 KiB), bytes 1000 to 101000 "
        "are asked for (make the file 1 byte longer, or the range shorter)"
    ) in project.doit("os.img", code=1).said


def test_the_linked_image_has_them_too(project):
    tool("qemu-img")
    project.doit("os.img:linked")
    assert "identical" in run(
        "qemu-img", "compare", "-f", "vmdk", "-F", "raw",
        project.folder / "build/os.img.vmdk", project.image_path,
    )


BARE = '''
from doit_diskimg import Bmap, Disk, Fat, Partition, Segment, Tree

disk = Disk("build/os.img", size="auto", table=None, partitions=[
    Partition("a", Fat({"/": [Tree("one"), Tree("two")]}), size="1MiB", start="64KiB"),
    Partition("b", Fat({"b//c": "blob"}), size="2MiB", start="2MiB"),
], segments=[Segment("spl", "spl"), Segment("env", b"env", "32KiB", size="8KiB")],
   outputs=[Bmap("build/os.bmap")])

def task_image():
    return disk.tasks()
'''


def test_volumes_and_bytes_without_a_table(tmp_path):
    project = Project(tmp_path / "project", BARE)
    for name, data in {"spl": b"s" * 9000, "one/x": b"1", "two/x2": b"2", "blob": blob()}.items():
        project.write(name, data)
    project.doit()
    volume = f"{project.image_path}@@64K"
    assert run("mdir", "-b", "-i", volume, "::").split() == ["::/x", "::/x2"]
    assert project.image_path.stat().st_size == 4 << 20
    bmap = (project.folder / "build/os.bmap").read_text()
    assert "<Range" in bmap
    blocks = [line for line in bmap.splitlines() if "<Range" in line]
    # Blocks of 4096: the room of env is there, zeros and all.
    assert any(_has(line, 8) and _has(line, 9) for line in blocks), blocks
    for edit in ({"two/x3": b"3"}, {"spl": b"S" * 700}, {"blob": b"short"}):
        for name, data in edit.items():
            project.write(name, data)
        project.doit()
        same_as_clean(project, tmp_path)
    project.write("two/x", b"twice")
    assert (
        "os.img: partitions[0].files['/'][1]: 'x' is the file 'two/x' here, and the file 'one/x' "
        "in partitions[0].files['/'][0], a path has one source whatever its case (remove one of "
        "the two)"
    ) in project.doit(code=1).said


def _has(line, block):
    low, _, high = line.partition(">")[2].partition("<")[0].strip().partition("-")
    return int(low) <= block <= int(high or low)
