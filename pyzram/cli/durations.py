# SPDX-License-Identifier: MIT
"""Times on the command line."""

from __future__ import annotations

from ..text import is_whole

SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86400}


def duration(text: str) -> int:
    """Seconds of ``90``, ``90s``, ``15m``, ``2h`` or ``1d``."""
    number, unit = (text[:-1], text[-1]) if text[-1:] in SECONDS else (text, "s")
    if not is_whole(number, 12):
        raise ValueError(f"{text!r}: not a time such as 90, 15m, 2h or 1d")
    return int(number) * SECONDS[unit]


def durations(text: str) -> tuple[float, ...]:
    """Several times separated by commas, each longer than the one before."""
    found = tuple(float(duration(word)) for word in text.split(","))
    if found[0] <= 0 or list(found) != sorted(set(found)):
        raise ValueError(f"{text!r}: each time must be longer than the one before")
    return found
