# SPDX-License-Identifier: MIT
"""One algorithm's sums on the way to an estimate, and the figures that they give."""

from __future__ import annotations

import random
from array import array
from dataclasses import dataclass, field
from itertools import compress as chosen
from itertools import pairwise
from typing import TYPE_CHECKING, NamedTuple

from ..codec.codec import compressed_sizes, length_bounds, timed_sizes
from .estimate import AlgorithmEstimate
from .sampling import Interval

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from ..pool.zsmalloc import PoolModel, PoolStats
    from .sampling import Sample

TIMED_PAGES = 600
# For a device so large that partly filled zspages do not matter.
LARGE_PAGES = 1 << 22
# Many lengths are put into the pool model at a time, because it has hundreds of classes.
KEPT_MAX = 1 << 14


class Pages(NamedTuple):
    """The pages of a batch: those to be timed with their places, ascending, and the others."""

    places: Sequence[int]
    timed: bytes
    others: memoryview | bytes


@dataclass(slots=True)
class Tally:
    """One algorithm's sums on the way to an estimate."""

    name: str
    level: int | None
    figures: PoolStats
    lengths: array[int] = field(default_factory=lambda: array("I"))
    """lengths that are not in the figures yet"""
    values: array[float] = field(default_factory=lambda: array("d"))
    """the share of a page that each page of a sample takes in compr_data_size"""
    costs: array[float] = field(default_factory=lambda: array("d"))
    """the share that it takes in the pool, if all zspages are full"""
    parts: array[float] = field(default_factory=lambda: array("d"))
    """the sum of these shares, by owner"""
    compress_ns: array[int] = field(default_factory=lambda: array("Q"))
    decompress_ns: array[int] = field(default_factory=lambda: array("Q"))

    def keep(self, lengths: array[int], pool: PoolModel) -> None:
        """Count what pages compress to."""
        self.lengths += lengths
        if len(self.lengths) > KEPT_MAX:
            self.count(pool)

    def count(self, pool: PoolModel) -> None:
        """Bring the figures up to date."""
        if self.lengths:
            self.figures = pool.join(self.figures, pool.store(self.lengths))
            self.lengths = array("I")

    def measure(self, pages: Pages, page_size: int, threads: int) -> array[int]:
        """What pages compress to, in their order."""
        lengths = compressed_sizes(
            pages.others, self.name, level=self.level, page_size=page_size, threads=threads
        )
        if not pages.places:
            return lengths
        timed, compress, decompress = timed_sizes(
            pages.timed, self.name, level=self.level, page_size=page_size
        )
        self.compress_ns.extend(chosen(compress, timed))
        self.decompress_ns.extend(chosen(decompress, timed))
        # Inserted in ascending order, each is back in its place once those before it are.
        for place, length in zip(pages.places, timed, strict=True):
            lengths.insert(place, length)
        return lengths


def timed_places(count: int, sample: Sample, timer: random.Random) -> Sequence[int]:
    """Which of ``count`` pages are timed: about TIMED_PAGES of the first wave, or of all.

    One is drawn from each of as many equal parts, so that what repeats itself, like the records of
    a file, is not met at the same place each time.
    """
    if not sample.census and sample.taken > sample.wave_size:
        return ()
    expected = sample.pages if sample.census else sample.wave_size
    timed = min(count, -(-TIMED_PAGES * count // max(expected, 1)))
    return [timer.randrange(i * count // timed, (i + 1) * count // timed) for i in range(timed)]


def split(pages: memoryview, places: Sequence[int], page_size: int) -> Pages:
    """Separate the pages to be timed from the others, so that each page is compressed once."""
    if not places:
        return Pages((), b"", pages)
    timed = b"".join(pages[at * page_size : (at + 1) * page_size] for at in places)
    ends = pairwise((-1, *places, len(pages) // page_size))
    others = b"".join(pages[(at + 1) * page_size : end * page_size] for at, end in ends)
    return Pages(places, timed, others)


def shares(pool: PoolModel) -> tuple[list[float], list[float]]:
    """For each compressed length, the share of a page that it takes as data, and in the pool."""
    size = pool.page_size
    values = [min(length / size, 1.0) for length in range(2 * size + 1)]
    costs = [0.0] * (2 * size + 1)
    for size_class in pool.classes:
        share = size_class.pages / size_class.objects
        for length in range(size_class.first, size_class.last + 1):
            costs[length] = share
    for length in range(pool.huge_class_size, len(costs)):
        values[length] = costs[length] = 1.0
    return values, costs


def finish(
    tally: Tally, pool: PoolModel, sample: Sample, bounds: Callable[[array[float]], Interval]
) -> AlgorithmEstimate:
    """What the sums of a sample say about all pages."""
    pages = sample.pages
    tally.count(pool)
    if sample.census:
        mean = tally.figures.compression_ratio or 0.0
        ratio = Interval(mean, mean, mean)
    else:
        ratio = bounds(tally.values)
    figures = pool.scale(tally.figures, pages)
    memory = _memory(figures, None if sample.census else bounds(tally.costs))
    if sample.lost:
        lost = sample.lost / (sample.lost + sample.taken)
        ratio = _with_lost(ratio, lost)
        memory = _with_lost(memory, lost, figures.orig_data_size)
    if factors := length_bounds(tally.name, tally.level):
        low, high = factors
        ratio = Interval(ratio.mean, ratio.low * low, ratio.high * high)
        most = max(memory.high, float(figures.orig_data_size))
        memory = Interval(memory.mean, memory.low * low, min(memory.high * high, most))
    compress, compress_p99 = _quantiles(tally.compress_ns)
    decompress, decompress_p99 = _quantiles(tally.decompress_ns)
    return AlgorithmEstimate(
        tally.name,
        tally.level,
        figures,
        ratio,
        compress,
        compress_p99,
        decompress,
        decompress_p99,
        pool.scale(tally.figures, LARGE_PAGES).memory_ratio,
        memory if tally.figures.pages else None,
    )


def _memory(figures: PoolStats, share: Interval | None) -> Interval:
    """mem_used_total with its bounds; ``share`` is that of the pages, if all zspages were full."""
    used = figures.mem_used_total
    if share is None or not figures.pages:
        return Interval(used, used, used)
    size = figures.orig_data_size
    return Interval(
        used,
        max(0.0, used - (share.mean - share.low) * size),
        min(used + (share.high - share.mean) * size, max(used, size)),
    )


def _with_lost(bounds: Interval, share: float, whole: float = 1.0) -> Interval:
    """Bounds that hold whatever the vanished pages contained; ``share`` is their share of all."""
    high = bounds.high * (1 - share) + share * whole
    return Interval(bounds.mean, bounds.low * (1 - share), high)


def _quantiles(times: array[int]) -> tuple[float, float] | tuple[None, None]:
    """Median and 99th percentile in microseconds."""
    if not times:
        return None, None
    ns = sorted(times)
    return ns[len(ns) // 2] / 1000, ns[min(len(ns) - 1, len(ns) * 99 // 100)] / 1000
