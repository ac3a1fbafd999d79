# SPDX-License-Identifier: MIT
"""What the policy can ask for, and who does it. Sizes in bytes; ages and times in awake seconds."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple, Protocol

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ..device.zram import Zram


class WriteBack(NamedTuple):
    """Write pages not used for ``floor`` seconds, the oldest first, until ``limit`` is used up.

    Pages older than ``oldest`` come first; then the age is halved until it reaches the floor. All
    such actions for one device in one decision share the limit.
    """

    device: str
    floor: float
    limit: int
    oldest: float
    huge: bool = False
    """Whether only pages that did not compress: writing these frees the most memory."""
    step: int = 0
    """At most this many bytes at a time; if 0, the time that a step takes decides."""
    whole: bool = False
    """Whether to continue even when memory is no longer short."""


class Recompress(NamedTuple):
    """Try the second algorithm on pages not used for ``age`` seconds, starting with raw ones."""

    device: str
    age: float
    seconds: float
    """The most processor time to spend."""
    huge: bool = False
    """Whether only pages that are stored raw."""


class Compact(NamedTuple):
    """Compact the pool."""

    device: str


Action = WriteBack | Recompress | Compact


class Worker(Protocol):
    """Moves pages: :mod:`pyzram.postprocess`, or a replacement in tests."""

    def restore_limit(self, device: Zram) -> None:
        """Put back the device's own limit where a killed process has left that of a step."""

    def write_pages(self, device: Zram, ranges: Sequence[tuple[int, int]], limit: int) -> None:
        """Write these pages, at most ``limit`` bytes."""

    def write_idle(self, device: Zram, huge: bool, limit: int) -> None:
        """Write pages that are marked idle."""

    def recompress(self, device: Zram, action: Recompress, age: int | None, seconds: float) -> None:
        """Recompress pages of that age; with ``None``, the existing marks decide."""
