# SPDX-License-Identifier: MIT
"""Ranges of pages cut into steps: nothing lost, nothing twice, none too large."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from pyzram.device.backing import RANGES_MOST, in_steps

RANGES = st.lists(st.tuples(st.integers(0, 5000), st.integers(0, 300)), max_size=200)


def pages(ranges: list[tuple[int, int]]) -> list[int]:
    return [page for first, last in ranges for page in range(first, last + 1)]


@given(RANGES, st.lists(st.integers(1, 100), min_size=1))
def test_every_page_comes_once_in_its_place(found, sizes):
    ranges = [(first, first + more) for first, more in found]
    asked: list[int] = []

    def size() -> int:
        asked.append(sizes[len(asked) % len(sizes)])
        return asked[-1]

    steps = list(in_steps(ranges, size))
    assert pages([piece for step in steps for piece in step]) == pages(ranges)
    # Each is as long as was wanted when it began.
    for step, wanted in zip(steps, asked, strict=False):
        assert 0 < len(pages(step)) <= wanted
        assert len(step) <= RANGES_MOST


def test_single_pages_make_no_longer_step_than_so_many():
    ranges = [(number, number) for number in range(0, 400, 2)]
    assert [len(step) for step in in_steps(ranges, lambda: 1000)] == [64, 64, 64, 8]
