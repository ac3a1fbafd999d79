# SPDX-License-Identifier: MIT
"""Which figures are good or bad, and how a terminal shows that.

Colour only repeats what words or numbers say. Terminals get it, unless NO_COLOR
(https://no-color.org/), CLICOLOR or CLICOLOR_FORCE (https://bixense.com/clicolors/) decides
otherwise.
"""

from __future__ import annotations

import os

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any, TextIO


GOOD, WARN, BAD, STRONG = "good", "warn", "bad", "strong"
SGR = {GOOD: "32", WARN: "33", BAD: "1;31", STRONG: "1"}

FILL_WARN, FILL_BAD = 75, 90
# Bytes of data per byte of memory; below the last value the device saves hardly anything.
RATIO_GOOD, RATIO_WARN, RATIO_BAD = 2.0, 1.5, 1.1
# With less data than this, partly filled zspages decide the ratio, which is no fault.
JUDGED = 1 << 20


def of_fill(percent: float | None) -> str:
    """Return the role of a fill percentage."""
    if percent is None or percent < FILL_WARN:
        return ""
    return BAD if percent >= FILL_BAD else WARN


def of_ratio(ratio: float | None, data: int | None) -> str:
    """Return the role of orig_data_size / mem_used_total; empty for little ``data`` (bytes)."""
    if not ratio or (data is not None and data < JUDGED) or RATIO_WARN <= ratio < RATIO_GOOD:
        return ""
    if ratio >= RATIO_GOOD:
        return GOOD
    return BAD if ratio < RATIO_BAD else WARN


def wanted(stream: TextIO | None) -> bool:
    """Whether output to this file may have colour."""
    if os.environ.get("NO_COLOR"):
        return False
    if os.environ.get("CLICOLOR_FORCE", "0") not in ("", "0"):
        return True
    if os.environ.get("CLICOLOR") == "0" or os.environ.get("TERM", "dumb") == "dumb":
        return False
    return stream is not None and stream.isatty()


def paint(text: str, role: str) -> str:
    """Return text in the colour of a role; unchanged without one."""
    return f"\x1b[{SGR[role]}m{text}\x1b[m" if role else text


def paint_figure(name: str, value: Any, text: str, figures: Mapping[str, Any]) -> str:
    """Return a figure's text in the colour of its meaning; ``figures`` has all of the device's."""
    if name == "fill":
        return paint(text, of_fill(value))
    if name == "comp_ratio":
        return paint(text, of_ratio(value, figures["orig_data_size"]))
    if name in ("failed_reads", "failed_writes") and value:
        return paint(text, BAD)
    return text
