"""A disk that no task function returns is noticed, and no other."""

import forked
import pytest
from project import Project

BEGIN = '''
from dataclasses import replace
from doit import create_after
from doit_diskimg import Disk, Mbr, Partition, Qemu, Segment, Zero

disk = Disk("build/os.img", size="2MiB", table=Mbr(), partitions=[
    Partition("p", Zero(), type=0x83, size="64KiB")])
'''
NOTE = (
    "note: os.img: no task function returns its tasks, doit passes it over (write def "
    "task_image(): return disk.tasks())\n"
)
OTHER = '''
other = Disk("build/other.img", size="2MiB", table=Mbr(), segments=[Segment("s", b"s", 0)])
'''

CASES = {
    "none": ("def task_a(): return {'actions': []}", NOTE),
    "another one": (OTHER + "def task_a(): return other.tasks()", NOTE),
    "both": (OTHER + "def task_a(): return {'actions': []}",
             NOTE + NOTE.replace("os.img", "other.img").replace("disk.", "other.")),
    "tasks": ("def task_a(): return disk.tasks()", ""),
    "two names": ("same = disk\ndef task_a(): return disk.tasks()", ""),
    "linked": ("def task_a(): return disk.linked_task()", ""),
    "Qemu": ("def task_boot(): return Qemu(disk).run_task()", ""),
    "a pattern": ("copies = [replace(disk, image=f'build/{n}.img', name='') for n in 'ab']\n"
                  "def task_a():\n    for copy in copies: yield copy.tasks()", ""),
    "later": ("@create_after('b')\ndef task_a(): return disk.tasks()\n"
              "def task_b(): return {'actions': []}", ""),
    "asked for and dropped": ("def task_a(): disk.tasks()", ""),
    "in a list": ("disks = [disk]\ndel disk\ndef task_a(): return {'actions': []}", ""),
}


@pytest.mark.parametrize("case", CASES)
def test_it_is_noticed(tmp_path, case):
    text, expected = CASES[case]
    code, said = forked.doit(Project(tmp_path, BEGIN + text))
    assert code == {"linked": 3, "Qemu": 3}.get(case, 0), said  # these need the other tasks
    notes = [line for line in said.splitlines(keepends=True) if "no task function" in line]
    assert "".join(notes) == expected, said


def test_an_error_in_dodo_is_told_alone(tmp_path):
    code, said = forked.doit(Project(tmp_path, BEGIN + "def task_a(): return {'bad': 1}"))
    assert code == 3
    assert NOTE not in said


def test_it_is_said_by_the_real_doit_on_stderr(tmp_path):
    project = Project(tmp_path, BEGIN + "def task_a(): return {'actions': []}")
    assert project.doit("list").err == NOTE
