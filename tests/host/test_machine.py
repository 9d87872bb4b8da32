"""The clock, the environment, the boot."""

import os

import pytest

from doit_diskimg.host.machine import boot_id, epoch, new_generation, now_ns


@pytest.mark.parametrize(
    ("value", "seconds"),
    [(None, 315532800), ("", 315532800), ("0", 0), ("1700000000", 1700000000)],
)
def test_the_time_is_source_date_epoch_or_1980(monkeypatch, value, seconds):
    monkeypatch.delenv("SOURCE_DATE_EPOCH", raising=False)
    if value is not None:
        monkeypatch.setenv("SOURCE_DATE_EPOCH", value)
    assert epoch() == seconds


@pytest.mark.parametrize("value", ["yesterday", "-1", "1.5", "1e9", " 1", "0x10", "\u0661\u0662"])
def test_any_other_time_is_refused(monkeypatch, value):
    monkeypatch.setenv("SOURCE_DATE_EPOCH", value)
    with pytest.raises(ValueError, match=f"^{value!r} is not a number of seconds$"):
        epoch()


def test_a_time_that_32_bits_do_not_count_is_refused(monkeypatch):
    monkeypatch.setenv("SOURCE_DATE_EPOCH", str(2**32 - 1))
    assert epoch() == 2**32 - 1
    monkeypatch.setenv("SOURCE_DATE_EPOCH", str(2**32))
    with pytest.raises(ValueError, match=r"^4294967296 is after 2106$"):
        epoch()


def test_the_boot_has_one_name_and_each_image_its_own():
    assert boot_id() == boot_id()
    assert len({new_generation() for _ in range(100)}) == 100


def test_the_clock_is_the_one_that_stamps_files(tmp_path):
    """Give or take two ticks of the slowest one: younger stamps are not trusted."""
    (tmp_path / "a").write_bytes(b"")
    assert abs(os.stat(tmp_path / "a").st_mtime_ns - now_ns()) < 20_000_000
