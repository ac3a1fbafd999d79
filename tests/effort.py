# SPDX-License-Identifier: MIT
"""How often a test that repeats does so: fewer times where qemu-user runs each thirty times slower.

``make arches`` says by PYZRAM_EMULATED that it does, and whose emulator. Nothing else of a test
changes there but what only many rounds can tell: no page is shorter, no comparison weaker.
"""

from __future__ import annotations

import os

EMULATOR = os.environ.get("PYZRAM_EMULATED", "")


def effort(usual: int) -> int:
    """``usual`` times; a tenth of it, but 10 at least, where a processor is emulated."""
    return min(usual, max(10, usual // 10)) if EMULATOR else usual


def enough_inside(rounds: int) -> float:
    """How many intervals of 95 % have to hold the truth: 93 of 100 where rounds are many.

    Of few, those that three standard deviations leave: 17 of 20.
    """
    return 0.93 * rounds if rounds >= 200 else 0.95 * rounds - 3 * (0.95 * 0.05 * rounds) ** 0.5
