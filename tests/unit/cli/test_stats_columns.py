# SPDX-License-Identifier: MIT
"""The table of columns."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pyzram import MmStat
from pyzram.cli import stats_columns
from pyzram.kernel import figures


def test_names_and_headings_are_unique():
    assert len({column.name for column in stats_columns.COLUMNS}) == len(stats_columns.COLUMNS)
    assert len(set(map(stats_columns.heading, stats_columns.COLUMNS))) == len(stats_columns.COLUMNS)


def test_every_figure_has_a_column():
    assert set(stats_columns.COLUMNS) == set(figures.FIGURES)


def test_columns_by_name_by_heading_and_as_zramctl_has_them():
    names = [
        column.name for column in stats_columns.choose("data,compr_data_size,Mem-Used,MIGRATED")
    ]
    assert names == ["orig_data_size", "compr_data_size", "mem_used_max", "pages_compacted"]
    added = stats_columns.choose("+bd_count")
    assert added == (*stats_columns.DEFAULT, figures.BY_NAME["bd_count"])


@pytest.mark.parametrize("words", ["+MOUNTPOINT", "+total,name,mount_point", "+disksize,DISKSIZE"])
def test_columns_that_are_there_are_not_added_twice(words):
    assert stats_columns.choose(words) == stats_columns.DEFAULT


@given(orig=st.integers(0, 1 << 40), compr=st.integers(0, 1 << 40), used=st.integers(0, 1 << 40))
def test_derived_figures_are_those_of_the_api(orig, compr, used):
    known = {"orig_data_size": orig, "compr_data_size": compr, "mem_used_total": used}
    api = MmStat(**known)
    assert figures.BY_NAME["avg_compr_ratio"].of(known) == api.avg_compr_ratio
    assert figures.BY_NAME["mem_overhead"].of(known) == api.mem_overhead


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, "-"),
        (12, "12"),
        (2.5, "2.5000"),
        ({}, "none"),
        ({1: "zstd", 3: "lz4"}, "#1 zstd, #3 lz4"),
        ([], "-"),
        (["/a", "/b\n"], "/a, /b\\x0a"),
    ],
)
def test_values_as_text(value, text):
    assert stats_columns.text(value) == text


def test_a_table_is_aligned_as_its_columns_are():
    shown = stats_columns.choose("name,disksize,mount_point")
    rows = [["zram0", 1536, ["/tmp"]], ["zram10", 1 << 30, []]]
    assert stats_columns.table(rows, shown) == (
        "NAME        DISKSIZE MOUNTPOINT\n/dev/zram0      1.5K /tmp\n/dev/zram10       1G -\n"
    )
    assert stats_columns.table(rows, shown, exact=True, headings=False, raw=True) == (
        "/dev/zram0 1536 /tmp\n/dev/zram10 1073741824 -\n"
    )
    assert stats_columns.table([], shown) == ""
