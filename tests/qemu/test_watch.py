"""`python -m doit_diskimg watch`: the loop, with a real doit, a real QEMU and real edits."""

import os
import signal
from types import SimpleNamespace

import pytest
from guests import boot_code
from machines import Reader, gone, machines, make, start
from project import Project

from doit_diskimg.host.changes import states
from doit_diskimg.tasks.watch import sources

ROUND = '''
from doit_diskimg import Disk, Esp, File, Gpt, Partition, Qemu, Segment

disk = Disk("build/os.img", size="64MiB", table=Gpt(), partitions=[
    Esp({"kernel.elf": "kernel.elf"}, size="40MiB"),
    Partition("root", File("kernel.elf"), type="linux-filesystem"),
], segments=[Segment("boot", b"\\xf4", 0)])

def task_image():
    return disk.tasks()

def task_boot():
    return Qemu(disk).run_task()
'''

COMPILE = '''
def task_compile():
    return {"actions": ["! grep -q broken boot.src", "cp boot.src boot.bin"],
            "file_dep": ["boot.src"], "targets": ["boot.bin"]}
'''


def watch(project, *args):
    pytest.importorskip("watchfiles", reason="watchfiles is not installed (pip install watchfiles)")
    return Reader(start(project, "-m", "doit_diskimg", "watch", *args))


def test_edit_compile_boot(tmp_path):
    project = make(tmp_path, more=COMPILE)
    (tmp_path / "boot.bin").unlink()
    project.write("boot.src", boot_code("the first\n", "halts"))
    loop = watch(project, "boot")
    loop.until("the first")
    (first,) = machines(tmp_path)

    project.write("boot.src", boot_code("the second\n", "halts"))
    loop.until("the second")
    (second,) = machines(tmp_path)
    assert second != first
    assert "── changed: boot.src" in loop.text

    project.write("boot.src", b"broken")
    loop.until("failed, waiting for a change")
    assert "TaskFailed" in loop.text
    assert not machines(tmp_path)

    project.write("boot.src", boot_code("the third\n", "halts"))
    loop.until("the third")

    project.write("dodo.py", project.dodo + "\nprint('another dodo')\n")
    loop.until("the third", times=2)
    assert "another dodo" in loop.text

    project.write("dodo.py", "def")
    loop.until("SyntaxError")
    loop.until("failed, waiting for a change", times=2)
    project.write("dodo.py", project.dodo)
    loop.until("the third", times=3)

    assert loop.end(signal.SIGINT) == 0
    assert "stopping watch" not in loop.text
    assert gone(tmp_path)
    run = project.doit("os.img")
    assert run.ran == set()  # what the rounds built is remembered


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_nothing_is_left_of_a_loop_that_was_ended(tmp_path, number):
    loop = watch(make(tmp_path), "boot")
    loop.until("hello from here")
    loop.process.send_signal(number)
    assert loop.end() == (0 if number == signal.SIGINT else -number)
    assert gone(tmp_path)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
def test_nothing_is_left_of_a_test_in_a_loop_that_was_ended(tmp_path, number):
    loop = watch(make(tmp_path, test='expect="never"'), "boots")
    loop.until_a_machine_runs(tmp_path)
    loop.process.send_signal(number)
    assert loop.end() == -number
    assert gone(tmp_path)


def test_in_a_worker_of_doits(tmp_path):
    project = make(tmp_path)
    loop = watch(project, "-n", "2", "boot")
    loop.until("hello from here")
    project.write("boot.bin", boot_code("and again\n", "halts"))
    loop.until("and again")
    assert len(machines(tmp_path)) == 1
    loop.end(signal.SIGTERM)
    assert gone(tmp_path)


def test_a_guest_that_ended_starts_again_with_the_next_change(tmp_path):
    project = make(tmp_path, then="writes 0x10", qemu="debug_exit=0x10")
    loop = watch(project, "boot")
    loop.until("hello from here")
    project.write("boot.bin", boot_code("and again\n", "writes 0x10"))
    loop.until("and again")
    loop.end(signal.SIGINT)


def test_a_tree_and_an_imported_module(tmp_path):
    project = Project(tmp_path, '''
from doit_diskimg import Disk, Fat, Partition, Tree
import label
disk = Disk("os.img", size="1440KiB", table=None, partitions=[
    Partition("files", Fat({"etc": Tree("etc")}, label=label.LABEL))])
def task_image(): return disk.tasks()
''', image="os.img")
    project.write("label.py", 'LABEL = "ONE"\n')
    project.write("etc/deep/file", "1")
    loop = watch(project)
    loop.until("os.img:seal")
    for number, (path, text) in enumerate(
        [("etc/deep/new", "2"), ("etc/new/file", "3"), ("label.py", 'LABEL = "SECOND"\n')], 2
    ):
        project.write(path, text)
        loop.until("os.img:seal", times=number)
    loop.until(".  os.img:files:populate", times=4)
    loop.end(signal.SIGINT)


def test_a_module_that_could_not_be_imported(tmp_path):
    project = make(tmp_path, more="import helper\nprint(helper.WORD)\n")
    project.write("helper.py", "WORD = (\n")
    loop = watch(project, "os.img")
    loop.until("was never closed")
    loop.until("watching")
    project.write("helper.py", 'WORD = "mended"\n')
    loop.until("mended")
    loop.until("os.img:seal")
    loop.end(signal.SIGINT)


def test_without_watchfiles(tmp_path):
    project = Project(tmp_path, "")
    project.write("watchfiles.py", "raise ImportError")
    loop = Reader(start(project, "-m", "doit_diskimg", "watch"))
    assert loop.end() == 3
    assert loop.text == (
        "watch: the package watchfiles is not installed, must be there to notice changes "
        "(pip install 'doit_diskimg[watch]')\n"
    )


def test_an_unknown_command(tmp_path):
    loop = Reader(start(Project(tmp_path, ""), "-m", "doit_diskimg", "wach"))
    assert loop.end() == 2
    assert loop.text.startswith("doit_diskimg: 'wach' is not a command, must be one of: ")


def task(name, file_dep=(), targets=(), task_dep=(), **more):
    rest = {"watch": (), "setup_tasks": (), "calc_dep": (), "wild_dep": (), **more}
    return SimpleNamespace(
        name=name, file_dep=file_dep, targets=targets, task_dep=task_dep, **rest
    )


TASKS = [
    task("compile", ["a.c", "./a.h"], ["a.o"]),
    task("link", [os.path.abspath("a.o"), "link.ld"], ["kernel"]),
    task("image", ["kernel"], ["os.img"], watch=["sysroot"]),
    task("boot", task_dep=["image"]),
    task("docs", ["README"], ["index.html"]),
    task("all", wild_dep=["l*"], setup_tasks=["docs"]),
]


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ([], "a.c a.h link.ld sysroot README"),
        (["boot"], "a.c a.h link.ld sysroot"),
        (["boot", "--gdb"], "a.c a.h link.ld sysroot"),
        (["link"], "a.c a.h link.ld"),
        (["kernel"], "a.c a.h link.ld"),  # a target
        (["d*"], "README"),
        (["all"], "a.c a.h link.ld README"),
    ],
)
def test_sources(words, expected):
    assert sources(TASKS, words) == {os.path.abspath(path) for path in expected.split()}


def test_a_round_imports_nothing_of_ours(tmp_path):
    project = Project(tmp_path, ROUND)
    project.write("kernel.elf", b"kernel" * 1000)
    project.doit()
    code = (
        "import sys\nfrom doit_diskimg.tasks import watch\nwatch._warm_up()\n"
        "known = set(sys.modules)\nfrom doit.doit_cmd import DoitMain\n"
        "assert DoitMain().run(['run']) == 0\n"
        "print(*(name for name in set(sys.modules) - known if name.startswith('doit_diskimg')))"
    )
    for edit in (b"KERNEL" * 1000, b"another kernel" * 1000):
        project.write("kernel.elf", edit)
        done = start(project, "-c", code)
        out, _ = done.communicate(timeout=60)
        assert b"esp:populate" in out
        assert out.splitlines()[-1] == b"", out


def test_what_changes_while_dodo_is_read_starts_another_round(tmp_path):
    slow = "import time, pathlib\npathlib.Path('reading').touch()\ntime.sleep(1)\n"
    project = make(tmp_path, more=slow)
    loop = watch(project, "os.img")
    while not (tmp_path / "reading").exists():
        loop.more()
    project.write("dodo.py", project.dodo + "\nprint('the edit')\n")
    loop.until("the edit")
    loop.end(signal.SIGTERM)


def test_that_changes_can_not_be_waited_for_is_said_once(tmp_path):
    project = make(tmp_path / "project")
    (tmp_path / "watchfiles.py").write_text(
        "def watch(*arguments, **options):\n    raise OSError(28, 'inotify watch limit reached')\n"
    )
    root = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
    project.env["PYTHONPATH"] = os.pathsep.join([str(tmp_path), root])
    loop = Reader(start(project, "-m", "doit_diskimg", "watch", "os.img"))
    assert loop.end() == 1
    assert loop.text.count("changes can't be waited for") == 1
    assert "inotify watch limit reached" in loop.text


def test_links_to_their_own_folder_have_an_end(tmp_path):
    for name in ("a", "b"):
        (tmp_path / name).symlink_to(".")
    before = states([str(tmp_path)])
    (tmp_path / "b").unlink()
    assert states([str(tmp_path)]) != before
