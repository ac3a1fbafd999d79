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

from array import array
from typing import TYPE_CHECKING

from ..device.block_state import SLOT_FLAGS, slots, slots_within

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from ..device.zram import Zram

PLACES = 4096
"""Of a piece."""
UNIT = 64
TURN = 0x7FFF
"""Units until the numbers begin again; 0 is for what is not known."""
KEPT = 0x8000
"""That the kernel has forgotten it by our doing, and the number counts in its place."""
SAME, GONE, HUGE = SLOT_FLAGS["same"], SLOT_FLAGS["written_back"], SLOT_FLAGS["huge"]
DONE = SLOT_FLAGS["recompressed"] | SLOT_FLAGS["incompressible"]
TRIED = SAME | GONE | DONE


class Ages:
    """The pages of one device, by their places.

    Synchronization: one thread at a time.
    """

    def __init__(self) -> None:
        self._pieces: dict[int, array[int]] = {}

    def remember(
        self, device: Zram, clock: Callable[[], float], since: float = 0.0
    ) -> tuple[int, int, int]:
        """Take note of the times that the kernel knows now; before each recompression.

        ``clock`` and ``since`` are CLOCK_BOOTTIME. Returns how many pages were not used since then
        and were never tried, how many of them are huge, and how many flags there are of those that
        were: recompressed, or found to gain nothing by it.
        """
        untried = huge = tried = 0
        unit, latest = UNIT * 1_000_000, since * 1e6
        number, piece = -1, self._pieces.get(-1)
        for place, accessed, flags in slots(device):
            if flags & DONE:
                tried += 2 if flags & DONE == DONE else 1
            if place // PLACES != number or piece is None:
                number = place // PLACES
                piece = self._pieces.get(number)
                if piece is None:
                    piece = self._pieces[number] = array("H", bytes(2 * PLACES))
            if accessed:
                if accessed <= latest and not flags & TRIED:
                    untried += 1
                    if flags & HUGE:
                        huge += 1
                piece[place % PLACES] = accessed // unit % TURN + 1  # the next unit: rounded up
            elif not piece[place % PLACES] & KEPT:
                piece[place % PLACES] = KEPT | _number(int(clock() // UNIT) + 1)
        return untried, huge, tried

    def keep(self, device: Zram) -> int:
        """Let stand what was noted of pages that the kernel has forgotten; after recompression.

        Returns how many flags there are now, as :meth:`remember`.
        """
        tried = 0
        for place, accessed, flags in slots(device):
            if flags & DONE:
                tried += 2 if flags & DONE == DONE else 1
            if not accessed:
                piece = self._pieces.get(place // PLACES)
                if piece is not None and piece[place % PLACES]:
                    piece[place % PLACES] |= KEPT
        return tried

    def used(self, place: int, accessed: int, now: float) -> float:
        """When a page was last used at the latest, in seconds of CLOCK_BOOTTIME, as ``now``."""
        if accessed:
            return accessed // 1_000_000 + 1.0
        piece = self._pieces.get(place // PLACES)
        number = piece[place % PLACES] if piece else 0
        if not number & KEPT:
            return now
        units = int(now // UNIT) + 1
        return float((units - (_number(units) - (number & TURN)) % TURN) * UNIT)

    def candidates(
        self, device: Zram, now: float, floor: float, oldest: float, pages: int, huge: bool
    ) -> list[tuple[int, int]]:
        """Ranges of at most so many pages not used for ``floor`` seconds, the oldest first.

        ``now`` is CLOCK_BOOTTIME. Ages from ``oldest`` on are as good as each other, then those
        above half of that, and so on down to the floor.
        """
        steps = list(_ladder(oldest, floor))
        found: list[array[int]] = [array("Q") for _ in steps]
        # Most pages are young when memory is short, and somebody waits.
        latest = int((now - floor) * 1e6)
        for place, accessed, flags in slots(device):
            if accessed > latest or flags & (SAME | GONE) or (huge and not flags & HUGE):
                continue
            used = accessed // 1_000_000 + 1.0 if accessed else self.used(place, 0, now)
            age = now - used
            for step, least in enumerate(steps):
                if age >= least:
                    if len(found[step]) < pages:
                        found[step].append(place)
                    break
            if len(found[0]) == pages:
                break  # none is better than these
        chosen: list[int] = []
        for places in found:
            chosen += sorted(places[: pages - len(chosen)])
        return list(_ranges(chosen))

    def still(
        self, device: Zram, ranges: Iterable[tuple[int, int]], now: float, floor: float, huge: bool
    ) -> list[tuple[int, int]]:
        """What of these :meth:`candidates` is as it was found: not used, freed or stored anew.

        ``now`` is the time of then. A round may take minutes, and goes by places: what is in one
        when its turn comes may have been stored a moment ago.
        """
        return list(
            _ranges(
                place
                for place, accessed, flags in slots_within(device, ranges)
                if not flags & (SAME | GONE)
                and (not huge or flags & HUGE)
                and now - self.used(place, accessed, now) >= floor
            )
        )


def _number(units: int) -> int:
    return (units - 1) % TURN + 1


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
