# SPDX-License-Identifier: MIT
"""Pictures, drawn by matplotlib, which is loaded only here."""

from __future__ import annotations

import errno
import math
import os
from importlib import import_module
from typing import TYPE_CHECKING, Any

from ..errors import InvalidValueError, UnsupportedError, from_errno
from ..units import format_size

if TYPE_CHECKING:
    from collections.abc import Sequence

    from .benchmark import BenchResult
    from .estimate import AlgorithmEstimate, Estimate

# Colours that stay apart for colour-blind eyes and in print.
STORED = "#3b6ea8"
STORED_DARK = "#2c5382"
SAME = "#8fb9a8"
RAW = "#c8553d"
INK = "#333333"
PALE = "#d9d9d9"
BIN = 64
ENDINGS = (".png", ".svg", ".pdf")


def _matplotlib(name: str) -> Any:
    try:
        return import_module(f"matplotlib.{name}")
    except ImportError as err:
        raise UnsupportedError(
            errno.EOPNOTSUPP, "plot: matplotlib is not installed (pip install 'pyzram[plot]')"
        ) from err


def check_plot(path: str) -> None:
    """Refuse a plot that could not be written, before the long work of which it is the end.

    Raises:
        UnsupportedError: matplotlib is not installed.
        InvalidValueError: the file's name has another ending than those of :data:`ENDINGS`.
        ZramOSError: there is no such directory, or nothing may be written in it.
    """
    if not path.lower().endswith(ENDINGS):
        raise InvalidValueError(f"{path}: plots are {', '.join(ENDINGS)} files")
    directory = os.path.dirname(path) or "."
    if not os.access(directory, os.W_OK):
        number = errno.EACCES if os.path.exists(directory) else errno.ENOENT
        raise from_errno(number, f"{path}: write plot", path)
    _matplotlib("figure")


def _save(figure: Any, path: str) -> None:
    try:
        figure.savefig(path, dpi=150)
    except OSError as err:
        raise from_errno(err.errno or 0, f"{path}: write plot", path) from err


def plot_estimate(estimate: Estimate, path: str) -> None:
    """Draw the stored sizes, one panel per algorithm, into a ``.png`` or ``.svg`` file.

    Raises:
        As :func:`check_plot`, and what writing the file gives.
    """
    check_plot(path)
    shown = list(estimate.algorithms.values())
    columns = 1 if len(shown) < 3 else 2
    rows = max(1, math.ceil(len(shown) / columns))
    figure = _matplotlib("figure").Figure(
        figsize=(6.4 * columns, 1.1 + 2.5 * rows), layout="constrained"
    )
    axes = figure.subplots(rows, columns, sharex=True, sharey=True, squeeze=False)
    for axis, algorithm in zip(axes.flat, shown, strict=False):
        _panel(axis, estimate, algorithm)
    for axis in list(axes.flat)[len(shown) :]:
        axis.remove()
    for axis in list(axes.flat)[max(0, len(shown) - columns) : len(shown)]:
        axis.tick_params(labelbottom=True)
        axis.set_xlabel(
            "stored length of a page (bytes); ticks below the axis part the size classes,\n"
            f"from the dashed line ({estimate.store.huge_class_size}) on a page is kept raw",
            color=INK,
            fontsize=9,
        )
    for row in axes:
        row[0].set_ylabel(f"pages per {BIN} bytes (%)", color=INK)
    name = estimate.source if len(estimate.source) < 60 else os.path.basename(estimate.source)
    size = format_size(estimate.pages * estimate.store.page_size)
    sampled = "all read" if estimate.census else f"{estimate.sampled} sampled"
    figure.suptitle(f"{name}: {size} in {estimate.pages} pages, {sampled}", color=INK, fontsize=12)
    _save(figure, path)


def _panel(axis: Any, estimate: Estimate, algorithm: AlgorithmEstimate) -> None:
    store = estimate.store
    size = store.page_size
    unit = BIN * size // 4096
    pages = max(1, estimate.pages)
    # The classes, whose width is what rounding up costs: light and dark by turns.
    left, width, height, colours = [], [], [], []
    for i, (c, count) in enumerate(
        zip(store.classes[:-1], algorithm.figures.objects, strict=False)
    ):
        left.append(c.first - 1)
        width.append(c.last - c.first + 1)
        height.append(100 * count / pages * unit / width[-1])
        colours.append((STORED, STORED_DARK)[i % 2])
    axis.bar(left, height, width, align="edge", color=colours, linewidth=0)
    side = size // 20
    same = 100 * algorithm.figures.same_pages / pages
    raw = 100 * algorithm.figures.huge_pages / pages
    axis.bar([-1.5 * side], [same], side, align="edge", color=SAME)
    axis.bar([size], [raw], side, align="edge", color=RAW)
    # A rug of the class borders, and where pages stop being compressed.
    axis.vlines(
        [c.last for c in store.classes[:-1]],
        0,
        -0.03,
        transform=axis.get_xaxis_transform(),
        color=INK,
        linewidth=0.4,
        clip_on=False,
    )
    axis.axvline(store.huge_class_size, color=RAW, linewidth=0.8, linestyle=(0, (4, 3)))
    axis.axvspan(store.huge_class_size, size, color=PALE, alpha=0.4, linewidth=0)
    for x, share, text, colour in (
        (-side, same, "same-\nfilled", SAME),
        (size + side / 2, raw, "raw", RAW),
    ):
        axis.annotate(
            f"{text}\n{share:.1f} %",
            (x, share),
            (0, 3),
            textcoords="offset points",
            ha="center",
            va="bottom",
            fontsize=7,
            color=colour if colour == RAW else "#4d7a69",
        )
    axis.set_xlim(-2.2 * side, size + 2.2 * side)
    axis.set_xticks([size * i // 8 for i in range(9)])
    axis.margins(y=0.22)
    axis.set_ylim(bottom=0)
    axis.tick_params(colors=INK, labelsize=8, pad=6)
    axis.grid(axis="y", color=PALE, linewidth=0.6)
    axis.set_axisbelow(True)
    for edge in ("top", "right"):
        axis.spines[edge].set_visible(False)
    ratio = algorithm.ratio
    bounds = "" if estimate.census else f" ({100 * ratio.low:.1f}-{100 * ratio.high:.1f})"
    times = (
        ""
        if algorithm.compress_us is None or algorithm.decompress_us is None
        else f", {algorithm.compress_us:.1f} / {algorithm.decompress_us:.1f} µs"
    )
    axis.set_title(
        f"{algorithm.label}: ratio {100 * ratio.mean:.1f}{bounds} %, "
        f"{format_size(algorithm.figures.mem_used_total)} of memory{times}",
        fontsize=9,
        color=INK,
        loc="left",
    )


# One colour and mark for each algorithm, by the kernel's order.
def plot_cold(ages: Sequence[tuple[float, int, Estimate]], source: str, path: str) -> None:
    """Draw how much memory was not touched for how long, and what zram would make of it.

    ``ages`` are (seconds, bytes that could go to swap, estimate of what was cold), ascending.

    Raises:
        As :func:`plot_estimate`.
    """
    check_plot(path)
    figure = _matplotlib("figure").Figure(figsize=(8, 4.6), layout="constrained")
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
        ("touched", hot, SAME, ""),
        ("cold, in zram", smallest, STORED, "//"),
        ("cold, memory gained", gained, "#ffffff", ""),
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
    axis.set_xticks(list(bars), [_seconds(seconds) for seconds, _, _ in ages])
    axis.set_xlabel("not touched for")
    axis.set_ylabel("MiB")
    axis.spines[["top", "right"]].set_visible(False)
    axis.legend(loc="upper left", bbox_to_anchor=(1.0, 1.0), frameon=False)
    axis.set_title(f"{source}: cold memory", color=INK)
    _save(figure, path)


def _seconds(seconds: float) -> str:
    if seconds >= 3600:
        return f"{seconds / 3600:.3g} h"
    return f"{seconds / 60:.3g} min" if seconds >= 60 else f"{seconds:.3g} s"


MARKS = {
    "lzo-rle": ("#3b6ea8", "o"),
    "lzo": ("#7aa6d6", "s"),
    "lz4": ("#c8553d", "^"),
    "lz4hc": ("#e8a33d", "v"),
    "zstd": ("#2f8f6b", "D"),
    "deflate": ("#7d5ba6", "P"),
    "842": ("#8c8c8c", "X"),
}


def plot_bench(rows: Sequence[BenchResult], source: str, path: str) -> None:
    """Draw ratio against speed, for compressing and for decompressing; errors as above."""
    check_plot(path)
    figure = _matplotlib("figure").Figure(figsize=(12, 5.4), layout="constrained")
    left, right = figure.subplots(1, 2, sharey=True)
    for axis, title in ((left, "compress"), (right, "decompress")):
        for name in dict.fromkeys(row.name for row in rows):
            colour, mark = MARKS.get(name, (INK, "."))
            own = [row for row in rows if row.name == name]
            x = [getattr(row, title) / (1 << 20) for row in own]
            y = [100 * (row.figures.ratio or 0) for row in own]
            axis.plot(
                x, y, color=colour, marker=mark, markersize=6, linewidth=1.2, alpha=0.9, label=name
            )
            for row, at_x, at_y in zip(own, x, y, strict=True):
                if row.level is not None:
                    axis.annotate(
                        str(row.level),
                        (at_x, at_y),
                        (4, 4),
                        textcoords="offset points",
                        fontsize=7,
                        color=colour,
                    )
        if any(row.compress for row in rows):  # else nothing was measured
            axis.set_xscale("log")
            ticker = _matplotlib("ticker")
            axis.xaxis.set_major_locator(ticker.LogLocator(subs=(1, 2, 5)))
            axis.xaxis.set_major_formatter(ticker.FuncFormatter(lambda x, _: f"{x:g}"))
            axis.xaxis.set_minor_locator(ticker.NullLocator())
        axis.set_xlabel(f"{title}: MiB of pages per second, one core (faster to the right)")
        axis.grid(which="major", color=PALE, linewidth=0.6)
        axis.tick_params(colors=INK, labelsize=8)
        for edge in ("top", "right"):
            axis.spines[edge].set_visible(False)
    left.set_ylabel("compr_data_size / orig_data_size (%), smaller is better")
    right.legend(frameon=False, fontsize=9)
    name = source if len(source) < 60 else os.path.basename(source)
    figure.suptitle(f"{name}: ratio and speed of each algorithm, by level", fontsize=12, color=INK)
    _save(figure, path)
