"""``python -m doit_diskimg build``: what it reads, builds, says, and writes for Make and Ninja."""

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest
from tools import tool

from doit_diskimg.verify.judge import verify_image

DODO = '''
from doit_diskimg import Disk, Esp, Fat, Gpt, Partition, Tree

disk = Disk("build/os.img", size="16MiB", table=Gpt(), partitions=[
    Esp({"kernel": "kernel.elf", "m": Tree("modules")}, size="8MiB"),
])

def task_image():
    return disk.tasks()
'''
NO_DOIT = '''
import runpy, sys

class NoDoit:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] == "doit":
            raise ModuleNotFoundError(name)

sys.meta_path.insert(0, NoDoit())
sys.argv[0] = "doit_diskimg"
runpy.run_module("doit_diskimg", run_name="__main__", alter_sys=False)
'''


class Bench:
    """A project in a folder, built by the command as another process."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.write("dodo.py", DODO)
        self.write("kernel.elf", "kernel")
        self.write("modules/a.ko", "a")

    def write(self, path: str, text: str) -> None:
        file = self.folder / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)

    def call(self, *arguments: str, code: int = 0, cwd: Path | None = None) -> str:
        argv = [sys.executable, "-c", NO_DOIT, *arguments]
        done = subprocess.run(
            argv, cwd=cwd or self.folder, capture_output=True, text=True, check=False,
        )
        assert done.returncode == code, done.stdout + done.stderr
        return done.stdout + done.stderr

    def build(self, *arguments: str, code: int = 0) -> str:
        return self.call("build", "dodo.py", *arguments, code=code)

    @property
    def image(self) -> bytes:
        return (self.folder / "build/os.img").read_bytes()


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    return Bench(tmp_path / "project")


def test_it_builds_without_doit_and_says_what_each_step_did(bench):
    said = bench.build()
    assert "os.img:esp:populate" in said
    assert "written" in said
    assert not [one for one in verify_image(bench.folder / "build/os.img") if one.is_error]
    assert bench.build() == "os.img: up to date\n"
    before = bench.image
    bench.write("kernel.elf", "another kernel")
    said = bench.build()
    assert "os.img:esp:inject" in said
    assert "os.img:table" not in said
    assert bench.image != before


def test_the_file_may_be_anywhere(bench, tmp_path):
    bench.write("names.py", 'IMAGE = "build/os.img"')
    bench.write("dodo.py", "from names import IMAGE\n" + DODO.replace('"build/os.img"', "IMAGE"))
    bench.call("build", "project/dodo.py", "--depfile", "os.d", cwd=tmp_path)
    assert bench.image
    text = (tmp_path / "os.d").read_text()
    assert text.startswith("project/build/os.img: \\\n  project/dodo.py \\\n")
    assert "  project/modules/a.ko" in text
    assert "\nproject/kernel.elf:\n" in text


TWO = DODO + '''
more = {"b": [Disk("b.img", size="1MiB", table=None, partitions=[
    Partition("a", Fat({"os.img": "c.img"}))]),
    Disk("c.img", size="1MiB", table=None, partitions=[Partition("a", Fat({}))])]}
again = disk
'''


def test_all_disks_or_those_that_are_named(bench):
    bench.write("dodo.py", TWO.replace('"1MiB", table=None, partitions=[\n', '"4MiB", table=None, '
                                       "partitions=[\n"))
    said = bench.build()
    titles = [line.partition(":")[0] for line in said.splitlines() if line.endswith(":seal")]
    assert titles == ["os.img", "c.img", "b.img"]  # what one is made of comes first
    assert bench.build("c.img", "build/os.img") == "os.img: up to date\nc.img: up to date\n"
    said = bench.build("d.img", code=2)
    assert said == (
        "build: dodo.py: 'd.img' is not a disk, must be one of: 'os.img', 'b.img', 'c.img'\n"
    )


def test_a_mistake_is_a_line_and_no_traceback(bench):
    os.unlink(bench.folder / "kernel.elf")
    said = bench.build(code=1)
    assert "'kernel.elf' does not exist" in said
    assert "Traceback" not in said
    bench.write("dodo.py", DODO.replace("16MiB", "16MB"))
    said = bench.build(code=1)
    assert said.startswith("os.img: size: ")
    assert len(said.splitlines()) == 1


def test_a_fault_in_the_file_shows_where_and_nothing_of_ours(bench):
    bench.write("dodo.py", "import os\n\ndef f():\n    return {}['here']\n\nf()\n")
    said = bench.build(code=1)
    assert said.startswith("Traceback (most recent call last):\n")
    assert 'dodo.py", line 6, in <module>' in said
    assert said.endswith("KeyError: 'here'\n")
    assert "build_command" not in said
    bench.write("dodo.py", "def f(:\n")
    assert "SyntaxError" in bench.build(code=1)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("build",), "the following arguments are required: FILE"),
        (("build", "nowhere.py"), "build: there is no file 'nowhere.py'\n"),
        (("build", "empty.py"), "build: empty.py: no variable holds a Disk(...)\n"),
        (("build", "dodo.py", "--target", "x"), "build: --target says what the rules of --depfile"),
        (("biuld",), "'biuld' is not a command, must be one of: build, verify, watch"),
    ],
)
def test_wrong_usage(bench, arguments, message):
    bench.write("empty.py", "")
    assert message in bench.call(*arguments, code=2)


def test_help_lists_it(bench):
    assert "build FILE" in bench.call("--help")
    assert "--depfile" in bench.call("build", "--help")


def test_doit_and_the_command_have_one_history(bench):
    def doit() -> str:
        done = subprocess.run(
            [sys.executable, "-m", "doit"], cwd=bench.folder, capture_output=True, text=True,
            check=True,
        )
        return done.stdout

    bench.build()
    assert ".  os.img:seal" not in doit()
    bench.write("kernel.elf", "another kernel")
    assert ".  os.img:esp:inject" in doit()
    assert bench.build() == "os.img: up to date\n"


# Make and Ninja ----------------------------------------------------------------------------------

MAKEFILE = """
build/os.stamp: dodo.py
\t@echo x >> log
\t{python} -m doit_diskimg build dodo.py --depfile build/os.d --target $@
\t@touch $@
-include build/os.d
"""
NINJA = """
rule diskimg
  command = echo x >> log && {python} -m doit_diskimg build $in --depfile $out.d --target $out $
      && touch $out
  depfile = $out.d
  deps = gcc
build build/os.stamp: diskimg dodo.py
"""


@pytest.mark.parametrize("program", ["make", "ninja"])
def test_make_and_ninja_build_what_changed_and_nothing_else(bench, program):
    bench.write("dodo.py", DODO.replace("kernel.elf", "kernel $1.elf"))
    bench.write("kernel $1.elf", "kernel")
    bench.write("Makefile", MAKEFILE.format(python=sys.executable))
    bench.write("build.ninja", NINJA.format(python=sys.executable))
    bench.write("build/keep", "")

    def runs() -> int:
        bench.write("log", "")
        subprocess.run([tool(program)], cwd=bench.folder, check=True, capture_output=True)
        return len((bench.folder / "log").read_text().splitlines())

    assert runs() == 1
    assert runs() == 0
    time.sleep(0.01)
    for path, text in (("kernel $1.elf", "another"), ("modules/a.ko", "b"), ("modules/b.ko", "c")):
        before = bench.image
        bench.write(path, text)
        assert runs() == 1
        assert bench.image != before
        assert runs() == 0
    os.unlink(bench.folder / "modules/a.ko")
    assert runs() == 1
    assert runs() == 0
    (bench.folder / "kernel $1.elf").touch()  # not another file, though a newer one
    assert runs() == 1
    assert runs() == 0
