# SPDX-License-Identifier: MIT
"""The table of columns, and the option parser beside it."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pyzram import MmStat
from pyzram.cli import stats_columns
from pyzram.cli.options import Option, UsageError
from pyzram.cli.options import parse as parse_options
from pyzram.kernel import figures


def test_names_and_headings_are_unique():
    assert len(stats_columns.BY_NAME) == len(stats_columns.COLUMNS)
    assert len({column.heading for column in stats_columns.COLUMNS}) == len(stats_columns.COLUMNS)


def test_every_figure_has_a_column():
    assert set(stats_columns.BY_NAME) == set(figures.BY_NAME)


def test_columns_by_name_by_heading_and_as_zramctl_has_them():
    names = [
        column.name for column in stats_columns.choose("data,compr_data_size,Mem-Used,MIGRATED")
    ]
    assert names == ["orig_data_size", "compr_data_size", "mem_used_max", "pages_compacted"]
    added = stats_columns.choose("+bd_count")
    assert added == (*stats_columns.DEFAULT, stats_columns.BY_NAME["bd_count"])


@pytest.mark.parametrize("words", ["+MOUNTPOINT", "+total,name,mount_point", "+disksize,DISKSIZE"])
def test_columns_that_are_there_are_not_added_twice(words):
    assert stats_columns.choose(words) == stats_columns.DEFAULT


@given(orig=st.integers(0, 1 << 40), compr=st.integers(0, 1 << 40), used=st.integers(0, 1 << 40))
def test_derived_figures_are_those_of_the_api(orig, compr, used):
    known = {"orig_data_size": orig, "compr_data_size": compr, "mem_used_total": used}
    api = MmStat(**known)
    assert stats_columns.BY_NAME["avg_compr_ratio"].get(known) == api.avg_compr_ratio
    assert stats_columns.BY_NAME["mem_overhead"].get(known) == api.mem_overhead


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


OPTIONS = (
    Option("a", "all", "", ""),
    Option("n", "name", "NAME", ""),
    Option("w", "watch", "[SECONDS]", ""),
)


@pytest.mark.parametrize(
    ("words", "given", "operands"),
    [
        ("-a x", {"all": ""}, ["x"]),
        ("x -an y z", {"all": "", "name": "y"}, ["x", "z"]),
        ("-anfoo", {"all": "", "name": "foo"}, []),
        ("--name=x=y --al", {"name": "x=y", "all": ""}, []),
        ("--name --all", {"name": "--all"}, []),
        ("-w 2 x", {"watch": "2"}, ["x"]),
        ("-w0.5 -", {"watch": "0.5"}, ["-"]),
        ("-w zram2", {"watch": ""}, ["zram2"]),
        ("--watch=3 4", {"watch": "3"}, ["4"]),
        ("-a -- -n --", {"all": ""}, ["-n", "--"]),
    ],
)
def test_options(words, given, operands):
    assert parse_options(OPTIONS, words.split()) == (given, operands)


@pytest.mark.parametrize("words", ["-b", "--all=1", "--name", "-n", "--nothing"])
def test_wrong_options(words):
    with pytest.raises(UsageError, match=words.lstrip("-").partition("=")[0]):
        parse_options(OPTIONS, [words])
