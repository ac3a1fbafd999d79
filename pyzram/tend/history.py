# SPDX-License-Identifier: MIT
"""What has happened to each device since the last decision, and for how long that holds."""

from __future__ import annotations

from .observation import DeviceObserved, Observation
from .state import DeviceState
from .times import DAY, HOUR

AFTER_ERROR, AFTER_ERROR_MOST = 60.0, DAY
AFTER_LIMIT = HOUR
RECOMPRESS_GAIN = 0.05
"""The least share of what pages took that makes recompressing more of them worthwhile."""


def remembered(seen: Observation, known: tuple[DeviceState, ...]) -> tuple[DeviceState, ...]:
    """The state of each device that was seen, in the same order, with what happened since.

    The states of devices that could not be read this time follow; only devices that are gone are
    forgotten.
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
        # After a day without an error, the device starts afresh.
        pause = min(AFTER_ERROR_MOST, max(AFTER_ERROR, 2 * held_for(state, now)))
        state = state._replace(held_until=now + pause, held_for=pause)
    if device.limit_changed:
        state = state._replace(held_until=max(state.held_until, now + AFTER_LIMIT))
    if device.gain is not None:
        poor = state.poor + 1 if device.gain < RECOMPRESS_GAIN else 0
        pause = min(DAY, max(HOUR, 2 * state.recompress_pause)) if poor >= 2 else 0.0
        state = state._replace(poor=poor, recompress_pause=pause)
    if device.compacted is not None:
        state = state._replace(compact_after=now + (0.0 if device.compacted >= 0.01 else 6 * HOUR))
    return state


def held_for(state: DeviceState, now: float) -> float:
    """For how many seconds a device is left alone after a failure; 0 after a day without one."""
    return state.held_for if now <= state.held_until + DAY else 0.0
