# SPDX-License-Identifier: MIT
"""Sums of a process's memory, as the kernel makes them."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from .process import Process

ROLLUP = re.compile(r"^(\w+): +(\d+) kB$", re.MULTILINE)


class Rollup(NamedTuple):
    """Sums of ``/proc/PID/smaps_rollup``, bytes: what each page is worth divided by its sharers."""

    pss: int
    pss_anon: int
    pss_file: int
    swap: int
    swap_pss: int
    lazily_freed: int
    locked: int


def rollup(process: Process) -> Rollup:
    """Read ``/proc/PID/smaps_rollup``; a figure that this kernel does not give is 0."""
    found = dict(ROLLUP.findall(process.read("smaps_rollup")))
    names = ("Pss", "Pss_Anon", "Pss_File", "Swap", "SwapPss", "LazyFree", "Locked")
    return Rollup(*(int(found.get(name, 0)) * 1024 for name in names))
