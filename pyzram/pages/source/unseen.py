# SPDX-License-Identifier: MIT
"""The kernel's count of the whole system's memory, to compare with the memory that was found."""

from __future__ import annotations

import os
from typing import NamedTuple

from ...kernel.parse import parse_meminfo
from ...kernel.sysfs import read_text
from ...limits import PAGE_SIZE

DRIFT = 125
"""Pages by which each processor's part of a sum may lag behind (pcp thresholds in mm/vmstat.c)."""


class Counted(NamedTuple):
    """Sums of ``/proc/meminfo``, in pages."""

    shared: int
    """shared memory and files of tmpfs, in memory"""
    swapped: int
    """in swap only, and not also in memory"""


def counted(path: str = "/proc/meminfo") -> Counted:
    """What the kernel counts at the moment."""
    sums = parse_meminfo(read_text(path))
    in_swap = sums["SwapTotal"] - sums["SwapFree"] - sums["SwapCached"]
    return Counted(sums["Shmem"] // PAGE_SIZE, in_swap // PAGE_SIZE)


def unseen(before: Counted, after: Counted, found: Counted) -> Counted:
    """What was there all the time but not found, at least; 0 where the sums may be that far off."""
    drift = DRIFT * (os.cpu_count() or 1)
    missing = (
        min(first, last) - seen for first, last, seen in zip(before, after, found, strict=True)
    )
    return Counted(*(pages if pages > drift else 0 for pages in missing))
