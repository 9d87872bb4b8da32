"""Images of GRUB's, made by doit: when grub-mkimage runs, what it is told, what it says."""

import hashlib
import shutil
import subprocess
from pathlib import Path

import pytest
from project import Project
from tools import tool

from doit_diskimg.kinds.bootloaders.grub_image import GrubImage, dependencies

DODO = """
from doit_diskimg import GrubEfi

grub = GrubEfi("build/grub.efi", {0})

def task_grub():
    return grub.task()

def task_config():
    return {{"actions": ["cp menu early.cfg"], "file_dep": ["menu"], "targets": ["early.cfg"]}}
"""
MODULES = ("part_gpt", "fat", "normal")
USUAL = f'modules={list(MODULES)}, prefix="/boot/grub"'


@pytest.fixture
def grub() -> Path:
    """Return the folder with GRUB's files for UEFI."""
    tool("grub-mkimage")
    folder = Path("/usr/lib/grub/x86_64-efi")
    if not (folder / "kernel.img").exists():
        tool("grub-efi-amd64-bin")  # says so
    return folder


def make(folder: Path, more: str = USUAL) -> Project:
    project = Project(folder, DODO.format(more), image="build/grub.efi")
    project.write("menu", "echo one\n")
    return project


def by_hand(folder: Path, grub: Path, *arguments: str, modules: tuple[str, ...] = MODULES) -> bytes:
    """Return the image that grub-mkimage makes without us."""
    file = folder / "by-hand.efi"
    argv = [tool("grub-mkimage"), "-O", "x86_64-efi", "-d", str(grub), "-p", "/boot/grub"]
    subprocess.run([*argv, *arguments, "-o", str(file), *modules], check=True, cwd=folder)
    return file.read_bytes()


def test_it_is_what_grub_mkimage_makes_by_hand(tmp_path, grub):
    project = make(tmp_path / "project")
    assert project.doit("grub").ran == {"grub"}
    assert project.image_path.read_bytes() == by_hand(tmp_path, grub)
    there = {path.name for path in project.image_path.parent.iterdir()}
    assert there == {"grub.efi", ".grub.efi"}


def test_the_config_is_in_it_whether_a_file_or_bytes(tmp_path, grub):
    project = make(tmp_path / "project", f'{USUAL}, config="early.cfg"')
    assert project.doit("grub").ran == {"config", "grub"}
    wanted = by_hand(project.folder, grub, "-c", "early.cfg")
    assert wanted != by_hand(project.folder, grub)
    assert project.image_path.read_bytes() == wanted
    project = make(tmp_path / "other", f'{USUAL}, config=b"echo one\\n"')
    project.doit("grub")
    assert project.image_path.read_bytes() == wanted


def test_it_is_made_again_when_something_changed_and_only_then(tmp_path, grub):
    own = tmp_path / "grub"
    shutil.copytree(grub, own)
    more = f'{USUAL}, config="early.cfg", directory={str(own)!r}'
    project = make(tmp_path / "project", more)
    project.doit("grub")

    assert not project.doit("grub").ran
    (own / "fat.mod").touch()  # not another file, though a newer one
    assert not project.doit("grub").ran
    (own / "ntfs.mod").write_bytes(b"not in the image")
    assert not project.doit("grub").ran

    # What fshelp.mod is, nobody named: fat.mod needs it.
    shutil.copy(own / "iso9660.mod", own / "fshelp.mod")
    assert "fshelp.mod changed" in project.doit("info", "grub", code=None).out
    assert project.doit("grub").ran == {"grub"}

    before = project.image_path.read_bytes()
    project.write("menu", "echo two\n")
    assert project.doit("grub").ran == {"config", "grub"}
    assert project.image_path.read_bytes() != before

    project.write("dodo.py", DODO.format(more.replace("/boot/grub", "/grub")))
    assert project.doit("grub").ran == {"grub"}
    project.image_path.write_bytes(b"something else")
    assert project.doit("grub").ran == {"grub"}
    assert project.doit("-n", "2", "grub").skipped == {"config", "grub"}


def test_what_was_made_stays_when_grub_is_gone(tmp_path, grub):
    own = tmp_path / "grub"
    shutil.copytree(grub, own)
    project = make(tmp_path / "project", f"{USUAL}, directory={str(own)!r}")
    project.doit("grub")
    shutil.rmtree(own)
    assert not project.doit("grub").ran


def test_another_grub_mkimage_makes_it_again(tmp_path, grub):
    program = tmp_path / "bin" / "grub-mkimage"
    program.parent.mkdir()
    wrapper = '#!/bin/sh\n[ "$1" = --version ] && echo {0} && exit\nexec {1} "$@"\n'
    project = make(tmp_path / "project")
    project.env["PATH"] = f"{program.parent}:/usr/bin:/bin"
    for version in ("2.06", "2.12"):
        program.write_text(wrapper.format(version, tool("grub-mkimage")))
        program.chmod(0o755)
        assert project.doit("grub").ran == {"grub"}
        assert not project.doit("grub").ran


def test_workers_store_what_it_was_made_of(tmp_path, grub):
    for options in (("-n", "2"), ("-n", "2", "-P", "thread")):
        project = make(tmp_path / options[-1])
        assert project.doit(*options, "grub").ran == {"grub"}
        assert not project.doit(*options, "grub").ran


def test_it_stands_where_a_file_may_and_is_built_first(tmp_path, grub):
    dodo = DODO.replace("import GrubEfi", "import Disk, Esp, Gpt, GrubEfi").format(USUAL) + """
disk = Disk("build/os.img", size="auto", table=Gpt(),
            partitions=[Esp({"EFI/BOOT/BOOTX64.EFI": grub})])

def task_image():
    return disk.tasks()
"""
    project = Project(tmp_path, dodo)
    project.doit("os.img")
    data = subprocess.run(
        [tool("mtype"), "-i", f"{project.image_path}@@1M", "::EFI/BOOT/BOOTX64.EFI"],
        check=True, capture_output=True,
    ).stdout
    assert data == by_hand(tmp_path, grub)
    assert not project.doit("os.img").ran
    before = hashlib.sha256(project.image_path.read_bytes()).digest()
    assert project.doit("os.img:verify").ran
    assert hashlib.sha256(project.image_path.read_bytes()).digest() == before


NO_LIST = "has something else in it, must be a list of names of modules"


@pytest.mark.parametrize(
    ("more", "message"),
    [
        (f"{USUAL}, format='x64-efi'", "grub: format: 'x64-efi' is unknown, must be 'i386-pc' or "
         "'i386-pc-eltorito' or 'x86_64-efi' or 'i386-efi' or 'arm64-efi' (choose one)"),
        ("modules='normal'", f"grub: modules: 'normal' {NO_LIST} (write for example [\"normal\"])"),
        ("modules=['-v']", f"grub: modules: ['-v'] {NO_LIST} (write for example [\"normal\"])"),
        ("prefix=''", "grub: prefix: '' is not a path of GRUB's, must be where it finds grub.cfg "
         '(write for example "(,gpt2)/boot/grub")'),
        ("config='echo\\n'", "grub: config: 'echo\\n' is not a path, text names a file, bytes are "
         'the commands themselves (write b"...")'),
        ("config=3", "grub: config: 3 is not a source, must be the path of a file, or bytes (write "
         'b"..." for commands)'),
    ],
)
def test_a_description_that_cannot_be_is_refused_before_anything_runs(tmp_path, more, message):
    run = make(tmp_path, more).doit("grub", code=3)
    assert message in run.said


@pytest.mark.parametrize(
    ("more", "message"),
    [
        ("modules=['norml']", "grub: modules: GRUB has no 'norml' for x86_64-efi, must be modules "
         "in '/usr/lib/grub/x86_64-efi' (write 'normal')"),
        ("directory='nowhere'", "grub: build/grub.efi: there is no 'nowhere', GRUB's files for "
         "x86_64-efi must be there (install them (Debian package grub-efi-amd64-bin), or write "
         "directory=...)"),
        ("program='nosuch-mkimage'", "grub: build/grub.efi: the program nosuch-mkimage is not "
         "installed, it has to make an image of GRUB's (install it; in Debian it is in the package "
         "grub-common)"),
    ],
)
def test_what_is_missing_is_said_in_one_line(tmp_path, grub, more, message):
    run = make(tmp_path, more).doit("grub", code=1)
    assert message in run.said.splitlines()


def test_its_own_words_when_it_fails(tmp_path, grub):
    own = tmp_path / "grub"
    shutil.copytree(grub, own)
    (own / "kernel.img").write_bytes(b"no kernel")
    run = make(tmp_path / "project", f"{USUAL}, directory={str(own)!r}").doit("grub", code=1)
    assert "grub: build/grub.efi: grub-mkimage ended with 1: " in run.said
    assert not list((tmp_path / "project").glob("build/*"))


def test_the_ingredients_are_the_modules_and_what_they_need():
    depends = dependencies("fat: fshelp\nnormal: boot gettext\ngettext:\n")
    image = GrubImage("x", format="i386-pc", modules=["normal", "fat", "own"])
    assert image.ingredients(depends) == [
        "boot.img", "diskboot.img", "kernel.img", "lzma_decompress.img", "moddep.lst", "boot.mod",
        "fat.mod", "fshelp.mod", "gettext.mod", "normal.mod", "own.mod",
    ]  # fmt: skip
