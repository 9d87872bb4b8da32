"""What a run of doit may ask of the system: counted, since timings are another thing each day."""

import re
import subprocess
import sys
from collections import Counter
from importlib.util import find_spec
from pathlib import Path

import pytest
from project import Project

DODO = '''
from doit_diskimg import Disk, Esp, Ext, Fat, File, Gpt, Mbr, Partition, Segment, Tree

disk = Disk("build/os.img", size="32MiB", table=Gpt(), partitions=[
    Esp({"kernel.elf": "kernel.elf", "modules": Tree("modules"), "boot.cfg": b"timeout=0"},
        size="8MiB"),
    Partition("root", File("root.ext2"), type="linux-filesystem"),
], segments=[Segment("stage2", "stage2.bin", "32KiB")])

def task_image():
    return disk.tasks()
'''
SOURCES = [
    "kernel.elf", "modules/a.ko", "modules/deep/b.ko", "modules/deep/c.ko", "root.ext2",
    "stage2.bin",
]  # fmt: skip


@pytest.fixture
def project(tmp_path):
    project = Project(tmp_path / "project", DODO)
    for number, path in enumerate(SOURCES):
        project.write(path, bytes([number + 1]) * 70_000)
    project.doit()
    project.doit()  # the first run that finds everything done notes that the description is right
    return project


class Trace:
    """The system calls of one run of doit that name one of the sources."""

    def __init__(self, project: Project, *args: str) -> None:
        file = project.folder.parent / "trace"
        project.doit_under_strace(file, *args, calls="/open|stat|access|read|copy|send")
        self.lines = file.read_text().splitlines()

    def count(self, calls: str) -> dict[str, int]:
        """Return how often each source is the subject of a call whose name matches ``calls``."""
        found = Counter[str]()
        for line in self.lines:
            if re.match(rf"\d+ +({calls})\(", line):
                found.update(path for path in SOURCES if re.search(rf'[/"]{path}[">]', line))
        return dict(found)


@pytest.mark.cost
def test_with_nothing_to_do_each_source_is_looked_at_once_and_none_is_opened(project):
    trace = Trace(project)
    assert trace.count(r"open\w*") == {}
    assert trace.count(r"\w*stat\w*") == {
        **dict.fromkeys(SOURCES, 1),
        # The layout depends on their lengths, and their own tasks on what they hold.
        **dict.fromkeys(["root.ext2", "stage2.bin"], 2),
    }


WORKERS = """
chain.compare chain.create chain.inject chain.inject_sources chain.keeping chain.pictures
chain.populate chain.readback chain.results chain.run chain.sealing chain.show chain.table
disk.arrange disk.bootcode disk.bootfield disk.check disk.check_links disk.check_parts
disk.identity disk.layout disk.overlaps host.files host.hashing host.image host.patching
host.scratch
host.workshop kinds.filesystems.fat.contents kinds.filesystems.fat.planner
kinds.filesystems.fat.encode kinds.filesystems.fat.fat_check kinds.filesystems.fat.geometry
kinds.filesystems.fat.names kinds.filesystems.tree kinds.tables.gpt_work
kinds.tables.gpt_problems kinds.tables.mbr_problems kinds.tables.mbr_work kinds.tables.rules
ondisk.gpt_header ondisk.guids ondisk.mbr_sector plan.patch plan.patterns shortcuts.amending
tasks.boots tasks.clean tasks.crosscheck chain.outputs tasks.verify_task verify
"""
"""Modules that do work, of which there is none; what only describes and compares is not here."""


@pytest.mark.cost
def test_with_nothing_to_do_little_is_imported(project):
    """To compile a class or an expression takes longer than to find out that all is done."""
    code = (
        "import sys\nfrom doit.doit_cmd import DoitMain\n"
        "assert DoitMain().run([]) == 0\nprint(*sys.modules)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=project.folder, capture_output=True, text=True, check=True
    )
    found = done.stdout.splitlines()[-1].split()
    ours = {name.partition(".")[2] for name in found if name.startswith("doit_diskimg.")}
    assert all(find_spec(f"doit_diskimg.{name}") for name in WORKERS.split())
    assert ours & set(WORKERS.split()) == set()
    ours -= {"tasks.database"}  # with doit's default database only, which we do not recommend
    assert len(ours) <= 54, "each module takes a quarter of a millisecond of every doit"
    assert {"uuid", "rich", "pyfatfs", "secrets"} & {*found} == set()


MACHINES = """
from doit_diskimg import Qemu

qemu = Qemu(disk, memory="64MiB", kernel="kernel.elf")

def task_boot():
    return qemu.run_task()

def task_test():
    return qemu.test_task(expect="login:", junit="build/boot.xml")

def task_tests():
    yield from qemu.test_tasks({"a": "login:"})
"""


@pytest.mark.cost
def test_a_machine_that_does_not_start_costs_little(project):
    project.write("dodo.py", DODO + MACHINES)
    code = (
        "import sys\nfrom doit.doit_cmd import DoitMain\n"
        "assert DoitMain().run([]) == 0\nprint(*sys.modules)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=project.folder, capture_output=True, text=True, check=True
    )
    assert "-- boot (on request: doit boot)" in done.stdout
    ours = {name.partition(".")[2] for name in done.stdout.splitlines()[-1].split()
            if name.startswith("doit_diskimg.")}  # fmt: skip
    workers = {"tasks.booting", "tasks.warming", "host.qemu.guest", "host.qemu.monitor"}
    assert all(find_spec(f"doit_diskimg.{name}") for name in workers)
    assert ours & workers == set()
    assert len(ours) <= 80


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ('size="32MiB"', 'size="33MB"', "unknown unit 'MB'"),
        ('size="32MiB"', 'size=__import__("pathlib").Path("32MiB")', "is not a size"),
        ('"boot.cfg"', '"bo:t.cfg"', "bo:t.cfg"),
        ('"stage2", ', '"esp", ', "the name of partitions[0] too"),
    ],
)
def test_a_description_that_was_right_is_looked_at_again_when_it_changes(project, old, new, said):
    project.write("dodo.py", DODO.replace(old, new))
    for _ in range(2):  # what is wrong stays wrong
        assert said in project.doit(code=3).said
    project.write("dodo.py", DODO)
    assert project.doit().ran == set()


def test_only_what_judges_by_the_description_alone_is_believed(project):
    """A payload of the user's own may look at anything when it is asked what is wrong."""
    mine = '''
from pathlib import Path
import doit_diskimg
from doit_diskimg.errors import BadValue

class Mine(doit_diskimg.File):
    def problems(self, where, size, sector_size=512):
        if Path("wrong").exists():
            yield BadValue(where, "it is wrong today", "must be right", "wait")

'''
    project.write("dodo.py", mine + DODO.replace("File(", "Mine("))
    project.doit()
    project.doit()
    project.write("wrong", b"")
    assert "it is wrong today" in project.doit(code=3).said


def test_to_list_the_tasks_leaves_no_trace(tmp_path):
    project = Project(tmp_path / "project", DODO)
    project.doit("list", "--all")
    assert not Path(project.folder, "build").exists()
