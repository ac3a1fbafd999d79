# SPDX-License-Identifier: MIT
"""Read devices from threads and processes: pass names, and keep handles where they were opened.

Usage: threads_and_processes.py
"""

from __future__ import annotations

import multiprocessing
import sys
from concurrent.futures import ThreadPoolExecutor

import pyzram


def memory_used(name: str) -> int:
    """Return the bytes of memory that a device takes; 0 if it was removed meanwhile."""
    try:
        with pyzram.Zram(name) as device:
            return device.read_mm_stat().mem_used_total
    except pyzram.DeviceNotFoundError:
        return 0


def main() -> int:
    """Print the sum, twice."""
    with pyzram.devices() as devices:
        names = [device.name for device in devices]
    with ThreadPoolExecutor(4) as threads:
        print(f"threads: {sum(threads.map(memory_used, names))} bytes")
    with multiprocessing.get_context("spawn").Pool(2) as processes:
        print(f"processes: {sum(processes.map(memory_used, names))} bytes")
    return 0


if __name__ == "__main__":
    sys.exit(main())
