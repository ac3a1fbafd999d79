# SPDX-License-Identifier: MIT
"""How short memory is, and how much of that is our own doing."""

from __future__ import annotations

import math

from .observation import Observation
from .state import State
from .times import DAY

FADE = 1800.0
"""Seconds in which the pressure fades to 37 %."""

# What counts as full pressure; tuned with bench/tend.py.
SOME10 = 20.0
SOME300 = 0.05
SCARCE, SCARCE_RANGE, SCARCE_MOST = 0.10, 0.08, 0.3
"""Available memory that is little in itself, as a share of all: nothing waits for it yet."""
POOL, POOL_RANGE, POOL_MOST = 0.20, 0.45, 0.16
"""A pool that takes much of the memory: its growth is noticed before there is pressure.

This does not apply if pages come back slowly and wear out their medium: then pressure must come
first.
"""

PLENTY, WAITING = 0.5, 1.0
"""While more than this share of memory is available, and processes waited for it in less than this
percentage of the last ten seconds, earlier waiting is no sign that memory is short."""


def own_part(seen: Observation, state: State) -> tuple[float, float]:
    """How much of the pressure comes only from reading back pages that were written back before.

    Writing more because of that would be a vicious circle. Return the share of the last interval,
    0 to 1, and the percentage of the last five minutes.
    """
    passed = seen.now - state.now
    if not 0 < passed < DAY:
        return 0.0, state.ours300
    waited = max(0.0, seen.waited - state.waited)
    stalled = max(0.0, seen.stalled - state.stalled)
    share = min(1.0, waited / stalled) if stalled > 0 else 0.0
    kept = math.exp(-passed / 300.0)
    return share, state.ours300 * kept + 100.0 * min(1.0, waited / passed) * (1.0 - kept)


def foreign(seen: Observation, ours: float, ours300: float) -> Observation:
    """The observation without our own part."""
    if ours <= 0.0 and ours300 < 0.001:
        return seen
    return seen._replace(
        some10=None if seen.some10 is None else seen.some10 * (1.0 - ours),
        some300=None if seen.some300 is None else max(0.0, seen.some300 - ours300),
        full10=None if seen.full10 is None else seen.full10 * (1.0 - ours),
        trigger="" if ours > 0.5 else seen.trigger,
    )


def observed_pressure(seen: Observation) -> float:
    """How short memory is, 0 to 1."""
    pressure = min(SCARCE_MOST, (SCARCE - seen.available / seen.total) / SCARCE_RANGE)
    pools = sum(device.mem_used_total for device in seen.devices if not device.gentle)
    pressure = max(pressure, min(POOL_MOST, (pools / seen.total - POOL) / POOL_RANGE))
    if seen.some10 is not None:
        pressure = max(pressure, seen.some10 / SOME10)
    else:
        pressure = max(pressure, min(0.9, seen.scanning / 2000.0))
    if seen.some300 is not None:
        pressure = max(pressure, seen.some300 / SOME300)
    for device in seen.devices:
        if device.mem_limit:
            pressure = max(pressure, (device.mem_used_total / device.mem_limit - 0.80) / 0.15)
    return min(1.0, max(0.0, pressure))


def plenty(seen: Observation) -> bool:
    """Whether only what is seen now counts, because memory is plentiful."""
    waiting = seen.trigger or (seen.some10 or 0.0) >= WAITING
    return not waiting and seen.available > PLENTY * seen.total


def fade(seconds: float) -> float:
    """How much of a pressure is left after ``seconds``, 0 to 1."""
    return math.exp(-max(0.0, seconds) / FADE)
