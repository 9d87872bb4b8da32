"""A whole build by a user who may do nothing, under strace: what it asks of the host.

No mount, no loop device, no network, no shell, no file outside of what a build makes.
"""

import os
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import doit
import pytest
from project import Project
from tools import run as run_tool
from tools import tool

import doit_diskimg
from doit_diskimg import verify_image

NOBODY = "65534"

ENVIRONMENT = {
    "PATH": os.environ["PATH"],
    "PYTHONDONTWRITEBYTECODE": "1",
    "PYTHONPATH": os.pathsep.join(
        os.path.dirname(os.path.dirname(module.__file__)) for module in (doit_diskimg, doit)
    ),
}

NAMES = [
    "-rf", "--help", "$(touch pwned)", "`touch pwned`", "a;touch pwned", "&& touch pwned", "a b",
    "'quote", "~", "%s%n", "#hash", "{a,b}", "$HOME", "!bang",
]
"""Names that a shell would not leave alone, and that a program may take for options."""

DODO = '''
from doit_diskimg import Compressed, Disk, Esp, Ext, File, Gpt, Partition, Qcow2, Sha256, Tree

IMAGE = "build/-o $(touch pwned).img"
disk = Disk(IMAGE, name="os.img", size="24MiB", table=Gpt(), partitions=[
    Esp({"kernel.elf": "kernel.elf", "etc": Tree("-tree;touch pwned")}, size="4MiB"),
    Partition("root", Ext(Tree("-tree;touch pwned"), label="$(id)"), size="8MiB"),
    Partition("raw", File("--raw=$(touch pwned)"), type="linux-filesystem"),
], outputs=[
    Qcow2("build/-f raw;touch pwned.qcow2"), Compressed(IMAGE + ".xz"), Sha256(IMAGE + ".sha256"),
])
def task_image():
    return disk.tasks()
'''

ASK = "%file,%network,ioctl,ptrace,bpf,unshare,setns,reboot,sync,syncfs,init_module,kexec_load"
FORBIDDEN = {
    "mount", "umount", "umount2", "fsopen", "fsmount", "move_mount", "open_tree", "mount_setattr",
    "pivot_root", "chroot", "mknod", "mknodat", "swapon", "swapoff", "quotactl", "acct", "ptrace",
    "bpf", "unshare", "setns", "reboot", "sync", "syncfs", "init_module", "kexec_load",
}
PROGRAMS = {"mke2fs", "debugfs", "qemu-img", "xz", "env", Path(sys.executable).name, "python3"}
DEVICES = re.compile(r"/dev/(null|zero|random|urandom|tty|pts/\d+)")
CHANGES = re.compile(r"(rename|unlink|rmdir|mkdir|link|symlink|truncate|utim|chmod|chown|setxattr)")
PATH = re.compile(r'(?:(?:AT_FDCWD|\d+)<([^>]*)>, )?"((?:[^"\\]|\\.)*)"')
"""A path in the arguments of a call, and the folder that it is relative to."""


@pytest.fixture(scope="module")
def folder():
    """A folder that belongs to nobody; pytest's own are root's alone."""
    path = Path(tempfile.mkdtemp(prefix="doit_diskimg-"))
    yield path
    shutil.rmtree(path)


@pytest.fixture(scope="module")
def traced(folder):
    """A finished build, and the calls that it made."""
    for program in ("mke2fs", "debugfs", "qemu-img", "xz"):
        tool(program)
    project = Project(folder / "project", DODO, image="build/-o $(touch pwned).img")
    project.write("kernel.elf", b"kernel" * 1000)
    project.write("--raw=$(touch pwned)", b"raw" * 1000)
    for name in NAMES:
        project.write(f"-tree;touch pwned/{name}", name)
    become = []
    if os.geteuid() == 0:
        for path in [folder, *folder.rglob("*")]:
            os.chown(path, int(NOBODY), int(NOBODY))
        become = [tool("setpriv"), f"--reuid={NOBODY}", f"--regid={NOBODY}", "--clear-groups",
                  "--inh-caps=-all", "--bounding-set=-all", "--no-new-privs"]
    trace = [tool("strace"), "-f", "-y", "-qq", "-s", "65536", "-e", f"trace={ASK}",
             "-o", folder / "trace"]
    command = [*become, *trace, tool("env"), python(become), "-m", "doit"]
    done = subprocess.run(
        command, cwd=project.folder, capture_output=True, text=True, timeout=300, check=False,
        env=ENVIRONMENT, stdin=subprocess.DEVNULL,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return project, list(calls((folder / "trace").read_text(errors="surrogateescape")))


def python(become):
    """Return a Python that somebody without privileges may read: a home may be closed to him."""
    for path in (sys.executable, "/usr/bin/python3"):
        check = [*become, tool("env"), path, "-c", "import doit, doit_diskimg, xxhash"]
        if subprocess.run(check, env=ENVIRONMENT, capture_output=True, check=False).returncode == 0:
            return path
    pytest.skip(f"uid {NOBODY} can't start a Python with the project's packages")


def calls(trace):
    """Yield (name, arguments, result) of each call; those that another process interrupts too."""
    begun = {}
    for line in trace.splitlines():
        pid, _, text = line.partition(" ")
        text = text.strip()
        if text.endswith("<unfinished ...>"):
            begun[pid] = text.removesuffix("<unfinished ...>")
            continue
        if resumed := re.match(r"<\.\.\. \w+ resumed>(.*)", text):
            text = begun.pop(pid) + resumed.group(1)
        if found := re.match(r"(\w+)\((.*)\)\s+= (.*)", text):
            yield found.groups()


def test_it_was_somebody_without_privileges(traced):
    project, found = traced
    assert len(found) > 500, "the trace is worth something"
    assert {name for name, _, _ in found} >= {"openat", "execve", "rename"}
    if os.geteuid() == 0:
        assert project.image_path.stat().st_uid == int(NOBODY)


def test_no_privileged_call(traced):
    _, found = traced
    assert [call for call in found if call[0] in FORBIDDEN] == []
    ioctls = [(args, result) for name, args, result in found if name == "ioctl"]
    assert [args for args, _ in ioctls if re.search("LOOP_|DM_", args)] == []
    # mke2fs asks whether its file is a device, and hears that it is none.
    assert [args for args, result in ioctls if "BLK" in args and "ENOTTY" not in result] == []


def test_no_device(traced):
    _, found = traced
    opened = [args for name, args, _ in found if name.startswith("open") and '"/dev/' in args]
    assert opened, "somebody opens /dev/null"
    assert [args for args in opened if not DEVICES.search(args)] == []


def test_no_network(traced):
    _, found = traced
    families = {args.partition(",")[0] for name, args, _ in found if name == "socket"}
    assert families <= {"AF_UNIX"}
    # The C library asks nscd for the name of a user.
    assert [args for name, args, _ in found if name == "connect" and "AF_UNIX" not in args] == []
    assert [call for call in found if call[0] in ("bind", "listen", "accept")] == []


def test_nothing_outside_is_written(traced):
    project, found = traced
    allowed = [project.folder / name for name in ("build", ".doit.db", "__db..doit.db")]
    for name, args, result in found:
        if result.startswith("-1"):
            continue
        if name.startswith(("open", "creat")) and re.search("O_WRONLY|O_RDWR|O_CREAT", args):
            path = re.match(r"\d+<(.*)>", result).group(1)
            paths = [] if path == "/dev/null" or path.startswith("/memfd:") else [path]
        elif CHANGES.match(name):
            paths = [os.path.join(folder or project.folder, path)
                     for folder, path in PATH.findall(args)]
        else:
            continue
        for path in paths:
            assert any(path.startswith(os.fspath(top)) for top in allowed), (name, args, result)


def test_no_shell(traced):
    """Argument lists, with every name as it is."""
    project, found = traced
    started = [args for name, args, result in found if name == "execve" and result == "0"]
    programs = {Path(re.match(r'"(.*?)"', args).group(1)).name for args in started}
    assert programs >= {"mke2fs", "qemu-img"}
    assert programs <= PROGRAMS
    assert not list(project.folder.rglob("pwned"))


def test_every_name_is_in_the_image(traced, folder):
    project, _ = traced
    image = folder / "plain.img"  # mtools gives a shell what it is given
    os.link(project.image_path, image)
    listed = run_tool("mdir", "-b", "-a", "-i", f"{image}@@1M", "::etc").splitlines()
    assert sorted(line.removeprefix("::/etc/") for line in listed) == sorted(NAMES)
    assert [one for one in verify_image(project.image_path) if one.is_error] == []
