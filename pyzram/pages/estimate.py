# SPDX-License-Identifier: MIT
"""What zram would make of given memory: how small, in how much memory, how fast.

The ratio is compr_data_size / orig_data_size, smaller is better: what the kernel's ``mm_stat``
would show. The memory it really takes is mem_used_total.
"""

from __future__ import annotations

import math
import random
import time
from array import array
from dataclasses import dataclass, field
from itertools import compress as chosen
from itertools import pairwise
from typing import TYPE_CHECKING, NamedTuple

from ..algorithm import Algorithm, as_algorithm, as_algorithms
from ..errors import InvalidValueError
from ..value import FrozenDict, Record
from .codec import LENGTH_BOUNDS, compressed_sizes, timed_sizes
from .codec import algorithms as all_algorithms
from .sampling import PRECISION, Interval, Sample, interval
from .segments import Owner
from .sources import HIDDEN, Source
from .zsmalloc import PoolModel, PoolStats

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

    from .segments import Segment
    from .sources import Stream

TIMED_PAGES = 600
# Of a device so large that zspages which are not full do not count.
LARGE_PAGES = 1 << 22


@dataclass(frozen=True, slots=True)
class AlgorithmEstimate(Record):
    """One algorithm's part of an :class:`Estimate`."""

    _takes_back = {  # noqa: RUF012
        "figures": PoolStats.from_dict,
        "ratio": Interval.from_dict,
        "memory": Interval.from_dict,
    }

    name: str
    """The kernel's name of the algorithm."""
    level: int | None
    """``None`` is the kernel's default."""
    figures: PoolStats
    """What a pool would hold of all pages of the source."""
    ratio: Interval
    """``compr_data_size / orig_data_size``, lower is better, with its 95 % bounds."""
    compress_us: float | None
    """Microseconds that one processor compresses a page, the median; ``None`` where no page was
    compressed."""
    compress_us_p99: float | None
    """Microseconds that 99 of 100 pages are compressed within; ``None`` as above."""
    decompress_us: float | None
    """Microseconds that one processor decompresses a page, the median; ``None`` as above."""
    decompress_us_p99: float | None
    """Microseconds that 99 of 100 pages are decompressed within; ``None`` as above."""
    memory_share: float | None
    """``mem_used_total / orig_data_size`` of a large device that is full of such pages; ``None``
    without pages. In a small one, zspages that are not full weigh more."""
    memory: Interval | None = None
    """``mem_used_total`` of all pages in bytes, with its 95 % bounds; ``None`` without pages."""

    @property
    def label(self) -> str:
        """Name, and level if one was asked for: ``zstd:9``."""
        return self.name if self.level is None else f"{self.name}:{self.level}"


@dataclass(frozen=True, slots=True)
class PartEstimate(Record):
    """Memory of one owner: a process's heap, an object of shared memory, a file."""

    _takes_back = {"owner": Owner.from_dict, "memory": FrozenDict}  # noqa: RUF012

    owner: Owner
    """Whose it is."""
    pages: int
    """Pages that it has."""
    sampled: int
    """Pages of them that were looked at."""
    memory: Mapping[str, int]
    """Bytes that zram takes for it, by algorithm; of what was not sampled as of the average."""


@dataclass(frozen=True, slots=True)
class Estimate(Record):
    """What was looked at, and what every algorithm makes of it.

    Two are equal if all figures are, whenever they were made.
    """

    _takes_back = {  # noqa: RUF012
        "store": PoolModel.from_dict,
        "algorithms": lambda found: {k: AlgorithmEstimate.from_dict(v) for k, v in found.items()},
        "parts": lambda found: tuple(map(PartEstimate.from_dict, found)),
    }

    source: str
    """What was looked at, for people."""
    store: PoolModel
    """The kernel that is to be."""
    pages: int
    """Pages that the source has."""
    sampled: int
    """Pages of them that were looked at."""
    swapped: int
    """Pages of them that are in swap now."""
    lost: int
    """Pages that were drawn but gone when they were to be read."""
    census: bool
    """Every page was read, nothing is extrapolated."""
    skipped: Mapping[str, int]
    """What could not be looked at, by reason: how many of it."""
    algorithms: Mapping[str, AlgorithmEstimate]
    """By name, and level if one was asked for: ``zstd:9``."""
    zero_pages: int = 0
    """Same-filled pages of zeros, which swap keeps itself since Linux 6.12."""
    left_out: Mapping[str, int] = field(default_factory=dict)
    """Pages that never go to swap, by reason."""
    exact: bool = False
    """A census, and nothing was hidden or shared with others in a way that cannot be told."""
    by_share: int = 0
    """Private pages that processes share, counted by share (PSS), not by frame."""
    by_page_table: int = 0
    """Objects of shared memory of which only what page tables show was counted."""
    processes: int = 0
    """How many processes were looked at."""
    pss: int = 0
    """Bytes: all memory of the processes, what is shared divided by those that share it."""
    file_backed: int = 0
    """Bytes of that which belong to files."""
    parts: tuple[PartEstimate, ...] = ()
    """By owner, largest first."""
    time: float = field(default=0.0, compare=False)
    """When looking began, in seconds since 1970 by the clock on the wall, for records."""
    monotonic: float = field(default=0.0, compare=False)
    """When looking began, in seconds of CLOCK_MONOTONIC, for intervals; lost with a reboot."""

    def __post_init__(self) -> None:
        for name in ("skipped", "algorithms", "left_out"):
            object.__setattr__(self, name, FrozenDict(getattr(self, name)))


def parse_algorithm(text: str | Algorithm) -> tuple[str, int | None]:
    """Take apart an algorithm: its name and level.

    Raises:
        InvalidValueError: no such algorithm, or parameters other than a level.
    """
    algorithm = as_algorithm(text)
    if algorithm.name not in all_algorithms():
        raise InvalidValueError(
            f"algorithm {algorithm.name!r}: not one of {' '.join(all_algorithms())}"
        )
    if algorithm.dictionary is not None or algorithm.winbits is not None:
        raise InvalidValueError(f"algorithm {text!s}: only a level can be estimated")
    return algorithm.name, algorithm.level


class _Pages(NamedTuple):
    """The pages of a batch: those that are timed with their places, ascending, and the others."""

    places: Sequence[int]
    timed: bytes
    others: memoryview | bytes


@dataclass(slots=True)
class _Tally:
    """One algorithm's sums on the way."""

    name: str
    level: int | None
    figures: PoolStats
    values: array[float] = field(default_factory=lambda: array("d"))
    """share of a page that each page of a sample takes in compr_data_size"""
    costs: array[float] = field(default_factory=lambda: array("d"))
    """and in the pool, if all its zspages are full"""
    parts: array[float] = field(default_factory=lambda: array("d"))
    """the sum of these shares, by owner"""
    compress_ns: list[int] = field(default_factory=list)
    decompress_ns: list[int] = field(default_factory=list)

    def measure(self, pages: _Pages, page_size: int, threads: int) -> array[int]:
        """What pages compress to, in their order."""
        lengths = compressed_sizes(
            pages.others, self.name, level=self.level, page_size=page_size, threads=threads
        )
        if not pages.places:
            return lengths
        timed, compress, decompress = timed_sizes(
            pages.timed, self.name, level=self.level, page_size=page_size
        )
        self.compress_ns += chosen(compress, timed)
        self.decompress_ns += chosen(decompress, timed)
        # From the first place on, each is where it was once those before it are back.
        for place, length in zip(pages.places, timed, strict=True):
            lengths.insert(place, length)
        return lengths


def estimate_pages(
    source: Source | Stream,
    algorithms: str | Algorithm | Iterable[str | Algorithm] | None = None,
    *,
    store: PoolModel | None = None,
    precision: float = PRECISION,
    full: bool = False,
    timing: bool = True,
    threads: int | None = None,
    seed: int | None = None,
    progress: Callable[[int, int | None], None] | None = None,
) -> Estimate:
    """Estimate what a fresh device would hold of ``source``.

    ``algorithms`` are names, ``NAME:LEVEL`` for a level, by default all. ``precision`` bounds the
    half width of the ratio's 95 % interval; ``full`` reads all pages instead of a sample. ``store``
    is the kernel to be, by default the running one. ``threads`` is for compressing, by default one
    for each processor if ``full``, else one; times are always a single core's. ``progress`` is told
    pages done and expected.

    Raises:
        InvalidValueError: no such algorithm or level, or a precision that cannot be met.
    """
    began, monotonic = time.time(), time.monotonic()
    store = store or PoolModel(page_size=source.page_size)
    if store.page_size != source.page_size:
        raise InvalidValueError(
            f"page size {store.page_size}: the pages of {source.label} have {source.page_size}"
        )
    empty = store.store([])
    tallies = {}
    for entry in as_algorithms(all_algorithms() if algorithms is None else algorithms):
        tallies[entry.label] = _Tally(*parse_algorithm(entry), empty)
    owners = _Owners(source._segments if isinstance(source, Source) else ())
    for tally in tallies.values():
        tally.parts = array("d", bytes(8 * len(owners.pages)))
    sample = Sample(source, precision=precision, full=full, seed=seed, threads=threads)
    # Not the sample's: what is drawn does not depend on what is timed.
    timer = random.Random(seed)
    blocks = array("Q")
    zeros = 0
    values, costs = _shares(store)

    def bounds(shares: array[float]) -> Interval:
        return interval(shares, blocks, source.pages, wave_size=sample.wave_size)

    def enough() -> bool:
        ratios = [bounds(tally.values) for tally in tallies.values()]
        return all(max(r.high - r.mean, r.mean - r.low) <= precision for r in ratios)

    sample.enough = enough
    for batch in sample:
        places = _timed_places(len(batch.blocks), sample, timer) if timing else ()
        pages = _split(batch.pages, places, store.page_size)
        lengths: Sequence[int] = ()
        for tally in tallies.values():
            lengths = tally.measure(pages, store.page_size, sample.threads)
            tally.figures = store.join(tally.figures, store.store(lengths))
            taken = array("d", map(costs.__getitem__, lengths))
            at = 0
            for owner, count in batch.owners:
                tally.parts[owners[owner]] += math.fsum(taken[at : at + count])
                at += count
            if not sample.census:
                tally.values.extend(map(values.__getitem__, lengths))
                tally.costs += taken
        for owner, count in batch.owners:
            owners.sampled[owners[owner]] += count
        zeros += _zeros(batch.pages, lengths, store.page_size)
        if not sample.census:
            blocks += batch.blocks
        if progress:
            progress(sample.taken, sample.expected)
    found = {label: _finish(tally, store, sample, bounds) for label, tally in tallies.items()}
    whole = sample.census and not sample.lost
    hidden = source.proportional or source.by_page_table or set(source.skipped) & set(HIDDEN)
    return Estimate(
        source=source.label,
        store=store,
        pages=source.pages,
        sampled=sample.taken,
        swapped=source.swapped,
        lost=sample.lost,
        census=whole,
        skipped=dict(source.skipped),
        algorithms=found,
        zero_pages=round(zeros * source.pages / sample.taken) if sample.taken else 0,
        left_out=dict(source.left_out),
        exact=whole and not hidden,
        by_share=source.proportional,
        by_page_table=source.by_page_table,
        processes=source.processes,
        pss=source.pss,
        file_backed=source.file_backed,
        parts=_parts(owners, tallies, found, source.page_size),
        time=began,
        monotonic=monotonic,
    )


def _shares(store: PoolModel) -> tuple[list[float], list[float]]:
    """By the length that a page compresses to: what of a page it takes as data, and in the pool."""
    size = store.page_size
    values = [min(length / size, 1.0) for length in range(2 * size + 1)]
    costs = [0.0] * (2 * size + 1)
    for size_class in store.classes:
        share = size_class.pages / size_class.objects
        for length in range(size_class.first, size_class.last + 1):
            costs[length] = share
    for length in range(store.huge_class_size, len(costs)):
        values[length] = costs[length] = 1.0
    return values, costs


def _zeros(pages: memoryview, lengths: Sequence[int], page_size: int) -> int:
    """How many of the same-filled pages (length 0) are zeros: their first word tells."""
    zeros = 0
    for at, length in enumerate(lengths):
        if not length and not any(pages[at * page_size : at * page_size + 8]):
            zeros += 1
    return zeros


class _Owners:
    """Whose the pages are: the place of each owner, its pages, and those that were looked at."""

    def __init__(self, segments: Iterable[Segment]) -> None:
        self._places: dict[Owner, int] = {}
        self.pages = array("Q")
        for segment in segments:
            at = self._places.setdefault(segment.owner, len(self.pages))
            if at == len(self.pages):
                self.pages.append(0)
            self.pages[at] += segment.pages
        self.sampled = array("Q", bytes(8 * len(self.pages)))

    def __getitem__(self, owner: Owner) -> int:
        return self._places[owner]

    def __iter__(self) -> Iterator[tuple[Owner, int]]:
        return iter(sorted(self._places.items(), key=lambda item: -self.pages[item[1]]))


def _parts(
    owners: _Owners,
    tallies: dict[str, _Tally],
    found: dict[str, AlgorithmEstimate],
    page_size: int,
) -> tuple[PartEstimate, ...]:
    parts = []
    # Of a thousand small processes most were not looked at, and as many pages are as many bytes.
    average: dict[int, FrozenDict[str, int]] = {}
    for owner, at in owners:
        pages, sampled = owners.pages[at], owners.sampled[at]
        memory = None if sampled else average.get(pages)
        if memory is None:
            memory = FrozenDict(
                (label, round(_share_of(tally, at, sampled, found[label]) * pages * page_size))
                for label, tally in tallies.items()
            )
        if not sampled:
            average[pages] = memory
        parts.append(PartEstimate(owner, pages, sampled, memory))
    return tuple(parts)


def _share_of(tally: _Tally, at: int, sampled: int, all_pages: AlgorithmEstimate) -> float:
    """What a page of an owner takes, as a share of a page."""
    return tally.parts[at] / sampled if sampled else all_pages.memory_share or 0.0


def _timed_places(count: int, sample: Sample, timer: random.Random) -> Sequence[int]:
    """Which of so many pages are timed: TIMED_PAGES or so of the first wave, or of all.

    One is drawn from each of as many equal parts: what repeats itself, as records of a file do, is
    not met at the same place each time.
    """
    if not sample.census and sample.taken > sample.wave_size:
        return ()
    expected = sample.source.pages if sample.census else sample.wave_size
    timed = min(count, -(-TIMED_PAGES * count // max(expected, 1)))
    return [timer.randrange(i * count // timed, (i + 1) * count // timed) for i in range(timed)]


def _split(pages: memoryview, places: Sequence[int], page_size: int) -> _Pages:
    """Take apart what is timed and what is not, so that each page is compressed once."""
    if not places:
        return _Pages((), b"", pages)
    timed = b"".join(pages[at * page_size : (at + 1) * page_size] for at in places)
    ends = pairwise((-1, *places, len(pages) // page_size))
    others = b"".join(pages[(at + 1) * page_size : end * page_size] for at, end in ends)
    return _Pages(places, timed, others)


def _finish(
    tally: _Tally, store: PoolModel, sample: Sample, bounds: Callable[[array[float]], Interval]
) -> AlgorithmEstimate:
    pages = sample.source.pages
    if sample.census:
        mean = tally.figures.compression_ratio or 0.0
        ratio = Interval(mean, mean, mean)
    else:
        ratio = bounds(tally.values)
    figures = store.scale(tally.figures, pages)
    memory = _memory(figures, None if sample.census else bounds(tally.costs))
    if sample.lost:
        lost = sample.lost / (sample.lost + sample.taken)
        ratio = _with_lost(ratio, lost)
        memory = _with_lost(memory, lost, figures.orig_data_size)
    if tally.name in LENGTH_BOUNDS:
        low, high = LENGTH_BOUNDS[tally.name]
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
        _memory_share(store.scale(tally.figures, LARGE_PAGES)),
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
    """Bounds that hold whatever was in the pages that were gone, which were a share of all."""
    high = bounds.high * (1 - share) + share * whole
    return Interval(bounds.mean, bounds.low * (1 - share), high)


def _memory_share(figures: PoolStats) -> float | None:
    return figures.mem_used_total / figures.orig_data_size if figures.orig_data_size else None


def _quantiles(times: list[int]) -> tuple[float, float] | tuple[None, None]:
    """Median and 99th percentile in microseconds."""
    if not times:
        return None, None
    ns = sorted(times)
    return ns[len(ns) // 2] / 1000, ns[min(len(ns) - 1, len(ns) * 99 // 100)] / 1000


def historic_block(estimate: Estimate, algorithm: str) -> dict[str, int | str]:
    """Return what ``zram_stats`` would read of a device that was just filled with the source."""
    figures = estimate.algorithms[algorithm].figures
    return {
        "disksize": figures.orig_data_size,
        "num_reads": 0,
        "num_writes": figures.pages,
        "invalid_io": 0,
        "notify_free": 0,
        "zero_pages": figures.same_pages,
        "orig_data_size": figures.orig_data_size,
        "compr_data_size": figures.compr_data_size,
        "mem_used_total": figures.mem_used_total,
        "comp_algorithm": algorithm,
        "huge_pages": figures.huge_pages,
    }


def size_histogram(estimate: AlgorithmEstimate, store: PoolModel, bins: int = 16) -> list[int]:
    """Pages by stored length: same-filled first, then ``bins`` equal steps up to the page size.

    A class that lies across a border counts where its longest object does. The last bin also
    holds the pages that are kept raw.
    """
    counts = [estimate.figures.same_pages] + [0] * bins
    for size_class, count in zip(store.classes, estimate.figures.objects, strict=True):
        counts[1 + (size_class.last - 1) * bins // store.page_size] += count
    return counts
