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


SLOW = '''
import time
from doit_diskimg import Disk, File, Mbr, Partition

class Slow(File):
    """A payload that takes its time, so that two builds are sure to meet."""
    def fill(self, place, files, where):
        time.sleep(1.5)
        return super().fill(place, files, where)

disk = Disk("os.img", size="4MiB", table=Mbr(), partitions=[
    Partition("a", Slow("a.bin"), type=0x83), Partition("b", Slow("b.bin"), type=0x83),
])
def task_image():
    return disk.tasks()
'''


@pytest.mark.parametrize("arguments", [(), ("-n", "2")], ids=str)
def test_two_builds_at_once(tmp_path, arguments):
    project = Project(tmp_path / "project", SLOW, image="os.img")
    project.write("a.bin", b"a" * 100_000)
    project.write("b.bin", b"b" * 100_000)
    command = [sys.executable, "-m", "doit", "run", "--backend", "sqlite3", *arguments]
    builds = [
        subprocess.Popen(
            command, cwd=project.folder, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )
        for _ in range(2)
    ]
    said = [build.communicate(timeout=120) for build in builds]
    assert [build.returncode for build in builds] == [0, 0], said
    assert sum("waiting for another doit that builds it (pid " in err for _, err in said) == 1
    assert "Traceback" not in str(said)
    assert project.sha256() == project.clean_build(tmp_path / "clean")


def test_clean_waits_for_a_build(tmp_path):
    dodo = SLOW + 'DOIT_CONFIG = {"backend": "sqlite3"}\n'
    project = Project(tmp_path / "project", dodo, image="os.img")
    project.write("a.bin", b"a" * 100_000)
    project.write("b.bin", b"b" * 100_000)
    doit = [sys.executable, "-m", "doit"]
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    with subprocess.Popen(doit, cwd=project.folder, **pipes) as build:
        lock = project.folder / ".os.img/lock"
        end = time.monotonic() + 60
        while not lock.exists() or lock.read_text() != f"{build.pid}\n":
            assert time.monotonic() < end, "the build has not begun"
            time.sleep(0.01)
        clean = subprocess.run([*doit, "clean", "os.img"], cwd=project.folder, **pipes, check=True)
        assert build.wait(60) == 0, build.stdout.read() + build.stderr.read()
    assert f"waiting for another doit that builds it (pid {build.pid})" in clean.stdout
    assert "removing file 'os.img'" in clean.stdout
    assert not project.image_path.exists()
    assert not (project.folder / ".os.img").exists()
    project.doit()
    assert project.sha256() == project.clean_build(tmp_path / "clean")


GUEST = {
    "restore": (0, "os.img was written to since it was built: it is built anew"),
    "error": (1, "os.img: os.img: somebody else wrote to it since it was built, "
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
