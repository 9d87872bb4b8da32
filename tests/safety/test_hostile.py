"""A tree that somebody made to do harm: an error or an image, soon and with little memory.

Hostile images are in tests/verify/test_fuzz.py.
"""

import os
import shutil
import time

import pytest
from project import Project
from tools import run as run_tool

from doit_diskimg import verify_image

SECONDS, MEMORY = 60, 600 << 20
"""What no tree of this file may take; most take a second and 60 MiB."""

DODO = f'''
import resource
resource.setrlimit(resource.RLIMIT_AS, ({MEMORY}, {MEMORY}))
resource.setrlimit(resource.RLIMIT_FSIZE, (1 << 26, 1 << 26))

from doit_diskimg import Disk, Ext, Fat, Gpt, Partition, Tree
disk = Disk("build/os.img", size="40MiB", table=Gpt(), partitions=[
    Partition("p", %s, type="linux-filesystem", size="33MiB"),
])
def task_image():
    return disk.tasks()
'''

PAYLOADS = {"fat": 'Fat({"in": Tree("tree")})', "ext": 'Ext({"in": Tree("tree")})'}


def sparse(tree):
    with open(tree / "huge", "wb") as file:
        file.truncate(1 << 40)


def many_sparse(tree):
    """Each would fit into the volume."""
    for number in range(200):
        with open(tree / f"large{number}", "wb") as file:
            file.truncate(30 << 20)


def deep(tree):
    """Deeper than a path can be long."""
    here = os.getcwd()
    os.chdir(tree)
    try:
        for _ in range(3000):
            os.mkdir("deep")
            os.chdir("deep")
    finally:
        os.chdir(here)


def loop(tree):
    (tree / "self").symlink_to(".")
    (tree / "a").mkdir()
    (tree / "a/up").symlink_to("../..")


def mutual(tree):
    (tree / "a").symlink_to("b")
    (tree / "b").symlink_to("a")


def branching(tree):
    """Thirty folders with two links each to the next one: 2 to the 30th paths."""
    for number in range(30):
        (tree / f"f{number}").mkdir()
        for side in "lr":
            (tree / f"f{number}" / side).symlink_to(f"../f{number + 1}")
    (tree / "f30").mkdir()


def outside(tree):
    (tree / "passwd").symlink_to("/etc/passwd")
    (tree / "up").symlink_to("../../..")


def kinds(tree):
    os.mkfifo(tree / "pipe")
    (tree / "zero").symlink_to("/dev/zero")
    (tree / "memory").symlink_to("/proc/self/mem")


def names(tree):
    for name in (
        b"new\nline", b"\x1b[2J", b"a" * 255, b"\xff\xfe", b"tab\t", b"con", b"back\\slash",
        b"trailing ", b"dots...", b"\xed\xa0\x80", b"C:", "\u202egnp.exe".encode(),
    ):
        with open(os.fsencode(tree) + b"/" + name, "wb") as file:
            file.write(b"x")


def many(tree):
    for number in range(5_000):
        (tree / f"n{number}").touch()


def lying(tree):
    """A file that says 0 bytes and has some, and one that says many and has none."""
    (tree / "status").symlink_to("/proc/self/status")
    (tree / "cpu").symlink_to("/sys/kernel/notes")


TREES = {
    "1 TiB of a hole": (sparse, {"fat": "a file on FAT has at most 4,294,967,295",
                                 "ext": "'in/huge' has 1,099,511,627,776 bytes, the whole volume "
                                        "has 34,603,008"}),
    "200 holes": (many_sparse, {"fat": ""}),
    "deep": (deep, dict.fromkeys(PAYLOADS, "is more than 200 directories deep")),
    "a loop": (loop, dict.fromkeys(PAYLOADS, "is a symbolic link to")),
    "two links": (mutual, {"fat": "", "ext": ""}),
    "branching links": (branching, dict.fromkeys(PAYLOADS, "is one of more than 100 ways")),
    "outside": (outside, {"fat": "link", "ext": "link"}),
    "kinds": (kinds, {"fat": "pipe", "ext": "pipe"}),
    "names": (names, {"fat": "", "ext": None}),
    "lying sizes": (lying, {"fat": "link", "ext": "link"}),
    "many": (many, {"fat": None, "ext": None}),
}
"""What makes the tree, and what is said of it; None if the image can be built."""


@pytest.fixture
def folder(tmp_path):
    yield tmp_path
    # Deeper than what shutil.rmtree and pytest can remove by path.
    run_tool("rm", "-rf", tmp_path / "project")


@pytest.mark.parametrize(
    ("what", "payload"), [(what, payload) for what in TREES for payload in TREES[what][1]]
)
def test_a_tree(folder, what, payload):
    make, messages = TREES[what]
    project = Project(folder / "project", DODO % PAYLOADS[payload])
    (folder / "project/tree").mkdir()
    make(folder / "project/tree")
    began = time.monotonic()
    run = project.doit(code=None)
    assert time.monotonic() - began < SECONDS
    message = messages[payload]
    if message is None:
        assert run.code == 0, run.said
        assert [one for one in verify_image(project.image_path) if one.is_error] == []
    else:
        assert run.code in (1, 3), run.said
        lines = [line for line in run.said.splitlines() if line.startswith("os.img: ")]
        assert lines, run.said
        assert any(message in line for line in lines), run.said
        assert all(line.isprintable() for line in lines)
    assert "MemoryError" not in run.said
    assert shutil.disk_usage(folder).free > 0
    written = [path for path in (folder / "project/build").rglob("*") if path.is_file()]
    assert sum(path.stat().st_blocks * 512 for path in written) < 64 << 20
