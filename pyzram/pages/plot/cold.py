# SPDX-License-Identifier: MIT
"""The picture of cold memory: what zram would make of it, by age."""

from __future__ import annotations

import itertools
import math
from typing import TYPE_CHECKING, Any, NamedTuple

from ...units import format_fine_size, format_seconds
from .plot import INK, PALE, STORED, TOUCHED, bare, check_plot, matplotlib, save, short

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ..estimate.estimate import Estimate

WIDTH = 0.7
"""The width of a bar, as a share of the smallest distance between two."""
ALONE = 1.0
"""That distance if there is only one bar."""


class _Bar(NamedTuple):
    """What is drawn over one age, in bytes."""

    hot: int
    stored: int
    gained: int
    spent: int
    """cold, but zram would take as much or more for it"""
    least: int | None
    """what another algorithm would need for it, if that is less"""


def smallest(estimates: Sequence[Estimate]) -> str:
    """The algorithm that takes least in the last estimate with pages; ``""`` if none has any."""
    for estimate in reversed(estimates):
        taken = {k: a.figures.mem_used_total for k, a in estimate.algorithms.items()}
        if estimate.pages and taken:
            return min(taken, key=lambda label: taken[label])
    return ""


def plot_cold(
    ages: Sequence[tuple[float, int, Estimate]], source: str, path: str, chosen: str = ""
) -> None:
    """Draw how much memory was not touched for how long, and what zram would make of it.

    ``ages`` are (seconds, bytes that could go to swap, estimate of what was cold), ascending.
    ``chosen`` is the algorithm to draw, by default the one that takes the least. If another takes
    less than the chosen one, it is a mark in the bars.

    Raises:
        As :func:`~pyzram.pages.plot.plot.check_plot`, and what writing the file gives.
    """
    check_plot(path)
    figure = matplotlib("figure").Figure(figsize=(8, 4.6), layout="constrained")
    axis = figure.subplots()
    best = smallest([estimate for _, _, estimate in ages])
    shown = chosen or best
    bars = [_bar(total, estimate, shown, best) for _, total, estimate in ages]
    unit, name = (1 << 30, "GiB") if ages[0][1] >= 2 << 30 else (1 << 20, "MiB")
    places = [math.log2(seconds) for seconds, _, _ in ages]
    gap = min((b - a for a, b in itertools.pairwise(places)), default=ALONE)
    width = WIDTH * gap
    rows = [
        ("touched", [bar.hot for bar in bars], TOUCHED, ""),
        (f"cold, in zram with {shown}" if shown else "cold, in zram",
         [bar.stored for bar in bars], STORED, "//"),
        ("cold, memory gained", [bar.gained for bar in bars], "#ffffff", "."),
    ]  # fmt: skip
    if any(bar.spent for bar in bars):
        rows.append(("cold, nothing gained", [bar.spent for bar in bars], PALE, ""))
    below = [0.0] * len(ages)
    texts: list[Any] = []
    for label, amounts, colour, hatch in rows:
        heights = [amount / unit for amount in amounts]
        axis.bar(
            places, heights, width, below, label=label, color=colour, hatch=hatch, edgecolor=INK
        )
        for x, height, base, amount in zip(places, heights, below, amounts, strict=True):
            if height > 0.06 * ages[0][1] / unit:
                texts.append(_written(axis, x, base + height / 2, format_fine_size(amount)))
        below = [base + height for base, height in zip(below, heights, strict=True)]
    _mark(axis, list(zip(places, bars, strict=True)), width, unit, best)
    axis.set_xlim(min(places) - gap, max(places) + gap)
    axis.set_xticks(places, [format_seconds(seconds) for seconds, _, _ in ages])
    axis.set_xlabel("not touched for (logarithmic)" if places[1:] else "not touched for")
    axis.set_ylabel(name)
    bare(axis)
    axis.legend(loc="upper left", bbox_to_anchor=(1.0, 1.0), frameon=False)
    axis.set_title(f"cold memory of {short(source)}", color=INK)
    _fit(figure, axis, texts, width)
    save(figure, path)


def _bar(total: int, estimate: Estimate, shown: str, best: str) -> _Bar:
    cold = estimate.pages * estimate.pool.page_size

    def takes(label: str) -> int:
        return estimate.algorithms[label].figures.mem_used_total if label else 0

    stored, least = takes(shown), takes(best)
    if cold and stored >= cold:
        return _Bar(total - cold, 0, 0, cold, None)
    return _Bar(total - cold, stored, cold - stored, 0, least if least < stored else None)


def _mark(
    axis: Any, bars: Sequence[tuple[float, _Bar]], width: float, unit: int, best: str
) -> None:
    """A line in each bar at the height that zram would take with the best algorithm."""
    marked = [(x, (bar.hot + bar.least) / unit) for x, bar in bars if bar.least is not None]
    if marked:
        axis.hlines(
            [height for _, height in marked],
            [x - width / 2 for x, _ in marked],
            [x + width / 2 for x, _ in marked],
            color=INK,
            linewidth=3,
            label=f"with {best} only up to here",
        )


def _written(axis: Any, x: float, y: float, text: str) -> Any:
    box = {"facecolor": "#ffffff", "edgecolor": "none", "pad": 1.5}
    return axis.text(x, y, text, ha="center", va="center", bbox=box)


def _fit(figure: Any, axis: Any, texts: Sequence[Any], width: float) -> None:
    """Make amounts and ages as small as their bars, and upright if that is not enough."""
    figure.draw_without_rendering()  # so that sizes on the paper are known
    left, right = (axis.transData.transform((x, 0))[0] for x in (0, width))
    room = (right - left) * 0.95
    for text in texts:
        wide = text.get_tightbbox().width
        if wide > room:
            text.set_fontsize(max(6.0, text.get_fontsize() * room / wide))
        if text.get_tightbbox().width > room:
            text.set_rotation(90)
    labels = axis.get_xticklabels()
    boxes = [label.get_tightbbox() for label in labels]
    if any(one.x1 + 2 > other.x0 for one, other in itertools.pairwise(boxes)):
        for label in labels:
            label.set_rotation(90)
