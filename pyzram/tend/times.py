# SPDX-License-Identifier: MIT
"""Lengths of time, in seconds."""

import math

HOUR = 3600.0
DAY = 24 * HOUR


def at_least(age: float) -> int:
    """What to give a kernel that counts in whole seconds, cut off, for pages of this age."""
    return math.ceil(age) + 1
