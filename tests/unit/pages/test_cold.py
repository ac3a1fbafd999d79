# SPDX-License-Identifier: MIT
"""Cold memory: what smaps says, and rows that stand for some of their pages."""

from __future__ import annotations

from array import array

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pyzram.cli.durations import durations
from pyzram.pages.cold import Use, parse_use
from pyzram.pages.segments import Owner, Thinned

BLOCK = """{start:08x}-{end:08x} rw-p 00000000 00:00 0 {path}
Size:                 32 kB
Rss:                  {rss} kB
Pss:                  16 kB
Referenced:           {referenced} kB
Anonymous:            16 kB
VmFlags: {flags}
"""


def block(start: int, rss: int, referenced: int, flags: str = "rd wr", path: str = "") -> str:
    return BLOCK.format(
        start=start, end=start + 4096, rss=rss, referenced=referenced, flags=flags, path=path
    )


def test_each_mapping_has_its_own_figures() -> None:
    text = block(0x1000, 16, 4) + block(0x3000, 8, 8, "rd wr lo") + block(0x9000, 0, 0)
    assert parse_use(text) == {
        0x1000: Use(16384, 4096, False),
        0x3000: Use(8192, 8192, True),
        0x9000: Use(0, 0, False),
    }
    assert [round(use.cold, 2) for use in parse_use(text).values()] == [0.75, 0.0, 0.0]


@given(st.text(st.characters(blacklist_characters="\n", blacklist_categories=["Cs"])))
def test_a_name_of_a_file_forges_nothing(path: str) -> None:
    plain = parse_use(block(0x1000, 16, 4) + block(0x3000, 8, 8))
    assert (
        parse_use(block(0x1000, 16, 4, path="Referenced: 1 kB" + path) + block(0x3000, 8, 8))
        == plain
    )


class Row:
    """A row whose pages are their own numbers."""

    owner = Owner(1, "row", "heap")

    def __init__(self, pages: int) -> None:
        self.pages = pages
        self.read_ranks: list[int] = []

    def read(self, ranks: array[int], out: memoryview) -> list[bool]:
        self.read_ranks += ranks
        return [True] * len(ranks)

    def close(self) -> None:
        pass


@given(st.integers(1, 5000), st.integers(0, 6000))
def test_a_thinned_row_is_spread_over_the_whole(pages: int, wanted: int) -> None:
    row = Row(pages)
    thinned = Thinned(row, wanted)
    assert thinned.pages == min(pages, wanted)
    thinned.read(array("Q", range(thinned.pages)), memoryview(b""))
    assert row.read_ranks == sorted(set(row.read_ranks))
    if row.read_ranks:
        assert row.read_ranks[0] == 0
        assert row.read_ranks[-1] >= pages - -(-pages // thinned.pages)


def test_times_ascend() -> None:
    assert durations("30s,2m,10m") == (30.0, 120.0, 600.0)
    for wrong in ("", "2m,30s", "1,1", "0", "x", "1,,2"):
        with pytest.raises(ValueError):
            durations(wrong)
