# SPDX-License-Identifier: MIT
"""When pages were last used, remembered across recompression, which makes the kernel forget it.

Each page takes two bytes, in units of 64 s since boot, and only pieces of 4096 places that hold
something are kept. Fifteen bits wrap around in 24 days. A number stands for the latest past time
that it can mean, so a page may be taken for younger than it is, but never for older. The kernel may
truncate times to whole seconds (7.x); for the same reason, they are rounded up here.

A remembered time is valid only if our own recompression made the kernel forget it, right after it
was noted. A page that something else has recompressed counts as used when we first see that, which
is before our next recompression, because it may have been stored just before. In two cases an old
time survives because the kernel reports no difference: if we recompressed a page, which was then
stored again and recompressed by something else, all between two of our runs; and if a page was
stored again during a run, between :meth:`Ages.remember` and :meth:`Ages.keep`, and another program
recompressed it, or marked it idle so that we did. Pyzram's own commands that come between are
noticed; then nothing more is kept.
"""

from __future__ import annotations

import binascii
import contextlib
import mmap
import time
import zlib
from typing import TYPE_CHECKING, NamedTuple

from .._native_page_ages import AgesSelection, PageAges, ages_counts
from ..device.block_state import SLOT_FLAGS, slots_within, texts
from ..errors import from_errno
from ..limits import PAGE_SIZE
from ..units import format_count

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from ..device.zram import Zram
    from .actions import Turn

UNIT = 64
"""Seconds."""
TURN_SECONDS = 0.25
"""How long others are kept off a device at a time while it is read; a read takes milliseconds."""
RUNG = 0.84
"""Of the age above, in :func:`ladder`. Where it was 0.5, more of what was written came back."""
PRIVATE = mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS
SAME, WRITTEN_BACK, HUGE = SLOT_FLAGS["same"], SLOT_FLAGS["written_back"], SLOT_FLAGS["huge"]


class Tried(NamedTuple):
    """What :meth:`Ages.remember` counts."""

    untried: int
    """Pages not used since then and not yet tried, so recompression may gain something."""
    huge: int
    """How many of them are stored raw."""
    flags: int
    """Flags of tried pages: recompressed, or found to gain nothing from it."""


class Ages:
    """The pages of one device, by their places.

    Synchronization: one thread at a time.
    """

    def __init__(self) -> None:
        # As large as the last place that had a page, but it takes memory only where pages are.
        self._table = mmap.mmap(-1, mmap.PAGESIZE, PRIVATE)
        self.changed = False
        """Whether more is known than was handed over."""

    def remember(self, device: Zram, clock: Callable[[], float], since: float = 0.0) -> Tried:
        """Note the times that the kernel knows now; call this before each recompression.

        ``clock`` and ``since`` are CLOCK_BOOTTIME; pages not used since then are counted.
        """
        counts = ages_counts()
        self.changed = True
        for text, rest in texts(device):
            self._make_room(device, text)
            # Read after the text: pages without a time in it cannot be younger than this.
            with self._known() as known:
                rest.append(text[known.remember(text, clock(), since, counts) :])
        return Tried(counts.untried, counts.huge, counts.tried)

    def keep(self, device: Zram, turn: Turn = contextlib.nullcontext) -> int:
        """Keep the noted times of pages whose ages recompression has made the kernel forget.

        Each part is read in a ``turn``, because what others recompress after that is theirs.
        Return how many flags there are now, as :attr:`Tried.flags`.
        """
        counts = ages_counts()
        self.changed = True
        found = iter(texts(device))
        more = True
        while more:
            with turn(), self._known() as known:
                end = time.monotonic() + TURN_SECONDS
                more = False
                for text, rest in found:
                    rest.append(text[known.keep(text, counts) :])
                    if more := time.monotonic() > end:
                        break
        return int(counts.tried)

    def used(self, place: int, accessed: int, now: float) -> float:
        """The latest time at which a page may have been used, in CLOCK_BOOTTIME like ``now``."""
        with self._known() as known:
            return known.used(place, accessed, now)

    def candidates(
        self, device: Zram, now: float, floor: float, oldest: float, pages: int, huge: bool
    ) -> list[tuple[int, int]]:
        """Ranges of at most ``pages`` pages not used for ``floor`` seconds, the oldest first.

        ``now`` is CLOCK_BOOTTIME. All ages above ``oldest`` are equally good; then come those on
        each lower rung of :func:`ladder`.
        """
        least = list(ladder(oldest, floor))
        pages = min(pages, device.read_disksize() // PAGE_SIZE)
        # Not on the heap, which might keep it; it takes memory only where pages are found.
        size = max(1, AgesSelection.size_of(len(least), pages))
        try:
            room = mmap.mmap(-1, size, PRIVATE | getattr(mmap, "MAP_NORESERVE", 0))
        except OSError as err:
            raise from_errno(
                err.errno or 0, f"{device.name}: choose among {format_count(pages, 'page')}"
            ) from err
        found = AgesSelection(now, least, pages, huge, room)
        with self._known() as known:
            for text, rest in texts(device):
                rest.append(text[found.add(text, known) :])
                if found.full:
                    break  # no other page is better than these
        chosen: list[int] = []
        for step in range(len(least)):
            chosen += found.places(step, pages - len(chosen))
        return list(_ranges(chosen))

    def still(
        self, device: Zram, ranges: Iterable[tuple[int, int]], now: float, floor: float, huge: bool
    ) -> list[tuple[int, int]]:
        """Those of :meth:`candidates` that are unchanged: not used, freed or stored again.

        ``now`` is the time when they were found. A round may take minutes and works by position,
        so what is there when its turn comes may have been stored a moment ago.
        """
        with self._known() as known:
            return list(
                _ranges(
                    place
                    for place, accessed, flags in slots_within(device, ranges)
                    if not flags & (SAME | WRITTEN_BACK)
                    and (not huge or flags & HUGE)
                    and now - known.used(place, accessed, now) >= floor
                )
            )

    def packed(self) -> str:
        """All that is known, as a word."""
        table = binascii.b2a_base64(zlib.compress(self._table, 1), newline=False)
        return f"{UNIT} {table.decode()}"

    def unpack(self, word: str) -> None:
        """Know what was known when that was packed, before anything is remembered here.

        Raises:
            ValueError, zlib.error: it is damaged, or of another version of pyzram.
        """
        unit, _, table = word.partition(" ")
        words = zlib.decompress(binascii.a2b_base64(table))
        if unit != str(UNIT) or not words or len(words) % mmap.PAGESIZE:
            raise ValueError(f"{len(words)} bytes of ages in units of {unit} s")
        self._table.resize(len(words))
        self._table[:] = words

    def _known(self) -> PageAges:
        return PageAges(self._table, UNIT)

    def _make_room(self, device: Zram, text: bytes) -> None:
        """Make room for the last page in a text; whoever parses it finds malformed lines."""
        end = max(0, text.rfind(b"\n"))
        digits = text[text.rfind(b"\n", 0, end) + 1 : end].split(maxsplit=1)[:1]
        size = 2 * (int(digits[0]) + 1) if digits and digits[0].isdigit() else 0
        if size > len(self._table):
            try:
                self._table.resize(-(-size // mmap.PAGESIZE) * mmap.PAGESIZE)
            except OSError as err:
                what = f"{device.name}: remember the ages of {size // 2} pages"
                raise from_errno(err.errno or 0, what) from err


def ladder(oldest: float, floor: float) -> Iterator[float]:
    """Least ages, from ``oldest`` down to the floor: pages between two rungs are equally good."""
    age = max(oldest, floor)
    while age > floor:
        yield age
        age = max(floor, age * RUNG)
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
