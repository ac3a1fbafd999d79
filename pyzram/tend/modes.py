# SPDX-License-Identifier: MIT
"""The mode of the machine: how modes are entered and left, and what stops all work."""

from __future__ import annotations

import math

from .observation import Observation
from .state import CALM, CHOKED, PRESSED, TIGHT, State

QUIET = 60.0
"""Seconds of little pressure after which a machine is no longer pressed or choked."""
AFTER_START, AFTER_RESUME = 300.0, 120.0
BATTERY_LOW = 20.0


def why_held(seen: Observation, state: State) -> tuple[str, bool]:
    """Why nothing may be done, empty if it may; and whether the battery is low."""
    if seen.battery_error:
        return f"the battery cannot be read: {seen.battery_error}", state.low_battery
    low = seen.battery is not None and seen.battery <= BATTERY_LOW * (
        1.2 if state.low_battery else 1.0
    )
    if low:
        return f"battery at {seen.battery:.0f} %", True
    if seen.now < seen.started + AFTER_START:
        return "just started", False
    if just_slept(seen.now, seen.resumed):
        return "slept less than two minutes ago, as far as is known", False
    return "", False


def just_slept(now: float, resumed: float) -> bool:
    """Whether the machine woke so recently that nothing may be done; times in awake seconds."""
    return now < resumed + AFTER_RESUME


def quiet_since(seen: Observation, state: State) -> float:
    """Since when the pressure has been too low to keep a machine pressed or choked."""
    if state.mode == CHOKED:
        loud = seen.trigger == "full" or (seen.full10 or 0.0) >= 2.0
    else:
        loud = bool(seen.trigger) or (seen.some10 or 0.0) >= 1.0
    if loud:
        return math.inf
    return min(seen.now, state.quiet_since)


def mode_of(seen: Observation, state: State, pressure: float, since: float) -> str:
    """The mode that follows from what is seen; quiet since ``since`` (:func:`quiet_since`)."""
    quiet = seen.now - since >= QUIET
    if seen.trigger == "full" or (seen.full10 or 0.0) >= 10.0:
        return CHOKED
    if state.mode == CHOKED and not quiet:
        return CHOKED
    if seen.trigger or (seen.some10 or 0.0) >= 5.0:
        return PRESSED
    if state.mode in (PRESSED, CHOKED) and not quiet:
        return PRESSED
    if pressure >= (0.04 if state.mode == TIGHT else 0.05):
        return TIGHT
    return CALM
