"""`doit os.img:verify`: on request only, once for each seal, and hard to deceive."""

import pytest
from project import Project

from doit_diskimg import verify_image

MIB = 1 << 20
VERIFY = "os.img:verify"

DODO = '''
from doit_diskimg import Disk, Esp, Fat, File, Gpt, Mbr, Partition, Segment, Tree

disk = Disk("build/os.img", size="40MiB", table=%(table)s, partitions=[
    Partition("esp", Fat({"kernel.elf": "kernel.elf", "etc/sub": Tree("etc"), "a.cfg": b"x=1"},
                         label="SYSTEM"), size="33MiB", type=%(type)s),
    Partition("root", File("root.bin"), type="linux-filesystem"),
], segments=[Segment("boot", b"\\xf4" * 440, 0)])

def task_image():
    return disk.tasks()
'''


def make(folder, table="Gpt()", type_='"esp"'):
    project = Project(folder, DODO % {"table": table, "type": type_})
    project.write("kernel.elf", b"kernel" * 1000)
    project.write("etc/motd", b"hello\n")
    project.write("etc/A long name.txt", b"")
    project.write("root.bin", b"r" * 5000)
    return project


@pytest.mark.parametrize(("table", "type_"), [("Gpt()", '"esp"'), ("Mbr()", "None")])
def test_what_we_build_is_right(tmp_path, table, type_):
    project = make(tmp_path, table, type_)
    run = project.doit(VERIFY)
    assert VERIFY in run.ran
    assert "no errors" in run.out
    assert verify_image(project.image_path) == []


def test_a_floppy(tmp_path):
    project = Project(tmp_path, '''
from doit_diskimg import Disk, Fat, Partition
disk = Disk("build/os.img", size="1440KiB", table=None, partitions=[
    Partition("floppy", Fat({"A.TXT": b"a"}))])
def task_image(): return disk.tasks()
''')
    assert VERIFY in project.doit(VERIFY).ran
    assert verify_image(project.image_path) == []


KERNEL = 'Fat({"kernel.elf": "kernel.elf"}'
ODD_BUT_RIGHT = {
    "without a backup": f'table=Gpt(backup=False), partitions=[Partition("a", {KERNEL}), '
    'size="4MiB", type="esp")]',
    "a volume that is not in the table": f'table=Gpt(), partitions=[Partition("a", {KERNEL}), '
    'size="4MiB", in_table=False)]',
    "an 8.3 volume": f'table=Gpt(), partitions=[Partition("a", {KERNEL}, long_names=False), '
    'size="4MiB", type="esp")]',
    "an MBR without partitions": 'table=Mbr(), segments=[Segment("boot", b"b" * 440, 0)]',
    "type 0": f'table=Mbr(), partitions=[Partition("a", {KERNEL}), size="4MiB", type=0)]',
    "a volume beyond what 32 bits count": f'table=Gpt(), partitions=[Partition("a", {KERNEL}, '
    'hidden_sectors=0), size="4MiB", start="2TiB", type="esp")]',
}


def odd(folder, name):
    project = Project(folder, f"""
from doit_diskimg import Disk, Fat, Gpt, Mbr, Partition, Segment
disk = Disk("build/os.img", size="auto", {ODD_BUT_RIGHT[name]})
def task_image(): return disk.tasks()
""")
    project.write("kernel.elf", b"kernel" * 1000)
    return project


@pytest.mark.parametrize("name", ODD_BUT_RIGHT)
def test_what_was_described_so_is_right(tmp_path, name):
    assert "no errors" in odd(tmp_path, name).doit(VERIFY).out


@pytest.mark.parametrize(
    "name", ["a volume that is not in the table", "type 0", "an 8.3 volume", "without a backup"]
)
def test_its_volume_is_looked_at_even_so(tmp_path, name):
    project = odd(tmp_path, name)
    project.doit()
    with open(project.image_path, "r+b") as file:
        at = file.read().index(b"kernelkernel")
        file.seek(at)
        file.write(b"K")
    seal_again(project)
    assert f"error file-differs {at:#x}.." in project.doit(VERIFY, code=1).said


def test_it_runs_on_request_and_once_for_each_seal(tmp_path):
    project = make(tmp_path)
    project.write("dodo.py", project.dodo + """
def task_release():
    return {"actions": ["touch released"], "task_dep": ["os.img"]}
""")
    for arguments in ((), ("os.img",), ("build/os.img",), ("-n", "2"), ("release",), ("-a",)):
        assert "no errors" not in project.doit(*arguments).out, arguments
    assert project.doit(VERIFY).ran == {VERIFY}
    assert VERIFY not in project.doit(VERIFY).ran
    assert VERIFY not in project.doit().ran
    project.write("kernel.elf", b"KERNEL" * 2000)
    assert VERIFY not in project.doit().ran
    assert project.doit(VERIFY).ran == {VERIFY}
    project.write("kernel.elf", b"Kernel" * 2000)
    assert {VERIFY, "os.img:seal"} <= project.doit("-n", "2", VERIFY).ran
    assert VERIFY not in project.doit(VERIFY).ran


def seal_again(project):
    """Make the build believe that the image is what it left behind: the worst case."""
    code = (
        "import json, os; s = json.load(open('build/.os.img/seal.json')); "
        "i = s['image']; os.utime('build/os.img', ns=(i['mtime_ns'],) * 2)"
    )
    import subprocess
    import sys

    subprocess.run([sys.executable, "-c", code], cwd=project.folder, check=True)


DECEIVED = {
    # where, what is written there, what must be reported
    "a byte of the kernel": (b"kernelkernel", b"kernelKernel", ["not-as-planned", "file-differs"]),
    "a name": (b"KERNEL  ELF", b"KORNEL  ELF", ["not-as-planned", "fat-long-checksum"]),
    "inline bytes": (b"x=1", b"x=2", ["not-as-planned", "file-differs"]),
    "a partition that is a file": (b"r" * 600, b"r" * 599 + b"s", ["not-as-planned"]),
    "the boot code": (b"\xf4" * 440, b"\xf4" * 439 + b"\0", ["not-as-planned"]),
    "the label": (b"SYSTEM     \x08", b"SISTEM     \x08", ["not-as-planned"]),
    "the GPT": (b"EFI PART", b"EFI PORT", ["not-as-planned", "gpt-primary"]),
}


@pytest.mark.parametrize("name", DECEIVED)
def test_it_reads_the_image_and_not_the_state(tmp_path, name):
    old, new, codes = DECEIVED[name]
    project = make(tmp_path)
    project.doit()
    with open(project.image_path, "r+b") as file:
        at = file.read().index(old)
        file.seek(at)
        file.write(new)
    seal_again(project)
    said = project.doit(VERIFY, code=1).said
    assert all(f" {code} " in said or f" {code}:" in said for code in codes), said
    assert "os.img: verify: error" in said
    assert VERIFY in project.doit(VERIFY, code=1).ran, "an error is not cached"


def test_bytes_in_a_gap(tmp_path):
    project = make(tmp_path)
    project.doit()
    with open(project.image_path, "r+b") as file:
        file.seek(39 * MIB)
        file.write(b"somebody was here")
    seal_again(project)
    said = project.doit(VERIFY, code=1).said
    assert f"not-zero {39 * MIB:#x}..{39 * MIB + 17:#x}" in said


def test_a_hole_where_a_file_should_be(tmp_path):
    project = make(tmp_path)
    project.doit()
    with open(project.image_path, "r+b") as file:
        file.truncate(30 * MIB)
    seal_again(project)
    # Its length is part of the seal, so it is built anew, and is right.
    assert "os.img:create" in project.doit(VERIFY).ran
