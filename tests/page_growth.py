# SPDX-License-Identifier: MIT
"""What pages add to a device, one by one."""

from __future__ import annotations

import mmap
import os

import pyzram

PAGE = mmap.PAGESIZE


def growth(device: pyzram.Zram, data: bytes) -> list[int]:
    """Write whole pages from the start; return by how much each made compr_data_size grow."""
    found = []
    buffer = mmap.mmap(-1, PAGE)
    fd = os.open(device.node, os.O_RDWR | os.O_DIRECT)
    try:
        before = 0
        for at in range(0, len(data), PAGE):
            buffer[:] = data[at : at + PAGE]
            assert os.pwrite(fd, buffer, at) == PAGE
            now = device.read_mm_stat().compr_data_size
            found.append(now - before)
            before = now
    finally:
        os.close(fd)
    return found
