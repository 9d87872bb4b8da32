"""An image of GRUB's: what is not provably ours is neither replaced nor removed."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest
from project import Project

DODO = '''
from doit_diskimg import GrubEfi
grub = GrubEfi("build/grub.efi", modules=["normal"], directory="grub", program="./mkimage")
def task_grub():
    return grub.task()
'''
MKIMAGE = '''#!/bin/sh
[ "$1" = --version ] && echo 1 && exit
while [ "$1" != -o ]; do shift; done
cat "$GRUB/kernel.img" "$GRUB/normal.mod" > "$2"
'''
"""It makes the file of two of GRUB's, and of no configuration."""

MADE = b"kernel and normal"
MESSAGE = "grub: build/grub.efi: it is a file that nothing in the state folder proves to be built"
TARGET = Path("build/grub.efi")


@pytest.fixture
def project(tmp_path, monkeypatch):
    project = Project(tmp_path / "project", DODO, image=str(TARGET))
    folder = project.folder / "grub"
    project.write("grub/kernel.img", b"kernel and ")
    project.write("grub/normal.mod", b"normal")
    project.write("grub/moddep.lst", b"normal:\n")
    project.write("mkimage", MKIMAGE.replace("$GRUB", str(folder)).encode())
    (project.folder / "mkimage").chmod(0o755)
    monkeypatch.chdir(project.folder)
    return project


@pytest.fixture
def made(project):
    project.doit("grub")
    assert TARGET.read_bytes() == MADE
    return project


def theirs(data=b"precious"):
    """Put another file there, with another inode."""
    TARGET.parent.mkdir(exist_ok=True)
    Path("other").write_bytes(data)
    os.replace("other", TARGET)


def test_a_file_that_is_there_is_neither_replaced_nor_removed(project):
    theirs()
    for _ in range(2):
        run = project.doit("grub", code=1)
        assert f"{MESSAGE} here, what is not ours is never replaced (move it away, or " in run.said
    run = project.doit("clean", "grub")
    assert "grub: left 'build/grub.efi': nothing proves that it was built here" in run.said
    assert TARGET.read_bytes() == b"precious"
    assert [path.name for path in TARGET.parent.iterdir()] == ["grub.efi"]


def test_a_file_that_took_the_place_of_ours_is_not_ours(made):
    theirs()
    assert MESSAGE in made.doit("grub", code=1).said
    made.doit("clean", "grub")
    assert TARGET.read_bytes() == b"precious"


def test_what_somebody_wrote_into_ours_is_replaced(made):
    TARGET.write_bytes(b"something else")
    assert made.doit("grub").ran == {"grub"}
    assert TARGET.read_bytes() == MADE
    assert not made.doit("grub").ran


def test_it_is_replaced_when_it_is_made_of_something_else(made):
    made.write("grub/normal.mod", b"more")
    assert made.doit("grub").ran == {"grub"}
    assert TARGET.read_bytes() == b"kernel and more"
    assert not made.doit("grub").ran


def test_clean_removes_ours_and_what_we_know_of_it(made):
    made.doit("clean", "grub")
    assert [*TARGET.parent.iterdir()] == []
    made.doit("grub")
    assert TARGET.read_bytes() == MADE


def test_a_file_with_the_very_bytes_is_as_good_as_ours(project):
    """So is one that an earlier version made, or that a backup brought back."""
    theirs(MADE)
    inode = TARGET.stat().st_ino
    assert project.doit("grub").ran == {"grub"}
    assert (TARGET.stat().st_ino, TARGET.read_bytes()) == (inode, MADE)
    assert not project.doit("grub").ran
    project.write("grub/normal.mod", b"more")
    project.doit("grub")
    assert TARGET.read_bytes() == b"kernel and more"


def test_in_a_copy_of_the_project_it_is_ours_too(made, tmp_path, monkeypatch):
    subprocess.run(["cp", "-a", made.folder, tmp_path / "copy"], check=True)
    monkeypatch.chdir(tmp_path / "copy")
    made.folder = tmp_path / "copy"
    made.write("grub/normal.mod", b"more")
    Path("mkimage").write_text(MKIMAGE.replace("$GRUB", str(made.folder / "grub")))
    made.doit("grub")
    assert TARGET.read_bytes() == b"kernel and more"


@pytest.mark.parametrize(
    ("kind", "message"),
    [("folder", "it is not the state folder of an image 'grub.efi': it has no 'owner.json'"),
     ("link", "it is a symbolic link")],
)
def test_a_folder_of_somebody_else_s_in_the_place_of_the_state(project, kind, message):
    Path("precious").mkdir()
    Path("precious/HEAD").write_bytes(b"precious")
    TARGET.parent.mkdir()
    if kind == "folder":
        shutil.move("precious", "build/.grub.efi")
    else:
        os.symlink("../precious", "build/.grub.efi")
    run = project.doit("grub", code=1)
    assert message in run.said
    assert "Traceback" not in run.said
    project.doit("clean", "grub")
    assert Path("build/.grub.efi/HEAD").read_bytes() == b"precious"
    assert len(os.listdir("build/.grub.efi")) == 1
    assert not TARGET.exists()


def test_a_link_is_not_followed(project):
    TARGET.parent.mkdir()
    project.write("precious", b"precious")
    os.symlink("../precious", TARGET)
    assert "it is a symbolic link" in project.doit("grub", code=1).said
    project.doit("clean", "grub")
    assert Path("precious").read_bytes() == b"precious"
    assert TARGET.is_symlink()


def test_a_tree_with_the_file_has_nothing_of_what_we_note(made):
    from doit_diskimg.host.walk import walk
    from doit_diskimg.plan.content import Tree

    Path("build/.theirs").mkdir()
    Path("build/.theirs/owner.json").write_text("{}")
    found = [entry.path for entry in walk(Tree("build"), "files")]
    assert found == [".theirs", ".theirs/owner.json", "grub.efi"]
