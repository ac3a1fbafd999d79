# SPDX-License-Identifier: MIT
"""What an estimate means for a machine: how much fits, which algorithm, and which device size."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from ...algorithm import as_algorithms
from ...value import JsonValue, check_count, documented, wrong_type

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from ...algorithm import Algorithm
    from .estimate import AlgorithmEstimate, Estimate

# About as long as reading a page from flash takes: a page fault that costs more gains nothing.
SLOW_US = 100.0
# A slower algorithm must save at least this share of the faster one's memory.
WORTH = 0.10
# From this ratio of mem_used_total to that of a large device, partly filled zspages weigh more.
SMALL = 1.1


@documented
@dataclass(frozen=True, slots=True)
class Recommendation(JsonValue):
    """Which algorithm, why, and how large a device should be."""

    algorithm: str
    """Its name, and the level if one was asked for: ``zstd:9``."""
    reason: str
    """The reason, in words."""
    disksize: int
    """The size of the device in bytes."""


def holds(estimate: AlgorithmEstimate, ram: int) -> int | None:
    """How many bytes of such memory fit into ``ram`` bytes; ``None`` if all are same-filled."""
    return int(ram / estimate.memory_ratio) if estimate.memory_ratio else None


def recommend(
    estimate: Estimate,
    ram: int,
    offered: str | Algorithm | Iterable[str | Algorithm] | None = None,
) -> Recommendation | None:
    """Choose an algorithm for a machine with ``ram`` bytes; ``None`` without pages or algorithms.

    ``offered`` are those of its kernel; one with a level is offered at that level only. The choice
    starts with the fastest and moves to a slower one if that saves a tenth of the memory and
    decompresses faster than flash can be read.

    Raises:
        InvalidValueError: ``ram`` is not a positive number, or something offered is not an
            algorithm.
    """
    if not hasattr(estimate, "algorithms"):
        raise wrong_type("estimate", estimate, "not an Estimate")
    ram = check_count("ram", ram, 1)
    known = None if offered is None else as_algorithms(offered, "offered")
    timed = sorted(
        (
            a
            for a in estimate.algorithms.values()
            if a.compress_us is not None and a.decompress_us is not None
        ),
        key=lambda a: (a.compress_us or 0.0) + (a.decompress_us or 0.0),
    )
    here = [a for a in timed if known is None or any(is_offered(a, one) for one in known)]
    if not here:
        return None
    best = _choose(here[0], here[1:])
    return Recommendation(best.label, _reason(best, here, timed), _disksize(best, ram))


def _choose(first: AlgorithmEstimate, others: Iterable[AlgorithmEstimate]) -> AlgorithmEstimate:
    """The last of the others that is worth it, or else the first."""
    for other in others:
        if _saves(other, first) >= WORTH and (other.decompress_us or 0) <= SLOW_US:
            first = other
    return first


def is_offered(estimate: AlgorithmEstimate, offered: Algorithm) -> bool:
    """Whether it is the one that is offered; without a level, it is offered at all levels."""
    return estimate.name == offered.name and offered.level in (None, estimate.level)


def _saves(slower: AlgorithmEstimate, faster: AlgorithmEstimate) -> float:
    """The share of the faster algorithm's memory that the slower one saves."""
    return 1 - (slower.memory_ratio or 0.0) / faster.memory_ratio if faster.memory_ratio else 0.0


def _reason(
    best: AlgorithmEstimate,
    here: Sequence[AlgorithmEstimate],
    timed: Sequence[AlgorithmEstimate],
) -> str:
    """Why this is the best that the kernel has, and what another kernel could do better."""
    share = best.memory_ratio or 0.0
    fastest = here[0]
    text = f"takes {share:.0%} of the memory"
    if best.figures.mem_used_total > SMALL * share * best.figures.orig_data_size:
        text += " in a large device (in one as small as this, zspages that are not full weigh more)"
    if best is not fastest:
        text += (
            f", {_saves(best, fastest):.0%} less than {fastest.label}, for "
            f"{(best.decompress_us or 0) - (fastest.decompress_us or 0):.1f} microseconds more "
            "per page read back"
        )
    elif any(_saves(other, best) >= WORTH for other in here):
        text += ", and what saves a tenth of that takes longer than flash to read a page back"
    elif len(here) < len(timed):
        text += ", and no slower algorithm that this kernel offers saves a tenth of that"
    else:
        text += ", and no slower algorithm saves a tenth of that"
    if share > 0.8:
        text += "; this memory hardly compresses, so zram will gain little"
    other = _choose(best, (a for a in timed if a not in here))
    if other is not best:
        text += (
            f"; {other.label} would take {_saves(other, best):.0%} less, on a kernel that has it"
        )
    return text


def _disksize(best: AlgorithmEstimate, ram: int) -> int:
    """As much as half of the memory can hold, but no more than twice the memory."""
    size = min(holds(best, ram // 2) or 2 * ram, 2 * ram)
    step = 1 << 30 if size >= 8 << 30 else 64 << 20
    return max(step, size // step * step)
