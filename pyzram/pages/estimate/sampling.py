# SPDX-License-Identifier: MIT
"""Pages of processes, files, core dumps, block devices and streams: all of them, or a fair sample.

A sample is stratified: the pages are lined up process by process, mapping by mapping, in order of
address, and cut into blocks of equal size, and two pages are drawn from each block. So each mapping
has its proper weight, however pages of a kind cluster, and the two pages of a block show how far
the figures may be off. Such waves are drawn until the error is small enough. How many that takes
depends on the precision asked for, not on the amount of memory: 16 GiB cost as much as 256 MiB.
"""

from __future__ import annotations

import math
import os
import random
from array import array
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

from ...errors import InvalidValueError
from ...value import JsonValue, check_flag, check_real, check_whole, documented, wrong_type
from ..codec.batches import check_threads
from ..source.sources import Source, Stream

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from ..process.owner import Owner
    from ..source.segments import Segment

PRECISION = 0.01
# For a known error 1.96 would be enough. This one is estimated, and stopping by it uses up some of
# the 95 % too: with 2.0, at least 95 of 100 samples contain the truth (tests/unit/pages/estimate).
Z_95 = 2.0
# What none of n pages shows may still be true of 3 / n of all pages (the rule of three).
MISSED = 3.0
# For one thread; with more, each gets as much.
BATCH_BYTES = 1 << 18
THREADS_MAX = 64
# Smaller ones would overshoot less, but each look at the error uses up some of the 95 %.
WAVES = 6


class Batch(NamedTuple):
    """Pages in memory, until the next batch is taken."""

    pages: memoryview
    blocks: array[int]
    """for each page, the block from which it was drawn"""
    owners: tuple[tuple[Owner, int], ...] = ()
    """the pages' owners, one after the other, with their numbers of pages; none for a stream"""


class _Piece(NamedTuple):
    """Wanted pages of one segment, and the block from which each was drawn."""

    segment: Segment
    ranks: array[int]
    blocks: array[int]


@documented
@dataclass(frozen=True, slots=True)
class Interval(JsonValue):
    """A mean and the bounds of its 95 % confidence interval, in the unit of the figure."""

    mean: float
    """The most likely value."""
    low: float
    """The lower bound."""
    high: float
    """The upper bound."""


def check_precision(precision: float) -> float:
    """Refuse a precision that no sample can reach, or that calls for reading everything.

    Raises:
        InvalidValueError: not between 0.0005 and 0.5.
    """
    wanted = "not between 0.0005 (0.05 percentage points) and 0.5"
    number = check_real("precision", precision, wanted=wanted)
    if not 0.0005 <= number <= 0.5:
        raise InvalidValueError(f"precision {precision!r}: {wanted}")
    return number


def sample_size(precision: float) -> int:
    """How many pages bring the half width of a share's interval to ``precision`` in the worst case.

    Raises:
        InvalidValueError: not between 0.0005 and 0.5.
    """
    precision = check_precision(precision)
    # The worst spread is half of all pages at each end: (z / 2)^2 / n + (MISSED / n)^2.
    spread = (Z_95 / 2) ** 2
    missed = MISSED * MISSED
    share = (math.sqrt(spread * spread + 4 * missed * precision**2) - spread) / (2 * missed)
    return 2 * math.ceil(1 / share / 2)


class Sample:
    """The pages drawn from a source. Iterate over it once; then the counts are known.

    It is either a ``census``, which reads every page, or up to WAVES times two pages from each of
    many blocks of equal size. Between waves, ``enough`` says whether to stop, if it is set.

    ``threads`` is how many will compress a batch, which is large enough to share among them; by
    default one, or with ``full`` one for each processor.

    Synchronization: one thread at a time.
    """

    def __init__(
        self,
        source: Source | Stream,
        *,
        precision: float = PRECISION,
        full: bool = False,
        seed: int | None = None,
        threads: int | None = None,
    ) -> None:
        if not isinstance(source, (Source, Stream)):
            raise wrong_type("source", source, "not a source: open_files() and others make one")
        source._require_open()
        if threads is not None:
            threads = check_threads(threads)
        seed = check_whole("seed", seed)
        check_flag("full", full)
        self.source = source
        self.wave_size = 2 * -(-sample_size(precision) // (2 * WAVES))
        self.wanted = WAVES * self.wave_size
        self.enough: Callable[[], bool] | None = None
        self.full = full
        self.taken = 0
        # Computed once, because thousands of processes have tens of thousands of segments.
        self._known = source.pages if isinstance(source, Source) else None
        self.lost = 0
        self._random = random.Random(seed)
        # A sample of half of all pages saves little, and blocks of three pages are too small.
        self.census = full or (self._known is not None and self._known <= 2 * self.wanted)
        # A sample is soon compressed; all pages may be many.
        self.threads: int = threads or (len(os.sched_getaffinity(0)) if full else 1)
        self._batch_bytes = BATCH_BYTES * min(self.threads, THREADS_MAX)

    @property
    def pages(self) -> int:
        """Pages that the source has; for a stream, those that have passed."""
        return self.source.pages if self._known is None else self._known

    @property
    def expected(self) -> int | None:
        """The most pages that iterating will give, if that is known."""
        if isinstance(self.source, Stream):
            return None
        return self._known if self.census else self.wanted

    def __iter__(self) -> Iterator[Batch]:
        self.source._require_open()
        size = self.source.page_size
        buffer = memoryview(bytearray(max(1, self._batch_bytes // size) * size))
        if isinstance(self.source, Stream):
            batches = self._stream(self.source, buffer)
        elif self.census:
            batches = self._filled(self._all(self.source), buffer)
        else:
            batches = self._drawn(self.source, buffer)
        for batch in batches:
            self.taken += len(batch.blocks)
            if batch.blocks:
                yield batch

    def _all(self, source: Source) -> Iterator[_Piece]:
        step = self._batch_bytes // source.page_size or 1
        for segment in source._segments:
            for first in range(0, segment.pages, step):
                ranks = array("Q", range(first, min(first + step, segment.pages)))
                yield _Piece(segment, ranks, ranks)
            segment.close()

    def _drawn(self, source: Source, buffer: memoryview) -> Iterator[Batch]:
        for wave in range(WAVES):
            if wave and self.enough and self.enough():
                return
            yield from self._filled(self._wave(source, self._places(self.pages, wave)), buffer)

    def _wave(self, source: Source, places: list[tuple[int, int]]) -> Iterator[_Piece]:
        at = first = 0
        for segment in source._segments:
            end = at
            while end < len(places) and places[end][0] < first + segment.pages:
                end += 1
            if end > at:
                ranks = array("Q", [rank - first for rank, _ in places[at:end]])
                yield _Piece(segment, ranks, array("Q", [block for _, block in places[at:end]]))
                segment.close()
            at = end
            first += segment.pages

    def _filled(self, pieces: Iterable[_Piece], buffer: memoryview) -> Iterator[Batch]:
        """Read pieces one after the other: a thousand processes may have a page or two each."""
        size = self.source.page_size
        room, blocks = len(buffer) // size, array("Q")
        owners: list[tuple[Owner, int]] = []
        for piece in pieces:
            done = 0
            while done < len(piece.ranks):
                ranks = piece.ranks[done : done + room - len(blocks)]
                there = piece.segment.read(ranks, buffer[len(blocks) * size :])
                names = piece.blocks[done : done + len(ranks)]
                got = array("Q", [name for name, ok in zip(names, there, strict=True) if ok])
                self.lost += len(ranks) - len(got)
                done += len(ranks)
                if got:
                    owners.append((piece.segment.owner, len(got)))
                    blocks += got
                if len(blocks) == room:
                    yield Batch(buffer, blocks, tuple(owners))
                    blocks, owners = array("Q"), []
        if blocks:
            yield Batch(buffer[: len(blocks) * size], blocks, tuple(owners))

    def _places(self, pages: int, wave: int) -> list[tuple[int, int]]:
        """Draw two places from each block, as (place, block), ascending by place."""
        blocks = self.wave_size // 2
        # Blocks differ by one page in size; a random start makes that fair to every page.
        shift = self._random.randrange(pages)
        places = []
        for block in range(blocks):
            low, high = block * pages // blocks, (block + 1) * pages // blocks
            for place in self._random.sample(range(low, high), 2):
                places.append(((place + shift) % pages, wave * blocks + block))
        places.sort()
        return places

    def _stream(self, stream: Stream, buffer: memoryview) -> Iterator[Batch]:
        size = stream.page_size
        if self.full:
            for count in stream._chunks(buffer):
                first = stream.pages - count
                yield Batch(buffer[: count * size], array("Q", range(first, stream.pages)))
            self.census = True
            return
        kept = self._reservoir(stream, buffer)
        self.census = stream.pages <= self.wanted
        step = len(buffer)
        count = min(stream.pages, self.wanted)
        for low in range(0, count * size, step):
            part = memoryview(kept)[low : min(low + step, count * size)]
            # Each page is its own block, because no two pages show what a block is like.
            yield Batch(part, array("Q", range(low // size, (low + len(part)) // size)))

    def _reservoir(self, stream: Stream, buffer: memoryview) -> bytearray:
        """A random sample of a stream of unknown length (Li's algorithm L)."""
        size, wanted = stream.page_size, self.wanted
        kept = bytearray()
        weight = 1.0
        following = wanted - 1
        for count in stream._chunks(buffer):
            first = stream.pages - count
            fill = max(0, min(wanted - first, count))
            kept += buffer[: fill * size]
            while following < stream.pages:
                if following >= max(first, wanted):
                    slot = self._random.randrange(wanted) * size
                    at = (following - first) * size
                    kept[slot : slot + size] = buffer[at : at + size]
                weight *= math.exp(math.log(1 - self._random.random()) / wanted)
                gap = math.log(1 - self._random.random()) / math.log1p(-weight)
                following += int(gap) + 1
        return kept


def interval(
    values: Sequence[float],
    blocks: Sequence[int],
    population: int,
    *,
    census: bool = False,
    wave_size: int | None = None,
) -> Interval:
    """The mean of values between 0 and 1, one per page, with its 95 % confidence interval.

    ``blocks`` names the block of each value; the differences within blocks give the error. If no
    block has two values, it is a plain random sample. ``population`` counts all pages, of which
    ``wave_size`` different ones were drawn at a time, by default all at once.
    """
    count = len(values)
    if count == 0:
        return Interval(math.nan, 0.0, 1.0)
    mean = math.fsum(values) / count
    if census:
        return Interval(mean, mean, mean)
    first: dict[int, float] = {}
    squares = 0.0
    for value, block in zip(values, blocks, strict=True):
        # The first value of a block has a difference of 0, from itself.
        squares += (value - first.setdefault(block, value)) ** 2 / 2
    pairs = count - len(first)
    if pairs:
        variance = squares / pairs
    elif count > 1:
        variance = math.fsum((value - mean) ** 2 for value in values) / (count - 1)
    else:
        variance = 0.25
    rest = max(0.0, 1 - min(count, wave_size or count) / population)
    half = math.hypot(Z_95 * math.sqrt(variance * rest / count), MISSED * rest / count)
    return Interval(mean, max(0.0, mean - half), min(1.0, mean + half))
