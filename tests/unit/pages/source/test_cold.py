# SPDX-License-Identifier: MIT
"""Cold memory: what smaps says, and rows that stand for some of their pages."""

from __future__ import annotations

from array import array
from typing import TYPE_CHECKING, NoReturn, cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pyzram.cli.durations import durations
from pyzram.pages.process.owner import Owner
from pyzram.pages.process.stretches import Private
from pyzram.pages.source.cold import Use, _Watched, cold_share, parse_use
from pyzram.pages.source.segments import Thinned

if TYPE_CHECKING:
    from pyzram.pages.process.process import Process

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
    assert parse_use(text) == [
        Use(0x1000, 0x2000, 16384, 4096, False),
        Use(0x3000, 0x4000, 8192, 8192, True),
        Use(0x9000, 0xA000, 0, 0, False),
    ]
    assert [use.cold for use in parse_use(text)] == [12288, 0, 0]


@given(st.text(st.characters(blacklist_characters="\n", blacklist_categories=["Cs"])))
def test_a_name_of_a_file_forges_nothing(path: str) -> None:
    plain = parse_use(block(0x1000, 16, 4) + block(0x3000, 8, 8))
    assert (
        parse_use(block(0x1000, 16, 4, path="Referenced: 1 kB" + path) + block(0x3000, 8, 8))
        == plain
    )


def use(start: int, end: int, referenced: int = 0, locked: bool = False) -> Use:
    """A row of pages that are all there."""
    return Use(start * 4096, end * 4096, (end - start) * 4096, referenced * 4096, locked)


class Mappings(list[Use]):
    """Those of a process that has as many as it may."""

    def __iter__(self) -> NoReturn:
        raise AssertionError("all mappings are gone through for one stretch")


def test_a_stretch_is_compared_with_what_lies_there_alone() -> None:
    uses = [Use(at, at + 8, 8, 2, False) for at in range(0, 800, 8)]
    watched = _Watched(cast("Process", None))
    watched.looks += [Mappings(uses), Mappings(uses)]
    stretch = Private(80, 160, "heap", False, 80)
    assert watched.private_share(None, stretch) == 1.0
    assert watched.private_share(0, stretch) == 0.75


@pytest.mark.parametrize(
    ("then", "last", "asked", "share"),
    [
        ([use(10, 20, 5)], [use(10, 20, 5)], (10, 20), 0.5),
        # Grown at its front, like malloc's mappings, and at its end: the old part is as cold.
        ([use(10, 20)], [use(8, 20, 2)], (8, 20), 10 / 12),
        ([use(10, 20)], [use(10, 25, 5)], (10, 25), 10 / 15),
        # Joined with its neighbours, one of which was touched.
        ([use(10, 20), use(20, 30, 10)], [use(10, 30, 10)], (10, 30), 0.5),
        # Split.
        ([use(10, 30, 10)], [use(10, 20, 5), use(20, 30, 5)], (20, 30), 0.5),
        # Moved away, and new.
        ([use(10, 20)], [use(40, 50)], (40, 50), 0.0),
        ([use(10, 20)], [use(10, 20)], (40, 50), 0.0),
        # More of it was used later.
        ([Use(40960, 81920, 4096, 0, False)], [use(10, 20, 9)], (10, 20), 0.1),
        # Given back since, or to swap.
        ([use(10, 20)], [Use(40960, 81920, 4096, 0, False)], (10, 20), 1.0),
        ([use(10, 20)], [Use(40960, 81920, 0, 0, False)], (10, 20), 0.0),
        ([use(10, 20, locked=True)], [use(10, 20, locked=True)], (10, 20), 0.0),
    ],
)
def test_what_was_cold_stays_so_where_mappings_change(then, last, asked, share) -> None:
    start, end = (page * 4096 for page in asked)
    before, after = [use(0, 1, 1)], [use(90, 99, 9)]
    found = cold_share([*before, *then, *after], [*before, *last, *after], start, end)
    assert found == pytest.approx(share)


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
