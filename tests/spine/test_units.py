"""Sizes and alignment."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from doit_diskimg.units import (
    GIB,
    KIB,
    MIB,
    TIB,
    align_down,
    align_up,
    ceil_div,
    exact_size,
    format_size,
    is_power_of_two,
    parse_size,
)

NUMBERS = st.integers(0, (1 << 63) - 1)
STEPS = st.integers(1, 1 << 40)


@pytest.mark.parametrize(
    ("size", "length"),
    [
        (0, 0),
        (512, 512),
        ("512", 512),
        ("512B", 512),
        ("1K", 1024),
        ("1KiB", 1024),
        ("33MiB", 33 * 1024**2),
        ("33 MiB", 33 * 1024**2),
        ("  2GiB ", 2 * 1024**3),
        ("3T", 3 * 1024**4),
        ("9007199254740993", 2**53 + 1),  # a float would say ...992
    ],
)
def test_a_size_is_a_whole_number_of_binary_units(size, length):
    assert parse_size(size) == length


@pytest.mark.parametrize(
    ("size", "message"),
    [
        (-1, "-1 is negative"),
        (True, "True is not a size"),
        (None, "None is not a size"),
        (1.5, "1.5 is not a size"),
        (b"1", "b'1' is not a size"),
        ("", "'' is not a size"),
        ("-1", "'-1' is not a size"),
        ("1.5MiB", "'1.5MiB' is not a size"),
        ("MiB", "'MiB' is not a size"),
        ("1 M i B", "'1 M i B' is not a size"),
        ("1e6", "'1e6' is not a size"),
        ("0x200", "'0x200' is not a size"),
        ("auto", "'auto' is not a size"),
        ("1MB", "'1MB' has the unknown unit 'MB'"),
        ("1k", "'1k' has the unknown unit 'k'"),
        ("1kiB", "'1kiB' has the unknown unit 'kiB'"),
        ("1iB", "'1iB' has the unknown unit 'iB'"),
        ("1BiB", "'1BiB' has the unknown unit 'BiB'"),
        ("1PiB", "'1PiB' has the unknown unit 'PiB'"),
        # Digits of other scripts: int() reads them, and no tool beside us would.
        ("\u0661\u0662MiB", "'\u0661\u0662MiB' is not a size"),
        ("1\u0662", "'1\u0662' is not a size"),
        ("\uff11MiB", "'\uff11MiB' is not a size"),
    ],
)
def test_anything_else_is_refused_in_words(size, message):
    with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
        parse_size(size)


@pytest.mark.parametrize(
    ("length", "text", "exact"),
    [
        (0, "0 B", "0 B"),
        (1023, "1023 B", "1023 B"),
        (KIB, "1 KiB", "1 KiB"),
        (KIB + 512, "1.5 KiB", "1,536 bytes (1.5 KiB)"),
        (MIB - 1, "1023.9 KiB", "1,048,575 bytes (1023.9 KiB)"),
        (MIB + 1, "1 MiB", "1,048,577 bytes (1 MiB)"),
        (64 * MIB, "64 MiB", "64 MiB"),
        (3 * GIB, "3 GiB", "3 GiB"),
        (5000 * TIB, "5000 TiB", "5000 TiB"),
    ],
)
def test_a_size_for_people_is_never_rounded_up(length, text, exact):
    assert format_size(length) == text
    assert exact_size(length) == exact


@given(NUMBERS)
def test_bytes_are_read_as_they_are_written(number):
    assert parse_size(number) == parse_size(str(number)) == parse_size(f"{number}B") == number


@given(NUMBERS, STEPS)
def test_aligning_moves_by_less_than_a_step(number, step):
    low, high = align_down(number, step), align_up(number, step)
    assert low % step == high % step == 0
    assert number - step < low <= number <= high < number + step
    assert ceil_div(number, step) * step == high


@given(st.integers(-4, 1 << 12))
def test_a_power_of_two_has_one_bit(number):
    assert is_power_of_two(number) == (number > 0 and bin(number).count("1") == 1)
