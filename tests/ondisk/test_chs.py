import pytest

from doit_diskimg.ondisk.mbr_sector import BEYOND, LAST, NOWHERE, REACH, chs_of

# Bytes as in images that sfdisk and sgdisk made; tables/ compares whole tables with theirs.
ADDRESSES = [
    (0, "00 01 00"),
    (1, "00 02 00"),
    (31, "00 20 00"),
    (62, "00 3f 00"),
    (63, "01 01 00"),
    (2048, "20 21 00"),
    (10239, "a2 22 00"),
    (131071, "28 20 08"),
    (900000, "05 2e 38"),
    (1048575, "45 04 41"),
    (256 * 255 * 63, "00 41 00"),  # the cylinder's ninth bit
    (1023 * 255 * 63, "00 c1 ff"),
    (REACH - 1, "fe ff ff"),
]


@pytest.mark.parametrize(("lba", "stored"), ADDRESSES)
def test_an_address_is_stored_as_other_tools_store_it(lba: int, stored: str) -> None:
    assert chs_of(lba) == bytes.fromhex(stored)


@pytest.mark.parametrize("lba", [REACH, REACH + 1, 2**32, 2**40])
def test_what_has_no_address_gets_the_one_that_means_so(lba: int) -> None:
    assert chs_of(lba) == LAST
    assert chs_of(lba, BEYOND) == BEYOND


@pytest.mark.parametrize(
    ("chs", "stored"), [(NOWHERE, "00 00 00"), (LAST, "fe ff ff"), (BEYOND, "ff ff ff")]
)
def test_the_special_addresses(chs: bytes, stored: str) -> None:
    assert chs == bytes.fromhex(stored)
