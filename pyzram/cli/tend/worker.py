# SPDX-License-Identifier: MIT
"""Moving pages for ``pyzram tend``."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Literal

    from ...device.zram import Zram
    from ...tend.actions import Recompression, Turn

PATIENCE_SECONDS = 5.0
"""The most that a step may take. With only :data:`~pyzram.tend.tended.PIECE_SECONDS`, a step that
merely began slowly would end before it had written anything, and so would the next one."""


class PostprocessWorker:
    """Moves pages with the same code as the commands ``writeback`` and ``recompress``."""

    def __init__(self) -> None:
        # Import now, because reading these when memory is short would delay what matters.
        from ...postprocess import recompression, turns, writeback

        self._recompression, self._turns, self._writeback = recompression, turns, writeback

    def restore_limit(self, device: Zram) -> None:
        """Put back the device's own limit where a killed process has left that of a step."""
        self._writeback.restore_limit(device)

    def write_pages(self, device: Zram, ranges: Sequence[tuple[int, int]], limit: int) -> None:
        """Write these pages, in a turn."""
        self._writeback.write_ranges_in_turn(device, ranges, limit, PATIENCE_SECONDS)

    def write_idle(self, device: Zram, huge: bool, limit: int, age: int | None) -> None:
        """Write pages of that age, or those that are marked idle, in a turn."""
        kind: Literal["huge_idle", "idle"] = "huge_idle" if huge else "idle"
        self._writeback.write_pages_in_turn(device, kind, age, limit, PATIENCE_SECONDS)

    def turns(self, device: Zram) -> Turn:
        """Take the device for a step at a time, and notice if others had it in between."""
        return self._turns.Turns(device).turn

    def recompression(self, device: Zram, huge: bool, pages: int) -> Recompression:
        """Recompress marked pages; the first step tries so many."""
        kind: Literal["huge_idle", "idle"] = "huge_idle" if huge else "idle"
        return self._recompression.gentle_recompression(device, kind, pages)
