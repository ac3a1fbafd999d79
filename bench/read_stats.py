# SPDX-License-Identifier: MIT
"""Reading mm_stat: the API against opening, reading and splitting the file in plain Python.

Both give nine integers; the API gives them as a frozen MmStat. Rounds alternate, and the ratio
is the median of the rounds' ratios. It needs one zram device, no matter whose.
"""

from __future__ import annotations

import statistics
import sys
import timeit

import pyzram

ROUNDS, READS = 15, 3000


def main() -> int:
    """Print the ratio; return 1 if there is no device to read."""
    with pyzram.devices() as found:
        if not found:
            print("no zram device to read", file=sys.stderr)
            return 1
        return compare(found[0])


def compare(device: pyzram.Zram) -> int:
    """Read mm_stat both ways, alternating."""
    path = f"{device.path}/mm_stat"

    def plain() -> list[int]:
        with open(path) as file:
            return [int(word) for word in file.read().split()]

    ours, theirs = [], []
    for _ in range(ROUNDS):
        theirs.append(timeit.timeit(plain, number=READS) / READS)
        ours.append(timeit.timeit(device.read_mm_stat, number=READS) / READS)
    ratios = [a / b for a, b in zip(theirs, ours, strict=True)]
    print(f"plain Python     {statistics.median(theirs) * 1e6:6.2f} us")
    print(f"read_mm_stat()   {statistics.median(ours) * 1e6:6.2f} us")
    print(f"plain / API      {statistics.median(ratios):6.2f} x  (least {min(ratios):.2f})")
    return 0


if __name__ == "__main__":
    sys.exit(main())
