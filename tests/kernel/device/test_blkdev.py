# SPDX-License-Identifier: MIT
"""The C library's block device functions on a real device."""

from __future__ import annotations

import errno
import fcntl
import os
import threading

import pytest

from pyzram import Zram, _native

SIZE = 16 << 20


@pytest.fixture
def node(zram_device):
    with Zram(zram_device.number) as zram:
        zram.configure(disksize=SIZE)
    return zram_device.node


def code_of(call, *args, **kwargs) -> int:
    with pytest.raises(OSError) as caught:
        call(*args, **kwargs)
    return caught.value.errno


def test_a_second_exclusive_open_is_busy(node):
    fd = _native.blkdev_open(node)
    try:
        assert code_of(_native.blkdev_open, node) == errno.EBUSY
    finally:
        os.close(fd)


def test_the_lock_that_udev_holds_is_waited_for_within_bounds(node):
    prober = os.open(node, os.O_RDONLY)
    fcntl.flock(prober, fcntl.LOCK_EX)
    try:
        assert code_of(_native.blkdev_open, node, wait_ms=50) == errno.EWOULDBLOCK
        timer = threading.Timer(0.2, fcntl.flock, (prober, fcntl.LOCK_UN))
        timer.start()
        os.close(_native.blkdev_open(node, wait_ms=5000))
        timer.join()
    finally:
        os.close(prober)


def test_ebusy_is_tried_again_until_it_passes(node, zram_device):
    holder = os.open(node, os.O_RDONLY)
    reset = str(zram_device.sysfs / "reset")
    assert code_of(_native.attr_write, reset, "1", retry_ms=50) == errno.EBUSY
    timer = threading.Timer(0.2, os.close, (holder,))
    timer.start()
    _native.attr_write(reset, "1", retry_ms=5000)
    timer.join()
    assert zram_device.read("initstate") == "0\n"


@pytest.mark.parametrize("discard", [None, "once", "pages", "both"])
def test_swapon_takes_each_kind_of_discard(node, zram_device, discard):
    with Zram(zram_device.number) as zram:
        zram.mkswap()
        zram.swapon(priority=3, discard=discard)
        assert zram.read_swap_area().priority == 3
        zram.swapoff()
