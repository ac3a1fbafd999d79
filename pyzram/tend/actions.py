# SPDX-License-Identifier: MIT
"""What the policy can ask for, and who does it. Sizes in bytes; ages and times in awake seconds."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from contextlib import AbstractContextManager
    from typing import TypeAlias

    from ..device.zram import Zram

    Turn: TypeAlias = Callable[[], AbstractContextManager[object]]


class WriteBack(NamedTuple):
    """Write pages not used for ``floor`` seconds, the oldest first, until ``limit`` is used up.

    Pages older than ``oldest`` come first, then those on each lower rung of
    :func:`~pyzram.tend.ages.ladder`, down to the floor. All such actions for one device in one
    decision share the limit.
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
        """Write these pages, at most ``limit`` bytes, in a turn (:meth:`turns`)."""

    def write_idle(self, device: Zram, huge: bool, limit: int, age: int | None) -> None:
        """Write pages of that age, or with ``None`` those that are marked idle, in a turn."""

    def turns(self, device: Zram) -> Turn:
        """A turn of each step of a run: others are kept off the device in it, but have theirs.

        A turn raises :class:`DeviceBusyError` if others had theirs since the last one.
        """

    def recompression(self, device: Zram, huge: bool, pages: int) -> Recompression:
        """Recompress pages that are marked idle; the first step tries so many."""


class Recompression(Protocol):
    """Moves pages a step at a time."""

    @property
    def pages(self) -> int:
        """How many the next step tries, so that it takes half a second at most."""

    def step(self) -> bool:
        """Try some; return whether there may be more."""
