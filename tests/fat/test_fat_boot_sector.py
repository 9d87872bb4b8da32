"""A boot sector of the user's own around our BPB, and what lies in the reserved sectors."""

import shutil
import struct
import subprocess
from dataclasses import replace

import pytest
from tools import run, tool

from doit_diskimg.errors import DescriptionError
from doit_diskimg.kinds.filesystems.fat.reserved import MOST
from doit_diskimg.kinds.filesystems.fat.volume import Fat
from doit_diskimg.units import KIB, MIB

CODE = bytes(range(1, 251))


def sector(fat, code=CODE, oem=b"MYLOADER", bpb=b"", jump=None, end=b"\x55\xaa"):
    """Return a boot sector as an assembler makes it; ``bpb`` begins at byte 11."""
    start = 90 if fat == 32 else 62
    head = (jump or bytes([0xEB, start - 2, 0x90])) + oem.ljust(8, b"\0") + bpb
    return (head.ljust(start, b"\0") + code).ljust(510, b"\0") + end


def floppy_bpb():
    """Return bytes 11 to 61 of what mkfs.fat writes on a diskette, all of it: the classic one."""
    return struct.pack(
        "<HBHBHHBHHHII", 512, 1, 1, 2, 224, 2880, 0xF0, 9, 18, 2, 0, 0
    ) + struct.pack("<BBBI11s8s", 0, 0, 0x29, 0x12345678, b"NO NAME    ", b"FAT12   ")


PLACES = [(12, 1440 * KIB), (16, 16 * MIB), (32, 34 * MIB)]


@pytest.mark.parametrize(("fat", "size"), PLACES)
def test_the_same_as_with_dd(bench, fat, size):
    """By hand: the jump and the OEM name, then everything behind the BPB, with conv=notrunc."""
    start = 90 if fat == 32 else 62
    own = bench.folder / "vbr.bin"
    own.write_bytes(sector(fat))
    files = {"kernel": b"k" * 5000}
    by_hand = bench.folder / "hand.img"
    shutil.copy(bench.make(Fat(files, fat=fat, label="X"), size), by_hand)
    for boot in (0, 6) if fat == 32 else (0,):
        for at, length in ((0, 11), (start, 512 - start)):
            run("dd", f"if={own}", f"of={by_hand}", "bs=1", f"skip={at}",
                f"seek={boot * 512 + at}", f"count={length}", "conv=notrunc", "status=none")
    ours = bench.make(Fat(files, fat=fat, label="X", boot_sector=own.read_bytes()), size)
    assert ours.read_bytes() == by_hand.read_bytes()
    bench.judge(ours, files)


def test_from_a_file(bench, fake):
    """The file is read, and nothing else of it: its digest decides whether it changed."""
    files = fake({"build/vbr.bin": sector(12)})
    fat = Fat(boot_sector="build/vbr.bin")
    assert [want.source for want in fat.sources("p")] == ["build/vbr.bin"]
    path = bench.make(fat, 1440 * KIB, files)
    assert files.asked == [("size", "build/vbr.bin"), ("read", "build/vbr.bin")]
    data = path.read_bytes()[:512]
    assert (data[3:11], data[62:312]) == (b"MYLOADER", CODE)


@pytest.mark.parametrize(
    ("data", "oem"),
    [
        (sector(12)[:300], b"MYLOADER"),  # shorter: the rest is zero, the signature ours
        (sector(12, end=b"\0\0"), b"MYLOADER"),
        (sector(12, oem=b""), b"MSWIN4.1"),  # zeros are to be filled in
        (sector(12, oem=b"", bpb=floppy_bpb()), b"MSWIN4.1"),
        (sector(12, jump=b"\xe9\x3b\x00"), b"MYLOADER"),
    ],
)
def test_accepted(bench, data, oem):
    fat = Fat(boot_sector=data, volume_id="1234-5678")
    written = bench.make(fat, 1440 * KIB).read_bytes()[:512]
    assert written[3:11] == oem
    assert written[510:] == b"\x55\xaa"
    assert written[:3] == data[:3]
    assert written[62:510] == data[62:510].ljust(448, b"\0")
    plain = bench.make(Fat(volume_id="1234-5678"), 1440 * KIB).read_bytes()[:512]
    assert written[11:62] == plain[11:62]


def with_field(at, form, value, fat=12):
    data = bytearray(sector(fat, bpb=floppy_bpb() if fat == 12 else b""))
    struct.pack_into(form, data, at, value)
    return bytes(data)


MADE_UP = ", or write bpb='replace' if they are made up)"
CONTRADICTIONS = [
    (with_field(13, "<B", 2), "BPB_SecPerClus: byte 13 says 2, the volume has 1 (write zeros "
     "there, or describe the volume with another cluster_size" + MADE_UP),
    (with_field(14, "<H", 33), "BPB_RsvdSecCnt: byte 14 says 33, the volume has 1 (write zeros "
     "there, or describe the volume with another reserved_sectors" + MADE_UP),
    (with_field(19, "<H", 5760), "BPB_TotSec16: byte 19 says 5,760, the volume has 2,880 (write "
     "zeros there, or describe the volume with another size" + MADE_UP),
    (with_field(21, "<B", 0xF8), "BPB_Media: byte 21 says 0xf8, the volume has 0xf0 (write zeros "
     "there, or describe the volume with another media" + MADE_UP),
    (with_field(24, "<H", 63), "BPB_SecPerTrk: byte 24 says 63, the volume has 18 (write zeros "
     "there" + MADE_UP),
    (with_field(28, "<I", 2048), "BPB_HiddSec: byte 28 says 2,048, the volume has 0 (write zeros "
     "there, or describe the volume with another hidden_sectors" + MADE_UP),
    (with_field(36, "<B", 0x80), "BS_DrvNum: byte 36 says 0x80, the volume has 0x0 (write zeros "
     "there, or describe the volume with another drive_number" + MADE_UP),
    (with_field(43, "11s", b"BOOT       "), "BS_VolLab: byte 43 says 'BOOT       ', the volume "
     "has 'NO NAME    ' (write zeros there, or describe the volume with another label" + MADE_UP),
    (with_field(54, "8s", b"FAT16   "), "BS_FilSysType: byte 54 says 'FAT16   ', the volume has "
     "'FAT12   ' (write zeros there, or describe the volume with another fat" + MADE_UP),
    (sector(12, jump=b"\xb8\0\0"), "BS_jmpBoot: it begins with b8 00 00, a boot sector of FAT "
     "begins with a jump, eb ?? 90 or e9 ?? ?? (begin with a short jump to byte 62 and a nop)"),
    (sector(12, jump=b"\xeb\x1c\x90"), "BS_jmpBoot: it jumps to byte 30, the code of FAT12 lies "
     "in bytes 62 to 509 (begin with a short jump to byte 62 and a nop)"),
    (sector(12, end=b"\xc3\x90"), "bytes 510 and 511 are c3 90, a boot sector ends with 55 aa "
     "(make the code shorter: it has the bytes up to 509)"),
    (bytes(513), "it has 513 bytes, a boot sector has at most 512 (put the rest behind it: "
     "reserved={1: ...}, at sector 8 or later on FAT32)"),
]


@pytest.mark.parametrize(("data", "message"), CONTRADICTIONS)
def test_contradictions(bench, data, message):
    with pytest.raises(DescriptionError) as caught:
        bench.fill(Fat(boot_sector=data, volume_id="1234-5678"), 1440 * KIB)
    between = " " if message.startswith("B") else ": "
    assert str(caught.value).replace("boot_sector: ", "boot_sector ", between == " ") == (
        f"partitions[0].boot_sector{between}{message}"
    )


@pytest.mark.parametrize(("fat", "size"), PLACES)
@pytest.mark.parametrize("oem_name", [None, "OURS"])
def test_a_made_up_bpb_is_left_out_as_an_installer_does(bench, fat, size, oem_name):
    """By hand: everything but bytes 3 to 61, or to 89 on FAT32."""
    start = 90 if fat == 32 else 62
    own = sector(fat, bpb=bytes(range(100, 100 + start - 11)), oem=b"MADE UP!")
    plain = Fat({"kernel": b"k"}, fat=fat, label="X", oem_name=oem_name)
    written = bytearray(bench.make(plain, size).read_bytes())
    for boot in (0, 6) if fat == 32 else (0,):
        written[boot * 512 : boot * 512 + 3] = own[:3]
        written[boot * 512 + start : boot * 512 + 512] = own[start:]
    with pytest.raises(DescriptionError) as caught:
        bench.fill(replace(plain, boot_sector=own), size)
    assert len(caught.value.problems) > 10
    path = bench.make(replace(plain, boot_sector=own, bpb="replace"), size)
    assert path.read_bytes() == written
    bench.judge(path, {"kernel": b"k"})


def test_code_that_is_wrong_stays_wrong_whatever_its_bpb_says(bench):
    """A jump into the BPB, and other bytes than 55 aa."""
    data = sector(12, jump=b"\xeb\x1c\x90", end=b"\xc3\x90")
    with pytest.raises(DescriptionError) as caught:
        bench.fill(Fat(boot_sector=data, bpb="replace"), 1440 * KIB)
    assert [str(problem) for problem in caught.value.problems] == [
        "partitions[0].boot_sector: BS_jmpBoot: it jumps to byte 30, the code of FAT12 lies in "
        "bytes 62 to 509 (begin with a short jump to byte 62 and a nop)",
        "partitions[0].boot_sector: bytes 510 and 511 are c3 90, a boot sector ends with 55 aa "
        "(make the code shorter: it has the bytes up to 509)",
    ]


def test_all_contradictions_at_once(bench):
    """Code of FAT16 on a FAT32 volume lies where FAT32 has more fields."""
    with pytest.raises(DescriptionError) as caught:
        bench.fill(Fat(boot_sector=sector(16), fat=32, oem_name="OTHER"), 34 * MIB)
    fields = [problem.where.partition(": ")[2] for problem in caught.value.problems]
    assert fields == [
        "BS_jmpBoot", "BPB_Reserved", "BS_DrvNum", "BS_Reserved1", "BS_BootSig", "BS_VolID",
        "BS_VolLab", "BS_FilSysType", "BS_OEMName",
    ]


def test_assembled_and_booted_by_nobody_but_read_by_all(bench):
    """What GNU as makes of a usual source, with the BPB left to us."""
    source = bench.folder / "vbr.s"
    source.write_text(
        '.code16\n jmp start\n nop\n .ascii "GNU AS  "\n .skip 51\nstart: cli\n hlt\n jmp start\n'
        ".org 510\n .word 0xaa55\n"
    )
    done = bench.folder / "vbr.o"
    subprocess.run([tool("as"), "--32", "-o", str(done), str(source)], check=True)
    flat = bench.folder / "vbr.flat"
    subprocess.run([tool("objcopy"), "-O", "binary", str(done), str(flat)], check=True)
    assert len(flat.read_bytes()) == 512
    path = bench.make(Fat({"a": b"a"}, boot_sector=flat.read_bytes()), 1440 * KIB)
    bench.judge(path, {"a": b"a"})
    assert path.read_bytes()[62:66] == bytes.fromhex("fa f4 eb fc")


# The reserved sectors ----------------------------------------------------------------------------

STAGE2 = bytes(range(256)) * 20  # ten sectors


@pytest.mark.parametrize(
    ("fat", "size", "options", "reserved"),
    [
        (12, 1440 * KIB, {"reserved": {1: STAGE2}}, 11),
        (12, 1440 * KIB, {"reserved": {1: STAGE2}, "reserved_sectors": 288}, 288),
        (12, 1440 * KIB, {"reserved": {1: STAGE2[:1], 2: STAGE2, 20: b"x"}}, 21),
        (16, 16 * MIB, {"reserved": {1: STAGE2}}, None),
        (16, 16 * MIB, {"reserved": {1: STAGE2}, "reserved_sectors": 11}, 11),
        (32, 34 * MIB, {"reserved": {8: STAGE2, 2: STAGE2[:2048]}}, None),
        (32, 34 * MIB, {"reserved": {8: STAGE2}, "reserved_sectors": 18}, 18),
        (32, 34 * MIB, {"reserved": {30: STAGE2}}, None),
        (32, 34 * MIB, {"reserved_sectors": 8}, 8),
    ],
)
def test_reserved(bench, fake, fat, size, options, reserved):
    files = {"kernel": b"k" * 5000}
    host = {f"build/{at}": data for at, data in options.get("reserved", {}).items()}
    given = {at: f"build/{at}" if at % 2 else data
             for at, data in options.get("reserved", {}).items()}
    description = Fat(files, fat=fat, **{**options, "reserved": given})
    path = bench.make(description, size, fake(host))
    bench.judge(path, files)
    data = path.read_bytes()
    count = int.from_bytes(data[14:16], "little")
    assert reserved is None or count == reserved
    for at, content in options.get("reserved", {}).items():
        assert data[at * 512 :][: len(content)] == content
        assert at * 512 + len(content) <= count * 512
    room = description.room(size, fake(host), "p")
    assert dict(room.facts)["clusters"] == f"{raw_clusters(data):,}"


def raw_clusters(data):
    """Count by the standard: (TotSec - (Rsvd + NumFATs * FATSz + root sectors)) / SecPerClus."""
    per, rsvd, fats, root, tot16, _, fat16 = struct.unpack_from("<BHBHHBH", data, 13)
    (tot32,), (fat32,) = struct.unpack_from("<I", data, 32), struct.unpack_from("<I", data, 36)
    return ((tot16 or tot32) - rsvd - fats * (fat16 or fat32) - root * 32 // 512) // per


def test_as_many_reserved_sectors_as_a_volume_can_have(bench):
    """The data area is aligned behind them, within the 16 bits of BPB_RsvdSecCnt."""
    reserved = {8: bytes((MOST - 8) * 512)}
    for clusters in range(4):
        fat = Fat(fat=32, cluster_size=1024, reserved=reserved)
        size = 1_000_493_056 + clusters * 4096
        picture = bench.fill(fat, size)
        assert int.from_bytes(picture.blob[14:16], "little") >= MOST
    (problem,) = Fat(reserved={MOST + 1: b""}).problems("p", 64 * MIB)
    assert problem.where == f"p.reserved[{MOST + 1}]"


def test_sectors_before_a_volume_that_32_bits_do_not_count(bench):
    with pytest.raises(DescriptionError) as caught:
        bench.fill(Fat(), 4 * MIB, start=1 << 41, bare=False)
    assert str(caught.value) == (
        "partitions[0].hidden_sectors: 4,294,967,296 sectors lie before the volume, its boot "
        "sector counts at most 4,294,967,295 (write hidden_sectors=0, which only loaders of a BIOS "
        "mind, or place it lower)"
    )
    assert bench.fill(Fat(hidden_sectors=0), 4 * MIB, start=1 << 41, bare=False)


@pytest.mark.parametrize(
    ("options", "messages"),
    [
        (
            {"fat": 32, "reserved": {1: STAGE2}},
            ["p.reserved[1]: 5,120 bytes, sectors 1 to 10, cover FSInfo in sector 1, FAT32 has "
             "sectors 0, 1, 6 and 7 for itself (put it at sector 8 or later, or something shorter "
             "at 2)"],
        ),
        (
            {"fat": 32, "reserved": {2: STAGE2, 7: b"x"}},
            ["p.reserved[2]: 5,120 bytes, sectors 2 to 11, cover the copy of the boot sector in "
             "sector 6, FAT32 has sectors 0, 1, 6 and 7 for itself (put it at sector 8 or later, "
             "or something shorter at 2)",
             "p.reserved[7]: 1 bytes, sectors 7 to 7, cover the copy of FSInfo in sector 7, FAT32 "
             "has sectors 0, 1, 6 and 7 for itself (put it at sector 8 or later, or something "
             "shorter at 2)",
             "p.reserved[7]: sector 7 is taken by p.reserved[2], which ends before sector 12, no "
             "byte may belong to two parts (put it at sector 12 or later)"],
        ),
        (
            {"fat": 16, "reserved": {1: STAGE2}, "reserved_sectors": 10},
            ["p.reserved[1]: 5,120 bytes, sectors 1 to 10, run past the reserved sectors, the "
             "volume has 10 of them (write reserved_sectors=11 or more, or leave it out)"],
        ),
        (
            {"reserved": {0: b"", True: b"", "1": b"", 3: 4}},
            ["p.reserved[0]: 0 is not a sector, must be the number of a sector, 1 to "
             "65523 (write a "
             "number)",
             "p.reserved[True]: True is not a sector, must be the number of a sector, 1 to 65523 "
             "(write a number)",
             "p.reserved['1']: '1' is not a sector, must be the number of a sector, 1 to 65523 "
             "(write a number)",
             "p.reserved[3]: 4 is not a source, must be the path of a file, bytes, or "
             "BootCode(...) (change it)"],
        ),
        (
            {"reserved": [STAGE2]},
            [f"p.reserved: {[STAGE2]!r} is not a mapping, reserved maps sectors to sources (write "
             '{1: "build/stage2.bin"})'],
        ),
    ],
)
def test_reserved_problems(bench, fake, options, messages):
    assert [str(found) for found in Fat(**options).problems("p", 64 * MIB)] == [
        "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in message)
        for message in messages
    ]
    with pytest.raises(DescriptionError):
        Fat(**options).room(64 * MIB, fake(), "p")


def test_lengths_of_files_are_asked_for_where_they_decide(bench, fake):
    """With a count of one's own the geometry is known before the stage 2 is there."""
    files = fake({"s": STAGE2})
    fat = Fat(reserved={1: "s"})
    assert [want.decides_room for want in fat.sources("p")] == [True]
    fat.room(16 * MIB, files, "p")
    assert files.asked == [("size", "s")]
    fat = Fat(reserved={1: "s"}, reserved_sectors=16)
    assert [want.decides_room for want in fat.sources("p")] == [False]
    fat.room(16 * MIB, fake(), "p")
    with pytest.raises(DescriptionError, match="run past the reserved sectors"):
        bench.fill(fat, 16 * MIB, fake({"s": STAGE2 * 2}))
