# SPDX-License-Identifier: MIT
"""Contract: what happens to a page, and how mm_stat and io_stat show it."""

from __future__ import annotations

import ctypes
import errno
import fcntl
import mmap
import os
import random
import struct
from typing import NamedTuple

import pytest
from kernel.raw import (
    PAGE,
    algorithms,
    block_state,
    flags,
    load,
    noise,
    numbers,
    refused,
    same,
    store,
    text,
)

# POWER has a bit of its own for requests that pass no size (asm/ioctl.h, _IOC_NONE).
BLKDISCARD = 0x1277 | (1 << 29 if os.uname().machine.startswith("ppc") else 0)
# Smallest length that is stored raw, for the pool's chain lengths 4, 5, 6, 7, 8, 10, 12, 16.
HUGE_THRESHOLDS = {3257, 3401, 3497, 3577, 3625, 3705, 3769, 3833}


class Mm(NamedTuple):
    """The fields of mm_stat in the kernel's order and words."""

    orig: int
    compr: int
    used: int
    limit: int
    used_max: int
    same: int
    compacted: int
    huge: int
    huge_since: int


def mm(device) -> Mm:
    return Mm(*numbers(device, "mm_stat"))


def discard(device, first: int, length: int) -> None:
    fd = os.open(device.node, os.O_RDWR)
    try:
        fcntl.ioctl(fd, BLKDISCARD, struct.pack("QQ", first, length))
    finally:
        os.close(fd)


@pytest.fixture
def ready(zram_device):
    zram_device.write("disksize", str(4096 * PAGE))
    return zram_device


def test_what_is_stored_is_read_back(ready):
    pages = [same(0), same(7), text(1), noise(1), text(2)]
    store(ready, pages)
    assert load(ready, 5) == pages


def test_an_unwritten_page_reads_as_zeros_and_counts_nothing(ready):
    assert load(ready, 2, first=100) == [bytes(PAGE)] * 2
    assert mm(ready)[:3] == (0, 0, 0)


@pytest.mark.parametrize("page", [bytes(PAGE), same(0x41), b"12345678" * (PAGE // 8)])
def test_a_page_of_one_repeated_word_takes_no_memory(ready, page):
    store(ready, [page])
    seen = mm(ready)
    assert (seen.orig, seen.compr, seen.used, seen.same) == (PAGE, 0, 0, 1)


def test_two_words_taking_turns_are_not_same_filled(ready):
    store(ready, [b"1234567812345679" * (PAGE // 16)])
    assert mm(ready).same == 0
    assert mm(ready).compr > 0


def test_an_incompressible_page_is_stored_raw_and_counted_as_huge(ready):
    store(ready, [noise(1), noise(2)])
    seen = mm(ready)
    assert (seen.orig, seen.compr, seen.used) == (2 * PAGE, 2 * PAGE, 2 * PAGE)
    assert (seen.huge, seen.huge_since) == (2, 2)


def test_huge_pages_since_never_falls(ready):
    store(ready, [noise(1), noise(2)])
    store(ready, [text(1), same(1)])
    assert (mm(ready).huge, mm(ready).huge_since) == (0, 2)


def test_overwriting_a_page_counts_it_once(ready):
    store(ready, [text(1)])
    before = mm(ready)
    store(ready, [text(1)])
    assert mm(ready) == before


def test_original_size_includes_same_filled_pages(ready):
    store(ready, [same(1), text(1), noise(1)])
    assert mm(ready).orig == 3 * PAGE


def test_the_pool_grows_by_whole_pages_and_remembers_its_peak(ready):
    store(ready, [noise(number) for number in range(8)])
    peak = mm(ready).used
    assert peak == 8 * PAGE
    store(ready, [same(1)] * 8)
    assert (mm(ready).used, mm(ready).used_max) == (0, peak)
    ready.write("mem_used_max", "0")
    assert mm(ready).used_max == 0


def test_the_longest_compressed_page_is_one_byte_short_of_the_huge_threshold(zram_device):
    if PAGE != 4096:
        pytest.skip("thresholds of pages of 4 KiB; tests/vm/test_large_pages.py holds the others")
    if "lz4" not in algorithms(zram_device):
        pytest.skip("this kernel has no lz4")
    zram_device.write("comp_algorithm", "lz4")
    zram_device.write("disksize", "16M")
    bytes_of_noise = random.Random(1).randbytes(PAGE)
    longest, shortest_raw = 0, PAGE
    low, high = 3000, 3900
    while high - low > 1:
        # Noise, then zeros: one more byte of noise makes the compressed page one byte longer.
        middle = (low + high) // 2
        store(zram_device, [bytes_of_noise[:middle].ljust(PAGE, b"\0")])
        if mm(zram_device).huge:
            high = shortest_raw = middle
        else:
            low, longest = middle, mm(zram_device).compr
    assert shortest_raw == low + 1
    assert longest + 1 in HUGE_THRESHOLDS


def test_discard_frees_whole_pages_and_counts_them(ready):
    store(ready, [text(number) for number in range(8)])
    before = numbers(ready, "io_stat")[3]
    discard(ready, 2 * PAGE, 4 * PAGE)
    assert mm(ready).orig == 4 * PAGE
    assert numbers(ready, "io_stat")[3] - before == 4
    assert load(ready, 4, first=2) == [bytes(PAGE)] * 4
    assert load(ready, 1) == [text(0)]


def test_compaction_gives_back_what_holes_held(ready):
    store(ready, [text(number) for number in range(2000)])
    for number in range(0, 2000, 2):
        discard(ready, number * PAGE, PAGE)
    before = mm(ready)
    ready.write("compact", "1")
    after = mm(ready)
    assert after.used < before.used
    assert after.compacted == (before.used - after.used) // PAGE
    assert after.compr == before.compr


def test_the_limit_refuses_the_page_that_would_exceed_it(ready):
    ready.write("mem_limit", str(4 * PAGE))
    store(ready, [noise(number) for number in range(4)])
    refused(errno.EIO, store, ready, [noise(5)], 4)
    assert mm(ready).used == 4 * PAGE
    assert mm(ready).used_max == 5 * PAGE
    assert numbers(ready, "io_stat")[1] == 1


def test_the_limit_never_refuses_same_filled_pages(ready):
    ready.write("mem_limit", str(PAGE))
    store(ready, [noise(1)])
    store(ready, [same(number) for number in range(1, 20)], 1)
    assert mm(ready).same == 19


def test_at_the_limit_an_overwrite_can_fail_and_leaves_the_old_page(ready):
    ready.write("mem_limit", str(2 * PAGE))
    store(ready, [noise(1), noise(2)])
    refused(errno.EIO, store, ready, [noise(3)])
    assert load(ready, 2) == [noise(1), noise(2)]


def test_a_limit_below_the_present_use_keeps_the_data(ready):
    store(ready, [noise(number) for number in range(4)])
    ready.write("mem_limit", str(PAGE))
    assert mm(ready).used == 4 * PAGE
    assert load(ready, 4) == [noise(number) for number in range(4)]
    refused(errno.EIO, store, ready, [noise(9)], 9)
    ready.write("mem_limit", "0")
    store(ready, [noise(9)], 9)


def test_reads_and_writes_are_counted_in_stat(ready):
    store(ready, [text(1), text(2)])
    load(ready, 3)
    stat = numbers(ready, "stat")
    assert (stat[0], stat[4]) == (3, 2)


# ---- memory that was swapped out -----------------------------------------------------------------


@pytest.fixture
def swap(zram_device):
    """Our device as the swap area that is used first."""
    zram_device.write("disksize", "32M")
    libc = ctypes.CDLL(None, use_errno=True)
    os.spawnlp(os.P_WAIT, "mkswap", "mkswap", "-q", zram_device.node)
    prefer, priority = 0x8000, 32000
    assert libc.swapon(zram_device.node.encode(), prefer | priority) == 0
    yield zram_device
    assert libc.swapoff(zram_device.node.encode()) == 0


def test_memory_paged_out_is_in_the_device_and_comes_back_whole(swap):
    pages = 1024
    memory = mmap.mmap(-1, pages * PAGE, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
    for number in range(pages):
        struct.pack_into("Q", memory, number * PAGE, number * number + 1)
    memory.madvise(21)  # MADV_PAGEOUT
    assert mm(swap).orig >= pages * PAGE // 2
    for number in range(pages):
        assert struct.unpack_from("Q", memory, number * PAGE)[0] == number * number + 1
    memory.close()


# ---- block_state ---------------------------------------------------------------------------------


def test_block_state_is_refused_before_initialisation(zram_device):
    refused(errno.EINVAL, block_state(zram_device).read_bytes)


def test_block_state_lists_stored_slots_with_flags_in_fixed_places(ready):
    block_state(ready)
    store(ready, [same(1), text(1), noise(1)], first=5)
    seen = flags(ready)
    assert sorted(seen) == [5, 6, 7]
    assert [marks[:4] for _, marks in sorted(seen.items())] == ["s...", "....", "..h."]
    assert {len(marks) for marks in seen.values()} <= {4, 6}


def test_block_state_counts_its_offset_in_slots_not_bytes(ready):
    fd = os.open(block_state(ready), os.O_RDONLY)
    try:
        store(ready, [text(number) for number in range(8)])
        os.lseek(fd, 5, os.SEEK_SET)
        slots = [int(line.split()[0]) for line in os.read(fd, 1 << 16).decode().splitlines()]
    finally:
        os.close(fd)
    assert slots == [5, 6, 7]


def test_block_state_read_in_small_pieces_looks_empty(ready):
    fd = os.open(block_state(ready), os.O_RDONLY)
    try:
        store(ready, [text(1)])
        assert os.read(fd, 32) == b""
    finally:
        os.close(fd)
