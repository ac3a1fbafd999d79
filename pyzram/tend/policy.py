# SPDX-License-Identifier: MIT
"""The policy: what to do, given an observation of the machine. No clock, no files, no kernel.

The same observation, state and settings give the same answer, so the policy can be tried on made-up
machines (``bench/tend.py``) and its promises can be tested: never more than the budget, nothing
while held, and never less because pressure is higher.
"""

from __future__ import annotations

from typing import NamedTuple

from .actions import Action
from .history import remembered
from .modes import mode_of, quiet_since, why_held
from .observation import Observation
from .pressure import fade, foreign, observed_pressure, own_part, plenty
from .rounds import Round
from .settings import Settings
from .state import CALM, CHOKED, HELD, PRESSED, TIGHT, State
from .times import HOUR

LOOK = 60.0
"""Seconds between two looks, unless a trigger fires."""
ROUNDS = {CALM: HOUR, TIGHT: 600.0, PRESSED: 60.0, CHOKED: 60.0}
"""Seconds between two rounds."""


class Decision(NamedTuple):
    """What to do, in this order; what to remember; and why, for the log."""

    actions: tuple[Action, ...]
    state: State
    reasons: tuple[str, ...]


DEFAULTS = Settings()


def decide(seen: Observation, state: State, settings: Settings = DEFAULTS) -> Decision:
    """Decide what to do now.

    ``state`` is that of the previous decision, or a fresh one.
    """
    ours, ours300 = own_part(seen, state)
    # Before our own part is left out: a process that waits for pages to come back is not at ease.
    at_ease = enough(seen)
    seen = foreign(seen, ours, ours300)
    if plenty(seen):
        # Earlier waiting had another reason, such as a control group at its own limit.
        pressure = observed_pressure(seen._replace(some300=0.0))
    else:
        pressure = max(observed_pressure(seen), state.pressure * fade(seen.now - state.now))
    devices = remembered(seen, state.devices)
    why, low_battery = why_held(seen, state)
    since_quiet = quiet_since(seen, state)
    mode = HELD if why else mode_of(seen, state, pressure, since_quiet)
    since = seen.now - state.round
    due = not why and since >= ROUNDS[mode]
    this = Round(seen, mode, pressure, at_ease, settings)
    if why:
        this.reasons.append(why)
    if due:
        if not any(settings):
            this.reasons.append("the configuration says to leave devices alone")
        if seen.pressure_error:
            this.reasons.append(f"pressure cannot be read: {seen.pressure_error}")
        devices = this.decide(devices)
    after = State(
        mode=mode,
        pressure=pressure,
        now=seen.now,
        quiet_since=since_quiet,
        round=seen.now if due else state.round,
        low_battery=low_battery,
        devices=devices,
        wake=LOOK if why or due else max(1.0, min(LOOK, ROUNDS[mode] - since)),
        stalled=seen.stalled,
        waited=seen.waited,
        ours300=ours300,
    )
    return Decision(tuple(this.actions), after, tuple(this.reasons))


def enough(seen: Observation) -> bool:
    """Whether a round may end early: nothing waits for memory, and some is available."""
    return (seen.some10 or 0.0) < 0.1 and seen.available > 0.2 * seen.total
