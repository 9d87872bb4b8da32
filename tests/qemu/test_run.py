"""`doit boot`: what it shows, how it ends, and what a guest may write."""

import os
import signal
import socket
import time

import pytest
from guests import boot_code
from machines import Reader, gone, machines, make, start

ENDS = [
    pytest.param("writes 0x10", "debug_exit=0x10", 0, "", id="content"),
    pytest.param(
        "writes 0x11", "debug_exit=0x10", 1,
        "os.img: qemu: the guest wrote 0x11 to port 0xf4, must be 0x10", id="not-content",
    ),
    pytest.param(
        "halts", 'cpu="nonsense"', 1, "os.img: qemu: it ended with status 1", id="no-start",
    ),
]


@pytest.mark.parametrize(("then", "qemu", "code", "says"), ENDS)
def test_how_it_ends(tmp_path, then, qemu, code, says):
    project = make(tmp_path, then=then, qemu=qemu)
    run = project.doit("boot", code=code)
    assert says in run.said
    assert ("hello from here" in run.out) == ("nonsense" not in qemu)
    assert {"os.img:seal", "boot"} <= run.ran  # what is stale is built first
    again = project.doit("boot", code=code)
    assert again.ran == {"boot"}  # never up to date
    assert gone(tmp_path)


def test_plain_doit_boots_nothing(tmp_path):
    run = make(tmp_path, then="halts").doit()
    assert "os.img:seal" in run.ran
    assert {"boot (on request: doit boot)", "boots (on request: doit boots)"} <= run.skipped


def test_an_image_that_the_guest_wrote_to_is_built_anew(tmp_path):
    project = make(
        tmp_path, then="writes to the disk", qemu="snapshot=False, debug_exit=0x10"
    )
    project.doit("os.img")
    as_built = project.sha256()
    project.doit("boot")
    assert project.sha256() != as_built
    assert "'build/os.img' is not as the last build left it" in project.doit(
        "info", "os.img:create", code=1
    ).out
    again = project.doit()
    assert "build/os.img was written to since it was built: it is built anew" in again.out
    assert "os.img:create" in again.ran
    assert project.sha256() == as_built


def test_another_name_of_the_image_is_not_written_to(tmp_path):
    project = make(
        tmp_path, then="writes to the disk", qemu="snapshot=False, debug_exit=0x10"
    )
    project.doit()
    released = tmp_path / "release-1.img"
    os.link(project.image_path, released)
    before = released.read_bytes()
    said = project.doit("boot", code=1).said
    assert (
        "os.img: build/os.img: it has 2 names (hard links), with snapshot=False the guest would "
        "write to what the others name, too (make the other name a copy, or leave snapshot out)"
    ) in said
    assert released.read_bytes() == before
    released.unlink()
    released.write_bytes(before)
    project.doit("boot")
    assert released.read_bytes() == before != project.image_path.read_bytes()


def test_a_snapshot_is_not_written_to(tmp_path):
    project = make(tmp_path, then="writes to the disk", qemu="debug_exit=0x10")
    project.doit("os.img")
    as_built = project.sha256()
    project.doit("boot")
    assert project.sha256() == as_built
    assert "os.img:create" not in project.doit().ran


PROCESSES, THREADS = ("-n", "2"), ("-n", "2", "-P", "thread")
STOPS = [
    pytest.param(("boot",), signal.SIGINT, 0, id="boot-interrupted"),
    pytest.param(("boots",), signal.SIGINT, 1, id="test-interrupted"),
    *(
        pytest.param((*mode, task), number, -number, id=f"{task}-{'-'.join(mode)}-{number.name}")
        for mode, task, numbers in [
            ((), "boot", {signal.SIGTERM, signal.SIGKILL}),
            ((), "boots", {signal.SIGKILL}),
            (PROCESSES, "boots", {signal.SIGKILL, signal.SIGTERM, signal.SIGHUP}),
            (THREADS, "boots", {signal.SIGKILL}),
        ]
        for number in sorted(numbers)
    ),
]


@pytest.mark.parametrize(("task", "number", "code"), STOPS)
def test_no_qemu_is_left_behind(tmp_path, task, number, code):
    """The signal goes to doit alone; a terminal's Ctrl-C goes to QEMU too."""
    project = make(tmp_path, test='expect="never"')
    project.doit("os.img")
    doit = Reader(start(project, "-m", "doit", "run", *task))
    doit.until_a_machine_runs(tmp_path)
    if "boot" in task:
        doit.until("hello from here")
    doit.process.send_signal(number)
    assert doit.end() == code, doit.text
    assert "Traceback" not in doit.text
    assert gone(tmp_path)


def test_a_machine_that_hangs_is_not_left_behind(tmp_path):
    """It minds no signal that can be ignored."""
    project = make(tmp_path, qemu='program="./qemu"', test='expect="never"')
    script = '#!/bin/sh\n[ "$1" = --version ] && exit\ntrap "" TERM\necho $$ > pid\n'
    script += "while :; do sleep 1; done\n"
    project.write("qemu", script).chmod(0o755)
    project.doit("os.img")
    doit = Reader(start(project, "-m", "doit", "run", "boots"))
    pid = tmp_path / "pid"
    while not pid.exists() or not pid.read_text():
        doit.more()
    doit.process.kill()
    doit.end()
    machine = int(pid.read_text())
    for _ in range(200):
        if not os.path.exists(f"/proc/{machine}"):
            return
        time.sleep(0.05)
    os.kill(machine, signal.SIGKILL)
    raise AssertionError("it was left behind")


def test_ctrl_c_in_a_terminal(tmp_path):
    project = make(tmp_path)
    doit = Reader(start(project, "-m", "doit", "boot"))
    doit.until("hello from here")
    assert doit.end(signal.SIGINT) == 0
    assert "Traceback" not in doit.text
    assert gone(tmp_path)
    assert project.doit("os.img").ran == set()  # what was built is remembered


@pytest.mark.parametrize("mode", [PROCESSES, THREADS], ids=" ".join)
def test_ctrl_c_in_a_terminal_with_several_workers(tmp_path, mode):
    project = make(tmp_path, test='expect="never"')
    project.doit("os.img")
    doit = Reader(start(project, "-m", "doit", "run", *mode, "boots"))
    doit.until_a_machine_runs(tmp_path)
    assert doit.end(signal.SIGINT) == -signal.SIGINT
    assert "Traceback" not in doit.text
    assert "doit: interrupted; the next doit goes on from here" in doit.text
    assert gone(tmp_path)


def test_another_doit_builds_while_the_guest_runs(tmp_path):
    project = make(tmp_path)
    project.doit("os.img")
    doit = Reader(start(project, "-m", "doit", "boot"))
    doit.until("hello from here")
    project.write("boot.bin", boot_code("the next one\n", "halts"))
    build = Reader(start(project, "-m", "doit", "os.img"))
    assert build.end() == 0
    assert "waiting" not in build.text
    assert len(machines(tmp_path)) == 1
    assert b"the next one" in project.image_path.read_bytes()
    doit.end(signal.SIGINT)


def test_gdb(tmp_path):
    with socket.socket() as probe:
        if probe.connect_ex(("localhost", 1234)) == 0:
            pytest.skip("somebody else's gdb stub has port 1234")
    project = make(tmp_path, qemu='symbols="build/kernel.elf"')
    doit = Reader(start(project, "-m", "doit", "boot", "--gdb"))
    doit.until("waiting for: gdb -ex 'target remote localhost:1234' build/kernel.elf")
    doit.until_a_machine_runs(tmp_path)
    assert speaks_gdb()
    assert "hello" not in doit.text  # it waits before the first instruction
    doit.end(signal.SIGINT)
    assert gone(tmp_path)


def speaks_gdb():
    """Ask the stub why the machine stands still (GDB's remote protocol, packet ``?``)."""
    for _ in range(100):
        try:
            with socket.create_connection(("localhost", 1234), timeout=20) as stub:
                stub.sendall(b"$?#3f")
                answer = b""
                while b"#" not in answer:
                    answer += stub.recv(64)
                return answer.startswith(b"+$T05")  # an acknowledgement, and SIGTRAP
        except ConnectionRefusedError:
            time.sleep(0.05)
    return False


def test_the_image_is_built_from_what_is_there_now(tmp_path):
    project = make(tmp_path, then="writes 0x10", qemu="debug_exit=0x10")
    assert "hello from here" in project.doit("boot").out
    project.write("boot.bin", boot_code("another one\n", "writes 0x10"))
    run = project.doit("boot")
    assert "another one" in run.out
    assert "os.img:create" not in run.ran


LINKED = """
def task_linked():
    return disk.linked_task()

def task_fast():
    return qemu.run_task(image="linked")
"""


def test_a_linked_image_is_booted_and_no_other_built(tmp_path):
    project = make(tmp_path, then="writes 0x10", qemu="debug_exit=0x10", more=LINKED)
    run = project.doit("fast")
    assert "hello from here" in run.out
    assert "os.img:linked" in run.ran
    assert not project.image_path.exists()
    project.write("boot.bin", boot_code("another one\n", "writes 0x10"))
    assert "another one" in project.doit("fast").out


@pytest.mark.parametrize(
    ("qemu", "image", "message"),
    [
        ("", "vmdk", "run.image: 'vmdk' is unknown, must be 'built' or 'linked' (choose one)"),
        ("snapshot=False", "linked", "qemu: run.image: the linked image is your own files, and "
         "snapshot is False, no guest may write to them (leave snapshot out, or image)"),
    ],
)
def test_a_linked_image_is_never_written_to(tmp_path, qemu, image, message):
    more = LINKED.replace('"linked"', repr(image))
    assert message in make(tmp_path, qemu=qemu, more=more).doit(code=3).said
