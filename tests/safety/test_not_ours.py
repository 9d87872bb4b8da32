"""What is not ours is never replaced, patched, followed or removed.

Each attack would have done harm once.  All that lies in the project and beside it is compared
before and after, bytes, modes, names and targets of links, while doit builds and cleans.
"""

import json
import os
import shutil
import stat
from types import SimpleNamespace

import pytest
from forked import doit
from project import Project

from doit_diskimg.chain.run import is_ours
from doit_diskimg.errors import WorldError
from doit_diskimg.host import folder, own
from doit_diskimg.host.scratch import Scratch
from doit_diskimg.host.session import Session
from doit_diskimg.host.state import StateFolder, read, write
from doit_diskimg.tasks.clean import clean

DODO = '''
from doit_diskimg import Compressed, Disk, Fat, Partition, PartitionFile, Segment
disk = Disk("%s", size="1MiB", table=None, segments=[
    Segment("a", "a.bin", 0), Segment("b", "b.bin", "64KiB"),
], outputs=[Compressed("os.gz")]%s)
def task_image():
    return disk.tasks()
def task_linked():
    return disk.linked_task("linked.vmdk")
DOIT_CONFIG = {"backend": "sqlite3"}
'''
OURS = {"said.txt", "report.txt", "__pycache__", ".doit.db", "dodo.py"}
MESSAGE = "it is a file that nothing in the state folder proves to be built here"


@pytest.fixture
def project(tmp_path):
    project = Project(tmp_path / "project", DODO % ("os.img", ""), image="os.img")
    project.write("a.bin", b"a" * 5000)
    project.write("b.bin", b"b" * 5000)
    project.write("../victim/precious", b"precious")
    project.write("../victim/config", b"more")
    return project


@pytest.fixture
def built(project):
    ok(project)
    return project


def ok(project):
    code, said = doit(project)
    assert code == 0, said
    return said


def refused(project, message):
    code, said = doit(project)
    assert code != 0, said
    assert message in said
    assert "Traceback" not in said
    return said


def describe(project, image="os.img", more=""):
    project.dodo = DODO % (image, more)
    project.write("dodo.py", project.dodo)


def snapshot(project):
    """Return all that lies in the project and beside it, but for what doit writes itself."""
    found = {}
    for path in sorted(project.folder.parent.rglob("*")):
        if OURS.isdisjoint(path.parts):
            status = path.lstat()
            kind = stat.S_IFMT(status.st_mode)
            data = b"" if kind == stat.S_IFDIR else path.read_bytes() if kind == stat.S_IFREG else (
                os.readlink(path)
            )
            found[str(path)] = status.st_mode, status.st_nlink if data else 0, data
    return found


# A folder that has the state folder's name --------------------------------------------------------


def theirs(path):
    path.mkdir()
    for name in ("HEAD", "config", "index"):
        (path / name).write_bytes(b"precious")
    (path / "hooks").mkdir()


def lookalike(path):
    """Names of ours alone prove nothing."""
    path.mkdir()
    for name in ("lock", "generation", "seal.json", "esp.plan"):
        (path / name).write_bytes(b"{}")


def of_another_image(path):
    path.mkdir()
    (path / "owner.json").write_text('{"format": 1, "image": "other.img"}\n')
    (path / "seal.json").write_bytes(b"{}")


def marked_by_a_link(path):
    path.mkdir()
    (path.parent / "marker").write_text(json.dumps({"format": 1, "image": path.name[1:]}) + "\n")
    (path / "owner.json").symlink_to("../marker")


FOLDERS = {
    "git": (theirs, "it is not the state folder of an image 'git': it has no 'own"),
    "venv": (theirs, "it is not the state folder of an image 'venv': it has no 'own"),
    "os.img": (lookalike, "it is not the state folder of an image 'os.img': it has no 'own"),
    "a.img": (
        of_another_image,
        "its 'owner.json' says that it is the state folder of an image 'other.img', the state of "
        "the image 'a.img' can't lie in it (rename both back, or move it away, or give",
    ),
    "b.img": (marked_by_a_link, "it is not the state folder of an image 'b.img'"),
    "link": (
        lambda path: path.symlink_to("../victim"),
        "it is a symbolic link, the state of the image 'link' needs a folder there",
    ),
    "file": (
        lambda path: path.write_bytes(b"precious"),
        "it is a file, the state of the image 'file' needs a folder there",
    ),
}


@pytest.mark.parametrize("image", FOLDERS)
def test_a_folder_of_somebody_else_s(project, image, monkeypatch):
    make, message = FOLDERS[image]
    make(project.folder / f".{image}")
    describe(project, image)
    before = snapshot(project)
    refused(project, message)
    monkeypatch.chdir(project.folder)
    clean(image, image, (), dryrun=False)
    assert snapshot(project) == before
    with pytest.raises(WorldError, match="move it away, or give the image another name"):
        write(StateFolder(image).file("checked"), b"x")
    with pytest.raises(WorldError, match="move it away, or give the image another name"):
        Session().hold_alone(StateFolder(image).file("lock"), print)
    assert snapshot(project) == before


MODES = {
    "others may write": (0o755, 0o777, 0, "others may write to it, its mode is 777"),
    "the group may write": (0o755, 0o775, 0, "others may write to it, its mode is 775"),
    "as above it": (0o777, 0o777, 0, ""),
    "above it is sticky": (
        0o1777, 0o777, 0, "others may write to it, its mode is 777, only those may who may rename "
        "files in the folder that it is in (chmod go-w .os.img)",
    ),
    "the group, as above it": (0o775, 0o775, 0, ""),
    "somebody else's": (0o755, 0o755, 12345, "it belongs to user 12345"),
}


@pytest.mark.parametrize("row", MODES)
def test_a_folder_that_others_may_write_to(built, row):
    above, mode, owner, message = MODES[row]
    built.folder.chmod(above)
    (built.folder / ".os.img").chmod(mode)
    if owner:
        if os.geteuid():
            pytest.skip("only root may give a folder away")
        os.chown(built.folder / ".os.img", owner, -1)
    if message:
        built.write("a.bin", b"A" * 5000)
        before = snapshot(built)
        refused(built, message)
        assert snapshot(built) == before
    else:
        ok(built)


@pytest.mark.parametrize("above", [0o755, 0o775, 0o777, 0o1777])
def test_a_folder_of_our_own_is_never_one_that_we_refuse(tmp_path, above):
    tmp_path.chmod(above)
    old = os.umask(0)
    try:
        StateFolder(str(tmp_path / "os.img")).make()
    finally:
        os.umask(old)
    StateFolder(str(tmp_path / "os.img")).check()


def test_an_empty_folder_is_taken(project):
    (project.folder / ".os.img").mkdir()
    ok(project)


# Links in the state folder ------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["lock", "layout.json", "a.injected", "seal.json", "generation"])
@pytest.mark.parametrize("kind", ["symbolic", "hard"])
def test_a_link_in_the_place_of_a_state_file(built, name, kind, monkeypatch):
    path, victim = built.folder / ".os.img" / name, built.folder / "../victim/precious"
    before = victim.read_bytes()
    path.unlink()
    if kind == "symbolic":
        path.symlink_to("../../victim/precious")
    else:
        os.link(victim, path)
    built.write("a.bin", b"A" * 6000)
    code, said = doit(built)
    assert "Traceback" not in said
    assert victim.read_bytes() == before
    if kind == "symbolic":
        assert code != 0
        assert f".os.img/{name}: it is a symbolic link, a state file is a regular file" in said
        assert os.readlink(path) == "../../victim/precious"
    monkeypatch.chdir(built.folder)
    clean("os.img", "os.img", (), dryrun=False)
    assert victim.read_bytes() == before


def test_no_name_of_ours_can_be_guessed(tmp_path):
    """Once it was the file's, the process's id and .tmp."""
    (tmp_path / "victim").write_bytes(b"precious")
    state = StateFolder(str(tmp_path / "os.img"))
    state.make()
    path = state.file("a", ".plan")
    os.symlink("../victim", f"{path}.{os.getpid()}.tmp")
    write(path, b"new")
    assert read(path) == b"new"
    assert (tmp_path / "victim").read_bytes() == b"precious"
    names = {folder.temporary_name("x") for _ in range(50)}
    assert len(names) == 50


def test_what_lies_in_the_folder_and_is_not_ours_stays(built, capsys, monkeypatch):
    state = built.folder / ".os.img"
    (state / "notes").mkdir()
    (state / "notes/todo").write_bytes(b"precious")
    (state / "link").symlink_to("../../victim")
    monkeypatch.chdir(built.folder)
    clean("os.img", "os.img", (), dryrun=False)
    out = capsys.readouterr().out
    assert "os.img: left what is not ours: '.os.img/link', '.os.img/notes'" in out
    assert (state / "notes/todo").read_bytes() == b"precious"
    assert (built.folder / "../victim/precious").read_bytes() == b"precious"
    assert not (state / "seal.json").exists()
    ok(built)  # it is still the state folder of this image
    assert (state / "notes/todo").read_bytes() == b"precious"


@pytest.mark.parametrize(
    ("field", "path"),
    [
        ("image", "build/.a.img/b.img"), ("image", "alias/b.img"),
        ("output", "build/.a.img/x.gz"), ("output", "alias/x.gz"), ("linked", "alias/x.vmdk"),
    ],
)  # fmt: skip
def test_nothing_is_written_into_the_state_folder_of_another_image(project, field, path):
    describe(project, "build/a.img")
    ok(project)
    (project.folder / "alias").symlink_to("build/.a.img")
    for old, new in {"build/a.img": "image", "os.gz": "output", "linked.vmdk": "linked"}.items():
        project.dodo = project.dodo.replace(old, path if field == new else f"other-{old[-6:]}")
    project.write("dodo.py", project.dodo)
    before = {name.name for name in (project.folder / "build/.a.img").iterdir()}
    code, said = doit(project)
    assert code != 0, said
    assert "is the state folder of an image, a build writes nothing else there" in said
    assert {name.name for name in (project.folder / "build/.a.img").iterdir()} == before


# Folders beside files -----------------------------------------------------------------------------


def test_only_a_folder_of_ours_is_removed_beside_a_file(tmp_path):
    final = str(tmp_path / "out.bin")
    for name in (".out.bin.new", f".out.bin.{'0' * 16}.new"):
        (tmp_path / name).mkdir(0o700)
        (tmp_path / name / "precious").write_bytes(b"precious")
    (tmp_path / f".out.bin.{'1' * 16}.new").symlink_to(".out.bin.new")
    killed = Scratch(final)
    killed.__enter__()
    left = killed.path
    os.close(killed._marker)  # with it goes the lock, as when the process is killed
    running = Scratch(str(tmp_path / "out.bin"))
    running.__enter__()
    assert not os.path.lexists(left)
    with Scratch(final) as third:
        assert os.path.isdir(running.path)
        assert stat.S_IMODE(os.stat(third.path).st_mode) == 0o700
    running.__exit__(None, None, None)
    assert sorted(os.listdir(tmp_path)) == [
        f".out.bin.{'0' * 16}.new", f".out.bin.{'1' * 16}.new", ".out.bin.new",
    ]
    assert (tmp_path / ".out.bin.new/precious").read_bytes() == b"precious"


# A file in the place of one of ours ---------------------------------------------------------------


@pytest.mark.parametrize("mode", [0o644, 0o444])
@pytest.mark.parametrize("path", ["os.img", "os.gz", "linked.vmdk"])
def test_a_file_in_the_place_of_one_of_ours(project, path, mode, capsys):
    project.write(path, b"precious").chmod(mode)
    before = snapshot(project)
    refused(project, f"{path}: {MESSAGE}")
    after = snapshot(project)
    assert after[str(project.folder / path)] == before[str(project.folder / path)]
    if path == "os.img":
        assert after == before, "nothing at all was written"
    project.doit("clean", "-a")
    assert (project.folder / path).read_bytes() == b"precious"
    describe(project, more=", replace=True")
    ok(project)
    assert (project.folder / path).read_bytes() != b"precious"


@pytest.mark.parametrize("path", ["os.img", "os.gz", "linked.vmdk"])
def test_a_file_that_took_the_place_of_one_of_ours(built, path):
    """Removed and made anew, as an editor or a shell does; its inode may be the same."""
    (built.folder / path).unlink()
    built.write(path, b"precious")
    built.write("a.bin", b"A" * 5000)
    refused(built, f"{path}: {MESSAGE}")
    assert (built.folder / path).read_bytes() == b"precious"
    built.doit("clean", "-a")
    assert (built.folder / path).read_bytes() == b"precious"


@pytest.mark.parametrize("path", ["os.img", "os.gz", "linked.vmdk"])
def test_what_somebody_wrote_into_one_of_ours_is_made_anew(built, path):
    wanted = (built.folder / path).read_bytes()
    with (built.folder / path).open("r+b") as file:
        file.write(b"written in place")
    ok(built)
    assert (built.folder / path).read_bytes() == wanted
    (built.folder / path).write_bytes(b"shorter, in place")
    ok(built)
    assert (built.folder / path).read_bytes() == wanted


def test_a_state_folder_that_was_deleted(built):
    image = (built.folder / "os.img").read_bytes()
    shutil.rmtree(built.folder / ".os.img")
    for _ in range(2):
        refused(built, f"os.img: {MESSAGE}")
    assert (built.folder / "os.img").read_bytes() == image
    assert not (built.folder / ".os.img").exists()
    describe(built, more=", replace=True")
    ok(built)


def cp_a(source, target):
    shutil.copytree(source, target, symlinks=True)


def without_nanoseconds(source, target):
    shutil.copytree(source, target)
    for path in target.rglob("*"):
        seconds = int(path.stat().st_mtime)
        os.utime(path, (seconds, seconds))


@pytest.mark.parametrize("copy", [cp_a, without_nanoseconds])
def test_a_copy_of_the_project_is_ours(built, tmp_path, copy):
    copy(built.folder, tmp_path / "copy")
    other = Project(tmp_path / "copy", built.dodo, "os.img")
    other.write("a.bin", b"A" * 5000)
    ok(other)
    assert other.image_path.read_bytes()[:5000] == b"A" * 5000
    assert built.image_path.read_bytes()[:5000] == b"a" * 5000


def test_clean_removes_what_is_ours(built):
    built.doit("clean", "-a")
    left = {path.name for path in built.folder.iterdir()} - OURS
    assert left == {"a.bin", "b.bin"}


def test_an_output_stays_known_when_only_the_image_is_cleaned(built):
    built.doit("clean", "os.img:seal")
    assert not built.image_path.exists()
    ok(built)


def test_what_proves_a_file_ours(tmp_path):
    state = StateFolder(str(tmp_path / "os.img"))
    record, place, new = own.images(state), tmp_path / "os.img", tmp_path / "new"

    def ours():
        return own.is_claimed(record, str(place))

    new.write_bytes(b"x" * 100)
    own.claim(record, str(new), str(place))
    os.replace(new, place)
    assert ours()
    place.write_bytes(b"another length")
    assert ours()
    place.unlink()
    place.write_bytes(b"x" * 100)
    assert not ours()
    shutil.copy2(place, new)
    own.claim(record, str(new), str(place))
    assert not ours() or os.stat(new).st_mtime_ns == os.stat(place).st_mtime_ns
    os.replace(new, place)
    assert ours()
    shutil.copy2(place, new)
    os.replace(new, place)
    assert ours(), "a copy with its time stamp"
    os.utime(place)
    assert not ours()
    place.unlink()
    assert not ours()
    place.symlink_to("new")
    assert not ours()
    assert is_ours(SimpleNamespace(state=StateFolder(str(tmp_path / "nothing"))))


# Other names of a file ----------------------------------------------------------------------------


@pytest.mark.parametrize("edit", ["patch", "layout"])
def test_another_name_of_the_image_keeps_its_bytes(built, edit, tmp_path):
    released = built.folder / "release-1.img"
    os.link(built.image_path, released)
    before = released.read_bytes()
    assert ".  os.img" not in ok(built), "a name is no reason to build"
    if edit == "layout":
        built.dodo = built.dodo.replace("1MiB", "2MiB")
        built.write("dodo.py", built.dodo)
    built.write("a.bin", b"A" * 5000)
    said = ok(built)
    assert ("has another name too, which keeps the old file" in said) is (edit == "patch")
    assert released.read_bytes() == before
    assert built.sha256() == built.clean_build(tmp_path / "clean")
    assert built.image_path.stat().st_nlink == released.stat().st_nlink == 1


def test_a_project_of_links(built, tmp_path):
    """As ``cp -al`` makes one: what is edited in it may not show in the other."""
    shutil.copytree(built.folder, tmp_path / "copy", copy_function=os.link)
    before = snapshot(built)
    other = Project.__new__(Project)
    other.__dict__.update(built.__dict__, folder=tmp_path / "copy")
    (other.folder / "a.bin").unlink()
    other.write("a.bin", b"A" * 5000)
    for path in list(OURS):
        if (other.folder / path).is_file():
            data = (other.folder / path).read_bytes()
            (other.folder / path).unlink()
            (other.folder / path).write_bytes(data)
    ok(other)
    assert other.image_path.read_bytes()[:5000] == b"A" * 5000
    mine = {path: row[2] for path, row in snapshot(built).items() if "/project/" in path}
    assert mine == {path: row[2] for path, row in before.items() if "/project/" in path}


# From before there were markers -------------------------------------------------------------------


def make_old(project):
    """Take away what earlier versions did not write."""
    for name in ("owner.json", "images.json", "broken.json", "os.gz.output.json",
                 "linked.output.json"):
        (project.folder / ".os.img" / name).unlink(missing_ok=True)


@pytest.mark.parametrize("wrote", [False, True], ids=["as built", "a guest wrote"])
def test_a_state_folder_from_before_there_were_markers(built, wrote):
    make_old(built)
    if wrote:
        with built.image_path.open("r+b") as image:
            image.write(b"guest")
    built.write("b.bin", b"B" * 5000)
    ok(built)
    assert built.image_path.read_bytes()[:5] == b"aaaaa"
    assert (built.folder / ".os.img/owner.json").exists()
    assert ".  os.img" not in ok(built)


@pytest.mark.parametrize("edited", [False, True])
def test_a_copy_of_a_project_from_before_there_were_markers(built, edited, tmp_path):
    make_old(built)
    cp_a(built.folder, tmp_path / "copy")
    other = Project(tmp_path / "copy", built.dodo, "os.img")
    if edited:
        other.write("a.bin", b"A" * 5000)
    ok(other)
    assert other.sha256() == other.clean_build(tmp_path / "clean")


# Who wrote to the image ---------------------------------------------------------------------------


def rebooted(project):
    """The seal, and what else there is, is of another boot."""
    for name in ("seal.json", "broken.json"):
        path = project.folder / ".os.img" / name
        if path.exists():
            data = json.loads(path.read_bytes())
            path.write_text(json.dumps({**data, "boot": "another"}))


def lose(*names):
    def lost(project):
        for name in names:
            (project.folder / ".os.img" / name).unlink(missing_ok=True)

    return lost


def nothing(project):
    pass


WROTE, LOST = "something else wrote to it since", "nothing tells whether something else wrote to it"
DOUBTS = {
    "nothing": (nothing, "", WROTE),
    "a reboot": (rebooted, "", WROTE),
    "the seal lost": (lose("seal.json", "broken.json"), LOST, LOST),
}


@pytest.mark.parametrize("wrote", [False, True], ids=["quiet", "a guest wrote"])
@pytest.mark.parametrize("row", DOUBTS)
def test_guest_writes_error_forgets_nothing(project, row, wrote):
    describe(project, more=', guest_writes="error"')
    ok(project)
    happens, quiet, written = DOUBTS[row]
    if wrote:
        with project.image_path.open("r+b") as image:
            image.seek(500_000)
            image.write(b"a guest's precious data")
    happens(project)
    project.write("a.bin", b"A" * 5000)
    before = project.image_path.read_bytes()
    message = written if wrote else quiet
    if not message:
        ok(project)
        return
    for _ in range(2):
        refused(project, message)
        assert project.image_path.read_bytes() == before
    describe(project)
    said = ok(project)
    assert "it is built anew" in said
    assert project.image_path.read_bytes()[:5000] == b"A" * 5000


HOOK = '''
import os, signal
from pathlib import Path
from types import SimpleNamespace
from doit_diskimg.host import hashing
real = os.pread if False else os.pwrite
def pwrite(handle, data, offset):
    if os.path.exists("fail"):
        kind = Path("fail").read_text()
        if kind == "kill before" or len(data) > 3000:
            os.unlink("fail")
            if kind == "ENOSPC":
                raise OSError(28, "No space left on device")
            if kind == "kill after":
                real(handle, data, offset)
            os.kill(os.getpid(), signal.SIGKILL)
    return real(handle, data, offset)
os.pwrite = pwrite
'''


@pytest.mark.parametrize(
    ("how", "wrote", "message"),
    [
        ("ENOSPC", False, ""),
        ("ENOSPC", True, LOST),
        ("kill after", False, LOST),  # nobody knows whether what came after was the guest's
    ],
)
def test_a_build_of_ours_is_not_taken_for_a_guest(project, how, wrote, message):
    project.dodo = HOOK + DODO % ("os.img", ', guest_writes="error"')
    project.write("dodo.py", project.dodo)
    ok(project)
    project.write("a.bin", b"A" * 5000)
    project.write("fail", how.encode())
    assert doit(project)[0] != 0
    assert not (project.folder / "fail").exists()
    if wrote:
        with project.image_path.open("r+b") as image:
            image.seek(500_000)
            image.write(b"a guest's precious data")
    if message:
        refused(project, message)
        assert (b"precious" in project.image_path.read_bytes()) is wrote
    else:
        ok(project)
        assert project.image_path.read_bytes()[:5000] == b"A" * 5000
