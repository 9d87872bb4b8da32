"""What happens between two steps of a build: a kill, an edit, somebody else's write, another doit.

`hook.py` in the project wraps functions of the operating system, never ours, and acts once, at a
moment that it names.
"""

import fcntl
import os
import struct

import pytest
from project import Project

from doit_diskimg.host import linked_image

HOOKS = '''
import os, re, signal, subprocess, sys, time
from pathlib import Path

def at(name, pattern, do, count=1):
    """Call `do` after the count-th call of a function of `os` with an argument like `pattern`."""
    real, left = getattr(os, name), count
    def hooked(*args, **options):
        nonlocal left
        result = real(*args, **options)
        if any(isinstance(arg, str) and re.search(pattern, arg) for arg in args):
            left -= 1
            if left == 0:
                do()
        return result
    setattr(os, name, hooked)

def kill():
    os.kill(os.getpid(), signal.SIGKILL)

def wait_for(path):
    for _ in range(3000):
        if os.path.exists(path):
            return
        time.sleep(0.01)
    raise TimeoutError(path)

if os.path.exists("hook.py"):
    hook = Path("hook.py").read_text()
    os.unlink("hook.py")
    exec(hook)
'''

DODO = HOOKS + '''
from doit_diskimg import *

disk = Disk("os.img", table=Mbr(), align="4KiB", **eval(Path("spec.py").read_text()))

def task_image():
    return disk.tasks()
'''

AUTO = '''dict(size="auto", partitions=[
    Partition("fat", Fat({"k": "k"})), Partition("raw", File("raw"), type=0x83),
], segments=[Segment("stage2", "stage2", 512)])'''

FAT = 'dict(size="2MiB", partitions=[Partition("fat", Fat({"k": "k", "l": "l"}), size="1MiB")]%s)'


@pytest.fixture
def make(tmp_path):
    """A function that makes a finished build."""

    def make(spec, more="", *asked):
        project = Project(tmp_path / "project", DODO + more, image="os.img")
        project.write("spec.py", spec)
        project.write("k", b"K" * 300_000)
        project.write("l", b"L" * 200_000)
        project.write("raw", b"R" * 50_000)
        project.write("stage2", b"S" * 1000)
        project.doit(*asked)
        return project

    return make


def settled(project, tmp_path, *asked):
    """One more doit makes the image that a build from nothing makes, and then all is done."""
    project.doit(*asked)
    assert project.sha256() == project.clean_build(tmp_path / "clean")
    assert not project.doit(*asked).ran


# A record vouches for results: it must never be there before they are -----------------------------

RECORDS = {
    "format": ("k", 100_000, r"fat\.files-geometry\.json$"),
    "populate": ("k", 300_000, r"fat\.files\.json$"),
    "table": ("raw", 20_000, r"table\.files\.json$"),
    "inject a file": ("raw", 50_000, r"raw\.files.*\.json$"),
    "inject a segment": ("stage2", 1000, r"stage2\.files.*\.json$"),
}


@pytest.mark.parametrize("step", RECORDS)
def test_killed_when_the_record_is_written(make, tmp_path, step):
    source, length, record = RECORDS[step]
    project = make(AUTO)
    project.write(source, b"n" * length)
    project.write("hook.py", f"at('replace', {record!r}, kill)")
    assert project.doit(code=None).code == -9
    settled(project, tmp_path)


def test_the_linked_image_killed_when_its_record_is_written(make, monkeypatch):
    project = make(AUTO, "\ndef task_linked():\n    return disk.linked_task()\n")
    project.write("raw", b"n" * 50_000)
    project.write("hook.py", r"at('replace', r'linked\.sources\.json$', kill)")
    assert project.doit("os.img:linked", code=None).code == -9
    project.doit("os.img:linked")
    monkeypatch.chdir(project.folder)
    assert linked_image.ready("os.img") == "os.img.vmdk"


# Whose image it is, is known at every moment -----------------------------------------------------

MOMENTS = {
    "the old seal is broken": r"at('replace', r'broken\.json$', kill)",
    "the new one is written": r"at('replace', r'^seal\.json$', kill, 2)",
    "it is recorded which file is ours": r"at('replace', r'images\.json$', kill)",
    "the new image has its name": r"at('replace', r'^os\.img$', kill)",
}


@pytest.mark.parametrize("moment", MOMENTS)
@pytest.mark.parametrize("wrote", [False, True], ids=["", "a guest wrote"])
def test_killed_when_a_new_image_takes_its_place(make, tmp_path, moment, wrote):
    """A doit that must not lose what others wrote knows that nobody did; if somebody did, one that
    may replace it knows that the image is ours.
    """
    spec = FAT % ("" if wrote else ', guest_writes="error"')
    project = make(spec)
    project.write("spec.py", spec.replace("2MiB", "3MiB"))
    project.write("hook.py", MOMENTS[moment])
    assert project.doit(code=None).code == -9
    if wrote:
        with project.image_path.open("r+b") as image:
            image.write(b"written by a guest")
    settled(project, tmp_path)


# What a task saw is what is stored, not what is there when doit hears of its end ------------------


def test_a_number_that_changes_while_it_is_written(make, tmp_path):
    code = 'Segment("a", BootCode(bytes({}), patches=[Patch(0, "<I", at.length("b"))]), 1024)'
    spec = 'dict(size="1MiB", segments=[Segment("b", "b", 8192), ' + code + "])"
    (tmp_path / "project").mkdir()
    (tmp_path / "project/b").write_bytes(b"B" * 1000)
    project = make(spec.format(100))
    project.write("spec.py", spec.format(101))
    grow = "lambda: Path('b').write_bytes(b'C' * 1100)"
    project.write("hook.py", rf"at('replace', r'^a\.injected$', {grow})")
    project.doit(code=None)
    assert (project.folder / "b").stat().st_size == 1100
    settled(project, tmp_path)


def test_an_image_that_changes_when_an_output_is_made(make, tmp_path):
    outputs = 'outputs=[PartitionFile("raw.bin", partition="raw")], segments='
    spec = AUTO.replace("segments=", outputs)
    project = make(spec)
    (project.folder / "raw.bin").unlink()
    project.write("hook.py", """
def rebuild():
    Path("raw").write_bytes(b"Q" * 50_000)
    subprocess.run([sys.executable, "-m", "doit", "--db-file", "other", "os.img:seal"], check=True)
at("replace", r"raw\\.bin$", rebuild)
""")
    project.doit()
    assert (project.folder / "raw.bin").read_bytes()[:1] == b"R"
    settled(project, tmp_path)
    assert (project.folder / "raw.bin").read_bytes()[:1] == b"Q"


# Whoever writes to the image, what he wrote is never sealed ---------------------------------------

GUEST = '''
def compile():
    if os.path.exists("guest"):
        os.unlink("guest")
        with open("os.img", "r+b") as image:
            image.seek(0x180000)
            image.write(b"written by a guest")
    Path("k").write_bytes(Path("src").read_bytes())

def task_kernel():
    return {"actions": [compile], "file_dep": ["src"], "targets": ["k"]}
'''


@pytest.fixture
def guest(make, tmp_path):
    """A build in which a guest writes while a source is made, after the image was looked at."""

    def guest(more=""):
        (tmp_path / "project").mkdir()
        (tmp_path / "project/src").write_bytes(b"A" * 1000)
        project = make(FAT % more, GUEST)
        project.write("src", b"B" * 1000)
        project.write("guest", b"")
        return project

    return guest


CHANGED = "os.img: os.img: it changed while the image was built, must stay as it is until the "


def test_written_to_before_the_first_injection(guest, tmp_path):
    project = guest()
    assert CHANGED in project.doit(code=1).said
    assert "it is built anew" in project.doit().said
    settled(project, tmp_path)


def test_written_to_before_the_first_injection_and_not_to_be_lost(guest):
    project = guest(', guest_writes="error"')
    assert CHANGED in project.doit(code=1).said
    assert "something else wrote to it" in project.doit(code=1).said
    assert b"written by a guest" in project.image_path.read_bytes()


def test_written_to_and_sealed_alone(make, tmp_path):
    project = make(AUTO)
    with project.image_path.open("r+b") as image:
        image.write(b"guest")
    assert CHANGED in project.doit("--single", "os.img:seal", code=1).said
    settled(project, tmp_path)


def test_opened_by_a_qemu_between_two_injections(make, tmp_path):
    project = make(AUTO)
    project.write("raw", b"n" * 50_000)
    project.write("stage2", b"n" * 1000)
    project.write("hook.py", f"""
import fcntl
def qemu():
    global handle
    handle = os.open("os.img", os.O_RDONLY)
    fcntl.fcntl(handle, fcntl.F_OFD_SETLK, {FORBIDS_WRITING!r})
at("replace", r"raw\\.injected$", qemu)
""")
    assert CHANGED in project.doit(code=1).said
    settled(project, tmp_path)


FORBIDS_WRITING = struct.pack("hhqqi4x", fcntl.F_RDLCK, os.SEEK_SET, 201, 1, 0)
"""QEMU's lock of an image that it has open."""


# Half an injection is never taken for a whole one, in whatever order the steps are called ---------

TORN = (
    "os.img: .os.img/fat.injected: it can't be used: the build that wrote its part of the image "
    "did not finish, an earlier task of this image wrote it"
)


@pytest.mark.parametrize("first", ["an old image", "a new one"])
@pytest.mark.parametrize("step", ["seal", "fat:inject"])
def test_killed_in_the_middle_and_one_step_asked_for_alone(make, tmp_path, first, step):
    project = make(FAT % "")
    project.write("k", b"k" * 300_000)
    project.write("l", b"l" * 200_000)
    if first == "a new one":
        project.image_path.unlink()
    # The second source is opened to be hashed, and again when the first is in the image.
    project.write("hook.py", "at('open', '^l$', kill, 2)")
    assert project.doit(code=None).code == -9
    assert TORN in project.doit("--single", f"os.img:{step}", code=1).said
    settled(project, tmp_path)


@pytest.mark.parametrize("count", range(1, 7))
def test_killed_after_each_look_at_the_receipt(make, tmp_path, count):
    """Before the first byte, after the last, and whenever the receipt takes its name."""
    project = make(FAT % "")
    project.write("k", b"k" * 200_000)
    project.write("hook.py", f"at('replace', r'fat\\.injected$|seal\\.json$', kill, {count})")
    code = project.doit(code=None).code
    assert code == (-9 if count <= 4 else 0)
    project.doit("--single", "os.img:seal", code=None)
    settled(project, tmp_path)


# An image is given free when it is finished, and not before ---------------------------------------

LOOK = '''
def look():
    import fcntl, time
    Path("looked").write_text("held")
    for _ in range(%(tries)d):
        with open(".os.img/lock") as file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                Path("looked").write_text("free")
                return
            except BlockingIOError:
                time.sleep(0.1)

def task_look():
    return {"actions": [look], "task_dep": ["os.img:%(after)s"]}
'''


def test_an_injection_runs_when_the_linked_image_is_made(make):
    more = "\ndef task_linked():\n    return disk.linked_task()\n"
    more += LOOK % {"after": "linked", "tries": 1}
    project = make(AUTO, more)
    project.write("raw", b"n" * 50_000)
    (project.folder / "looked").unlink()
    project.write("hook.py", "at('open', r'^os\\.img$', lambda: wait_for('looked'))")
    project.doit("-n", "2", "os.img", "os.img:linked", "look")
    assert (project.folder / "looked").read_text() == "held"


def test_a_finished_image_is_free(make):
    project = make(AUTO, LOOK % {"after": "seal", "tries": 50})
    for run in ("built", "up to date"):
        project.doit("os.img", "look")
        assert (project.folder / "looked").read_text() == "free", run


def test_an_image_is_not_free_before_its_outputs_are_there(make):
    more = LOOK % {"after": "seal", "tries": 1}
    project = make(AUTO.replace("])", "], outputs=[Sha256('sum')])"), more)
    for run in ("built", "up to date"):
        project.doit("look", "os.img")
        assert (project.folder / "looked").read_text() == "held", run
