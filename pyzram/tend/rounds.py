# SPDX-License-Identifier: MIT
"""What to do with each device in one round."""

from __future__ import annotations

import math

from ..units import MIB
from .actions import Action, Compact, Recompress, WriteBack
from .allotment import LEAST, Allotment
from .caution import judged
from .observation import DeviceObserved, Observation
from .settings import Settings
from .state import CALM, CHOKED, DeviceState
from .times import HOUR

CHOKED_STEP = 4 * MIB
IO_FULL = 20.0
"""Percent of the time above which a choked machine's media are choked too."""

# Ages. Of pages younger than three and a half hours, too many come back; without need, nothing
# younger than two days is worth a write. Tuned with bench/tend.py, like everything from here on.
OLDEST = 48 * HOUR
FLOOR, FLOOR_PRESSED = 24 * HOUR, 3.5 * HOUR
HUGE_FLOOR, HUGE_SHARE = 3 * HOUR, 1.4
"""Raw pages free the most memory per write, but are often short-lived."""

RECOMPRESS_AGE_MOST = 6 * HOUR
RECOMPRESS_EVERY, RECOMPRESS_SOON = HOUR, 900.0
"""Seconds between two recompressions, normally and when memory is short."""
RECOMPRESS_SHARE = 0.02
"""Of one processor."""


class Round:
    """One round over all devices: what it does, and why it does no more.

    ``pressure`` is that of :class:`~pyzram.tend.state.State`; ``at_ease`` says that nothing waits
    for memory now.
    """

    def __init__(
        self, seen: Observation, mode: str, pressure: float, at_ease: bool, settings: Settings
    ) -> None:
        self.seen = seen
        self.mode = mode
        self.pressure = pressure
        self.at_ease = at_ease
        self.settings = settings
        self.actions: list[Action] = []
        self.reasons: list[str] = []

    def decide(self, states: tuple[DeviceState, ...]) -> tuple[DeviceState, ...]:
        """Decide on each device, and return what to remember.

        The first of the states are those of the devices that were seen.
        """
        seen = self.seen
        allotment = Allotment(seen)
        after = list(states)
        # By turns first: what the first one may write is left to the next only if it may not.
        count = len(seen.devices)
        first = int(seen.now // HOUR) % (count or 1)
        for place in (*range(first, count), *range(first)):
            device, state = seen.devices[place], states[place]
            if seen.now < state.held_until:
                left = state.held_until - seen.now
                self.reasons.append(f"{device.name}: held for {left:.0f} s more")
                continue
            state = judged(device, state, seen.now)
            floor = OLDEST if self.mode == CALM else age_floor(self.pressure, state.caution)
            if self.settings.writeback and (device.free or device.medium):
                # What comes back from a slow medium costs more than the memory was worth.
                least = max(floor, FLOOR) if device.slow else floor
                self._write_back(device, least, allotment)
            if self.settings.recompression and device.recompression:
                state = self._recompress(device, state, floor)
            self._compact(device, state)
            after[place] = state
        return tuple(after)

    def _write_back(self, device: DeviceObserved, floor: float, allotment: Allotment) -> None:
        mode, least = self.mode, floor
        if self.at_ease and mode != CHOKED:
            # Pressure that is over asks for no more than calm does, and for no less.
            mode, least = CALM, OLDEST
        if mode == CHOKED and (self.seen.io_full10 or 0.0) > IO_FULL:
            # What it does not write is not taken from the others either.
            self.reasons.append(f"{device.name}: the medium is choked, too")
            return
        limit = allotment.of(mode, self.pressure, device)
        if limit < LEAST:
            why = allotment.why_not(mode, self.pressure, device)
            self.reasons.append(f"{device.name}: {why}")
            return
        huge_floor = max(HUGE_FLOOR, least / HUGE_SHARE)
        if mode == CHOKED:
            self.actions.append(
                WriteBack(device.name, huge_floor, limit, OLDEST, True, CHOKED_STEP)
            )
            return
        whole = mode == CALM
        self.actions += (
            WriteBack(device.name, huge_floor, limit, OLDEST, True, whole=whole),
            WriteBack(device.name, least, limit, OLDEST, whole=whole),
        )

    def _recompress(self, device: DeviceObserved, state: DeviceState, floor: float) -> DeviceState:
        seen = self.seen
        every = RECOMPRESS_SOON if self.pressure > 0.3 else RECOMPRESS_EVERY
        every = max(every, state.recompress_pause)
        if seen.now - state.recompressed < every - 1.0:
            return state
        if (seen.cpu_some10 or 0.0) > 10.0 or (seen.some10 or 0.0) >= 10.0:
            self.reasons.append(f"{device.name}: no recompression, the processors are busy")
            return state
        blind = not device.ages and not device.gentle
        if self.mode == CALM and (seen.battery is not None or blind):
            return state
        age = min(RECOMPRESS_AGE_MOST, floor / 4)
        seconds = RECOMPRESS_SHARE * every
        self.actions.append(Recompress(device.name, age, seconds, True))
        if device.ages or not device.gentle:
            self.actions.append(Recompress(device.name, age, seconds))
        return state._replace(recompressed=seen.now)

    def _compact(self, device: DeviceObserved, state: DeviceState) -> None:
        holes = device.mem_used_total - device.compr_data_size
        much = max(16 * MIB, 0.08 * device.mem_used_total)
        if self.seen.now >= state.compact_after and holes > much:
            self.actions.append(Compact(device.name))


def age_floor(pressure: float, caution: float) -> float:
    """For how long a page must be unused before it is written back: geometric in the pressure."""
    return min(OLDEST, caution * FLOOR * math.pow(FLOOR_PRESSED / FLOOR, pressure))
