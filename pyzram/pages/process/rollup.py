# SPDX-License-Identifier: MIT
"""Sums of a process's memory, as the kernel makes them."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from .smaps import figure

if TYPE_CHECKING:
    from .process import Process

NAMES = (
    "Pss",
    "Pss_Dirty",
    "Pss_Anon",
    "Pss_File",
    "Swap",
    "SwapPss",
    "LazyFree",
    "Locked",
    "AnonHugePages",
)


class Rollup(NamedTuple):
    """Sums of ``/proc/PID/smaps_rollup`` in bytes; each page is divided by its sharers."""

    pss: int
    pss_dirty: int
    pss_anon: int
    pss_file: int
    swap: int
    swap_pss: int
    lazily_freed: int
    locked: int
    anon_huge: int
    """private pages that are mapped as whole huge pages"""

    @property
    def clean(self) -> int:
        """What is neither of files nor dirty, though not less than that: files may be dirty."""
        return self.pss - self.pss_dirty - self.pss_file


NOTHING = Rollup(*(0 for _ in NAMES))


def rollup(process: Process) -> Rollup:
    """Read ``/proc/PID/smaps_rollup``; a figure that this kernel does not have is 0."""
    text = process.read("smaps_rollup")
    return Rollup(*(figure(text, f"\n{name}:") for name in NAMES))
