# SPDX-License-Identifier: MIT
"""Contract: recompression."""

from __future__ import annotations

import errno

import pytest
from kernel.raw import PAGE, flags, has, load, need, noise, numbers, refused, same, store, text


def dense(number: int) -> bytes:
    """Letters in random order: a page that lz4 halves at best, and zstd makes much smaller."""
    return bytes(97 + byte % 16 for byte in noise(number))


@pytest.fixture
def fresh(zram_device):
    need(zram_device, "recompress")
    zram_device.write("comp_algorithm", "lz4")
    return zram_device


@pytest.fixture
def multi(fresh):
    """lz4 first, zstd for what is recompressed."""
    fresh.write("recomp_algorithm", "algo=zstd priority=1")
    fresh.write("disksize", "4M")
    return fresh


def compressed_size(device) -> int:
    return numbers(device, "mm_stat")[1]


def test_recompress_wants_an_initialised_device(fresh):
    refused(errno.EINVAL, fresh.write, "recompress", "type=idle")


@pytest.mark.parametrize(
    "written", ["idle", "threshold=x", "threshold=", "threshold=4096", "max_pages=x"]
)
def test_recompress_refuses_impossible_arguments(multi, written):
    store(multi, [dense(1)])
    refused(errno.EINVAL, multi.write, "recompress", written)


@pytest.mark.parametrize("written", ["type=nothing", "priority=0", "priority=9", "priority=3"])
def test_a_kernel_that_takes_one_algorithm_refuses_more_mistakes(multi, written):
    if not has(multi, "writeback_batch_size"):
        pytest.skip("this kernel is lax")
    refused(errno.EINVAL, multi.write, "recompress", written)


def test_recompressed_pages_are_smaller_and_read_back_equal(multi):
    pages = [dense(number) for number in range(64)]
    store(multi, pages)
    before = numbers(multi, "mm_stat")
    multi.write("recompress", "algo=zstd")
    after = numbers(multi, "mm_stat")
    assert after[1] < before[1]
    assert after[2] < before[2]
    assert after[0] == before[0]
    assert load(multi, 64) == pages


def test_recompressed_pages_are_flagged(multi):
    store(multi, [dense(1), noise(1), same(1)])
    multi.write("recompress", "priority=1")
    seen = flags(multi)
    assert "r" in seen[0]
    assert "n" in seen[1], "nothing helps with it: never tried again"
    assert "r" not in seen[2]


def test_only_idle_pages_are_recompressed_when_asked(multi):
    store(multi, [dense(1), dense(2)])
    multi.write("idle", "all")
    load(multi, 1)
    multi.write("recompress", "type=idle")
    assert ["r" in marks for _, marks in sorted(flags(multi).items())] == [False, True]


def test_pages_below_the_threshold_are_left_alone(multi):
    store(multi, [text(1), dense(1)])
    multi.write("recompress", "threshold=3000")
    assert ["r" in marks for _, marks in sorted(flags(multi).items())] == [False, True]


def test_what_would_not_be_below_the_threshold_is_refused(multi):
    """So a threshold limits not only which pages are tried, but also which results count."""
    store(multi, [dense(1), dense(2)])
    multi.write("recompress", "threshold=1024")
    assert all("r" not in marks for marks in flags(multi).values())
    assert compressed_size(multi) > 2 * 1024


def test_max_pages_bounds_one_run(multi):
    need(multi, "recompress")
    store(multi, [dense(number) for number in range(6)])
    multi.write("recompress", "max_pages=2")
    assert sum("r" in marks for marks in flags(multi).values()) == 2


def test_recompressing_twice_changes_nothing_more(multi):
    store(multi, [dense(number) for number in range(16)])
    multi.write("recompress", "algo=zstd")
    once = compressed_size(multi)
    multi.write("recompress", "algo=zstd")
    assert compressed_size(multi) == once


def test_a_huge_page_that_shrinks_is_huge_no_more(fresh):
    # 7 bits in 8: too much for lz4, not for zstd.
    page = bytes(byte & 0x7F for byte in noise(1))
    fresh.write("recomp_algorithm", "algo=zstd")
    fresh.write("disksize", "1M")
    store(fresh, [page])
    assert numbers(fresh, "mm_stat")[7] == 1
    fresh.write("recompress", "type=huge")
    assert numbers(fresh, "mm_stat")[7] in (0, 1)
    assert (numbers(fresh, "mm_stat")[7] == 0) == (compressed_size(fresh) < PAGE)
    assert load(fresh, 1) == [page]


def test_a_rewritten_page_is_stored_with_the_primary_again(multi):
    store(multi, [dense(1)])
    first = compressed_size(multi)
    multi.write("recompress", "algo=zstd")
    assert compressed_size(multi) < first
    store(multi, [dense(1)])
    assert compressed_size(multi) == first


def test_without_a_secondary_there_is_nothing_to_recompress_with(fresh):
    fresh.write("disksize", "1M")
    store(fresh, [dense(1)])
    before = compressed_size(fresh)
    if has(fresh, "writeback_batch_size"):
        refused(errno.EINVAL, fresh.write, "recompress", "type=huge")
    else:
        fresh.write("recompress", "threshold=0")
    assert compressed_size(fresh) == before


def test_the_secondary_obeys_its_level(fresh):
    sizes = []
    for level in (1, 19):
        fresh.write("reset", "1")
        fresh.write("comp_algorithm", "lz4")
        fresh.write("recomp_algorithm", "algo=zstd priority=1")
        fresh.write("algorithm_params", f"priority=1 level={level}")
        fresh.write("disksize", "1M")
        store(fresh, [(text(n) + dense(n))[2048 : 2048 + PAGE] for n in range(8)])
        fresh.write("recompress", "priority=1")
        sizes.append(compressed_size(fresh))
    assert sizes[0] != sizes[1]
