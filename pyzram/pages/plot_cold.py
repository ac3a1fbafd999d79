# SPDX-License-Identifier: MIT
"""The picture of cold memory: by age, what zram would make of it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..units import format_fine_size, format_seconds
from .plot import INK, STORED, TOUCHED, bare, check_plot, matplotlib, save, short

if TYPE_CHECKING:
    from collections.abc import Sequence

    from .estimate import Estimate


def smallest(estimates: Sequence[Estimate]) -> str:
    """The algorithm that takes least of the last that has pages; ``""`` where none has."""
    for estimate in reversed(estimates):
        taken = {k: a.figures.mem_used_total for k, a in estimate.algorithms.items()}
        if estimate.pages and taken:
            return min(taken, key=lambda label: taken[label])
    return ""


def plot_cold(ages: Sequence[tuple[float, int, Estimate]], source: str, path: str) -> None:
    """Draw how much memory was not touched for how long, and what zram would make of it.

    ``ages`` are (seconds, bytes that could go to swap, estimate of what was cold), ascending.

    Raises:
        As :func:`~pyzram.pages.plot.check_plot`, and what writing the file gives.
    """
    check_plot(path)
    figure = matplotlib("figure").Figure(figsize=(8, 4.6), layout="constrained")
    axis = figure.subplots()
    best = smallest([estimate for _, _, estimate in ages])
    stored = [e.algorithms[best].figures.mem_used_total if best else 0 for _, _, e in ages]
    cold = [e.pages * e.store.page_size for _, _, e in ages]
    hot = [total - c for (_, total, _), c in zip(ages, cold, strict=True)]
    gained = [max(0, c - s) for c, s in zip(cold, stored, strict=True)]
    bars = range(len(ages))
    unit, name = (1 << 30, "GiB") if ages[0][1] >= 2 << 30 else (1 << 20, "MiB")
    below = [0.0] * len(ages)
    rows = (
        ("touched", hot, TOUCHED, ""),
        (f"cold, in zram with {best}" if best else "cold, in zram", stored, STORED, "//"),
        ("cold, memory gained", gained, "#ffffff", "."),
    )
    for label, amounts, colour, hatch in rows:
        heights = [amount / unit for amount in amounts]
        axis.bar(bars, heights, 0.7, below, label=label, color=colour, hatch=hatch, edgecolor=INK)
        for x, (height, base) in enumerate(zip(heights, below, strict=True)):
            if height > 0.06 * ages[0][1] / unit:
                axis.text(
                    x,
                    base + height / 2,
                    format_fine_size(amounts[x]),
                    ha="center",
                    va="center",
                    bbox={"facecolor": "#ffffff", "edgecolor": "none", "pad": 1.5},
                )
        below = [base + height for base, height in zip(below, heights, strict=True)]
    axis.set_xticks(list(bars), [format_seconds(seconds) for seconds, _, _ in ages])
    axis.set_xlabel("not touched for")
    axis.set_ylabel(name)
    bare(axis)
    axis.legend(loc="upper left", bbox_to_anchor=(1.0, 1.0), frameon=False)
    axis.set_title(f"cold memory of {short(source)}", color=INK)
    save(figure, path)
