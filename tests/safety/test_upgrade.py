"""A project that an older version built: one run makes it this version's, and loses nothing.

`data/README.md` says how the archive was made.
"""

import subprocess
import sys
import tarfile
from pathlib import Path

import pytest

DATA = Path(__file__).parent / "data"
GUEST, WROTE = slice(0x200000, 0x300000), b"GUEST WROTE THIS"
"""The guest's partition in the image, and what it wrote there 4096 bytes from its start."""


def doit(folder, *arguments):
    done = subprocess.run(
        [sys.executable, "-m", "doit", *arguments], cwd=folder, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def ran(said):
    return [line[3:] for line in said.splitlines() if line.startswith(".  ")]


@pytest.fixture
def old(tmp_path):
    with tarfile.open(DATA / "0193135.tar.xz") as archive:
        archive.extractall(tmp_path / "old", filter="data")
    return tmp_path / "old"


def clean(folder, old):
    """Return the image that a build of the same sources from nothing makes."""
    folder.mkdir()
    for name in ("dodo.py", "kernel.bin", "boot/a.txt", "boot/b.txt"):
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_bytes((old / name).read_bytes())
    doit(folder)
    return (folder / "os.img").read_bytes()


@pytest.mark.parametrize("database", ["kept", "lost"])
def test_an_image_of_an_older_version(tmp_path, old, database):
    if database == "lost":
        for path in old.glob(".doit.db*"):
            path.unlink()
    assert "os.img:create" in ran(doit(old))
    image, anew = bytearray((old / "os.img").read_bytes()), bytearray(clean(tmp_path / "new", old))
    written = image[GUEST]
    assert written[4096 : 4096 + len(WROTE)] == WROTE
    assert written.strip(b"\0") == WROTE
    image[GUEST] = anew[GUEST] = b""
    assert image == anew
    assert ran(doit(old)) == []


def test_the_guests_partition_moves_in_the_same_run(tmp_path, old):
    dodo = old / "dodo.py"
    text = dodo.read_text().replace('size="4MiB"', 'size="8MiB"')
    dodo.write_text(text.replace('type="esp", size="1MiB"', 'type="esp", size="2MiB"'))
    assert "os.img:create" in ran(doit(old))
    image, anew = bytearray((old / "os.img").read_bytes()), bytearray(clean(tmp_path / "new", old))
    moved = slice(GUEST.start + (1 << 20), GUEST.stop + (1 << 20))
    assert image[moved].strip(b"\0") == WROTE
    image[moved] = anew[moved] = b""
    assert image == anew
    assert ran(doit(old)) == []
