# SPDX-License-Identifier: MIT
"""Devices over time, for the views: figures, rates per second, and their earlier values."""

from __future__ import annotations

import os
import time

from ..kernel.figures import BY_NAME
from ..kernel.sysfs import GONE

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import ClassVar

    from ..kernel.figure_reader import DeviceFigures
    from .zram_stats import Collection, Wanted

HISTORY = 1000  # steps kept; more than any terminal is wide


class DeviceHistory:
    """One device over time."""

    __slots__ = ("figures", "identity", "memory", "rates", "ratio", "seen")

    counters: ClassVar[tuple[str, ...]] = ("read_ios", "write_ios", "notify_free")
    """The figures that have a rate."""

    def __init__(self, identity: int = 0) -> None:
        self.figures: DeviceFigures | None = None
        self.identity = identity
        self.seen = 0.0
        self.rates: dict[str, float] = {}
        self.memory: list[float] = []
        self.ratio: list[float] = []

    def step(self, figures: DeviceFigures, now: float) -> None:
        """Take in new figures, read at ``now`` (seconds of a steady clock)."""
        for key in self.counters:
            old = None if self.figures is None else self.figures[key]
            new = figures[key]
            if old is None or new is None or now <= self.seen:
                self.rates.pop(key, None)
            else:
                # After a reset the counters start from 0, so everything they count is new.
                self.rates[key] = (new - old if new >= old else new) / (now - self.seen)
        self.figures, self.seen = figures, now
        memory = figures["mem_used_total"]
        # A figure that the kernel did not give this time is not 0.
        ratio = None if memory is None else BY_NAME["comp_ratio"].of(figures) or 0
        self.keep(self.memory, memory)
        self.keep(self.ratio, ratio)

    def keep(self, history: list[float], value: float | None) -> None:
        """Append to a history, which drops old values; repeat the last one if there is no value."""
        history.append(value if value is not None else history[-1] if history else 0)
        del history[:-HISTORY]


class Histories:
    """The devices and their history."""

    kind: ClassVar[type[DeviceHistory]] = DeviceHistory

    def __init__(self, collection: Collection, wanted: Wanted) -> None:
        self.collection = collection
        self.wanted = wanted
        self.devices: dict[str, DeviceHistory] = {}

    def step(self) -> None:
        """Read once more; a device that is gone is forgotten."""
        found = self.collection.read(self.wanted)
        now = time.monotonic()
        seen: dict[str, DeviceHistory] = {}
        for figures, _ in found:
            name = figures["name"]
            try:
                # After hot_remove the number may be given out again, with another folder.
                identity = os.stat(figures.path).st_ino
            except OSError as err:
                if err.errno not in GONE:
                    self.collection.fail(f"{name}: read {figures.path}: {err.strerror}")
                continue
            known = self.devices.get(name)
            if known is None or known.identity != identity:
                known = self.kind(identity)
            known.step(figures, now)
            seen[name] = known
        self.devices = seen


def rate(value: float | None) -> str:
    """A rate per second in few characters."""
    if value is None:
        return "-"
    return f"{value:.1f}" if 0 < value < 10 else f"{value:.0f}"
