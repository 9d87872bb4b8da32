"""Every message in what the stream can say: PYTHONIOENCODING, other locales, logs of ASCII."""

import io
import os
import subprocess
import sys

import pytest
from project import Project

from doit_diskimg.host.terminal import accept_everything, fitting

DODO = '''
from doit_diskimg import Disk, Esp, Gpt, Mbr, Partition, File
disk = Disk("build/größe-漢.img", size="16MiB", table=Gpt(), partitions=[
    Esp({"a": "quelle-ä.bin"}, size="4MiB"),
    Partition("daten-ü漢", File("quelle-ä.bin"), type="linux-filesystem", size="1MiB"),
])
def task_image():
    return disk.tasks()
'''
ENCODINGS = {
    "utf-8": ("größe-漢.img", "─────", "quelle-ä.bin"),
    "latin-1": (r"größe-\u6f22.img", "-----", "quelle-ä.bin"),
    "cp437": (r"größe-\u6f22.img", "─────", "quelle-ä.bin"),
    "cp1252": (r"größe-\u6f22.img", "-----", "quelle-ä.bin"),
    "shift_jis": (r"gr\xf6\xdfe-漢.img", "─────", r"quelle-\xe4.bin"),
    "ascii": (r"gr\xf6\xdfe-\u6f22.img", "-----", r"quelle-\xe4.bin"),
}


def run(project, encoding, *args, code=0):
    environment = {**os.environ, "PYTHONIOENCODING": encoding, "PYTHONDONTWRITEBYTECODE": "1"}
    done = subprocess.run(
        [sys.executable, "-m", *args], cwd=project.folder, env=environment, capture_output=True,
        timeout=300, check=False,
    )
    said = (done.stdout + done.stderr).decode(encoding)  # it must be valid
    assert "Traceback" not in said, said
    assert done.returncode == code, said
    return said


@pytest.mark.parametrize("encoding", ENCODINGS)
def test_a_whole_run(tmp_path, encoding):
    name, rule, source = ENCODINGS[encoding]
    project = Project(tmp_path, DODO, image="build/größe-漢.img")
    project.write("quelle-ä.bin", b"x" * 1000)
    said = run(project, encoding, "doit")
    assert f".  {name}:seal" in said
    assert rule in said
    assert name in run(project, encoding, "doit", "list")
    assert "0 errors" in run(project, encoding, "doit_diskimg", "verify", "build/größe-漢.img")
    (tmp_path / "quelle-ä.bin").unlink()
    (tmp_path / "quelle-ä.bin").mkdir()
    assert f"{source}' is a directory" in run(project, encoding, "doit", code=1)
    project.write("dodo.py", DODO.replace('"4MiB"', '"4MB-ä漢"'))
    run(project, encoding, "doit", code=3)
    project.write("dodo.py", DODO)
    said = run(project, encoding, "doit", "clean")
    assert f"{name}" in said
    assert not project.image_path.exists()


def test_a_name_that_is_no_text(tmp_path):
    """Bytes of a file name that are not UTF-8, at the command that is given them."""
    path = os.fsencode(tmp_path) + b"/\xff.img"
    with open(path, "wb") as file:
        file.write(bytes(4096))
    done = subprocess.run([sys.executable, "-m", "doit_diskimg", "verify", path],
                          capture_output=True, check=False)
    assert b"Traceback" not in done.stderr
    assert rb"\udcff.img" in done.stderr


@pytest.mark.parametrize(
    ("encoding", "text", "fits"),
    [
        ("utf-8", "── a…b → 漢", "── a…b → 漢"),
        ("ascii", "── a…b → 漢", r"-- a...b -> \u6f22"),
        ("latin-1", "äöü ─", "äöü -"),
        ("cp1252", "a…b", "a…b"),
        ("utf-8", "\udcff", r"\udcff"),
    ],
)
def test_what_fits(encoding, text, fits):
    stream = io.TextIOWrapper(io.BytesIO(), encoding=encoding)
    assert fitting(text, stream) == fits


@pytest.mark.parametrize(
    ("errors", "then"),
    [("strict", "backslashreplace"), ("replace", "replace"), ("ignore", "ignore")],
)
def test_what_a_user_chose_stays(monkeypatch, errors, then):
    stream = io.TextIOWrapper(io.BytesIO(), encoding="ascii", errors=errors)
    monkeypatch.setattr(sys, "stdout", stream)
    accept_everything()
    assert stream.errors == then
