# SPDX-License-Identifier: MIT
"""Snapshots: field order, missing figures, derived figures."""

from __future__ import annotations

import dataclasses
import errno
import inspect
import json
import pickle
import re

import pytest

from pyzram import (
    BdStat,
    BlockStat,
    DebugStat,
    InvalidValueError,
    IoStat,
    MmStat,
    Stats,
    SwapArea,
    UnsupportedError,
)
from pyzram.kernel.figures import of_file

KINDS = [
    (MmStat, of_file("mm_stat")),
    (IoStat, of_file("io_stat")),
    (BdStat, of_file("bd_stat")),
    (DebugStat, of_file("debug_stat")),
    (BlockStat, of_file("stat")),
]


@pytest.mark.parametrize(("kind", "names"), KINDS)
def test_fields_are_the_kernel_s_in_its_order(kind, names):
    assert tuple(field.name for field in dataclasses.fields(kind)) == names
    numbers = list(range(1, len(names) + 1))
    assert dataclasses.asdict(kind._of(numbers)) == dict(zip(names, numbers, strict=True))


@pytest.mark.parametrize(("kind", "names"), KINDS)
def test_a_kernel_that_tells_less_is_refused_and_what_it_tells_more_is_passed_over(kind, names):
    needed = sum(field.default is not None for field in dataclasses.fields(kind))
    with pytest.raises(UnsupportedError, match="too old") as caught:
        kind._of(list(range(needed - 1)))
    assert caught.value.errno == errno.EOPNOTSUPP
    assert kind._of(list(range(50))) == kind._of(list(range(len(names))))


@pytest.mark.parametrize(("kind", "names"), KINDS)
def test_snapshots_are_frozen(kind, names):
    with pytest.raises(dataclasses.FrozenInstanceError):
        setattr(kind(), names[0], 2)


@pytest.mark.parametrize(("kind", "names"), KINDS)
def test_every_figure_has_its_meaning_where_help_shows_it(kind, names):
    source = inspect.getsource(kind)
    for name in names:
        assert re.search(rf'^    {name}: int( = 0| \| None = None)\n    """', source, re.M), name


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
    assert BdStat().bd_count_bytes == 0


# ---- snapshots -----------------------------------------------------------------------------------


def snapshot(**more: object) -> Stats:
    values = {
        "name": "zram3",
        "diskseq": 7,
        "disksize": 1 << 30,
        "comp_algorithm": "zstd",
        "recomp_algorithms": {1: "deflate", 2: None},
        "mm_stat": MmStat(orig_data_size=8192, mem_used_total=4096),
        "io_stat": IoStat(),
        "bd_stat": None,
        "debug_stat": DebugStat(),
        "stat": BlockStat(read_ios=10, write_ios=20, write_sectors=100),
        "backing_dev": None,
        "swap": SwapArea("/dev/zram3", "partition", 1 << 30, 4096, 100),
        "mount_points": ("/a", "/b"),
        "time": 1000.25,
        "monotonic": 50.0,
    }
    return Stats(**{**values, **more})


def test_two_snapshots_with_the_same_figures_are_equal_and_hash_alike():
    first, second = snapshot(), snapshot(time=2.0, monotonic=60.0)
    assert first == second
    assert hash(first) == hash(second)
    assert len({first, second, snapshot(disksize=0)}) == 2
    assert snapshot(swap=SwapArea("/dev/zram3", "partition", 1 << 30, 4096, 99)) != first


def test_nothing_of_a_snapshot_can_be_changed():
    taken = snapshot()
    with pytest.raises(TypeError, match="frozen"):
        taken.recomp_algorithms[1] = "lz4"
    with pytest.raises(TypeError, match="frozen"):
        taken.recomp_algorithms |= {3: "lz4"}
    with pytest.raises(AttributeError, match="frozen"):
        taken.swap.used = 0
    assert taken == snapshot()


@pytest.mark.parametrize("change", [{}, {"swap": None, "recomp_algorithms": None}])
def test_a_snapshot_goes_through_json_and_back(change):
    taken = snapshot(**change)
    back = Stats.from_dict(json.loads(json.dumps(taken.as_dict())))
    assert back == taken
    assert (back.time, back.monotonic) == (taken.time, taken.monotonic)
    assert pickle.loads(pickle.dumps(taken)) == taken


@pytest.mark.parametrize("values", [{}, {"name": "zram0"}, {**snapshot().as_dict(), "stat": 5}])
def test_what_is_not_a_snapshot_is_refused(values):
    with pytest.raises(InvalidValueError, match="as_dict"):
        Stats.from_dict(values)


def test_the_difference_of_two_snapshots_gives_rates():
    later = snapshot(
        monotonic=54.0,
        mm_stat=MmStat(orig_data_size=4096, mem_used_total=8192),
        stat=BlockStat(read_ios=30, write_ios=20, write_sectors=108),
    )
    change = later - snapshot()
    assert (change.seconds, change.bd_stat) == (4.0, None)
    assert (change.mm_stat.orig_data_size, change.mm_stat.mem_used_total) == (-4096, 4096)
    assert (change.reads_per_second, change.writes_per_second) == (5.0, 0.0)
    assert change.written_bytes_per_second == 1024.0
    assert (later - later).reads_per_second == 0.0
    assert json.loads(json.dumps(change.as_dict()))["stat"]["read_ios"] == 20


@pytest.mark.parametrize(
    ("before", "reason"),
    [
        (snapshot(diskseq=8), "not the same device"),
        (snapshot(monotonic=51.0), "earlier"),
        (snapshot(stat=BlockStat(read_ios=11)), "reset between"),
        (snapshot(disksize=2 << 30), "reset between"),
        (snapshot(comp_algorithm="842"), "reset between"),
    ],
)
def test_what_cannot_be_compared_is_refused(before, reason):
    """Even if nothing was counted before the reset, so that no counter fell."""
    with pytest.raises(InvalidValueError, match=reason):
        _ = snapshot() - before


def test_a_device_that_is_initialised_between_two_snapshots_has_a_difference():
    before = snapshot(disksize=0, comp_algorithm="842", mm_stat=MmStat())
    later = snapshot(monotonic=54.0, mm_stat=MmStat(orig_data_size=4096))
    assert (later - before).mm_stat.orig_data_size == 4096
    with pytest.raises(InvalidValueError, match="reset between"):
        _ = dataclasses.replace(before, monotonic=60.0) - later
