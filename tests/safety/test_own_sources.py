"""What a build writes is no source of it, whatever it is called: links, folders, hard links.

Each attack is refused in one line, and the files are what they were before.
"""

import os
from pathlib import Path

import pytest
from forked import doit
from project import Project

from doit_diskimg.chain import own_sources
from doit_diskimg.plan.content import Tree

HEAD = '''
from doit_diskimg import (
    BootCode, Compressed, Disk, DiskImage, Esp, Fat, File, Gpt, Iso, Mbr, Partition, PartitionFile,
    Segment,
    Sha256, Tree,
)
def esp(source):
    return Disk("build/os.img", size="16MiB", table=Gpt(), partitions=[
        Esp({"kernel": source}, size="4MiB")])
def root(source, **more):
    return Disk("build/os.img", size="16MiB", table=Gpt(), partitions=[
        Partition("root", File(source), type="linux-filesystem", size="8MiB")], **more)
def code(source):
    return Disk("build/os.img", size="16MiB", table=Mbr(), boot=BootCode(source), partitions=[])
'''
TAIL = "\ndef task_image():\n    return disk.tasks()\n"
OURS = "what a build writes can't be one of its sources"
PART = "an image can't be part of itself"
PLACE = "every file that is made needs a different place"
IMAGE = "the image 'build/os.img' itself"
STATE = "a file of the build's state"


def links(folder: Path) -> None:
    """The same folder and the same files by other names."""
    (folder / "linked").symlink_to("build")
    (folder / "kernel.elf").symlink_to("build/os.img")
    (folder / "tree").mkdir()
    (folder / "tree/deep").symlink_to("../build")


def hard(folder: Path) -> None:
    (folder / "tree/deep").mkdir(parents=True)
    os.link(folder / "build/os.img", folder / "tree/deep/file")
    os.link(folder / "build/os.img", folder / "hard.bin")
    os.link(folder / "build/.os.img/layout.json", folder / "layout.bin")


DESCRIBED = {
    "a linked folder": ('root("linked/os.img")', f"'linked/os.img' is {IMAGE}, {OURS}"),
    "a link": ('esp("kernel.elf")', f"'kernel.elf' is {IMAGE}, {OURS}"),
    "a link out of a tree": ('esp(Tree("linked"))', f"{IMAGE} is in it, {PART}"),
    "a segment": (
        'root("good.bin", segments=[Segment("s", "linked/../build/os.img", "12MiB")])',
        f"segments[0].source: 'linked/../build/os.img' is {IMAGE}, {OURS}",
    ),
    "boot code": ('code("linked/os.img")', f"boot.source: 'linked/os.img' is {IMAGE}, {OURS}"),
    "a boot sector": (
        'Disk("build/os.img", size="4MiB", table=None, partitions=[Partition("p", '
        'Fat({}, reserved={2: "kernel.elf"}))])', f"'kernel.elf' is {IMAGE}, {OURS}",
    ),
    "a state file": (
        'root("linked/.os.img/x.plan")', f"'linked/.os.img/x.plan' is {STATE}, {OURS}",
    ),
    "the state folder": ('esp(Tree("build/.os.img"))', f"'build/.os.img' is {STATE}, {OURS}"),
    "an output as a source": (
        'root("linked/os.xz", outputs=[Compressed("build/os.xz")])',
        f"'linked/os.xz' is the output 'build/os.xz' of the same disk, {OURS}",
    ),
    "an output in a tree": (
        'Disk("os.img", size="16MiB", table=Gpt(), outputs=[Compressed("build/os.xz")], partitions='
        '[Esp({"t": Tree("linked")}, size="8MiB")])',
        f"the output 'build/os.xz' of the same disk is in it, {PART}",
    ),
    "an output over the image": (
        'root("good.bin", outputs=[PartitionFile("linked/os.img", partition="root")])',
        f"outputs[0].path: 'linked/os.img' is {IMAGE}, {PLACE}",
    ),
    "an output over another": (
        'root("good.bin", outputs=[Compressed("build/a.xz"), Compressed("linked/a.xz", name="b")])',
        f"outputs[1].path: 'linked/a.xz' is the output 'build/a.xz' of the same disk, {PLACE}",
    ),
    "an output in the state": (
        'root("good.bin", outputs=[Compressed("linked/.os.img/seal.json.xz")])',
        f"outputs[0].path: 'linked/.os.img/seal.json.xz' is {STATE}, {PLACE}",
    ),
    "an output of itself": (
        'root("good.bin", outputs=[Sha256("build/sums", of=["linked/sums"])])',
        f"outputs[0].of: 'linked/sums' is the output 'build/sums' of the same disk, {OURS}",
    ),
    "a base image": ('DiskImage(base="base.img", image="build/base.img", '
                     'partitions={1: File("build/base.img")})',
                     "'build/base.img' is the image 'build/base.img' itself"),
}


def project_of(folder: Path, disk: str) -> Project:
    project = Project(folder, f"{HEAD}disk = {disk}{TAIL}")
    project.write("good.bin", b"good" * 1000)
    project.write("build/note", b"in the tree")
    return project


@pytest.mark.parametrize("attack", DESCRIBED)
def test_told_before_a_task_runs(tmp_path, attack):
    """Before anything is there to compare, and nothing is written."""
    disk, message = DESCRIBED[attack]
    project = project_of(tmp_path, disk)
    if "base" in attack:
        base = Project(tmp_path / "base", HEAD + 'disk = root("good.bin")' + TAIL)
        base.write("good.bin", b"theirs")
        base.doit()
        os.rename(base.image_path, tmp_path / "base.img")
    links(tmp_path)
    before = sorted(os.listdir(tmp_path / "build"))
    code, said = doit(project)
    assert code == 3, said
    assert message in said, said
    assert said.count("\n") <= 2, said
    assert sorted(os.listdir(tmp_path / "build")) == before


HARD = {
    "a file": ('root("hard.bin")', f"partitions[0].payload: 'hard.bin' is {IMAGE}, {OURS}"),
    "in a volume": ('esp("hard.bin")', f"'hard.bin' is {IMAGE}, {OURS}"),
    "deep in a tree": ('esp(Tree("tree"))', f"'tree/deep/file' is {IMAGE}, {OURS}"),
    "a segment": ('root("good.bin", segments=[Segment("s", "hard.bin", "12MiB")])',
                  f"'hard.bin' is {IMAGE}, {OURS}"),
    "boot code": ('code("hard.bin")', f"'hard.bin' is {IMAGE}, {OURS}"),
    "a state file": ('root("layout.bin")', f"'layout.bin' is {STATE}, {OURS}"),
}


@pytest.mark.parametrize("attack", HARD)
def test_hard_links(tmp_path, attack):
    """Of a finished image, named by another description of it."""
    disk, message = HARD[attack]
    project = project_of(tmp_path, 'root("good.bin")')
    project.doit()
    hard(tmp_path)
    victim = project.sha256()
    project.write("dodo.py", f"{HEAD}disk = {disk}{TAIL}")
    for _ in range(2):
        code, said = doit(project)
        assert code != 0, said
        assert message in said, said
    assert project.sha256() == victim


LATER = {
    "a file": ('root("late.bin")', "late.bin"),
    "a file of a volume": ('esp("late.bin")', "late.bin"),
    "a file of a tree": ('esp(Tree("tree"))', "tree/late.bin"),
    "a segment": ('root("good.bin", segments=[Segment("s", "late.bin", "12MiB")])', "late.bin"),
    "boot code": ('code("late.bin")', "late.bin"),
    "of an output": (
        'root("good.bin", outputs=[Sha256("build/sums", of=["late.bin"])])', "late.bin"
    ),
}


@pytest.mark.parametrize("kind", ["symlink", "link"])
@pytest.mark.parametrize("attack", LATER)
def test_a_source_that_becomes_ours_later(tmp_path, attack, kind):
    """The description was found right, and is not looked at again: what is read is."""
    disk, source = LATER[attack]
    project = project_of(tmp_path, disk)
    project.write(source, b"small")
    for _ in range(2):
        assert doit(project)[0] == 0
    ours = tmp_path / ("build/sums" if "output" in attack else "build/os.img")
    (tmp_path / source).unlink()
    if kind == "link":
        os.link(ours, tmp_path / source)
    else:
        (tmp_path / source).symlink_to(os.path.relpath(ours, (tmp_path / source).parent))
    victim = ours.read_bytes()
    code, said = doit(project)
    assert code != 0, said
    assert OURS in said or "outside the tree" in said or "circle" in said, said
    assert ours.read_bytes() == victim


TWO = '''
from doit_diskimg import Compressed, Disk, File, Mbr, Partition, PartitionFile, Sha256
def disk(image, source, **more):
    return Disk(image, size="4MiB", table=Mbr(), partitions=[
        Partition("p", File(source), type=0x83, size="1MiB")], **more)
%s
def task_a():
    return a.tasks()
def task_b():
    return b.tasks()
'''
TWICE = {
    "a linked folder": ('disk("build/a.img", "good.bin")', 'disk("linked/a.img", "good.bin", '
                        'name="b")', "'build/a.img' is a target for b:seal and a.img:seal"),
    "absolute": ('disk("build/a.img", "good.bin")', 'disk(__import__("os").path.abspath('
                 '"linked/a.img"), "good.bin", name="b")', "'build/a.img' is a target for b:seal"),
    "an output over an image": (
        'disk("build/a.img", "good.bin")',
        'disk("b.img", "good.bin", outputs=[PartitionFile("linked/a.img", partition="p")])',
        "'build/a.img' is a target for b.img:",
    ),
    "each in the other": (
        'disk("a.img", "b.img")', 'disk("b.img", "a.img")',
        "b.img: image: 'b.img' is made of 'a.img', which is made of 'b.img', "
        "nothing can be a part of itself",
    ),
    "by an output": (
        'disk("a.img", "b.xz")', 'disk("b.img", "a.img", outputs=[Compressed("b.xz")])',
        "b.img: image: 'b.img' is made of 'a.img', which is made of 'b.xz', which is made of",
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", TWICE)
def test_two_disks(tmp_path, case):
    a, b, message = TWICE[case]
    project = Project(tmp_path, TWO % f"a = {a}\nb = {b}")
    project.write("good.bin", b"good")
    (tmp_path / "build").mkdir()
    (tmp_path / "linked").symlink_to("build")
    code, said = doit(project)
    assert code == 3, said
    assert message in said, said
    assert not os.listdir(tmp_path / "build")


def test_what_is_right_stays_right(tmp_path):
    """An image in another, outputs made of the image and of outputs, links to files of the user's.
    """
    project = Project(
        tmp_path,
        TWO % 'a = disk("build/a.img", "linked.bin", outputs=[Compressed("build/a.xz"), '
        'Sha256("build/sums")])\n'
        'b = disk("build/b.img", "build/a.xz")',
        image="build/b.img",
    )
    project.write("good.bin", b"good" * 1000)
    (tmp_path / "linked.bin").symlink_to("good.bin")
    os.link(tmp_path / "good.bin", tmp_path / "hard.bin")
    project.doit()
    assert not project.doit().ran


def test_notes_of_an_earlier_reading(tmp_path, monkeypatch):
    """A process that reads one description after another is not told of a circle of both."""
    from doit_diskimg import Disk, File, Mbr, Partition

    monkeypatch.chdir(tmp_path)

    def tasks(image, source):
        part = Partition("p", File(source), type=0x83, size="1MiB")
        return [*Disk(image, size="4MiB", table=Mbr(), partitions=[part]).tasks()]

    for _ in range(2):
        tasks("a.img", "b.img")
        tasks("b.img", "a.img")
    kept = tasks("a.img", "b.img")
    with pytest.raises(Exception, match=r"'b\.img' is made of 'a\.img', which is made of 'b\.img'"):
        tasks("b.img", "a.img")
    assert kept


@pytest.mark.parametrize(
    ("patterns", "taken"),
    [
        ({}, True), ({"exclude": "b"}, False), ({"exclude": "b/"}, True),
        ({"exclude": "a/"}, False), ({"include": "b"}, True),
        ({"include": "b/"}, False), ({"include": "a/"}, True),
    ],
)  # fmt: skip
def test_what_a_tree_would_take_if_it_was_there(patterns, taken):
    """A pattern that ends with a slash names directories only, and an image is a file."""
    assert own_sources._takes(Tree("t", **patterns), "a/b") is taken
