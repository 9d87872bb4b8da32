"""Questions about real files: who reads what, and what is still true in a later run."""

import json
import os
import shutil
import signal
from contextlib import contextmanager

import pytest

from doit_diskimg.errors import SourceChanged, WorldError
from doit_diskimg.host.files import RealFiles
from doit_diskimg.host.hashing import CHUNK, digest_file
from doit_diskimg.host.recorded import still_true
from doit_diskimg.host.session import Session
from doit_diskimg.plan.content import Tree, digest_of

WHERE = "partitions[0]"


@contextmanager
def seconds(limit):
    """Fail instead of waiting for ever."""

    def alarm(*_):
        pytest.fail(f"still waiting after {limit} seconds")

    old = signal.signal(signal.SIGALRM, alarm)
    signal.setitimer(signal.ITIMER_REAL, limit)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, old)


# Answers -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("length", [0, 1, CHUNK - 1, CHUNK, CHUNK + 1, 3 * CHUNK])
def test_a_file_has_the_digest_of_its_bytes(here, length):
    data = bytes(range(256)) * (length // 256) + b"x" * (length % 256)
    (here / "a").write_bytes(data)
    files = RealFiles()
    assert files.size("a", WHERE) == length
    assert files.digest("a", WHERE) == digest_of(data)


def test_a_symbolic_link_stands_for_its_file(here):
    (here / "a").write_bytes(b"kernel")
    (here / "link").symlink_to("a")
    files = RealFiles()
    assert files.size("link", WHERE) == 6
    assert files.digest("link", WHERE) == digest_of(b"kernel")


MEND = "the build has to read it (fix that and run doit again)"


@pytest.mark.parametrize(
    ("path", "problem"),
    [
        ("missing",
         "partitions[0]: 'missing' does not exist, must be a file, or the target of another task "
         "(build it or fix the path)"),
        ("dangling",
         "partitions[0]: 'dangling' does not exist, must be a file, or the target of another task "
         "(build it or fix the path)"),
        ("folder",
         "partitions[0]: 'folder' is a directory, must be a regular file "
         "(write Tree('folder') for everything below it)"),
        ("./folder/",
         "partitions[0]: 'folder' is a directory, must be a regular file "
         "(write Tree('folder') for everything below it)"),
        ("pipe", "partitions[0]: 'pipe' is a named pipe, must be a regular file (name a file)"),
        ("/dev/null",
         "partitions[0]: '/dev/null' is a character device, must be a regular file (name a file)"),
        ("file/below", f"partitions[0]: file/below: Not a directory, {MEND}"),
        ("loop", f"partitions[0]: loop: Too many levels of symbolic links, {MEND}"),
        ("x" * 300, f"partitions[0]: {'x' * 300}: File name too long, {MEND}"),
        ("two\nlines",
         r"partitions[0]: 'two\nlines' does not exist, must be a file, or the target of another "
         "task (build it or fix the path)"),
    ],
)  # fmt: skip
@pytest.mark.parametrize("question", [RealFiles.size, RealFiles.digest])
def test_what_is_no_file_is_refused(here, question, path, problem):
    (here / "file").write_bytes(b"")
    (here / "folder").mkdir()
    (here / "dangling").symlink_to("nowhere")
    (here / "loop").symlink_to("loop")
    os.mkfifo("pipe")
    with seconds(5), pytest.raises(WorldError) as caught:
        question(RealFiles(), path, WHERE)
    assert [str(problem) for problem in caught.value.problems] == [problem]


@pytest.mark.parametrize("question", [RealFiles.size, RealFiles.digest])
def test_a_path_that_no_system_has_is_refused(here, question):
    with pytest.raises(WorldError):
        question(RealFiles(), "nul\0", WHERE)


def test_a_file_that_changes_while_it_is_read_is_not_trusted(here, on_open):
    (here / "a").write_bytes(b"before")
    on_open("a", lambda: os.utime("a", ns=(1, 1)))
    with pytest.raises(WorldError) as caught:
        digest_file("a", Session())
    assert caught.value.problems == (
        SourceChanged("a", "it changed while the image was built",
                      "must stay as it is until the build is done", "run doit again"),
    )  # fmt: skip


def test_a_file_that_vanishes_while_it_is_asked_for_is_an_error_of_the_world(here, on_open):
    (here / "a").write_bytes(b"before")
    on_open("a", lambda: os.unlink("a"))
    with pytest.raises(WorldError, match=r"^partitions\[0\]: a: No such file or directory, "):
        RealFiles().digest("a", WHERE)


ASKS = {"read": RealFiles.read, "digest": RealFiles.digest}


@pytest.mark.parametrize("asked", [("read", "digest"), ("digest", "read"), ("read", "read")])
def test_of_two_states_of_a_file_none_is_recorded(here, asked):
    (here / "a").write_bytes(b"before")
    files, (first, second) = RealFiles(), asked
    ASKS[first](files, "a", WHERE)
    (here / "a").write_bytes(b"and after")
    with pytest.raises(WorldError, match="a: it changed while the image was built"):
        ASKS[second](files, "a", WHERE)


# Who reads what ----------------------------------------------------------------------------------


def test_a_size_is_answered_without_opening_the_file(here, opened):
    (here / "a").write_bytes(b"kernel")
    RealFiles().size("a", WHERE)
    assert opened == []


def test_a_file_is_read_once_a_run_whoever_asks(here, opened):
    (here / "a").write_bytes(b"kernel")
    session = Session()
    RealFiles(session=session).digest("a", WHERE)
    RealFiles(session=session).digest("./a", "segments[0]")
    digest_file("a", session)
    assert opened == ["a"]
    RealFiles().digest("a", WHERE)
    assert opened == ["a", "a"]


def test_a_file_that_an_earlier_run_recorded_is_not_read(here, opened, settle):
    (here / "a").write_bytes(b"kernel")
    settle()
    files = RealFiles()
    files.digest("a", WHERE)
    record = json.loads(json.dumps(files.record()))
    assert RealFiles(record).digest("a", WHERE) == digest_of(b"kernel")
    assert opened == ["a"]
    (here / "a").write_bytes(b"other!")
    assert RealFiles(record).digest("a", WHERE) == digest_of(b"other!")
    assert opened == ["a", "a"]


@pytest.mark.parametrize(
    "record",
    [
        {},
        {"digests": None},
        {"digests": []},
        {"digests": {"a": None}},
        {"digests": {"a": 5}},
        {"digests": {"a": []}},
        {"digests": {"a": [1, 2, "digest"]}},
        {"digests": {"a": [1, 2, 3, 4, 5, 6]}},
    ],
    ids=str,
)
def test_a_record_that_is_broken_counts_as_none(here, record):
    (here / "a").write_bytes(b"kernel")
    assert RealFiles(record).digest("a", WHERE) == digest_of(b"kernel")


# What is still true ------------------------------------------------------------------------------


@pytest.fixture
def recorded(here, settle):
    """What a run recorded: the size of one file, the digest of another, the names in a tree."""
    (here / "measured").write_bytes(b"0123456789")
    (here / "read").write_bytes(b"0123456789")
    (here / "whole").write_bytes(b"whole")
    (here / "dated").write_bytes(b"dated")
    os.utime(here / "dated", (1, 1))
    (here / "tree" / "sub").mkdir(parents=True)
    (here / "tree" / "sub" / "a").write_bytes(b"a")
    settle()
    files = RealFiles()
    files.size("measured", WHERE)
    files.size("read", WHERE)
    files.digest("read", WHERE)
    assert files.mtime("dated", WHERE) == 1
    assert files.read("whole", WHERE) == b"whole"
    files.walk(Tree("tree"), WHERE)
    return json.loads(json.dumps(files.record()))


def rewrite(path, data, *, restore_mtime=False):
    status = os.stat(path)
    with open(path, "wb") as file:
        file.write(data)
    if restore_mtime:
        os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))


def replace(path, data):
    with open("new", "wb") as file:
        file.write(data)
    os.replace("new", path)


def swap_for_a_folder(path):
    os.unlink(path)
    os.mkdir(path)


def swap_for_a_pipe(path):
    os.unlink(path)
    os.mkfifo(path)


@pytest.mark.parametrize(
    ("change", "text"),
    [
        (lambda: None, ""),
        # a file whose contents count
        (lambda: os.utime("read"), ""),
        (lambda: os.utime("read", ns=(1, 1)), ""),
        (lambda: rewrite("read", b"0123456789"), ""),
        (lambda: replace("read", b"0123456789"), ""),
        (lambda: rewrite("read", b"9876543210"), "the contents of 'read' changed"),
        (lambda: rewrite("read", b"9876543210", restore_mtime=True),
         "the contents of 'read' changed"),
        (lambda: replace("read", b"9876543210"), "the contents of 'read' changed"),
        (lambda: rewrite("read", b"longer than before"), "the contents of 'read' changed"),
        (lambda: rewrite("read", b""), "the contents of 'read' changed"),
        (lambda: os.unlink("read"), "[Errno 2] No such file or directory: 'read'"),
        # a file whose size counts
        (lambda: rewrite("measured", b"9876543210"), ""),
        (lambda: rewrite("measured", b"longer than before"), "the size of 'measured' changed"),
        (lambda: os.unlink("measured"), "[Errno 2] No such file or directory: 'measured'"),
        # a file whose time stamp counts, in seconds
        (lambda: rewrite("dated", b"other", restore_mtime=True), ""),
        (lambda: os.utime("dated", ns=(1, 1_999_999_999)), ""),
        (lambda: os.utime("dated", (1, 2)),
         "the time stamp of 'dated' changed, and the volume stores it"),
        # a file that was read at once
        (lambda: os.utime("whole"), ""),
        (lambda: rewrite("whole", b"other"), "the contents of 'whole' changed"),
        # a tree
        (lambda: rewrite("tree/sub/a", b"other contents"), ""),
        (lambda: os.utime("tree"), ""),
        (lambda: replace("tree/b", b""), "the list of files below 'tree' changed"),
        (lambda: os.mkdir("tree/b"), "the list of files below 'tree' changed"),
        (lambda: os.unlink("tree/sub/a"), "the list of files below 'tree' changed"),
        (lambda: os.rename("tree/sub", "tree/SUB"), "the list of files below 'tree' changed"),
        (lambda: shutil.rmtree("tree"),
         "tree: 'tree' does not exist, must be a directory (create it or fix the path)"),
    ],
)  # fmt: skip
def test_a_later_run_asks_again(recorded, change, text):
    change()
    assert still_true(recorded, [Tree("tree")])[0] == text


def test_the_length_at_the_last_build(recorded):
    rewrite("measured", b"longer than before")
    files = RealFiles(recorded)
    assert (files.size_before("measured"), files.size("measured", WHERE)) == (10, 18)
    assert (files.size_before("other"), RealFiles().size_before("measured")) == (None, None)


@pytest.mark.parametrize("path", ["read", "measured"])
@pytest.mark.parametrize("swap", [swap_for_a_folder, swap_for_a_pipe])
def test_another_thing_in_place_of_a_file_is_a_change_and_not_a_wait(recorded, swap, path):
    swap(path)
    with seconds(2):
        assert path in still_true(recorded, [Tree("tree")])[0]


def test_a_folder_of_the_same_size_is_not_the_file_that_was_measured(here):
    (here / "folder").mkdir()
    (here / "measured").write_bytes(bytes((here / "folder").stat().st_size))
    files = RealFiles()
    files.size("measured", WHERE)
    swap_for_a_folder("measured")
    assert still_true(files.record(), [])[0] != ""


def test_nothing_is_read_while_nothing_changes(recorded, opened):
    assert still_true(recorded, [Tree("tree")]) == ("", recorded)
    assert opened == []


def test_a_touched_file_is_read_once_and_then_known_again(recorded, opened, settle):
    os.utime("read")
    settle()
    text, fresh = still_true(recorded, [Tree("tree")])
    assert (text, opened) == ("", ["read"])
    assert fresh != recorded
    assert still_true(fresh, [Tree("tree")]) == ("", fresh)
    assert opened == ["read"]


def test_a_time_stamp_of_just_now_is_not_trusted(here, opened, settle):
    """A second write within the clock's tick would leave the same time stamp."""
    (here / "a").write_bytes(b"0123456789")
    files = RealFiles()
    files.digest("a", WHERE)
    record = files.record()
    assert record["digests"] == {"a": [10, 0, 0, 0, digest_of(b"0123456789")]}
    settle()
    text, fresh = still_true(record, [])
    assert (text, opened) == ("", ["a", "a"])
    assert still_true(fresh, []) == ("", fresh)
    assert opened == ["a", "a"]


def test_what_counts_is_when_a_file_was_read(here, settle):
    """Not when that was written down: the second write may have come between."""
    (here / "a").write_bytes(b"0123456789")
    files = RealFiles()
    files.digest("a", WHERE)
    settle()
    assert files.record()["digests"] == {"a": [10, 0, 0, 0, digest_of(b"0123456789")]}


def test_a_record_of_just_now_still_tells_another_content(here):
    (here / "a").write_bytes(b"0123456789")
    files = RealFiles()
    files.digest("a", WHERE)
    record = files.record()
    rewrite("a", b"9876543210", restore_mtime=True)
    assert still_true(record, [])[0] == "the contents of 'a' changed"


@pytest.mark.parametrize(
    "trees", [[Tree("tree", exclude=["*.o"])], [Tree("tree", include=["*.o"])], [Tree(".")]]
)
def test_another_tree_or_other_patterns_are_another_question(recorded, trees):
    assert still_true(recorded, trees)[0].startswith("the list of files below ")


@pytest.mark.parametrize(
    "record",
    [
        {},
        {"sizes": {}, "digests": {}},
        {"sizes": None, "digests": {}, "trees": {}},
        {"sizes": {}, "digests": {"read": 5}, "trees": {}},
        {"sizes": {}, "digests": {"read": []}, "trees": {}},
        {"sizes": {}, "digests": {"read": [1, "digest"]}, "trees": {}},
    ],
    ids=str,
)
def test_without_a_whole_record_nothing_is_true(recorded, record):
    assert still_true(record, []) == ("nothing is recorded about its files", record)
