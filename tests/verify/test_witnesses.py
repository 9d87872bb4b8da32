"""fsck.fat, sgdisk and pyfatfs are asked about what we find right; their word is a warning."""

import os
import stat
import struct
import subprocess
import sys
from array import array

import foreign
import pytest
from tools import tool

from doit_diskimg import verify_image
from doit_diskimg.host.program import ask_program
from doit_diskimg.verify import pyfat_reader


@pytest.fixture
def program(tmp_path, monkeypatch):
    """Put a program of ours in front of the real ones; it notes its arguments."""

    def make(name, text, code):
        folder = tmp_path / "bin"
        folder.mkdir(exist_ok=True)
        path = folder / name
        note = f'printf "%s " "$@" >> "{tmp_path}/asked"'
        path.write_text(f'#!/bin/sh\n{note}\necho "{text}"\nexit {code}\n')
        path.chmod(path.stat().st_mode | stat.S_IXUSR)
        monkeypatch.setenv("PATH", f"{folder}:{os.environ['PATH']}")
        return tmp_path / "asked"

    return make


def test_a_complaint_of_fsck_is_a_warning(tmp_path, program):
    volume = foreign.filled(tmp_path / "v.img", 16)
    asked = program("fsck.fat", "Something is wrong", 1)
    (found,) = verify_image(volume)
    assert str(found) == "warning witness 0x0..0x1: fsck.fat: Something is wrong"
    assert asked.read_text().startswith("-n /proc/self/fd/")
    assert verify_image(volume, witnesses=False) == []


def test_a_complaint_of_sgdisk_is_a_warning(tmp_path, program):
    disk = foreign.sgdisk(tmp_path / "disk.img", *foreign.GPT)
    program("sgdisk", "Problem: x. Identified 1 problems!", 0)
    said = "warning witness: sgdisk: Problem: x. Identified 1 problems!"
    assert said in list(map(str, verify_image(disk)))


NO_ANSWER = {
    "fsck.fat": ("Segmentation fault", 139, "Segmentation fault"),
    "fsck.fat without memory": ("malloc: Cannot allocate memory", 1,
                                "malloc: Cannot allocate memory"),
    "fsck.fat without a word": ("", 2, "it ended with 2"),
    "sgdisk": ("", 134, "it ended with 134"),
}


@pytest.mark.parametrize("name", NO_ANSWER)
def test_a_program_that_fails_has_no_opinion_and_that_is_said(tmp_path, program, name):
    text, code, said = NO_ANSWER[name]
    name = name.partition(" ")[0]
    if name == "sgdisk":
        image = foreign.sgdisk(tmp_path / "disk.img", *foreign.GPT)
    else:
        image = foreign.filled(tmp_path / "v.img", 16)
    program(name, text, code)
    (found,) = [one for one in verify_image(image) if one.code != "part-not-fat"]
    assert (found.severity, found.code, found.text) == (
        "warning", "witness-silent", f"{name}: {said}")


def test_another_listing_of_pyfatfs_is_a_warning(tmp_path, monkeypatch):
    volume = foreign.filled(tmp_path / "v.img", 12)
    real = pyfat_reader.listing
    monkeypatch.setattr(pyfat_reader, "listing", lambda *a: real(*a) | {"GHOST": (1, [5])})
    (found,) = verify_image(volume)
    assert (found.severity, found.code) == ("warning", "witness")
    assert "'GHOST'" in found.text


def test_of_what_a_program_says_64_kib_are_kept(tmp_path, program):
    program("fsck.fat", "x" * 70_000, 1)
    with open(tmp_path / "file", "w+b") as file:
        answer = ask_program("fsck.fat", [], file.fileno())
    assert answer == (1, "x" * 65_536)


@pytest.mark.parametrize(("error", "said"), [
    (IndexError("no such cluster"), "witness 0x0..0x1: pyfatfs: IndexError: no such cluster"),
    (MemoryError(), "witness-silent 0x0..0x1: pyfatfs: not enough memory"),
], ids=["an exception", "no memory"])
def test_pyfatfs_that_fails_is_a_warning(tmp_path, monkeypatch, error, said):
    def fails(*_arguments):
        raise error

    volume = foreign.filled(tmp_path / "v.img", 12)
    monkeypatch.setattr(pyfat_reader, "listing", fails)
    assert [str(one) for one in verify_image(volume)] == [f"warning {said}"]


def limited(path, *options, room):
    """Run the command with ``room`` bytes of memory more than it has once everything is loaded."""
    code = (
        "import re, resource, sys\n"
        "import doit_diskimg.verify.witnesses, doit_diskimg.verify.pyfat_reader\n"
        "from doit_diskimg.cli.verify_command import main\n"
        "main([sys.argv[2]])\n"
        "size = int(re.search(r'VmSize:\\s*(\\d+)', open('/proc/self/status').read())[1]) << 10\n"
        "resource.setrlimit(resource.RLIMIT_AS, (size + int(sys.argv[1]),) * 2)\n"
        "print('LIMITED', flush=True)\n"
        "sys.exit(main(sys.argv[3:]))\n"
    )
    small = foreign.filled(path.parent / "small.img", 12)
    done = subprocess.run(
        [sys.executable, "-c", code, str(room), small, path, *options],
        capture_output=True, text=True, timeout=120, check=False,
    )
    assert "Traceback" not in done.stderr, done.stderr
    return done.returncode, done.stdout.partition("LIMITED\n")[2], done.stderr


def test_fsck_without_memory_says_nothing_of_the_volume(tmp_path):
    """RLIMIT_AS is inherited: malloc fails in fsck.fat, which ends with 1 as for a bad volume."""
    tool("fsck.fat")
    path = tmp_path / "v.img"
    foreign.mkfs(path, 32, 8 << 20, "-s", "2")  # 4 million clusters: it wants 64 MiB and more
    code, out, _ = limited(path, room=24 << 20)
    assert code == 0, out
    assert "warning witness-silent" in out
    assert "error" not in out


def test_verify_without_memory_says_so(tmp_path):
    """Not that the image is right, and not that it is wrong."""
    path = foreign.filled(tmp_path / "v.img", 32)
    code, out, err = limited(path, "--alone", room=1 << 16)
    assert (code, out) == (2, "")
    assert "not enough memory" in err


# Where they are wrong ----------------------------------------------------------------------------


def put(data, at, new):
    data[at : at + len(new)] = new


def high_half(d):
    put(d, d.index(b"KERNEL  BIN") + 20, b"\x34\x12")


def nt_byte(d):
    put(d, d.index(b"KERNEL  BIN") + 12, b"\x01")


def umlaut(d):
    label = "LÄBEL".encode("cp850").ljust(11)
    for at in (71, 6 * 512 + 71, d.index(b"LABEL      \x08")):
        put(d, at, label)


def no_fs_info(d):
    for at in (48, 6 * 512 + 48):
        put(d, at, b"\xff\xff")


def no_backup(d):
    put(d, 50, b"\0\0")


def not_mirrored(d):
    """The second FAT counts; the first is as mkfs.fat left it."""
    for at in (40, 6 * 512 + 40):
        put(d, at, b"\x81\0")
    put(d, (d[14] | d[15] << 8) * 512 + 12, bytes(60))


WRONG = {
    # what is done to a volume of mkfs.fat and mtools, its type, our warnings
    "bytes 20 and 21 of an entry of FAT16": (high_half, 16, ["fat-attributes"]),
    "a bit of the NT byte": (nt_byte, 16, ["fat-attributes"]),
    "an umlaut in the label": (umlaut, 32, []),
    "FSInfo 0xFFFF": (no_fs_info, 32, []),
    "no backup boot sector": (no_backup, 32, []),
    "mirroring off": (not_mirrored, 32, []),
}


@pytest.mark.parametrize("name", WRONG)
def test_what_witnesses_are_wrong_about_is_right(tmp_path, name):
    damage, kind, warnings = WRONG[name]
    path = foreign.filled(tmp_path / "v.img", kind)
    data = bytearray(path.read_bytes())
    damage(data)
    path.write_bytes(data)
    assert [(one.severity, one.code) for one in verify_image(path)] == [
        ("warning", code) for code in warnings
    ]


def test_a_file_of_4_gib_less_1_is_right(tmp_path):
    """mkfs.fat's volume of 5 GiB with one file, as large as FAT has; its contents are a hole."""
    path = foreign.mkfs(tmp_path / "v.img", 32, 5 << 20, "-s", "64")
    with open(path, "r+b") as file:
        boot = file.read(512)
        reserved, size = boot[14] | boot[15] << 8, int.from_bytes(boot[36:40], "little")
        count = (1 << 32) // (64 * 512)
        chain = array("I", [*range(4, 3 + count), 0x0FFFFFFF]).tobytes()
        for copy in range(2):
            file.seek((reserved + copy * size) * 512 + 12)
            file.write(chain)
        file.seek((reserved + 2 * size) * 512 + 32)
        file.write(b"LARGE   BIN\x20" + bytes(14) + b"\3\0" + b"\xff" * 4)
        file.seek(512 + 488)
        (free,) = struct.unpack("<I", file.read(4))
        file.seek(512 + 488)
        file.write(struct.pack("<I", free - count))
    assert verify_image(path) == []


@pytest.mark.parametrize("image", ["volume", "damaged", "disk"])
def test_the_exit_code_does_not_depend_on_who_is_installed(tmp_path, program, image):
    """Whatever a witness says, or does: the errors are ours alone."""
    if image == "disk":
        path = foreign.sgdisk(tmp_path / "v.img", *foreign.GPT)
    else:
        path = foreign.filled(tmp_path / "v.img", 16)
    if image == "damaged":
        with open(path, "r+b") as file:
            file.seek(510)
            file.write(b"\0\0")
    alone = [str(one) for one in verify_image(path, witnesses=False) if one.is_error]
    assert [str(one) for one in verify_image(path) if one.is_error] == alone
    for name in ("fsck.fat", "sgdisk"):
        program(name, "Problem. Identified 1 problems!", 1)
    found = verify_image(path)
    assert [str(one) for one in found if one.is_error] == alone
    assert any(one.code == "witness" for one in found) == (image != "damaged")


def test_nobody_is_asked_about_a_damaged_volume(tmp_path, program):
    volume = foreign.filled(tmp_path / "v.img", 16)
    asked = program("fsck.fat", "", 0)
    with open(volume, "r+b") as file:
        file.seek(510)
        file.write(b"\0\0")
    assert [one.code for one in verify_image(volume)] == ["fat-signature"]
    assert not asked.exists()


def test_fsck_reads_the_metadata_only_and_sees_all_of_it(tmp_path):
    """The file in memory that it gets has no contents of files; it must not miss them."""
    from doit_diskimg.verify.judge import inspect
    from doit_diskimg.verify.source import Source
    from doit_diskimg.verify.witnesses import _metadata

    volume = foreign.filled(tmp_path / "v.img", 32)
    with Source(volume) as source:
        (checked,) = inspect(source, witnesses=False).volumes
        with _metadata(checked.volume) as handle:
            data = os.pread(handle, 64 << 20, 0)
    assert len(data) == volume.stat().st_size
    assert b"KERNEL  BIN" in data
    assert b"kkkk" not in data
