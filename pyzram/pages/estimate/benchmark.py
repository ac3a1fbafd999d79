# SPDX-License-Identifier: MIT
"""How well and how fast the algorithms compress given memory at their levels."""

from __future__ import annotations

import os
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ... import _native_codec
from ...algorithm import Algorithm
from ...value import FrozenDict, JsonValue, documented
from ..codec.batches import check_threads
from ..codec.codec import algorithms as all_algorithms
from ..codec.codec import compressed_sizes, timed_sizes, wanted_algorithms
from ..pool.zsmalloc import PoolModel, PoolStats
from .estimator import parse_algorithm
from .sampling import Sample

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from ..source.sources import Source, Stream

# Percentage points that the ratio may be off; meanwhile the pages are held in memory.
PRECISION = 0.03
# Threads share megabytes, so fast algorithms repeat the pages until there are enough.
_THREAD_BYTES = 1 << 20
QUICK_BYTES_PER_SECOND = 50e6
PAGES_OF_A_FULL_POOL = 10_000_000
# Levels worth measuring, because they differ from their neighbours; includes the kernel's default.
LEVELS = {
    "lz4": (1, 2, 4, 8, 16),
    "lz4hc": (1, 3, 6, 9, 16),
    "zstd": (-7, -3, 1, 2, 3, 5, 7, 9, 12, 15, 19),
    "deflate": (1, 3, 6, 9),
}


@documented
@dataclass(frozen=True, slots=True)
class BenchResult(JsonValue):
    """One algorithm at one level."""

    _takes_back = FrozenDict(figures=PoolStats.from_dict)

    name: str
    """The kernel's name of the algorithm."""
    level: int | None
    """``None`` is the kernel's default."""
    figures: PoolStats
    """What a pool with the examined pages would hold."""
    compress_bytes_per_second: float
    """Bytes of pages compressed per second by one processor, without same-filled pages; 0 if
    there are only such pages."""
    decompress_bytes_per_second: float
    """Bytes of pages decompressed per second by one processor; 0 as above."""
    compress_threads_bytes_per_second: float
    """Bytes of pages compressed per second by all threads together; 0 as above."""
    threads: int
    """How many threads those were."""
    speedup: float | None
    """How many times as fast as one thread all threads are, by elapsed time; ``None`` if nothing
    was measured."""
    memory_ratio: float | None
    """``mem_used_total / orig_data_size`` of a device with a large amount of such memory; ``None``
    without pages."""

    @property
    def label(self) -> str:
        """Its name, and its level if it has one, as in an estimate: ``zstd:9``."""
        return self.name if self.level is None else f"{self.name}:{self.level}"


def candidates(
    algorithms: str | Algorithm | Iterable[str | Algorithm] | None = None,
) -> list[tuple[str, int | None]]:
    """Algorithms with levels: each level in :data:`LEVELS` unless one is given as ``NAME:LEVEL``.

    Raises:
        InvalidValueError: no such algorithm.
    """
    found: list[tuple[str, int | None]] = []
    wanted = wanted_algorithms(all_algorithms() if algorithms is None else algorithms)
    for entry in wanted:
        name, level = parse_algorithm(entry)
        if level is None and name in LEVELS:
            found += [(name, level) for level in LEVELS[name]]
        else:
            found.append((name, level))
    return list(dict.fromkeys(found))


def read_sample(
    source: Source | Stream, *, precision: float = PRECISION, full: bool = False, seed: int | None
) -> bytearray:
    """Copy the pages of a sample into memory."""
    pages = bytearray()
    for batch in Sample(source, precision=precision, full=full, seed=seed):
        pages += batch.pages
    return pages


def bench_pages(
    pages: bytearray,
    algorithms: str | Algorithm | Iterable[str | Algorithm] | None = None,
    *,
    pool: PoolModel | None = None,
    threads: int | None = None,
    progress: Callable[[int, int | None], None] | None = None,
) -> list[BenchResult]:
    """Measure algorithms on pages in memory.

    ``threads`` defaults to the number of usable processors. ``progress`` is told how many of the
    candidates are done.

    Raises:
        InvalidValueError: no such algorithm or level.
    """
    pool = pool or PoolModel()
    threads = len(os.sched_getaffinity(0)) if threads is None else check_threads(threads)
    size = pool.page_size
    work = bytearray()
    for at in range(0, len(pages), size):
        page = memoryview(pages)[at : at + size]
        if not _native_codec.same_filled(page, pool.word_size):
            work += page
    rows = []
    wanted = candidates(algorithms)
    for i, (name, level) in enumerate(wanted):
        lengths, compress_ns, decompress_ns = timed_sizes(pages, name, level=level, page_size=size)
        figures = pool.store(lengths)
        much = pool.scale(figures, PAGES_OF_A_FULL_POOL)
        compress = _speed(work, sum(compress_ns) / 1e9)
        speedup = None
        if work:
            alone, together = _walls(work, name, level, size, threads, compress)
            speedup = alone / together
        rows.append(
            BenchResult(
                name,
                level,
                figures,
                compress,
                _speed(work, sum(decompress_ns) / 1e9),
                compress * (speedup or 0.0),
                threads,
                speedup,
                much.memory_ratio,
            )
        )
        if progress:
            progress(i + 1, len(wanted))
    return rows


def _walls(
    work: bytearray, name: str, level: int | None, size: int, threads: int, speed: float
) -> tuple[float, float]:
    """Wall time in seconds of one thread and of all, measured in turns; the best of a few."""
    quick = speed > QUICK_BYTES_PER_SECOND
    if quick:
        work = work * max(1, 16 * threads * _THREAD_BYTES // max(1, len(work)))
    walls = []
    for _ in range(3 if quick else 1):
        for count in (1, threads):
            start = time.perf_counter()
            compressed_sizes(work, name, level=level, page_size=size, threads=count)
            walls.append(max(time.perf_counter() - start, 1e-9))
    return min(walls[::2]), min(walls[1::2])


def _speed(work: bytearray, seconds: float) -> float:
    return len(work) / seconds if seconds else 0.0


def best_of(rows: list[BenchResult]) -> list[BenchResult]:
    """Results that no other beats in both ratio and compression speed, fastest first."""
    best: list[BenchResult] = []
    fastest = sorted(
        rows, key=lambda row: (-row.compress_bytes_per_second, row.figures.compr_data_size)
    )
    for row in fastest:
        if not best or row.figures.compr_data_size < best[-1].figures.compr_data_size:
            best.append(row)
    return best
