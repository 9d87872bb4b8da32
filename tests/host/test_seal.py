"""The seal: any later state of the image is told from the one that was finished."""

import json
import mmap
import os
import shutil
import time
from pathlib import Path

import pytest

from doit_diskimg.errors import WorldError
from doit_diskimg.host.machine import boot_id
from doit_diskimg.host.seal import (
    UNKNOWN,
    WRITTEN,
    break_seal,
    doubt,
    mark,
    note_ours,
    sealed_digest,
    sealed_generation,
    sync,
    write_seal,
    written_by_others,
)
from doit_diskimg.host.state import StateFolder

GENERATION = "ab" * 16
DIGEST = "0123456789abcdef" * 2
SECOND = 1_000_000_000


def seal(image="os.img", digest=DIGEST):
    """Seal an image and return its state folder."""
    state = StateFolder(image)
    write_seal(state, mark(image, digest), GENERATION, digest)
    return state


@pytest.fixture
def sealed(here):
    (here / "os.img").write_bytes(b"0123456789" * 1000)
    return seal()


def overwrite(path, data=b"0"):
    with open(path, "r+b") as file:
        file.write(data)


def append(path):
    with open(path, "ab") as file:
        file.write(b"x")


def rewrite(path):
    Path(path).write_bytes(Path(path).read_bytes())


def map_and_write(path):
    with open(path, "r+b") as file, mmap.mmap(file.fileno(), 0) as view:
        view[0] = ord("9")
        view.flush()


def replace(path):
    """Put an exact copy there, time stamps included."""
    shutil.copy2(path, "copy")
    os.replace("copy", path)


# Untouched ---------------------------------------------------------------------------------------


def test_a_sealed_image_is_known(sealed):
    assert sealed_generation(sealed) == GENERATION
    assert sealed_digest("os.img") == sealed_digest("os.img", os.stat("os.img")) == DIGEST


@pytest.mark.parametrize(
    "act",
    [
        lambda: Path("os.img").read_bytes(),
        lambda: overwrite("os.img", b""),
        lambda: os.chmod("os.img", 0o444),
        lambda: os.link("os.img", "other name"),
        lambda: shutil.copy("os.img", "copy"),
    ],
    ids=["read", "open", "chmod", "link", "copy"],
)
def test_looking_at_an_image_does_not_break_its_seal(sealed, act):
    act()
    assert sealed_generation(sealed) == GENERATION


def test_an_image_may_be_sealed_before_it_is_moved_to_its_place(here):
    (here / "new.img").write_bytes(b"x" * 512)
    state = StateFolder("os.img")
    write_seal(state, mark("new.img", DIGEST), GENERATION, DIGEST)
    assert sealed_generation(state) == ""
    os.replace("new.img", "os.img")
    assert sealed_generation(state) == GENERATION


# Touched -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "change",
    [
        lambda: overwrite("os.img"),
        lambda: overwrite("os.img", b"9"),
        lambda: append("os.img"),
        lambda: rewrite("os.img"),
        lambda: map_and_write("os.img"),
        lambda: os.truncate("os.img", 0),
        lambda: os.truncate("os.img", 20_000),
        lambda: os.utime("os.img"),
        lambda: replace("os.img"),
        lambda: os.unlink("os.img"),
        lambda: (os.unlink("os.img"), os.mkdir("os.img")),
    ],
    ids=[
        "same bytes", "other bytes", "longer", "written anew", "mapped", "emptied", "extended",
        "touched", "copied", "gone", "a directory",
    ],
)  # fmt: skip
def test_whatever_happens_to_an_image_breaks_its_seal(sealed, change):
    change()
    assert sealed_generation(sealed) == sealed_digest("os.img") == ""


def test_a_write_is_noticed_however_soon_it_comes(here):
    (here / "os.img").write_bytes(b"0123456789")
    with open("os.img", "r+b", buffering=0) as guest:
        for _ in range(100):
            state = seal()
            guest.seek(0)
            guest.write(b"0")
            assert sealed_generation(state) == ""


def test_a_write_and_its_undoing_is_noticed(sealed):
    overwrite("os.img", b"9")
    overwrite("os.img", b"0")
    assert sealed_generation(sealed) == ""


# The mark ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("digest", ["0" * 32, "f" * 32, DIGEST])
def test_the_time_stamp_is_past_for_the_coarsest_clock(here, digest):
    """FAT counts time in steps of two seconds; a write of now has to fall into a later one."""
    (here / "os.img").write_bytes(b"x")
    before = time.time_ns()
    identity = mark("os.img", digest)
    stamp = os.stat("os.img").st_mtime_ns
    assert identity["mtime_ns"] == stamp
    assert stamp // (2 * SECOND) < before // (2 * SECOND)
    assert before - stamp < 5 * SECOND
    assert stamp % SECOND == int(digest[:16], 16) % SECOND, "the nanoseconds are the contents'"


def test_other_contents_have_another_time_stamp(here):
    """doit's own checker and make look at the time stamp: it has to move with the contents."""
    (here / "os.img").write_bytes(b"x")
    stamps = {mark("os.img", f"{index:032x}"[::-1])["mtime_ns"] for index in range(16)}
    assert len(stamps) == 16


def test_an_image_that_is_missing_can_not_be_sealed(here):
    with pytest.raises(WorldError, match=r"^os\.img: No such file or directory, the build has to "):
        mark("os.img", DIGEST)


# The file ----------------------------------------------------------------------------------------


def edit(state, **fields):
    path = state.file("seal.json")
    with open(path) as file:
        data = json.load(file)
    with open(path, "w") as file:
        json.dump({**data, **fields}, file)


def test_another_boot_breaks_the_seal(sealed):
    """What was written before a power cut may not be on the disk."""
    edit(sealed, boot=boot_id())
    assert sealed_generation(sealed) == GENERATION
    edit(sealed, boot="12345678-1234-1234-1234-123456789abc")
    assert sealed_generation(sealed) == ""


@pytest.mark.parametrize(
    "fields",
    [{"format": 0}, {"format": "1"}, {"image": None}, {"image": {}}, {"image": []}, {"boot": None}],
    ids=str,
)
def test_a_seal_of_another_kind_is_none(sealed, fields):
    edit(sealed, **fields)
    assert sealed_generation(sealed) == sealed_digest("os.img") == ""


@pytest.mark.parametrize("data", [b"", b"{", b"[]", b"{}", b"\xff"])
def test_a_broken_seal_is_none(sealed, here, data):
    (here / ".os.img" / "seal.json").write_bytes(data)
    assert sealed_generation(sealed) == ""


def test_an_image_that_was_never_sealed_has_no_digest(here):
    (here / "os.img").write_bytes(b"x")
    assert sealed_generation(StateFolder("os.img")) == sealed_digest("os.img") == ""
    assert sealed_digest("missing") == ""


# Whose doing it was ------------------------------------------------------------------------------


def test_breaking_the_seal_comes_before_a_patch_of_ours(sealed):
    assert not written_by_others(sealed)
    break_seal(sealed)
    assert sealed_generation(sealed) == ""
    overwrite("os.img")
    assert not written_by_others(sealed)
    break_seal(sealed)  # there is none any more


def test_a_seal_that_disagrees_with_its_image_is_somebody_elses_doing(sealed):
    overwrite("os.img")
    assert written_by_others(sealed)


def test_nobody_wrote_to_an_image_that_is_gone(sealed):
    os.unlink("os.img")
    assert not written_by_others(sealed)


def test_a_write_is_noticed_after_another_boot(sealed):
    """What can be compared is; the device's number may be another."""
    image = {**json.loads(Path(sealed.file("seal.json")).read_bytes())["image"], "device": -1}
    edit(sealed, boot="12345678-1234-1234-1234-123456789abc", image=image)
    assert doubt(sealed) == ""
    overwrite("os.img")
    assert doubt(sealed) == WRITTEN


@pytest.mark.parametrize("broken", [False, True])
def test_without_a_seal_nobody_knows(sealed, broken):
    if broken:
        break_seal(sealed)
        assert doubt(sealed) == "", "what it was is known"
        overwrite("os.img")
    else:
        os.unlink(sealed.file("seal.json"))
    assert doubt(sealed) == UNKNOWN
    os.unlink("os.img")
    assert doubt(sealed) == ""


def test_a_write_of_ours_is_known(sealed):
    break_seal(sealed)
    overwrite("os.img")
    with open("os.img", "r+b") as image:
        note_ours(sealed, image.fileno())
    assert doubt(sealed) == ""
    overwrite("os.img")
    assert doubt(sealed) == UNKNOWN


def test_waiting_for_the_disk_leaves_the_seal(sealed):
    sync("os.img")
    sync(".")
    assert sealed_generation(sealed) == GENERATION
    with pytest.raises(WorldError, match=r"^missing: No such file .* has to wait for the disk"):
        sync("missing")
