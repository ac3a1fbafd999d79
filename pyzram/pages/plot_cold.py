# SPDX-License-Identifier: MIT
"""The picture of cold memory: by age, what zram would make of it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..units import format_seconds, format_size
from .plot import INK, STORED, TOUCHED, bare, check_plot, matplotlib, save, short

if TYPE_CHECKING:
    from collections.abc import Sequence

    from .estimate import Estimate


def plot_cold(ages: Sequence[tuple[float, int, Estimate]], source: str, path: str) -> None:
    """Draw how much memory was not touched for how long, and what zram would make of it.

    ``ages`` are (seconds, bytes that could go to swap, estimate of what was cold), ascending.

    Raises:
        As :func:`~pyzram.pages.plot.check_plot`, and what writing the file gives.
    """
    check_plot(path)
    figure = matplotlib("figure").Figure(figsize=(8, 4.6), layout="constrained")
    axis = figure.subplots()
    smallest = [
        min((a.figures.mem_used_total for a in e.algorithms.values()), default=0)
        for _, _, e in ages
    ]
    cold = [e.pages * e.store.page_size for _, _, e in ages]
    hot = [total - c for (_, total, _), c in zip(ages, cold, strict=True)]
    gained = [max(0, c - s) for c, s in zip(cold, smallest, strict=True)]
    bars = range(len(ages))
    mib = 1 << 20
    below = [0.0] * len(ages)
    rows = (
        ("touched", hot, TOUCHED, ""),
        ("cold, in zram", smallest, STORED, "//"),
        ("cold, memory gained", gained, "#ffffff", "."),
    )
    for label, amounts, colour, hatch in rows:
        heights = [amount / mib for amount in amounts]
        axis.bar(bars, heights, 0.7, below, label=label, color=colour, hatch=hatch, edgecolor=INK)
        for x, (height, base) in enumerate(zip(heights, below, strict=True)):
            if height > 0.06 * max(1.0, ages[0][1] / mib):
                axis.text(
                    x,
                    base + height / 2,
                    format_size(amounts[x]),
                    ha="center",
                    va="center",
                    bbox={"facecolor": "#ffffff", "edgecolor": "none", "pad": 1.5},
                )
        below = [base + height for base, height in zip(below, heights, strict=True)]
    axis.set_xticks(list(bars), [format_seconds(seconds) for seconds, _, _ in ages])
    axis.set_xlabel("not touched for")
    axis.set_ylabel("MiB")
    bare(axis)
    axis.legend(loc="upper left", bbox_to_anchor=(1.0, 1.0), frameon=False)
    axis.set_title(f"{short(source)}: cold memory", color=INK)
    save(figure, path)
