"""Any bytes at all: an answer, in bounded time and memory, and never another exception.

``VERIFY_FUZZ_SECONDS=600 VERIFY_FUZZ_EXAMPLES=2000 VERIFY_LIMITS=1`` is a long run.
"""

import os
import random
import resource
import struct
import subprocess
import sys
import time
import zlib
from array import array

import foreign
import pytest
from damage import Volume
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tools import run

from doit_diskimg import verify_image
from doit_diskimg.verify import (
    boot_sector,
    directory,
    gpt_reader,
    judge,
    mbr_reader,
    name_reader,
)
from doit_diskimg.verify.finding import KEPT, Findings, one_line
from doit_diskimg.verify.source import Source

QUICK = settings(
    max_examples=300, deadline=2000, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
SECONDS = 10
"""What no image of this file may take; the slowest takes a tenth of it."""


def check(path):
    """Verify an image: the answer is findings, within the bounds."""
    began = time.monotonic()
    found = verify_image(path, witnesses=False)
    assert time.monotonic() - began < SECONDS
    for one in found:
        assert "\n" not in str(one)
        assert str(one).isprintable()
    assert len(found) < 2000
    return found


@QUICK
@given(st.binary(max_size=2048))
def test_boot_sectors(data):
    boot = boot_sector.decode(data)
    assert 0 <= boot_sector.marks(data) <= 9
    assert boot.sectors >= 0


@QUICK
@given(st.binary(max_size=4096), st.booleans())
def test_directories(data, wide):
    found = Findings()
    entries = list(directory.Reader("/", lambda at: at, wide, found).entries(data))
    directory.check_names(entries, "/", found)
    assert len(entries) <= len(data) // 32
    assert len(list(found)) <= (KEPT + 1) * 20


@QUICK
@given(st.lists(st.tuples(st.sampled_from([0x41, 0x42, 1, 2, 0x54, 0xC1]), st.binary(
    min_size=31, max_size=31)), max_size=30))
def test_long_names(pieces):
    """Entries that are pieces of long names, most of them."""
    data = b"".join(bytes([order]) + rest[:10] + b"\x0f\0" + rest[12:] for order, rest in pieces)
    found = Findings()
    assert list(directory.Reader("/", lambda at: at, True, found).entries(data)) == []


@QUICK
@given(st.binary(min_size=11, max_size=11), st.integers(0, 255))
def test_short_names(short, case):
    assert name_reader.short_text(short, case) is not None
    list(name_reader.short_faults(short))
    assert 0 <= name_reader.checksum(short) < 256


@QUICK
@given(st.text())
def test_a_finding_is_one_line(text):
    assert one_line(text).isprintable()


@QUICK
@given(st.binary(min_size=0, max_size=1536))
def test_tables(tmp_path, data):
    path = tmp_path / "disk.img"
    path.write_bytes(data)
    with Source(path) as source:
        mbr_reader.check(source, 512, Findings())
        gpt_reader.check(source, 512, Findings())
        judge.inspect(source, witnesses=False)


@QUICK
@given(st.data())
def test_a_gpt_of_any_numbers(tmp_path, data):
    """A header whose CRC holds, with any fields: nothing in it may make a read long."""
    numbers = [data.draw(st.sampled_from([0, 1, 2, 33, 34, 1 << 31, 2**32 - 1]))
               for _ in range(2)]
    places = [data.draw(st.sampled_from([0, 1, 2, 34, 99, 2**63, 2**64 - 1])) for _ in range(5)]
    header = bytearray(struct.pack(
        "<8sIIIIQQQQ16sQIII", b"EFI PART", 0x10000, 92, 0, 0, *places[:4], bytes(16), places[4],
        numbers[0], data.draw(st.sampled_from([128, 256, 4096, 2**31, 127])), numbers[1],
    ))
    struct.pack_into("<I", header, 16, zlib.crc32(header))
    path = tmp_path / "disk.img"
    path.write_bytes(bytes(512) + header + bytes(100 * 512 - len(header)))
    check(path)


# Damaged volumes ---------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def images(tmp_path_factory):
    """Good images of every kind, as what is not zero in them and their length."""
    folder = tmp_path_factory.mktemp("images")
    volumes = {fat: foreign.filled(folder / f"{fat}.img", fat, "-h", "2048") for fat in (12, 16)}
    disk = foreign.sgdisk(folder / "gpt.img", *foreign.GPT[:3], "-n2:4096:8191", "-h", "2")
    with open(disk, "r+b") as file:
        file.seek(1 << 20)
        file.write(volumes[12].read_bytes()[: 1 << 20])
    logical = foreign.sfdisk(folder / "mbr.img", foreign.LOGICAL)
    wide = Volume(foreign.filled(folder / "32.img", 32).read_bytes(), 32)
    whole = [path.read_bytes() for path in (*volumes.values(), disk, logical)]
    return [(bytes(data).rstrip(b"\0"), len(data)) for data in whole] + [
        (bytes(wide.data), wide.length)
    ]


def places(data):
    """Return the sectors that have anything in them, which is where damage does harm."""
    return [at for at in range(0, len(data), 512) if any(data[at : at + 512])]


def damage(data, length, chance, sectors):
    data = bytearray(data)
    for _ in range(chance.choice((1, 2, 4, 16, 64))):
        at = chance.choice(sectors[: chance.choice((1, 4, len(sectors)))]) + chance.randrange(512)
        width = chance.choice((1, 1, 2, 4, 8))
        new = chance.choice((bytes(width), b"\xff" * width, chance.randbytes(width),
                             chance.randrange(64).to_bytes(width, "little")))
        data[at : at + width] = new
    if chance.random() < 0.2:
        length = chance.randrange(length)
    return bytes(data[:length]), length


def fuzz(images, path, seed):
    chance = random.Random(seed)
    data, length = chance.choice(images)
    data, length = damage(data, length, chance, places(data))
    with open(path, "wb") as file:
        file.write(data)
        file.truncate(length)
    try:
        check(path)
    except Exception as error:
        raise AssertionError(f"seed {seed}") from error


def test_damaged_images(images, tmp_path):
    for seed in range(200):
        fuzz(images, tmp_path / "v.img", seed)


@pytest.mark.slow
def test_damaged_images_for_a_while(images, tmp_path):
    end = time.monotonic() + float(os.environ.get("VERIFY_FUZZ_SECONDS", "10"))
    seed = int(os.environ.get("VERIFY_FUZZ_SEED", "1000000"))
    while time.monotonic() < end:
        fuzz(images, tmp_path / "v.img", seed)
        seed += 1
    print(f"up to seed {seed}, {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss >> 10} MiB")


@pytest.mark.slow
@settings(QUICK, max_examples=int(os.environ.get("VERIFY_FUZZ_EXAMPLES", "75")))
@given(data=st.data())
def test_any_bytes_anywhere(images, tmp_path, data):
    original, length = data.draw(st.sampled_from(images))
    edits = data.draw(st.lists(st.tuples(st.sampled_from(places(original)), st.integers(0, 511),
                                         st.binary(min_size=1, max_size=16)), max_size=6))
    changed = bytearray(original)
    for sector, at, new in edits:
        changed[sector + at : sector + at + len(new)] = new
    path = tmp_path / "v.img"
    with open(path, "wb") as file:
        file.write(changed)
        file.truncate(length)
    check(path)


# Large and hostile -------------------------------------------------------------------------------


def measured(path, *options, first=""):
    """Run the command and return (exit code, output, seconds, MiB)."""
    code = (
        f"import re, sys\n{first}\n"
        "from doit_diskimg.cli.verify_command import main\n"
        "code = main(sys.argv[1:])\n"
        # Not getrusage: its maximum begins with that of the process before exec.
        "status = open('/proc/self/status').read()\n"
        "print('MIB', int(re.search(r'VmHWM:\\s*(\\d+)', status)[1]) >> 10)\n"
        "sys.exit(code)"
    )
    began = time.monotonic()
    done = subprocess.run(
        [sys.executable, "-c", code, path, *options],
        capture_output=True, text=True, timeout=300, check=False,
    )
    seconds = time.monotonic() - began
    assert "Traceback" not in done.stderr, done.stderr
    mib = int(done.stdout.split("MIB ")[1])
    print(f"{seconds:.1f} s, {mib} MiB")
    return done.returncode, done.stdout, seconds, mib


def sparse(path, gib):
    with open(path, "wb") as file:
        file.truncate(gib << 30)
    run("mkfs.fat", "-F", "32", "-n", "LABEL", path, **foreign.MADE)
    return path


def test_a_sparse_volume_of_64_gib_is_quick(tmp_path):
    code, said, seconds, mib = measured(foreign.mcopy(sparse(tmp_path / "v.img", 64)), "--alone")
    assert code == 0, said
    assert seconds < 5
    assert mib < 200


@pytest.mark.slow
def test_a_volume_of_64_gib_with_every_cluster_in_one_file(tmp_path):
    """2 million clusters of 32 KiB in one chain; the contents are holes."""
    path = sparse(tmp_path / "v.img", 64)
    with open(path, "r+b") as file:
        boot = file.read(512)
        (reserved,) = struct.unpack_from("<H", boot, 14)
        (size,) = struct.unpack_from("<I", boot, 36)
        chain = array("I", range(4, 4 + (1 << 20)))
        for copy in range(2):
            file.seek((reserved + copy * size) * 512 + 12)
            file.write(chain.tobytes() + b"\xff\xff\xff\x0f")
        file.seek((reserved + 2 * size) * 512 + 32)
        file.write(b"LARGE   BIN\x20" + bytes(14) + b"\3\0" + struct.pack("<I", 0xFFFFFFFF))
    code, said, seconds, mib = measured(path, "--alone")
    assert code == 1
    assert "fat-chain-long" in said
    assert seconds < 30
    assert mib < 500


@pytest.mark.slow
@pytest.mark.parametrize("byte", [b"\x01", b"\xff"])
def test_a_table_as_large_as_can_be(tmp_path, byte):
    """A FAT32 that claims 268 million clusters and a table of 1 GiB, with 128 MiB in use."""
    path = tmp_path / "v.img"
    boot = bytearray(foreign.mkfs(tmp_path / "s.img", 32, 40 << 10, "-s", "1").read_bytes()[:512])
    struct.pack_into("<I", boot, 32, 0xFFFFFFFF)  # sectors
    struct.pack_into("<I", boot, 36, 1 << 21)  # sectors per FAT: 1 GiB
    with open(path, "wb") as file:
        file.write(boot)
        file.seek(32 * 512)
        for _ in range(1 << 10):
            file.write(byte * (1 << 17))  # 128 MiB of it, twice what is read
        file.truncate(3 << 30)
    code, said, seconds, mib = measured(path, "--alone")
    assert code == 1
    assert "limit" in said
    assert seconds < 60
    assert mib < 500


@pytest.mark.slow
def test_directories_without_end(tmp_path):
    """30,000 directories of 128 directories each: more names than are looked at.

    A sixteenth of them and of the limit, unless ``VERIFY_LIMITS=1``.
    """
    part = int(os.environ.get("VERIFY_LIMITS", "16"))
    first = f"from doit_diskimg.verify.source import LIMITS, ENTRIES\nLIMITS[ENTRIES] //= {part}"
    path = tmp_path / "v.img"
    foreign.mkfs(path, 32, 1 << 20, "-s", "8")  # 1 GiB, clusters of 4 KiB
    with open(path, "r+b") as file:
        boot = file.read(512)
        (reserved,) = struct.unpack_from("<H", boot, 14)
        (size,) = struct.unpack_from("<I", boot, 36)
        clusters = 200_000
        table = struct.pack("<3I", 0x0FFFFFF8, 0x0FFFFFFF, 0x0FFFFFFF) + (
            b"\xff\xff\xff\x0f" * clusters
        )
        for copy in range(2):
            file.seek((reserved + copy * size) * 512)
            file.write(table)
        data = (reserved + 2 * size) * 512
        following = 3
        for cluster in range(2, 2 + 30_000 // part):
            entries = bytearray()
            for _ in range(128):
                name = b"D%010X" % following
                entries += name + b"\x10" + bytes(8) + struct.pack(
                    "<HHHHI", following >> 16, 0, 0, following & 0xFFFF, 0
                )
                following = 3 + (following - 2) % clusters
            file.seek(data + (cluster - 2) * 4096)
            file.write(entries)
    code, said, seconds, mib = measured(path, "--alone", first=first)
    assert code == 1
    assert f"more than {(1 << 18) // part:,} files and directories" in said
    assert seconds < max(30, 120 / part)
    assert mib < max(100, 1000 / part)
