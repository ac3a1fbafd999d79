# SPDX-License-Identifier: MIT
from __future__ import annotations

from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pyzram.config.size_expression import evaluate_size
from pyzram.errors import InvalidValueError

RAM = 1 << 30


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("524288", 524288 * 1024),
        ("1.5G", 3 << 29),
        ("50%", RAM // 2),
        ("50% - 1M", RAM // 2 - (1 << 20)),
        ("min(ram/2, 4G)", RAM // 2),
        ("max(ram/2, 4G)", 4 << 30),
        ("max(1, 2, 3) * 1K", 3072),
        ("ram*3/4", RAM * 3 // 4),
        ("(ram - 24M) / 2", (RAM - (24 << 20)) // 2),
        ("cpus*256M", 1 << 30),
        ("ram*1.5", RAM * 3 // 2),
        ("10MB", 10_000_000),
        (" 64KiB ", 65536),
        ("1G/3", (1 << 30) // 3),
    ],
)
def test_a_size_means_what_the_manual_says(text: str, value: int) -> None:
    assert evaluate_size(text, ram=RAM, cpus=4) == value


@pytest.mark.parametrize(
    "text",
    [
        "",
        "G",
        "-5",
        "16E",
        "2 G",
        "0x10",
        "1.5.5G",
        "1.G",
        "ram ram",
        "ram/",
        "ram/0",
        "(ram",
        "ram)",
        "(1,2)",
        "min()",
        "min 1",
        "swap/2",
        "__import__('os')",
        "1M-ram",
        "9**9",
        "(" * 5000,
        "٣M",
    ],
)
def test_what_is_not_a_size_is_refused(text: str) -> None:
    with pytest.raises(InvalidValueError):
        evaluate_size(text, ram=RAM, cpus=4)


@given(st.text(alphabet="0123456789.KMG%+-*/(), minaxrcpus", max_size=30))
def test_no_text_does_anything_but_give_a_size_or_be_refused(text: str) -> None:
    try:
        assert 0 <= evaluate_size(text, ram=RAM, cpus=4) < 1 << 64
    except InvalidValueError as err:
        assert "\n" not in str(err)


@given(st.integers(1, 1 << 20), st.integers(1, 1 << 20), st.integers(1, 99))
def test_arithmetic_is_exact(a: int, b: int, c: int) -> None:
    expected = Fraction(a * 1024) / b * c + Fraction(c, 3)
    got = evaluate_size(f"{a}K/{b}*{c}+{c}/3", ram=RAM, cpus=1)
    assert got == expected.numerator // expected.denominator


@pytest.mark.parametrize("text", ["ram/²", "(²)", "٣G*2", "²²"])
def test_digits_of_other_scripts_are_not_a_number(text: str) -> None:
    with pytest.raises(InvalidValueError):
        evaluate_size(text, ram=1 << 30, cpus=2)
