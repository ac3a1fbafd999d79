# SPDX-License-Identifier: MIT
"""Which algorithm suits a running program, such as a database?

Usage: choose_algorithm.py PID...
"""

from __future__ import annotations

import sys

import pyzram


def main(*pids: str) -> int:
    """Print what each algorithm would make of the memory, and which one to use."""
    result = pyzram.estimate(pids=map(int, pids), algorithms=["lzo-rle", "lz4", "zstd", "zstd:9"])
    for label, figures in result.algorithms.items():
        ratio = figures.compression_ratio
        print(f"{label:8} {ratio.mean:6.1%} ({ratio.low:.1%} to {ratio.high:.1%})")
    choice = pyzram.recommend(result)
    if choice is None:
        print("there are no pages to judge by")
    else:
        print(f"take {choice.algorithm}: it {choice.reason}")
    return 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
