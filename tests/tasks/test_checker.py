"""The xxh3 checker: what it reads, and how often.

The user's dodo.py notes every file that Python opens; that is what a reader of the source tree
would want to know, and it is the same on a slow machine.
"""

import os

import pytest
from project import Project

DODO = '''
import os
import sys

def note(event, arguments):
    is_file = event == "open" and not (arguments[2] or 0) & os.O_DIRECTORY
    if is_file and str(arguments[0]).endswith((".elf", ".img", ".bin")):
        with open("opened.txt", "a") as log:
            print(arguments[0], file=log)

sys.addaudithook(note)

from doit_diskimg import Disk, Esp, File, Gpt, Partition

disk = Disk("build/os.img", size="40MiB", table=Gpt(), partitions=[
    Esp({"kernel.elf": "kernel.elf", "again.elf": "kernel.elf"}, size="33MiB"),
    Partition("root", File("root.bin"), type="linux-filesystem"),
])

def task_image():
    return disk.tasks()

def task_uses_the_kernel_too():
    return {"actions": ["true"], "file_dep": ["kernel.elf"]}

def task_uses_the_image():
    return {"actions": ["true"], "file_dep": ["build/os.img"]}

DOIT_CONFIG = {"check_file_uptodate": "%s"}
'''


def make(folder, checker="xxh3"):
    project = Project(folder, DODO % checker)
    project.write("kernel.elf", b"kernel" * 100_000)
    project.write("root.bin", b"r" * 5000)
    for name in ("kernel.elf", "root.bin"):
        os.utime(project.folder / name, (1_600_000_000, 1_600_000_000))
    return project


def opened(project):
    """Return the files that were opened since the last call, once for each time."""
    log = project.folder / "opened.txt"
    names = log.read_text().splitlines() if log.exists() else []
    log.unlink(missing_ok=True)
    return [name.rsplit("/", 1)[-1] for name in names]


@pytest.fixture
def built(tmp_path):
    project = make(tmp_path)
    project.doit()
    project.doit()
    opened(project)
    return project


def test_nothing_to_do_opens_nothing(built):
    assert not built.doit().ran
    assert opened(built) == []


def test_a_touched_file_is_read_once_and_then_remembered(built):
    os.utime(built.folder / "kernel.elf", (1_700_000_000, 1_700_000_000))
    assert not built.doit().ran
    assert opened(built) == ["kernel.elf"]
    assert not built.doit().ran
    assert opened(built) == []


def test_doits_own_checker_reads_a_touched_file_at_every_run(tmp_path):
    """The reason for the test above."""
    project = make(tmp_path, "md5")
    project.doit()
    os.utime(project.folder / "kernel.elf", (1_700_000_000, 1_700_000_000))
    project.doit()
    opened(project)
    project.doit()
    assert "kernel.elf" in opened(project)


def test_a_changed_file_is_hashed_once_and_copied_once(built):
    built.write("kernel.elf", b"KERNEL" * 100_000)
    os.utime(built.folder / "kernel.elf", (1_700_000_000, 1_700_000_000))
    ran = built.doit().ran
    assert {"os.img:esp:populate", "uses_the_kernel_too", "uses_the_image"} <= ran
    reads = opened(built)
    # Two files of the volume have these contents: read once to hash, once for each copy.
    assert reads.count("kernel.elf") == 3
    assert reads.count("root.bin") == 0


def test_a_sealed_image_is_never_read(tmp_path):
    project = make(tmp_path)
    project.doit()
    project.doit()
    # It is made under another name and renamed, so that to open it at all would be to read it.
    assert "os.img" not in opened(project)


def test_the_image_as_a_dependency(built):
    """A task that depends on the image runs when its contents change, and only then."""
    os.utime(built.folder / "root.bin", (1_700_000_000, 1_700_000_000))
    assert "uses_the_image" not in built.doit().ran
    built.write("root.bin", b"R" * 5000)
    assert "uses_the_image" in built.doit().ran
    built.image_path.unlink()
    assert "uses_the_image" not in built.doit().ran, "built again, the same"


@pytest.mark.parametrize(
    ("how", "config"),
    [
        ("class", 'DOIT_CONFIG = {"check_file_uptodate": Xxh3Checker}'),
        ("name", 'DOIT_CONFIG = {"check_file_uptodate": "xxh3"}'),
        ("pyproject", ""),
        ("argument", ""),
    ],
)
def test_ways_to_choose_it(tmp_path, how, config):
    dodo = '''
from doit_diskimg import Disk, File, Mbr, Partition, Xxh3Checker
disk = Disk("os.img", size="4MiB", table=Mbr(), partitions=[Partition("a", File("a.bin"), type=1)])
def task_image():
    return disk.tasks()
'''
    project = Project(tmp_path, dodo + config)
    project.write("a.bin", b"a")
    if how == "pyproject":
        project.write("pyproject.toml", '[tool.doit]\ncheck_file_uptodate = "xxh3"\n')
    arguments = ["run", "--check_file_uptodate", "xxh3"] if how == "argument" else ["run"]
    project.doit(*arguments)
    assert not project.doit(*arguments).ran
    stored = b"".join(file.read_bytes() for file in tmp_path.glob(".doit.db*"))
    assert b"Xxh3Checker" in stored


def test_same_stamp_other_size_is_a_change(built):
    """doit's own checker calls this unchanged."""
    built.write("kernel.elf", b"short")
    os.utime(built.folder / "kernel.elf", (1_600_000_000, 1_600_000_000))
    assert "uses_the_kernel_too" in built.doit().ran
