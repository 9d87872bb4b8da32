"""The function and the command: spellings, exit codes, files that are no image."""

import os
import re
import subprocess
import sys
import threading
from contextlib import suppress

import foreign
import pytest

from doit_diskimg import verify_image
from doit_diskimg.errors import WorldError


def command(*arguments):
    done = subprocess.run(
        [sys.executable, "-m", "doit_diskimg", "verify", *map(str, arguments)],
        capture_output=True, text=True, timeout=60, check=False,
    )
    assert "Traceback" not in done.stderr, done.stderr
    return done.returncode, done.stdout, done.stderr


@pytest.fixture
def volume(tmp_path):
    return foreign.filled(tmp_path / "v.img", 12)


def patch(path, at, data):
    with open(path, "r+b") as file:
        file.seek(at)
        file.write(data)
    return path


def test_exit_codes(volume):
    assert command(volume) == (0, "", f"{volume}: 0 errors, 0 warnings\n")
    code, out, _ = command(patch(volume, 28, b"\1"))
    assert (code, out.split()[:2]) == (0, ["warning", "fat-hidden"])
    code, out, err = command(patch(volume, 510, b"\0"))
    assert code == 1
    assert out.splitlines()[0] == "error fat-signature 0x1fe..0x200: 55 aa is missing"
    assert err.endswith("1 errors, 1 warnings\n")


def test_what_is_not_known_is_not_said_to_be_right(tmp_path):
    """2 where nothing was checked; a table without partitions was."""
    (tmp_path / "zeros.img").write_bytes(bytes(4096))
    code, out, err = command(tmp_path / "zeros.img")
    assert (code, out.split()[:2]) == (2, ["warning", "unknown"])
    assert err.endswith("0 errors, 1 warnings\n")
    code, out, _ = command(foreign.sfdisk(tmp_path / "disk.img", "label: dos\n"))
    assert (code, out.split()[:2]) == (0, ["warning", "part-none:"])


UNUSABLE = {
    "no file": (["none"], "No such file"),
    "a directory": (["."], "not a regular file"),
    "a device": (["/dev/null"], "not a regular file"),
    "an offset that is none": (["v.img", "--offset", "much"], "'much' is not a size"),
    "an offset of no digits": (["v.img", "--offset", "0x"], "unknown unit 'x'"),
    "an offset outside": (["v.img", "--offset", "1GiB"], "outside"),
    "a negative offset": (["v.img", "--offset=-1"], "is not a size"),
    "no argument": ([], "required"),
}


@pytest.mark.parametrize("name", UNUSABLE)
def test_what_can_not_be_used(volume, monkeypatch, name):
    arguments, text = UNUSABLE[name]
    monkeypatch.chdir(volume.parent)
    code, out, err = command(*arguments)
    assert (code, out) == (2, "")
    assert text in err


def test_a_pipe_is_not_waited_for(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(WorldError, match="not a regular file"):
        verify_image(tmp_path / "pipe")


@pytest.mark.parametrize("offset", ["1048576", "0x100000", "1MiB"])
def test_offset(volume, tmp_path, offset):
    disk = tmp_path / "disk.img"
    disk.write_bytes(bytes(1 << 20) + volume.read_bytes())
    code, out, _ = command(disk, "--offset", offset)
    assert code == 0
    pattern = r"warning fat-hidden 0x10001c\.\.0x100020: 0 hidden sectors, 2048 must be\n"
    assert re.fullmatch(pattern, out)


@pytest.mark.parametrize("code", [
    "from doit_diskimg import verify_image; verify_image(P)",
    "import doit_diskimg; doit_diskimg.verify_image(P)",
    "import doit_diskimg.verify.judge; doit_diskimg.verify_image(P)",
    "from doit_diskimg import *; verify_image(P)",
])
def test_every_spelling(volume, code):
    """In a process of its own: what was imported first must not matter."""
    subprocess.run([sys.executable, "-c", f"P = {str(volume)!r}\n{code}"], check=True)


def test_an_image_that_shrinks_while_it_is_read(tmp_path):
    """Nothing of it is trusted between two reads: it is judged, or told that it changes."""
    path = foreign.filled(tmp_path / "v.img", 16)
    stop = threading.Event()

    def shrink():
        while not stop.is_set():
            os.truncate(path, 600)
            os.truncate(path, 8 << 20)

    thread = threading.Thread(target=shrink)
    thread.start()
    try:
        for _ in range(20):
            with suppress(WorldError):
                verify_image(path, witnesses=False)
    finally:
        stop.set()
        thread.join()


def test_names_in_an_image_can_not_write_to_the_terminal(volume):
    data = volume.read_bytes()
    code, out, _ = command(patch(volume, data.index(b"KERNEL  BIN"), b"\x1b[2J\n\r\x07"))
    assert code == 1
    assert "\x1b" not in out
    assert len(out.splitlines()) == 1


@pytest.mark.parametrize("option", ["-h", "--help"])
def test_help_lists_the_commands(option):
    done = subprocess.run(
        [sys.executable, "-m", "doit_diskimg", option], capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stderr) == (0, "")
    from doit_diskimg.__main__ import COMMANDS

    assert all(re.search(rf"^  {name} ", done.stdout, re.M) for name in COMMANDS)
