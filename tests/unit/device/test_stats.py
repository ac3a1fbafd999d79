# SPDX-License-Identifier: MIT
"""Snapshots: field order, missing figures, derived figures."""

from __future__ import annotations

import dataclasses

import pytest

from pyzram import BdStat, BlockStat, DebugStat, IoStat, MmStat
from pyzram.kernel import parse

KINDS = [
    (MmStat, parse.MM_STAT),
    (IoStat, parse.IO_STAT),
    (BdStat, parse.BD_STAT),
    (DebugStat, parse.DEBUG_STAT),
    (BlockStat, parse.BLOCK_STAT),
]


@pytest.mark.parametrize(("kind", "names"), KINDS)
def test_fields_are_the_kernel_s_in_its_order(kind, names):
    assert tuple(field.name for field in dataclasses.fields(kind)) == names
    numbers = list(range(1, len(names) + 1))
    assert dataclasses.asdict(kind._of(numbers)) == dict(zip(names, numbers, strict=True))


@pytest.mark.parametrize(("kind", "names"), KINDS)
def test_fields_this_kernel_lacks_are_none_and_unknown_ones_are_passed_over(kind, names):
    snapshot = kind._of([5])
    assert getattr(snapshot, names[0]) == 5
    assert all(getattr(snapshot, name) is None for name in names[1:])
    assert kind._of(list(range(50))) == kind._of(list(range(len(names))))


@pytest.mark.parametrize(("kind", "names"), KINDS)
def test_snapshots_are_frozen(kind, names):
    with pytest.raises(dataclasses.FrozenInstanceError):
        setattr(kind._of([1]), names[0], 2)


def test_the_figures_of_the_author_s_run():
    mm = MmStat(orig_data_size=16846848, compr_data_size=2132626, mem_used_total=2252800)
    assert mm.avg_compr_ratio == 12
    assert mm.mem_overhead == 5
    assert mm.compression_ratio == pytest.approx(0.12659, abs=1e-5)
    assert mm.memory_ratio == pytest.approx(0.13372, abs=1e-5)


def test_only_same_filled_pages_have_a_ratio_and_no_overhead():
    mm = MmStat(orig_data_size=4096, compr_data_size=0, mem_used_total=0)
    assert mm.avg_compr_ratio == 0
    assert mm.compression_ratio == 0
    assert mm.mem_overhead is None


def test_units_of_the_backing_device_in_bytes():
    bd = BdStat(bd_count=3, bd_reads=0, bd_writes=5)
    assert (bd.bd_count_bytes, bd.bd_writes_bytes) == (12288, 20480)
    assert BdStat().bd_count_bytes is None
