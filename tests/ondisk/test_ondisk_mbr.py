from struct import error

import pytest

from doit_diskimg.ondisk.mbr_sector import ENTRY_COUNT, UNUSED, MbrEntry, MbrSector

# truncate -s 512M m.img; sfdisk m.img <<E; xxd -s 440 m.img
#   label: dos
#   label-id: 0xdeadbeef
#   start=1, size=31, type=83
#   start=2048, size=8192, type=c, bootable
#   start=16384, size=40000, type=e
#   start=900000, size=148576, type=83
SFDISK = bytes.fromhex(
    "efbeadde 0000"
    "00 000200 83 002000 01000000 1f000000"
    "80 202100 0c a22200 00080000 00200000"
    "00 050501 0e 813e03 00400000 409c0000"
    "00 052e38 83 450441 a0bb0d00 60440200"
    "55aa"
)

MEANING = MbrSector(
    signature=0xDEADBEEF,
    entries=(
        MbrEntry(
            first_chs=bytes.fromhex("000200"),
            type=0x83,
            last_chs=bytes.fromhex("002000"),
            first_lba=1,
            sectors=31,
        ),
        MbrEntry(
            boot_indicator=0x80,
            first_chs=bytes.fromhex("202100"),
            type=0x0C,
            last_chs=bytes.fromhex("a22200"),
            first_lba=2048,
            sectors=8192,
        ),
        MbrEntry(
            first_chs=bytes.fromhex("050501"),
            type=0x0E,
            last_chs=bytes.fromhex("813e03"),
            first_lba=16384,
            sectors=40000,
        ),
        MbrEntry(
            first_chs=bytes.fromhex("052e38"),
            type=0x83,
            last_chs=bytes.fromhex("450441"),
            first_lba=900000,
            sectors=148576,
        ),
    ),
)


def test_packed_as_sfdisk_does() -> None:
    assert MEANING.pack() == SFDISK


@pytest.mark.parametrize("number", range(ENTRY_COUNT))
def test_both_kinds_of_addresses_follow_from_the_sectors(number: int) -> None:
    entry = MEANING.entries[number]
    active = entry.boot_indicator != 0
    assert MbrEntry.covering(entry.type, entry.first_lba, entry.sectors, active=active) == entry


def test_an_unused_entry_is_zero() -> None:
    assert UNUSED.pack() == bytes(16)


@pytest.mark.parametrize("count", [0, ENTRY_COUNT - 1, ENTRY_COUNT + 1])
def test_any_other_number_of_entries_is_refused(count: int) -> None:
    with pytest.raises(ValueError, match=f"4 entries, not {count}"):
        MbrSector(entries=(UNUSED,) * count).pack()


@pytest.mark.parametrize("lba", [-1, 2**32])
def test_a_number_out_of_range_is_refused(lba: int) -> None:
    with pytest.raises(error):
        MbrEntry(first_lba=lba).pack()
