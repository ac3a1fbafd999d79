# SPDX-License-Identifier: MIT
"""The picture of ``pyzram bench``: ratio against speed."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ...units import MIB
from .plot import INK, MARKS, PALE, bare, check_plot, matplotlib, save, short

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ..estimate.benchmark import BenchResult


def plot_bench(rows: Sequence[BenchResult], source: str, path: str) -> None:
    """Draw ratio against speed, for compressing and for decompressing; errors as above."""
    check_plot(path)
    figure = matplotlib("figure").Figure(figsize=(9, 4.8), layout="constrained")
    left, right = figure.subplots(1, 2, sharey=True)
    for axis, title in ((left, "compress"), (right, "decompress")):
        speed = f"{title}_bytes_per_second"
        labels: list[tuple[float, float, str, str]] = []
        for name in dict.fromkeys(row.name for row in rows):
            colour, mark, dashes = MARKS.get(name, (INK, ".", "-"))
            own = [row for row in rows if row.name == name]
            x = [getattr(row, speed) / MIB for row in own]
            y = [100 * (row.figures.compression_ratio or 0) for row in own]
            axis.plot(
                x,
                y,
                color=colour,
                marker=mark,
                linestyle=dashes,
                markersize=6,
                linewidth=1.0,
                alpha=0.9,
                label=name,
            )
            labels += [
                (at_x, at_y, str(row.level), colour)
                for row, at_x, at_y in zip(own, x, y, strict=True)
                if row.level is not None
            ]
        if any(row.compress_bytes_per_second for row in rows):  # else nothing was measured
            axis.set_xscale("log")
            ticker = matplotlib("ticker")
            axis.xaxis.set_major_locator(ticker.LogLocator(subs=(1, 2, 5)))
            axis.xaxis.set_major_formatter(ticker.FuncFormatter(lambda x, _: f"{x:g}"))
            axis.xaxis.set_minor_locator(ticker.NullLocator())
        _write_levels(figure, axis, labels)
        axis.set_xlabel(f"{title}: MiB of pages per second, one core")
        axis.grid(which="major", color=PALE, linewidth=0.6)
        _frontier(axis, rows, speed)
        bare(axis)
    left.set_ylabel("compr_data_size / orig_data_size (%), smaller is better")
    right.legend(frameon=False, fontsize=9)
    figure.suptitle(
        f"{short(source)}: ratio and speed, by level (best: bottom right)", fontsize=12, color=INK
    )
    save(figure, path)


def _frontier(axis: Any, rows: Sequence[BenchResult], speed: str) -> None:
    """A line along the results that no other beats in both ratio and this speed."""
    points = sorted(
        (
            (
                getattr(row, speed) / MIB,
                100 * (row.figures.compression_ratio or 0),
            )
            for row in rows
            if getattr(row, speed)
        ),
        reverse=True,
    )
    best: list[tuple[float, float]] = []
    for fast, ratio in points:
        if not best or ratio < best[-1][1]:
            best.append((fast, ratio))
    if len(best) > 1:
        axis.plot(
            *zip(*best, strict=True),
            color=INK,
            linewidth=5,
            alpha=0.13,
            zorder=0,
            solid_capstyle="round",
            label="no other is better in both",
        )


def _write_levels(figure: Any, axis: Any, labels: Sequence[tuple[float, float, str, str]]) -> None:
    """Write levels beside their marks; each takes the first free one of eight places."""
    figure.draw_without_rendering()  # so that positions on the paper are known
    marks = [tuple(axis.transData.transform((x, y))) for x, y, _, _ in labels]
    taken = [(x - 4, y - 4, x + 4, y + 4) for x, y in marks]
    scale = figure.dpi / 72
    for (x, y, text, colour), (at_x, at_y) in zip(labels, marks, strict=True):
        width, height = 6 * len(text) * scale, 9 * scale
        for dx, dy in ((5, 4), (-13, 4), (5, -12), (-13, -12), (0, 8), (0, -16), (12, 0), (-20, 0)):
            left, low = at_x + dx * scale, at_y + dy * scale
            box = (left, low, left + width, low + height)
            if not any(_overlap(box, other) for other in taken):
                taken.append(box)
                axis.annotate(
                    text, (x, y), (dx, dy), textcoords="offset points", fontsize=9, color=colour
                )
                break


def _overlap(one: tuple[float, ...], other: tuple[float, ...]) -> bool:
    return one[0] < other[2] and other[0] < one[2] and one[1] < other[3] and other[1] < one[3]
