"""The state folder: files that are whole or not there, and left alone when nothing changed."""

import json
import os

import pytest
from pyfakefs.helpers import set_gid, set_uid

from doit_diskimg.errors import HostFailed, StateBroken, WorldError
from doit_diskimg.host.state import (
    StateFolder,
    broken,
    host_failed,
    load,
    load_if_whole,
    need,
    read,
    read_json,
    read_record,
    write,
    write_json,
    write_record,
)

PATH = ".os.img/esp.plan"


@pytest.fixture
def state(here):
    folder = StateFolder("os.img")
    folder.make()
    return folder


# Decoded -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("data", "why"),
    [
        (b"", "Expecting value"),
        (b"{", "Expecting property name"),
        (b"[]", "list indices must be integers"),
        (b"{}", "'size'"),
        (b'{"size": []}', "int() argument must be"),
    ],
)
def test_what_a_decoder_does_not_understand_is_broken(state, data, why):
    path = state.file("layout.json")
    write(path, data)

    def decode(text):
        return int(json.loads(text)["size"])

    with pytest.raises(WorldError) as caught:
        load(path, decode)
    (problem,) = caught.value.problems
    assert isinstance(problem, StateBroken)
    assert problem.where == path
    assert why in problem.found
    assert load_if_whole(path, decode) is None


def test_what_is_missing_is_not_decoded(state):
    with pytest.raises(WorldError, match="it is missing"):
        load(state.file("layout.json"), json.loads)
    assert load_if_whole(state.file("layout.json"), json.loads) is None


def test_what_a_decoder_understands_is_what_it_returns(state):
    write(state.file("layout.json"), b"[1]")
    assert load(state.file("layout.json"), json.loads) == [1]
    assert load_if_whole(state.file("layout.json"), json.loads) == [1]


# Names -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("image", "part", "path"),
    [
        ("os.img", "esp", ".os.img/esp.plan"),
        ("build/os.img", "esp", "build/.os.img/esp.plan"),
        ("/abs/os.img", "esp", "/abs/.os.img/esp.plan"),
        ("os.img", "a/b", ".os.img/a%2Fb.plan"),
        ("os.img", "..", ".os.img/...plan"),
        ("os.img", "two words", ".os.img/two%20words.plan"),
        ("os.img", "100%", ".os.img/100%25.plan"),
        ("os.img", "Ü", ".os.img/%C3%9C.plan"),
        ("os.img", "a-b_c.d~", ".os.img/a-b_c.d~.plan"),
    ],
)
def test_every_part_has_files_of_its_own(image, part, path):
    assert StateFolder(image).file(part, ".plan") == path


def test_no_two_names_have_one_file():
    names = ["x" * 300, "x" * 301, "\u6f22" * 100, "\u6f22" * 101]
    names += ["a", "a%2F", "a/", "a b", "a%20b", "a+b", "A", ".", "..", "a.plan", "ä", "a\u0308"]
    paths = {StateFolder("os.img").file(name, ".plan") for name in names}
    assert len(paths) == len(names)
    assert {os.path.dirname(path) for path in paths} == {".os.img"}
    assert max(map(len, paths)) < 200


def test_an_image_is_written_beside_the_old_one_until_it_is_finished(state, here):
    assert state.current("g1") == "os.img"
    (here / ".os.img" / "new-g1.img").write_bytes(b"")
    assert state.current("g1") == state.building("g1") == ".os.img/new-g1.img"
    assert state.current("g2") == "os.img", "what a build left is never another's"


def test_what_killed_builds_left_is_discarded(state, here):
    """A partition may have a name that begins like theirs."""
    ours = ["esp.plan", "new-a.img.plan", "new-g1.img.blob", "owner.json"]
    left = [f"new-{'0123456789abcdef' * 2}.img", f"new-{'f' * 32}.img.7.tmp"]
    for name in [*ours[:3], *left]:
        (here / ".os.img" / name).write_bytes(b"")
    state.discard()
    assert sorted(path.name for path in (here / ".os.img").iterdir()) == ours


def test_making_the_folder_twice_is_fine_and_in_the_way_is_not(state, here):
    state.make()
    (here / ".other.img").write_bytes(b"")
    with pytest.raises(WorldError, match=r"^\.other\.img: it is a file, the state of the image 'o"):
        StateFolder("other.img").make()


# Writing -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("data", [b"", b"old", b"x" * 100_000])
def test_what_was_written_is_read(state, data):
    assert write(PATH, data) is True
    assert read(PATH) == need(PATH) == data
    assert sorted(os.listdir(".os.img")) == ["esp.plan", "owner.json"]


def test_an_equal_file_is_left_alone(state):
    write(PATH, b"old")
    os.utime(PATH, ns=(1, 1))
    before = os.stat(PATH)
    assert write(PATH, b"old") is False
    after = os.stat(PATH)
    assert (after.st_ino, after.st_mtime_ns) == (before.st_ino, before.st_mtime_ns) == (
        before.st_ino, 1,
    )  # fmt: skip


def test_a_file_is_replaced_in_one_step(state):
    write(PATH, b"old")
    with open(PATH, "rb") as reader:
        assert write(PATH, b"new") is True
        assert reader.read() == b"old"
    assert read(PATH) == b"new"


def test_the_folder_is_made_when_it_is_needed(here):
    assert write("deep/.os.img/esp.plan", b"new") is True
    assert read("deep/.os.img/esp.plan") == b"new"


def test_data_comes_back_whatever_the_names_in_it(state):
    data = {"paths": ["ü", os.fsdecode(b"\xff"), "two\nlines"], "number": 1 << 70, "none": None}
    assert write_json(PATH, data) is True
    assert write_json(PATH, data) is False
    assert read_json(PATH) == data


# Failing -----------------------------------------------------------------------------------------


def test_a_failed_write_leaves_the_old_file_and_nothing_else(state, no_file_over):
    write(PATH, b"old")
    with no_file_over(4096), pytest.raises(WorldError) as caught:
        write(PATH, b"x" * 5000)
    assert caught.value.problems == (
        HostFailed(PATH, "File too large", "the build has to write a state file",
                   "fix that and run doit again"),
    )  # fmt: skip
    assert sorted(os.listdir(".os.img")) == ["esp.plan", "owner.json"]
    assert read(PATH) == b"old"


def test_a_full_disk_leaves_the_old_file_and_nothing_else(fs):
    fs.create_dir("/disk")
    write("/disk/.os.img/esp.plan", b"old")
    fs.set_disk_usage(1000, "/disk")
    line = r"^/disk/\.os\.img/esp\.plan: No space left on device \(964 B free\), the build has to "
    with pytest.raises(WorldError, match=line):
        write("/disk/.os.img/esp.plan", b"x" * 5000)
    assert sorted(os.listdir("/disk/.os.img")) == ["esp.plan", "owner.json"]
    assert read("/disk/.os.img/esp.plan") == b"old"


@pytest.fixture
def nobody(fs):
    """A folder of somebody else's that holds one file."""
    write("/theirs/.os.img/esp.plan", b"old")
    fs.create_file("/theirs/.os.img/secret", st_mode=0o100600)
    fs.chmod("/theirs/.os.img", 0o555)
    fs.chmod("/theirs", 0o555)
    set_uid(12345)
    set_gid(12345)
    yield
    set_uid(0)
    set_gid(0)


@pytest.mark.parametrize(
    ("act", "message"),
    [
        (lambda: write("/theirs/.os.img/esp.plan", b"new"),
         r"^/theirs/\.os\.img/esp\.plan: Permission denied.* the build has to write a state f"),
        (lambda: write("/theirs/.other.img/esp.plan", b"new"),
         r"^/theirs/\.other\.img/esp\.plan: Permission denied.* the build has to write a state"),
        (lambda: read("/theirs/.os.img/secret"),
         r"^/theirs/\.os\.img/secret: Permission denied.* the build has to read a state file \("),
        (lambda: read_json("/theirs/.os.img/secret"),
         r"^/theirs/\.os\.img/secret: Permission denied.* the build has to read a state file \("),
        (lambda: StateFolder("/theirs/other.img").make(),
         r"^/theirs/\.other\.img: Permission denied.* the build has to create the state folder \("),
    ],
)  # fmt: skip
def test_a_folder_of_somebody_elses_is_told(nobody, act, message):
    with pytest.raises(WorldError, match=message):
        act()
    assert sorted(os.listdir("/theirs/.os.img")) == ["esp.plan", "owner.json", "secret"]
    same = write("/theirs/.os.img/esp.plan", b"old")
    assert same is False, "nothing to write is nothing to refuse"


def test_a_directory_in_the_way_is_told(state):
    os.makedirs(PATH)
    for act in (lambda: write(PATH, b"new"), lambda: read(PATH), lambda: read_json(PATH)):
        with pytest.raises(WorldError, match=r"^\.os\.img/esp\.plan: Is a directory, "):
            act()
    assert sorted(os.listdir(".os.img")) == ["esp.plan", "owner.json"]


# Reading -----------------------------------------------------------------------------------------


def test_a_file_that_is_missing_is_none_or_a_broken_state(state):
    assert read(PATH) is None
    assert read_json(PATH) == {}
    with pytest.raises(WorldError) as caught:
        need(PATH)
    assert caught.value.problems == (
        StateBroken(PATH, "it is missing", "an earlier task of this image wrote it",
                    "run doit for the whole image, or `doit clean` first"),
    )  # fmt: skip


@pytest.mark.parametrize(
    "data", [b"", b"{", b'{"a": 1', b"[]", b"null", b"5", b'"text"', b"\xff\xfe", b"\0" * 10]
)
def test_data_that_is_not_whole_counts_as_none(state, data):
    write(PATH, data)
    assert read_json(PATH) == {}


def test_an_error_of_ours_is_told_once():
    error = broken(PATH, "it is odd")
    assert host_failed("elsewhere", error, "do something") is error


@pytest.mark.parametrize(
    ("error", "line"),
    [
        (OSError(13, "Permission denied", "x"),
         "p: Permission denied, the build has to write (fix that and run doit again)"),
        (OSError("odd"), "p: odd, the build has to write (fix that and run doit again)"),
    ],
)  # fmt: skip
def test_an_error_of_the_system_is_told_in_its_words(error, line):
    assert str(host_failed("p", error, "write")) == line


# Removing ----------------------------------------------------------------------------------------

BUILDING = f".os.img/new-{'1' * 32}.img"
MARK = ".os.img/owner.json"
STATE = [".os.img/esp.plan", BUILDING, ".os.img/seal.json", ".os.img/lock", MARK]
"""In the order in which they are removed."""


@pytest.fixture
def built(state, here):
    for path in ["os.img", *STATE[:-1]]:
        (here / path).write_bytes(b"x")
    return state


def names(here):
    return {str(path.relative_to(here)) for path in here.rglob("*")}


def test_clean_removes_the_state_and_nothing_else(built, here):
    assert built.remove() == (STATE, [])
    assert names(here) == {"os.img"}
    assert built.remove() == ([], [])


def test_a_dry_run_says_the_same_and_removes_nothing(built, here):
    assert built.remove(dryrun=True) == (STATE, [])
    assert names(here) == {"os.img", *STATE, ".os.img"}


NOT_OURS = {
    "a folder": lambda path: path.mkdir(),
    "a file": lambda path: path.write_bytes(b"x"),
    "a link": lambda path: path.symlink_to("nowhere"),
}


@pytest.mark.parametrize("what", NOT_OURS)
@pytest.mark.parametrize("name", ["notes", "esp.plan.bak", "new-1.img"])
def test_what_is_not_ours_stays(built, here, what, name):
    NOT_OURS[what](here / ".os.img" / name)
    assert built.remove() == ([path for path in STATE if path != MARK], [f".os.img/{name}"])
    assert names(here) == {"os.img", ".os.img", MARK, f".os.img/{name}"}  # it stays ours


@pytest.mark.parametrize("what", ["a folder", "a link"])
def test_a_name_of_ours_is_not_enough(built, here, what):
    (here / STATE[0]).unlink()
    NOT_OURS[what](here / STATE[0])
    assert built.remove() == ([path for path in STATE[1:] if path != MARK], [STATE[0]])
    assert names(here) == {"os.img", ".os.img", MARK, STATE[0]}


def test_a_folder_of_a_program_is_removed_and_links_in_it_are_not_followed(built, here):
    (here / "precious").mkdir()
    (here / "precious/file").write_bytes(b"x")
    work = here / ".os.img/esp.payload.work"
    (work / "deep").mkdir(parents=True)
    (work / "deep/link").symlink_to(here / "precious")
    (work / "deep").chmod(0o500)
    built.remove()
    assert names(here) == {"os.img", "precious", "precious/file"}


def test_what_can_not_be_removed_is_told(fs):
    StateFolder("/disk/os.img").make()
    fs.create_file("/disk/.os.img/seal.json")
    fs.chmod("/disk", 0o777)
    fs.chmod("/disk/.os.img", 0o555)
    set_uid(12345)
    try:
        with pytest.raises(WorldError):
            StateFolder("/disk/os.img").remove()
    finally:
        set_uid(0)


# Records -----------------------------------------------------------------------------------------

RECORD = {"digests": {"a": [1, 2, 3, 4, "ab"], '"proof": "': [0, "x"]}, "seen": []}


def test_a_record_comes_back(here):
    assert write_record(PATH, RECORD) is True
    assert write_record(PATH, RECORD) is False
    assert read_record(PATH) == RECORD
    assert json.loads((here / PATH).read_bytes()).keys() == {*RECORD, "proof"}
    assert write_record(PATH, {}) is True
    assert read_record(PATH) == {}


def test_a_record_of_which_a_byte_changed_is_as_good_as_none(here):
    write_record(PATH, RECORD)
    data = (here / PATH).read_bytes()
    for at in range(len(data)):
        (here / PATH).write_bytes(data[:at] + bytes([data[at] ^ 1]) + data[at + 1 :])
        assert read_record(PATH) == {}, at
        (here / PATH).write_bytes(data[:at])
        assert read_record(PATH) == {}, at
    write_json(PATH, RECORD)
    assert read_record(PATH) == {}
    assert read_record("nothing") == {}
