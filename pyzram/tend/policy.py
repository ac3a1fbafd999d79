# SPDX-License-Identifier: MIT
"""The policy: what to do with a machine as it was seen. No clock, no files, no kernel.

The same observation, state and settings give the same answer, so it can be tried on made-up
machines (``bench/tend.py``) and its promises can be tested: never more than the budget, nothing
while held, more pressure never means less.
"""

from __future__ import annotations

import math
from typing import NamedTuple

from .actions import Action, Compact, Recompress, WriteBack
from .observation import DeviceObserved, Observation
from .state import CALM, CHOKED, HELD, PRESSED, TIGHT, DeviceState, State

MIB = 1 << 20
HOUR = 3600.0
DAY = 86400.0

LOOK = 60.0
"""Seconds between two looks, but for triggers."""
ROUNDS = {CALM: HOUR, TIGHT: 600.0, PRESSED: 60.0, CHOKED: 60.0}
"""Seconds between two rounds."""
QUIET = 60.0
FADE = 1800.0
"""The pressure falls to 37 % in so many seconds."""
LEAST = 4 * MIB
"""Not worth a round below."""
CHOKED_STEP = 4 * MIB
TIGHT_PACE = 12
"""Of the budget a round while tight, at half pressure: one part in so many."""
CALM_SHARE = 8
"""Of the budget, in calm: one part in so many."""
AFTER_START, AFTER_RESUME = 300.0, 120.0
BATTERY_LOW = 20.0
AFTER_ERROR, AFTER_ERROR_MOST = 60.0, DAY
AFTER_LIMIT = HOUR

# Ages. Below three hours nearly all comes back; without need nothing younger than two days
# is worth a write. Tuned with bench/tend.py, as all from here on.
OLDEST = 48 * HOUR
FLOOR, FLOOR_PRESSED = 24 * HOUR, 3 * HOUR
HUGE_FLOOR, HUGE_SHARE = 3 * HOUR, 1.4
"""Pages kept raw free most memory for a write, but are often of short use."""

# What counts as full pressure.
SOME10 = 20.0
SOME300 = 0.05
SCARCE, SCARCE_RANGE, SCARCE_MOST = 0.10, 0.08, 0.3
"""Little memory alone, of all: nobody waits for it yet."""
POOL, POOL_RANGE, POOL_MOST = 0.20, 0.45, 0.16
"""A pool that takes much of the memory: what grows in it is found before it presses.

Not where pages come back slowly and wear their medium out: there it has to press first.
"""

REGRET_HIGH, REGRET_LOW = 0.08, 0.05
REGRET_LEAST = 256 * MIB
CAUTION_UP, CAUTION_DOWN, CAUTION_MOST = 1.3, 1.1, 8.0

RECOMPRESS_AGE = 1200.0, 6 * HOUR
RECOMPRESS_EVERY, RECOMPRESS_SOON = HOUR, 900.0
"""Seconds between two, and where memory is short."""
RECOMPRESS_SHARE = 0.02
"""Of one processor."""
RECOMPRESS_GAIN = 0.05


class Settings(NamedTuple):
    """What the administrator decides."""

    writeback: bool = True
    recompression: bool = True


class Decision(NamedTuple):
    """What to do, in this order; what to remember; and why, for the log."""

    actions: tuple[Action, ...]
    state: State
    reasons: tuple[str, ...]


DEFAULTS = Settings()


def decide(seen: Observation, state: State, settings: Settings = DEFAULTS) -> Decision:
    """Decide what to do now.

    ``state`` is that of the decision before, or a fresh one.
    """
    ours, ours300 = _own_part(seen, state)
    # Before that is left out: who waits for pages that come back is not at ease either.
    at_ease = enough(seen)
    seen = _foreign(seen, ours, ours300)
    pressure = max(_pressure(seen), state.pressure * _fade(seen.now - state.now))
    devices = _remembered(seen, state.devices)
    held, low_battery = _held(seen, state)
    quiet_since = _quiet_since(seen, state)
    mode = HELD if held else _mode(seen, state, pressure, quiet_since)
    since = seen.now - state.round
    due = not held and since >= ROUNDS[mode]
    actions: list[Action] = []
    reasons: list[str] = [held] if held else []
    if due:
        devices = _round(seen, mode, pressure, at_ease, devices, settings, actions, reasons)
    wake = LOOK if held or due else max(1.0, min(LOOK, ROUNDS[mode] - since))
    return Decision(
        tuple(actions),
        State(
            mode,
            pressure,
            seen.now,
            quiet_since,
            seen.now if due else state.round,
            low_battery,
            devices,
            wake,
            seen.stalled,
            seen.waited,
            ours300,
        ),
        tuple(reasons),
    )


def enough(seen: Observation) -> bool:
    """Whether a round may end early: nobody waits for memory, and there is some."""
    return (seen.some10 or 0.0) < 0.1 and seen.available > 0.2 * seen.total


# ---- what state the machine is in ----------------------------------------------------------------


def _own_part(seen: Observation, state: State) -> tuple[float, float]:
    """How much of the pressure is only that pages come back which were written before.

    To write more because of that would feed itself. The share of the last interval, 0 to 1, and
    the percent of the last five minutes.
    """
    passed = seen.now - state.now
    if not 0 < passed < DAY:
        return 0.0, state.ours300
    waited = max(0.0, seen.waited - state.waited)
    stalled = max(0.0, seen.stalled - state.stalled)
    share = min(1.0, waited / stalled) if stalled > 0 else 0.0
    kept = math.exp(-passed / 300.0)
    return share, state.ours300 * kept + 100.0 * min(1.0, waited / passed) * (1.0 - kept)


def _foreign(seen: Observation, ours: float, ours300: float) -> Observation:
    """The observation without that part."""
    if ours <= 0.0 and ours300 < 0.001:
        return seen
    return seen._replace(
        some10=None if seen.some10 is None else seen.some10 * (1.0 - ours),
        some300=None if seen.some300 is None else max(0.0, seen.some300 - ours300),
        full10=None if seen.full10 is None else seen.full10 * (1.0 - ours),
        trigger="" if ours > 0.5 else seen.trigger,
    )


def _pressure(seen: Observation) -> float:
    """How short memory is, 0 to 1."""
    pressure = 0.0
    if seen.total:
        pressure = min(SCARCE_MOST, (SCARCE - seen.available / seen.total) / SCARCE_RANGE)
        pools = sum(device.mem_used_total for device in seen.devices if not device.gentle)
        pressure = max(pressure, min(POOL_MOST, (pools / seen.total - POOL) / POOL_RANGE))
    if seen.some10 is not None:
        pressure = max(pressure, seen.some10 / SOME10)
    elif seen.scanning:
        pressure = max(pressure, min(0.9, seen.scanning / 2000.0))
    if seen.some300 is not None:
        pressure = max(pressure, seen.some300 / SOME300)
    for device in seen.devices:
        if device.mem_limit:
            pressure = max(pressure, (device.mem_used_total / device.mem_limit - 0.80) / 0.15)
    return min(1.0, max(0.0, pressure))


def _fade(seconds: float) -> float:
    return math.exp(-max(0.0, seconds) / FADE)


def _held(seen: Observation, state: State) -> tuple[str, bool]:
    """Why nothing may be done, or an empty text; and whether the battery is low."""
    if seen.battery_error:
        return f"the battery cannot be read: {seen.battery_error}", state.low_battery
    low = seen.battery is not None and seen.battery <= BATTERY_LOW * (
        1.2 if state.low_battery else 1.0
    )
    if low:
        return f"battery at {seen.battery:.0f} %", True
    if seen.now < seen.started + AFTER_START:
        return "just started", False
    if seen.now < seen.resumed + AFTER_RESUME:
        return "just resumed", False
    return "", False


def _quiet_since(seen: Observation, state: State) -> float:
    """Since when the pressure is below what keeps a machine pressed, or choked."""
    if state.mode == CHOKED:
        loud = seen.trigger == "full" or (seen.full10 or 0.0) >= 2.0
    else:
        loud = bool(seen.trigger) or (seen.some10 or 0.0) >= 1.0
    if loud:
        return math.inf
    return min(seen.now, state.quiet_since)


def _mode(seen: Observation, state: State, pressure: float, quiet_since: float) -> str:
    quiet = seen.now - quiet_since >= QUIET
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


# ---- what to do ----------------------------------------------------------------------------------


def _remembered(seen: Observation, known: tuple[DeviceState, ...]) -> tuple[DeviceState, ...]:
    """The state of each device that is there, in its order, with what happened since."""
    if len(known) == len(seen.devices) and all(
        state.key == device.key
        and device.gain is None
        and device.compacted is None
        and not device.failed
        and not device.limit_changed
        for state, device in zip(known, seen.devices, strict=True)
    ):
        return known
    found = {state.key: state for state in known}
    return tuple(
        _happened(
            device,
            found.get(device.key) or DeviceState(device.key, reads=device.bd_reads),
            seen.now,
        )
        for device in seen.devices
    )


def _happened(device: DeviceObserved, state: DeviceState, now: float) -> DeviceState:
    if device.failed:
        held_for = min(AFTER_ERROR_MOST, max(AFTER_ERROR, 2 * state.held_for))
        state = state._replace(held_until=now + held_for, held_for=held_for)
    if device.limit_changed:
        state = state._replace(held_until=max(state.held_until, now + AFTER_LIMIT))
    if device.gain is not None:
        poor = state.poor + 1 if device.gain < RECOMPRESS_GAIN else 0
        pause = min(DAY, max(HOUR, 2 * state.recompress_pause)) if poor >= 2 else 0.0
        state = state._replace(poor=poor, recompress_pause=pause)
    if device.compacted is not None:
        state = state._replace(compact_after=now + (0.0 if device.compacted >= 0.01 else 6 * HOUR))
    return state


def _round(
    seen: Observation,
    mode: str,
    pressure: float,
    at_ease: bool,
    states: tuple[DeviceState, ...],
    settings: Settings,
    actions: list[Action],
    reasons: list[str],
) -> tuple[DeviceState, ...]:
    """One round over all devices; what it leaves to remember."""
    pools: dict[str, int] = {}
    for device in seen.devices:
        pools[device.medium] = pools.get(device.medium, 0) + device.mem_used_total
    after = []
    for device, state in zip(seen.devices, states, strict=True):
        if seen.now < state.held_until:
            reasons.append(f"{device.name}: held for {state.held_until - seen.now:.0f} s more")
            after.append(state)
            continue
        state = _judge(device, state, seen.now)
        floor = OLDEST if mode == CALM else age_floor(pressure, state.caution)
        if settings.writeback and device.free:
            share = device.mem_used_total / (pools[device.medium] or 1)
            # Pressure that is over asks for no more than calm does, and for no less.
            pace, least = (CALM, OLDEST) if at_ease and mode != CHOKED else (mode, floor)
            _write_back(seen, pace, pressure, device, least, share, actions, reasons)
        if settings.recompression and device.recompression:
            state = _recompress(seen, mode, pressure, device, state, floor, actions, reasons)
        _compact(device, state, seen.now, actions)
        after.append(state)
    return tuple(after)


def age_floor(pressure: float, caution: float) -> float:
    """How long a page must not have been used to be written back: geometric in the pressure."""
    return min(OLDEST, caution * FLOOR * math.pow(FLOOR_PRESSED / FLOOR, pressure))


def _judge(device: DeviceObserved, state: DeviceState, now: float) -> DeviceState:
    """Grow or shrink the caution by what came back in the last hour."""
    if now - state.judged < HOUR:
        return state
    if state.judged == -math.inf:
        return state._replace(judged=now, reads=device.bd_reads)
    passed = now - state.judged
    came_back = state.came_back * math.exp(-passed / DAY) + max(0, device.bd_reads - state.reads)
    regret = came_back / max(device.budget - device.left, REGRET_LEAST)
    caution = state.caution
    if regret > REGRET_HIGH:
        caution = min(CAUTION_MOST, caution * CAUTION_UP)
    elif regret < REGRET_LOW:
        caution = max(1.0, caution / CAUTION_DOWN)
    return state._replace(judged=now, reads=device.bd_reads, came_back=came_back, caution=caution)


def allowance(
    seen: Observation, mode: str, pressure: float, device: DeviceObserved, share: float = 1.0
) -> int:
    """Bytes that a device may write in this round, given its share of what its medium may take."""
    budget, left = device.budget, device.left
    if seen.battery is not None:
        left -= budget // 2
        budget -= budget // 2
    pace = budget // CALM_SHARE
    if mode in (CALM, TIGHT):
        calm = pace - (budget - left)
        # What calm allows is allowed whenever memory is shorter than that; pressed and choked
        # machines may have as much in each round, whatever was written before.
        tight = int(budget / TIGHT_PACE * (0.5 + pressure)) if mode == TIGHT else calm
        pace = max(calm, tight)
    bounds = [int(min(pace, left) * share), device.free - device.free // 100]
    if device.own_limit is not None:
        bounds.append(device.own_limit)
    return max(0, min(bounds))


def _write_back(
    seen: Observation,
    mode: str,
    pressure: float,
    device: DeviceObserved,
    floor: float,
    share: float,
    actions: list[Action],
    reasons: list[str],
) -> None:
    limit = allowance(seen, mode, pressure, device, share)
    if limit < LEAST:
        reasons.append(f"{device.name}: {_why_not(device)}")
        return
    huge_floor = max(HUGE_FLOOR, floor / HUGE_SHARE)
    whole = mode == CALM
    if mode == CHOKED:
        if (seen.io_full10 or 0.0) > 20.0:
            reasons.append(f"{device.name}: the medium is choked as well")
            return
        actions.append(WriteBack(device.name, huge_floor, limit, OLDEST, True, CHOKED_STEP))
        return
    actions.append(WriteBack(device.name, huge_floor, limit, OLDEST, True, whole=whole))
    actions.append(WriteBack(device.name, floor, limit, OLDEST, whole=whole))


def _why_not(device: DeviceObserved) -> str:
    """What keeps a device from writing: the smallest of its bounds, or else the pace."""
    budget = f"{max(0, device.left) // MIB} MiB left of its budget"
    if device.left < LEAST:
        return budget
    if device.own_limit is not None and device.own_limit < LEAST:
        return f"{device.own_limit // MIB} MiB left of its writeback_limit"
    if device.free - device.free // 100 < LEAST:
        return f"{device.free // MIB} MiB free on its backing device"
    return f"enough written for now, {budget}"


def _recompress(
    seen: Observation,
    mode: str,
    pressure: float,
    device: DeviceObserved,
    state: DeviceState,
    floor: float,
    actions: list[Action],
    reasons: list[str],
) -> DeviceState:
    every = RECOMPRESS_SOON if pressure > 0.3 else RECOMPRESS_EVERY
    every = max(every, state.recompress_pause)
    since = seen.now - state.recompressed
    if since < every - 1.0:
        return state
    if (seen.cpu_some10 or 0.0) > 10.0 or (seen.some10 or 0.0) >= 10.0:
        reasons.append(f"{device.name}: no recompression, the processors are busy")
        return state
    if mode == CALM and (seen.battery is not None or (not device.ages and not device.gentle)):
        return state
    age = min(RECOMPRESS_AGE[1], max(RECOMPRESS_AGE[0], floor / 4))
    seconds = RECOMPRESS_SHARE * every
    actions.append(Recompress(device.name, age, seconds, True))
    if device.ages or not device.gentle:
        actions.append(Recompress(device.name, age, seconds))
    return state._replace(recompressed=seen.now)


def _compact(device: DeviceObserved, state: DeviceState, now: float, actions: list[Action]) -> None:
    holes = device.mem_used_total - device.compr_data_size
    if now >= state.compact_after and holes > max(16 * MIB, 0.08 * device.mem_used_total):
        actions.append(Compact(device.name))
