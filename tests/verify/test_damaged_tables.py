"""One defect at a time in the tables of sfdisk and sgdisk, and the codes that it must have."""

import json
import struct
import zlib

import foreign
import pytest
from foreign import MIB
from tools import run

from doit_diskimg import verify_image
from doit_diskimg.verify import gpt_reader, mbr_reader
from doit_diskimg.verify.finding import Findings
from doit_diskimg.verify.source import Source

LAST = 8 * MIB // 512 - 1


@pytest.fixture(scope="module")
def disks(tmp_path_factory):
    folder = tmp_path_factory.mktemp("disks")
    return {
        "mbr": foreign.sfdisk(folder / "mbr.img", foreign.LOGICAL).read_bytes(),
        "gpt": foreign.sgdisk(folder / "gpt.img", *foreign.GPT).read_bytes(),
        "hybrid": foreign.sgdisk(folder / "hybrid.img", *foreign.GPT, "-h", "2").read_bytes(),
    }


def put(data, at, form, *values):
    struct.pack_into("<" + form, data, at, *values)


def mbr_entry(number, offset):
    return 446 + 16 * (number - 1) + offset


def ebr(disk, number):
    """Return where the EBR of a logical partition (from 0) lies, by following the chain."""
    at = 4096 * 512
    for _ in range(number):
        at = (4096 + struct.unpack_from("<I", disk, at + 446 + 16 + 8)[0]) * 512
    return at


def reseal(disk, header, count=128):
    """Make both CRCs of the header in sector ``header`` right again."""
    at = header * 512
    (array,) = struct.unpack_from("<Q", disk, at + 72)
    put(disk, at + 88, "I", zlib.crc32(disk[array * 512 :][: count * 128]))
    put(disk, at + 16, "I", 0)
    put(disk, at + 16, "I", zlib.crc32(disk[at : at + 92]))


def both(disk, change):
    """Change both arrays alike and make all CRCs right: what is left is the defect itself."""
    for header in (1, LAST):
        (array,) = struct.unpack_from("<Q", disk, header * 512 + 72)
        change(disk, array * 512)
        reseal(disk, header)


CASES = {}


def case(name, table, *codes):
    def keep(damage):
        CASES[name] = table, damage, set(codes)
        return damage

    return keep


# MBR ---------------------------------------------------------------------------------------------


@case("no 55 AA", "mbr", "mbr-signature")
def mbr_signature(d):
    put(d, 510, "H", 0)


@case("an indicator of 0x01", "mbr", "mbr-indicator")
def indicator(d):
    put(d, mbr_entry(2, 0), "B", 1)


@case("two active", "mbr", "mbr-active")
def active(d):
    put(d, mbr_entry(2, 0), "B", 0x80)


@case("a type without sectors", "mbr", "part-empty")
def empty(d):
    put(d, mbr_entry(1, 12), "I", 0)


@case("a place without a type", "mbr", "mbr-unused")
def unused(d):
    put(d, mbr_entry(3, 8), "I", 12345)


@case("no partitions at all", "mbr", "part-none")
def no_partitions(d):
    d[446:510] = bytes(64)


@case("two overlap by a sector", "mbr", "part-overlap")
def overlap(d):
    put(d, mbr_entry(1, 12), "I", 2049)


@case("beyond the disk", "mbr", "part-beyond")
def beyond(d):
    put(d, mbr_entry(2, 12), "I", LAST - 4096)
    put(d, mbr_entry(3, 4), "B3xII", 0x83, LAST, 2)


@case("over the table", "mbr", "part-on-table")
def on_table(d):
    put(d, mbr_entry(1, 8), "II", 0, 4096)


@case("two extended partitions", "mbr", "ebr-extended")
def extended(d):
    put(d, mbr_entry(3, 4), "B3xII", 0x0F, 34, 100)


@case("an EBR without 55 AA", "mbr", "ebr-signature")
def ebr_signature(d):
    put(d, ebr(d, 1) + 510, "H", 0)


@case("an EBR that leads to itself", "mbr", "ebr-loop")
def ebr_loop(d):
    at = ebr(d, 1)
    put(d, at + 446 + 16 + 8, "I", at // 512 - 4096)


@case("an EBR that leads to the first", "mbr", "ebr-loop")
def ebr_first(d):
    put(d, ebr(d, 1) + 446 + 16 + 8, "I", 0)


@case("an EBR behind the extended partition", "mbr", "ebr-outside")
def ebr_outside(d):
    put(d, ebr(d, 1) + 446 + 16 + 8, "I", 1 << 20)


@case("a logical partition that leaves the extended one", "mbr", "ebr-outside", "part-beyond")
def logical_outside(d):
    put(d, ebr(d, 2) + 446 + 12, "I", 1 << 20)


@case("a logical partition over the next EBR", "mbr", "ebr-covered")
def logical_covers(d):
    put(d, ebr(d, 0) + 446 + 12, "I", (ebr(d, 1) - ebr(d, 0)) // 512 - 2047)


@case("a logical partition over the next", "mbr", "ebr-covered", "part-overlap")
def logical_overlap(d):
    put(d, ebr(d, 0) + 446 + 12, "I", (ebr(d, 1) - ebr(d, 0)) // 512 + 1)


@case("a third entry in an EBR", "mbr", "mbr-unused")
def third(d):
    put(d, ebr(d, 0) + 446 + 32 + 8, "I", 5)


# GPT ---------------------------------------------------------------------------------------------


@case("a bit of the primary header", "gpt", "gpt-header-crc", "gpt-primary", "gpt-differ")
def header_crc(d):
    d[512 + 56] ^= 1


@case("no primary header", "gpt", "gpt-primary")
def no_primary(d):
    d[512:1024] = bytes(512)


@case("no backup header", "gpt", "gpt-no-backup")
def no_backup(d):
    d[LAST * 512 :] = bytes(512)


@case("the primary names itself, as genimage writes it without a backup", "gpt", "gpt-no-backup")
def own_backup(d):
    put(d, 512 + 32, "Q", 1)
    reseal(d, 1)
    d[LAST * 512 :] = bytes(512)


@case("a bit of the backup header", "gpt", "gpt-header-crc", "gpt-backup", "gpt-differ")
def backup_crc(d):
    d[LAST * 512 + 56] ^= 1


@case("a bit of the primary array", "gpt", "gpt-array-crc")
def array_crc(d):
    d[1024 + 60] ^= 1


@case("a bit of the backup array", "gpt", "gpt-array-crc")
def backup_array(d):
    d[(LAST - 32) * 512 + 60] ^= 1


@case("a longer disk", "gpt", "gpt-backup-place", "pmbr-wrong")
def longer(d):
    d += bytes(MIB)


@case("a shorter disk", "gpt", "gpt-backup-place", "gpt-backup", "pmbr-wrong", "gpt-header")
def shorter(d):
    del d[6 * MIB :]


@case("the backup says another name", "gpt", "gpt-differ")
def differ(d):
    d[(LAST - 32) * 512 + 56] = ord("X")
    reseal(d, LAST)


@case("the headers disagree about usable sectors", "gpt", "gpt-differ")
def usable(d):
    put(d, 512 + 48, "Q", LAST - 40)
    reseal(d, 1)


@case("my_lba is wrong", "gpt", "gpt-header")
def my_lba(d):
    put(d, 512 + 24, "Q", 2)
    reseal(d, 1)


@case("revision 2", "gpt", "gpt-header")
def revision(d):
    put(d, 512 + 8, "I", 0x20000)
    reseal(d, 1)


@case("entries of 100 bytes", "gpt", "gpt-header", "gpt-differ")
def entry_size(d):
    put(d, 512 + 84, "I", 100)
    reseal(d, 1)


@case("four thousand million entries", "gpt", "limit", "gpt-differ")
def entry_count(d):
    put(d, 512 + 80, "I", 0xFFFFFFFF)
    reseal(d, 1)


@case("a header of 4 GB", "gpt", "gpt-primary")
def header_size(d):
    put(d, 512 + 12, "I", 0xFFFFFFFF)


@case("the array in the usable sectors", "gpt", "gpt-array-place")
def array_place(d):
    d[3000 * 512 : 3032 * 512] = d[1024 : 1024 + 32 * 512]
    put(d, 512 + 72, "Q", 3000)
    reseal(d, 1)


@case("overlap", "gpt", "part-overlap")
def gpt_overlap(d):
    both(d, lambda d, at: put(d, at + 40, "Q", 4096))


@case("an end before its beginning", "gpt", "gpt-entry")
def backwards(d):
    both(d, lambda d, at: put(d, at + 40, "Q", 2000))


@case("outside the usable sectors", "gpt", "gpt-outside")
def outside(d):
    both(d, lambda d, at: put(d, at + 128 + 40, "Q", LAST - 1))


@case("to the last sector of the disk", "gpt", "gpt-outside")
def gpt_to_the_end(d):
    both(d, lambda d, at: put(d, at + 128 + 40, "Q", LAST))


@case("beyond the disk, GPT", "gpt", "gpt-outside", "part-beyond")
def gpt_beyond(d):
    both(d, lambda d, at: put(d, at + 128 + 40, "Q", LAST + 1))


@case("two of one GUID", "gpt", "gpt-guid-twice")
def guid(d):
    both(d, lambda d, at: d.__setitem__(slice(at + 144, at + 160), d[at + 16 : at + 32]))


@case("the disk's GUID", "gpt", "gpt-guid-twice")
def disk_guid(d):
    both(d, lambda d, at: d.__setitem__(slice(at + 144, at + 160), d[568 : 568 + 16]))


@case("no GUID", "gpt", "gpt-guid-zero")
def zero_guid(d):
    both(d, lambda d, at: d.__setitem__(slice(at + 144, at + 160), bytes(16)))


@case("a disk without a GUID", "gpt", "gpt-guid-zero")
def zero_disk_guid(d):
    for header in (1, LAST):
        put(d, header * 512 + 56, "16s", bytes(16))
        reseal(d, header)


@case("half of a character", "gpt", "gpt-name")
def name(d):
    both(d, lambda d, at: put(d, at + 56, "H", 0xD800))


for bit in (3, 20, 47):
    @case(f"the reserved attribute {bit}", "gpt", "gpt-attributes")
    def attribute(d, bit=bit):
        both(d, lambda d, at: put(d, at + 48, "Q", 1 << bit))


@case("all attributes that are not reserved", "gpt")
def attributes(d):
    both(d, lambda d, at: put(d, at + 48, "Q", 0xFFFF << 48 | 7))


@case("no protective entry", "gpt", "pmbr-missing")
def unprotected(d):
    put(d, 450, "B", 0x83)
    put(d, 454, "II", 2048, 2048)


@case("no 55 AA, GPT", "gpt", "pmbr-missing")
def unsigned(d):
    put(d, 510, "H", 0)


@case("a protective entry too short", "gpt", "pmbr-wrong")
def short_guard(d):
    put(d, 458, "I", 100)


@case("an active protective entry", "gpt", "pmbr-active")
def active_guard(d):
    put(d, 446, "B", 0x80)


@case("a hybrid partition that is none", "hybrid", "hybrid-differs")
def hybrid(d):
    number = next(n for n in (1, 2) if d[mbr_entry(n, 4)] != 0xEE)
    put(d, mbr_entry(number, 8), "I", 5000)


@pytest.mark.parametrize("name", CASES)
def test_one_defect(disks, tmp_path, name):
    table, damage, expected = CASES[name]
    data = bytearray(disks[table])
    damage(data)
    path = tmp_path / "disk.img"
    path.write_bytes(data)
    found = verify_image(path)
    assert {one.code for one in found} - {"part-not-fat"} == expected, "\n".join(map(str, found))
    if table == "gpt":
        for one in found:
            assert is_told_by_fields(one), str(one)


# Where a field of the header begins; UEFI 2.10, table 5-5.
HEADER_FIELDS = {0, 8, 12, 16, 20, 24, 32, 40, 48, 56, 72, 80, 84, 88, 92, 512}
# And where one of an entry begins; table 5-6.
ENTRY_FIELDS = {0, 16, 32, 40, 48, 56}


def is_told_by_fields(one):
    """Return whether a finding in a header or in an array is about whole fields of it."""
    lba, at = divmod(one.start or 0, 512)
    if 2 <= lba < 34 or LAST - 32 <= lba < LAST:
        return {at % 128, (at + one.length) % 128} <= ENTRY_FIELDS
    in_header = one.code.startswith("gpt-") and lba in (1, LAST) and one.length <= 512
    return not in_header or {at, at + one.length} <= HEADER_FIELDS


def test_a_header_that_is_gone_is_told_with_its_sector(disks, tmp_path):
    for lba, code in ((1, "gpt-primary"), (LAST, "gpt-no-backup")):
        path = tmp_path / f"{lba}.img"
        path.write_bytes(disks["gpt"][: lba * 512] + bytes(512) + disks["gpt"][lba * 512 + 512 :])
        places = [(one.start, one.length) for one in verify_image(path) if one.code == code]
        assert places == [(lba * 512, 512)]


TYPES = [
    # type, FAT, codes
    ("c", 32, []), ("b", 32, []), ("ef", 32, []), ("e", 32, ["part-type-fat"]),
    ("6", 16, []), ("e", 16, []), ("4", 16, []), ("ef", 16, []), ("c", 16, ["part-type-fat"]),
    ("1", 12, []), ("c", 12, ["part-type-fat"]), ("83", 16, ["part-type-fat"]),
]


@pytest.mark.parametrize(("type_", "fat", "codes"), TYPES)
def test_fat_type_and_partition_type(tmp_path, type_, fat, codes):
    disk = foreign.sfdisk(
        tmp_path / "disk.img", f"label: dos\nstart=2048, type={type_}\n", 40 * MIB
    )
    volume = foreign.filled(tmp_path / "v.img", fat, "-h", "2048")
    with open(disk, "r+b") as file:
        file.seek(MIB)
        file.write(volume.read_bytes())
    found = verify_image(disk)
    assert [one.code for one in found] == codes
    assert not any(one.is_error for one in found), "most boards have FAT16 in 0x0C"


def test_a_volume_longer_than_its_partition(tmp_path):
    disk = foreign.sfdisk(tmp_path / "disk.img", "label: dos\n1M 7M 6\n", 16 * MIB)
    volume = foreign.filled(tmp_path / "v.img", 16, "-h", "2048")  # 8 MiB
    with open(disk, "r+b") as file:
        file.seek(MIB)
        file.write(volume.read_bytes())
    (found,) = verify_image(disk)
    assert str(found) == (
        "error fat-beyond 0x100013..0x100015: partition 1: it has 8,388,608 bytes, "
        "there is room for 7,340,032"
    )


@pytest.mark.parametrize("script", [
    foreign.LOGICAL,
    "label: dos\n1M 1M 83\n2M 1M 83 *\n3M 1M 82\n4M 1M da\n",
    "label: gpt\n1M 1M L\nstart=4096, size=2048, type=U, name=System\n4M 1M S\n",
])
def test_decoders_read_what_sfdisk_reads(tmp_path, script):
    disk = foreign.sfdisk(tmp_path / "disk.img", script)
    dump = json.loads(run("sfdisk", "--json", disk))["partitiontable"]
    with Source(disk) as source:
        if dump["label"] == "gpt":
            parts = gpt_reader.check(source, 512, Findings())
        else:
            parts = mbr_reader.check(source, 512, Findings())
    theirs = [
        (part["start"] * 512, part["size"] * 512, part["type"].lower(), part.get("name", ""))
        for part in dump["partitions"]
        if part["type"] not in ("5", "f")
    ]
    ours = [
        (part.start, part.length,
         part.type if dump["label"] == "gpt" else f"{int(part.type, 16):x}", part.name)
        for part in parts
    ]
    assert ours == theirs
