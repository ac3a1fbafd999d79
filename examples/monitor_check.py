# SPDX-License-Identifier: MIT
"""A check for Nagios, Icinga and the like: are the zram devices nearly full?

Usage: monitor_check.py [WARN_PERCENT] [CRITICAL_PERCENT]
"""

from __future__ import annotations

import sys

import pyzram


def worst_of(devices: list[pyzram.Zram], warn: float, critical: float) -> tuple[int, str]:
    """Return the exit status and the message for the fullest device."""
    shares = []
    for device in devices:
        try:
            stats = device.stats()
        except pyzram.DeviceNotFoundError:
            continue  # removed since it was listed
        memory = stats.mm_stat
        if memory.mem_limit:
            shares.append((memory.mem_used_total / memory.mem_limit, stats.name, "mem_limit"))
        if stats.disksize:
            shares.append((memory.orig_data_size / stats.disksize, stats.name, "disksize"))
    if not shares:
        return 0, "no zram device is in use"
    share, name, of = max(shares)
    status = 2 if share * 100 >= critical else 1 if share * 100 >= warn else 0
    return status, f"{name} is {share:.0%} full ({of})"


def main(warn: str = "80", critical: str = "95") -> int:
    """Print one line and return Nagios's exit status."""
    try:
        with pyzram.devices() as devices:
            status, text = worst_of(devices, float(warn), float(critical))
    except pyzram.ZramError as err:
        status, text = 3, str(err)
    print(f"ZRAM {('OK', 'WARNING', 'CRITICAL', 'UNKNOWN')[status]}: {text}")
    return status


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
