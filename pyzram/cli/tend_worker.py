# SPDX-License-Identifier: MIT
"""Moving pages for ``pyzram tend``."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING

from ..errors import UnsupportedError
from ..tend.recompressing import RECOMPRESS_SECONDS

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ..device.zram import Zram
    from ..tend.actions import Recompress


PATIENCE_SECONDS = 5.0
"""The most that a step may take. With only :data:`~pyzram.tend.tended.PIECE_SECONDS`, a step that
merely began slowly would end before it had written anything, and so would the next one."""


class Worker:
    """Moves pages with the same code as the commands ``writeback`` and ``recompress``."""

    def __init__(self) -> None:
        # Import now, because reading these when memory is short would delay what matters.
        from ..postprocess import recompression, writeback

        self._recompression, self._writeback = recompression, writeback

    def restore_limit(self, device: Zram) -> None:
        """Put back the device's own limit where a killed process has left that of a step."""
        self._writeback.restore_limit(device)

    def write_pages(self, device: Zram, ranges: Sequence[tuple[int, int]], limit: int) -> None:
        """Write these pages."""
        self._writeback.writeback_ranges(device, ranges, limit=limit, timeout=PATIENCE_SECONDS)

    def write_idle(self, device: Zram, huge: bool, limit: int) -> None:
        """Write pages that are marked idle."""
        self._writeback.writeback_pages(
            device, "huge_idle" if huge else "idle", limit=limit, timeout=PATIENCE_SECONDS
        )

    def recompress(self, device: Zram, action: Recompress, age: int | None, seconds: float) -> None:
        """Recompress pages of that age, or marked ones if ages are unknown."""
        if age is not None:
            with contextlib.suppress(UnsupportedError):
                device.mark_idle(age)
        self._recompression.recompress_pages(
            device,
            "huge_idle" if action.huge else "idle",
            timeout=min(seconds, RECOMPRESS_SECONDS),
        )
