"""A user's mistakes: one line each that says where, what is, what must be and what to change.

No traceback, an exit code that is not zero, and an image that was there before stays as it was.
"""

import pytest
from project import Project

DODO = '''
from doit_diskimg import Disk, Esp, Fat, File, Gpt, Mbr, Partition, Segment, Tree

GOOD = dict(size="64MiB", table=Gpt(), partitions=[
    Esp({"kernel.elf": "kernel.elf"}, size="33MiB"),
    Partition("root", File("root.bin"), type="linux-filesystem"),
])
disk = Disk("os.img", **{**GOOD, **dict(%s)})

def task_image():
    return disk.tasks()
'''

BAD = {
    "unknown type name": (
        'partitions=[Partition("root", File("root.bin"), type="linux-fs")]',
        "os.img: partitions[0].type: 'linux-fs' is no such type, must be a name that a GPT has a "
        "type for, or a type GUID (use 'linux-filesystem')",
    ),
    "file larger than its partition": (
        'partitions=[Partition("root", File("root.bin"), type="linux-filesystem", size=65536)]',
        "os.img: partitions[0] 'root': its content has 100,000 bytes (97.6 KiB), the "
        "partition has 64 KiB (give it size=100352 or more, or shrink it)",
    ),
    "files larger than their volume": (
        'partitions=[Esp({"big": "big.bin"}, size="2MiB")]',
        "os.img: partitions[0]",
    ),
    "missing source": (
        'partitions=[Esp({"kernel.elf": "no-such.elf"}, size="33MiB")]',
        "os.img: partitions[0].files['kernel.elf']: 'no-such.elf' does not exist, must be a file, "
        "or the target of another task (build it or fix the path)",
    ),
    "missing tree": (
        'partitions=[Esp({"/": Tree("nowhere")}, size="33MiB")]',
        "os.img: partitions[0].files['/']: 'nowhere' does not exist, must be a directory "
        "(create it or fix the path)",
    ),
    "directory given as a file": (
        'partitions=[Partition("root", File("folder"), type="linux-filesystem")]',
        "os.img: partitions[0].payload: 'folder' is a directory, must be a regular file "
        "(write Tree('folder') for everything below it)",
    ),
    "FAT32 on 16 MiB": (
        'partitions=[Esp({}, fat=32, size="16MiB")]',
        "os.img: partitions[0]",
    ),
    "label too long": (
        'partitions=[Esp({}, label="TWELVE CHARS", size="33MiB")]',
        "os.img: partitions[0].label: 'TWELVE CHARS'",
    ),
    "overlap of partitions": (
        'partitions=[Partition("a", File("root.bin"), type="esp", start="1MiB"),'
        ' Partition("b", File("root.bin"), type="esp", start=1114112)]',
        "os.img: partitions[1] 'b': 0x110000..0x128800 overlaps 'a' (partitions[0]) at "
        "0x100000..0x118800 by 34816 bytes, no byte may belong to two parts (give 'b' a start of "
        "1148928 or more, or shorten 'a')",
    ),
    "boot code over the table": (
        'segments=[Segment("boot", bytes(512), 0)]',
        "os.img: segments[0] 'boot': 0x0..0x200 overlaps 'protective MBR' (table) at "
        "0x1b8..0x200 by 72 bytes, no byte may belong to two parts "
        "('boot' may have 440 bytes there, or span it with keep=[(440, 512)])",
    ),
    "segment over the GPT": (
        'segments=[Segment("stage2", bytes(512), 1024)]',
        "os.img: segments[0] 'stage2': 0x400..0x600 overlaps 'GPT entry array' (table)",
    ),
    "unaligned start": (
        'partitions=[Partition("root", File("root.bin"), type="esp", start=1000000)]',
        "os.img: partitions[0].start: 1000000 bytes are not whole sectors, must be a multiple of "
        "512 (the nearest are 999936 and 1000448)",
    ),
    "disk too small": (
        'size="34MiB"',
        "os.img: partitions[0] 'esp': 0x100000..0x2200000 runs past the end of the room that "
        "the table leaves at 0x21fbe00, every part must lie inside (raise the disk's size from "
        '34 MiB to "35MiB" or make the parts smaller)',
    ),
    "disk too small for its table": ('size=8192, partitions=[]', "os.img: size: "),
    "size with a decimal unit": (
        'size="64MB"',
        "os.img: size: '64MB' has the unknown unit 'MB', must be bytes or a number with KiB, MiB, "
        'GiB or TiB (write for example "33MiB")',
    ),
    "two problems at once": (
        'size="x", partitions=[Partition("a=b", File("root.bin"), type="esp")]',
        "os.img: size: 'x' is not a size",
    ),
    "no payload": (
        'partitions=[Partition("root", "root.bin", type="esp")]',
        "os.img: partitions[0].payload: 'root.bin' is not a payload, must be Fat(...), File(...)",
    ),
    "no type": (
        'partitions=[Partition("root", File("root.bin"))]',
        "os.img: partitions[0].type: ",
    ),
}


@pytest.fixture
def project(tmp_path):
    project = Project(tmp_path, DODO % "", image="os.img")
    project.write("kernel.elf", b"k" * 1000)
    project.write("root.bin", b"r" * 100_000)
    project.write("big.bin", b"b" * 3_000_000)
    (tmp_path / "folder").mkdir()
    return project


@pytest.mark.parametrize("mistake", BAD)
def test_one_line_and_nothing_written(project, mistake):
    project.doit()
    before = project.sha256(), project.image_path.stat().st_mtime_ns
    change, message = BAD[mistake]
    project.write("dodo.py", DODO % change)
    run = project.doit(code=None)
    assert run.code != 0
    lines = [line for line in run.said.splitlines() if "os.img: " in line]
    assert any(line.removeprefix("ERROR: ").startswith(message) for line in lines), run.said
    for line in lines:
        assert line.endswith(")"), f"no remedy: {line}"
    assert (project.sha256(), project.image_path.stat().st_mtime_ns) == before
    project.write("dodo.py", DODO % "")
    project.doit()
    assert project.sha256() == before[0]


def test_all_problems_of_a_description_are_listed_at_once(project):
    change = (
        'size="x", align=0, partitions=[Partition("a=b", File("root.bin"), type="nonsense"),'
        ' Esp({}, label="lower case and long", size=5)]'
    )
    project.write("dodo.py", DODO % change)
    run = project.doit(code=3)
    places = [
        line.removeprefix("ERROR: ").split(": ")[1]
        for line in run.said.splitlines()
        if "os.img: " in line
    ]
    assert {
        "size", "align", "partitions[0].name", "partitions[0].type", "partitions[1].size",
        "partitions[1].label",
    } <= set(places)


def test_an_image_that_is_no_regular_file_is_refused(project):
    project.image_path.mkdir()
    run = project.doit(code=1)
    message = "os.img: os.img: it is a directory, an image is a regular file and nothing else"
    assert message in run.said


def test_a_file_where_the_state_folder_would_be(project):
    project.write(".os.img", b"mine")
    run = project.doit(code=3)
    assert run.said.startswith("ERROR: os.img: .os.img: it is a file, the state of the image 'os.i")
    assert (project.folder / ".os.img").read_bytes() == b"mine"
    assert not project.image_path.exists()


def test_state_files_that_can_not_be_read(project):
    """A folder stands for it: that one nobody can read, also where tests run as root."""
    project.doit()
    before, state = project.sha256(), project.folder / ".os.img"
    # Nobody reads these where nothing is to be written.
    others = {"lock", "patching", "esp.outline.json", "owner.json", "images.json"}
    files = sorted(file for file in state.iterdir() if file.name not in others)
    assert len(files) > 10
    for file in files:
        kept = file.rename(project.folder / "kept")
        file.mkdir()
        run = project.doit(code=None)
        assert run.code != 0, file.name
        (line,) = [line for line in run.said.splitlines() if "os.img: " in line]
        assert f"os.img: .os.img/{file.name}: Is a directory, the build has to " in line
        file.rmdir()
        kept.rename(file)
        project.doit()
        assert project.sha256() == before


TWO = '''
from doit_diskimg import Disk, Mbr

def image(path, **more):
    return Disk(path, size="1MiB", table=Mbr(), **more)

disks = %s

def task_first():
    return disks[0].tasks()

def task_second():
    return disks[1].tasks()
'''


def test_two_disks_of_one_name(tmp_path):
    """As usual as images of one file name in several folders."""
    project = Project(tmp_path, TWO % 'image("x86/os.img"), image("arm/os.img")')
    assert (
        "os.img: name: 'os.img' is the name of the disk 'x86/os.img' too, the tasks of "
        "'arm/os.img' need another (give one of the two name=\"...\")"
    ) in project.doit(code=3).said
    project.write("dodo.py", TWO % 'image("x86/os.img"), image("arm/os.img", name="arm")')
    assert {"os.img:seal", "arm:seal"} <= project.doit().ran


def test_a_disk_that_moved_between_two_readings(tmp_path, monkeypatch):
    """A process that reads dodo.py again knows nothing of what it read before."""
    from doit.cmd_base import ModuleTaskLoader
    from doit.doit_cmd import DoitMain

    from doit_diskimg import Disk, Mbr

    monkeypatch.chdir(tmp_path)
    for path in ("one/os.img", "two/os.img"):
        disk = Disk(path, size="1MiB", table=Mbr())
        assert DoitMain(ModuleTaskLoader({"task_image": disk.tasks})).run([]) == 0
