"""Only a regular file is ever written; everything else is refused before a byte is."""

import os
import socket
import stat

import pytest
from project import Project

from doit_diskimg.errors import WorldError
from doit_diskimg.host import image, own, workshop
from doit_diskimg.host.state import StateFolder

assert workshop, "loaded before a test puts another file system in the place of the real one"

DODO = '''
from doit_diskimg import Disk, Esp, Gpt, Tree
disk = Disk("%s", size="40MiB", table=Gpt(), name="os.img", partitions=[
    Esp({"kernel.elf": "kernel.elf", "etc": Tree("%s")}, size="33MiB"),
])
def task_image():
    return disk.tasks()
'''


def make(folder, image="os.img", tree="etc"):
    project = Project(folder, DODO % (image, tree), image=image)
    project.write("kernel.elf", b"kernel" * 1000)
    project.write("etc/motd", b"hello")
    return project


def fifo(path):
    os.mkfifo(path)


def unix_socket(path):
    socket.socket(socket.AF_UNIX).bind(os.fspath(path))


def link_to(target):
    def link(path):
        (path.parent / "victim").write_bytes(b"precious")
        path.symlink_to(target)

    return link


def device(kind, major, minor):
    def node(path):
        try:
            os.mknod(path, kind | 0o600, os.makedev(major, minor))
        except PermissionError:
            pytest.skip("only root may make device nodes")

    return node


WRONG = {
    "a directory": (lambda path: path.mkdir(), "it is a directory"),
    "a named pipe": (fifo, "it is a named pipe"),
    "a socket": (unix_socket, "it is a socket"),
    "a character device": (device(stat.S_IFCHR, 1, 3), "it is a character device"),
    "a block device": (device(stat.S_IFBLK, 7, 200), "it is a block device"),
    "a link to a file": (link_to("victim"), "it is a symbolic link"),
    "a link to a device": (link_to("/dev/null"), "it is a symbolic link"),
    "a link to nothing": (link_to("nothing"), "it is a symbolic link"),
}


@pytest.mark.parametrize("what", WRONG)
def test_a_target_that_is_no_regular_file(tmp_path, what):
    make_it, message = WRONG[what]
    project = make(tmp_path)
    make_it(project.image_path)
    before = os.lstat(project.image_path)
    run = project.doit(code=1)
    assert f"os.img: os.img: {message}, an image is a regular file and nothing else" in run.said
    assert os.lstat(project.image_path).st_mtime_ns == before.st_mtime_ns
    if (tmp_path / "victim").exists():
        assert (tmp_path / "victim").read_bytes() == b"precious"


@pytest.mark.parametrize("what", ["a named pipe", "a link to a file"])
def test_a_finished_image_that_was_replaced(tmp_path, what):
    """Also between two builds, when everything else is up to date."""
    project = make(tmp_path)
    project.doit()
    project.image_path.unlink()
    WRONG[what][0](project.image_path)
    assert WRONG[what][1] in project.doit(code=1).said


@pytest.mark.parametrize("image", ["/dev/sdz", "/dev/does-not-exist/../sdz9", "/dev/null"])
def test_nothing_below_dev(tmp_path, image):
    project = make(tmp_path, image=image)
    run = project.doit(code=1)
    assert "an image is a regular file and nothing else" in run.said or "state folder" in run.said
    assert not os.path.lexists("/dev/sdz")
    assert not os.path.lexists("/dev/.sdz")


def test_an_image_in_shared_memory_is_an_ordinary_file():
    import shutil
    import tempfile
    from pathlib import Path

    folder = Path(tempfile.mkdtemp(dir="/dev/shm"))
    try:
        make(folder).doit()
    finally:
        shutil.rmtree(folder)


@pytest.mark.parametrize(
    ("image", "tree"), [("etc/os.img", "etc"), ("os.img", "."), ("a/../etc/x/os.img", "./etc")]
)
def test_an_image_inside_its_own_sources(tmp_path, image, tree):
    run = make(tmp_path, image, tree).doit(code=3)
    assert "partitions[0].files['etc']: the image " in run.said
    assert "itself is in it, an image can't be part of itself" in run.said


# A machine whose disks can be lost ---------------------------------------------------------------

DISKS = {
    "/dev/sda": stat.S_IFBLK, "/dev/nvme0n1p2": stat.S_IFBLK, "/dev/loop0": stat.S_IFBLK,
    "/dev/mapper/root": stat.S_IFBLK, "/dev/mem": stat.S_IFCHR, "/mnt/disks/b": stat.S_IFBLK,
}


@pytest.fixture
def machine(fs):
    """A made-up machine with block devices that everybody may write to, and links to them."""
    for path, kind in DISKS.items():
        fs.create_file(path, contents="precious", st_mode=kind | 0o666)
    fs.create_symlink("/dev/disk/by-label/ROOT", "/dev/sda")
    fs.create_symlink("/home/me/os.img", "/dev/disk/by-label/ROOT")
    fs.create_symlink("/home/me/devices", "/dev")
    return fs


ON_THE_MACHINE = [
    *DISKS, "/dev/disk/by-label/ROOT", "/home/me/os.img", "/home/me/devices/sda",
    "/home/me/devices/new", "/dev/sdb", "/dev/disk/by-label/NEW", "/dev/mapper/../new",
]


@pytest.mark.parametrize("path", ON_THE_MACHINE)
def test_no_disk_of_a_machine_is_a_target(machine, path):
    with pytest.raises(WorldError, match="an image is a regular file and nothing else"):
        own.check_target(path)
    assert all(machine.get_object(disk).contents == "precious" for disk in DISKS)
    assert not machine.exists("/dev/sdb")


@pytest.mark.parametrize("path", [*DISKS, "/dev/disk/by-label/ROOT", "/home/me/os.img"])
def test_no_disk_of_a_machine_is_patched(machine, path):
    """Also if it took the place of the image after that was looked at."""
    with pytest.raises(WorldError, match=r"it is a (block device|character device|symbolic link),"):
        image.ImageFile(path)
    assert all(machine.get_object(disk).contents == "precious" for disk in DISKS)


def test_a_new_image_replaces_a_link_and_no_disk(machine):
    state = StateFolder("/home/me/os.img")
    state.make()
    machine.create_symlink(state.building("1" * 32), "/dev/sda")
    image.create_sparse(state.building("1" * 32), 4096)
    assert stat.S_ISREG(os.lstat(state.building("1" * 32)).st_mode)
    assert all(machine.get_object(disk).contents == "precious" for disk in DISKS)


def test_clean_leaves_a_link_and_a_disk(machine):
    state = StateFolder("/home/me/os.img")
    state.make()
    machine.create_symlink("/home/me/.os.img/seal.json", "/dev/sda")
    assert state.remove() == ([], [f"{state.path}/seal.json"])
    assert os.path.islink("/home/me/os.img")
    assert all(machine.get_object(disk).contents == "precious" for disk in DISKS)


def test_a_full_disk_gets_no_image_of_half_the_length(fs):
    """Sparse or not: what can't be made is told with the room there is, and leaves nothing."""
    fs.create_dir("/small")
    StateFolder("/small/os.img").make()
    fs.set_disk_usage(1000, "/small")
    with pytest.raises(WorldError, match=r"No space left on device \(967 B free\), the build has "
                                         r"to create an image of 4,096 bytes"):
        image.create_sparse("/small/.os.img/new.img", 4096)
    assert os.listdir("/small/.os.img") == ["owner.json"]
