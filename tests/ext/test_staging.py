"""What is laid out for a program: exactly what the recipe says, and nothing elsewhere."""

import os
import stat

import pytest

from doit_diskimg import WorldError
from doit_diskimg.host import folder as reached
from doit_diskimg.host import workshop
from doit_diskimg.plan.content import digest_of
from doit_diskimg.plan.recipe import Staged

DATA = b"begin" + bytes(3 << 20) + b"end"


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "source").write_bytes(DATA)
    (tmp_path / "work").mkdir()
    return tmp_path / "work"


def remove(path):
    above = os.open(path.parent, os.O_RDONLY)
    try:
        reached.remove(above, path.name)
    finally:
        os.close(above)


def stage(folder, *staged):
    workshop.stage(str(folder), staged, 1_000_000)


@pytest.mark.parametrize("umask", [0o000, 0o022, 0o077])
def test_modes_times_and_contents(folder, umask):
    source = str(folder.parent / "source")
    before = os.stat(source)
    old = os.umask(umask)
    try:
        stage(
            folder,
            Staged("closed", None, "", 0o500), Staged("closed/file", b"1", "", 0o4755),
            Staged("copy", source, digest_of(DATA), 0o600),
        )
    finally:
        os.umask(old)
    found = {path.relative_to(folder).as_posix(): path.stat() for path in folder.rglob("*")}
    assert {name: stat.S_IMODE(status.st_mode) for name, status in found.items()} == {
        "closed": 0o500, "closed/file": 0o4755, "copy": 0o600,
    }
    assert {status.st_mtime for status in found.values()} == {1_000_000}
    assert (folder / "copy").read_bytes() == DATA
    assert found["copy"].st_blocks * 512 < 2 << 20, "zeros became a hole"
    after = os.stat(source)
    assert (before.st_mode, before.st_mtime_ns, before.st_nlink, before.st_ctime_ns) == (
        after.st_mode, after.st_mtime_ns, after.st_nlink, after.st_ctime_ns,
    )
    remove(folder)
    assert not folder.exists()


def test_a_source_that_changed_since_it_was_planned(folder):
    with pytest.raises(WorldError, match="it changed while the image was built"):
        stage(folder, Staged("copy", str(folder.parent / "source"), digest_of(b"older")))


@pytest.mark.parametrize("path", ["../out", "/tmp/out", "a/../../out", "..", "a//b", "./a", "a/"])
def test_nothing_is_written_elsewhere(folder, path):
    with pytest.raises(ValueError, match="not a path below a folder"):
        stage(folder, Staged(path, b"", ""))
    assert list(folder.parent.rglob("out")) == []


def test_a_link_that_is_in_the_way_is_not_followed(folder):
    (folder / "file").symlink_to(folder.parent / "source")
    with pytest.raises(FileExistsError):
        stage(folder, Staged("file", b"new", ""))
    assert (folder.parent / "source").read_bytes() == DATA


def test_removal_does_not_follow_links(folder):
    outside = folder.parent / "outside"
    outside.mkdir(0o500)
    (folder / "link").symlink_to(outside)
    remove(folder)
    assert stat.S_IMODE(outside.stat().st_mode) == 0o500
