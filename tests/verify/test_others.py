"""Right volumes and tables of others: no errors, and the warnings that are named.

Each is made by a program, or by bytes of an old system patched into what a program made; fsck.fat
and mtools read them, where they are right.
"""

import struct
import subprocess

import foreign
import pytest
from foreign import MADE, MIB
from tools import run, tool

from doit_diskimg import verify_image
from doit_diskimg.kinds.filesystems.fat.volume import Fat
from doit_diskimg.tasks.disk_image import fields
from doit_diskimg.verify import mbr_reader
from doit_diskimg.verify.finding import Findings
from doit_diskimg.verify.source import Source


def patch(path, *places):
    """Write bytes over a file's: (place, bytes), ..."""
    with open(path, "r+b") as file:
        for at, data in places:
            file.seek(at)
            file.write(data)
    return path


def blank(path, size):
    with open(path, "wb") as file:
        file.truncate(size)
    return path


def mformat(path, *options):
    run("mformat", "-C", "-i", path, "-N", "12345678", *options, "::", **MADE)
    return foreign.mcopy(path)


# Volumes -----------------------------------------------------------------------------------------


def geometry_beyond_the_image(path):
    """mformat's entry for the volume has whole cylinders, the image has 92 sectors less."""
    return mformat(path, "-F", "-T", "100001")


DOS_2 = b"\xeb\x2c\x90IBM  2.0"
CODE = bytes(range(0x80, 0x80 + 38))


def of_dos_2(path):
    """A BPB of 13 bytes, code from byte 24 on (PC DOS 2.0's FORMAT), no 0x29."""
    mformat(path, "-f", "360")
    return patch(path, (0, DOS_2), (24, CODE))


def of_dos_3(path):
    """A BPB of 19 bytes, code from byte 30 on (PC DOS 3.0's FORMAT): hidden sectors of 16 bits."""
    mformat(path, "-f", "720")
    return patch(path, (0, b"\xeb\x34\x90IBM  3.0"), (30, CODE[:32]))


def of_nt(path):
    """The mark 0x28: a volume id, no label and no text."""
    mformat(path, "-f", "1440")
    return patch(path, (38, b"\x28"), (43, bytes(19)))


def lead_bytes(*shorts):
    """Names of code page 932 and 936, whose second bytes look like lower case and like others."""

    def make(path):
        foreign.mkfs(path, 16, 8 << 10, "-s", "1")
        data = path.read_bytes()
        root = (struct.unpack_from("<H", data, 14)[0]
                + 2 * struct.unpack_from("<H", data, 22)[0]) * 512
        entries = b"".join(short + b"\x20" + bytes(20) for short in shorts)
        return patch(path, (root + 32, entries))

    return make


def filler(path):
    """Old FORMATs mark unused entries by one 00 in what they fill the sectors with."""
    mformat(path, "-f", "1440")
    data = path.read_bytes()
    root = (1 + 2 * 9) * 512
    used = next(at for at in range(root, root + 224 * 32, 32) if not data[at])
    unused = b"\0" + b"\xf6" * 31
    return patch(path, (used, unused * ((root + 224 * 32 - used) // 32)))


def of_syslinux(path):
    """It writes its own boot sector and leaves the backup as mkfs.fat made it."""
    foreign.mkfs(path, 32, 34 << 10, "-s", "1")
    run("syslinux", "-i", path)
    return path


def other_backup(path):
    foreign.mkfs(path, 32, 34 << 10, "-s", "1")
    return patch(path, (6 * 512 + 90, bytes(300)))


def blank_label(path):
    foreign.mkfs(path, 16, 8 << 10, "-s", "1")
    data = path.read_bytes()
    at = data.index(b"LABEL      \x08")
    return patch(path, (43, b"NO NAME    "), (at, b" " * 11))


VOLUMES = {
    "mformat, more sectors in its geometry than there are": (geometry_beyond_the_image, []),
    "DOS 2": (of_dos_2, []),
    "DOS 3": (of_dos_3, []),
    "0x28": (of_nt, []),
    "lead bytes of two-byte code pages": (lead_bytes(
        b"\x83\x65\x83\x58\x83\x67  TXT",  # the second byte is an e, an X and a g
        b"\x83\x5c\x83\x7c\x8a\x5d     ",  # a backslash, a bar, a bracket
        b"\x05\x7bAB    \x8a\x7b ",  # begins with 0xE5, which stands there as 0x05
    ), []),
    "unused entries of 00 and filler": (filler, []),
    "syslinux": (of_syslinux, ["fat-backup-boot"]),
    "a backup with other code": (other_backup, ["fat-backup-boot"]),
    "a blank label": (blank_label, ["fat-label-char"]),
}


@pytest.mark.parametrize("name", VOLUMES)
def test_a_right_volume_has_no_errors(tmp_path, name):
    make, warnings = VOLUMES[name]
    path = make(tmp_path / "v.img")
    assert [one.code for one in verify_image(path)] == warnings


WRONG = {"DOS 2", "DOS 3", "0x28"}
"""Where fsck.fat is wrong: it takes byte 43 for a label, though no 0x29 says that there is one."""


@pytest.mark.parametrize("name", [*sorted(WRONG), "unused entries of 00 and filler"])
def test_mtools_and_fsck_agree(tmp_path, name):
    """Where they are right, they read what we read."""
    path = VOLUMES[name][0](tmp_path / "v.img")
    assert run("mtype", "-i", path, "::KERNEL.BIN") == "k" * 5000
    done = subprocess.run([tool("fsck.fat"), "-n", path], capture_output=True, check=False)
    assert done.returncode == (1 if name in WRONG else 0), done.stdout


NOT_RIGHT = {
    "0x29 and two counts that differ": (
        lambda path: patch(mformat(path, "-f", "360"), (32, b"\1\0\0\0")), "fat-sectors"),
    "a lower-case letter behind an ASCII one": (
        lead_bytes(b"\x83\x65a       "), "fat-short-lower"),
    "a bar behind an ASCII letter": (lead_bytes(b"A|      TXT"), "fat-short-char"),
    "an entry behind the end": (
        lambda path: patch(filler(path), ((1 + 18 + 14) * 512 - 32, b"GHOST   TXT ")),
        "fat-dir-tail"),
}


@pytest.mark.parametrize("name", NOT_RIGHT)
def test_what_is_wrong_stays_wrong(tmp_path, name):
    make, code = NOT_RIGHT[name]
    found = verify_image(make(tmp_path / "v.img"), witnesses=False)
    assert [one.code for one in found if one.is_error] == [code]


# Tables ------------------------------------------------------------------------------------------


def link_first(path):
    """sfdisk's chain, its two entries of each sector swapped: readers go by the type."""
    foreign.sfdisk(path, foreign.LOGICAL)
    data = bytearray(path.read_bytes())
    with Source(path) as source:
        for at in mbr_reader.links(source, 512):
            a, b = at + 446, at + 462
            data[a : a + 16], data[b : b + 16] = data[b : b + 16], data[a : a + 16]
    path.write_bytes(data)


def test_links_that_come_first(tmp_path):
    path = tmp_path / "disk.img"
    foreign.sfdisk(path, foreign.LOGICAL)
    with Source(path) as source:
        expected = mbr_reader.check(source, 512, Findings())
    link_first(path)
    with Source(path) as source:
        parts = mbr_reader.check(source, 512, found := Findings())
    assert list(map(str, found)) == []
    assert [(part.number, part.start, part.length, part.type) for part in parts] == [
        (part.number, part.start, part.length, part.type) for part in expected
    ]


HIDDEN = [("11", 12), ("14", 16), ("16", 16), ("1e", 16), ("1b", 32), ("1c", 32)]


@pytest.mark.parametrize(("type_", "fat"), HIDDEN)
def test_hidden_types_are_fat(tmp_path, type_, fat):
    disk = foreign.sfdisk(
        tmp_path / "disk.img", f"label: dos\nstart=2048, type={type_}\n", 40 * MIB
    )
    assert [one.code for one in verify_image(disk)] == ["part-not-fat"]
    volume = foreign.filled(tmp_path / "v.img", fat, "-h", "2048")
    patch(disk, (MIB, volume.read_bytes()))
    assert verify_image(disk) == []


def wide(path, *more):
    """parted's MBR of a disk with sectors of 4096 bytes, and mkfs.fat's volume in partition 1."""
    blank(path, 40 * MIB)
    run("parted", "-s", path, "mklabel", "msdos", "mkpart", "primary", "fat16", "1MiB", "20MiB",
        *more, PARTED_SECTOR_SIZE="4096")
    volume = path.parent / "volume.img"
    run("mkfs.fat", "-C", "-F", "16", "-S", "4096", "-s", "1", "-h", "256", "-n", "LABEL", volume,
        str(19 << 10), **MADE)
    return patch(path, (MIB, foreign.mcopy(volume).read_bytes()))


LOGICAL = ("mkpart", "extended", "20MiB", "38MiB", "mkpart", "logical", "21MiB", "30MiB")


@pytest.mark.parametrize(("more", "places"), [((), [1]), (LOGICAL, [1, 21])])
def test_an_mbr_of_sectors_of_4096_bytes(tmp_path, more, places):
    disk = wide(tmp_path / "disk.img", *more)
    assert list(map(str, verify_image(disk))) == []
    with Source(disk) as source:
        size = mbr_reader.sector_size(source)
        parts = mbr_reader.check(source, size, Findings())
    assert size == 4096
    assert [part.start // MIB for part in parts] == places


@pytest.mark.parametrize("script", [foreign.LOGICAL, "label: dos\n1M 1M 6\n", "label: dos\n"])
def test_an_mbr_of_sectors_of_512_bytes_stays_one(tmp_path, script):
    disk = foreign.sfdisk(tmp_path / "disk.img", script)
    with Source(disk) as source:
        assert mbr_reader.sector_size(source) == 512


def test_a_base_image_is_read_as_verify_reads_it(tmp_path):
    """`DiskImage` of sectors of 4096 bytes, and of links that come first."""
    disk = wide(tmp_path / "disk.img")
    made = fields(disk, tmp_path / "os.img", {1: Fat({"A": b"a"})}, ())
    assert made["table"].bytes_per_sector == 4096
    assert [(part.start, part.size) for part in made["partitions"]] == [(MIB, 19 * MIB)]
    link_first(tmp_path / "chain.img")
    made = fields(tmp_path / "chain.img", tmp_path / "os.img", {6: Fat({"A": b"a"})}, ())
    assert [(part.start, part.size) for part in made["partitions"]] == [(10240 * 512, 1024 * 512)]
