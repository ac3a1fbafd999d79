# SPDX-License-Identifier: MIT
"""Looking at the machine: memory, pressure, battery, clocks. One read of each file a look."""

from __future__ import annotations

import os
import time
from typing import NamedTuple

from ..kernel.parse import parse_meminfo
from ..kernel.sysfs import Sysfs
from .ledger import Clock


class Clocks:
    """The clocks of this machine; tests have others."""

    def awake(self) -> float:
        """Seconds that do not count sleep."""
        return time.clock_gettime(time.CLOCK_MONOTONIC)

    def boottime(self) -> float:
        """Seconds that do."""
        return time.clock_gettime(time.CLOCK_BOOTTIME)

    def wall(self) -> float:
        """Seconds since 1970."""
        return time.time()


class Pressure(NamedTuple):
    """One file of /proc/pressure: percent, and seconds in all."""

    some10: float
    some300: float
    full10: float
    total: float


def parse_pressure(text: str) -> Pressure:
    """``/proc/pressure/*`` (Documentation/accounting/psi.rst)."""
    found: dict[str, float] = {}
    for line in text.split("\n"):
        word, *pairs = line.split()[:5] or [""]
        for pair in pairs:
            key, _, value = pair.partition("=")
            found[f"{word} {key}"] = float(value)
    return Pressure(
        found["some avg10"],
        found["some avg300"],
        found.get("full avg10", 0.0),
        found["some total"] / 1e6,
    )


def read_pressure(sysfs: Sysfs, resource: str) -> Pressure | None:
    """Pressure of ``memory``, ``io`` or ``cpu``; ``None`` where the kernel has none."""
    try:
        return parse_pressure(sysfs.read(f"proc/pressure/{resource}"))
    except (OSError, KeyError, ValueError):
        return None


def read_memory(sysfs: Sysfs) -> tuple[int, int]:
    """MemTotal and MemAvailable in bytes."""
    found = parse_meminfo(sysfs.read("proc/meminfo"))
    return found["MemTotal"], found["MemAvailable"]


def read_counters(sysfs: Sysfs) -> dict[str, int]:
    """``/proc/vmstat``: counts of pages and events."""
    pairs = (line.split() for line in sysfs.read("proc/vmstat").split("\n"))
    return {pair[0]: int(pair[1]) for pair in pairs if len(pair) == 2}


def read_battery(sysfs: Sysfs) -> float | None:
    """Percent of the emptiest battery of the machine that is being used up; ``None`` on mains."""
    folder = sysfs.path("sys/class/power_supply")
    try:
        names = os.listdir(folder)
    except OSError:
        return None
    found = []
    for name in names:

        def word(attribute: str, supply: str = name) -> str:
            try:
                return sysfs.read(f"sys/class/power_supply/{supply}/{attribute}").strip()
            except OSError:
                return ""

        # scope Device is a mouse's or a headset's own.
        if word("type") == "Battery" and word("scope") != "Device":
            capacity = word("capacity")
            if word("status") == "Discharging" and capacity.isdigit():
                found.append(float(capacity))
    return min(found, default=None)


def read_clock(sysfs: Sysfs, clocks: Clocks) -> Clock:
    """The time for the ledger."""
    try:
        boot = sysfs.read("proc/sys/kernel/random/boot_id").strip()
    except OSError:
        boot = "unknown"
    trusted = any(
        os.path.exists(sysfs.path(path))
        for path in ("sys/class/rtc/rtc0", "run/systemd/timesync/synchronized")
    )
    return Clock(boot, clocks.boottime(), clocks.wall(), trusted)
