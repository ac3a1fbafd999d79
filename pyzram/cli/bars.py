# SPDX-License-Identifier: MIT
"""Bars and graphs made of characters."""

from __future__ import annotations

BARS = " ▁▂▃▄▅▆▇█"
ASCII_BARS = " .:-=+*%#"
LINE = "━╸─"  # whole, half, and what is not full
ASCII_LINE = "#--"


def graph(history: list[float], width: int, height: int, bars: str = BARS) -> list[str]:
    """A graph of the last ``width`` values, ``height`` lines high, with zero at the bottom."""
    values = history[-width:]
    top = max(values, default=0)
    steps = len(bars) - 1
    scale = height * steps / top if top else 0
    # Any value above zero is visible, however small.
    levels = [(round(value * scale) or 1) if value else 0 for value in values]
    # Whole columns are made and then joined, because a view draws this every second.
    column = {
        level: [bars[min(max(level - row * steps, 0), steps)] for row in reversed(range(height))]
        for level in set(levels)
    }
    rows = zip(*(column[level] for level in levels), strict=True) if levels else [()] * height
    return ["".join(row).rjust(width) for row in rows]


def bar(share: float, width: int, line: str = LINE) -> tuple[str, str]:
    """Return the full part and the rest of a bar that is ``width`` wide.

    Any value above zero is visible, and only a share of 1 fills the bar.
    """
    whole, half, rest = tuple(line)
    halves = round(min(max(share, 0.0), 1.0) * width * 2)
    if 0 < share < 1:
        halves = min(max(halves, 1), width * 2 - 1)
    full = whole * (halves // 2) + half * (halves % 2)
    return full, rest * (width - len(full))
