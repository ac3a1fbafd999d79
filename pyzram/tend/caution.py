# SPDX-License-Identifier: MIT
"""How much older than usual pages must be to be written, according to what came back."""

from __future__ import annotations

import math

from ..units import MIB
from .observation import DeviceObserved
from .state import DeviceState
from .times import DAY, HOUR

# Tuned with bench/tend.py.
REGRET_HIGH, REGRET_LOW = 0.08, 0.05
REGRET_LEAST = 256 * MIB
CAUTION_UP, CAUTION_DOWN, CAUTION_MOST = 1.3, 1.1, 8.0


def judged(device: DeviceObserved, state: DeviceState, now: float) -> DeviceState:
    """Raise or lower the caution according to what came back in the last hour."""
    if now - state.judged < HOUR:
        return state
    seen = state._replace(judged=now, reads=device.bd_reads, writes=device.bd_writes)
    if state.judged == -math.inf:
        # Of what it wrote before, the ledger knows what was in the last day.
        return seen._replace(wrote=min(device.bd_writes, device.budget - device.left))
    kept = math.exp(-(now - state.judged) / DAY)
    state = seen._replace(
        came_back=state.came_back * kept + max(0, device.bd_reads - state.reads),
        wrote=state.wrote * kept + max(0, device.bd_writes - state.writes),
    )
    share = regret(state)
    caution = state.caution
    if share > REGRET_HIGH:
        caution = min(CAUTION_MOST, caution * CAUTION_UP)
    elif share < REGRET_LOW:
        caution = max(1.0, caution / CAUTION_DOWN)
    return state._replace(caution=caution)


def regret(state: DeviceState) -> float:
    """What came back in about the last day, as a share of what was written in that time.

    Not of what the ledger says, which counts other devices on the medium, and charges of nothing.
    """
    return state.came_back / max(state.wrote, REGRET_LEAST)
