# SPDX-License-Identifier: MIT
"""Add compressed swap of a quarter of the memory, or leave the machine as it was.

Usage: provision_swap.py [SIZE]
"""

from __future__ import annotations

import sys

import pyzram


def main(size: str = "25%") -> int:
    """Print the device that was set up."""
    with pyzram.Zram.add() as device:
        chosen = device.configure(disksize=size, algorithm=["zstd", "lz4", "lzo-rle"])
        device.mkswap(label=device.name)
        device.swapon(priority=100)
        device.keep()  # only now, because until here any error undoes everything
        print(f"{device.name}: {device.read_disksize()} bytes of swap, {chosen}")
    return 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
