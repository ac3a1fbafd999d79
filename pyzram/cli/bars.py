# SPDX-License-Identifier: MIT
"""Bars and graphs of characters."""

from __future__ import annotations

BARS = " ▁▂▃▄▅▆▇█"
ASCII_BARS = " .:-=+*%#"
PARTS = " ▏▎▍▌▋▊▉█"
ASCII_PARTS = "  ----##"


def graph(history: list[float], width: int, height: int, bars: str = BARS) -> list[str]:
    """A picture of the last ``width`` values, ``height`` lines high, zero at its foot."""
    values = history[-width:]
    top = max(values, default=0)
    steps = len(bars) - 1
    levels = [round(value * height * steps / top) if top else 0 for value in values]
    # What is there at all shows, however little it is.
    levels = [max(level, 1) if value else 0 for level, value in zip(levels, values, strict=True)]
    return [
        "".join(bars[min(max(level - row * steps, 0), steps)] for level in levels).rjust(width)
        for row in reversed(range(height))
    ]


def bar(share: float, width: int, parts: str = PARTS) -> tuple[str, str]:
    """What of a bar ``width`` wide is full, and the blanks behind it.

    What is there at all shows, and what is not whole is not drawn so.
    """
    steps = len(parts) - 1
    eighths = round(min(max(share, 0.0), 1.0) * width * steps)
    if 0 < share < 1:
        eighths = min(max(eighths, 1), width * steps - 1)
    whole, part = divmod(eighths, steps)
    full = parts[-1] * whole + (parts[part] if part else "")
    return full, " " * (width - len(full))
