# SPDX-License-Identifier: MIT
"""What the policy can ask for, and who does it. Sizes in bytes, ages and times in seconds awake."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple, Protocol

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ..device.zram import Zram


class WriteBack(NamedTuple):
    """Write pages not used for ``floor`` seconds, the oldest first, until ``limit`` is used up.

    Those from ``oldest`` on come first; then the age is halved until it is at the floor. All
    for one device in one decision share the limit.
    """

    device: str
    floor: float
    limit: int
    oldest: float
    huge: bool = False
    """Only pages that did not compress: they free most memory for what is written."""
    step: int = 0
    """Bytes at a time at most; 0 leaves it to the time that a step takes."""
    whole: bool = False
    """Not to be ended early when memory is no longer short."""


class Recompress(NamedTuple):
    """Try the second algorithm on pages not used for ``age`` seconds, pages kept raw first."""

    device: str
    age: float
    seconds: float
    """Processor time at most."""
    huge: bool = False
    """Only pages that are kept raw."""


class Compact(NamedTuple):
    """Pack the pool."""

    device: str


Action = WriteBack | Recompress | Compact


class Worker(Protocol):
    """What moves pages: :mod:`pyzram.postprocess`, or a test's own."""

    def write_pages(self, device: Zram, ranges: Sequence[tuple[int, int]], limit: int) -> None:
        """Write these pages, at most so many bytes."""

    def write_idle(self, device: Zram, huge: bool, limit: int) -> None:
        """Write pages that are marked idle."""

    def recompress(self, device: Zram, action: Recompress, age: int | None, seconds: float) -> None:
        """Recompress pages of that age; ``None`` leaves it to the marks that there are."""
