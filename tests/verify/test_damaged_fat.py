"""One defect at a time in a volume of mkfs.fat and mtools, and the codes that it must have.

Where fsck.fat sees nothing (facts from its runs, dosfstools 4.2), the comment says "silent".
"""

import foreign
import pytest
from damage import EMPTY, KERNEL, LABEL, README, SPACES, SUB, Volume

from doit_diskimg import verify_image


@pytest.fixture(scope="module")
def volumes(tmp_path_factory):
    folder = tmp_path_factory.mktemp("volumes")
    return {
        fat: foreign.filled(folder / f"{fat}.img", fat).read_bytes() for fat in (12, 16, 32)
    }


ALL, WIDE = (12, 16, 32), (32,)
CASES = {}


def case(name, *codes, fats=ALL):
    def keep(damage):
        for fat in fats:
            CASES[f"{name} (FAT{fat})"] = fat, damage, set(codes)
        return damage

    return keep


# The boot sector ---------------------------------------------------------------------------------


def field(name, at, data, *codes, fats=ALL):
    """Write ``data`` over a field of the boot sector, and of its backup in FAT32."""

    def damage(v):
        v.put(at, data)
        if v.fat == 32:
            v.put(6 * 512 + at, data)

    case(name, *codes, fats=fats)(damage)


field("no 55 AA (silent)", 510, b"\0\0", "fat-signature")
field("no jump", 0, b"\x90\x90\x90", "fat-jump")
field("sectors of 500 bytes", 11, b"\xf4\x01", "fat-sector-size")
field("sectors of 0 bytes", 11, b"\0\0", "fat-sector-size")
field("3 sectors per cluster", 13, b"\x03", "fat-cluster-size")
field("no reserved sector", 14, b"\0\0", "fat-reserved")
field("no FAT", 16, b"\0", "fat-copies")
field("200 FATs", 16, b"\xc8", "fat-copies")
field("no root directory", 17, b"\0\0", "fat-root", fats=(12, 16))
field("a root directory in FAT32", 17, b"\0\x02", "fat-root", fats=WIDE)
field("sectors in both fields", 32, b"\x11\x22\x33\0", "fat-sectors", fats=(12, 16))
field("a media byte that is none (silent)", 21, b"\x12", "fat-media")
field("another media byte than FAT[0] (silent)", 21, b"\xf9", "fat-media")
field("no sectors per track", 24, b"\0\0", "fat-geometry")
field("no heads", 26, b"\0\0", "fat-geometry")
field("hidden sectors", 28, b"\x3f\0\0\0", "fat-hidden")
field("version 1.2 of FAT32", 42, b"\x02\x01", "fat-version", fats=WIDE)
field("FAT of 0 sectors", 36, bytes(4), "fat-table-small", fats=WIDE)
field("the text FAT16", 54, b"FAT16   ", "fat-type-text", fats=(12,))
field("the text FAT12", 54, b"FAT12   ", "fat-type-text", fats=(16,))
field("dirty, by the boot sector", 37, b"\x01", "fat-dirty", fats=(12, 16))
field("another label", 43, b"OTHER      ", "fat-label-differs", fats=(12, 16))
field("another label", 71, b"OTHER      ", "fat-label-differs", fats=WIDE)


@case("dirty, by the boot sector; the backup never is", "fat-dirty", fats=WIDE)
def dirty32(v):
    v.put(65, b"\x01")


@case("one sector longer than the image", "fat-beyond")
def longer(v):
    sectors = v.length // 512 + v.cluster_sectors
    if v.fat == 32:
        v.put32(32, sectors)
        v.put32(6 * 512 + 32, sectors)
        v.recount(1)
    else:
        v.put16(19, sectors)


@case("no room for a cluster", "fat-no-clusters")
def no_clusters(v):
    sectors = v.first // 512
    v.put16(19, 0)
    v.put32(32, sectors)


@case("a FAT with room for 512 clusters", "fat-table-small", fats=(16,))
def small_table(v):
    """One sector of FAT where 32 are needed; the copy and the root are put behind it."""
    table = v.data[v.reserved * 512 :][:512]
    root = v.data[v.root : v.first]
    # The first sectors now hold: boot sector, FAT, FAT, root directory.
    v.put(v.reserved * 512, table + table + root)
    v.put16(22, 1)
    # The data begins 62 sectors earlier: move it there.
    data = v.data[v.first :]
    v.put(v.first - (v.table_sectors - 1) * 2 * 512, data)


@case("FAT32 with too few clusters (silent)", "fat-type", fats=WIDE)
def few_clusters(v):
    """Half the sectors: 34,000 clusters are FAT16's."""
    v.put32(32, 35_000)
    v.put32(6 * 512 + 32, 35_000)
    v.put32(512 + 488, 0xFFFFFFFF)  # FSInfo: not known


@case("FAT16's layout with FAT32's count", "fat-type", "fat-beyond", "fat-table-small",
      fats=(16,))
def many_clusters(v):
    v.put16(19, 0)
    v.put32(32, 70_000)


@case("backup boot sector differs (silent)", "fat-backup-boot", fats=WIDE)
def backup(v):
    v.put(6 * 512 + 100, b"\x12")


@case("backup boot sector out of the reserved ones", "fat-backup-place", fats=WIDE)
def backup_place(v):
    v.put16(50, 40)


@case("FSInfo without its first signature", "fat-fsinfo", fats=WIDE)
def lead(v):
    v.put(512, b"rrAA")


@case("FSInfo without its last signature", "fat-fsinfo", fats=WIDE)
def trail(v):
    v.put(512 + 508, bytes(4))


@case("FSInfo in a FAT", "fat-fsinfo", fats=WIDE)
def fsinfo_place(v):
    v.put16(48, 33)
    v.put16(6 * 512 + 48, 33)


@case("FSInfo counts one too many", "fat-fsinfo-free", fats=WIDE)
def free_count(v):
    v.recount(1)


@case("FSInfo's next free cluster does not exist", "fat-fsinfo-next", fats=WIDE)
def next_free(v):
    v.put32(512 + 492, 0x00FFFFFF)


@case("root directory in a cluster that does not exist", "fat-chain-range", "fat-lost",
      "fat-label-differs", fats=WIDE)
def root_cluster(v):
    for at in (44, 6 * 512 + 44):
        v.put32(at, 0x0FFFFFF0)


# Tables and chains -------------------------------------------------------------------------------


@case("copies differ", "fat-differ")
def copies(v):
    v.link(v.unused(), v.end, copies=(1,))


@case("one lost cluster", "fat-lost")
def lost(v):
    v.link(v.unused(), v.end)
    v.recount(-1)


@case("a cluster marked bad is not lost")
def marked_bad(v):
    v.link(v.unused(), v.bad)
    v.recount(-1)


@case("two files share all", "fat-cross-link", "fat-lost")
def cross(v):
    v.put16(v.short(README) + 26, v.cluster(KERNEL))


@case("a chain comes back to its beginning", "fat-loop")
def loop(v):
    last = v.cluster(KERNEL)
    while v.entry(last) & v.end < v.bad:
        last = v.entry(last) & v.end
    v.link(last, v.cluster(KERNEL))


@case("a chain of one comes back", "fat-loop", "fat-lost")
def short_loop(v):
    v.link(v.cluster(KERNEL), v.cluster(KERNEL))


@case("a chain leads into a free cluster", "fat-chain-free", "fat-lost")
def into_free(v):
    v.link(v.cluster(KERNEL), v.unused())


@case("a chain leads into a bad cluster", "fat-chain-bad", "fat-lost")
def into_bad(v):
    v.link(v.cluster(KERNEL), v.unused())
    v.link(v.unused(), v.bad)
    v.recount(-1)


@case("a chain leads out of the volume", "fat-chain-range", "fat-lost")
def out_of_range(v):
    v.link(v.cluster(KERNEL), (1 << min(v.fat, 28)) - 20)


@case("a chain leads to cluster 1", "fat-chain-range", "fat-lost")
def to_one(v):
    v.link(v.cluster(KERNEL), 1)


@case("an entry begins in cluster 1", "fat-chain-range", "fat-lost")
def from_one(v):
    v.put16(v.short(KERNEL) + 26, 1)


@case("a chain too short", "fat-chain-short")
def short_chain(v):
    v.put32(v.short(KERNEL) + 28, 20_000)


@case("a chain too long", "fat-chain-long")
def long_chain(v):
    v.put32(v.short(KERNEL) + 28, 100)


@case("an empty file with a cluster", "fat-chain-long")
def empty_chain(v):
    v.put16(v.short(EMPTY) + 26, v.unused())
    v.link(v.unused(), v.end)
    v.recount(-1)


@case("a file without a cluster", "fat-chain-short")
def no_chain(v):
    v.put32(v.short(EMPTY) + 28, 1)


@case("dirty, by FAT[1]", "fat-dirty", fats=(16, 32))
def dirty(v):
    v.link(1, v.end & ~(0x8000 if v.fat == 16 else 0x08000000))


@case("a disk error, by FAT[1]", "fat-dirty", fats=(16, 32))
def hard_error(v):
    v.link(1, v.end & ~(0x4000 if v.fat == 16 else 0x04000000))


@case("FAT[1] lacks ones", "fat-second-entry")
def second_entry(v):
    v.link(1, v.end & ~0x70)


@case("FAT[0] lacks ones", "fat-first-entry")
def reserved(v):
    v.link(0, v.entry(0) & ~0x700)


# Directories -------------------------------------------------------------------------------------


@case("a directory without a cluster", "fat-dir-start", "fat-lost")
def no_directory(v):
    v.put16(v.short(SUB) + 26, 0)


@case("a directory with a size", "fat-dir-size")
def sized(v):
    v.put32(v.short(SUB) + 28, 512)


@case(". points elsewhere", "fat-dot")
def dot(v):
    v.put16(v.place(v.cluster(SUB)) + 26, 2)


@case(".. points elsewhere", "fat-dot")
def dot_dot(v):
    v.put16(v.place(v.cluster(SUB)) + 32 + 26, 5)


@case("no ..", "fat-dot")
def no_dot_dot(v):
    v.put(v.place(v.cluster(SUB)) + 32, b"\xe5")


@case(". in the root", "fat-dot")
def root_dot(v):
    v.put(v.short(EMPTY), b".          \x10")


@case("bytes behind the end of a directory", "fat-dir-tail")
def tail(v):
    v.put(v.place(v.cluster(SUB)) + 448, b"GHOST")


@case("a directory is its own child", "fat-cross-link", "fat-lost")
def cycle(v):
    """The entry below SUB leads back to SUB: its chain belongs to SUB already."""
    below = v.short(b"DEEP       ", v.place(v.cluster(SUB)))
    v.put16(below + 26, v.cluster(SUB))


@case("a lower-case short name (silent)", "fat-short-lower")
def lower(v):
    v.put(v.short(KERNEL), b"kernel")


@case("a colon in a short name", "fat-short-char")
def colon(v):
    v.put(v.short(KERNEL), b"KER:EL")


@case("a short name that begins with a space", "fat-short-char")
def space(v):
    v.put(v.short(KERNEL), b" ")


@case("a short name twice", "fat-short-twice")
def twice(v):
    v.put(v.short(EMPTY), KERNEL)


@case("long names that differ in case (silent)", "fat-name-twice")
def case_twice(v):
    """The name of three pieces becomes one of one piece, "kernel.bin"; the checksum stays."""
    at = v.short(SPACES) - 32
    v.put(at - 64, b"\xe5")
    v.put(at - 32, b"\xe5")
    units = "kernel.bin\0".encode("utf-16-le").ljust(26, b"\xff")
    v.put(at, b"\x41" + units[:10])
    v.put(at + 14, units[10:22])
    v.put(at + 28, units[22:])


@case("a colon in a long name (silent)", "fat-long-char")
def long_colon(v):
    at = v.data.index("a long file n".encode("utf-16-le")[:10], v.root)
    v.put(at + 2, b":\0")


@case("half of a character in a long name", "fat-long-char")
def surrogate(v):
    at = v.data.index("a long file n".encode("utf-16-le")[:10], v.root)
    v.put(at + 2, b"\x00\xd8")


@case("a long name that ends with a dot", "fat-long-end")
def dot_end(v):
    at = v.data.index("a long file n".encode("utf-16-le")[:10], v.root) - 1
    (end,) = (i for i in range(0, 26, 2) if v.data[at - 64 :][_UNITS[i // 2] :][:2] == b"\0\0")
    v.put(at - 64 + _UNITS[end // 2 - 1], b".\0")


_UNITS = (1, 3, 5, 7, 9, 14, 16, 18, 20, 22, 24, 28, 30)
"""Where the 13 units of a piece lie in its 32 bytes."""


@case("a wrong checksum (silent)", "fat-long-checksum")
def long_checksum(v):
    at = v.short(SPACES) - 32
    v.put(at + 13, bytes([v.data[at + 13] ^ 1]))


@case("pieces in the wrong order", "fat-long-order", "fat-long-orphan")
def order(v):
    v.put(v.short(SPACES) - 64, b"\x03")


@case("a piece is missing", "fat-long-orphan")
def missing_piece(v):
    v.put(v.short(SPACES) - 32, b"\xe5")


@case("a long name without an entry", "fat-long-orphan")
def orphan(v):
    cluster = v.cluster(SPACES)
    v.put(v.short(SPACES), b"\xe5")
    while cluster < v.bad:  # its clusters are free, as after a deletion
        following = v.entry(cluster) & v.end
        v.link(cluster, 0)
        v.recount(1)
        cluster = following


@case("something behind the end of a long name", "fat-long-fill")
def long_fill(v):
    """The last piece of a name of 36 characters has 10 units, a NUL and two of filling."""
    v.put(v.short(SPACES) - 96 + 28, b"A\0")


@case("a last piece that holds nothing", "fat-long-fill")
def long_empty(v):
    at = v.short(SPACES) - 96
    for place, data in ((1, bytes(2) + b"\xff" * 8), (14, b"\xff" * 12), (28, b"\xff" * 4)):
        v.put(at + place, data)


@case("a long name's entry with a cluster", "fat-long-fill")
def long_cluster(v):
    v.put16(v.short(SPACES) - 32 + 26, 5)


@case("two labels (silent)", "fat-label-twice")
def labels(v):
    v.put(v.short(EMPTY), b"SECOND     \x08")


@case("a label in a subdirectory (silent)", "fat-label-place")
def low_label(v):
    """In place of the directory's end."""
    at = v.place(v.cluster(SUB))
    while v.data[at]:
        at += 32
    v.put(at, b"LOW LABEL  \x08")


@case("a comma in the label", "fat-label-char")
def comma(v):
    wide = v.fat == 32
    for at in (71, 6 * 512 + 71, v.short(LABEL)) if wide else (43, v.short(LABEL)):
        v.put(at, b"LAB,L")


@case("no label in the root", "fat-label-differs")
def no_label(v):
    v.put(v.short(LABEL), b"\xe5")


@case("attributes that must be 0", "fat-attributes")
def attributes(v):
    v.put(v.short(KERNEL) + 11, b"\xa0")


def moment(name, at, value):
    case(name, "fat-time")(lambda v: v.put16(v.short(KERNEL) + at, value))


moment("month 13", 24, 43 << 9 | 13 << 5 | 1)
moment("month 0", 24, 43 << 9 | 1)
moment("the 31st of April", 24, 43 << 9 | 4 << 5 | 31)
moment("day 0", 24, 43 << 9 | 1 << 5)
moment("60 seconds", 22, 30)
moment("60 minutes", 22, 60 << 5)
moment("24 hours", 22, 24 << 11)


@pytest.mark.parametrize("name", CASES)
def test_one_defect(volumes, tmp_path, name):
    fat, damage, expected = CASES[name]
    volume = Volume(volumes[fat], fat)
    damage(volume)
    found = verify_image(volume.write(tmp_path / "v.img"))
    assert {one.code for one in found} == expected, "\n".join(map(str, found))
    for one in found:
        assert "\n" not in str(one)
        assert one.start is None or 0 <= one.start <= volume.length
        if one.start is not None and one.start + one.length <= 512:
            assert {one.start, one.start + one.length} <= BOOT_FIELDS[fat], str(one)
        elif one.code in IN_ENTRIES:
            assert (one.start % 32, one.length) == IN_ENTRIES[one.code], str(one)
        elif one.code.startswith("fat-long-"):
            assert (one.start % 32, one.length % 32) == (0, 0), str(one)


# Where a field of the boot sector begins; Microsoft, "FAT32 File System Specification", 1.03.
_NARROW = {
    0, 3, 11, 13, 14, 16, 17, 19, 21, 22, 24, 26, 28, 32, 36, 37, 38, 39, 43, 54, 62, 510, 512,
}
_WIDE = {
    0, 3, 11, 13, 14, 16, 17, 19, 21, 22, 24, 26, 28, 32, 36, 40, 42, 44, 48, 50, 52, 64, 65, 66,
    67, 71, 82, 90, 510, 512,
}
BOOT_FIELDS = {12: _NARROW, 16: _NARROW, 32: _WIDE}
# Which bytes of an entry of a directory a finding is about: the name, attributes and NT byte, all
# times, the checksum in a piece of a long name, or the entry as a whole.
_NAME, _WHOLE = (0, 11), (0, 32)
IN_ENTRIES = {
    "fat-short-char": _NAME, "fat-short-lower": _NAME, "fat-short-twice": _NAME,
    "fat-label-char": _NAME, "fat-label-place": _WHOLE, "fat-label-twice": _WHOLE,
    "fat-dot": _WHOLE, "fat-attributes": (11, 2), "fat-time": (13, 13),
    "fat-long-checksum": (13, 1),
}


def test_a_directory_of_more_than_65536_entries(tmp_path):
    """2 MiB and a cluster, all of deleted entries."""
    path = foreign.mkfs(tmp_path / "v.img", 16, 16 << 10, "-s", "4")
    volume = Volume(path.read_bytes(), 16)
    clusters = (2 << 20) // 2048 + 1
    for cluster in range(2, 2 + clusters):
        volume.link(cluster, cluster + 1 if cluster < 1 + clusters else volume.end)
    volume.put(volume.root + 32, b"LARGE      \x10" + bytes(14) + b"\2\0" + bytes(4))
    volume.put(volume.place(2), b".          \x10" + bytes(14) + b"\2\0")
    volume.put(volume.place(2) + 32, b"..         \x10")
    volume.write(path)
    with open(path, "r+b") as file:
        file.seek(volume.place(2) + 64)
        file.write(b"\xe5" * ((2 << 20) + 2048 - 64))
    assert [one.code for one in verify_image(path)] == ["fat-dir-large"]


def test_fsinfo_behind_the_reserved_sectors(volumes, tmp_path):
    """The last that may be it, and the first that may not."""
    behind = "it is in sector 32, reserved are 32"
    for sector, text in ((31, "a signature is missing"), (32, behind)):
        volume = Volume(volumes[32], 32)
        for at in (48, 6 * 512 + 48):
            volume.put16(at, sector)
        assert [one.text for one in verify_image(volume.write(tmp_path / "v.img"))] == [text]


def test_a_page_of_lost_clusters(tmp_path):
    """All bytes of it alike; only one of zeros is passed over."""
    path = foreign.mkfs(tmp_path / "v.img", 16, 16 << 10, "-s", "1")
    volume = Volume(path.read_bytes(), 16)
    page, table = 2 << 14, volume.table_sectors * 512
    for copy in range(2):
        volume.put(volume.reserved * 512 + copy * table + page, b"\1" * (table - page))
    (found,) = verify_image(volume.write(path))
    last = 2 + (volume.length - volume.first) // 512 - 1
    assert found.code == "fat-lost"
    assert f"{last - 16384 + 1:,} clusters" in found.text
    assert f"16384..{last}" in found.text


def test_clusters_of_64_kib(tmp_path):
    path = foreign.mkfs(tmp_path / "v.img", 16, 512 << 10, "-s", "128")
    assert [one.code for one in verify_image(path)] == ["fat-cluster-large"]


def test_the_good_one_is_good(volumes, tmp_path):
    for fat, data in volumes.items():
        assert verify_image(Volume(data, fat).write(tmp_path / "v.img")) == []


def test_findings_of_one_kind_are_counted(volumes, tmp_path):
    """A million defects are twenty-one lines."""
    volume = Volume(volumes[32], 32)
    at = volume.root
    for number in range(16):
        volume.put(at + 32 * number, b"\xfe" * 11 + b"\x20" + b"\xff" * 12)
    found = verify_image(volume.write(tmp_path / "v.img"))
    assert len([one for one in found if one.code == "fat-time"]) <= 21
    assert all(str(one).isprintable() for one in found)
