# SPDX-License-Identifier: MIT
"""Reads the machine's memory, battery and clocks. Each look reads each file once."""

from __future__ import annotations

import os
import time
from typing import NamedTuple

from ..kernel.parse import parse_meminfo, parse_vmstat
from ..kernel.sysfs import BOOT_ID, Sysfs, read_value
from .ledger import Clock

NO_CLOCK = 1.6e9
"""Seconds since 1970; a clock that shows less (before 2020) was never set. With an empty battery it
starts in 1970 or in the year it was made."""


class Clocks:
    """The clocks of this machine; tests use others."""

    def awake(self) -> float:
        """Seconds, not counting sleep."""
        return time.clock_gettime(time.CLOCK_MONOTONIC)

    def boottime(self) -> float:
        """Seconds, counting sleep."""
        return time.clock_gettime(time.CLOCK_BOOTTIME)

    def wall(self) -> float:
        """Seconds since 1970."""
        return time.time()


def read_memory(sysfs: Sysfs) -> tuple[int, int]:
    """MemTotal and MemAvailable in bytes."""
    found = parse_meminfo(sysfs.read("proc/meminfo"))
    return found["MemTotal"], found["MemAvailable"]


def read_counters(sysfs: Sysfs) -> dict[str, int]:
    """Counts of pages and events since boot, by the kernel's names."""
    return parse_vmstat(sysfs.read("proc/vmstat"))


class Battery(NamedTuple):
    """The machine's power supply."""

    percent: float | None = None
    """Percent of the emptiest battery that is discharging; ``None`` on mains."""
    error: str = ""
    """Why the charge is unknown."""


def read_battery(sysfs: Sysfs) -> Battery:
    """Look at the batteries of the machine (Documentation/ABI/testing/sysfs-class-power)."""
    folder = sysfs.path("sys/class/power_supply")
    percent = None
    at = folder
    try:
        for name in sorted(os.listdir(folder)):

            def word(attribute: str, supply: str = name) -> str:
                nonlocal at
                at = f"{folder}/{supply}/{attribute}"
                return read_value(at)

            # A scope of Device means a mouse or a headset.
            if word("type") != "Battery" or word("scope") == "Device":
                continue
            if word("status") == "Discharging":
                capacity = word("capacity")
                if not capacity.isdecimal():
                    return Battery(error=f"{at}: no percentage")
                percent = min(float(capacity), 100.0 if percent is None else percent)
    except FileNotFoundError:
        pass
    except OSError as err:
        return Battery(error=f"{at}: {os.strerror(err.errno or 0)}")
    return Battery(percent)


def read_clock(sysfs: Sysfs, clocks: Clocks, boot: str = "") -> Clock:
    """The time for the ledger; ``boot`` is its previous value, which does not change while we run.

    Raises:
        ZramOSError: the kernel does not say which boot this is.
    """
    # If the kernel has no such number, no boot is taken for another one.
    boot = boot or read_value(sysfs.path(BOOT_ID)) or f"unknown-{os.urandom(8).hex()}"
    wall = clocks.wall()
    trusted = wall >= NO_CLOCK and any(
        os.path.exists(sysfs.path(path))
        for path in ("sys/class/rtc/rtc0", "run/systemd/timesync/synchronized")
    )
    return Clock(boot, clocks.boottime(), wall, trusted)
