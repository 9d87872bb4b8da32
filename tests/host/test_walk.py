"""What is below a directory: everything, in one order, and nothing from elsewhere."""

import os
import random
import socket
import subprocess
from pathlib import Path

import pytest
from tools import tool

from doit_diskimg.errors import WorldError
from doit_diskimg.host import walk as walk_module
from doit_diskimg.host.session import Session
from doit_diskimg.host.walk import entries_digest, tree_key, walk
from doit_diskimg.plan.content import Entry, Tree

WHERE = "partitions[0].files['boot']"


def make(*paths):
    """Make files, and directories where a path ends with a slash."""
    for path in paths:
        folder, name = os.path.split(path)
        Path(folder).mkdir(parents=True, exist_ok=True)
        if name:
            Path(path).write_bytes(b"")


SESSION = Session()


@pytest.fixture(autouse=True)
def a_new_session():
    SESSION.walks.clear()


def found(*arguments, **patterns):
    """Return the paths of a walk below ``t``; a directory ends with a slash."""
    tree = Tree(*(arguments or ["t"]), **patterns)
    return [entry.path + ("" if entry.source else "/") for entry in walk(tree, WHERE, SESSION)]


# What is found -----------------------------------------------------------------------------------


def test_a_tree_is_its_directories_and_files(here):
    make("t/b", "t/a/x", "t/a/empty/", "t/.hidden", "t/ü")
    assert walk(Tree("t"), WHERE) == [
        Entry(".hidden", "t/.hidden"),
        Entry("a", None),
        Entry("a/empty", None),
        Entry("a/x", "t/a/x"),
        Entry("b", "t/b"),
        Entry("ü", "t/ü"),
    ]


@pytest.mark.parametrize("spelling", ["t", "./t", "t/", "t/a/..", "{here}/t"])
def test_however_the_directory_is_spelled(here, spelling):
    make("t/a/x")
    assert walk(Tree(spelling.format(here=here)), WHERE) == [
        Entry("a", None),
        Entry("a/x", "t/a/x"),
    ]


def test_an_empty_tree_has_no_entries(here):
    make("t/")
    assert found() == []


PATHS = [f"{a}/{b}" for a in ("a", "a-b", "a.b", "B", "é", "Z", "z") for b in "3a1B2"]


@pytest.mark.parametrize("seed", range(5))
def test_the_order_is_that_of_the_names_and_not_of_their_creation(here, seed):
    shuffled = PATHS.copy()
    random.Random(seed).shuffle(shuffled)
    make(*(f"t/{path}" for path in shuffled))
    paths = [entry.path for entry in walk(Tree("t"), WHERE)]
    assert paths == sorted({*PATHS, *(path.rpartition("/")[0] for path in PATHS)})


def test_a_directory_comes_before_what_is_in_it(here):
    make("t/a/x", "t/a-b", "t/a.b/y", "t/a/ ")
    assert found() == ["a/", "a-b", "a.b/", "a.b/y", "a/ ", "a/x"]


def test_a_name_need_not_be_utf8(here):
    name = os.fsdecode(b"caf\xe9")
    make(f"t/{name}/\udcff")
    entries = walk(Tree("t"), WHERE)
    assert entries == [Entry(name, None), Entry(f"{name}/\udcff", f"t/{name}/\udcff")]
    assert len(entries_digest(entries)) == 32


# Patterns ----------------------------------------------------------------------------------------

FILES = [
    "a.o", "a.c", "drivers/a.ko", "drivers/deep/b.ko", "drivers/a.o", "build/x", "src/build/y",
    "src/a.c", "src/a.h", "#notes", "!bang", "docs/readme.md", "docs/deep/readme.md",
]  # fmt: skip


@pytest.fixture
def git(here):
    """A function that asks git which files match patterns."""
    make(*(f"t/{path}" for path in FILES))
    subprocess.run([tool("git"), "init", "--quiet", "t"], check=True)
    os.rename("t/.git", "git")

    def ask(patterns, *options):
        with open("patterns", "w") as file:
            file.write("\n".join(patterns))
        argv = [tool("git"), "--git-dir=git", "--work-tree=t", "ls-files", "-z", "--others"]
        done = subprocess.run(
            [*argv, f"--exclude-from={here}/patterns", *options],
            check=True, capture_output=True, text=True,
        )  # fmt: skip
        return sorted(filter(None, done.stdout.split("\0")))

    return ask


PATTERNS = [
    ["*.o"],
    ["*.o", "*.ko"],
    ["/a.o"],
    ["drivers/*.ko"],
    ["drivers/**/*.ko"],
    ["**/deep"],
    ["build"],
    ["build/"],
    ["/build/"],
    ["src/build/"],
    ["*.c", "!src/a.c"],
    ["src/*", "!src/a.h"],
    ["docs/**"],
    ["a.[ch]"],
    ["?.c"],
    [r"\#notes", r"\!bang"],
    ["# a comment", ""],
    ["A.O"],
    [r"[\]!]bang"],
    [r"a.[\ch]"],
]


@pytest.mark.parametrize("patterns", PATTERNS, ids=" ".join)
def test_exclude_means_what_it_means_to_git(git, patterns):
    assert [path for path in found(exclude=patterns) if path[-1] != "/"] == git(patterns)


@pytest.mark.parametrize("patterns", PATTERNS, ids=" ".join)
def test_include_means_what_git_ignores(git, patterns):
    assert [path for path in found(include=patterns) if path[-1] != "/"] == git(
        patterns, "--ignored"
    )


@pytest.mark.parametrize(
    ("patterns", "expected"),
    [
        ({}, ["a/", "a/x.ko", "a/x.o", "b/", "b/c/", "b/c/y.o", "empty/"]),
        ({"exclude": ["*.o"]}, ["a/", "a/x.ko", "b/", "b/c/", "empty/"]),
        ({"exclude": ["empty"]}, ["a/", "a/x.ko", "a/x.o", "b/", "b/c/", "b/c/y.o"]),
        ({"exclude": ["b"]}, ["a/", "a/x.ko", "a/x.o", "empty/"]),
        # with include a directory is there for the files in it
        ({"include": ["*.ko"]}, ["a/", "a/x.ko"]),
        ({"include": ["*.o"], "exclude": ["a"]}, ["b/", "b/c/", "b/c/y.o"]),
        ({"include": ["empty"]}, ["empty/"]),
        ({"include": ["b"]}, ["b/", "b/c/", "b/c/y.o"]),
        ({"include": ["*.ko"], "exclude": ["*.ko"]}, []),
        ({"include": ["nothing"]}, []),
    ],
)
def test_directories_stay_with_their_files(here, patterns, expected):
    make("t/a/x.ko", "t/a/x.o", "t/b/c/y.o", "t/empty/")
    assert found(**patterns) == expected


@pytest.mark.parametrize("patterns", [{"exclude": ["build", "pipe"]}, {"include": ["*.ko"]}])
def test_what_is_not_wanted_is_not_judged(here, patterns):
    """``build`` is what the modules of a Linux kernel have beside them."""
    make("t/a.ko")
    os.mkfifo("t/pipe")
    os.symlink("/usr/src/linux", "t/build")
    assert found(**patterns) == ["a.ko"]


# Symbolic links ----------------------------------------------------------------------------------


def test_links_inside_the_tree_are_followed(here):
    make("t/lib/libc.so.6", "t/lib/deep/x")
    os.symlink("libc.so.6", "t/lib/libc.so")
    os.symlink("lib", "t/lib64")
    os.symlink("../lib/deep", "t/lib/again")
    assert found() == [
        "lib/", "lib/again/", "lib/again/x", "lib/deep/", "lib/deep/x", "lib/libc.so",
        "lib/libc.so.6",
        "lib64/", "lib64/again/", "lib64/again/x", "lib64/deep/", "lib64/deep/x", "lib64/libc.so",
        "lib64/libc.so.6",
    ]  # fmt: skip


def test_the_tree_itself_may_be_reached_through_a_link(here):
    make("real/t/a", "real/t/sub/b")
    os.symlink("real", "link")
    os.symlink("a", "real/t/c")
    assert walk(Tree("link/t"), WHERE) == [
        Entry("a", "link/t/a"),
        Entry("c", "link/t/c"),
        Entry("sub", None),
        Entry("sub/b", "link/t/sub/b"),
    ]


HOLDS = "a tree holds directories and regular files (remove it or exclude it)"


@pytest.mark.parametrize(
    ("target", "found_"),
    [
        ("../outside", "is a symbolic link to '{here}/outside', outside the tree"),
        ("../t-not", "is a symbolic link to '{here}/t-not', outside the tree"),
        ("/dev/null", "is a symbolic link to '/dev/null', outside the tree"),
        ("../missing", "is a symbolic link to '{here}/missing', outside the tree"),
        ("missing", "is a symbolic link to '{here}/t/missing', which does not exist"),
        ("link", "is a symbolic link that leads back to itself"),
        (".", "is a symbolic link to a directory that holds it"),
        ("../t", "is a symbolic link to a directory that holds it"),
        ("..", "is a symbolic link to '{here}', outside the tree"),
        ("pipe", "is a named pipe"),
    ],
)
def test_other_links_are_refused(here, target, found_):
    make("outside", "t/a", "t-not/a")
    os.mkfifo("t/pipe")
    os.symlink(target, "t/link")
    with pytest.raises(WorldError) as caught:
        walk(Tree("t", exclude=["pipe"]), WHERE)
    (problem,) = map(str, caught.value.problems)
    assert problem == f"{WHERE}: 't/link' {found_.format(here=here)}, {HOLDS}"


def test_two_directories_that_link_to_each_other_end(here):
    make("t/a/", "t/b/")
    os.symlink("../b", "t/a/x")
    os.symlink("../a", "t/b/y")
    with pytest.raises(WorldError) as caught:
        walk(Tree("t"), WHERE)
    assert {str(problem) for problem in caught.value.problems} == {
        f"{WHERE}: 't/a/x/y' is a symbolic link to a directory that holds it, {HOLDS}",
        f"{WHERE}: 't/b/y/x' is a symbolic link to a directory that holds it, {HOLDS}",
    }


# What is refused ---------------------------------------------------------------------------------


def test_all_that_can_not_be_stored_is_told_at_once(here):
    make("t/a/x")
    os.mkfifo("t/a/pipe")
    os.symlink("nowhere", "t/link")
    with socket.socket(socket.AF_UNIX) as server:
        server.bind("t/socket")
    with pytest.raises(WorldError) as caught:
        walk(Tree("t"), WHERE)
    assert list(map(str, caught.value.problems)) == [
        f"{WHERE}: 't/a/pipe' is a named pipe, {HOLDS}",
        f"{WHERE}: 't/link' is a symbolic link to '{here}/t/nowhere', which does not exist, "
        f"{HOLDS}",
        f"{WHERE}: 't/socket' is a socket, {HOLDS}",
    ]


@pytest.mark.parametrize(
    ("path", "problem"),
    [
        ("missing", "'missing' does not exist, must be a directory (create it or fix the path)"),
        ("file", "'file' is a file, Tree(...) takes a directory (write 'file' alone for one file)"),
        ("dangling", "'dangling' does not exist, must be a directory (create it or fix the path)"),
    ],
)
def test_a_tree_is_a_directory(here, path, problem):
    make("file")
    os.symlink("nowhere", "dangling")
    with pytest.raises(WorldError) as caught:
        walk(Tree(path), WHERE)
    assert list(map(str, caught.value.problems)) == [f"{WHERE}: {problem}"]


@pytest.mark.parametrize("path", ["file/below", "loop", "x" * 300, "nul\0"])
def test_a_directory_that_can_not_be_looked_at_is_an_error_of_the_world(here, path):
    make("file")
    os.symlink("loop", "loop")
    with pytest.raises(WorldError):
        walk(Tree(path), WHERE)


# What names a tree -------------------------------------------------------------------------------


def test_a_tree_is_known_by_its_directory_and_patterns():
    assert tree_key(Tree("./t", ["*.a"], ["*.o"])) == tree_key(Tree("t", ("*.a",), ("*.o",)))
    keys = [
        Tree("t"), Tree("u"), Tree("t", include=["a"]), Tree("t", exclude=["a"]),
        Tree("t", include=["a", "b"]), Tree("t", include=["b", "a"]),
    ]  # fmt: skip
    assert len(set(map(tree_key, keys))) == len(keys)


def test_a_list_of_entries_is_known_by_names_and_kinds(here):
    make("t/a", "t/b/")
    before = entries_digest(walk(Tree("t"), WHERE))
    make("t/a")
    os.utime("t/a", ns=(1, 1))
    assert entries_digest(walk(Tree("t"), WHERE)) == before
    os.rmdir("t/b")
    make("t/b")
    assert entries_digest(walk(Tree("t"), WHERE)) != before


# The second look ---------------------------------------------------------------------------------


@pytest.fixture
def scans(monkeypatch):
    """The directories that were read."""
    read, real = [], os.scandir
    monkeypatch.setattr(os, "scandir", lambda path: [read.append(path), real(path)][1])
    return read


def settled_tree(settle):
    make("t/a/x", "t/b/y", "t/out/z")
    settle()


PATTERNS = [{}, {"include": ["*", "!z"]}, {"exclude": ["out/"]}]


@pytest.mark.parametrize("patterns", PATTERNS)
def test_a_tree_of_which_no_directory_changed_is_not_read_again(here, settle, scans, patterns):
    settled_tree(settle)
    first = found(**patterns)
    read = len(scans)
    assert found(**patterns) == first
    assert found("./t", **patterns) == first
    assert len(scans) == read > 1


@pytest.mark.parametrize(
    "change",
    {
        "a new file": lambda: make("t/b/new"),
        "a file less": lambda: os.unlink("t/a/x"),
        "another name": lambda: os.rename("t/a/x", "t/a/y"),
        "a directory less": lambda: (os.unlink("t/a/x"), os.rmdir("t/a")),
        "a directory instead of a file": lambda: (os.unlink("t/a/x"), os.mkdir("t/a/x")),
        "another directory of that name": lambda: (
            os.rename("t/a", "old"), make("t/a/x", "t/a/w"), os.utime("t/a", ns=(0, 0)),
        ),
        "a new top": lambda: (os.rename("t", "old"), make("t/a/")),
        "a stamp put back": lambda: (
            status := os.stat("t/b"), make("t/b/new"),
            os.utime("t/b", ns=(status.st_atime_ns, status.st_mtime_ns)),
        ),
    }.values(),
)
def test_a_tree_that_changed_is_read_again(here, settle, change):
    settled_tree(settle)
    first = found()
    change()
    second = found()
    SESSION.walks.clear()
    assert first != second == found()


def test_a_tree_that_is_gone_is_missing(here, settle):
    settled_tree(settle)
    found()
    os.rename("t", "old")
    with pytest.raises(WorldError, match="'t' does not exist"):
        found()


def test_a_tree_of_just_now_is_read_again(here, scans):
    """Its stamps would not tell a file that comes within the tick of the clock."""
    make("t/a/x")
    found()
    read = len(scans)
    found()
    assert len(scans) == 2 * read


def test_a_tree_with_links_is_read_again(here, settle, scans):
    """What they lead to may be another thing, of which no directory of the tree knows."""
    make("t/b/d/x")
    os.symlink("../b/d", "t/b/link")
    settle()
    found()
    read = len(scans)
    found()
    assert len(scans) == 2 * read


def test_a_directory_that_is_away_for_an_instant(here, settle, monkeypatch):
    settled_tree(settle)
    monkeypatch.setattr(walk_module, "_signature", lambda _: None)
    assert found() == found() == ["a/", "a/x", "b/", "b/y", "out/", "out/z"]


def test_a_tree_of_another_directory_is_another_tree(here, settle, monkeypatch):
    make("t/x", "other/t/y")
    settle()
    assert found() == ["x"]
    monkeypatch.chdir("other")
    assert found() == ["y"]
