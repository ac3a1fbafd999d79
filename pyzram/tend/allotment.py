# SPDX-License-Identifier: MIT
"""How much of its media's budget each device may write in one round."""

from __future__ import annotations

from ..units import MIB
from .observation import DeviceObserved, Observation
from .state import CALM, TIGHT

LEAST = 4 * MIB
"""With less than this, a round is not worthwhile."""
TIGHT_PACE = 12
"""Divides the budget for a round while tight, at half pressure."""
CALM_SHARE = 8
"""Divides the budget while calm."""


class Allotment:
    """One round: devices on a medium share it by the size of their pools, in the order of asking.

    A device whose part would be too little for a round gets enough for one, if others leave it.
    """

    def __init__(self, seen: Observation) -> None:
        self._on_battery = seen.battery is not None
        self._pools: dict[str, int] = {}
        self._given: dict[str, int] = {}
        for device in seen.devices:
            for medium in device.lies_on:
                self._pools[medium] = self._pools.get(medium, 0) + device.mem_used_total

    def of(self, mode: str, pressure: float, device: DeviceObserved) -> int:
        """Bytes that a device may write; less than :data:`LEAST` is nothing."""
        pace = size = self.pace(mode, pressure, device)
        for medium in device.lies_on:
            part = int(pace * (device.mem_used_total / (self._pools[medium] or 1)))
            left = pace - self._given.get(medium, 0)
            size = min(size, left, max(part, LEAST))
        size = min(size, device.free - device.free // 100)
        if device.own_limit is not None:
            size = min(size, device.own_limit)
        if size >= LEAST:
            for medium in device.lies_on:
                self._given[medium] = self._given.get(medium, 0) + size
        return max(0, size)

    def pace(self, mode: str, pressure: float, device: DeviceObserved) -> int:
        """Bytes that may be written to its media in this round, by whatever device."""
        budget, left = device.budget, device.left
        if self._on_battery:
            left -= budget // 2
            budget -= budget // 2
        # Otherwise the part of a small budget would be too little for a round and never be used.
        pace = max(budget // CALM_SHARE, LEAST)
        if mode in (CALM, TIGHT):
            # What calm allows is also allowed whenever memory is shorter; pressed and choked
            # machines may write that much in each round, whatever was written before.
            calm = pace - (budget - left)
            tight = max(LEAST, int(budget / TIGHT_PACE * (0.5 + pressure)))
            pace = max(calm, tight) if mode == TIGHT else calm
        return min(pace, left)

    def why_not(self, mode: str, pressure: float, device: DeviceObserved) -> str:
        """What keeps a device from writing: the smallest of its limits, or the pace."""
        if device.lost:
            return "its backing device cannot be found"
        budget = f"{max(0, device.left) // MIB} MiB left of its budget"
        if device.left < LEAST:
            return budget
        if device.own_limit is not None and device.own_limit < LEAST:
            return f"{device.own_limit // MIB} MiB left of its writeback_limit"
        if device.free - device.free // 100 < LEAST:
            return f"{device.free // MIB} MiB free on its backing device"
        if self._on_battery and device.left - device.budget // 2 < LEAST:
            return f"half of its budget is kept while on battery, {budget}"
        if self.pace(mode, pressure, device) >= LEAST:
            return f"others write to its medium in this round, {budget}"
        return f"enough written for now, {budget}"
