"""One disk on the real doit: order of tasks, parallel runs, bytes written, what a user reads."""

import os
import subprocess
import sys

import pytest
from project import Project
from tools import tool

MIB = 1 << 20

DODO = '''
from pathlib import Path
from doit_diskimg import Disk, Esp, Fat, File, Gpt, Mbr, Partition, Segment, Tree

disk = Disk("build/os.img", size="%(size)s", table=Gpt(), partitions=[
    Esp({"kernel.elf": %(kernel)s, "etc": Tree("etc")}, size="%(esp)s", label="SYSTEM"),
    Partition("root", File("root.bin"), type="linux-filesystem"),
], segments=[Segment("boot", b"\\xf4" * 440, 0)])

def task_image():
    return disk.tasks()
'''
SMALL = {"size": "40MiB", "esp": "33MiB", "kernel": '"kernel.elf"'}


def make(folder, more="", **changes):
    project = Project(folder, DODO % {**SMALL, **changes} + more)
    project.write("kernel.elf", b"kernel" * 1000)
    project.write("etc/motd", b"hello\n")
    project.write("root.bin", b"r" * 5000)
    return project


@pytest.mark.parametrize(
    "arguments",
    [
        ("-n", "4", "-P", "process"),
        ("-n", "4", "-P", "thread"),
        ("--backend", "sqlite3", "--db-file", "db"),
        ("--backend", "json", "--db-file", "db"),
        ("--check_file_uptodate", "timestamp"),
        ("--check_file_uptodate", "xxh3"),
    ],
    ids=" ".join,
)
def test_every_way_to_call_doit_gives_the_same_bytes(tmp_path, arguments):
    plain = make(tmp_path / "plain")
    plain.doit()
    other = make(tmp_path / "other")
    other.doit("run", *arguments)
    assert other.sha256() == plain.sha256()
    for project in (plain, other):
        project.write("kernel.elf", b"KERNEL" * 2000)
    plain.doit()
    assert other.doit("run", *arguments).ran == {
        "os.img:esp:populate", "os.img:esp:inject", "os.img:seal",
    }
    assert other.sha256() == plain.sha256()
    assert not other.doit("run", *arguments).ran


@pytest.mark.parametrize("method", ["fork", "spawn", "forkserver"])
def test_actions_can_be_pickled_for_every_start_method(tmp_path, method):
    more = f'\nimport multiprocessing\nmultiprocessing.set_start_method("{method}", force=True)\n'
    project = make(tmp_path / "p", more)
    project.doit("-n", "2")
    assert project.sha256() == make(tmp_path / "q").clean_build(tmp_path / "r")


@pytest.mark.parametrize(
    "surroundings",
    [
        {"umask": 0o077},
        {"env": {"TZ": "Asia/Tokyo", "LC_ALL": "tr_TR.UTF-8"}},
        {"folder": "a folder/with ünïcode"},
        {"env": {"PYTHONHASHSEED": "1"}},
    ],
    ids=str,
)
def test_the_bytes_do_not_depend_on_the_surroundings(tmp_path, surroundings):
    plain = make(tmp_path / "plain")
    plain.doit()
    other = make(tmp_path / surroundings.get("folder", "other"))
    other.env = surroundings.get("env", {})
    old = os.umask(surroundings.get("umask", 0o022))
    try:
        other.doit()
    finally:
        os.umask(old)
    assert other.sha256() == plain.sha256()


def test_source_date_epoch_decides_the_time_stamps(tmp_path):
    project = make(tmp_path)
    project.doit()
    plain = project.sha256()
    project.env = {"SOURCE_DATE_EPOCH": "1700000000"}
    assert "os.img:esp:populate" in project.doit().ran
    assert project.sha256() != plain
    volume = f"{project.image_path}@@1M"
    listing = subprocess.run(
        [tool("mdir"), "-i", volume, "::/etc"], capture_output=True, text=True, check=True,
        env={**os.environ, "MTOOLSRC": os.devnull},
    )
    assert "2023-11-14" in listing.stdout
    project.env = {"SOURCE_DATE_EPOCH": "yesterday"}
    assert "os.img: SOURCE_DATE_EPOCH: 'yesterday' is not a number" in project.doit(code=3).said


SPELLINGS = {
    "the same": ('"out/kernel.elf"', '"out/kernel.elf"'),
    "a dot in ours": ('"out/kernel.elf"', '"./out/kernel.elf"'),
    "a dot in theirs": ('"./out/kernel.elf"', '"out/kernel.elf"'),
    "a detour": ('"out/kernel.elf"', '"out/../out//kernel.elf"'),
    "absolute in theirs": ('str(Path("out/kernel.elf").resolve())', '"out/kernel.elf"'),
    "absolute in ours": ('"out/kernel.elf"', 'Path("out/kernel.elf").resolve()'),
    "a Path": ('Path("out/kernel.elf")', 'Path("out") / "kernel.elf"'),
}


@pytest.mark.parametrize("spelling", SPELLINGS)
def test_a_source_that_another_task_makes_is_built_first(tmp_path, spelling):
    target, source = SPELLINGS[spelling]
    # Defined after the image and sorted behind it: only the dependency puts it first.
    more = f"""
def compile():
    Path("out").mkdir(exist_ok=True)
    Path("out/kernel.elf").write_bytes(Path("kernel.c").read_bytes() * 2)

def task_zz_compile():
    return {{"actions": [compile], "targets": [{target}], "file_dep": ["kernel.c"]}}
"""
    project = make(tmp_path, more, kernel=source)
    project.write("kernel.c", b"int main" * 100)
    project.doit("os.img")
    assert project.doit("os.img").skipped >= {"zz_compile", "os.img:esp:populate"}
    project.write("kernel.c", b"int main" * 101)
    run = project.doit("os.img")
    assert run.ran == {
        "zz_compile", "os.img:esp:populate", "os.img:esp:inject", "os.img:seal",
    }
    order = [line[3:] for line in run.out.splitlines() if line.startswith(".  ")]
    assert order[0] == "zz_compile"


def test_only_changed_bytes_are_written(tmp_path):
    """An 8 MiB kernel of the same size, changed, in a 512 MiB image."""
    project = make(tmp_path, size="512MiB", esp="256MiB")
    project.write("kernel.elf", b"\x01" * (8 * MIB))
    first = project.doit()
    assert blocks(project.image_path) < 10 * MIB, "the image is sparse"
    project.write("kernel.elf", b"\x02" * (8 * MIB))
    trace = tmp_path / "trace"
    second = project.doit_under_strace(trace)
    assert "1 extent, 8 MiB written" in second.out
    assert "8 MiB written" in first.out
    assert written_to(trace, project.image_path.name) <= 8 * MIB + 64 * 1024


def blocks(path):
    return path.stat().st_blocks * 512


def written_to(trace, name):
    """Return the bytes that were written to the file of that name, as the kernel saw it."""
    total = 0
    for line in trace.read_text().splitlines():
        if "write" in line and f"/{name}>" in line and "= " in line:
            total += max(int(line.rsplit("= ", 1)[1].split()[0]), 0)
    assert total, "strace saw no write to the image at all"
    return total


def test_two_images_in_one_dodo(tmp_path):
    more = '''
second = Disk("other/os.img", size="4MiB", table=Mbr(), name="second",
              partitions=[Partition("data", File("root.bin"), type=0x83)])

def task_images():
    yield second.tasks()
'''
    project = make(tmp_path, more)
    run = project.doit()
    assert {"second:seal", "os.img:seal"} <= run.ran
    assert not project.doit().ran


def test_a_bare_volume(tmp_path):
    dodo = '''
from doit_diskimg import Disk, Fat, Partition
disk = Disk("floppy.img", size="1440KiB", table=None,
            partitions=[Partition("floppy", Fat({"HELLO.TXT": b"hello"}, label="BOOT"))])
def task_floppy():
    return disk.tasks()
'''
    project = Project(tmp_path, dodo, image="floppy.img")
    run = project.doit()
    assert {task.removeprefix("floppy.img:") for task in run.ran} == {
        "floppy:format", "table", "create", "floppy:populate", "floppy:inject", "seal",
    }
    done = subprocess.run(
        [tool("fsck.fat"), "-n", project.image_path], capture_output=True, text=True, check=False
    )
    assert (done.returncode, len(done.stdout.splitlines())) == (0, 2), done.stdout


def test_clean_removes_the_image_and_its_state(tmp_path):
    project = make(tmp_path)
    project.doit()
    says = project.doit("clean", "-n", "os.img").out
    assert project.image_path.exists(), "a dry run removes nothing"
    assert "build/os.img" in says
    project.doit("clean", "os.img")
    assert list((tmp_path / "build").iterdir()) == []
    assert {path.name for path in tmp_path.iterdir()} >= {"kernel.elf", "etc", "root.bin"}
    project.doit()


INFO = {
    "it has not run yet": (lambda project: None, "esp:populate"),
    "its part of the description changed": (
        lambda project: project.write("dodo.py", project.dodo.replace("SYSTEM", "OTHER")),
        "esp:populate",
    ),
    "the contents of 'kernel.elf' changed": (
        lambda project: project.write("kernel.elf", b"other"), "esp:populate",
    ),
    "the list of files below 'etc' changed": (
        lambda project: project.write("etc/passwd", b"root"), "esp:populate",
    ),
    "'build/os.img' is not as the last build left it": (
        lambda project: project.write("build/os.img", b"guest"), "create",
    ),
    "there is no 'build/os.img'": (lambda project: project.image_path.unlink(), "create"),
    "'build/.os.img/esp.plan' is not what this task wrote there": (
        lambda project: project.write("build/.os.img/esp.plan", b""), "esp:populate",
    ),
}


@pytest.mark.parametrize("reason", INFO)
def test_doit_info_says_in_words_why_a_task_would_run(tmp_path, reason):
    edit, task = INFO[reason]
    project = make(tmp_path)
    if reason != "it has not run yet":
        project.doit()
    edit(project)
    assert reason in project.doit("info", f"os.img:{task}", code=1).out


def test_the_map_of_the_disk_is_shown_when_it_is_new(tmp_path):
    project = make(tmp_path)
    first = project.doit().out
    assert [line.split()[0] for line in first.splitlines() if "0x" in line] == [
        "boot", "protective", "GPT", "GPT", "(gap)", "esp", "root", "(gap)", "backup", "backup",
    ]
    project.write("kernel.elf", b"x")
    assert "0x100000" not in project.doit().out


def test_a_failed_build_leaves_the_finished_image_alone(tmp_path):
    project = make(tmp_path)
    project.doit()
    before = project.sha256()
    # 50 MB do not fit into the volume, and the new label would rewrite its root directory.
    project.write("kernel.elf", b"k" * 50_000_000)
    project.write("dodo.py", project.dodo.replace("SYSTEM", "OTHER"))
    assert "os.img: partitions[0]" in project.doit(code=1).said
    assert project.sha256() == before
    project.write("kernel.elf", b"kernel" * 1000)
    project.write("dodo.py", project.dodo)
    assert "os.img:create" not in project.doit().ran, "the old image still counts"
    assert project.sha256() == before


def test_the_package_needs_no_setuptools(tmp_path):
    """pyfatfs's high level needs pkg_resources, which newer setuptools do not have."""
    project = make(tmp_path, '\nimport sys\nsys.modules["pkg_resources"] = None\n')
    project.doit()
    code = (
        "import sys; sys.modules['pkg_resources'] = None\n"
        "from doit_diskimg.verify.pyfat_reader import listing\n"
        f"print(sorted(listing({str(project.image_path)!r}, {MIB})))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert "kernel.elf" in done.stdout
