# SPDX-License-Identifier: MIT
"""The picture of ``pyzram estimate``: how small pages become, with all algorithms in one panel."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ...units import format_count, format_fine_size, format_size
from .plot import INK, MARKS, PALE, RAW, bare, check_plot, matplotlib, save, short

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ..estimate.estimate import AlgorithmEstimate, Estimate
    from ..pool.zsmalloc import PoolModel


def plot_estimate(estimate: Estimate, path: str) -> None:
    """Draw for each algorithm the share of pages that is stored in at most a number of bytes.

    The area below a line is what the algorithm saves: a page that is stored in a quarter of its
    size lies below the line for three quarters of the width.

    Raises:
        As :func:`~pyzram.pages.plot.plot.check_plot`, and what writing the file gives.
    """
    check_plot(path)
    figure = matplotlib("figure").Figure(figsize=(9, 5.4), layout="constrained")
    axis = figure.subplots()
    ranked = sorted(estimate.algorithms.values(), key=lambda a: a.figures.mem_used_total)
    _lines(axis, estimate, ranked)
    _pool_marks(axis, estimate.pool)
    _words(axis, estimate, ranked)
    size = estimate.pool.page_size
    axis.set_xlim(0, size)
    axis.set_ylim(0, 100)
    axis.set_xticks([size * i // 8 for i in range(9)])
    axis.set_xlabel("stored in at most this many bytes (small ticks: size class boundaries)")
    axis.set_ylabel("share of the pages (%)")
    axis.grid(axis="y", color=PALE, linewidth=0.6)
    axis.set_axisbelow(True)
    bare(axis)
    save(figure, path)


def _lines(axis: Any, estimate: Estimate, ranked: list[AlgorithmEstimate]) -> None:
    """A line for each algorithm, and the area that the first one saves."""
    for place, algorithm in enumerate(ranked):
        colour, _, dashes = MARKS.get(algorithm.name, (INK, ".", "-"))
        lengths, shares = cumulative(algorithm, estimate.pool)
        axis.plot(
            lengths,
            shares,
            drawstyle="steps-post",
            color=colour,
            linestyle=dashes,
            linewidth=1.6,
            label=_label(estimate, algorithm),
        )
        if place == 0:
            axis.fill_between(lengths, shares, step="post", color=colour, alpha=0.10, linewidth=0)


def _pool_marks(axis: Any, pool: PoolModel) -> None:
    """Small ticks at the class borders, and where pages stop being compressed."""
    axis.vlines(
        [c.last for c in pool.classes[:-1]],
        0,
        -0.02,
        transform=axis.get_xaxis_transform(),
        color=INK,
        linewidth=0.4,
        clip_on=False,
    )
    axis.axvline(pool.huge_class_size, color=RAW, linewidth=1.0, linestyle=(0, (4, 3)))
    axis.annotate(
        "kept raw from here on",
        (pool.huge_class_size, 3),
        (-4, 0),
        textcoords="offset points",
        ha="right",
        fontsize=8,
        color=RAW,
    )


def _words(axis: Any, estimate: Estimate, ranked: list[AlgorithmEstimate]) -> None:
    """The legend, the title, and what the lines do not say."""
    if sentence := _whole(ranked, estimate.pages):
        axis.text(0.5, 0.5, sentence, transform=axis.transAxes, ha="center", fontsize=12, color=INK)
    axis.text(
        0.012,
        0.97,
        "lines begin at the share of same-filled pages",
        transform=axis.transAxes,
        va="top",
        fontsize=8,
        color=INK,
    )
    if ranked:
        axis.legend(
            loc="upper left",
            bbox_to_anchor=(0.0, -0.14),
            ncols=2,
            frameon=False,
            fontsize=8,
            title="ratio, memory, compress / decompress a page; the first saves the shaded area",
            title_fontsize=8,
            handlelength=5,  # long enough for the longest dashes
            alignment="left",
        )
    amount = format_size(estimate.pages * estimate.pool.page_size)
    sampled = "all read" if estimate.census else f"{estimate.sampled} sampled"
    axis.set_title(
        f"{short(estimate.source)}: {amount} in {format_count(estimate.pages, 'page')}, {sampled}",
        color=INK,
        fontsize=12,
        loc="left",
    )


def cumulative(algorithm: AlgorithmEstimate, pool: PoolModel) -> tuple[list[int], list[float]]:
    """Stored lengths, and the share of the pages (percent) stored in at most this many bytes."""
    figures = algorithm.figures
    pages = max(1, figures.pages)
    lengths, shares = [0], [100 * figures.same_pages / pages]
    count = figures.same_pages
    for c, objects in zip(pool.classes[:-1], figures.objects, strict=False):
        count += objects
        lengths.append(c.last)
        shares.append(100 * count / pages)
    lengths.append(pool.page_size)
    shares.append(100.0 if figures.pages else 0.0)
    return lengths, shares


def _whole(algorithms: Sequence[AlgorithmEstimate], pages: int) -> str:
    """What cannot be seen if all lines lie on the edge of the panel."""
    figures = [algorithm.figures for algorithm in algorithms]
    if not figures or not pages:
        return "nothing to show: there are no pages"
    if all(one.same_pages == pages for one in figures):
        return "every page is same-filled: none takes memory"
    if all(one.huge_pages == pages for one in figures):
        return "every page is kept raw: no algorithm saves anything"
    return ""


def _label(estimate: Estimate, algorithm: AlgorithmEstimate) -> str:
    ratio = algorithm.compression_ratio
    bounds = "" if estimate.census else f" ({100 * ratio.low:.1f}-{100 * ratio.high:.1f})"
    times = (
        ""
        if algorithm.compress_us is None or algorithm.decompress_us is None
        else f", {algorithm.compress_us:.1f} / {algorithm.decompress_us:.1f} µs"
    )
    memory = format_fine_size(algorithm.figures.mem_used_total)
    return f"{algorithm.label}: {100 * ratio.mean:.1f}{bounds} %, {memory}{times}"
