"""What of a FAT volume depends on which property of its files, on the real doit."""

import os

import pytest
from project import Project

DODO = '''
from doit_diskimg import Disk, Fat, Mbr, Partition, Tree

disk = Disk(
    "build/os.img",
    size="16MiB",
    table=Mbr(),
    partitions=[
        Partition(
            "boot",
            Fat(
                {"kernel.elf": "kernel.elf", "t": Tree("tree")},
                boot_sector="vbr.bin", reserved={1: "stage2.bin"}, times="source",
            ),
        ),
        Partition("data", Fat({"x": b"x"}), size="2MiB"),
    ],
)

def task_image():
    return disk.tasks()
'''


@pytest.fixture
def project(tmp_path):
    project = Project(tmp_path / "project", DODO)
    project.write("kernel.elf", b"k" * 1_000_000)
    project.write("tree/con", b"c")
    project.write("vbr.bin", b"\xeb\x3c\x90" + bytes(59) + b"\xfa\xf4")
    project.write("stage2.bin", b"2" * 5000)
    for path in ("kernel.elf", "tree/con", "vbr.bin", "stage2.bin"):
        os.utime(project.folder / path, (1_600_000_000, 1_600_000_000))
    run = project.doit()
    assert "note: partitions[0]: 't/con' has the name of a device" in run.out
    assert "size: 2 MiB" in run.out
    return project


def rename(project):
    (project.folder / "tree/con").rename(project.folder / "tree/a long name for a change.txt")


EDITS = [
    ("same size", lambda p: p.write("kernel.elf", b"K" * 1_000_000), set(), {"boot"}),
    ("within a step", lambda p: p.write("kernel.elf", b"k" * 1_100_000), {"boot:format"}, {"boot"}),
    ("a step", lambda p: p.write("kernel.elf", b"k" * 2_500_000),
     {"boot:format", "table", "table:inject", "create"}, {"boot", "data"}),
    ("another name", rename, {"boot:format"}, {"boot"}),
    ("a time stamp", lambda p: os.utime(p.folder / "kernel.elf", (1, 1_700_000_000)), set(),
     {"boot"}),
    ("boot sector", lambda p: p.write("vbr.bin", b"\xeb\x3c\x90" + bytes(59) + b"\xf4"), set(),
     {"boot"}),
    ("stage 2 grows", lambda p: p.write("stage2.bin", b"2" * 9000), {"boot:format", "table"},
     {"boot"}),
]


@pytest.mark.parametrize(("words", "edit", "more", "volumes"), EDITS, ids=[e[0] for e in EDITS])
def test_edit(project, tmp_path, words, edit, more, volumes):
    edit(project)
    run = project.doit()
    steps = {task.partition(":")[2] for task in run.ran} - {"seal"}
    assert "boot:populate" in steps
    formats = {step for step in steps if step.endswith(("format", "table", "create"))}
    assert formats == {step for step in more if step != "table:inject"}
    assert {step.partition(":")[0] for step in steps if step.endswith("inject")} >= volumes
    assert project.sha256() == project.clean_build(tmp_path / "clean")
    assert project.doit().ran == set()


def test_a_full_volume_says_what_grew(project):
    project.write("dodo.py", DODO.replace('"boot",', '"boot", size="3MiB", payload=').replace(
        'payload=\n            Fat(', "payload=Fat("))
    project.doit()
    project.write("kernel.elf", b"k" * 3_500_000)
    run = project.doit(code=None)
    assert run.code != 0
    assert "grown since the last build: kernel.elf by 2.3 MiB" in run.said
    assert 'make its size "' in run.said
