# SPDX-License-Identifier: MIT
"""What the policy learns about a machine at one moment: plain values.

Sizes are in bytes, times in seconds awake (CLOCK_MONOTONIC), and pressure in percent, as in the
kernel (Documentation/accounting/psi.rst).
"""

from __future__ import annotations

import math
from typing import NamedTuple


class DeviceObserved(NamedTuple):
    """A zram device and the medium that it writes back to."""

    name: str
    key: str
    """Its identity (``diskseq``), which distinguishes it from others that had its number."""
    orig_data_size: int = 0
    compr_data_size: int = 0
    mem_used_total: int = 0
    mem_limit: int = 0
    huge_pages: int = 0
    free: int = 0
    """Bytes free on the backing device; 0 without one."""
    budget: int = 0
    """Bytes that may be written to its medium in any 24 hours."""
    left: int = 0
    """Bytes of that budget that are left now."""
    own_limit: int | None = None
    """Bytes that the administrator's writeback_limit still allows; ``None`` without one."""
    gentle: bool = False
    """Whether its use has to wait for need, since it wears out, or stalls on writes or reads."""
    slow: bool = False
    """Whether a page takes milliseconds to come back."""
    bd_writes: int = 0
    """Bytes that have ever been written to the medium."""
    bd_reads: int = 0
    """Total bytes read back from the medium."""
    ages: bool = True
    """Whether the last use of each page is known, even across recompression."""
    recompression: bool = False
    """Whether a second algorithm is configured."""
    gain: float | None = None
    """The share of the recompressed pages' memory that this freed; reported once."""
    compacted: float | None = None
    """The share that the last compaction freed; reported once."""
    failed: bool = False
    """Whether writeback has failed since the last look."""
    limit_changed: bool = False
    """Whether somebody else has set writeback_limit since the last look."""
    medium: str = ""
    """The medium below its backing device, of several the one that bears least; empty if none."""
    media: tuple[str, ...] = ()
    """All media below it; devices on the same medium share its budget."""
    lost: bool = False
    """Whether its backing device cannot be found; most likely it was unplugged."""

    @property
    def lies_on(self) -> tuple[str, ...]:
        """All media whose budgets apply to it; if it has none, one without a name."""
        return self.media or (self.medium,)


class Observation(NamedTuple):
    """The machine."""

    now: float
    total: int
    """MemTotal."""
    available: int
    """MemAvailable."""
    some10: float | None = None
    """Memory pressure; ``None`` if the kernel has no PSI or it cannot be read."""
    some300: float | None = None
    full10: float | None = None
    io_full10: float | None = None
    cpu_some10: float | None = None
    pressure_error: str = ""
    """Why the pressure cannot be read although the kernel reports it."""
    stalled: float = 0.0
    """Total seconds in which some process waited for memory (``total`` of ``some``)."""
    waited: float = 0.0
    """Total seconds spent reading back pages that had been written back.

    A device counts from one look that could read it to the next one."""
    scanning: float = 0.0
    """Without PSI: pages per second that processes had to reclaim themselves or read again."""
    trigger: str = ""
    """``some`` or ``full`` if a PSI trigger has fired since the last look."""
    battery: float | None = None
    """Charge in percent while discharging; ``None`` on mains."""
    battery_error: str = ""
    """Why it is unknown whether a battery is discharging, or how full it is."""
    started: float = -math.inf
    """When this daemon started."""
    resumed: float = -math.inf
    """When the machine last woke from sleep."""
    devices: tuple[DeviceObserved, ...] = ()
    unread: tuple[str, ...] = ()
    """Keys of devices that apparently exist but could not be read this time."""
