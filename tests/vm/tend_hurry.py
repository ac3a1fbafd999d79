# SPDX-License-Identifier: MIT
"""Turns the policy's hours into seconds in this process, and waits for the outcome."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from typing import Any

from pyzram.tend import (
    ages,
    allotment,
    caution,
    history,
    modes,
    observer,
    policy,
    pressure,
    reclaim,
    recompressing,
    rounds,
    sleeps,
    tended,
    writing,
)

MODULES = (
    allotment, caution, history, policy, pressure, modes, rounds, sleeps, tended, writing,
    recompressing, observer, ages, reclaim,
)  # fmt: skip


def hurry(constants: Mapping[str, object], pressure_of: Callable[..., Any]) -> None:
    """Give constants of the daemon other values, and let it ask for pressure elsewhere."""
    for name, value in constants.items():
        having = [module for module in MODULES if hasattr(module, name)]
        assert having, f"nothing of {name} is left in pyzram.tend"
        for module in having:
            setattr(module, name, value)
    # Ages in units of 64 s are too coarse for floors of a few seconds.
    ages.UNIT = 1
    observer.read_pressure = writing.read_pressure = pressure_of


def until(done: Callable[[], object], seconds: float, what: str) -> float:
    """Wait for something; return how long it took."""
    began = time.monotonic()
    while not done():
        if time.monotonic() - began > seconds:
            raise AssertionError(f"not within {seconds:.0f} s: {what}")
        time.sleep(0.2)
    return time.monotonic() - began
