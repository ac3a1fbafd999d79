# SPDX-License-Identifier: MIT
"""What the daemon's status says of the policy, as JSON can say it."""

from __future__ import annotations

import math
from typing import Any

from ..kernel.tend_status import NAME, read_status, write_status
from .state import DeviceState, State

__all__ = ["NAME", "read_status", "state_of", "state_values", "write_status"]


def state_values(state: State) -> dict[str, Any]:
    """What the policy remembers, as JSON can say it: ``null`` for a time that never was."""
    values = {**state._asdict(), "devices": [one._asdict() for one in state.devices]}
    for each in (values, *values["devices"]):
        for name, value in each.items():
            if isinstance(value, float) and math.isinf(value):
                each[name] = None
    return values


def state_of(values: dict[str, Any]) -> State:
    """The opposite of :func:`state_values`.

    Raises:
        KeyError, TypeError, ValueError, AttributeError: it is of another version of pyzram.
    """

    def told(row: dict[str, Any]) -> dict[str, Any]:
        # What never was is the default of each.
        return {name: value for name, value in row.items() if value is not None}

    devices = tuple(DeviceState(**told(row)) for row in values["devices"])
    return State(**{**told(values), "devices": devices})
