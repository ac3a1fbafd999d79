# SPDX-License-Identifier: MIT
"""Memory that the kernel counts for the whole system, to compare with what was found of it."""

from __future__ import annotations

import os
from typing import NamedTuple

from ..kernel.parse import parse_meminfo
from ..kernel.sysfs import read_text
from ..limits import PAGE_SIZE

DRIFT = 125
"""Pages by which each processor's own part of a sum may be late (pcp thresholds in mm/vmstat.c)."""


class Counted(NamedTuple):
    """Sums of ``/proc/meminfo``, in pages."""

    shared: int
    """shared memory and files of tmpfs, in memory"""
    swapped: int
    """in swap and not in memory as well"""


def counted(path: str = "/proc/meminfo") -> Counted:
    """What the kernel counts at the moment."""
    sums = parse_meminfo(read_text(path))
    in_swap = sums["SwapTotal"] - sums["SwapFree"] - sums["SwapCached"]
    return Counted(sums["Shmem"] // PAGE_SIZE, in_swap // PAGE_SIZE)


def unseen(before: Counted, after: Counted, found: Counted) -> Counted:
    """At least how much was there all the time and not found; 0 where the sums may be off by it."""
    drift = DRIFT * (os.cpu_count() or 1)
    missing = (
        min(first, last) - seen for first, last, seen in zip(before, after, found, strict=True)
    )
    return Counted(*(pages if pages > drift else 0 for pages in missing))
