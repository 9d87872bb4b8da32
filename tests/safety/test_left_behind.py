"""A doit that is killed, in any mode, leaves neither a program nor a worker behind."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from project import Project

DODO = '''
from doit_diskimg import Compressed, Disk, Ext, Mbr, Partition, Tree, Zero
payload = Ext(Tree("sysroot")) if %(program)r == "mke2fs" else Zero()
disk = Disk("os.img", size="8MiB", table=Mbr(), partitions=[
    Partition("root", payload, size="4MiB", type=0x83),
], outputs=[Compressed("os.img.zst")])
def task_image():
    return disk.tasks()
'''

ENDLESS = """#!/bin/sh
case "$1" in --version|-V) echo 1.0; exit;; esac
echo $$ > "$STARTED.new" && mv "$STARTED.new" "$STARTED"
exec sleep 300
"""

WAYS = [
    ("zstd", (), signal.SIGTERM),
    ("zstd", ("-n", "2"), signal.SIGKILL),
    ("zstd", ("-n", "2", "-P", "thread"), signal.SIGKILL),
    ("mke2fs", ("-n", "2"), signal.SIGTERM),
]


def children(pid):
    """Return the processes that a process has started, and theirs."""
    found = []
    for thread in Path(f"/proc/{pid}/task").iterdir():
        for child in (thread / "children").read_text().split():
            found += [int(child), *children(int(child))]
    return found


def is_running(pid):
    """Return whether a process does anything any more; the dead may wait to be noticed."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] not in "ZX"
    except FileNotFoundError:
        return False


def until(condition, seconds=30):
    deadline = time.monotonic() + seconds
    while not (answer := condition()):
        assert time.monotonic() < deadline, "it takes too long"
        time.sleep(0.02)
    return answer


@pytest.mark.parametrize(("program", "mode", "number"), WAYS)
def test_nothing_is_left_behind(tmp_path, program, mode, number):
    project = Project(tmp_path / "project", DODO % {"program": program}, image="os.img")
    project.write("sysroot/etc/passwd", b"root:x:0:0::/:/bin/sh\n")
    started, programs = tmp_path / "started", tmp_path / "bin"
    programs.mkdir()
    (programs / program).write_text(ENDLESS.replace("$STARTED", str(started)))
    (programs / program).chmod(0o755)
    path = os.pathsep.join([str(programs), os.environ["PATH"]])
    with subprocess.Popen(
        [sys.executable, "-m", "doit", *mode], cwd=project.folder, stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL, env={**os.environ, "PATH": path},
    ) as doit:  # fmt: skip
        until(started.exists)
        family = children(doit.pid)
        assert int(started.read_text()) in family
        doit.send_signal(number)
    try:
        until(lambda: not any(map(is_running, family)), seconds=10)
    finally:
        for left in filter(is_running, family):
            os.kill(left, signal.SIGKILL)
