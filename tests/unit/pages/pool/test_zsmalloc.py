# SPDX-License-Identifier: MIT
"""The pool model against the tables of the kernel's documentation."""

import gzip
import itertools
import random
from array import array
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pyzram.errors import InvalidValueError
from pyzram.pages.pool.chain import Chain, running_chain
from pyzram.pages.pool.zsmalloc import PoolModel, SizeClass

TABLE = Path(__file__).parents[3] / "data" / "size-classes.txt"


def expected(chain):
    rows, current = {}, None
    for line in TABLE.read_text().splitlines():
        if line.startswith("["):
            current = rows.setdefault(line.strip("[]"), [])
        elif not line.startswith("#"):
            current.append(tuple(map(int, line.split())))
    return rows[f"chain {chain[0]} {chain[1]}"]


@pytest.mark.parametrize(("chain", "count"), [((8, "waste"), 119), ((4, "percent"), 69)])
def test_classes_are_those_of_the_kernel(chain, count):
    pool = PoolModel(page_size=4096, word_size=8, chain=chain)
    rows = expected(chain)
    assert len(rows) == count
    assert [(c.number, c.size, c.pages, c.objects, c.last) for c in pool.classes] == rows
    for c in pool.classes:
        assert pool.class_of(c.first) == c
        assert pool.class_of(c.last) == c


def shape(one: SizeClass) -> tuple[int, int, int]:
    return one.size, one.pages, one.objects


@pytest.mark.parametrize(
    ("page_size", "chain", "word", "count", "biggest", "huge"),
    [
        (4096, (4, "percent"), 8, 69, (3264, 4, 5), 3257),
        (4096, (4, "waste"), 8, 69, (3264, 4, 5), 3257),
        (4096, (4, "percent"), 4, 69, (3264, 4, 5), 3261),
        (4096, (5, "waste"), 8, 86, (3408, 5, 6), 3401),
        (4096, (6, "waste"), 8, 94, (3504, 6, 7), 3497),
        (4096, (7, "waste"), 8, 110, (3584, 7, 8), 3577),
        (4096, (8, "waste"), 8, 119, (3632, 8, 9), 3625),
        (4096, (8, "waste"), 4, 119, (3632, 8, 9), 3629),
        (4096, (10, "waste"), 8, 141, (3712, 10, 11), 3705),
        (4096, (12, "waste"), 8, 159, (3776, 12, 13), 3769),
        (4096, (16, "waste"), 8, 192, (3840, 15, 16), 3833),
        (16384, (4, "percent"), 8, 70, (13088, 4, 5), 13081),
        (16384, (8, "waste"), 8, 121, (14560, 8, 9), 14553),
        (65536, (4, "percent"), 8, 72, (52256, 4, 5), 52249),
        (65536, (8, "waste"), 8, 123, (58144, 8, 9), 58137),
    ],
)
def test_huge_class_size_for_each_kind_of_kernel(page_size, chain, word, count, biggest, huge):
    pool = PoolModel(page_size=page_size, word_size=word, chain=chain)
    assert len(pool.classes) == count
    assert shape(pool.classes[-2]) == biggest
    assert pool.huge_class_size == huge


def test_the_two_rules_differ_in_one_class_of_chain_four():
    old = PoolModel(page_size=4096, word_size=8, chain=(4, "percent")).classes
    new = PoolModel(page_size=4096, word_size=8, chain=(4, "waste")).classes
    different = [(shape(a), shape(b)) for a, b in zip(old, new, strict=True) if a != b]
    assert different == [((208, 2, 39), (208, 3, 59))]


POOL = PoolModel(page_size=4096, word_size=8, chain=(8, "waste"))


@given(st.lists(st.integers(0, 8192), max_size=300))
def test_figures_follow_from_the_lengths(lengths):
    figures = POOL.store(lengths)
    kept = [4096 if n >= 3625 else n for n in lengths if n]
    assert figures.pages == len(lengths)
    assert figures.orig_data_size == 4096 * len(lengths)
    assert figures.compr_data_size == sum(kept)
    assert figures.same_pages == lengths.count(0)
    assert figures.huge_pages == kept.count(4096)
    assert sum(figures.objects) == len(kept)
    zspages = 0
    for c, group in itertools.groupby(map(POOL.class_of, sorted(kept))):
        zspages += -(-len(list(group)) // c.objects) * c.pages
    assert figures.mem_used_total == 4096 * zspages
    assert POOL.store(array("I", lengths)) == figures


@given(st.lists(st.integers(0, 5000), max_size=90), st.lists(st.integers(0, 5000), max_size=90))
def test_two_parts_joined_are_the_whole(one, other):
    assert POOL.join(POOL.store(one), POOL.store(other)) == POOL.store(one + other)


def test_an_empty_store_has_no_ratio():
    assert POOL.store([]).compression_ratio is None
    assert POOL.store([0]).compression_ratio == 0


def test_scaling_counts_whole_zspages():
    sample = POOL.store([24, 2040, 3625, 0])
    # One object of class 0 takes a page, and so do 128 of them.
    assert sample.mem_used_total == 3 * 4096
    scaled = POOL.scale(sample, 4 * 128)
    # More is expected: partly filled zspages, and classes that the sample missed.
    full = 1 + 64 + 128
    assert full * 4096 <= scaled.mem_used_total < (full + 60) * 4096
    assert (scaled.pages, scaled.same_pages, scaled.huge_pages) == (512, 128, 128)
    assert scaled.compr_data_size == 128 * sample.compr_data_size
    assert scaled.compression_ratio == sample.compression_ratio
    assert POOL.scale(POOL.store([]), 5).pages == 0
    assert POOL.scale(sample, 4) == sample


@pytest.mark.parametrize("spread", [150, 400, 1000])
@pytest.mark.parametrize("part", [4, 20])
def test_a_scaled_sample_takes_as_much_memory_as_the_whole_on_average(spread, part):
    chance = random.Random(spread)
    lengths = [min(4096, max(1, int(chance.gauss(1500, spread)))) for _ in range(20_000)]
    truth = POOL.store(lengths).mem_used_total
    leans = []
    for _ in range(40):
        sample = POOL.store(chance.sample(lengths, len(lengths) // part))
        leans.append(POOL.scale(sample, len(lengths)).mem_used_total / truth - 1)
    assert abs(sum(leans) / 40) < 0.005


def test_recompression_is_taken_only_when_the_class_falls():
    first = [0, 3625, 3625, 2000, 2040, 1913, 24, 3624]
    second = [7, 3624, 3700, 1913, 1912, 1912, 1, 3625]
    changed = POOL.recompress(first, second)
    assert list(changed) == [0, 3624, 3625, 2000, 1912, 1912, 24, 3624]


@given(st.lists(st.tuples(st.integers(0, 5000), st.integers(1, 5000)), max_size=60))
def test_recompression_never_costs_memory_classes(pairs):
    first = [a for a, _ in pairs]
    after = POOL.recompress(first, [b for _, b in pairs])
    for (a, b), c in zip(pairs, after, strict=True):
        assert c in (a, b)
        if c != a:
            kept = 4096 if a >= 3625 else a
            assert POOL.class_of(c).number < POOL.class_of(kept).number


def test_recompression_threshold_bounds_old_and_new_length():
    # A page below the threshold is not tried; a result that is not below it is rejected.
    first, second = [2999, 3100, 3100], [100, 3000, 2999]
    assert list(POOL.recompress(first, second, threshold=3000)) == [2999, 3100, 2999]
    with pytest.raises(InvalidValueError, match="3625"):
        POOL.recompress([1], [1], threshold=3625)


@pytest.mark.parametrize(
    "kind",
    [
        {"page_size": 8192},
        {"word_size": 16},
        {"chain": (3, "waste")},
        {"chain": (17, "waste")},
        {"chain": (8, "best")},
    ],
)
def test_an_impossible_kernel_is_refused(kind):
    with pytest.raises(InvalidValueError, match="no kernel"):
        PoolModel(**kind)


@pytest.mark.parametrize("lengths", [[-1], [2**32], ["x"], 5])
def test_invalid_lengths_are_refused(lengths):
    with pytest.raises(InvalidValueError):
        POOL.store(lengths)


@pytest.mark.parametrize("length", [-1, 0, 4097])
def test_class_of_no_object_is_refused(length):
    with pytest.raises(InvalidValueError):
        POOL.class_of(length)


@pytest.mark.parametrize("release", ["5.10.0-8-amd64", "6.1.0", "6.2.16-gentoo", "4.19"])
def test_kernels_before_6_3_have_the_old_chain(tmp_path, release):
    assert running_chain(str(tmp_path), release) == Chain(4, "percent")


def test_chain_size_comes_from_the_configuration(tmp_path):
    release = "6.18.1"
    assert running_chain(str(tmp_path), release) == Chain(8, "waste")
    (tmp_path / "boot").mkdir()
    (tmp_path / f"boot/config-{release}").write_text("CONFIG_ZSMALLOC_CHAIN_SIZE=12\n")
    assert running_chain(str(tmp_path), release) == Chain(12, "waste")
    (tmp_path / "proc").mkdir()
    packed = gzip.compress(b"# text\nCONFIG_ZSMALLOC=y\nCONFIG_ZSMALLOC_CHAIN_SIZE=6\n")
    (tmp_path / "proc/config.gz").write_bytes(packed)
    assert running_chain(str(tmp_path), release) == Chain(6, "waste")
    (tmp_path / "proc/config.gz").write_bytes(packed[:-9])
    assert running_chain(str(tmp_path), release) == Chain(12, "waste")


def test_chain_size_comes_from_debugfs_where_no_configuration_is(tmp_path):
    pool = tmp_path / "sys/kernel/debug/zsmalloc/zram0"
    pool.mkdir(parents=True)
    (pool / "classes").write_text(
        " class  size       10%  obj_allocated   obj_used pages_used pages_per_zspage freeable\n"
        "     0    32         0            128         12          1                1        0\n"
        "   135  2192         0             14         11         10               10        0\n"
        "\n Total              0            142         23         11                         0\n"
    )
    assert running_chain(str(tmp_path), "7.2.0") == Chain(10, "waste")


def test_without_arguments_the_store_is_the_running_kernels():
    pool = PoolModel()
    assert pool.chain == running_chain()
    assert pool.classes[-1].size == pool.page_size
