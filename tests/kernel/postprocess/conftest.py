# SPDX-License-Identifier: MIT
"""Devices for what moves pages."""

from __future__ import annotations

import mmap

import pytest

import pyzram


@pytest.fixture
def backed(zram_device, tmp_path):
    """A device with a file behind it."""
    with pyzram.Zram(zram_device.number) as zram:
        if not zram.has("writeback"):
            pytest.skip("this kernel has no writeback")
        file = tmp_path / "backing"
        with file.open("wb") as stream:
            stream.truncate(4096 * mmap.PAGESIZE)
        zram.configure(disksize=4096 * mmap.PAGESIZE, backing_dev=file)
        yield zram
