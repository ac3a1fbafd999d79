# SPDX-License-Identifier: MIT
"""As many swap areas as the kernel takes: what is in the last one is found, too."""

from __future__ import annotations

import ctypes
import mmap
import os
import subprocess
from array import array
from collections.abc import Callable
from pathlib import Path

import pytest
from kernel.conftest import OwnDevice
from kernel.raw import swapped

from pyzram.pages.process.procmem import Inspector

pytestmark = pytest.mark.slow  # so many devices take seconds

PAGE = os.sysconf("SC_PAGE_SIZE")
PAGES = 256
SURELY = 22
"""So many areas every kernel can have; from this number on, they look like notes."""
PAGEOUT = 21


def areas() -> int:
    return len(Path("/proc/swaps").read_text().splitlines()) - 1


def swap_on(device: OwnDevice, priority: int) -> bool:
    """Whether the kernel takes another area."""
    device.write("disksize", "8M")
    subprocess.run(["mkswap", device.node], check=True, capture_output=True)
    words = ["swapon", "-p", str(priority), device.node]
    return subprocess.run(words, check=False, capture_output=True).returncode == 0


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root")
def test_what_is_in_the_last_of_many_areas_is_found(add_zram: Callable[[], OwnDevice]) -> None:
    while swap_on(add_zram(), 32000 + areas()):
        pass
    if areas() <= SURELY:
        pytest.skip(f"this kernel takes {areas()} swap areas, and no more")
    memory = mmap.mmap(-1, PAGES * PAGE, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
    for i in range(PAGES):
        memory[i * PAGE : i * PAGE + 8] = b"%8d" % i
    address = ctypes.addressof(ctypes.c_char.from_buffer(memory))
    libc = ctypes.CDLL(None, use_errno=True)
    libc.madvise.argtypes = ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int
    assert libc.madvise(address, len(memory), PAGEOUT) == 0
    with open("/proc/self/pagemap", "rb", buffering=0) as pagemap:
        entries = array("Q", os.pread(pagemap.fileno(), PAGES * 8, address // PAGE * 8))
    out = [entry & 31 for entry in entries if entry >> 62 == 1]
    assert len(out) >= PAGES // 2
    assert min(out) >= SURELY
    with Inspector() as inspector:
        pages = inspector.pages(os.getpid())
    assert abs(sum(pages.swapped.values()) - swapped(os.getpid())) <= 16
