from struct import error

import pytest

from doit_diskimg.ondisk.mbr_sector import ENTRY_COUNT, UNUSED, Chs, MbrEntry, MbrSector

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
            first_chs=Chs(cylinder=0, head=0, sector=2),
            type=0x83,
            last_chs=Chs(cylinder=0, head=0, sector=32),
            first_lba=1,
            sectors=31,
        ),
        MbrEntry(
            boot_indicator=0x80,
            first_chs=Chs(cylinder=0, head=32, sector=33),
            type=0x0C,
            last_chs=Chs(cylinder=0, head=162, sector=34),
            first_lba=2048,
            sectors=8192,
        ),
        MbrEntry(
            first_chs=Chs(cylinder=1, head=5, sector=5),
            type=0x0E,
            last_chs=Chs(cylinder=3, head=129, sector=62),
            first_lba=16384,
            sectors=40000,
        ),
        MbrEntry(
            first_chs=Chs(cylinder=56, head=5, sector=46),
            type=0x83,
            last_chs=Chs(cylinder=65, head=69, sector=4),
            first_lba=900000,
            sectors=148576,
        ),
    ),
)


def test_packed_as_sfdisk_does() -> None:
    assert MEANING.pack() == SFDISK


def test_unpacked_from_what_sfdisk_wrote() -> None:
    assert MbrSector.unpack(SFDISK) == MEANING


def test_an_unused_entry_is_zero() -> None:
    assert UNUSED.pack() == bytes(16)
    assert MbrEntry.unpack(bytes(16)) == UNUSED


def test_nothing_is_lost_of_bytes_that_nobody_should_write() -> None:
    odd = bytes(range(72))
    assert MbrSector.unpack(odd).pack() == odd


@pytest.mark.parametrize("count", [0, ENTRY_COUNT - 1, ENTRY_COUNT + 1])
def test_any_other_number_of_entries_is_refused(count: int) -> None:
    with pytest.raises(ValueError, match=f"4 entries, not {count}"):
        MbrSector(entries=(UNUSED,) * count).pack()


@pytest.mark.parametrize("lba", [-1, 2**32])
def test_a_number_out_of_range_is_refused(lba: int) -> None:
    with pytest.raises(error):
        MbrEntry(first_lba=lba).pack()
