# SPDX-License-Identifier: MIT
"""Handles on a made-up tree: what a real kernel does too rarely to wait for."""

from __future__ import annotations

import errno
import os

import pytest

import pyzram
from pyzram import handle


@pytest.fixture
def tree(tmp_path):
    """A 7.x device: one file a read of which can be held up, beside others."""
    device = tmp_path / "sys/block/zram3"
    device.mkdir(parents=True)
    for name, text in {
        "disksize": "0\n",
        "writeback_batch_size": "32\n",
        "io_stat": "       0        0 0        0\n",
        "comp_algorithm": "lzo-rle lzo lz4 \n",
    }.items():
        (device / name).write_text(text)
    os.mkfifo(device / "mm_stat")
    return pyzram.Sysfs(str(tmp_path))


@pytest.fixture
def release(tree):
    """Let a held-up reader of mm_stat go at the end."""
    yield
    os.close(os.open(tree.path("sys/block/zram3/mm_stat"), os.O_RDWR | os.O_NONBLOCK))


def test_a_read_that_the_kernel_holds_up_ends_in_an_error(tree, release, monkeypatch):
    monkeypatch.setattr(handle, "READ_TIMEOUT_SECONDS", 0.1)
    with pyzram.Zram(3, sysfs=tree) as device:
        with pytest.raises(pyzram.BlockedError, match="zram3: read mm_stat: no answer") as caught:
            device.read_mm_stat()
        assert caught.value.errno == errno.ETIMEDOUT
        assert isinstance(caught.value, TimeoutError)
        assert device.read_io_stat().failed_reads == 0
        assert device.read_disksize() == 0


def test_no_algorithm_in_brackets_is_none(tree):
    with pyzram.Zram(3, sysfs=tree) as device:
        assert device.read_comp_algorithm() is None
        assert device.read_algorithms() == ("lzo-rle", "lzo", "lz4")


def test_devices_of_a_tree(tree):
    assert [device.name for device in pyzram.devices(sysfs=tree)] == ["zram3"]


def test_without_a_driver_that_is_what_it_says(tmp_path):
    (tmp_path / "sys/block").mkdir(parents=True)
    empty = pyzram.Sysfs(str(tmp_path))
    assert pyzram.devices(sysfs=empty) == []
    with pytest.raises(pyzram.DeviceNotFoundError, match="no zram driver"):
        pyzram.Zram(0, sysfs=empty)
    with pytest.raises(pyzram.UnsupportedError, match="modprobe zram") as caught:
        pyzram.Zram.add(sysfs=empty)
    assert caught.value.errno == errno.ENOENT
    found = pyzram.capabilities(sysfs=empty)
    assert (found.driver, found.hot_add, found.algorithms) == (False, False, None)


def test_a_missing_sys_is_one_clear_error(tmp_path):
    with pytest.raises(pyzram.DeviceNotFoundError, match="list devices"):
        pyzram.devices(sysfs=pyzram.Sysfs(str(tmp_path)))


@pytest.mark.parametrize("spec", ["", "zram", "zram-1", "zramx", "٣", -1, True, 1.5, "1/2"])
def test_names_that_cannot_be_a_device(tree, spec):
    with pytest.raises((pyzram.ZramError, TypeError)):
        pyzram.Zram(spec, sysfs=tree)
