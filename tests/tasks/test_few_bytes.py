"""How many bytes a run writes and how often it reads a file, counted on the real doit.

After each edit the image equals a build from nothing.
"""

import os
import random
import re
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest
from project import Project

from doit_diskimg.plan.content import PART

MIB = 1 << 20

DODO = '''
from doit_diskimg import Disk, Fat, File, Mbr, Partition, Tree

disk = Disk("build/os.img", size="64MiB", table=Mbr(), partitions=[
    Partition("boot", Fat({"kernel.elf": "kernel.elf", "initrd.img": "initrd.img",
                           "modules": Tree("modules")}, cluster_size=2048), size="48MiB"),
    Partition("root", File("root.img"), type="linux-filesystem", size="12MiB"),
])

def task_image():
    return disk.tasks()
'''
FILES = {
    "kernel.elf": 3 * MIB - 40_000, "initrd.img": 17 * MIB + 5000, "root.img": 10 * MIB,
    "modules/a.ko": 5000, "modules/b.ko": 5000,
}  # fmt: skip


@pytest.fixture
def project(tmp_path):
    project = Project(tmp_path / "project", DODO)
    for path, length in FILES.items():
        project.write(path, random.Random(path).randbytes(length))
    return project


class Trace:
    """What one run of doit wrote into the image and how often it opened each source."""

    def __init__(self, project: Project, *args: str) -> None:
        file = project.folder.parent / "trace"
        calls = "/open|write|read|copy_file_range|sendfile"
        self.run = project.doit_under_strace(file, *args, calls=calls)
        self.written, self.all_written = 0, 0
        self.opened, self.read = Counter[str](), Counter[str]()
        for line in file.read_text().splitlines():
            count = re.match(r"\d+ +p?writev?(64)?\(\d+<([^>]*)>.*= (\d+)$", line)
            if count:
                self.all_written += int(count[3])
                self.written += int(count[3]) * count[2].endswith(".img")
            for path in FILES:
                if re.search(rf"open\w*\(.*[/\"]{path}\"", line):
                    self.opened[path] += 1
                read = re.match(rf"\d+ +p?readv?2?(64)?\(\d+<[^>]*/{path}>.*= (\d+)$", line)
                self.read[path] += int(read[2]) if read else 0


def differing(before: bytes, after: bytes) -> int:
    """Return the bytes in all sectors that are not the same: what anybody would have to write."""
    assert len(before) == len(after)
    return sum(
        512
        for at in range(0, len(after), 512)
        if before[at : at + 512] != after[at : at + 512]
    )


def change(project, path, start, length):
    with (project.folder / path).open("r+b") as file:
        file.seek(start)
        file.write(random.Random(start + length).randbytes(length))


EDITS = {
    "a kernel": ("kernel.elf", 0, 3 * MIB - 40_000),
    "a kernel that grows": ("kernel.elf", 100, 3 * MIB - 40_000),
    "a module": ("modules/a.ko", 0, 5000),
    "an initrd": ("initrd.img", 0, 17 * MIB + 5000),
}


@pytest.mark.parametrize("edit", EDITS)
def test_an_edit_writes_what_differs_and_reads_what_was_edited(project, tmp_path, edit):
    project.doit()
    before = project.image_path.read_bytes()
    path, start, length = EDITS[edit]
    change(project, path, start, length)
    trace = Trace(project)
    assert trace.written <= 1.02 * differing(before, project.image_path.read_bytes())
    assert set(trace.opened) == {path}
    # Once to know that it changed, once to copy it.
    size = max(FILES[path], start + length)
    assert trace.read[path] == 2 * size
    assert project.sha256() == project.clean_build(tmp_path / "clean")


@pytest.mark.parametrize(
    ("path", "start", "length"),
    [
        ("initrd.img", 17 * MIB, 5000),  # its tail
        ("initrd.img", 8 * MIB + 7, 1),
        ("kernel.elf", 2 * MIB - 1, 1),
        ("root.img", 5 * MIB, 3),  # a file that is a partition
    ],
)
def test_of_a_large_file_the_part_that_changed_is_written(project, tmp_path, path, start, length):
    project.doit()
    change(project, path, start, length)
    trace = Trace(project)
    assert 0 < trace.written <= MIB
    assert trace.read[path] <= FILES[path] + MIB
    assert project.sha256() == project.clean_build(tmp_path / "clean")


def test_a_large_file_grows_shrinks_and_is_small(project, tmp_path):
    """It passes the length from which on it has parts, in both directions."""
    for number, length in enumerate([PART, PART + 1, 2 * MIB, 100, 17 * MIB, PART + 1]):
        project.write("initrd.img", random.Random(1).randbytes(length))
        project.doit()
        assert project.sha256() == project.clean_build(tmp_path / f"clean {number}")


def test_zeros_take_no_room_in_a_fresh_image_and_are_written_into_an_old_one(project, tmp_path):
    data = bytearray(17 * MIB)
    data[:3] = data[-3:] = b"abc"
    data[9 * MIB] = 1
    small = bytes(300_000) + b"x"
    project.write("initrd.img", data)
    project.write("kernel.elf", small)
    project.write("root.img", b"")
    assert Trace(project).written < 1.2 * MIB
    assert project.image_path.stat().st_blocks * 512 < 1.2 * MIB
    clean = project.sha256()
    for start in (2 * MIB, 9 * MIB, 200_000):
        for path in ("initrd.img", "kernel.elf"):
            change(project, path, min(start, 200_000 if path == "kernel.elf" else start), 70_000)
    project.doit()
    assert project.sha256() == project.clean_build(tmp_path / "clean")
    project.write("initrd.img", data)
    project.write("kernel.elf", small)
    project.doit()
    assert project.sha256() == clean == project.clean_build(tmp_path / "clean again")


def test_a_clean_build_reads_each_file_twice(project):
    trace = Trace(project)
    assert trace.read == {path: 2 * length for path, length in FILES.items()}


def peak(project: Project) -> int:
    """Return the bytes of memory that doit took at the most."""
    code = (
        "import os, sys\n"
        "pid = os.spawnv(os.P_NOWAIT, sys.executable, [sys.executable, '-m', 'doit'])\n"
        "_, status, usage = os.wait4(pid, 0)\n"
        "assert status == 0\n"
        "print(usage.ru_maxrss * 1024, file=sys.stderr)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=project.folder, capture_output=True, text=True, check=True
    )
    return int(done.stderr.split()[-1])


def test_memory_does_not_grow_with_the_files(tmp_path):
    dodo = DODO.replace("64MiB", "2GiB").replace("48MiB", "1800MiB")
    project = Project(tmp_path / "project", dodo)
    for path in FILES:
        project.write(path, b"x")
    with (project.folder / "initrd.img").open("r+b") as file:
        file.truncate(1 << 30)
    empty = Project(tmp_path / "empty", "def task_nothing():\n    return {'actions': []}\n")
    assert peak(project) - peak(empty) <= 48 * MIB


def test_a_linked_image_writes_next_to_nothing(project):
    project.write("dodo.py", DODO + "\ndef task_linked():\n    return disk.linked_task()\n")
    project.doit("os.img:linked")
    change(project, "initrd.img", 0, 17 * MIB)
    trace = Trace(project, "os.img:linked")
    assert trace.all_written <= 256 * 1024
    assert trace.run.code == 0
    assert not Path(project.folder, "build/os.img").exists()
    assert os.path.getsize(project.folder / "build/os.img.vmdk")
