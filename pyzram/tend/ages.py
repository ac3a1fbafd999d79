# SPDX-License-Identifier: MIT
"""When pages were last used, kept beyond recompression, which makes the kernel forget it.

Two bytes a page, in units of 64 s since boot, in pieces of 4096 places that hold anything. Fifteen
bits go round in 24 days: of the times that a number may stand for, the latest that has been is
meant, so that a page may be taken for younger than it is, but never for older. Times of the kernel
may be cut to whole seconds (7.x), and are rounded up here for the same reason.

What was noted stands only if our own recompression made the kernel forget, right after it was
noted. A page that somebody else has recompressed is as young as when that was seen first, which is
before our next recompression, for it may have been stored just before. Two cases keep a former
time, for nothing that the kernel tells is different then: a page that we recompressed, and that was
then stored anew and recompressed by somebody else, all between two of our own runs; and one that
was stored anew and recompressed by somebody else during one, between :meth:`Ages.remember` and
:meth:`Ages.keep`.
"""

from __future__ import annotations

import mmap
from typing import TYPE_CHECKING, NamedTuple

from .._native_page_ages import AgesSelection, PageAges, ages_counts
from ..device.block_state import SLOT_FLAGS, slots_within, texts

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from ..device.zram import Zram

UNIT = 64
"""Seconds."""
SAME, GONE, HUGE = SLOT_FLAGS["same"], SLOT_FLAGS["written_back"], SLOT_FLAGS["huge"]


class Tried(NamedTuple):
    """What :meth:`Ages.remember` counts."""

    untried: int
    """Pages not used since then that were never tried, so that recompression may gain by them."""
    huge: int
    """How many of them are kept raw."""
    flags: int
    """Flags of pages that were: recompressed, or found to gain nothing by it."""


class Ages:
    """The pages of one device, by their places.

    Synchronization: one thread at a time.
    """

    def __init__(self) -> None:
        # Memory is used of it where pages are: it is as large as the last place that had one.
        self._table = mmap.mmap(-1, mmap.PAGESIZE, mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)

    def remember(self, device: Zram, clock: Callable[[], float], since: float = 0.0) -> Tried:
        """Take note of the times that the kernel knows now; before each recompression.

        ``clock`` and ``since`` are CLOCK_BOOTTIME; what was not used since then is counted.
        """
        counts = ages_counts()
        for text, rest in texts(device):
            self._make_room(text)
            # After the text was read: pages of which it tells no time are not younger than that.
            rest.append(text[self._known().remember(text, clock(), since, counts) :])
        return Tried(counts.untried, counts.huge, counts.tried)

    def keep(self, device: Zram) -> int:
        """Let stand what was noted of pages that the kernel has forgotten; after recompression.

        Returns how many flags there are now, as :attr:`Tried.flags`.
        """
        counts = ages_counts()
        known = self._known()
        for text, rest in texts(device):
            rest.append(text[known.keep(text, counts) :])
        return int(counts.tried)

    def used(self, place: int, accessed: int, now: float) -> float:
        """When a page was last used at the latest, in seconds of CLOCK_BOOTTIME, as ``now``."""
        return self._known().used(place, accessed, now)

    def candidates(
        self, device: Zram, now: float, floor: float, oldest: float, pages: int, huge: bool
    ) -> list[tuple[int, int]]:
        """Ranges of at most so many pages not used for ``floor`` seconds, the oldest first.

        ``now`` is CLOCK_BOOTTIME. Ages from ``oldest`` on are as good as each other, then those
        above half of that, and so on down to the floor.
        """
        least = list(_ladder(oldest, floor))
        known = self._known()
        # Not of the heap, which might keep it.
        room = mmap.mmap(-1, max(1, AgesSelection.size_of(len(least), pages)))
        found = AgesSelection(now, least, pages, huge, room)
        for text, rest in texts(device):
            rest.append(text[found.add(text, known) :])
            if found.full:
                break  # none is better than these
        chosen: list[int] = []
        for step in range(len(least)):
            chosen += found.places(step, pages - len(chosen))
        return list(_ranges(chosen))

    def still(
        self, device: Zram, ranges: Iterable[tuple[int, int]], now: float, floor: float, huge: bool
    ) -> list[tuple[int, int]]:
        """What of these :meth:`candidates` is as it was found: not used, freed or stored anew.

        ``now`` is the time of then. A round may take minutes, and goes by places: what is in one
        when its turn comes may have been stored a moment ago.
        """
        known = self._known()
        return list(
            _ranges(
                place
                for place, accessed, flags in slots_within(device, ranges)
                if not flags & (SAME | GONE)
                and (not huge or flags & HUGE)
                and now - known.used(place, accessed, now) >= floor
            )
        )

    def _known(self) -> PageAges:
        return PageAges(self._table, UNIT)

    def _make_room(self, text: bytes) -> None:
        """For the last page that a text tells of; what is no line is found by who reads it."""
        end = max(0, text.rfind(b"\n"))
        digits = text[text.rfind(b"\n", 0, end) + 1 : end].split(maxsplit=1)[:1]
        size = 2 * (int(digits[0]) + 1) if digits and digits[0].isdigit() else 0
        if size > len(self._table):
            self._table.resize(-(-size // mmap.PAGESIZE) * mmap.PAGESIZE)


def _ladder(oldest: float, floor: float) -> Iterator[float]:
    age = max(oldest, floor)
    while age > floor:
        yield age
        age = max(floor, age / 2)
    yield floor


def _ranges(places: Iterable[int]) -> Iterator[tuple[int, int]]:
    """Ranges of neighbours, in the order given."""
    first = last = -1
    for place in places:
        if first >= 0 and place == last + 1:
            last = place
            continue
        if first >= 0:
            yield first, last
        first = last = place
    if first >= 0:
        yield first, last
