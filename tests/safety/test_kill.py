"""Whatever is killed, whatever fails: the next doit ends with the bytes of a clean build.

No wrong image is ever called up to date: each kill is followed by a build, and each build by one
that must have nothing to do.  `pytest -s` prints the counts.  `STEP=1 KILLS=300` is the long run:
after each single change, and at more instants.
"""

import errno
import os
import random
import shutil
import signal
import subprocess
import sys
import time
from collections import Counter

import pytest
from forked import HERE, STEP, chain, doit
from project import Project

DODO = '''
import sys
sys.path.insert(0, %r)
import faults

from doit_diskimg import Disk, Esp, File, Gpt, Partition, Segment, Tree
disk = Disk("build/os.img", size="%s", table=Gpt(), partitions=[
    Esp({"kernel.elf": "kernel.elf", "etc": Tree("etc")}, size="3MiB"),
    Partition("root", File("root.bin"), type="linux-filesystem"),
], segments=[Segment("boot", "boot.bin", 0)])
def task_image():
    return disk.tasks()

# The one database of doit's that a kill while it is written leaves whole.
DOIT_CONFIG = {"backend": "sqlite3"}
'''
KILLS = int(os.environ.get("KILLS", "15"))


def edit(project):
    project.write("kernel.elf", b"another kernel" * 50_000)
    project.write("etc/new", b"new")
    project.write("root.bin", b"R" * 60_000)


def amend(project):
    """What takes as many clusters as before is not planned again."""
    project.write("kernel.elf", b"KERNEL" * 50_000 + b"and more")
    project.write("etc/motd", b"hello, world")


def relayout(project):
    project.dodo = DODO % (HERE, "7MiB")
    project.write("dodo.py", project.dodo)


def guest(project):
    with project.image_path.open("r+b") as image:
        image.seek(5 << 20)
        image.write(b"guest")


def lose(project):
    shutil.rmtree(project.folder / "build")


def named(value):
    """A row's name in the report: the scenario's, and what builds it."""
    return value if isinstance(value, str) else value.__name__


SCENARIOS = {"edit": edit, "amend": amend, "layout": relayout, "guest": guest, "first build": lose}


@pytest.fixture
def project(tmp_path):
    """A finished build."""
    project = Project(tmp_path / "project", DODO % (HERE, "6MiB"))
    restore(project)
    project.doit()
    return project


def restore(project):
    """Take every edit back."""
    project.dodo = DODO % (HERE, "6MiB")
    project.write("dodo.py", project.dodo)
    project.write("kernel.elf", b"kernel" * 50_000 + b"!")
    project.write("etc/motd", b"hello")
    project.write("root.bin", b"r" * 60_000)
    project.write("boot.bin", b"\xf4" * 440)
    (project.folder / "etc/new").unlink(missing_ok=True)


class Trial:
    """A finished build in which a scenario's edit is made again and again."""

    def __init__(self, project, tmp_path, scenario, build=chain):
        self.project = project
        self.build = build
        self.old = project.sha256()
        self.edit = SCENARIOS[scenario]
        self.numbers = range(1 + [*SCENARIOS].index(scenario) % STEP, 1000, STEP)
        self.edit(project)
        self.clean = project.clean_build(tmp_path / "clean")

    def reset(self):
        self.take_back()
        self.edit(self.project)

    def take_back(self):
        restore(self.project)
        code, said = self.build(self.project)
        assert code == 0, said
        assert self.project.sha256() == self.old

    def must_recover(self):
        code, said = self.build(self.project)
        assert code == 0, said
        assert self.project.sha256() == self.clean
        assert ".  " not in self.build(self.project)[1]

    def events(self, kind):
        """Yield what each fault led to, one change later each time, until the build survives."""
        for number in self.numbers:
            self.reset()
            code, said = self.build(self.project, f"{kind}:{number}")
            assert "Traceback" not in said, said
            yield number, code, said
            if code == 0:
                return


@pytest.mark.slow
@pytest.mark.parametrize(
    ("scenario", "build"), [*((name, chain) for name in SCENARIOS), ("edit", doit)], ids=named
)
def test_killed_after_each_single_change(project, tmp_path, scenario, build):
    trial, kills = Trial(project, tmp_path, scenario, build), 0
    for _, code, said in trial.events("kill"):
        assert code in (0, -signal.SIGKILL), said
        kills += code != 0
        trial.must_recover()
    assert kills * STEP > 10
    print(f"\n{scenario}: killed after each of {kills} changes, {kills} recovered")


@pytest.mark.slow
@pytest.mark.parametrize(
    ("scenario", "build"), [("edit", chain), ("layout", chain), ("amend", doit)], ids=named
)
def test_killed_and_the_edit_taken_back(project, tmp_path, scenario, build):
    """What is on record is then older than the results and agrees with the sources."""
    trial = Trial(project, tmp_path, scenario, build)
    for _, code, _ in trial.events("kill"):
        trial.take_back()
        if code == 0:
            break


@pytest.mark.slow
@pytest.mark.parametrize("fault", ["ENOSPC", "EIO"])
@pytest.mark.parametrize(
    ("scenario", "build"), [("edit", chain), ("layout", chain), ("amend", doit)], ids=named
)
def test_each_single_change_fails(project, tmp_path, scenario, build, fault):
    """One line and no traceback; a finished image stays, or is built anew."""
    trial, failed, survived = Trial(project, tmp_path, scenario, build), 0, 0
    for number in trial.numbers:
        trial.reset()
        code, said = build(project, f"{fault}:{number}")
        assert "Traceback" not in said, said
        assert code in (0, 1), said
        if code:
            failed += 1
            assert "os.img: " in said, said
            assert os.strerror(getattr(errno, fault)) in said, said
        else:
            survived += 1
            assert project.sha256() == trial.clean
        trial.must_recover()
        if survived * STEP > 6:  # some changes may fail without harm: a look at a lock, a clean-up
            break
    assert failed * STEP > 10, f"{failed} of {number}"
    print(f"\n{scenario}, {fault}: {failed} builds failed, {failed} recovered")


@pytest.mark.slow
def test_every_write_is_short(project, tmp_path):
    trial = Trial(project, tmp_path, "edit")
    trial.reset()
    assert doit(project, "short:0")[0] == 0
    trial.must_recover()


@pytest.mark.slow
def test_killed_at_random_instants(project, tmp_path):
    chance = random.Random(1)
    phases = Counter()
    started = time.monotonic()
    # The third is as long as the second: from one to the other, nothing is planned anew.
    contents = [b"kernel A" * 100_000, b"kernel B" * 200_000, b"kernel C" * 200_000]
    clean = {}
    for index, content in enumerate(contents):
        project.write("kernel.elf", content)
        clean[index] = project.clean_build(tmp_path / f"clean{index}")
    until_first, until_last = timed(project)
    for number in range(KILLS):
        index = number % len(contents)
        project.write("kernel.elf", contents[index])
        if number % 5 == 4:
            guest(project)
        # Most of the time doit starts; so of ten kills nine come when its tasks have begun.
        tasks = number % 10 > 0
        seconds = chance.uniform(0, 1.1 * (until_last if tasks else until_first))
        phases[kill_after(seconds, project, number, tasks=tasks)] += 1
        project.doit()
        assert project.sha256() == clean[index], f"kill {number}"
        assert not project.doit().ran
    seconds = time.monotonic() - started
    print(f"\n{KILLS} kills at random instants, all recovered in {seconds:.0f} s; by phase: "
          f"{dict(phases)}")
    assert sum(phases.values()) == KILLS


def timed(project):
    """Return the seconds until the first task, and from then to the end."""
    started, process = time.monotonic(), started_doit(project)
    first_task(process)
    began = time.monotonic()
    process.communicate(timeout=60)
    return began - started, time.monotonic() - began


def started_doit(project, *arguments):
    return subprocess.Popen(
        [sys.executable, "-u", "-m", "doit", "run", *arguments],
        cwd=project.folder, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True,
        start_new_session=True,
    )


def first_task(process):
    """Return the line that tells of the first task, as soon as it is there."""
    for line in process.stdout:
        if line[:3] in (".  ", "-- "):
            return line
    return ""


def kill_after(seconds, project, number, *, tasks):
    """Start doit, send it a signal after some time; return the last task that it had begun.

    With ``tasks`` the time begins with the first task.
    """
    kind = (signal.SIGKILL, signal.SIGKILL, signal.SIGTERM, signal.SIGINT)[number % 4]
    process = started_doit(project, *(["-n", "2"] if number % 3 == 2 else []))
    begun = [first_task(process)] if tasks else []
    time.sleep(seconds)
    finished = process.poll() is not None
    try:
        os.killpg(process.pid, kind)
        time.sleep(0.02)
        os.killpg(process.pid, signal.SIGKILL)
    except ProcessLookupError:
        finished = True
    out, _ = process.communicate(timeout=60)
    begun += [line for line in out.splitlines() if line[:3] in (".  ", "-- ")]
    if finished:
        return "finished"
    if not begun:
        return "before the first task"
    return begun[-1][3:].strip().removeprefix("os.img:").partition(" (")[0]


SLOW = '''
import os, signal, time
from doit_diskimg import Disk, File, Mbr, Partition

signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell's background job has none

class Slow(File):
    def fill(self, place, files, where):
        if os.path.exists("press"):
            os.unlink("press")
            os.kill(os.getpid(), signal.SIGINT)
            time.sleep(10)
        return super().fill(place, files, where)

def task_image():
    return Disk("build/os.img", size="4MiB", table=Mbr(), partitions=[
        Partition("a", Slow("a.bin"), type=0x83), Partition("b", File("a.bin"), type=0x83),
    ]).tasks()
'''


def test_ctrl_c_says_one_line(tmp_path):
    project = Project(tmp_path / "project", SLOW)
    project.write("a.bin", b"a" * 100_000)
    project.write("press", b"")
    run = project.doit(code=130)
    assert run.err == "os.img: interrupted; the next doit goes on from here\n"
    assert not project.image_path.exists()
    project.doit()
    assert project.sha256() == project.clean_build(tmp_path / "clean")


HASHING = SLOW + '''
from doit_diskimg.host import hashing

digest_file = hashing.digest_file

def interrupted(*arguments):
    if os.path.exists("now"):
        os.unlink("now")
        os.kill(os.getpid(), signal.SIGINT)
        time.sleep(10)
    return digest_file(*arguments)

hashing.digest_file = interrupted
'''


def test_ctrl_c_while_it_is_looked_what_changed_says_one_line(tmp_path):
    project = Project(tmp_path / "project", HASHING)
    project.write("a.bin", b"a" * 100_000)
    project.doit()
    project.write("a.bin", b"b" * 100_000)
    project.write("now", b"")
    run = project.doit(code=130)
    assert run.err == "os.img:a:inject: interrupted; the next doit goes on from here\n"
    project.doit()
    assert project.sha256() == project.clean_build(tmp_path / "clean")
