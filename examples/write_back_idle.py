# SPDX-License-Identifier: MIT
"""Write pages that nobody has used for an hour to the backing device, at most 64 MiB of them.

Usage: write_back_idle.py DEVICE [SECONDS]
"""

from __future__ import annotations

import sys

import pyzram


def main(name: str, seconds: str = "3600") -> int:
    """Print what moved; return 1 if the kernel or the device has no writeback."""
    try:
        with pyzram.Zram(name) as device:
            result = pyzram.writeback_pages(
                device, "idle", age=int(seconds), limit="64M", timeout=60
            )
    except pyzram.ZramError as err:
        print(err, file=sys.stderr)
        return 1
    print(f"{result.bytes_written} bytes written, {result.memory_freed} bytes of memory freed")
    return 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
