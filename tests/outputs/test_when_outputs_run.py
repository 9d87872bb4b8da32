"""When an output is made again, and what is there after a failure."""

import os
import signal

import pytest
from project import Project
from tools import tool

DODO = '''
import json, os, resource
from pathlib import Path

from doit_diskimg import (
    Compressed, Disk, Fat, Mbr, Partition, PartitionFile, Qcow2, Sha256,
)

spec = json.loads(Path("spec.json").read_text())

disk = Disk("build/os.img", size="4MiB", table=Mbr(), partitions=[
    Partition("data", Fat({"kernel.elf": "kernel.elf"}), size="2MiB"),
], outputs=[
    Qcow2("build/os.qcow2", options=spec),
    Compressed("build/os.img.gz"),
    PartitionFile("build/data.img", partition="data"),
    Sha256("build/sums", of=["build/os.img", "build/os.qcow2", "notes.txt"]),
])

if "FSIZE" in os.environ:
    resource.setrlimit(resource.RLIMIT_FSIZE, (int(os.environ["FSIZE"]),) * 2)

def task_image():
    return disk.tasks()
'''

ALL = "qcow2 gz data:file sha256"
KERNEL = os.urandom(300_000)


@pytest.fixture
def project(tmp_path):
    tool("qemu-img")
    project = Project(tmp_path / "project", DODO)
    project.write("spec.json", "{}")
    project.write("kernel.elf", KERNEL)
    project.write("notes.txt", b"first version\n")
    return project


def made(run):
    """The outputs that were made, by the names of their tasks."""
    return {task.removeprefix("os.img:") for task in run.ran} & set(ALL.split())


def write(path, data):
    return lambda project: project.write(path, data)


def remove(path):
    return lambda project: (project.folder / path).unlink()


def other_qemu_img(version):
    """Another qemu-img in front of the real one."""

    def edit(project):
        script = f"""#!/bin/sh
[ "$1" = --version ] && echo "{version}" && exit
exec {tool("qemu-img")} "$@"
"""
        project.write("bin/qemu-img", script).chmod(0o755)
        project.env = {"PATH": f"{project.folder / 'bin'}:{os.environ['PATH']}"}

    return edit


def same_version(project):
    from doit_diskimg.host.program import version
    from doit_diskimg.kinds.outputs.virtual_disks import QEMU_IMG

    other_qemu_img(version(QEMU_IMG, tool("qemu-img"), "test"))(project)


def poke_and_rebuild(project):
    """The same contents in another file, with another time stamp."""
    with project.image_path.open("r+b") as image:
        image.write(b"guest")


TABLE = {
    "nothing": (lambda project: None, ""),
    "kernel changed": (write("kernel.elf", KERNEL[::-1]), ALL),
    "kernel written again, the same": (write("kernel.elf", KERNEL), ""),
    "image edited by hand": (poke_and_rebuild, ""),
    "an output deleted": (remove("build/data.img"), "data:file"),
    "an output edited": (write("build/os.img.gz", b"other"), "gz"),
    "an option": (write("spec.json", '{"cluster_size": "128k"}'), "qcow2 sha256"),
    "a file that is summed": (write("notes.txt", b"second version\n"), "sha256"),
    "another version of the program": (other_qemu_img("qemu-img version 99"), "qcow2"),
    "another program of the same version": (same_version, ""),
}


@pytest.mark.parametrize("row", TABLE)
def test_what_is_made_again(project, row, tmp_path):
    edit, expected = TABLE[row]
    assert made(project.doit()) == set(ALL.split())
    edit(project)
    assert made(project.doit()) == set(expected.split())
    assert not project.doit().ran


def test_doit_info_says_why(project):
    project.doit()
    project.write("kernel.elf", b"other")
    project.doit("os.img:seal")
    said = project.doit("info", "os.img:gz", code=1).out
    assert "the contents of 'build/os.img' changed" in said
    other_qemu_img("qemu-img version 99")(project)
    project.write("kernel.elf", KERNEL)
    project.doit("os.img:seal")
    assert "the version of qemu-img changed" in project.doit("info", "os.img:qcow2", code=1).out


def test_one_output_can_be_asked_for(project):
    assert made(project.doit("os.img:data:file")) == {"data:file"}
    assert made(project.doit("build/os.img.gz")) == {"gz"}


def test_clean_removes_outputs(project):
    project.doit()
    project.doit("clean", "os.img")
    assert list((project.folder / "build").iterdir()) == []


def test_a_missing_program_is_one_line(project):
    project.env = {"PATH": str(project.folder / "nowhere")}
    run = project.doit(code=1)
    assert (
        "os.img: build/os.qcow2: the program qemu-img is not installed, it has to make os.qcow2 "
        "(install it; in Debian it is in the package qemu-utils)"
    ) in run.said
    project.env = {}
    assert made(project.doit()) >= {"qcow2", "sha256"}


def test_a_program_that_is_gone_leaves_its_output_right(project):
    project.doit()
    project.env = {"PATH": str(project.folder / "nowhere")}
    assert not project.doit().ran


def broken_qemu_img(project, how):
    script = f"""#!/bin/sh
[ "$1" = --version ] && echo "qemu-img version 99" && exit
for target; do :; done
head -c 1000 /dev/zero > "$target"
{how}
"""
    project.write("bin/qemu-img", script).chmod(0o755)
    project.env = {"PATH": f"{project.folder / 'bin'}:{os.environ['PATH']}"}


@pytest.mark.parametrize("before", ["nothing", "an older one"])
@pytest.mark.parametrize("how", ["fails", "killed"])
def test_half_an_output_is_never_taken_for_done(project, how, before, tmp_path):
    target = project.folder / "build/os.qcow2"
    if before == "an older one":
        project.doit()
        project.write("kernel.elf", KERNEL[::-1])
    whole = target.read_bytes() if target.exists() else None
    if how == "fails":
        broken_qemu_img(project, 'echo "qemu-img: no space left" >&2; exit 3')
        assert (
            "os.img: build/os.qcow2: qemu-img ended with 3: no space left, it has to make os.qcow2 "
            "(fix that and run doit again)"
        ) in project.doit(code=1).said
    else:
        broken_qemu_img(project, "kill -9 $PPID")
        assert project.doit(code=None).code == -signal.SIGKILL
    assert (target.read_bytes() if target.exists() else None) == whole
    project.env = {}
    assert "qcow2" in made(project.doit())
    assert sorted(path.name for path in (project.folder / "build").iterdir()) == [
        ".os.img", "data.img", "os.img", "os.img.gz", "os.qcow2", "sums",
    ]
    clean = Project(tmp_path / "clean", DODO)
    for name in ("spec.json", "kernel.elf", "notes.txt"):
        clean.write(name, (project.folder / name).read_bytes())
    clean.doit()
    assert target.read_bytes() == (clean.folder / "build/os.qcow2").read_bytes()


def test_no_room_for_an_output(project):
    project.doit()
    (project.folder / "build/os.img.gz").unlink()
    project.env = {"FSIZE": "200000"}
    run = project.doit("os.img:gz", code=1)
    assert "os.img: build/os.img.gz: File too large, the build has to write" in run.said
    assert not (project.folder / "build/os.img.gz").exists()
    project.env = {}
    assert made(project.doit()) == {"gz"}


BAD = {
    "no output": (
        '["os.qcow2"]',
        "outputs[0]: 'os.qcow2' is not an output, must be Qcow2(...), Compressed(...) "
        "or an object of "
        'your own that fits the Output port (write for example Qcow2("build/os.qcow2"))',
    ),
    "no list": (
        'Qcow2("a")',
        "outputs: Qcow2(path='a', name='qcow2', options={}, compress=None) is not a "
        "list, must be a "
        "list of outputs (put it in brackets)",
    ),
    "forgotten parentheses": ("[Qcow2]", "outputs[0]: <class"),
    "no path": ("[Qcow2(5)]", "outputs[0].path: 5 is not a path, must be that of a file"),
    "a suffix that means nothing": (
        '[Compressed("os.img.rar")]',
        "outputs[0].path: 'os.img.rar' has no suffix that names a format, must end in .gz, .xz or "
        '.zst (write "os.img.rar.zst")',
    ),
    "a level that is none": (
        '[Compressed("os.img.zst", level=22)]',
        "outputs[0].level: it is 22, must be 1 to 19 for .zst (leave it out for the usual one)",
    ),
    "two of one name": (
        '[Qcow2("a"), Qcow2("b")]',
        "outputs[1].name: 'qcow2' is that of outputs[0] too, every output needs a different name "
        "(give it another name)",
    ),
    "two of one path": (
        '[Qcow2("a"), Vdi("./a")]',
        "outputs[1].path: 'a' is that of outputs[0] too, every output needs a different path "
        "(give it another path)",
    ),
    "the image's own path": (
        '[Qcow2("os.img")]',
        "outputs[0].path: 'os.img' is that of the image too",
    ),
    "the name of a step": (
        '[Qcow2("a", name="seal")]',
        "outputs[0].name: 'seal' is that of the task os.img:seal too",
    ),
    "a name that doit can't select": ('[Qcow2("a", name="a=b")]', "outputs[0].name: 'a=b' has '='"),
    "a partition that is not there": (
        '[PartitionFile("a", partition="root")]',
        "outputs[0].partition: 'root' is not a partition of this disk, must be the name of one (it "
        "has 'data')",
    ),
    "a compression that is not there": (
        '[Qcow2("a", compress="lz4")]',
        "outputs[0].compress: 'lz4' is unknown, must be None, 'zlib' or 'zstd' (choose one)",
    ),
    "a subformat of several files": (
        '[Vmdk("a", subformat="twoGbMaxExtentFlat")]',
        "outputs[0].subformat: 'twoGbMaxExtentFlat' is unknown, must be 'monolithicSparse' or "
        "'streamOptimized' (choose one)",
    ),
    "a boot image that is not in the ISO": (
        '[Iso("a", bios="boot.bin")]',
        "outputs[0].bios: 'boot.bin' is not one of the files, must be the path in the ISO of one "
        "of them (add it to files)",
    ),
    "a file of the name that UEFI's volume has": (
        '[Iso("a", efi="data", files={"EFI.IMG": b""})]',
        "outputs[0].files['EFI.IMG']: it is the name of UEFI's volume too, every file needs a "
        "different path (rename it)",
    ),
    "text where bytes were meant": (
        '[Iso("a", files={"grub.cfg": "timeout=0\\n"})]',
        "outputs[0].files['grub.cfg']: 'timeout=0\\n' has a line break, text is the path of a "
        "file (write b'timeout=0\\n' for these bytes, or Path(...) for a file of such a name)",
    ),
    "a file that is a directory": (
        '[Iso("a", files={"boot/": "kernel.elf"})]',
        "outputs[0].files['boot/']: 'boot/' is a directory, a file needs a name in it (write "
        "'boot/kernel.elf', or leave the slash out)",
    ),
    "a label that is none": (
        '[Iso("a", label="my os")]',
        "outputs[0].label: 'my os' is not a volume id, must be 1 to 32 of A-Z, 0-9 "
        "and _ (write for "
        'example "MYOS")',
    ),
    "nothing to sum": (
        '[Sha256("a", of=[])]',
        "outputs[0].of: [] is not a list of files, must have one or more (leave it out "
        "for the image "
        "and all outputs)",
    ),
}


@pytest.mark.parametrize("mistake", BAD)
def test_a_mistake_is_one_line(mistake):
    import doit_diskimg

    outputs, message = BAD[mistake]
    disk = doit_diskimg.Disk(
        "os.img", size="4MiB", table=doit_diskimg.Mbr(),
        partitions=[doit_diskimg.Partition("data", doit_diskimg.Fat({}), size="2MiB")],
        outputs=eval(outputs, vars(doit_diskimg) | {
            name: getattr(doit_diskimg, name) for name in doit_diskimg.__all__
        }),
    )
    problems = [str(problem) for problem in disk.problems()]
    assert len(problems) == 1, problems
    assert problems[0].startswith(message)


def test_a_device_is_refused(project):
    project.write("dodo.py", DODO.replace('"build/os.img.gz"', '"build/null.gz"'))
    (project.folder / "build").mkdir()
    (project.folder / "build/null.gz").symlink_to("/dev/null")
    assert "it is a symbolic link, an image is a regular file" in project.doit(code=1).said
