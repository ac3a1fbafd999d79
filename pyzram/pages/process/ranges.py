# SPDX-License-Identifier: MIT
"""Ranges of pages or addresses, from the first up to the end."""

from __future__ import annotations


def joined(ranges: list[tuple[int, int]]) -> list[tuple[int, int]]:
    """The same ranges ascending, without overlaps."""
    out: list[tuple[int, int]] = []
    for start, end in sorted(ranges):
        if out and start <= out[-1][1]:
            out[-1] = (out[-1][0], max(end, out[-1][1]))
        else:
            out.append((start, end))
    return out
