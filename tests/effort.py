# SPDX-License-Identifier: MIT
"""How often a repeating test repeats: less often under qemu-user, which is thirty times slower.

With PYZRAM_EMULATED, ``make arches`` says that and names the emulator. Nothing else changes there,
except what only many rounds can show: no page is shorter, and no comparison is weaker.
"""

from __future__ import annotations

import os

EMULATOR = os.environ.get("PYZRAM_EMULATED", "")


def effort(usual: int) -> int:
    """``usual`` times; on an emulated processor a tenth of that, but at least 10."""
    return min(usual, max(10, usual // 10)) if EMULATOR else usual


def enough_inside(rounds: int) -> float:
    """How many 95 % intervals have to contain the truth: 93 of 100 if there are many rounds.

    With few rounds, three standard deviations less: 17 of 20.
    """
    return 0.93 * rounds if rounds >= 200 else 0.95 * rounds - 3 * (0.95 * 0.05 * rounds) ** 0.5
