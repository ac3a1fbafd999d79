# SPDX-License-Identifier: MIT
"""Show what goes in and out of the zram devices, one line a second.

Usage: watch_rates.py [COUNT] [SECONDS]
"""

from __future__ import annotations

import sys
import time

import pyzram


def look(devices: list[pyzram.Zram]) -> dict[str, pyzram.Stats]:
    """Return the figures of the devices that have not been removed."""
    found = {}
    for device in devices:
        try:
            found[device.name] = device.stats()
        except pyzram.DeviceNotFoundError:
            continue
    return found


def main(count: str = "10", seconds: str = "1") -> int:
    """Print the rates of every device that was there at the start."""
    with pyzram.devices() as devices:
        before = look(devices)
        for _ in range(int(count)):
            time.sleep(float(seconds))
            now = look(devices)
            for name, stats in now.items():
                change = stats - before[name]
                print(
                    f"{change.name}: {change.reads_per_second:.0f} reads/s, "
                    f"{change.writes_per_second:.0f} writes/s, "
                    f"{change.mm_stat.mem_used_total:+d} bytes of memory"
                )
            before = now
    return 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
