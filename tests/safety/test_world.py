"""The world does not keep its word: one line, and the next doit ends as a clean build.

What a kill and a failing system call do is in test_kill.py; here are real file systems, limits,
clocks and other people's state.
"""

import json
import os
import re
import shutil
import subprocess
import sys
from contextlib import contextmanager

import pytest
from forked import chain, doit
from project import Project
from tools import tool

DODO = '''
import builtins, io, json, os, resource, time
from pathlib import Path

world = json.loads(Path("world.json").read_text())

if "boot" in world:
    real_open = builtins.open
    def another_boot(file, *arguments, **options):
        if file == "/proc/sys/kernel/random/boot_id":
            binary = "b" in "".join(arguments[:1])
            return io.BytesIO(world["boot"].encode()) if binary else io.StringIO(world["boot"])
        return real_open(file, *arguments, **options)
    builtins.open = another_boot
if "clock" in world:
    real_clock = time.clock_gettime_ns
    time.clock_gettime_ns = lambda clock: real_clock(clock) + world["clock"]
if "limit" in world:
    resource.setrlimit(resource.RLIMIT_FSIZE, (world["limit"], resource.RLIM_INFINITY))
if "unreadable" in world:
    def with_bad_sectors(real_read):
        def read(handle, *place):
            if os.readlink(f"/proc/self/fd/{handle}").endswith(world["unreadable"]):
                raise OSError(5, os.strerror(5))
            return real_read(handle, *place)
        return read
    os.pread, os.preadv = with_bad_sectors(os.pread), with_bad_sectors(os.preadv)

from doit_diskimg import Disk, Esp, File, Gpt, Partition, Segment, Tree

class Restless(File):
    """A file that somebody changes after it was planned, and before it is copied."""
    def fill(self, place, files, where):
        picture = super().fill(place, files, where)
        happens = world.get("happens")
        if happens:
            Path("world.json").write_text("{}")
            data = Path("root.bin").read_bytes()
            if happens == "changed":
                Path("root.bin").write_bytes(data.swapcase())
            elif happens == "truncated":
                os.truncate("root.bin", 1000)
            elif happens == "removed":
                os.rename("root.bin", "root.old")
            elif happens == "replaced":
                Path("new").write_bytes(data.swapcase())
                os.replace("new", "root.bin")
            elif happens == "a folder":
                os.rename("root.bin", "root.old")
                os.mkdir("root.bin")
        return picture

disk = Disk("build/os.img", size="12MiB", table=Gpt(), partitions=[
    Esp({"kernel.elf": "kernel.elf", "etc": Tree("etc")}, size="3MiB"),
    Partition("root", Restless("root.bin"), type="linux-filesystem", size="2MiB"),
], segments=[Segment("boot", "boot.bin", 0)])

def task_image():
    return disk.tasks()
'''
STATE = "build/.os.img/"


@pytest.fixture
def project(tmp_path):
    project = Project(tmp_path / "project", DODO)
    project.write("world.json", "{}")
    project.write("kernel.elf", b"kernel" * 200_000)
    project.write("etc/motd", b"hello")
    project.write("root.bin", b"root file system" * 30_000)
    project.write("boot.bin", b"\xf4" * 440)
    return project


def world(project, **faults):
    project.write("world.json", json.dumps(faults))


def edit(project):
    project.write("kernel.elf", b"KERNEL" * 210_000)
    project.write("root.bin", b"another root file system" * 40_000)


def must_recover(project, elsewhere):
    """All is well with the world again."""
    world(project)
    project.doit()
    shutil.rmtree(elsewhere, ignore_errors=True)
    assert project.sha256() == project.clean_build(elsewhere)
    assert not project.doit().ran
    project.doit("os.img:verify")


def fails(project, *texts):
    """doit ends with 1 and says so: for each failed task one line of ours, no traceback."""
    run = project.doit(code=1)
    lines = [line for line in run.said.splitlines() if line.startswith("os.img: ")]
    assert lines, run.said
    for text in texts:
        assert any(text in line for line in lines), run.said
    return lines


# Sources -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("first", [True, False], ids=["first build", "edit"])
@pytest.mark.parametrize("happens", ["changed", "truncated", "removed", "replaced", "a folder"])
def test_a_source_during_the_build(project, tmp_path, happens, first):
    if not first:
        project.doit()
        edit(project)
    world(project, happens=happens)
    fails(project, "root.bin: ")
    if (project.folder / "root.old").exists():
        if (project.folder / "root.bin").exists():
            (project.folder / "root.bin").rmdir()
        (project.folder / "root.old").rename(project.folder / "root.bin")
    must_recover(project, tmp_path / "clean")


def test_a_source_that_never_stays(project, tmp_path):
    """The second time it is said what it is, and the third; not after a build that succeeded."""
    again = ("root.bin: it changed while the image was built, as in the last build, a file that is "
             "written all the time can't be a source")
    for round_ in range(3):
        world(project, happens="changed")
        (line,) = [it for it in fails(project, "root.bin: it changed") if "root.bin" in it]
        assert (again in line) == (round_ > 0), line
    must_recover(project, tmp_path / "clean")
    edit(project)
    world(project, happens="changed")
    assert not any(again in line for line in fails(project, "root.bin: it changed"))


@pytest.mark.parametrize("file", ["kernel.elf", "root.bin", "boot.bin", "motd"])
def test_a_source_can_not_be_read(project, tmp_path, file):
    project.doit()
    for path in ("kernel.elf", "root.bin", "boot.bin", "etc/motd"):
        source = project.folder / path
        source.write_bytes(bytes(byte ^ 1 for byte in source.read_bytes()))
    world(project, unreadable=file)
    fails(project, f"{file}: Input/output error")
    must_recover(project, tmp_path / "clean")


# Room --------------------------------------------------------------------------------------------


@contextmanager
def small_disk(path, *options):
    """A file system of its own at ``path``: the test may mount, the build never does."""
    path.mkdir(parents=True, exist_ok=True)
    command = [tool("mount"), "-t", "tmpfs", "-o", ",".join(options), "none", path]
    if subprocess.run(command, capture_output=True, check=False).returncode:
        pytest.skip("mounting a tmpfs is not permitted here (needs root)")
    try:
        yield
    finally:
        subprocess.run([tool("umount"), path], check=True)


@pytest.mark.parametrize("kib", [8, 64, 256, 600, 900, 1300, 1500, 1700])
def test_a_disk_that_is_full(project, tmp_path, kib):
    """Whatever is written when the room ends; the message names the file."""
    with small_disk(project.folder / "build", f"size={kib}k"):
        for _ in range(2):
            (line,) = fails(project, "No space left on device (")[:1]
            assert re.match(r"os\.img: build/\S+: No space left on device \(\S+ .?i?B free\), the "
                            r"build has to .+ \(fix that and run doit again\)$", line)
        assert not project.image_path.exists()
        remount(project, "size=16m")
        must_recover(project, tmp_path / "clean")


@pytest.mark.parametrize("kib", [300, 600, 1000, 1500])
@pytest.mark.parametrize("backend", ["dbm", "sqlite3", "json"])
def test_a_disk_that_is_full_of_the_image(project, tmp_path, backend, kib):
    """Sources, image and doit's own database share it: there is room for the database again."""
    sources = sum(
        path.stat().st_size for path in project.folder.rglob("*") if path.is_file()
    )
    with small_disk(tmp_path / "small", f"size={sources // 1024 + kib}k"):
        config = f"DOIT_CONFIG = {{'backend': {backend!r}}}"
        small = Project(tmp_path / "small/project", DODO + config)
        for path in ("world.json", "kernel.elf", "etc/motd", "root.bin", "boot.bin"):
            small.write(path, (project.folder / path).read_bytes())
        for _ in range(2):
            (line, *_) = fails(small, "No space left on device (")
            assert re.match(r"os\.img: build/\S+: No space left on device \(\S+ .?i?B free\), the "
                            r"build has to .+ \(fix that and run doit again\)$", line)
            left = [path.name for path in (small.folder / STATE).iterdir()]
            assert not [name for name in left if name.endswith((".tmp", ".work", ".img"))]
            assert shutil.disk_usage(small.folder).free > (kib // 2) << 10
        assert not small.image_path.exists()
        subprocess.run([tool("mount"), "-o", "remount,size=16m", tmp_path / "small"], check=True)
        must_recover(small, tmp_path / "clean")


@pytest.mark.parametrize("free", [0, 4, 100, 300])
def test_a_disk_gets_full_during_an_edit(project, tmp_path, free):
    with small_disk(project.folder / "build", "size=16m"):
        project.doit()
        used = shutil.disk_usage(project.folder / "build").used // 1024
        edit(project)
        remount(project, f"size={used + free}k")
        run = project.doit(code=None)
        if run.code:
            assert "No space left on device" in run.said
            assert "os.img: build/" in run.said
        remount(project, "size=16m")
        must_recover(project, tmp_path / "clean")


def remount(project, options):
    subprocess.run([tool("mount"), "-o", f"remount,{options}", project.folder / "build"],
                   check=True)


@pytest.mark.parametrize("limit", [1000, 20_000, 1 << 20, 4 << 20, (12 << 20) - 1])
def test_a_limit_for_files(project, tmp_path, limit):
    """RLIMIT_FSIZE: no signal ends doit, and what is too long is named."""
    if limit < 1 << 16 and sys.version_info >= (3, 13):
        pytest.skip("doit's own database is an SQLite file there, which needs more")
    world(project, limit=limit)
    fails(project, "File too large, ")
    assert not project.image_path.exists()
    must_recover(project, tmp_path / "clean")


# Permissions -------------------------------------------------------------------------------------


def test_a_state_folder_that_is_read_only(project, tmp_path):
    project.doit()
    with small_disk(tmp_path / "mounted", "size=16m"):
        shutil.copytree(project.folder, tmp_path / "mounted/project")
        mounted = Project(tmp_path / "mounted/project", project.dodo)
        mounted.doit("--db-file", os.fspath(tmp_path / "db"))
        before = mounted.sha256()
        edit(mounted)
        subprocess.run([tool("mount"), "-o", "remount,ro", tmp_path / "mounted"], check=True)
        run = mounted.doit("--db-file", os.fspath(tmp_path / "db"), code=1)
        assert "Read-only file system, " in run.said
        assert mounted.sha256() == before
        subprocess.run([tool("mount"), "-o", "remount,rw", tmp_path / "mounted"], check=True)
        must_recover(mounted, tmp_path / "clean")


# Clocks ------------------------------------------------------------------------------------------

DAY = 86400 * 10**9


@pytest.mark.parametrize("days", [-3650, -1, 1, 3650])
def test_a_clock_that_is_set(project, tmp_path, days):
    """Backwards or forwards, between two builds and between two edits."""
    project.doit()
    for number in range(3):
        project.write("kernel.elf", bytes([number]) * 300_000)
        world(project, clock=days * DAY * (number % 2))
        project.doit()
        assert not project.doit().ran
    must_recover(project, tmp_path / "clean")


def test_sources_of_the_future(project, tmp_path):
    """What a clock leaves that went backwards: files that are younger than everything."""
    for path in ("kernel.elf", "root.bin", "boot.bin", "etc/motd", "etc", "dodo.py"):
        os.utime(project.folder / path, (4e9, 4e9))
    project.doit()
    assert not project.doit().ran
    for round_ in (b"a", b"b"):
        project.write("kernel.elf", round_ * 300_000)
        os.utime(project.folder / "kernel.elf", (4e9, 4e9))
        project.doit()
        must_recover(project, tmp_path / "clean")


def test_an_image_of_the_future(project, tmp_path):
    project.doit()
    os.utime(project.image_path, (4e9, 4e9))
    project.doit()
    must_recover(project, tmp_path / "clean")


# Other people's state ----------------------------------------------------------------------------


def test_another_boot(project, tmp_path):
    """Pages that a power cut lost leave a file that looks right."""
    project.doit()
    with project.image_path.open("r+b") as image:  # what was written never reached the disk
        before = os.fstat(image.fileno())
        image.seek(1 << 20)
        image.write(bytes(1 << 20))
    os.utime(project.image_path, ns=(before.st_atime_ns, before.st_mtime_ns))
    world(project, boot="another")
    assert "os.img:create" in project.doit().ran
    assert project.sha256() == project.clean_build(tmp_path / "clean")
    assert not project.doit().ran


@pytest.mark.parametrize("boot", [None, "another"], ids=["same boot", "another machine"])
@pytest.mark.parametrize("change", ["none", "edit", "image lost", "image of before"])
def test_a_copied_state_folder(project, tmp_path, boot, change):
    """Project, image and state, time stamps and all; the inodes are others."""
    project.doit()
    old = project.image_path.read_bytes()
    if change == "image of before":
        edit(project)
        project.doit()
    copy = Project(tmp_path / "copy", DODO)
    shutil.rmtree(copy.folder)
    shutil.copytree(project.folder, copy.folder, copy_function=shutil.copy2)
    if boot:
        world(copy, boot=boot)
    if change == "edit":
        edit(copy)
    elif change == "image lost":
        copy.image_path.unlink()
    elif change == "image of before":
        stamps = copy.image_path.stat()
        copy.image_path.write_bytes(old)
        os.utime(copy.image_path, ns=(stamps.st_atime_ns, stamps.st_mtime_ns))
    copy.doit()
    must_recover(copy, tmp_path / "clean")


def halved(data):
    return data[: len(data) // 2]


def flipped(data):
    middle = len(data) // 2
    return data[:middle] + bytes([data[middle] ^ 1]) + data[middle + 1 :] if data else b"x"


DAMAGE = {
    "empty": lambda data: b"", "halved": halved, "a bit": flipped,
    "garbage": lambda data: bytes(range(256)) * 4, "JSON of another kind": lambda data: b"[1]\n",
    "another version": lambda data: re.sub(rb'"format": \d+', b'"format": 99', data),
}


@pytest.mark.slow
@pytest.mark.parametrize(
    ("damage", "build"), [*((name, chain) for name in DAMAGE), ("halved", doit)],
    ids=lambda value: value if isinstance(value, str) else value.__name__,
)
def test_every_state_file_damaged(project, tmp_path, damage, build):
    """Each file alone, once with nothing else to do and once with an edit."""
    project.doit()
    names = sorted(path.name for path in (project.folder / STATE).iterdir())
    assert len(names) > 12
    clean = {}
    for number, name in enumerate([*names, *names]):
        file = project.folder / STATE / name
        file.write_bytes(DAMAGE[damage](file.read_bytes()))
        if number >= len(names):
            project.write("kernel.elf", bytes([number % 2]) * 300_000)
        key = (project.folder / "kernel.elf").read_bytes()[:1]
        code, said = build(project)
        assert code == 0, said
        if key not in clean:
            shutil.rmtree(tmp_path / "clean", ignore_errors=True)
            clean[key] = project.clean_build(tmp_path / "clean")
        assert project.sha256() == clean[key], name
        assert ".  " not in build(project)[1], name
    must_recover(project, tmp_path / "clean")


def test_two_projects_share_nothing(project, tmp_path):
    """The state of one image, put into the place of another's."""
    other = Project(tmp_path / "other", DODO)
    for path in ("world.json", "boot.bin"):
        shutil.copy2(project.folder / path, other.folder / path)
    other.write("kernel.elf", b"other" * 100_000)
    other.write("etc/motd", b"other")
    other.write("root.bin", b"other" * 1000)
    project.doit()
    other.doit()
    shutil.rmtree(project.folder / STATE)
    shutil.copytree(other.folder / STATE, project.folder / STATE, copy_function=shutil.copy2)
    before = project.sha256()
    assert "nothing in the state folder proves to be built here" in project.doit(code=1).said
    assert project.sha256() == before
    project.image_path.unlink()
    project.doit()
    must_recover(project, tmp_path / "clean")
