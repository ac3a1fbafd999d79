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
