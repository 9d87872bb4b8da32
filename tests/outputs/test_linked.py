"""The linked image: QEMU sees the disk, nobody wrote it, and nobody can write through it."""

import json
import os
import subprocess

import pytest
from project import Project
from tools import run, tool

from doit_diskimg.errors import WorldError
from doit_diskimg.kinds.outputs.link_formats import MOST_EXTENTS, can_name

MIB = 1 << 20

DODO = '''
from doit_diskimg import Disk, Esp, File, Gpt, Partition, Segment, Tree

disk = Disk("build/os.img", size="%(size)s", table=Gpt(), partitions=[
    Esp({"kernel.elf": "kernel.elf", "initrd": "initrd", "modules": Tree("modules")}, size="48MiB"),
    Partition("root", File("root.bin"), type="linux-filesystem"),
    Partition("linked", File("kernel.elf"), type="linux-filesystem"),
], segments=[Segment("boot", b"\\xf4" * 440, 0), Segment("odd", "root.bin", "20001")])

DOIT_CONFIG = {"default_tasks": ["os.img:linked"]}

def task_image():
    return disk.tasks()

def task_linked():
    return disk.linked_task()
'''


def make(folder, size="64MiB"):
    tool("qemu-img")
    project = Project(folder, DODO % {"size": size})
    project.write("kernel.elf", bytes(i % 251 for i in range(3_000_001)))
    project.write("initrd", bytes(i * i % 241 for i in range(8_000_100)))
    project.write("root.bin", b"r" * 99_999)
    for number in range(300):
        project.write(f"modules/{number:03}.ko", bytes([number % 251]) * (1000 + 300 * number))
    return project


def descriptor(project):
    return project.folder / "build/os.img.vmdk"


def drive(project):
    """Ask as a task that starts QEMU asks, in the project's folder."""
    code = "import sys; from doit_diskimg.host.linked_image import drive\n" \
        "from doit_diskimg.errors import WorldError\n" \
        "try: print(drive('build/os.img'))\nexcept WorldError as error: sys.exit(str(error))"
    done = subprocess.run([os.sys.executable, "-c", code], cwd=project.folder, capture_output=True,
                          text=True, env={**os.environ, "PYTHONPATH": os.getcwd()}, check=False)
    if done.returncode:
        raise WorldError(done.stderr.strip())
    return done.stdout.strip()


def compare(project):
    """Build the real image and let qemu-img compare both."""
    project.doit("os.img")
    assert "identical" in run(
        "qemu-img", "compare", "-f", "vmdk", "-F", "raw", descriptor(project), project.image_path
    )
    info = json.loads(run("qemu-img", "info", "-f", "vmdk", "--output=json", descriptor(project)))
    assert info["virtual-size"] == project.image_path.stat().st_size


def test_it_is_the_image_and_stays_it(tmp_path):
    project = make(tmp_path / "p")
    first = project.doit()
    assert not project.image_path.exists(), "nobody needs the image"
    assert "os.img:create" not in first.ran
    compare(project)
    assert len(descriptor(project).read_text().splitlines()) < MOST_EXTENTS + 7
    assert not project.doit().ran

    project.write("initrd", bytes(i * i % 239 for i in range(8_100_000)))
    trace = tmp_path / "trace"
    project.doit_under_strace(trace)
    assert written(trace) < 256 << 10
    assert project.doit("os.img:linked").ran == set()
    compare(project)

    (project.folder / "modules/007.ko").unlink()
    project.write("root.bin", b"R" * 200_000)
    project.doit()
    compare(project)


def written(trace):
    """Return the bytes that went into the disk: everything beneath the build folder."""
    total = 0
    for line in trace.read_text().splitlines():
        if "write" in line and "needs-snapshot-on.img>" in line and "= " in line:
            total += max(int(line.rsplit("= ", 1)[1].split()[0]), 0)
    assert total, "strace saw no write at all"
    return total


def test_any_history_ends_in_the_same_bytes(tmp_path):
    project = make(tmp_path / "p")
    project.doit()
    rest = project.folder / "build/.os.img/linked-needs-snapshot-on.img"
    for edit in (b"a" * 20_000, b"b" * 5_000_000, b"c" * 10):
        project.write("initrd", edit)
        project.doit()
    before = rest.read_bytes()
    subprocess.run(["rm", "-r", project.folder / "build"], check=True)
    project.doit()
    assert rest.read_bytes() == before


def test_a_disk_of_64_gib_costs_nothing(tmp_path):
    project = make(tmp_path / "p", size="64GiB")
    project.doit()
    rest = project.folder / "build/.os.img/linked-needs-snapshot-on.img"
    assert rest.stat().st_size == 64 << 30
    assert rest.stat().st_blocks * 512 < 16 * MIB


def test_a_guest_can_not_write(tmp_path):
    project = make(tmp_path / "p")
    project.doit()
    before = (project.folder / "kernel.elf").read_bytes()
    path = descriptor(project)
    done = subprocess.run([tool("qemu-io"), "-f", "vmdk", "-c", "write 0 512", path],
                          capture_output=True, text=True, check=False)
    assert done.returncode != 0
    assert 'Failed to get "resize" lock' in done.stderr
    assert "linked-needs-snapshot-on.img" in done.stderr
    run("qemu-io", "-f", "vmdk", "-s", "-c", "write -P 7 1M 24M", path)  # -s is snapshot=on
    assert (project.folder / "kernel.elf").read_bytes() == before
    assert drive(project) == "format=vmdk,snapshot=on,file=./build/os.img.vmdk"


ALONE = {
    "one file is the whole disk": ("table=None, partitions=[Partition('a', File('disk.bin'))]"),
    "nothing is linked": ("table=Gpt(), partitions=[Partition('a', File('x'), type='esp')]"),
}


@pytest.mark.parametrize("row", ALONE)
def test_no_descriptor_opens_for_writing(tmp_path, row):
    project = Project(tmp_path, f'''
from doit_diskimg import Disk, File, Gpt, Partition
disk = Disk("build/os.img", size="1MiB", {ALONE[row]}, align=65536)
def task_image():
    return disk.tasks()
def task_linked():
    return disk.linked_task()
''')
    project.write("disk.bin", b"d" * MIB)
    project.write("x", b"x")
    project.doit()
    compare(project)
    done = subprocess.run([tool("qemu-io"), "-f", "vmdk", "-c", "read 0 512", descriptor(project)],
                          capture_output=True, text=True, check=False)
    assert "lock" in done.stderr


def damage(path, data=b"guest"):
    def edit(project):
        with (project.folder / path).open("r+b") as file:
            file.write(data)

    return edit


STALE = {
    "nothing": (lambda project: None, ""),
    "a file that was only touched": (lambda p: os.utime(p.folder / "kernel.elf", (1, 1)), ""),
    "a linked file changed": (damage("kernel.elf"), "the contents of 'kernel.elf' changed"),
    "a linked file is gone": (lambda p: (p.folder / "initrd").unlink(), "No such file"),
    "the rest was written to": (
        damage("build/.os.img/linked-needs-snapshot-on.img"), "is not what its task wrote",
    ),
    "the descriptor was edited": (damage("build/os.img.vmdk"), "is not what its task wrote"),
    "never made": (lambda p: p.doit("clean", "os.img", "os.img:linked"), "it has not been made"),
}


@pytest.fixture(scope="module")
def project(tmp_path_factory):
    project = make(tmp_path_factory.mktemp("linked") / "p")
    project.write("root.bin", b"r" * 100)
    return project


@pytest.mark.parametrize("row", STALE)
def test_a_stale_one_is_refused_and_made_again(project, row):
    project.doit()
    before = (project.folder / "initrd").read_bytes()
    edit, message = STALE[row]
    edit(project)
    if message:
        with pytest.raises(WorldError) as refused:
            drive(project)
        text = str(refused.value)
        assert message in text
        assert text.startswith("linked image of build/os.img: ")
        assert "\n" not in text
    else:
        assert drive(project)
    project.write("initrd", before)
    project.doit()
    assert drive(project)
    compare(project)


def test_names_that_a_descriptor_can_not_hold(tmp_path):
    assert can_name("/build/a file, with: everything=ünicode")
    assert not can_name('/build/a "quoted" file')
    assert not can_name("/" + "x" * 511)
    project = make(tmp_path / "p")
    quoted, odd = 'a "large" one', "with spaces, commas: and ünicode"
    project.write(quoted, b"q" * 100_000)
    project.write(odd, b"s" * 100_000)
    old = 'Tree("modules")'
    project.write("dodo.py", project.dodo.replace(old, f'{old}, "q": {quoted!r}, "o": {odd!r}'))
    project.doit()
    compare(project)
    assert "large" not in descriptor(project).read_text()
    assert "commas: and" in descriptor(project).read_text()


def test_a_wrong_path_is_told_with_what_else_is_wrong(tmp_path):
    project = make(tmp_path)
    wrong = DODO.replace("disk.linked_task()", "disk.linked_task(5)") % {"size": "64MB"}
    project.write("dodo.py", wrong.replace("return disk.tasks()", "return None"))
    assert project.doit(code=3).err.splitlines() == [
        "ERROR: os.img: size: '64MB' has the unknown unit 'MB', must be bytes or a number with "
        'KiB, MiB, GiB or TiB (write for example "33MiB")',
        "os.img: linked: 5 is not a path, must be the path of the descriptor "
        '(write for example linked_task("build/os.vmdk"), or linked_task())',
    ]
