"""Engines on the real doit: what runs after which edit, what is written; the cross-check."""

import json
import os

import pytest
from project import Project
from tools import run, tool

MIB = 1 << 20
DODO = '''
import json
from pathlib import Path
from doit_diskimg import Disk, Esp, Gpt, Tree

spec = json.loads(Path("spec.json").read_text())
disk = Disk("build/os.img", size="40MiB", table=Gpt(), align=spec.pop("align", "1MiB"), partitions=[
    Esp({
        "EFI/BOOT/BOOTX64.EFI": "boot.efi", "kernel.elf": "kernel.elf", "modules": Tree("modules"),
        "boot.cfg": b"timeout=0",
    }, size="34MiB", label="SYSTEM", **spec),
])

def task_image():
    return disk.tasks()
'''
INTO_IMAGE = {"os.img:esp:populate", "os.img:esp:inject", "os.img:seal"}


@pytest.fixture(params=["mtools", "pyfatfs"])
def project(request, tmp_path):
    if request.param == "mtools":
        tool("mkfs.fat"), tool("mcopy")
    project = Project(tmp_path / "project", DODO)
    project.write("spec.json", json.dumps({"engine": request.param}))
    project.write("boot.efi", b"MZ" * 100_000)
    project.write("kernel.elf", os.urandom(700_000))
    for number in range(20):
        project.write(f"modules/{number}.ko", bytes([number + 1]) * 3000)
    return project


def written(said):
    """Return the bytes that the ESP's injection wrote, as it says them."""
    line = said.out.split(".  os.img:esp:inject\n")[1].splitlines()[0]
    amount, unit = line.split(", ")[1].removesuffix(" written").split()
    return float(amount) * {"B": 1, "KiB": 1 << 10, "MiB": 1 << 20}[unit]


def test_an_edit_writes_the_chunks_that_differ(project, tmp_path):
    first = project.doit()
    assert first.ran >= INTO_IMAGE
    assert written(first) < 2 * MIB  # of 34: what is zero is not written
    assert project.doit().ran == set()
    assert project.sha256() == project.clean_build(tmp_path / "one")

    kernel = bytearray((project.folder / "kernel.elf").read_bytes())
    kernel[300_000] ^= 0xFF
    project.write("kernel.elf", bytes(kernel))
    edit = project.doit()
    assert edit.ran == INTO_IMAGE
    assert written(edit) <= 3 << 16
    assert project.sha256() == project.clean_build(tmp_path / "two")

    os.utime(project.folder / "boot.efi")
    assert project.doit().ran == set()
    (project.folder / "modules/7.ko").unlink()
    project.write("modules/new.ko", b"new")
    assert project.doit().ran == INTO_IMAGE
    assert project.sha256() == project.clean_build(tmp_path / "three")


def test_what_makes_the_payload_again(project, tmp_path):
    project.doit()
    made = (project.folder / "build/.os.img/esp.payload").stat().st_ino

    engine = json.loads((project.folder / "spec.json").read_text())["engine"]
    project.write("spec.json", json.dumps({"engine": engine, "align": "2MiB"}))
    project.doit()  # another place, so other hidden sectors
    again = (project.folder / "build/.os.img/esp.payload").stat().st_ino
    assert made != again
    assert project.sha256() == project.clean_build(tmp_path / "moved")

    project.write("build/.os.img/esp.payload", b"somebody else's")
    assert "os.img:esp:populate" in project.doit().ran
    assert project.sha256() == project.clean_build(tmp_path / "healed")

    project.write("spec.json", json.dumps({}))  # native
    assert "os.img:esp:populate" in project.doit().ran
    assert project.sha256() == project.clean_build(tmp_path / "native")


def test_verify_reads_what_an_engine_made(project):
    project.doit()
    assert "no errors" in project.doit("os.img:verify").out


def test_another_version_of_a_program_makes_the_payload_again(project, monkeypatch):
    engine = json.loads((project.folder / "spec.json").read_text())["engine"]
    if engine != "mtools":
        pytest.skip("its version is that of an installed package")
    real = tool("mcopy")
    project.env["PATH"] = f"{project.folder}/bin{os.pathsep}{os.environ['PATH']}"
    for version in ("4.0.99", "5.0"):
        _mcopy(project, real, version)
        assert "os.img:esp:populate" in project.doit().ran
        assert project.doit().ran == set()
    _mcopy(project, real, "6.0")
    said = project.doit("info", "os.img:esp:populate", code=None).out
    assert "the version of mcopy changed" in said


def _mcopy(project, real, version):
    script = f'#!/bin/sh\n[ "$1" = --version ] && echo {version} && exit\nexec {real} "$@"\n'
    project.write("bin/mcopy", script).chmod(0o755)


# The cross-check ---------------------------------------------------------------------------------


def test_a_cross_check(project):
    """Asked for by name only, and again only when the volume is another one."""
    project.env["PATH"] = _without_guestfish(project)
    assert "os.img:esp:crosscheck" not in project.doit().ran
    assert "os.img:esp:crosscheck" not in project.doit("os.img").ran
    image = project.sha256()
    checked = project.doit("os.img:esp:crosscheck")
    assert checked.ran == {"os.img:esp:crosscheck"}
    lines = checked.out.split(".  os.img:esp:crosscheck\n")[1].splitlines()
    assert lines[0].startswith("native: FAT32, 23 files, 3 directories, label 'SYSTEM', volume id ")
    assert lines[1:] == [
        "mtools: the same", "pyfatfs: the same", "guestfish: the program guestfish is not installed"
    ]
    assert project.doit("os.img:esp:crosscheck").ran == set()
    assert project.sha256() == image
    left = {path.name for path in (project.folder / "build/.os.img").iterdir()}
    assert not {name for name in left if name.startswith(("esp.native", "esp.mtools"))}
    project.write("kernel.elf", b"another")
    assert "os.img:esp:crosscheck" in project.doit("os.img:esp:crosscheck").ran


def test_engines_that_differ(project):
    """A mcopy that loses a file, and says that all is well."""
    real = tool("mcopy")
    project.env["PATH"] = f"{project.folder}/bin{os.pathsep}{_without_guestfish(project)}"
    lost = 'case "$*" in *kernel.elf*) [ "$1" = -o ] && shift && exec %s -o -m -Q -i payload '
    lost += "tree/boot.cfg :: ;; esac\n"
    script = f"#!/bin/sh\n{lost % real}exec {real} \"$@\"\n"
    project.write("bin/mcopy", script).chmod(0o755)
    failed = project.doit("os.img:esp:crosscheck", code=1)
    message, last = (
        "os.img: partitions[0].engine='mtools': 'kernel.elf' is missing, every engine makes the "
        "same volume (tell us, with the versions of its programs)", "crosscheck"
    )  # fmt: skip
    if "mtools" in (project.folder / "spec.json").read_text():  # it does not come so far
        message, last = (
            "os.img: partitions[0].engine: read back, 'kernel.elf' is missing, a volume must hold "
            "what is described and nothing else (use another version of the program, or tell us)",
            "populate",
        )
    assert message in failed.said.splitlines()
    assert project.doit("os.img:esp:crosscheck", code=1).ran == {f"os.img:esp:{last}"}


def _without_guestfish(project):
    """Return a PATH on which there is everything but guestfish, which takes its time."""
    folder = project.folder / "programs"
    folder.mkdir(exist_ok=True)
    for name in ("mkfs.fat", "mmd", "mcopy", "mattrib"):
        if not (folder / name).exists():
            (folder / name).symlink_to(tool(name))
    return str(folder)


def test_a_cross_check_says_what_an_engine_can_t_do(tmp_path):
    project = Project(tmp_path, '''
from doit_diskimg import Disk, Fat, Partition
disk = Disk("build/os.img", size="1440KiB", table=None, partitions=[
    Partition("floppy", Fat({"IO.SYS": b"io", "💾.txt": b"x"}, first=["IO.SYS"])),
])
def task_image():
    return disk.tasks()
''')  # fmt: skip
    said = project.doit("os.img:floppy:crosscheck").out
    assert "mtools: engine='mtools' has the label's entry before all others" in said
    assert "pyfatfs: engine='pyfatfs' allocates in path order" in said


def test_what_mtools_reads(project):
    """The judge for a partition in its place: the image itself, at the partition's offset."""
    project.doit()
    listing = run(
        "mdir", "-/", "-b", "-i", f"{project.image_path}@@1M", "::", MTOOLSRC="/dev/null",
        MTOOLS_SKIP_CHECK="",
    )
    assert "::/modules/13.ko" in listing.splitlines()
