# SPDX-License-Identifier: MIT
"""What is remembered from one look to the next: by the policy, and by those who look and act."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Mapping

CALM, TIGHT, PRESSED, CHOKED, HELD = ("calm", "tight", "pressed", "choked", "held")


class DeviceState(NamedTuple):
    """What the policy remembers about one device. Times in awake seconds."""

    key: str
    caution: float = 1.0
    """Factor for the minimum age; grows while pages come back soon after they were written."""
    judged: float = -math.inf
    """When the caution was last checked."""
    reads: int = 0
    """``bd_reads`` at that time, in bytes."""
    came_back: float = 0.0
    """Bytes read back in about the last day."""
    writes: int = 0
    """``bd_writes`` when the caution was last checked, in bytes."""
    wrote: float = 0.0
    """Bytes written in about the last day."""
    held_until: float = -math.inf
    held_for: float = 0.0
    """How long to wait after the last failure; doubles each time."""
    recompressed: float = -math.inf
    recompress_pause: float = 0.0
    poor: int = 0
    """How many recompressions in a row gained little."""
    compact_after: float = -math.inf


class State(NamedTuple):
    """What the policy remembers about the machine."""

    mode: str = CALM
    pressure: float = 0.0
    """0 to 1: rises at once with what is seen, and then fades."""
    now: float = -math.inf
    """When the machine was last looked at."""
    quiet_since: float = math.inf
    """Since when there was too little pressure to stay pressed or choked."""
    round: float = -math.inf
    """When pages were last written, or an attempt was made."""
    low_battery: bool = False
    devices: tuple[DeviceState, ...] = ()
    wake: float = 60.0
    """Seconds until the next look."""
    stalled: float = 0.0
    """:attr:`Observation.stalled` at that time."""
    waited: float = 0.0
    ours300: float = 0.0
    """Percent of the last five minutes in which processes waited for pages written back before."""


class Counts(NamedTuple):
    """Counters of the kernel at one look, from which rates follow at the next."""

    at: float = -math.inf
    """When, in awake seconds."""
    scanned: int = 0
    """Pages that processes had to reclaim themselves or read again."""
    swapped_in: int = 0
    """Pages."""
    reads: Mapping[str, int] = {}
    """``bd_reads`` in bytes, by key, of the devices that this look could read."""


class Unfinished(NamedTuple):
    """What was done with a device, or seen of it, that the next look has to know."""

    limit: int | None = None
    """Its own writeback_limit when it was last seen."""
    marked: float | None = None
    """When all pages were marked, in awake seconds, where the kernel does not know ages."""
    gain: float | None = None
    compacted: float | None = None
    failed: bool = False
