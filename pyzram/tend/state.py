# SPDX-License-Identifier: MIT
"""What the policy remembers from one look to the next."""

from __future__ import annotations

import math
from typing import NamedTuple

CALM, TIGHT, PRESSED, CHOKED, HELD = ("calm", "tight", "pressed", "choked", "held")


class DeviceState(NamedTuple):
    """What is remembered about one device. Times in awake seconds."""

    key: str
    caution: float = 1.0
    """Factor for the minimum age; grows while pages come back soon after they were written."""
    judged: float = -math.inf
    """When that was last checked."""
    reads: int = 0
    """``bd_reads`` then, in bytes."""
    came_back: float = 0.0
    """Bytes read back in about the last day."""
    held_until: float = -math.inf
    held_for: float = 0.0
    """How long to wait after the last failure; doubles."""
    recompressed: float = -math.inf
    recompress_pause: float = 0.0
    poor: int = 0
    """How many recompressions in a row gained little."""
    compact_after: float = -math.inf


class State(NamedTuple):
    """What is remembered about the machine."""

    mode: str = CALM
    pressure: float = 0.0
    """0 to 1: rises at once with what is seen, and fades."""
    now: float = -math.inf
    """When it was last looked at."""
    quiet_since: float = math.inf
    """Since when there was too little pressure to stay pressed or choked."""
    round: float = -math.inf
    """When pages were last written, or an attempt was made."""
    low_battery: bool = False
    devices: tuple[DeviceState, ...] = ()
    wake: float = 60.0
    """Seconds until the next look."""
    stalled: float = 0.0
    """:attr:`Observation.stalled` then."""
    waited: float = 0.0
    ours300: float = 0.0
    """Percent of the last five minutes in which processes waited for pages written back before."""
