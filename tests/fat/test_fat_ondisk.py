"""The on-disk structures, judged by bytes that other programs wrote."""

import subprocess
from array import array
from dataclasses import replace
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tools import tool

from doit_diskimg.ondisk import fat_boot, fat_dirent, fat_entries
from doit_diskimg.ondisk.fat_boot import BootSector, FsInfo
from doit_diskimg.ondisk.fat_dirent import Timestamp
from doit_diskimg.ondisk.fat_entries import ClusterRun


def mkfs(path, size, *options):
    with open(path, "xb") as file:
        file.truncate(size)
    command = [tool("mkfs.fat"), "--invariant", "-n", "EFI SYSTEM", *options, str(path)]
    subprocess.run(command, check=True, capture_output=True)
    with open(path, "rb") as file:
        return file.read(4096)


# Boot sector and FSInfo --------------------------------------------------------------------------


@pytest.mark.parametrize(("fat", "end"), [(12, 62), (16, 62), (32, 90)])
def test_fields_of_the_boot_sector_lie_end_to_end(fat, end):
    found = fat_boot.fields(fat)
    assert [field.start for field in found] == [11, *(field.end for field in found[:-1])]
    assert found[-1].end == fat_boot.code_start(fat) == end


@pytest.mark.parametrize(
    ("size", "options", "expected"),
    [
        (
            1440 << 10,
            [],
            {"total_sectors_16": 2880, "media": 0xF0, "heads": 2, "sectors_per_fat": 9,
             "root_entries": 224, "file_system_type": b"FAT12   ", "drive_number": 0},
        ),
        (
            64 << 20,
            ["-F", "16", "-h", "2048"],
            {"total_sectors_16": 0, "total_sectors_32": 131072, "hidden_sectors": 2048,
             "sectors_per_cluster": 4, "file_system_type": b"FAT16   ", "drive_number": 0x80},
        ),
        (
            64 << 20,
            ["-F", "32", "-i", "89abcdef", "-R", "40"],
            {"total_sectors": 131072, "is_fat32": True, "root_cluster": 2, "fs_info_sector": 1,
             "backup_boot_sector": 6, "reserved_sectors": 40, "volume_id": 0x89ABCDEF,
             "volume_label": b"EFI SYSTEM ", "file_system_type": b"FAT32   ", "ext_flags": 0,
             "bytes_per_sector": 512, "oem_name": b"mkfs.fat", "sectors_per_fat_16": 0},
        ),
    ],
)
def test_boot_sector_of_mkfs(tmp_path, size, options, expected):
    data = mkfs(tmp_path / "volume", size, *options)
    sector = BootSector.unpack(data)
    assert {name: getattr(sector, name) for name in expected} == expected
    assert sector.pack() == data[:512]


def test_fs_info_of_mkfs(tmp_path):
    data = mkfs(tmp_path / "volume", 64 << 20, "-F", "32", "-s", "1")[512:1024]
    assert FsInfo(free_count=129021, next_free=2).pack() == data  # all but the root directory's


BOOT_SECTOR = BootSector(
    jump=b"\xeb\x3c\x90", oem_name=b"MSWIN4.1", bytes_per_sector=512, sectors_per_cluster=1,
    reserved_sectors=1, number_of_fats=2, root_entries=224, total_sectors_16=2880, media=0xF0,
    sectors_per_fat_16=9, sectors_per_track=18, heads=2, hidden_sectors=0, total_sectors_32=0,
    drive_number=0, volume_id=1, volume_label=b"NO NAME    ", file_system_type=b"FAT12   ",
)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"oem_name": b"MSWIN4.10"}, "has 9 bytes, its field has 8"),
        ({"volume_label": b"SHORT"}, "has 5 bytes, its field has 11"),
        ({"boot_code": bytes(449)}, "boot code has 449 bytes, at most 448 fit"),
        ({"boot_code": bytes(421), "sectors_per_fat_16": 0}, "at most 420 fit"),
    ],
)
def test_boot_sector_cuts_nothing(change, message):
    with pytest.raises(ValueError, match=message):
        replace(BOOT_SECTOR, **change).pack()


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", "55 AA is missing"),
        (bytes(512), "55 AA is missing"),
        (BOOT_SECTOR.pack()[:511], "55 AA is missing"),
        (bytes(510) + b"\x55\xaa", "0x29 is missing"),
    ],
)
def test_no_boot_sector(data, message):
    with pytest.raises(ValueError, match=message):
        BootSector.unpack(data)


# Directory entries -------------------------------------------------------------------------------


def test_entries_of_mtools(bench, tmp_path):
    """Directory entries that mcopy wrote, read and written again."""
    volume = tmp_path / "volume"
    mkfs(volume, 1440 << 10)
    source = tmp_path / "source"
    source.write_bytes(b"x" * 700)
    name = "Ein langer Name, mit Umlaut ü.text"
    bench.mtools("mcopy", "-i", volume, source, f"::{name}")
    root = volume.read_bytes()[19 * 512 :]
    label, *pieces, entry = (root[n : n + 32] for n in range(0, 5 * 32, 32))
    assert (label[:11], label[11]) == (b"EFI SYSTEM ", fat_dirent.VOLUME_ID)

    date, time = (int.from_bytes(entry[n : n + 2], "little") for n in (24, 22))
    written = Timestamp(date=date, time=time, tenths=entry[13])
    assert written.epoch() // 2 == int(source.stat().st_mtime) // 2
    assert fat_dirent.pack_short(entry[:11], fat_dirent.ARCHIVE, written, 2, 700) == entry
    assert fat_dirent.pack_long_name(name, entry[:11]) == b"".join(pieces)


SHORT = b"A~1        "


@pytest.mark.parametrize(
    ("name", "pieces", "tail"),
    [
        ("a", 1, "0000" + "ffff" * 11),
        ("x" * 12, 1, "7800" + "0000"),
        ("x" * 13, 1, "7800"),
        ("x" * 14, 2, "0000" + "ffff" * 11),
        ("x" * 26, 2, "7800"),
        ("x" * 255, 20, "7800" * 8 + "0000" + "ffff" * 4),
        ("💾" * 6 + "xx", 2, "0000" + "ffff" * 11),
    ],
)
def test_end_of_a_long_name(name, pieces, tail):
    packed = fat_dirent.pack_long_name(name, SHORT)
    entries = [packed[n : n + 32] for n in range(0, len(packed), 32)]
    last = 0x40
    assert [entry[0] for entry in entries] == [pieces | last, *range(pieces - 1, 0, -1)]
    assert {entry[11:14].hex() for entry in entries} == {f"0f00{fat_dirent.checksum(SHORT):02x}"}
    found = [entry[1:11] + entry[14:26] + entry[28:] for entry in entries]
    assert found[0].hex().endswith(tail)
    units = b"".join(reversed(found))
    assert units.decode("utf-16-le").partition("\0")[0].rstrip("\uffff") == name


def test_checksum_of_the_standard():
    # Worked by hand: 'A' = 0x41; rotated right 0xA0, plus ' ' = 0xC0; and so on.
    assert fat_dirent.checksum(b"A") == 0x41
    assert fat_dirent.checksum(b"A ") == 0xC0
    assert fat_dirent.checksum(b"A  ") == 0x80
    assert fat_dirent.checksum(b"\xff\xff") == 0xFE


@pytest.mark.parametrize(
    ("epoch", "date", "time", "tenths", "back"),
    [
        (315532800, 0x0021, 0x0000, 0, 315532800),  # 1980-01-01 00:00:00
        (0, 0x0021, 0x0000, 0, 315532800),
        (-1, 0x0021, 0x0000, 0, 315532800),
        (1700000001, 23 + 20 << 9 | 11 << 5 | 14, 22 << 11 | 13 << 5 | 10, 100, 1700000001),
        (4354819199, 127 << 9 | 12 << 5 | 31, 23 << 11 | 59 << 5 | 29, 100, 4354819199),
        (1 << 40, 127 << 9 | 12 << 5 | 31, 23 << 11 | 59 << 5 | 29, 100, 4354819199),
    ],
)
def test_times(epoch, date, time, tenths, back):
    stamp = Timestamp.of(epoch)
    assert (stamp.date, stamp.time, stamp.tenths) == (date, time, tenths)
    assert stamp.epoch() == back


@given(st.datetimes(datetime(1980, 1, 1), datetime(2107, 12, 31), timezones=st.just(UTC)))
def test_any_time_comes_back(moment):
    seconds = int(moment.timestamp())
    assert Timestamp.of(seconds).epoch() == seconds


# The table ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("fat", "expected"),
    [
        # Clusters 2-3 and 5 are chains, 4 is free; FAT12 by hand, nibble by nibble.
        (12, "f8 ff ff  03 f0 ff  00 f0 ff"),
        (16, "f8ff ffff 0300 ffff 0000 ffff"),
        (32, "f8ffff0f ffffff0f 03000000 ffffff0f 00000000 ffffff0f"),
    ],
)
def test_table(fat, expected):
    runs = [ClusterRun(5, 1), ClusterRun(9, 0), ClusterRun(2, 2)]
    entries = fat_entries.table(runs, fat=fat, media=0xF8)
    packed = fat_entries.pack(entries, fat=fat)
    assert packed == bytes.fromhex(expected)
    if fat == 32:
        assert fat_entries.unpack32(packed) == entries


def test_half_a_triple():
    entries = fat_entries.table([ClusterRun(2, 1)], fat=12, media=0xF0)
    assert fat_entries.pack(entries, fat=12) == bytes.fromhex("f0ffff ff0f")


@given(
    st.sampled_from([12, 16, 32]).flatmap(
        lambda fat: st.tuples(st.just(fat), st.lists(st.integers(0, (1 << min(fat, 28)) - 1)))
    )
)
def test_each_entry_is_where_the_standard_has_it(case):
    fat, values = case
    packed = fat_entries.pack(array("I" if fat != 16 else "H", values), fat=fat)
    for number, value in enumerate(values):
        at = number + number // 2 if fat == 12 else number * fat // 8
        word = int.from_bytes(packed[at : at + (2 if fat == 12 else fat // 8)], "little")
        if fat == 12:
            word = word >> 4 if number % 2 else word & 0xFFF
        assert word == value
    if fat == 32:
        assert list(fat_entries.unpack32(packed)) == values


def test_reserved_bits_are_not_read():
    assert list(fat_entries.unpack32(b"\xff\xff\xff\xff")) == [0x0FFFFFFF]
