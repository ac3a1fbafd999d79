# SPDX-License-Identifier: MIT
"""From pages to an estimate: sample them, compress the sample, and count."""

from __future__ import annotations

import math
import random
import time
from array import array
from typing import TYPE_CHECKING

from ...algorithm import Algorithm, as_algorithm
from ...errors import InvalidValueError
from ...value import check_callable, check_flag, check_whole, wrong_type
from ..codec.codec import algorithms as all_algorithms
from ..codec.codec import wanted_algorithms
from ..pool.zsmalloc import PoolModel
from ..source.sources import HIDDEN, Source, Stream
from .estimate import Estimate
from .parts import Owners, parts_of
from .sampling import PRECISION, Interval, Sample, check_precision, interval
from .tally import Tally, finish, shares, split, timed_places

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from .sampling import Batch


def parse_algorithm(text: str | Algorithm) -> tuple[str, int | None]:
    """Split an algorithm into its name and level.

    Raises:
        InvalidValueError: an unknown algorithm, or parameters other than a level.
    """
    algorithm = as_algorithm(text)
    if algorithm.name not in all_algorithms():
        raise InvalidValueError(
            f"algorithm {algorithm.name!r}: not one of {' '.join(all_algorithms())}"
        )
    if algorithm.dictionary is not None or algorithm.winbits is not None:
        raise InvalidValueError(f"algorithm {text!s}: only a level can be estimated")
    return algorithm.name, algorithm.level


def estimate_pages(
    source: Source | Stream,
    algorithms: str | Algorithm | Iterable[str | Algorithm] | None = None,
    *,
    pool: PoolModel | None = None,
    precision: float = PRECISION,
    full: bool = False,
    timing: bool = True,
    threads: int | None = None,
    seed: int | None = None,
    progress: Callable[[int, int | None], None] | None = None,
) -> Estimate:
    """Estimate what a fresh device with all of ``source`` would hold.

    ``algorithms`` are names, ``NAME:LEVEL`` for a level, by default all. ``precision`` bounds the
    half width of the ratio's 95 % interval; ``full`` reads all pages instead of a sample. ``pool``
    models the target kernel, by default the running one. ``threads`` compress, by default one for
    each processor if ``full``, otherwise one; times are always a single core's. ``progress`` is
    called with the pages done and expected.

    Raises:
        InvalidValueError: no such algorithm or level, or a precision that cannot be met.
    """
    check_flag("timing", timing)
    precision, seed = check_precision(precision), check_whole("seed", seed)
    if progress is not None:
        check_callable("progress", progress)
    pool = _pool_for(source, pool)
    wanted = wanted_algorithms(all_algorithms() if algorithms is None else algorithms)
    began = time.time(), time.monotonic()
    empty = pool.store([])
    tallies = {entry.label: Tally(*parse_algorithm(entry), empty) for entry in wanted}
    sample = Sample(source, precision=precision, full=full, seed=seed, threads=threads)
    # Not the sample's generator, so that timing does not influence what is drawn.
    timer = random.Random(seed) if timing else None
    owners = Owners(source._segments if isinstance(source, Source) else ())
    counting = _SampleSums(pool, sample, tallies, owners, timer)
    sample.enough = lambda: counting.within(precision)
    counting.count(progress)
    return _summed_up(source, counting, began)


def _pool_for(source: Source | Stream, pool: PoolModel | None) -> PoolModel:
    """Return the model of the kernel, after checking that it has pages of the source's size."""
    if not isinstance(source, (Source, Stream)):
        raise wrong_type("source", source, "not a source: open_files() and others make one")
    if pool is None:
        return PoolModel(page_size=source.page_size)
    if not isinstance(pool, PoolModel):
        raise wrong_type("pool", pool, "not a PoolModel")
    if pool.page_size != source.page_size:
        raise InvalidValueError(
            f"page size {pool.page_size}: the pages of {source.label} have {source.page_size}"
        )
    return pool


def _summed_up(
    source: Source | Stream, counting: _SampleSums, began: tuple[float, float]
) -> Estimate:
    pool, sample, tallies = counting.pool, counting.sample, counting.tallies
    found = {
        label: finish(tally, pool, sample, counting.bounds) for label, tally in tallies.items()
    }
    whole = sample.census and not sample.lost
    # The pages of a stream belong to no process, so all of these are 0.
    seen = source if isinstance(source, Source) else Source(source.label, source.page_size)
    hidden = seen.by_share or seen.by_page_table or set(source.skipped) & set(HIDDEN)
    return Estimate(
        source=source.label,
        pool=pool,
        pages=sample.pages,
        sampled=sample.taken,
        swapped=seen.swapped,
        lost=sample.lost,
        census=whole,
        skipped=dict(source.skipped),
        algorithms=found,
        zero_pages=round(counting.zeros * sample.pages / sample.taken) if sample.taken else 0,
        left_out=dict(seen.left_out),
        exact=whole and not hidden,
        by_share=seen.by_share,
        by_page_table=seen.by_page_table,
        processes=seen.processes,
        pss=seen.pss,
        file_backed=seen.file_backed,
        parts=parts_of(counting.owners, tallies, found, source.page_size),
        time=began[0],
        monotonic=began[1],
    )


class _SampleSums:
    """Sums of what the batches of a sample become, by algorithm and owner."""

    def __init__(
        self,
        pool: PoolModel,
        sample: Sample,
        tallies: dict[str, Tally],
        owners: Owners,
        timer: random.Random | None,
    ) -> None:
        self.pool = pool
        self.sample = sample
        self.tallies = tallies
        self.owners = owners
        self.timer = timer
        """Chooses the pages that are timed; ``None`` for none."""
        for tally in tallies.values():
            tally.parts = array("d", bytes(8 * len(owners.pages)))
        self.zeros = 0
        """Sampled pages of zeros."""
        self._blocks = array("Q")
        self._values, self._costs = shares(pool)

    def bounds(self, of_blocks: array[float]) -> Interval:
        """The 95 % interval of the mean, from the values of blocks of pages."""
        return interval(of_blocks, self._blocks, self.sample.pages, wave_size=self.sample.wave_size)

    def within(self, precision: float) -> bool:
        """Whether all ratios are at least that precise."""
        ratios = [self.bounds(tally.values) for tally in self.tallies.values()]
        return all(max(r.high - r.mean, r.mean - r.low) <= precision for r in ratios)

    def count(self, progress: Callable[[int, int | None], None] | None) -> None:
        """Count every batch and free its memory, which the next steps need."""
        for batch in self.sample:
            self._add(batch)
            if progress:
                progress(self.sample.taken, self.sample.expected)

    def _add(self, batch: Batch) -> None:
        sample, pool = self.sample, self.pool
        places = timed_places(len(batch.blocks), sample, self.timer) if self.timer else ()
        pages = split(batch.pages, places, pool.page_size)
        whose = [(self.owners[owner], count) for owner, count in batch.owners]
        lengths: Sequence[int] = ()
        for tally in self.tallies.values():
            lengths = tally.measure(pages, pool.page_size, sample.threads)
            tally.keep(lengths, pool)
            taken = array("d", map(self._costs.__getitem__, lengths))
            at = 0
            for place, count in whose:
                tally.parts[place] += taken[at] if count == 1 else math.fsum(taken[at : at + count])
                at += count
            if not sample.census:
                tally.values.extend(map(self._values.__getitem__, lengths))
                tally.costs += taken
        for place, count in whose:
            self.owners.sampled[place] += count
        self.zeros += _zeros(batch.pages, lengths, pool.page_size)
        if not sample.census:
            self._blocks += batch.blocks


def _zeros(pages: memoryview, lengths: Sequence[int], page_size: int) -> int:
    """How many of the same-filled pages (length 0) are zeros, judged by their first word."""
    zeros = 0
    for at, length in enumerate(lengths):
        if not length and not any(pages[at * page_size : at * page_size + 8]):
            zeros += 1
    return zeros
