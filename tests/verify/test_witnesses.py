"""fsck.fat, sgdisk and pyfatfs are asked about what we find right; nobody else's word is needed."""

import os
import stat

import foreign
import pytest

from doit_diskimg import verify
from doit_diskimg.verify import fat


@pytest.fixture
def program(tmp_path, monkeypatch):
    """Put a program of ours in front of the real ones; it notes its arguments."""

    def make(name, text, code):
        folder = tmp_path / "bin"
        folder.mkdir()
        path = folder / name
        note = f'printf "%s " "$@" >> "{tmp_path}/asked"'
        path.write_text(f'#!/bin/sh\n{note}\necho "{text}"\nexit {code}\n')
        path.chmod(path.stat().st_mode | stat.S_IXUSR)
        monkeypatch.setenv("PATH", f"{folder}:{os.environ['PATH']}")
        return tmp_path / "asked"

    return make


def test_a_complaint_of_fsck_is_an_error(tmp_path, program):
    volume = foreign.filled(tmp_path / "v.img", 16)
    asked = program("fsck.fat", "Something is wrong", 1)
    (found,) = verify(volume)
    assert str(found) == "error witness 0x0..0x1: fsck.fat: Something is wrong"
    assert asked.read_text().startswith("-n /proc/self/fd/")
    assert verify(volume, witnesses=False) == []


def test_a_complaint_of_sgdisk_is_an_error(tmp_path, program):
    disk = foreign.sgdisk(tmp_path / "disk.img", *foreign.GPT)
    program("sgdisk", "Problem: x. Identified 1 problems!", 0)
    assert "sgdisk: Problem: x. Identified 1 problems!" in "".join(map(str, verify(disk)))


@pytest.mark.parametrize("code", [2, 126, 139])
def test_a_program_that_fails_has_no_opinion(tmp_path, program, code):
    volume = foreign.filled(tmp_path / "v.img", 16)
    program("fsck.fat", "Segmentation fault", code)
    assert verify(volume) == []


def test_another_listing_of_pyfatfs_is_an_error(tmp_path, monkeypatch):
    volume = foreign.filled(tmp_path / "v.img", 12)
    real = fat.listing
    monkeypatch.setattr(fat, "listing", lambda *a: real(*a) | {"GHOST": (1, [5])})
    (found,) = verify(volume)
    assert found.code == "witness"
    assert "'GHOST'" in found.text


def test_nobody_is_asked_about_a_damaged_volume(tmp_path, program):
    volume = foreign.filled(tmp_path / "v.img", 16)
    asked = program("fsck.fat", "", 0)
    with open(volume, "r+b") as file:
        file.seek(510)
        file.write(b"\0\0")
    assert [one.code for one in verify(volume)] == ["fat-signature"]
    assert not asked.exists()


def test_fsck_reads_the_metadata_only_and_sees_all_of_it(tmp_path):
    """The file in memory that it gets has no contents of files; it must not miss them."""
    from doit_diskimg.verify.image import inspect
    from doit_diskimg.verify.source import Source
    from doit_diskimg.verify.witnesses import _metadata

    volume = foreign.filled(tmp_path / "v.img", 32)
    with Source(volume) as source:
        (checked,) = inspect(source, witnesses=False).volumes
        with _metadata(checked.volume) as handle:
            data = os.pread(handle, 64 << 20, 0)
    assert len(data) == volume.stat().st_size
    assert b"KERNEL  BIN" in data
    assert b"kkkk" not in data
