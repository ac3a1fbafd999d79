# SPDX-License-Identifier: MIT
"""Pictures, drawn by matplotlib, which is loaded only here."""

from __future__ import annotations

import math
import os
from importlib import import_module
from typing import TYPE_CHECKING, Any

from .errors import UnsupportedError, from_errno
from .units import format_size

if TYPE_CHECKING:
    from .estimate import AlgorithmEstimate, Estimate

# Colours that stay apart for colour-blind eyes and in print.
STORED = "#3b6ea8"
STORED_DARK = "#2c5382"
SAME = "#8fb9a8"
RAW = "#c8553d"
INK = "#333333"
PALE = "#d9d9d9"
BIN = 64


def _matplotlib(name: str) -> Any:
    try:
        return import_module(f"matplotlib.{name}")
    except ImportError as err:
        import errno

        raise UnsupportedError(
            errno.EOPNOTSUPP, "plot: matplotlib is not installed (pip install 'pyzram[plot]')"
        ) from err


def _save(figure: Any, path: str) -> None:
    try:
        figure.savefig(path, dpi=150)
    except OSError as err:
        raise from_errno(err.errno or 0, f"{path}: write plot", path) from err
    except ValueError as err:
        from .errors import InvalidValueError

        raise InvalidValueError(f"{path}: plots are .png, .svg or .pdf files ({err})") from err


def plot_estimate(estimate: Estimate, path: str) -> None:
    """Draw the stored sizes, one panel per algorithm, into a ``.png`` or ``.svg`` file.

    Raises:
        UnsupportedError: matplotlib is not installed.
        InvalidValueError: the file's name has another ending.
        ZramOSError: the file can not be written.
    """
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
