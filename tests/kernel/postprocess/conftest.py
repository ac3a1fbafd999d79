# SPDX-License-Identifier: MIT
"""Devices for tests that move pages."""

from __future__ import annotations

import mmap

import pytest

import pyzram

PAGES = 4096


@pytest.fixture
def back(zram_device, tmp_path):
    """A function that puts a file of that many pages behind a device of PAGES."""
    with pyzram.Zram(zram_device.number) as zram:
        if not zram.has("writeback"):
            pytest.skip("this kernel has no writeback")

        def back(pages: int) -> pyzram.Zram:
            file = tmp_path / "backing"
            with file.open("wb") as stream:
                stream.truncate(pages * mmap.PAGESIZE)
            zram.configure(disksize=PAGES * mmap.PAGESIZE, backing_dev=file)
            return zram

        yield back


@pytest.fixture
def backed(back):
    """A device with a backing file that has room for all its pages."""
    return back(PAGES)
