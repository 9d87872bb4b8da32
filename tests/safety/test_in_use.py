"""The image while somebody else has it: a real QEMU, a second doit."""

import os
import subprocess
import sys
import time

import pytest
from machines import wait_until_open
from project import Project
from tools import tool

from doit_diskimg.host.image import ImageFile

DODO = '''
from doit_diskimg import Disk, Esp, Gpt
disk = Disk("os.img", size="40MiB", table=Gpt(), partitions=[
    Esp({"kernel.elf": "kernel.elf"}, size="33MiB"),
]%s)
def task_image():
    return disk.tasks()
'''


@pytest.fixture
def project(tmp_path):
    project = Project(tmp_path / "project", DODO % "", image="os.img")
    project.write("kernel.elf", b"kernel" * 1000)
    project.doit()
    return project


@pytest.fixture
def qemu(project):
    """A QEMU that has the image open; it stands still, since nobody needs it to run."""
    running = []

    def start(*options):
        command = [
            tool("qemu-system-x86_64"), "-S", "-display", "none", "-monitor", "none",
            "-serial", "none", "-net", "none",
            "-drive", ",".join(["format=raw", f"file={project.image_path}", *options]),
        ]
        process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
        running.append(process)
        return process

    yield start
    for process in running:
        process.kill()
        process.wait()


@pytest.mark.parametrize("options", [(), ("snapshot=on",), ("readonly=on", "if=virtio")], ids=str)
def test_a_running_guest_keeps_its_file(project, qemu, options, tmp_path):
    process = qemu(*options)
    wait_until_open(process, project.image_path)
    guests = project.image_path.open("rb")
    before = guests.read()
    project.write("kernel.elf", b"KERNEL" * 2000)
    run = project.doit()
    assert f"os.img is open in QEMU (pid {process.pid}), which keeps the old file" in run.out
    assert run.ran == {"os.img:esp:populate", "os.img:esp:inject", "os.img:seal"}
    guests.seek(0)
    assert guests.read() == before, "a byte changed under the guest's feet"
    assert project.sha256() == project.clean_build(tmp_path / "clean")
    assert process.poll() is None
    assert not project.doit().ran


def test_busy_error_refuses(project, qemu):
    process = qemu()
    wait_until_open(process, project.image_path)
    project.write("dodo.py", DODO % ', busy="error"')
    project.write("kernel.elf", b"KERNEL" * 2000)
    before = project.sha256()
    run = project.doit(code=1)
    assert (
        f"os.img: os.img: it is open in QEMU (pid {process.pid}), busy='error' refuses to build "
        "it now (end that program, or leave busy out to have a new file put in its place)"
    ) in run.said
    assert project.sha256() == before
    process.kill()
    process.wait()
    project.doit()
    assert project.sha256() != before


@pytest.mark.parametrize("options", [(), ("snapshot=on",)], ids=str)
def test_a_qemu_that_starts_while_we_patch_is_refused(project, qemu, options):
    with ImageFile(os.fspath(project.image_path)) as image:
        assert image.is_free()
        process = qemu(*options)
        assert process.wait(timeout=60) == 1
        assert 'Failed to get shared "write" lock' in process.stderr.read()
    process = qemu(*options)
    wait_until_open(process, project.image_path)


def test_a_new_generation_replaces_the_file_of_a_running_guest(project, qemu, tmp_path):
    process = qemu()
    wait_until_open(process, project.image_path)
    inode = project.image_path.stat().st_ino
    project.write("dodo.py", DODO.replace("40MiB", "41MiB") % "")
    project.doit()
    assert project.image_path.stat().st_ino != inode
    assert process.poll() is None


SLOW = """
import time
from doit_diskimg import Compressed, Disk, File, Mbr, Partition, Sha256

class Slow(File):
    # So that two builds are sure to meet.
    def fill(self, place, files, where):
        time.sleep(0.7)
        return super().fill(place, files, where)

class SlowSum(Sha256):
    def make(self, disk, work, where):
        time.sleep(0.7)
        return super().make(disk, work, where)

def disk(name):
    return Disk(f"{name}.img", size="4MiB", table=Mbr(), partitions=[
        Partition("a", Slow("a.bin"), type=0x83), Partition("b", Slow("b.bin"), type=0x83),
    ], outputs=[SlowSum(f"{name}.sha256"), Compressed(f"{name}.img.gz")])
DOIT_CONFIG = {"backend": "sqlite3"}
os = disk("os")
def task_image():
    return os.tasks()
def task_linked():
    return os.linked_task()
"""

DOIT = [sys.executable, "-m", "doit"]


@pytest.fixture
def slow(tmp_path):
    """A function that makes a project that takes its time."""

    def make(more=""):
        project = Project(tmp_path / "project", SLOW + more, image="os.img")
        project.write("a.bin", b"a" * 100_000)
        project.write("b.bin", b"b" * 100_000)
        return project

    return make


def at_once(project, *commands):
    """Run doit so often at once; return what each said.  Each must end well, and soon."""
    runs = [
        subprocess.Popen(
            [*DOIT, *words], cwd=project.folder, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
            text=True,
        )
        for words in commands
    ]
    try:
        said = [run.communicate(timeout=60) for run in runs]
    finally:
        for run in runs:
            run.kill()
    assert [run.returncode for run in runs] == [0] * len(runs), said
    assert "Traceback" not in str(said)
    return said


@pytest.mark.parametrize(
    "arguments",
    [
        ("run",), ("run", "-n", "2"), ("run", "-n", "2", "-P", "thread"),
        ("run", "--backend", "dbm", "--db-file", "default"),
    ],
    ids=" ".join,
)  # fmt: skip
def test_two_builds_at_once(slow, tmp_path, arguments):
    project = slow()
    said = at_once(project, arguments, arguments)
    assert sum("os.img: waiting for another doit that builds it (pid " in err
               for _, err in said) == 1
    second = next(out for out, err in said if "waiting" in err)
    ran = [line for line in second.splitlines() if not line.startswith("--")]
    assert ran == [], "it found no work done"
    assert project.sha256() == project.clean_build(tmp_path / "clean")
    for name in ("os.sha256", "os.img.gz"):
        made, clean = project.folder / name, tmp_path / "clean" / name
        assert made.read_bytes() == clean.read_bytes(), name


def test_two_images_in_different_order(slow):
    """Neither waits for the image of the other while it has its own."""
    project = slow('''
other = disk("other")
def task_other():
    return other.tasks()
''')
    said = at_once(project, ("os.img", "other.img"), ("other.img", "os.img"))
    assert sum("waiting" in err for _, err in said) == 1


def test_two_images_of_one_project_do_not_wait(slow):
    project = slow('''
other = disk("other")
def task_other():
    return other.tasks()
''')
    said = at_once(project, ("os.img",), ("other.img",))
    assert not any("waiting" in err for _, err in said)


@pytest.mark.parametrize("arguments", [("nested",), ("-n", "2", "nested")], ids=" ".join)
def test_a_doit_that_a_task_starts_does_not_wait(slow, arguments):
    project = slow('''
import sys
def task_nested():
    return {"actions": [[sys.executable, "-m", "doit", "os.img"]], "task_dep": ["os.img:seal"]}
''')
    [(_, err)] = at_once(project, ("run", *arguments, "os.img"))
    assert "waiting" not in err


def test_clean_waits_for_a_build(slow, tmp_path):
    project = slow()
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    with subprocess.Popen(DOIT, cwd=project.folder, **pipes) as build:
        lock = project.folder / ".os.img/lock"
        end = time.monotonic() + 60
        while not lock.exists() or lock.read_text() != f"{build.pid}\n":
            assert time.monotonic() < end, "the build has not begun"
            time.sleep(0.01)
        clean = subprocess.run([*DOIT, "clean"], cwd=project.folder, **pipes, check=True)
        assert build.wait(60) == 0, build.stdout.read() + build.stderr.read()
    assert f"waiting for another doit that builds it (pid {build.pid})" in clean.stdout
    assert "removing file 'os.img'" in clean.stdout
    left = {path.name for path in project.folder.iterdir()}
    assert left - {"__pycache__"} == {"a.bin", "b.bin", "dodo.py", ".doit.db"}
    project.doit()
    assert project.sha256() == project.clean_build(tmp_path / "clean")


GUEST = {
    "restore": (0, "os.img was written to since it was built: it is built anew"),
    "error": (1, "os.img: os.img: something else wrote to it since it was built, "
                 "guest_writes='error' refuses to build it anew "
                 "(save what you need, delete it, and run doit again)"),
}


@pytest.mark.parametrize("policy", GUEST)
def test_guest_writes(project, policy, tmp_path):
    project.dodo = DODO % f', guest_writes="{policy}"'
    project.write("dodo.py", project.dodo)
    clean = project.clean_build(tmp_path / "clean")
    with project.image_path.open("r+b") as image:
        image.seek(30 << 20)
        image.write(b"a guest's precious data")
    touched = project.sha256()
    code, message = GUEST[policy]
    run = project.doit(code=code)
    assert message in run.said
    assert project.sha256() == (clean if policy == "restore" else touched)
    project.image_path.unlink()
    assert message not in project.doit().said
    assert project.sha256() == clean
