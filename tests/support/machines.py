"""A project whose disk is nothing but boot code, and processes of QEMU."""

import os
import signal
import subprocess
import sys
import time
from functools import partial
from pathlib import Path

from guests import boot_code
from project import Project
from tools import tool

DODO = '''
import os
from doit_diskimg import Disk, Expect, Mbr, Qemu, Screen, Segment

disk = Disk("build/os.img", size="1MiB", table=Mbr(), segments=[Segment("boot", "boot.bin", 0)])
qemu = Qemu(disk%(qemu)s)

def task_image():
    return disk.tasks()

def task_boot():
    return qemu.run_task()

def task_boots():
    return qemu.test_task(%(test)s)
'''


def make(folder, says="hello from here\n", then="halts", qemu="", test='expect="hello"', more=""):
    """Return a project with a disk that ``says`` something ``then`` does one of `guests.ENDS`."""
    tool("qemu-system-x86_64")
    project = Project(folder, DODO % {"qemu": f", {qemu}" if qemu else "", "test": test} + more)
    project.write("boot.bin", boot_code(says, then))
    return project


STARTED = []
"""Processes that a test has started; tests/qemu/conftest.py ends those that a failure left."""


def start(project, *args):
    """Start Python in a process group of its own; what it says comes as bytes.

    It minds SIGHUP, even if these tests run under nohup, whose children do not.
    """
    process = subprocess.Popen(
        [sys.executable, *args], cwd=project.folder, stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, start_new_session=True,
        preexec_fn=partial(signal.signal, signal.SIGHUP, signal.SIG_DFL),
        env={**os.environ, "PYTHONDONTWRITEBYTECODE": "1", "PYTHONUNBUFFERED": "1", **project.env},
    )
    STARTED.append(process)
    return process


class Reader:
    """What a process says, as it comes."""

    def __init__(self, process):
        self.process, self.text = process, ""
        os.set_blocking(process.stdout.fileno(), False)

    def until(self, text, times=1, seconds=60):
        """Read until ``text`` was said so many times."""
        deadline = time.monotonic() + seconds
        while self.text.count(text) < times:
            assert time.monotonic() < deadline, f"no {text!r} in {self.text!r}"
            self.more()

    def more(self):
        self.text += (self.process.stdout.read() or b"").decode()
        time.sleep(0.02)

    def until_a_machine_runs(self, folder, seconds=60):
        """Read until a QEMU runs that was started in ``folder``."""
        deadline = time.monotonic() + seconds
        while not machines(folder):
            assert self.process.poll() is None, f"it ended before a machine ran: {self.text!r}"
            assert time.monotonic() < deadline, f"no machine runs: {self.text!r}"
            self.more()

    def end(self, number=None, seconds=60):
        """Send a signal to the whole group, as a terminal does, and return the exit code."""
        if number is not None:
            os.killpg(self.process.pid, number)
        deadline = time.monotonic() + seconds
        while self.process.poll() is None:
            assert time.monotonic() < deadline, f"it still runs: {self.text!r}"
            self.more()
        self.more()
        return self.process.returncode


def machines(folder):
    """Return the process ids of every QEMU that runs a machine and was started in ``folder``."""
    found = []
    for entry in Path("/proc").iterdir():
        try:
            argv = (entry / "cmdline").read_bytes().split(b"\0")
            here = (entry / "cwd").resolve() == folder.resolve()
            if here and b"qemu-system" in argv[0] and b"-drive" in argv:
                found.append(int(entry.name))
        except (OSError, ValueError):
            continue
    return found


def gone(folder, seconds=60):
    """Return whether no QEMU of that folder is left after a moment, which may be long under load.
    """
    deadline = time.monotonic() + seconds
    while machines(folder):
        if time.monotonic() > deadline:
            for number in machines(folder):
                os.kill(number, signal.SIGKILL)
            return False
        time.sleep(0.05)
    return True


def wait_until_open(process, path):
    """Wait until QEMU has taken its locks, which it does right after opening."""
    wanted = path.stat()
    for _ in range(600):
        assert process.poll() is None, process.stderr.read()
        fds = f"/proc/{process.pid}/fd"
        if any(same(f"{fds}/{fd}", wanted) for fd in os.listdir(fds)):
            time.sleep(0.2)
            return
        time.sleep(0.05)
    raise AssertionError("QEMU did not open the image")


def same(path, wanted):
    try:
        return os.path.samestat(os.stat(path), wanted)
    except OSError:
        return False
