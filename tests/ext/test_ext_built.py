"""Ext on the real doit, made by the real mke2fs, judged by e2fsck and read by debugfs."""

import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import pytest
from project import Project
from tools import run, tool

MIB = 1 << 20
DODO = '''
import json, os
from pathlib import Path
from doit_diskimg import Disk, Ext, File, Gpt, Partition, Tree

spec = json.loads(Path("spec.json").read_text())
disk = Disk("build/os.img", size="64MiB", table=Gpt(), align=spec.pop("align", "1MiB"), partitions=[
    Partition("root", Ext({
        "/": Tree("sysroot", exclude="*.o"), "etc/fstab": b"none", "boot/kernel": "kernel.elf",
    }, modes={"tmp": 0o1777, "etc/fstab": 0o600}, **spec), size="24MiB"),
    Partition("raw", File("raw.bin"), type="linux-filesystem"),
])

def task_image():
    return disk.tasks()
'''
NAMES = ["a", "two words", "ünïcode", "-rf", "*", "quote'\"", "new\nline", "x" * 255]
INTO_IMAGE = {"os.img:root:populate", "os.img:root:inject", "os.img:seal"}


def make(folder, **spec):
    project = Project(folder, DODO)
    project.write("spec.json", json.dumps(spec))
    for number, name in enumerate(NAMES):
        project.write(f"sysroot/names/{name}", name * number)
    project.write("sysroot/bin/sh", b"#!" * 3000).chmod(0o755)
    project.write("sysroot/deep/er/and/deeper", bytes(range(256)) * 5000)
    project.write("sysroot/zeros", bytes(300_000) + b"end")
    project.write("sysroot/left-out.o", b"o")
    project.write("kernel.elf", b"kernel" * 100_000)
    project.write("raw.bin", b"r" * 1000)
    for name in ("empty", "tmp"):
        (project.folder / "sysroot" / name).mkdir()
    return project


@pytest.fixture(autouse=True)
def judges():
    for name in ("mke2fs", "debugfs", "e2fsck"):
        tool(name)


def volume(project, start=MIB, length=24 * MIB):
    """Return the volume as a file of its own."""
    path = project.folder / "volume"
    with project.image_path.open("rb") as image, path.open("wb") as file:
        image.seek(start)
        file.write(image.read(length))
    return path


def contents(project, **where):
    """Return everything in the volume, as debugfs reads it back: bytes, or None for a directory."""
    path = volume(project, **where)
    checked = subprocess.run([tool("e2fsck"), "-fn", path], capture_output=True, text=True)
    assert checked.returncode == 0, checked.stdout
    assert "Fix" not in checked.stdout
    out = project.folder / "read back"
    shutil.rmtree(out, ignore_errors=True)
    out.mkdir()
    run("debugfs", "-R", f'rdump / "{out}"', path)
    return {
        str(found.relative_to(out)): None if found.is_dir() else found.read_bytes()
        for found in out.rglob("*")
    }


def expected(project):
    top = project.folder / "sysroot"
    tree = {
        str(path.relative_to(top)): None if path.is_dir() else path.read_bytes()
        for path in top.rglob("*")
        if path.suffix != ".o"
    }
    kernel = (project.folder / "kernel.elf").read_bytes()
    made = {"etc": None, "etc/fstab": b"none", "boot": None, "boot/kernel": kernel}
    return {**tree, **made, "lost+found": None}


@pytest.mark.parametrize(
    "spec",
    [
        {"version": 2}, {"version": 3}, {"version": 4},
        {"version": 2, "inode_size": 128, "block_size": 4096, "features": ["^dir_index"]},
        {"version": 4, "size": "9MiB", "label": "a label", "inodes": 64},
    ],
    ids=str,
)
def test_e2fsck_is_content_and_debugfs_reads_everything_back(tmp_path, spec):
    project = make(tmp_path, **spec)
    project.doit()
    assert contents(project) == expected(project)
    assert project.doit().ran == set()
    header = run("dumpe2fs", "-h", volume(project))
    assert ("has_journal" in header) == (spec["version"] > 2)
    assert ("metadata_csum" in header) == (spec["version"] > 3)
    assert ("dir_index" in header) == ("^dir_index" not in spec.get("features", ()))
    assert f"Inode size:	          {spec.get('inode_size', 256)}" in header
    assert f"name:   {spec.get('label', '<none>')}" in header


def test_owners_modes_and_times(tmp_path):
    project = make(tmp_path, version=4)
    project.env = {"SOURCE_DATE_EPOCH": "1700000000"}
    project.doit()
    path = volume(project)
    modes = {"/": "0755", "/tmp": "01777", "/etc/fstab": "0600", "/bin/sh": "0755",
             "/zeros": "0644", "/boot/kernel": "0644", "/lost+found": "0700"}
    for name, mode in modes.items():
        shown = run("debugfs", "-R", f"stat {name}", path)
        assert f"Mode:  {mode} " in shown or f"Mode: {mode} " in shown, shown
        assert "User:     0   Group:     0 " in shown
        times = [line.split()[1] for line in shown.splitlines() if "time: " in line]
        assert times == ["0x6553f100:00000000"] * 4, shown  # printf %x 1700000000


SURROUNDINGS = {
    "another folder": {"folder": "elsewhere/with a blank"},
    "a later time": {"wait": 1.5},
    "umask 077": {"umask": 0o077},
    "another clock and locale": {"env": {"TZ": "Asia/Tokyo", "LC_ALL": "tr_TR.UTF-8"}},
    "somebody's mke2fs.conf": {"env": {"MKE2FS_CONFIG": "/dev/null", "E2FSPROGS_FAKE_TIME": "5"}},
    "files in another order": {"reverse": True},
}


@pytest.mark.parametrize("version", [2, 3, 4])
@pytest.mark.parametrize("name", SURROUNDINGS)
def test_the_bytes_do_not_depend_on_the_surroundings(tmp_path, name, version):
    around = SURROUNDINGS[name]
    plain = make(tmp_path / "plain", version=version)
    plain.doit()
    time.sleep(around.get("wait", 0))
    old = os.umask(around.get("umask", 0o022))
    try:
        other = make(tmp_path / around.get("folder", "other"), version=version)
        if around.get("reverse"):
            rewrite_backwards(other.folder / "sysroot")
        other.env = around.get("env", {})
        other.doit()
    finally:
        os.umask(old)
    assert other.sha256() == plain.sha256()


def rewrite_backwards(top):
    """Make the same tree anew in the opposite order, dense where it was sparse, hours younger."""
    saved = {path: path.read_bytes() for path in top.rglob("*") if path.is_file()}
    folders = sorted((path for path in top.rglob("*") if path.is_dir()), reverse=True)
    shutil.rmtree(top)
    for folder in folders:
        folder.mkdir(parents=True, exist_ok=True)
    for path, data in sorted(saved.items(), reverse=True):
        path.write_bytes(data)
        os.utime(path, (1, 1))
    (top / "bin/sh").chmod(0o744)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can be somebody else")
def test_the_bytes_do_not_depend_on_who_builds(tmp_path):
    plain = make(tmp_path / "plain", version=4)
    plain.doit()
    folder = Path(tempfile.mkdtemp(prefix="doit_diskimg-"))  # pytest's own is closed to others
    try:
        other = make(folder / "project", version=4)
        for path in [folder, *folder.rglob("*")]:
            os.chown(path, 65534, 65534)
        # Nobody, who may read: Python may lie in root's home.
        command = [tool("setpriv"), "--reuid=65534", "--regid=65534", "--clear-groups",
                   "--inh-caps=+dac_read_search", "--ambient-caps=+dac_read_search"]
        done = subprocess.run(
            [*command, sys.executable, "-m", "doit"], cwd=other.folder, capture_output=True,
            text=True, check=False,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        assert other.image_path.stat().st_uid == 65534
        assert other.sha256() == plain.sha256()
    finally:
        shutil.rmtree(folder)


def test_the_users_files_are_not_touched_and_nothing_else_is_left(tmp_path):
    project = make(tmp_path)
    (tmp_path / "kernel.elf").chmod(0o440)

    def state():
        return {
            path: (path.lstat()[:7], path.lstat().st_mtime_ns, path.lstat().st_ctime_ns)
            for path in (tmp_path / "sysroot").rglob("*")
        } | {"kernel": (tmp_path / "kernel.elf").stat().st_ctime_ns}

    before = state()
    project.doit()
    assert state() == before
    assert not list(tmp_path.rglob("*.work*"))
    assert {path.name for path in tmp_path.iterdir()} == {
        "dodo.py", "spec.json", "sysroot", "kernel.elf", "raw.bin", "build",
        *(path.name for path in tmp_path.glob(".doit.db*")),
    }


# What runs ---------------------------------------------------------------------------------------


def write(path, data):
    return lambda project: project.write(path, data)


def chmod(path, mode):
    return lambda project: (project.folder / path).chmod(mode)


def spec(**changes):
    return lambda project: project.write("spec.json", json.dumps({"version": 4, **changes}))


def damage(project):
    with (project.folder / "build/.os.img/root.payload").open("r+b") as file:
        file.seek(5 * MIB)
        file.write(b"damaged")


MOVED = {"os.img:table", "os.img:create", "os.img:root:inject", "os.img:root:populate",
         "os.img:raw:inject", "os.img:table:inject", "os.img:seal"}
EDITS = {
    "nothing": (lambda project: None, set(), False),
    "touched": (lambda project: os.utime(project.folder / "kernel.elf", (5, 5)), set(), False),
    "contents": (write("sysroot/names/a", b"other"), INTO_IMAGE, True),
    "a new file": (write("sysroot/new", b"new"), INTO_IMAGE, True),
    "an excluded file": (write("sysroot/new.o", b"new"), set(), False),
    "removed": (lambda project: (project.folder / "sysroot/names/a").unlink(), INTO_IMAGE, True),
    "executable": (chmod("sysroot/zeros", 0o755), INTO_IMAGE, True),
    "readable by others": (chmod("sysroot/zeros", 0o600), set(), False),
    "label": (spec(label="new"), INTO_IMAGE, True),
    "moved": (spec(align="2MiB"), MOVED, False),
    "payload lost": (
        lambda project: (project.folder / "build/.os.img/root.payload").unlink(),
        {"os.img:root:populate"}, True,
    ),
    "payload damaged": (damage, {"os.img:root:populate"}, True),
    "image lost": (
        lambda project: project.image_path.unlink(),
        MOVED - {"os.img:table", "os.img:root:populate"}, False,
    ),
    "the same program, installed again": (
        lambda project: os.utime(project.folder / "bin/mke2fs"), set(), False,
    ),
    "another version of the program": (
        lambda project: wrap(project, version="mke2fs 9.99"), INTO_IMAGE - {"os.img:root:inject",
        "os.img:seal"}, True,
    ),
}


def wrap(project, before="", version=""):
    """Put a mke2fs first in PATH that keeps a list of its runs."""
    known = f"echo '{version}' >&2; exit" if version else f'exec {tool("mke2fs")} -V'
    script = project.write(
        "bin/mke2fs",
        f'#!/bin/sh\nif [ "$1" = -V ]; then {known}; fi\n'
        f'{{ env; echo; }} >>"{project.folder}/calls"\n{before}\nexec {tool("mke2fs")} "$@"\n',
    )
    script.chmod(0o755)
    project.env["PATH"] = f"{project.folder}/bin:{os.environ['PATH']}"


def calls(project):
    path = project.folder / "calls"
    return path.read_text().count("\n\n") if path.exists() else 0


@pytest.mark.parametrize("name", EDITS)
def test_which_tasks_run_and_whether_the_program_does(tmp_path, name):
    edit, tasks, runs = EDITS[name]
    project = make(tmp_path / "project", version=4)
    wrap(project)
    project.doit()
    assert calls(project) == 1
    edit(project)
    assert project.doit().ran == tasks
    assert calls(project) == 1 + runs
    assert project.sha256() == project.clean_build(tmp_path / "clean")
    assert project.doit().ran == set()


def test_a_changed_byte_writes_its_chunk(tmp_path):
    project = make(tmp_path)
    project.write("sysroot/big", bytes(range(1, 251)) * 40_000)
    project.doit()
    with (tmp_path / "sysroot/big").open("r+b") as file:
        file.seek(5_000_000)
        file.write(b"?")
    assert "1 extent, 64 KiB written" in project.doit().out
    assert contents(project) == expected(project)


def test_the_programs_see_no_environment_but_ours(tmp_path):
    project = make(tmp_path)
    wrap(project)
    project.env |= {"SECRET": "42", "MKE2FS_CONFIG": "/etc/passwd", "LANG": "tr_TR.UTF-8"}
    project.doit()
    seen = (tmp_path / "calls").read_text().split()
    names = {line.split("=")[0] for line in seen} - {"PWD", "OLDPWD", "SHLVL", "_"}  # the shell's
    assert names == {
        "PATH", "HOME", "LC_ALL", "TZ", "E2FSPROGS_FAKE_TIME", "MKE2FS_CONFIG", "SOURCE_DATE_EPOCH",
    }


# What fails --------------------------------------------------------------------------------------

HALF = "printf garbage | dd of=payload bs=1 seek=5000 conv=notrunc status=none"


@pytest.mark.parametrize(
    ("script", "message"),
    [
        (f"{HALF}; echo 'mke2fs: No memory' >&2; exit 1", "mke2fs ended with 1: No memory"),
        (f"{HALF}; kill -9 $$", "mke2fs was killed by signal 9: it does not say why"),
        ('"$REAL" "$@"; echo one more >>payload; exit 0', "debugfs made 25,165,833 bytes"),
        (f"{HALF}; exit 0", "debugfs had an error: Bad magic number in super-block while trying"),
    ],
)
def test_a_program_that_fails_leaves_the_image_alone(tmp_path, script, message):
    project = make(tmp_path / "project")
    project.doit()
    good = project.sha256()
    project.write("kernel.elf", b"another")
    wrap(project, script.replace("$REAL", tool("mke2fs")))
    run_ = project.doit(code=1)
    assert f"os.img: partitions[0].payload: {message}" in run_.said
    assert project.sha256() == good
    assert not list((project.folder / "build/.os.img").glob("*.work"))
    project.env = {}
    assert project.doit().ran >= INTO_IMAGE
    assert project.sha256() == project.clean_build(tmp_path / "clean")


@pytest.mark.parametrize("arguments", [(), ("-n", "2")], ids=str)
def test_a_kill_while_the_program_works(tmp_path, arguments):
    project = make(tmp_path / "project")
    project.doit()
    good = project.sha256()
    project.write("kernel.elf", b"another")
    wrap(project, f"{HALF}; touch {project.folder}/working; sleep 60")
    process = subprocess.Popen(
        [sys.executable, "-m", "doit", *arguments], cwd=project.folder,
        env={**os.environ, **project.env}, start_new_session=True,
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )
    for _ in range(600):
        if (project.folder / "working").exists():
            break
        time.sleep(0.05)
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    assert project.sha256() == good
    (work,) = (project.folder / "build/.os.img").glob("*.work")
    assert (work / "payload").exists(), "the half-made payload"
    project.env = {}
    assert project.doit().ran >= INTO_IMAGE
    assert not work.exists()
    assert project.sha256() == project.clean_build(tmp_path / "clean")


def test_clean_removes_what_a_kill_left(tmp_path):
    project = make(tmp_path)
    project.doit()
    work = tmp_path / "build/.os.img/root.payload.work/tree/closed"
    work.mkdir(parents=True)
    work.chmod(0)
    project.doit("clean", "os.img")
    assert list((tmp_path / "build").iterdir()) == []


def test_a_missing_program_is_one_line_with_its_package(tmp_path):
    project = make(tmp_path)
    sabotage = "import doit_diskimg.host.program as program\nprogram._ALSO = ()\n"
    project.write("dodo.py", sabotage + DODO)
    project.env = {"PATH": str(tmp_path)}
    lines = [line for line in project.doit(code=1).said.splitlines() if "os.img: " in line]
    assert lines == [
        f"os.img: partitions[0].payload: the program {name} is not installed, it has to make the "
        "payload (install it; in Debian it is in the package e2fsprogs)"
        for name in ("mke2fs", "debugfs")
    ]
    project.write("dodo.py", DODO)
    project.env = {}
    project.doit()
    project.write("dodo.py", sabotage + DODO)
    project.env = {"PATH": str(tmp_path)}
    assert project.doit().ran == set(), "what it made is still there"


def test_a_volume_that_is_too_small_says_how_much_there_is(tmp_path):
    project = make(tmp_path)
    project.write("sysroot/huge", os.urandom(22 * MIB))
    said = project.doit(code=1).said
    assert (
        "os.img: partitions[0].files: 23 files and directories with 24 MiB (the largest: huge "
        "22 MiB, deep/er/and/deeper 1.2 MiB, boot/kernel 585.9 KiB) need more blocks, the volume "
        "has 24 MiB (make the partition larger, or leave files out)"
    ) in said
    project.write("sysroot/huge", os.urandom(30 * MIB))
    said = project.doit(code=1).said
    assert "'huge' has 31,457,280 bytes, the whole volume has 25,165,824" in said
    project.write("spec.json", json.dumps({"inodes": 16, "version": 2}))
    (project.folder / "sysroot/huge").unlink()
    assert "need more inodes" in project.doit(code=1).said


def test_thousands_of_files(tmp_path):
    """Every inode is corrected, and e2fsck accepts directories of any length."""
    project = make(tmp_path)
    for number in range(3000):
        project.write(f"sysroot/many/{number:04}", f"{number}")
    project.doit()
    assert contents(project) == expected(project)
    stats = run("debugfs", "-R", "ls -l /many", tmp_path / "volume")
    lines = [line.split() for line in stats.splitlines() if line.strip()]
    assert len(lines) == 3002
    assert {(*line[3:5], line[6]) for line in lines} == {("0", "0", "1-Jan-1980")}


def test_a_bare_volume_and_a_tree_that_another_task_fills(tmp_path):
    project = Project(tmp_path, '''
from pathlib import Path
from doit_diskimg import Disk, Ext, Partition, Tree
disk = Disk("root.ext2", size="2MiB", table=None,
            partitions=[Partition("root", Ext(Tree("sysroot", after="fill"), version=2))])
def task_image():
    return disk.tasks()
def fill():
    Path("sysroot").mkdir(exist_ok=True)
    Path("sysroot/hello").write_text("hello")
def task_fill():
    return {"actions": [fill]}
''', image="root.ext2")
    project.doit("root.ext2")
    assert contents(project, start=0, length=2 * MIB) == {"hello": b"hello", "lost+found": None}


def test_the_rest_of_the_disk(tmp_path):
    project = Project(tmp_path, '''
from doit_diskimg import Disk, Esp, Ext, Gpt, Partition
disk = Disk("build/os.img", size="16MiB", table=Gpt(), partitions=[
    Partition("root", Ext({"hello": b"hello"}), size="rest"), Esp({}, size="4MiB"),
])
def task_image():
    return disk.tasks()
''')
    project.doit()
    end = 16 * MIB - 33 * 512
    assert contents(project, length=end - 5 * MIB) == {"hello": b"hello", "lost+found": None}
    assert project.doit().ran == set()
    project.write("dodo.py", (tmp_path / "dodo.py").read_text().replace("rest", "auto"))
    said = project.doit(code=1).said
    assert "os.img: partitions[0].size: there is none, an ext volume is as large as you" in said
