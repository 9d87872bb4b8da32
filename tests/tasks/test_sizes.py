"""Sizes that nobody gave: what runs, what it comes to, and that it equals a build from nothing.

On the chain, and some on the real doit.
"""

import json

import pytest
from layouts import judges
from project import Project

DODO = '''
import json
from dataclasses import dataclass
from pathlib import Path

from doit_diskimg import Disk, Fat, File, Gpt, Mbr, Partition, Segment, Tree, Zero
from doit_diskimg.plan.content import Wanted
from doit_diskimg.plan.picture import Canvas
from doit_diskimg.ports import Room

spec = json.loads(Path("spec.json").read_text())

@dataclass(frozen=True)
class Own:
    """A file system of somebody's: a tree and a file, one sector each at least."""
    populated = True
    def problems(self, where, size, sector_size):
        return []
    def sources(self, where):
        return [Wanted(where, "kernel.elf"), Wanted(where, Tree("tree"))]
    def blank(self):
        return "own"
    def room(self, size, files, where, sector_size):
        if size is not None:
            return Room(length=size, type=0xE0)
        paths = [entry.source for entry in files.walk(Tree("tree"), where) if entry.source]
        lengths = [files.size(path, where) for path in ["kernel.elf", *paths]]
        return Room(length=sum(-(-length // 4096) * 4096 for length in lengths), type=0xE0)
    def fill(self, place, files, where):
        canvas, at = Canvas(), place.extent.start
        paths = [entry.source for entry in files.walk(Tree("tree"), where) if entry.source]
        for path in ["kernel.elf", *paths]:
            length = files.size(path, where)
            canvas.file(at, length, path, files.digest(path, where))
            at += -(-length // 4096) * 4096
        return canvas.picture()

kernel = {"KERNEL.ELF": "kernel.elf"}
disk = Disk("os.img", **eval(spec))

def task_image():
    return disk.tasks()
'''

INJECTS = {"a:inject", "root:inject", "spl:inject", "table:inject"}


@pytest.fixture
def project(tmp_path):
    project = Project(tmp_path / "project", DODO, image="os.img", by="chain")
    project.write("kernel.elf", b"k" * 5000)
    project.write("tree/one", b"1" * 100)
    project.write("root.bin", b"r" * 100_000)
    project.write("spl.bin", bytes(range(256)) * 40)
    return project


def build(project, spec, *edits):
    """Build, then apply each edit and build again; return what ran each time."""
    project.write("spec.json", json.dumps(spec))
    ran = [names(project.build().ran)]
    for path, data in edits:
        project.write(path, data)
        ran.append(names(project.build().ran))
    return ran


def names(tasks):
    return {task.removeprefix("os.img:") for task in tasks}


def check(project, tmp_path):
    """Nothing is left to do, and a build from nothing gives the same bytes."""
    assert not project.build().ran
    assert project.sha256() == project.clean_build(tmp_path / "clean")
    assert judges.sfdisk_verdict(project.image_path) == []


REST = """dict(size="%s", table=%s, partitions=[
    Partition("root", File("root.bin"), type="linux-filesystem"),
    Partition("a", Fat(kernel), size="rest")])"""


@pytest.mark.parametrize("by", ["chain", "doit"])
def test_the_rest_for_a_file_system(project, tmp_path, by):
    project.by = by
    first, changed, grown = build(
        project, REST % ("64MiB", "Mbr()"),
        ("kernel.elf", b"K" * 5000), ("kernel.elf", b"K" * 500_000),
    )
    everything = {"table", "create", "a:populate", "seal", *INJECTS - {"spl:inject"}}
    assert first == everything, "its geometry is the table's business"
    assert changed == grown == {"a:populate", "a:inject", "seal"}
    assert judges.sfdisk(project.image_path) == ["1 2048 196 83", "2 4096 126976 0e"]
    assert judges.fsck(project.image_path, 4096 * 512, 126976 * 512, tmp_path / "fat") == ""
    check(project, tmp_path)


def test_the_rest_decides_the_type_and_follows_the_disk(project, tmp_path):
    _, larger = build(
        project, REST % ("64MiB", "Mbr()"),
        ("spec.json", json.dumps(REST % ("600MiB", "Mbr()"))),
    )
    assert "a:populate" in larger
    assert judges.sfdisk(project.image_path)[1] == "2 4096 1224704 0c"
    check(project, tmp_path)


def test_the_facts_of_the_rest_are_told_with_the_map(project):
    project.write("spec.json", json.dumps(REST % ("64MiB", "Gpt()")))
    assert "a: file system: FAT16, cluster: 2 KiB" in project.build().out


def test_the_rest_shrinks_when_its_neighbour_grows(project, tmp_path):
    _, grown = build(
        project, REST % ("64MiB", "Gpt()"), ("root.bin", b"R" * 3_000_000)
    )
    assert grown >= {"table", "create", "a:populate"}
    assert [line.split()[1] for line in judges.sfdisk(project.image_path)] == ["2048", "8192"]
    check(project, tmp_path)


AUTO = """dict(size="auto", table=Mbr(), partitions=[
    Partition("root", File("root.bin"), type="linux-filesystem"),
    Partition("a", Own(), size="auto")], power_of_two=%s)"""


@pytest.mark.parametrize("by", ["chain", "doit"])
def test_a_disk_as_large_as_it_has_to_be(project, tmp_path, by):
    project.by = by
    runs = build(
        project, AUTO % False,
        ("kernel.elf", b"K" * 5000),
        ("kernel.elf", b"K" * 9000),
        ("tree/two", b"2" * 5000),
        ("root.bin", b"R" * 1_000_000),
        ("root.bin", b"r" * 2_000_000),
    )
    volume = {"a:populate", "a:inject", "seal"}
    assert runs[0] == {"a:format", "table", "create", "root:inject", "table:inject", *volume}
    assert runs[1] == volume, "contents of the same length"
    assert runs[2] >= {"a:format", "table", "create", *volume}, "the partition is longer"
    assert runs[3] >= {"a:format", "table", *volume}
    assert runs[4] >= {"table", "root:inject"}
    assert "a:format" not in runs[4]
    assert project.image_path.stat().st_size == 4 << 20
    assert judges.sfdisk(project.image_path) == ["1 2048 3907 83", "2 6144 48 e0"]
    check(project, tmp_path)


def test_a_card_for_qemu(project, tmp_path):
    build(project, AUTO % True, ("root.bin", b"R" * 3_000_000))
    assert project.image_path.stat().st_size == 8 << 20
    check(project, tmp_path)


def test_a_bare_disk_of_a_file(project, tmp_path):
    spec = 'dict(size="auto", table=None, partitions=[Partition("root", File("root.bin"))])'
    build(project, spec, ("root.bin", b"R" * 9000))
    assert project.image_path.stat().st_size == 9216
    assert not project.build().ran
    assert project.sha256() == project.clean_build(tmp_path / "clean")


def test_a_volume_that_has_its_own_size_asks_about_no_file(project, tmp_path):
    spec = """dict(size="auto", table=Mbr(), partitions=[
        Partition("a", Fat({**kernel, "tree": Tree("tree")}, size="2MiB"))])"""
    _, changed = build(project, spec, ("kernel.elf", b"K" * 9000))
    assert changed == {"a:populate", "a:inject", "seal"}
    check(project, tmp_path)


LOGICAL = """dict(size="auto", table=Mbr(), align="64KiB", partitions=[
    Partition("boot", Fat(kernel), size="2MiB"),
    Partition("root", File("root.bin"), type="linux-filesystem", logical=True),
    Partition("again", File("root.bin"), type="linux-filesystem", logical=True),
    Partition("slot", Zero(), type="linux-swap", size="1MiB", logical=True)])"""


def test_logical_partitions_follow_one_another(project, tmp_path):
    build(project, LOGICAL, ("root.bin", b"R" * 300_000), ("root.bin", b"r" * 10))
    assert judges.sfdisk(project.image_path) == [
        "1 128 4096 01", "4 4224 2688 0f", "5 4352 1 83", "6 4608 1 83", "7 4864 2048 82",
    ]
    with project.image_path.open("rb") as image:
        for sector in (4352, 4608):
            image.seek(sector * 512)
            assert image.read(11) == b"r" * 10 + b"\0"
    check(project, tmp_path)


KEEP = """dict(size="4MiB", table=Gpt(), partitions=[
    Partition("root", File("root.bin"), type="linux-filesystem")],
    segments=[Segment("spl", "spl.bin", 0, keep=[(440, 1024), (1024, "17KiB")])])"""


def spl(length, **changed):
    data = bytearray(bytes(range(256)) * (length // 256))
    for offset, value in changed.items():
        data[int(offset[1:])] = value
    return bytes(data)


@pytest.mark.parametrize("by", ["chain", "doit"])
def test_code_that_spans_the_table(project, tmp_path, by):
    project.by = by
    project.write("spl.bin", spl(30_208))
    runs = build(
        project, KEEP,
        ("spl.bin", spl(30_208, _500=7)),  # a byte that is not its own
        ("spl.bin", spl(30_208, _100=7, _20000=9)),
        ("spl.bin", spl(12_800, _100=7)),  # within what it keeps: the second piece is gone
        ("spl.bin", spl(40_192, _20000=9)),
    )
    assert runs[1] == {"spl:inject"}, "the image stays as it is"
    assert runs[2] == {"spl:inject", "seal"}
    with project.image_path.open("rb") as image:
        data = image.read(1 << 20)
    source = spl(40_192, _20000=9)
    assert data[:440] == source[:440]
    assert data[17_408:40_192] == source[17_408:]
    assert data[512:520] == b"EFI PART"
    assert not any(data[40_192:])
    assert judges.sgdisk_verdict(project.image_path) == []
    check(project, tmp_path)


def test_a_byte_that_is_kept_is_not_written(project, tmp_path):
    build(project, KEEP)
    project.write("spl.bin", bytes(range(256)) * 2 + b"x" * 600)
    project.build()
    project.write("spl.bin", bytes(range(256)) * 2 + b"y" * 600)
    trace = tmp_path / "trace"
    assert "0 extents, 0 B written" in project.doit_under_strace(trace).out
    check(project, tmp_path)


SECTORS = """dict(size="%s", table=Gpt(sector_size=%d), partitions=[
    Partition("a", Fat(kernel), size=%r)])"""


def test_an_automatic_volume_is_counted_in_the_sectors_of_the_disk(project, tmp_path):
    build(project, SECTORS % ("auto", 4096, "auto"), ("kernel.elf", b"K" * 3_000_000))
    assert judges.parted(project.image_path, 4096) == ["1 256 1024"]
    assert judges.fsck(project.image_path, 1 << 20, 4 << 20, tmp_path / "fat") == ""
    assert not project.build().ran
    assert project.sha256() == project.clean_build(tmp_path / "clean")


def test_another_sector_size_makes_another_volume_in_the_same_place(project, tmp_path):
    larger = json.dumps(SECTORS % ("64MiB", 4096, "33MiB"))
    _, ran = build(project, SECTORS % ("64MiB", 512, "33MiB"), ("spec.json", larger))
    assert ran >= {"a:format", "table", "a:populate", "a:inject"}
    assert judges.parted(project.image_path, 4096) == ["1 256 8448"]
    assert judges.fsck(project.image_path, 1 << 20, 33 << 20, tmp_path / "fat") == ""
    assert project.sha256() == project.clean_build(tmp_path / "clean")
