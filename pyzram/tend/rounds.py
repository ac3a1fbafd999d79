# SPDX-License-Identifier: MIT
"""What to do with each device in one round, and what to remember about it."""

from __future__ import annotations

import math
from typing import NamedTuple

from .actions import Action, Compact, Recompress, WriteBack
from .observation import DeviceObserved, Observation
from .state import CALM, CHOKED, TIGHT, DeviceState
from .times import DAY, HOUR

MIB = 1 << 20

LEAST = 4 * MIB
"""Below this, a round is not worthwhile."""
CHOKED_STEP = 4 * MIB
TIGHT_PACE = 12
"""Divides the budget for a round while tight, at half pressure."""
CALM_SHARE = 8
"""Divides the budget while calm."""
AFTER_ERROR, AFTER_ERROR_MOST = 60.0, DAY
AFTER_LIMIT = HOUR

# Ages. Below three hours nearly all comes back; without need nothing younger than two days
# is worth a write. Tuned with bench/tend.py, as all from here on.
OLDEST = 48 * HOUR
FLOOR, FLOOR_PRESSED = 24 * HOUR, 3 * HOUR
HUGE_FLOOR, HUGE_SHARE = 3 * HOUR, 1.4
"""Raw pages free most memory per write, but are often short-lived."""

REGRET_HIGH, REGRET_LOW = 0.08, 0.05
REGRET_LEAST = 256 * MIB
CAUTION_UP, CAUTION_DOWN, CAUTION_MOST = 1.3, 1.1, 8.0

RECOMPRESS_AGE = 1200.0, 6 * HOUR
RECOMPRESS_EVERY, RECOMPRESS_SOON = HOUR, 900.0
"""Seconds between two recompressions, normally and when memory is short."""
RECOMPRESS_SHARE = 0.02
"""Of one processor."""
RECOMPRESS_GAIN = 0.05


class Settings(NamedTuple):
    """What the administrator decides."""

    writeback: bool = True
    recompression: bool = True


def remembered(seen: Observation, known: tuple[DeviceState, ...]) -> tuple[DeviceState, ...]:
    """The state of each device that was seen, in its order, with what happened since.

    Then that of those which could not be read this time; only what is gone is forgotten.
    """
    if (
        not seen.unread
        and len(known) == len(seen.devices)
        and all(
            state.key == device.key
            and device.gain is None
            and device.compacted is None
            and not device.failed
            and not device.limit_changed
            for state, device in zip(known, seen.devices, strict=True)
        )
    ):
        return known
    found = {state.key: state for state in known}
    present = tuple(
        _happened(
            device,
            found.get(device.key) or DeviceState(device.key, reads=device.bd_reads),
            seen.now,
        )
        for device in seen.devices
    )
    return present + tuple(found[key] for key in seen.unread if key in found)


def _happened(device: DeviceObserved, state: DeviceState, now: float) -> DeviceState:
    if device.failed:
        # A day without an error is a new beginning.
        again = 2 * state.held_for if now <= state.held_until + DAY else 0.0
        held_for = min(AFTER_ERROR_MOST, max(AFTER_ERROR, again))
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


def decide_round(
    seen: Observation,
    mode: str,
    pressure: float,
    at_ease: bool,
    states: tuple[DeviceState, ...],
    settings: Settings,
    actions: list[Action],
    reasons: list[str],
) -> tuple[DeviceState, ...]:
    """One round over all devices: adds to the actions and reasons; returns what to remember.

    The first of the states are those of the devices that were seen.
    """
    pools: dict[str, int] = {}
    for device in seen.devices:
        pools[device.medium] = pools.get(device.medium, 0) + device.mem_used_total
    after = []
    for device, state in zip(seen.devices, states, strict=False):
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
    return tuple(after) + states[len(after) :]


def age_floor(pressure: float, caution: float) -> float:
    """How long a page must have been unused to be written back: geometric in the pressure."""
    return min(OLDEST, caution * FLOOR * math.pow(FLOOR_PRESSED / FLOOR, pressure))


def _judge(device: DeviceObserved, state: DeviceState, now: float) -> DeviceState:
    """Raise or lower the caution according to what came back in the last hour."""
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
    """Bytes that a device may write in this round, given its share of its medium's budget."""
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
            reasons.append(f"{device.name}: the medium is choked, too")
            return
        actions.append(WriteBack(device.name, huge_floor, limit, OLDEST, True, CHOKED_STEP))
        return
    actions.append(WriteBack(device.name, huge_floor, limit, OLDEST, True, whole=whole))
    actions.append(WriteBack(device.name, floor, limit, OLDEST, whole=whole))


def _why_not(device: DeviceObserved) -> str:
    """What keeps a device from writing: the smallest of its limits, or else the pace."""
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
