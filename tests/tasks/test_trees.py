"""Trees that other tasks fill and empty in the same run, and which of their files are taken."""

import json
import os
import re
import subprocess
from pathlib import Path

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from project import Project
from tools import run as tool_run
from tools import tool

from doit_diskimg.plan.patterns import faults, tree_problems

DODO = '''
import json, shutil
from pathlib import Path
from doit_diskimg import Disk, Esp, Gpt, Partition, Tree

# Defined and sorted before the task that fills the tree: only `after` puts that one first.
disk = Disk("build/os.img", size="8MiB", table=Gpt(), partitions=[
    Esp({"/": Tree("sysroot", after=%(after)s), "boot.cfg": b"timeout=0"}, size="3MiB"),
    %(more)s
])

def task_image():
    return disk.tasks()

def install():
    wanted = json.loads(Path("wanted.json").read_text())
    shutil.rmtree("sysroot", ignore_errors=True)
    for path, text in wanted.items():
        file = Path("sysroot", path)
        file.parent.mkdir(parents=True, exist_ok=True)
        if text is None:
            file.mkdir()
        else:
            file.write_text(text)

def task_sysroot():
    return {"actions": [install], "file_dep": ["wanted.json"]}
'''
FIRST = '{"bin/init": "init", "etc/motd": "hello", "var/empty": null}'
EDITS = [
    (FIRST.replace("}", ', "etc/new": "new"}'), {"etc/new"}),
    (FIRST, {"etc/new"}),
    ('{"bin/init": "init", "etc": null, "var/empty": null}', {"etc/motd"}),
    ('{"bin/init": "init"}', {"etc/", "var/", "var/empty/"}),
    ('{"bin/init": "changed"}', set()),
]
"""What the task that fills the tree is told, and what of the listing differs then."""
INTO_IMAGE = {"os.img:esp:populate", "os.img:esp:inject", "os.img:seal"}


def make(folder, after='"sysroot"', more=""):
    project = Project(folder, DODO % {"after": after, "more": more})
    project.write("wanted.json", FIRST)
    return project


def listing(project, start=1 << 20):
    """Return the paths in the volume, as mtools reads them."""
    done = subprocess.run(
        [tool("mdir"), "-/", "-b", "-i", f"{project.image_path}@@{start}", "::/"],
        capture_output=True, text=True, check=True, env={**os.environ, "MTOOLSRC": os.devnull},
    )
    return {line.removeprefix("::/") for line in done.stdout.splitlines()}


@pytest.mark.parametrize(
    "arguments", ["", "-n 4", "-n 4 -P thread", "--check_file_uptodate xxh3"]
)
def test_a_tree_is_complete_in_the_run_that_fills_it(tmp_path, arguments):
    project = make(tmp_path / "project")
    arguments = ("run", *arguments.split(), "os.img")
    assert not (project.folder / "sysroot").exists(), "there is no tree before the first run"
    project.doit(*arguments)
    assert listing(project) == {
        "bin/", "bin/init", "etc/", "etc/motd", "var/", "var/empty/", "boot.cfg",
    }
    assert not project.doit(*arguments).ran

    for number, (wanted, changed) in enumerate(EDITS):
        before = listing(project)
        project.write("wanted.json", wanted)
        assert project.doit(*arguments).ran == {"sysroot", *INTO_IMAGE}, wanted
        assert listing(project) ^ before == changed, wanted
        assert project.sha256() == project.clean_build(tmp_path / f"clean{number}")
        assert not project.doit(*arguments).ran


def test_installed_anew_and_the_same_writes_nothing(tmp_path):
    project = make(tmp_path)
    project.doit("os.img")
    before = project.sha256(), project.image_path.stat().st_mtime_ns
    project.write("wanted.json", FIRST + "\n")
    assert project.doit("os.img").ran == {"sysroot"}
    assert (project.sha256(), project.image_path.stat().st_mtime_ns) == before


def test_several_tasks_fill_one_tree_and_one_tree_goes_into_two_images(tmp_path):
    more = '''
second = Disk("build/second.img", size="8MiB", table=Gpt(), partitions=[
    Esp({"/": Tree("sysroot", after=("sysroot", "drivers:*")), "second": b"yes"}, size="3MiB"),
])

def driver(name):
    Path("sysroot", name).write_text(name)

def task_drivers():
    for name in ("ahci.ko", "nvme.ko"):
        yield {"name": name, "actions": [(driver, [name])], "task_dep": ["sysroot"],
               "uptodate": [Path("sysroot", name).exists()]}

def task_second():
    yield second.tasks()
'''
    project = make(tmp_path, after='["sysroot", "drivers:*"]')
    project.write("dodo.py", project.dodo + more)
    project.doit("-n", "4", "os.img", "second.img")
    first = listing(project)
    assert {"ahci.ko", "nvme.ko", "bin/init"} <= first
    second = Project(tmp_path, project.dodo + more, "build/second.img")
    assert listing(second) == first - {"boot.cfg"} | {"second"}
    assert project.doit("-n", "4", "os.img", "second.img").ran == set()


@pytest.mark.parametrize(
    ("after", "code", "message"),
    [
        ('"nobody"', 3, "Task dependency 'nobody' does not exist."),
        ("[5]", 3, "os.img: partitions[0].files['/'].after: (5,) has something else in it, must be "
         "names of tasks, one text or several (write for example [\"a\", \"b\"])"),
        ('"idle"', 1, "os.img: partitions[0].files['/']: 'sysroot' does not exist, must be a "
         "directory (create it or fix the path)"),
        ('"os.img"', 3, "Cyclic/recursive dependencies"),
    ],
)
def test_a_mistake_in_after_is_one_line(tmp_path, after, code, message):
    project = make(tmp_path, after)
    project.write("dodo.py", project.dodo + '\ndef task_idle():\n    return {"actions": []}\n')
    run = project.doit("os.img", code=code)
    lines = [line for line in run.said.splitlines() if message in line]
    assert len(lines) == 1, run.said
    if code == 3:
        assert len(run.err.splitlines()) == 1, run.err


def test_a_task_may_take_files_out_of_a_tree_that_does_not_name_it(tmp_path):
    """Without `after` the image may be built before or after; but never a failure or a lie."""
    more = '''
def task_aa_before_the_image():
    return {"actions": [lambda: Path("sysroot/gone").unlink(missing_ok=True)]}
'''
    dodo = DODO.replace(", after=%(after)s", "") % {"more": ""}
    head, tail = dodo.split("# Defined")
    project = Project(tmp_path, head + more + "# Defined" + tail)
    project.write("wanted.json", "{}")
    project.write("sysroot/stay", b"s")
    project.write("sysroot/gone", b"g")
    project.doit("aa_before_the_image", "os.img")
    assert listing(project) == {"stay", "boot.cfg"}
    assert project.doit("aa_before_the_image", "os.img").ran == {"aa_before_the_image"}


OWN_PAYLOAD = '''
from dataclasses import dataclass
from doit_diskimg.plan.content import Tree, Wanted
from doit_diskimg.plan.picture import Canvas
from doit_diskimg.ports import Room

@dataclass(frozen=True)
class Joined:
    """The files of a tree, one behind the other."""
    tree: Tree
    populated = True

    def problems(self, where, size, sector_size):
        return ()

    def sources(self, where):
        return [Wanted(where, self.tree)]

    def blank(self):
        return None

    def _files(self, files, where):
        for entry in files.walk(self.tree, where):
            if entry.source:
                yield entry.source, files.size(entry.source, where)

    def room(self, size, files, where, sector_size):
        return Room(length=sum(length for _, length in self._files(files, where)))

    def fill(self, place, files, where):
        canvas, start = Canvas(), place.extent.start
        for path, length in self._files(files, where):
            canvas.file(start, length, path, files.digest(path, where))
            start += length
        return canvas.picture()
'''


def test_a_payload_sized_by_a_tree_is_formatted_after_it_is_filled(tmp_path):
    more = 'Partition("own", Joined(Tree("sysroot", after="sysroot")), type="esp"),'
    project = make(tmp_path / "project", more=more)
    project.dodo = "from own import Joined\n" + project.dodo
    project.write("dodo.py", project.dodo)
    project.write("own.py", OWN_PAYLOAD)
    for number, length in enumerate((1_000_000, 2_000_000)):
        project.write("wanted.json", json.dumps({"big": "x" * length}))
        out = project.doit("os.img").out
        assert out.index(".  sysroot") < out.index(".  os.img:own:format")
        assert project.image_path.read_bytes()[4 << 20 :].count(b"x") == length
        assert project.sha256() == project.clean_build(tmp_path / f"clean{number}")
        assert not project.doit("os.img").ran


# Patterns ----------------------------------------------------------------------------------------

FILES = [
    "kernel.o", "kernel.elf", "drivers/ahci.ko", "drivers/ahci.o", "drivers/net/e1000.ko",
    "drivers/net/e1000.o", "drivers/net/keep.o", "build/out.bin", "build/keep.o",
    "lib/build/x.bin", "build.txt", "doc/a/b/c.md", "doc/c.md", "doc/a/c.md", "a b/c d.txt",
    "#hash", "!bang", "UPPER.O", "deep/build", "x.o/inside.txt", "tail ", "star*name", "ünï/ö.ö",
]

PATTERNS = [
    ["*.o"], ["*.o", "!keep.o"], ["!keep.o", "*.o"], ["*.o", "!drivers/*.o"],
    ["build/"], ["build"], ["/build"], ["/build/"], ["build/", "!build/keep.o"],
    ["build/*", "!build/keep.o"], ["drivers/*.ko"], ["/drivers/*.ko"], ["*.ko", "!/drivers/net"],
    ["drivers/**"], ["**/net"], ["**/net/*.o"], ["doc/**/c.md"], ["doc/*/c.md"], ["**/c.md"],
    ["doc/**/"], ["**"], ["*"], ["/*", "!/doc"], ["/*", "!/doc/"], ["*", "!*/", "!*.md"], ["/*.o"],
    ["a b"], ["a b/*"], [r"\#hash"], [r"\!bang"], ["[a-k]*"], ["[!a-k]*"], ["kernel.?"],
    ["x.o/"], ["x.o/inside.txt"], ["*.o", "!x.o/"], ["tail\\ "], [r"star\*name"], ["ü*"], ["ünï/"],
    ["drivers", "!drivers/ahci.ko"], ["net"], ["drivers/net"], ["/net"], ["*.O"], ["k*.e*"],
    ["dri*/**/e*.ko"], ["doc/a**"], ["lib/*/x.bin"], ["b*/"],
    ["[[:upper:]]*"], ["[]-]*"], ["[!-~]*"], ["**/**/c.md"], ["doc/**/**"], ["/**/build"],
    ["**/build/**"], ["*/"], [r"a\ b/"], ["*.ko  "], ["x.?"], [r"[\!#]*"], ["doc/a/**/c.md"],
]


@pytest.fixture(scope="module")
def repository(tmp_path_factory):
    folder = tmp_path_factory.mktemp("patterns")
    tool_run("git", "init", "-q", folder)
    for path in FILES:
        file = folder / "tree" / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(b"")
    return folder


def git_says(repository, patterns, *options):
    """Return the files of the tree that git ignores (``-i``) or does not, by these patterns."""
    exclude = repository / "patterns"
    exclude.write_text("".join(f"{pattern}\n" for pattern in patterns))
    done = subprocess.run(
        [tool("git"), f"--git-dir={repository}/.git", "--work-tree=.", "ls-files", "-z", "--others",
         f"--exclude-from={exclude}", *options],
        cwd=repository / "tree", capture_output=True, text=True, check=True,
    )
    return set(filter(None, done.stdout.split("\0")))


def taken(repository, **patterns):
    from doit_diskimg import Tree
    from doit_diskimg.host.walk import walk

    tree = Tree(repository / "tree", **patterns)
    assert not list(tree_problems(tree, "files"))
    return {entry.path for entry in walk(tree, "files") if entry.source}


@pytest.mark.parametrize("patterns", PATTERNS, ids=" ".join)
def test_patterns_mean_what_they_mean_to_git(repository, patterns):
    assert taken(repository, exclude=patterns) == git_says(repository, patterns)
    assert taken(repository, include=patterns) == git_says(repository, patterns, "--ignored")


@given(
    st.lists(
        st.lists(
            st.sampled_from(
                ["*", "**", "/", "/", "?", "!", ".", "o", "b", "build", "drivers", "net", "doc",
                 "a", "c.md", "*.o", "[a-e]", "[!a-e]", "[", "]", "-", "\\", " ", "#", "keep"]
            ),
            min_size=1, max_size=6,
        ).map("".join),
        min_size=1, max_size=3,
    )
)
@settings(max_examples=int(os.environ.get("PATTERNS", "60")), deadline=None)
def test_any_pattern_means_what_it_means_to_git(repository, patterns):
    # Refused by us, or a slash in brackets, to which git gives no meaning either.
    assume(not list(faults(patterns)))
    assume(not re.search(r"\[[^]]*/[^]]*\]", " ".join(patterns)))
    # git's "?" is a byte, ours a character.
    ours, theirs = taken(repository, exclude=patterns), git_says(repository, patterns)
    assert set(filter(str.isascii, ours)) == set(filter(str.isascii, theirs))


def test_what_is_excluded_is_left_out_although_it_is_included(repository):
    both = taken(repository, include=["*.ko", "*.o"], exclude=["net/", "kernel.o"])
    ignored = git_says(repository, ["*.ko", "*.o"], "--ignored")
    assert both == ignored & git_says(repository, ["net/", "kernel.o"])
    assert both == {"drivers/ahci.ko", "drivers/ahci.o", "build/keep.o", "x.o/inside.txt"}


@pytest.mark.parametrize(
    ("patterns", "kept"),
    [
        ({}, {"full", "empty", "only-o", "nested/empty", "nested"}),
        ({"exclude": "*.o"}, {"full", "empty", "only-o", "nested/empty", "nested"}),
        ({"exclude": "empty/"}, {"full", "only-o", "nested"}),
        ({"exclude": "/empty"}, {"full", "only-o", "nested/empty", "nested"}),
        ({"include": "*.c"}, {"full"}),
        ({"include": ["*.c", "empty/"]}, {"full", "empty", "nested/empty", "nested"}),
        ({"include": ["*.c", "/empty/"]}, {"full", "empty"}),
    ],
)
def test_empty_directories(tmp_path, patterns, kept):
    from doit_diskimg import Tree
    from doit_diskimg.host.walk import walk

    for folder in ("full", "empty", "only-o", "nested/empty"):
        (tmp_path / folder).mkdir(parents=True)
    (tmp_path / "full/a.c").touch()
    (tmp_path / "only-o/a.o").touch()
    entries = walk(Tree(tmp_path, **patterns), "files")
    assert {entry.path for entry in entries if entry.source is None} == kept


@pytest.mark.parametrize(
    ("pattern", "found"),
    [
        ("!", "'!' names nothing"), ("/", "'/' names nothing"),
        ("[z-a]", "'[z-a]' has a range from 'z' down to 'a'"),
        ("[a", "'[a' has a '[' without its ']'"),
        ("[[:abc:]]", "'[[:abc:]]' has an unknown class [:abc:]"),
        ("a" + chr(92), f"{'a' + chr(92)!r} ends with a backslash"),
        ("", "'' is blank to git"), ("  ", "'  ' is blank to git"),
        ("# x", "'# x' is a comment to git"),
    ],
)
def test_a_pattern_that_git_would_silently_ignore_is_refused(tmp_path, repository, pattern, found):
    from doit_diskimg import Tree
    from doit_diskimg.errors import BadPattern

    assert git_says(repository, [pattern], "--ignored") == set(), "git matches nothing by it"
    (problem,) = tree_problems(Tree(tmp_path, exclude=["*.o", pattern]), "files['/']")
    assert type(problem) is BadPattern
    assert (problem.where, problem.found) == ("files['/'].exclude", found)


def test_one_pattern_may_be_written_without_a_list():
    from doit_diskimg import Tree

    assert Tree("x", include="*.o", exclude="b/", after="t") == Tree("x", ["*.o"], ("b/",), ["t"])


def test_the_tree_of_a_path_object_is_relative_to_the_project(tmp_path):
    project = make(tmp_path)
    path = 'Path("sysroot").resolve()'
    project.write("dodo.py", project.dodo.replace('Tree("sysroot"', f"Tree({path}"))
    project.doit("os.img")
    assert Path(project.folder / "sysroot").is_dir()
    assert "bin/init" in listing(project)
