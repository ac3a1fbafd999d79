# SPDX-License-Identifier: MIT
"""Sizes, the way people write them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pyzram import InvalidValueError, format_size, parse_size
from pyzram.units import format_count, format_fine_size


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("0", 0),
        ("4096", 4096),
        ("64M", 64 << 20),
        ("64m", 64 << 20),
        ("64MiB", 64 << 20),
        ("64Mi", 64 << 20),
        ("1.5G", 3 << 29),
        ("0.1K", 102),
        ("10KB", 10_000),
        ("10 MB", 10_000_000),
        ("1B", 1),
        ("  2T ", 2 << 40),
        ("15E", 15 << 60),
        (12345, 12345),
    ],
)
def test_sizes(text, expected):
    assert parse_size(text) == expected


@pytest.mark.parametrize(
    "text",
    [
        "",
        " ",
        "M",
        "-1",
        "+1",
        "1.5.5",
        ".5",
        "5.",
        "64Mjunk",
        "1MM",
        "1 M B",
        "0x10",
        "1e9",
        "9" * 5000,
    ],
)
def test_text_that_is_not_a_size_is_refused(text):
    with pytest.raises(InvalidValueError):
        parse_size(text)


def test_a_thousand_digits_are_the_most():
    assert parse_size("0." + "9" * 998) == 0
    with pytest.raises(InvalidValueError):
        parse_size("0." + "9" * 999)


@pytest.mark.parametrize(
    "text", ["16E", "\u0663", "1K1", "%", "50%", True, None, 1.5, -1, 1 << 64, "NaN", "1iB", "1BiB"]
)
def test_what_is_not_a_size_is_refused(text):
    with pytest.raises(InvalidValueError):
        parse_size(text)


def test_a_percentage_is_of_the_total():
    assert parse_size("50%", total=1000) == 500
    assert parse_size("12.5 %", total=lambda: 1000) == 125
    assert parse_size("200%", total=1000) == 2000


def test_the_total_is_asked_only_for_a_percentage():
    def never():
        raise AssertionError

    assert parse_size("1K", total=never) == 1024


def test_a_bare_number_counts_the_given_unit():
    assert parse_size("64", bare_unit=1024) == 65536
    assert parse_size("64B", bare_unit=1024) == 64


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0, "0B"),
        (1023, "1023B"),
        (1024, "1K"),
        (1536, "1.5K"),
        (16846848, "16.1M"),
        ((1 << 20) - 1, "1M"),
        (1 << 64, "16E"),
    ],
)
def test_format(value, text):
    assert format_size(value) == text


@given(st.integers(min_value=0, max_value=(1 << 60)))
def test_a_formatted_size_reads_back_within_its_rounding(value):
    assert abs(parse_size(format_size(value)) - value) <= value // 20 + 1


@given(st.text(max_size=12))
def test_any_text_gives_a_size_or_the_one_error(text):
    try:
        assert parse_size(text) >= 0
    except InvalidValueError as err:
        assert "\n" not in str(err) or "\n" in text


@pytest.mark.parametrize(
    ("count", "nouns", "expected"),
    [
        (0, ("page",), "0 pages"),
        (1, ("page",), "1 page"),
        (2, ("page",), "2 pages"),
        (1, ("process", "processes"), "1 process"),
        (2, ("process", "processes"), "2 processes"),
    ],
)
def test_counts(count, nouns, expected):
    assert format_count(count, *nouns) == expected


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0, "0B"),
        (1023, "1023B"),
        (1024, "1.00K"),
        (1995 << 20, "1.95G"),
        (9 << 30, "9.00G"),
        ((10 << 30) - 1, "10G"),
        (10 << 30, "10G"),
        (1023 << 20, "1023M"),
        ((1 << 30) - 1, "1G"),
    ],
)
def test_sizes_that_are_compared_have_two_decimals_below_ten(value: int, text: str) -> None:
    assert format_fine_size(value) == text
