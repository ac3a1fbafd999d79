# SPDX-License-Identifier: MIT
"""What zram would make of given memory: how small it gets, how much memory it takes, how fast.

The ratio is compr_data_size / orig_data_size as the kernel's ``mm_stat`` would show it, and smaller
is better. The memory that zram really takes is mem_used_total.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from ...value import FrozenDict, JsonValue, documented
from ..pool.zsmalloc import PoolModel, PoolStats
from ..process.owner import Owner
from .sampling import Interval

if TYPE_CHECKING:
    from collections.abc import Mapping


@documented
@dataclass(frozen=True, slots=True)
class AlgorithmEstimate(JsonValue):
    """One algorithm's part of an :class:`Estimate`."""

    _takes_back = FrozenDict(
        figures=PoolStats.from_dict,
        compression_ratio=Interval.from_dict,
        mem_used_total=Interval.from_dict,
    )

    name: str
    """The kernel's name of the algorithm."""
    level: int | None
    """``None`` is the kernel's default."""
    figures: PoolStats
    """What a pool with all pages of the source would hold."""
    compression_ratio: Interval
    """``compr_data_size / orig_data_size``, lower is better, with its 95 % bounds."""
    compress_us: float | None
    """Microseconds in which one processor compresses a page, the median; ``None`` if no page was
    compressed."""
    compress_us_p99: float | None
    """Microseconds within which 99 of 100 pages are compressed; ``None`` as above."""
    decompress_us: float | None
    """Microseconds in which one processor decompresses a page, the median; ``None`` as above."""
    decompress_us_p99: float | None
    """Microseconds within which 99 of 100 pages are decompressed; ``None`` as above."""
    memory_ratio: float | None
    """``mem_used_total / orig_data_size`` of a large device that is full of such pages; ``None``
    without pages. On a small device, partly filled zspages weigh more."""
    mem_used_total: Interval | None = None
    """``mem_used_total`` of all pages in bytes, with its 95 % bounds; ``None`` without pages."""

    @property
    def label(self) -> str:
        """Its name, and the level if one was asked for: ``zstd:9``."""
        return self.name if self.level is None else f"{self.name}:{self.level}"


@documented
@dataclass(frozen=True, slots=True)
class PartEstimate(JsonValue):
    """Memory of one owner: a process's heap, an object of shared memory, a file."""

    _takes_back = FrozenDict(owner=Owner.from_dict, mem_used_total=FrozenDict)

    owner: Owner
    """Whose it is."""
    pages: int
    """How many pages it has."""
    sampled: int
    """How many of them were examined."""
    mem_used_total: Mapping[str, int]
    """Bytes that zram needs for it, by algorithm; parts that were not sampled count as average."""


@documented
@dataclass(frozen=True, slots=True)
class Estimate(JsonValue):
    """What was examined, and what every algorithm makes of it.

    Two are equal if all their figures are, no matter when they were made.
    """

    _takes_back = FrozenDict(
        pool=PoolModel.from_dict,
        algorithms=lambda found: {k: AlgorithmEstimate.from_dict(v) for k, v in found.items()},
        parts=lambda found: tuple(PartEstimate.from_dict(part) for part in found),
    )

    source: str
    """What was examined, in words."""
    pool: PoolModel
    """The model of the kernel that the estimate is for."""
    pages: int
    """How many pages the source has."""
    sampled: int
    """How many of them were examined."""
    swapped: int
    """Pages of the source that are already in swap."""
    lost: int
    """Pages that were drawn but disappeared before they could be read."""
    census: bool
    """Whether every page was read, so that nothing is extrapolated."""
    skipped: Mapping[str, int]
    """How much could not be inspected, by reason."""
    algorithms: Mapping[str, AlgorithmEstimate]
    """By :attr:`Algorithm.label`: the name, and the level if one was asked for, as ``zstd:9``."""
    zero_pages: int = 0
    """Same-filled pages of zeros, which swap keeps itself since Linux 6.12."""
    left_out: Mapping[str, int] = field(default_factory=dict)
    """Pages that never go to swap, by reason."""
    exact: bool = False
    """Whether every page was read, and none was hidden or shared with others in an unknown way."""
    by_share: int = 0
    """Private pages that processes share and that are counted by share (PSS), not by frame."""
    by_page_table: int = 0
    """Objects of shared memory that were seen only through page tables."""
    processes: int = 0
    """How many processes were examined."""
    pss: int = 0
    """Bytes of all memory of the processes; shared memory is divided by the number of sharers."""
    file_backed: int = 0
    """How many of those bytes belong to files."""
    parts: tuple[PartEstimate, ...] = ()
    """By owner, largest first."""
    time: float = field(default=0.0, compare=False)
    """When the estimate started, in seconds since 1970 by the wall clock, for records."""
    monotonic: float = field(default=0.0, compare=False)
    """When it started, in seconds of CLOCK_MONOTONIC, for intervals; meaningless after a reboot."""

    def __post_init__(self) -> None:
        for name in ("skipped", "algorithms", "left_out"):
            object.__setattr__(self, name, FrozenDict(getattr(self, name)))


def size_histogram(estimate: AlgorithmEstimate, pool: PoolModel, bins: int = 16) -> list[int]:
    """Pages by stored length: same-filled first, then ``bins`` equal steps up to the page size.

    A size class that crosses a border between bins counts where its longest object lies. The last
    bin also holds the pages that are kept raw.
    """
    counts = [estimate.figures.same_pages] + [0] * bins
    for size_class, count in zip(pool.classes, estimate.figures.objects, strict=True):
        counts[1 + (size_class.last - 1) * bins // pool.page_size] += count
    return counts
