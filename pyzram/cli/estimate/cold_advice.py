# SPDX-License-Identifier: MIT
"""Whether recompression and writeback of cold memory would be worth it, and possible here."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ...device.handle import NEEDS_CONFIG
from ...units import GIB, format_count, format_size
from .offered import offered

if TYPE_CHECKING:
    from ...device.features import Features
    from ...pages.estimate.estimate import AlgorithmEstimate
    from .cold_looks import ColdLook

# Writeback is worth considering only if it frees at least this share of the machine's memory, and
# if few pages come back (per minute, for each GiB of them).
WORTH_SHARE = 0.05
SELDOM = 600.0
RECOMPRESSION_SAVES = 0.10


def smaller(look: ColdLook, algorithm: AlgorithmEstimate) -> AlgorithmEstimate | None:
    """The algorithm that takes the least memory, if recompressing with it would be worth it."""
    found = min(look.estimate.algorithms.values(), key=lambda a: a.figures.mem_used_total)
    held = algorithm.figures.mem_used_total
    saved = held - found.figures.mem_used_total
    return found if held and saved / held >= RECOMPRESSION_SAVES else None


def recompression(
    look: ColdLook, algorithm: AlgorithmEstimate, kernel: Features | None
) -> AlgorithmEstimate | None:
    """The algorithm that this kernel has and that would make recompression worth it."""
    if kernel is None or not kernel.recompression:
        return None
    algorithms = look.estimate.algorithms
    here = {label: algorithms[label] for label in offered(algorithms, kernel) or ()}
    if not here:
        return None
    return smaller(look._replace(estimate=look.estimate.replace(algorithms=here)), algorithm)


def advice(
    look: ColdLook, algorithm: AlgorithmEstimate, ram: int, kernel: Features | None
) -> list[str]:
    """Say whether recompression or writeback would be worth it here, and possible."""
    return [_of_recompression(look, algorithm, kernel), _of_writeback(look, algorithm, ram, kernel)]


def _of_recompression(look: ColdLook, algorithm: AlgorithmEstimate, kernel: Features | None) -> str:
    best, here = smaller(look, algorithm), recompression(look, algorithm, kernel)
    if best is None:
        return "Recompression would free little: no algorithm compresses this memory much better."
    held = algorithm.figures.mem_used_total

    def frees(other: AlgorithmEstimate) -> str:
        saved = format_size(held - other.figures.mem_used_total)
        return f"Recompression with {other.label} would free another {saved} of the cold memory"

    if kernel is None or kernel.recompression is None:
        return f"{frees(best)}; only a zram device tells whether this kernel can."
    if not kernel.recompression:
        return (
            f"{frees(best)}, but this kernel has no recompression ({NEEDS_CONFIG['recompress']})."
        )
    if here is None:
        return f"{frees(best)}, but this kernel has no {best.name}."
    if here is not best:
        return f"{frees(here)}; {best.label}, which this kernel lacks, would free more."
    return f"{frees(here)}."


def _of_writeback(
    look: ColdLook, algorithm: AlgorithmEstimate, ram: int, kernel: Features | None
) -> str:
    held = algorithm.figures.mem_used_total
    gib = max(1e-9, look.age.cold_bytes / GIB)
    frees = f"Writeback would free another {format_size(held)}"
    if held < WORTH_SHARE * ram:
        return (
            f"{frees}, less than {WORTH_SHARE:.0%} of this machine's memory: not worth the wear of "
            "a medium."
        )
    if kernel is not None and kernel.writeback is False:
        return f"{frees}, but this kernel has no writeback ({NEEDS_CONFIG['writeback']})."
    if look.age.returns / gib > SELDOM:
        returns = format_count(round(look.age.returns), "page")
        return (
            f"{frees}, but too much comes back ({returns} per minute). Watch for longer "
            "(--idle 1h) before you decide."
        )
    text = f"{frees}, and little comes back"
    if kernel is None or kernel.writeback is None:
        return f"{text}; only a zram device tells whether this kernel can."
    return f"{text}: see ZRAM_BACKING_DEV_0 in zram.conf(5)."
