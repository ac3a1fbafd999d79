# SPDX-License-Identifier: MIT
"""block_state of a real device: every slot appears once, with its proper marks."""

from __future__ import annotations

import os
import time

import pytest
from kernel.raw import PAGE, block_state, noise, same, store, text

import pyzram
from pyzram.device import block_state as state
from pyzram.errors import UnsupportedError, ZramOSError

COUNT = 16_000  # more lines than one read holds


@pytest.fixture
def zram(zram_device):
    with pyzram.Zram(zram_device.number) as device:
        yield device


def test_every_slot_is_seen_once_over_many_reads(zram, zram_device):
    block_state(zram_device)
    zram.configure(disksize=COUNT * PAGE)
    fd = os.open(zram.node, os.O_WRONLY)
    try:
        for _ in range(COUNT // 1000):
            os.write(fd, b"zram" * (PAGE // 4 * 1000))
        os.fsync(fd)
    finally:
        os.close(fd)
    assert COUNT * 38 > 2 * state.READ_SIZE
    assert [slot[0] for slot in state.slots(zram)] == list(range(COUNT))
    summary = state.summary(zram)
    assert summary.slots == summary.flags["same"] == sum(summary.ages) == COUNT
    # Ranges anywhere, in any order, and beyond what one read holds.
    ranges = [(9_000, 9_000), (15_990, 15_999), (0, 11_999), (7, 6)]
    places = [place for first, last in ranges for place in range(first, last + 1)]
    assert [slot[0] for slot in state.slots_within(zram, ranges)] == places


def test_a_range_gives_the_stored_ones_of_it_and_no_more(zram, zram_device):
    block_state(zram_device)
    zram.configure(disksize=4096 * PAGE)
    store(zram_device, [noise(1), same(), text(1)], first=100)
    store(zram_device, [noise(2)], first=4000)
    whole = {slot[0]: slot[2] for slot in state.slots(zram)}
    assert set(whole) == {100, 101, 102, 4000}
    for ranges, places in (
        ([(0, 99)], []),
        ([(0, 101)], [100, 101]),
        ([(102, 3999), (100, 100)], [102, 100]),
        ([(103, 4095)], [4000]),
        ([(4001, 4095)], []),
    ):
        assert [slot[0::2] for slot in state.slots_within(zram, ranges)] == [
            (place, whole[place]) for place in places
        ]


def test_flags_and_ages_are_the_pages_own(zram, zram_device):
    block_state(zram_device)
    zram.configure(disksize="16M")
    pages = [same(), text(1), noise(1), text(2)]
    store(zram_device, pages)
    store(zram_device, [noise(2)], first=100)
    flags = state.SLOT_FLAGS
    huge = flags["huge"]
    found = {place: marks for place, _, marks in state.slots(zram)}
    assert found == {0: flags["same"], 1: 0, 2: huge, 3: 0, 100: huge}
    zram.mark_idle()
    summary = state.summary(zram)
    assert summary.flags["idle"] >= 4  # older kernels mark same-filled pages too
    now = time.clock_gettime(time.CLOCK_BOOTTIME)
    for _, accessed, _ in state.slots(zram):
        assert 0 <= now - accessed / 1e6 < 120
    assert sum(summary.ages[:8]) == 5


def test_before_initialisation_it_is_einval(zram, zram_device):
    block_state(zram_device)
    with pytest.raises(ZramOSError) as caught:
        state.summary(zram)
    assert caught.value.errno == 22


def test_a_kernel_without_it_is_reported(zram):
    if os.path.exists(state.path_of(zram)):
        pytest.skip("this kernel has it")
    with pytest.raises(UnsupportedError, match="CONFIG_ZRAM_MEMORY_TRACKING"):
        state.summary(zram)
