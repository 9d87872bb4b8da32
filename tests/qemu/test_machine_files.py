"""What is in a machine is made first, and decides whether its test runs again."""

import re
from contextlib import nullcontext, suppress
from pathlib import Path

import pytest
from guests import boot_code
from multiboot import flat_kernel
from project import Project
from tools import tool

from doit_diskimg import Qemu
from doit_diskimg.errors import WorldError
from doit_diskimg.tasks.booting import check

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
    "module": ('None, kernel="kernel.bin", arguments=["-initrd", "made.bin more=1"]', "made"),
    "network": ('disk, network="user,bootfile=made.bin"', "made"),
    "device": ('disk, devices=["loader,file=made.bin,addr=0x9000"]', "made"),
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


@pytest.mark.parametrize("qemu", [
    Qemu(None, kernel="k", program="./a=b"),
    Qemu(None, kernel="k", machine="virt,dtb=./a=b"),
    Qemu(None, kernel="k", arguments=["-fw_cfg", "name=opt/x,file=./a=b"]),
    Qemu(None, kernel="k", arguments=["-initrd", "./a=b more=1,c"]),
])  # fmt: skip
def test_a_path_with_an_equals_sign(qemu):
    assert "./a=b" in dict(map(reversed, qemu.files()))


def test_a_script_that_starts_qemu(tmp_path):
    qemu = tool("qemu-system-x86_64")
    project = Project(tmp_path, DODO % 'None, kernel="kernel.bin", program="./run"')
    project.write("kernel.bin", flat_kernel("hello\n"))
    for more in ("", "-m 64"):
        project.write("run", f'#!/bin/sh\nexec {qemu} {more} "$@"\n'.encode())
        (tmp_path / "run").chmod(0o755)
        assert "boots" in project.doit("boots").ran
        assert project.doit("boots").ran == set()


def test_a_machine_without_a_disk_has_a_state_folder_of_its_own(tmp_path):
    tool("qemu-system-x86_64")
    dodo = DODO.replace('"hello"', '"hello", timeout=1')
    project = Project(tmp_path, dodo % 'None, kernel="kernel.bin"')
    project.write("kernel.bin", flat_kernel("nothing\n"))
    said = project.doit("boots", code=1).said
    assert "qemu: boots: no line matched 'hello'" in said
    assert (tmp_path / ".qemu/boots.serial.log").read_bytes() == b"nothing\n"


def block_device():
    for path in Path("/dev").iterdir():
        with suppress(OSError):
            if path.is_block_device():
                return str(path)
    pytest.skip("this computer shows no block device")


@pytest.mark.parametrize(("word", "refused"), [
    ("file=%s,format=raw", True),
    ("%s", True),
    ("if=virtio,file=%s,format=raw", True),
    ("file=file:%s,format=raw", True),
    ("raw:%s", True),
    ('json:{"driver":"raw","file":{"driver":"host_device","filename":"%s"}}', True),
    ("file=%s,format=raw,snapshot=on", False),
    ("file=%s,format=raw,readonly=on", False),
])
def test_no_guest_writes_to_a_device_of_the_host(word, refused):
    device = block_device()
    qemu = Qemu(None, kernel=__file__, arguments=["-drive", word % device])
    find = pytest.raises(WorldError) if refused else nullcontext()
    with find as error:
        check(qemu)
    if refused:
        assert str(error.value) == (
            f"arguments: {word % device!r} names a block device of this computer, the guest would "
            "write to it (add snapshot=on or readonly=on)"
        )


def test_devices_that_a_kernel_is_told_of_are_the_guests_own():
    check(Qemu(None, kernel=__file__, arguments=["-append", f"root={block_device()}"]))


def test_a_drive_that_is_written_to_is_a_regular_file(tmp_path):
    tool("qemu-system-x86_64")
    device = block_device()
    more = """
def task_boot():
    return Qemu(None, kernel="kernel.bin", drives=[Drive("link.img", snapshot=False)]).run_task()
"""
    project = Project(tmp_path, DODO % "None, kernel='kernel.bin'" + more)
    project.write("kernel.bin", flat_kernel("hello\n"))
    (tmp_path / "link.img").symlink_to(device)
    assert project.doit("boot", code=1).said.strip().splitlines()[-1] == (
        "qemu: link.img: it is a block device, with snapshot=False the guest would write to it "
        "(name a regular file, or leave snapshot out)"
    )


def test_doit_info_tells_what_qemu_is_told(tmp_path):
    tool("qemu-system-x86_64")
    project = Project(tmp_path, DODO % "disk, memory='64MiB'")
    project.write("boot.bin", boot_code("hello\n", "halts"))
    said = project.doit("info", "boots", code=1).out
    assert "-m 64M -drive format=raw,snapshot=on,file=./os.img -net none" in said


def test_files_that_are_missing_are_told_at_once(tmp_path):
    tool("qemu-system-x86_64")
    project = Project(tmp_path, DODO % (
        'None, kernel="no.elf", cdrom="no.iso", drives=[Drive("no.img")], firmware="./no.fd"'
    ))
    said = project.doit("boots", code=1).said
    assert [line for line in said.splitlines() if "there is no file" in line] == [
        f"qemu: {where}: there is no file {path!r}, QEMU has to be given it (fix the path, or add "
        "the task that makes it)" for where, path in (
            ("kernel", "no.elf"), ("firmware", "./no.fd"), ("drives[0]", "no.img"),
            ("cdrom", "no.iso"),
        )
    ]
