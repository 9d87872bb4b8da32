"""What was touched, and which tasks ran: on the chain, and some rows on the real doit.

After each row the image equals a build from nothing in another folder, and one more build has
nothing to do.
"""

import json
import os
import shutil

import pytest
from project import Project

DODO = '''
import json
from pathlib import Path

import doit_diskimg.plan.content

spec = json.loads(Path("spec.json").read_text())
doit_diskimg.plan.content.FORMAT = spec["format"]  # a later version of the package has another

from doit_diskimg import Disk, Esp, File, Gpt, Partition, Segment, Tree

disk = Disk(
    "build/os.img",
    size=spec["size"],
    table=Gpt(),
    partitions=[
        Esp({
            "EFI/BOOT/BOOTX64.EFI": "boot.efi",
            "kernel.elf": "kernel.elf",
            "modules": Tree("modules", exclude=["*.o"]),
            "boot.cfg": spec["config"].encode(),
        }, size=spec["esp"], label=spec["label"]),
        Partition("root", File("root.ext2"), type="linux-filesystem"),
    ],
    segments=[Segment(name, source, start) for name, source, start in spec["segments"]],
)

def task_image():
    return disk.tasks()
'''

SPEC = {
    "size": "32MiB", "esp": "4MiB", "label": "SYSTEM", "config": "timeout=0\n", "format": 1,
    "segments": [["boot", "boot.bin", 0], ["stage2", "stage2.bin", "32KiB"]],
}


@pytest.fixture
def project(tmp_path):
    project = Project(tmp_path / "project", DODO)
    project.write("spec.json", json.dumps(SPEC))
    project.write("boot.efi", b"MZ" * 3000)
    project.write("kernel.elf", bytes(range(256)) * 1000)
    project.write("modules/net.ko", b"n" * 5000)
    project.write("modules/disk/ahci.ko", b"a" * 9000)
    project.write("modules/disk/ahci.o", b"o" * 9000)
    project.write("root.ext2", b"r" * 100_000)
    project.write("boot.bin", b"\xf4" * 440)
    project.write("stage2.bin", b"\x90" * 5000)
    return project


def spec(**changes):
    return lambda project: project.write("spec.json", json.dumps({**SPEC, **changes}))


def segments(*rows):
    return spec(segments=rows)


def write(path, data):
    return lambda project: project.write(path, data)


def later_version(project):
    project.fresh = True


def remove(path):
    return lambda project: (project.folder / path).unlink()


def touch(path):
    return lambda project: os.utime(project.folder / path, (1_700_000_000, 1_700_000_000))


def both(first, second):
    def edit(project):
        first(project)
        second(project)

    return edit


def same_stamp(path, data):
    """Other contents of the same length under the old time stamp: only ctime tells."""

    def edit(project):
        before = (project.folder / path).stat()
        project.write(path, data)
        os.utime(project.folder / path, ns=(before.st_atime_ns, before.st_mtime_ns))

    return edit


def poke(project):
    with project.image_path.open("r+b") as image:
        image.seek(20 << 20)
        image.write(b"edited by hand")


def rmtree(path):
    return lambda project: shutil.rmtree(project.folder / path)


def forget(project):
    for file in project.folder.glob(".doit.db*"):
        file.unlink()


ESP = "esp:populate esp:inject seal"
INJECTS = "esp:inject root:inject boot:inject stage2:inject table:inject seal"
REBUILD = f"create {INJECTS}"
RELAYOUT = f"table {REBUILD}"
ALL = f"esp:format esp:populate {RELAYOUT}"

TABLE = {
    "nothing": (lambda project: None, ""),
    "kernel touched": (touch("kernel.elf"), ""),
    "kernel written again, the same": (write("kernel.elf", bytes(range(256)) * 1000), ""),
    "kernel changed": (write("kernel.elf", bytes(range(255, -1, -1)) * 1000), ESP),
    "kernel grown": (write("kernel.elf", b"k" * 700_000), ESP),
    "kernel changed under its old time stamp": (same_stamp("kernel.elf", b"x" * 256_000), ESP),
    "file changed in the tree": (write("modules/net.ko", b"N" * 5000), ESP),
    "file added to the tree": (write("modules/usb.ko", b"u" * 100), ESP),
    "folder added to the tree": (lambda p: (p.folder / "modules/empty").mkdir(), ESP),
    "excluded file added": (write("modules/usb.o", b"u" * 100), ""),
    "file removed from the tree": (remove("modules/disk/ahci.ko"), ESP),
    "inline bytes": (spec(config="timeout=5\n"), ESP),
    "label": (spec(label="OTHER"), ESP),
    "root file system changed": (write("root.ext2", b"R" * 100_000), "root:inject seal"),
    "root file system grown": (write("root.ext2", b"R" * 200_000), RELAYOUT),
    "boot code": (write("boot.bin", b"\xfa" * 440), "boot:inject seal"),
    "stage 2 grown": (write("stage2.bin", b"\x90" * 6000),
                      "table stage2:inject seal"),
    "stage 2 moved": (
        segments(["boot", "boot.bin", 0], ["stage2", "stage2.bin", "48KiB"]), RELAYOUT,
    ),
    "segments swapped": (
        segments(["boot", "boot.bin", "32KiB"], ["stage2", "boot.bin", 0]), RELAYOUT,
    ),
    "segment renamed and shorter": (
        segments(["boot", "boot.bin", 0], ["other", "boot.bin", "32KiB"]),
        RELAYOUT.replace("stage2", "other"),
    ),
    "segment removed": (segments(["boot", "boot.bin", 0]), RELAYOUT.replace("stage2:inject", "")),
    "partition size": (spec(esp="5MiB"), ALL),
    "disk size": (spec(size="33MiB"), RELAYOUT),
    "image edited by hand": (poke, REBUILD),
    "image deleted": (remove("build/os.img"), REBUILD),
    "a receipt deleted": (remove("build/.os.img/esp.injected"), REBUILD),
    "a receipt damaged": (write("build/.os.img/esp.injected", b"{}"), REBUILD),
    "a receipt deleted and its file shrunk": (
        both(remove("build/.os.img/boot.injected"), write("boot.bin", b"\xfa" * 9)),
        f"table {REBUILD}",
    ),
    "the seal deleted": (remove("build/.os.img/seal.json"), REBUILD),
    "a plan deleted": (remove("build/.os.img/esp.plan"), "esp:populate"),
    "a plan damaged": (write("build/.os.img/esp.plan", b"{}"), "esp:populate"),
    "state folder and image deleted": (
        both(rmtree("build/.os.img"), remove("build/os.img")), ALL,
    ),
    "doit's database deleted": (forget, ""),  # the facts lie in the state folder
    "our format": (both(later_version, spec(format=2)), ALL),
}


ON_DOIT_ALONE = ["our format"]
"""It needs a new process, whose dodo.py changes the package."""

ON_DOIT = [
    "nothing", "kernel touched", "kernel changed", "kernel changed under its old time stamp",
    "file added to the tree", "excluded file added", "segments swapped", "partition size",
    "image edited by hand", "a receipt deleted and its file shrunk",
    "state folder and image deleted", "doit's database deleted",
]
"""With each of the checkers: a step of the chain decides, and doit must not decide otherwise."""


@pytest.mark.parametrize("row", [row for row in TABLE if row not in ON_DOIT_ALONE])
def test_what_runs(project, row, tmp_path):
    project.by = "chain"
    must_run(project, row, tmp_path)


@pytest.mark.parametrize("checker", ["md5", "xxh3"])
@pytest.mark.parametrize("row", [*ON_DOIT, *ON_DOIT_ALONE])
def test_what_doit_runs(project, row, checker, tmp_path):
    if checker == "xxh3":
        project.dodo += '\nDOIT_CONFIG = {"check_file_uptodate": "xxh3"}\n'
        project.write("dodo.py", project.dodo)
    must_run(project, row, tmp_path)


def must_run(project, row, tmp_path):
    edit, expected = TABLE[row]
    first = project.build()
    assert names(first.ran) == set(ALL.split())
    edit(project)
    assert names(project.build().ran) == set(expected.split())
    assert project.sha256() == project.clean_build(tmp_path / "clean")
    assert not project.build().ran


def names(tasks):
    return {task.removeprefix("os.img:") for task in tasks}
