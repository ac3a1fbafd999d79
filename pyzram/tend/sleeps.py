# SPDX-License-Identifier: MIT
"""When the machine slept: the kernel's ages of pages include that, the policy's do not."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from .times import HOUR

if TYPE_CHECKING:
    from .machine import Clocks

WINDOW = 48 * HOUR
CLOCKS_APART = 0.01
"""The most seconds between two clocks that are read as one time."""


class Sleeps:
    """The sleeps of the last two days.

    Synchronization: one thread.
    """

    def __init__(self, clocks: Clocks) -> None:
        self._clocks = clocks
        self._asleep = self._time_asleep()
        self._lengths: list[tuple[float, float]] = []
        self.resumed = -math.inf
        """When the machine last woke, in seconds awake."""
        self.slept = 0.0
        """Seconds of sleep that a page's age may include."""

    def notice(self) -> None:
        """Check whether the machine slept since the last call."""
        asleep, now = self._time_asleep(), self._clocks.awake()
        if asleep > self._asleep:
            # What lay between two clocks looks like a short sleep, and holds nothing up.
            if asleep > self._asleep + 1.0:
                self.resumed = now
            self._lengths.append((now, asleep - self._asleep))
            self._asleep = asleep
        self._lengths = [(at, length) for at, length in self._lengths if at > now - WINDOW]
        self.slept = sum(length for _, length in self._lengths)

    def _time_asleep(self) -> float:
        """Seconds of sleep since boot, never too many: being held up is not sleep."""
        while True:
            before = self._clocks.awake()
            boottime = self._clocks.boottime()
            after = self._clocks.awake()
            if after - before < CLOCKS_APART:
                return boottime - after
