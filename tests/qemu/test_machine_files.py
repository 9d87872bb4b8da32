"""What is in a machine is made first, and decides whether its test runs again."""

import re

import pytest
from guests import boot_code
from multiboot import flat_kernel
from project import Project
from tools import tool

DODO = '''
from doit_diskimg import Disk, Drive, Mbr, Qcow2, Qemu, Segment

disk = Disk("os.img", size="1MiB", table=Mbr(), segments=[Segment("boot", "boot.bin", 0)])
data = Disk("data.img", size="1MiB", table=Mbr(), segments=[Segment("s", "source.bin", 4096)],
            outputs=[Qcow2("data.qcow2")])

def task_image():
    return disk.tasks()

def task_data():
    return data.tasks()

def task_made():
    return {"actions": ["cp source.bin made.bin"], "file_dep": ["source.bin"],
            "targets": ["made.bin"]}

def task_boots():
    return Qemu(%s).test_task(expect="hello")
'''

NAMED = {
    "initrd": ('None, kernel="kernel.bin", initrd="made.bin"', "made"),
    "kernel": ('None, kernel="./made.bin"', "made"),
    "drive": ('disk, drives=["made.bin"]', "made"),
    "Drive": ('disk, drives=[Drive("made.bin", interface="virtio")]', "made"),
    "Drive that may be written to": ('disk, drives=[Drive("made.bin", snapshot=False)]', "made"),
    "cdrom": ('disk, cdrom="made.bin", arguments=["-boot", "c"]', "made"),
    "word": ('disk, arguments=["-fw_cfg", "name=opt/x,file=made.bin"]', "made"),
    "disk": ("disk, drives=[data]", "data.img:seal"),
    "output": ("disk, drives=[data.outputs[0]]", "data.img:qcow2"),
}
"""What names a file that another task makes: its task."""


@pytest.mark.parametrize(("qemu", "maker"), NAMED.values(), ids=NAMED)
def test_a_file_that_is_named(tmp_path, qemu, maker):
    tool("qemu-system-x86_64")
    project = Project(tmp_path, DODO % qemu)
    project.write("boot.bin", boot_code("hello\n", "halts"))
    project.write("kernel.bin", flat_kernel("hello\n"))
    project.write("source.bin", flat_kernel("hello\n").ljust(512, b"\0"))
    order = re.findall(r"^\.  (.*)", project.doit("boots").out, re.MULTILINE)
    assert order.index(maker) < order.index("boots")
    assert project.doit("boots").ran == set()  # nor did the guest make anything stale

    project.write("source.bin", flat_kernel("hello again\n").ljust(512, b"\0"))
    again = re.findall(r"^\.  (.*)", project.doit("boots").out, re.MULTILINE)
    assert again.index(maker) < again.index("boots")
    assert project.doit("boots").ran == set()


def test_a_machine_without_a_disk_keeps_its_log_beside_the_kernel(tmp_path):
    tool("qemu-system-x86_64")
    dodo = DODO.replace('"hello"', '"hello", timeout=1')
    project = Project(tmp_path, dodo % 'None, kernel="kernel.bin"')
    project.write("kernel.bin", flat_kernel("nothing\n"))
    said = project.doit("boots", code=1).said
    assert "qemu: boots: no line matched 'hello'" in said
    assert (tmp_path / ".kernel.bin/boots.serial.log").read_bytes() == b"nothing\n"
