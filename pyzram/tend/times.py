# SPDX-License-Identifier: MIT
"""Lengths of time, in seconds."""

import math

HOUR = 3600.0
DAY = 24 * HOUR


def at_least(age: float) -> int:
    """The age to pass to a kernel that truncates ages to whole seconds."""
    return math.ceil(age) + 1
