# SPDX-License-Identifier: MIT
"""What was found in a process: how many of its pages could go to swap, and which."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple

from ... import _native_memory
from .held_files import NOTHING, HeldFiles
from .rollup import Rollup

if TYPE_CHECKING:
    from .mappings import Mapping

# Why pages do not go to swap.
LOCKED = "locked"
PINNED = "pinned"
LAZILY_FREED = "lazily freed"
CLEAN = "never written to"


class PageCounts(NamedTuple):
    """What a walk found, in pages."""

    present: int
    swapped: int
    again: int
    freed: int
    locked: int
    shared: int


@dataclass(slots=True)
class ProcessPages:
    """What a process adds to the memory that could go to swap, in pages."""

    pid: int
    start_time: int
    name: str
    rollup: Rollup
    parts: dict[str, _native_memory.PageSet] = field(default_factory=dict)
    """private pages in memory, by :data:`HEAP`, :data:`STACK` and :data:`DATA`"""
    swapped: dict[str, int] = field(default_factory=dict)
    left_out: dict[str, int] = field(default_factory=dict)
    """pages that stay in memory or vanish, by :data:`LOCKED`, :data:`PINNED`
    and :data:`LAZILY_FREED`"""
    shared: list[tuple[Mapping, bool]] = field(default_factory=list)
    """mappings of shared memory, and whether they are locked"""
    pinned_shared: list[Mapping] = field(default_factory=list)
    """the parts of these mappings that are buffers registered with io_uring"""
    clean_shared: list[tuple[Mapping, int]] = field(default_factory=list)
    """how many pages of these mappings were read but never written to"""
    held: HeldFiles = NOTHING
    """files in memory that have no name and are open"""
    held_unknown: bool = False
    """whether its open files are hidden"""
    skipped: int = 0
    """mappings that hold memory of devices or of the kernel, or guard others"""
    by_frame: bool = False
    """whether shared pages count by frame; otherwise by this process's share of them"""
    proportional: int = 0
    """private pages that it shares, if they count by share"""
    pinned_elsewhere: int = 0
    """number of pinned pages, private or shared, if it is unknown which they are"""
    distinct: int = 0
    """private pages in memory that no earlier process had, including those that are left out"""

    @property
    def present(self) -> int:
        """Private pages in memory."""
        return sum(len(pages) for pages in self.parts.values())
