# SPDX-License-Identifier: MIT
"""`pyzram estimate --pid` of a process of 256 MiB and of one of 4 GiB: time and peak memory.

It makes processes that hold a mix of text, machine code, structures, random bytes and zeros, and
estimates both in turn for lzo-rle, lz4 and zstd together. The big one should take about as long as
the small one. Usage: estimate.py [SMALL_MIB [BIG_MIB]]
"""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import time

ROUNDS = 5
COMMAND = [sys.executable, "-Im", "pyzram.cli.pyzram", "estimate", "-a", "lzo-rle,lz4,zstd"]
CHILD = """
import mmap, os, random, sys
rng = random.Random(1)
page = 4096
with open(sys.executable, "rb") as program, open(os.__file__, "rb") as text:
    data = program.read() + text.read() * 20
for _ in range(1500):
    words = [rng.randbytes(8) for _ in range(60)]
    data += b"".join(rng.choice(words) for _ in range(page // 8))
data += rng.randbytes(1000 * page) + bytes(2000 * page)
pages = [data[i : i + page] for i in range(0, len(data) - page, page)]
runs = [pages[i : i + 16] for i in range(0, len(pages), 16)]
rng.shuffle(runs)
block = b"".join(page for run in runs for page in run)
size = {mib} << 20
memory = mmap.mmap(-1, size, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
for at in range(0, size, len(block)):
    memory[at : at + len(block)] = block[: size - at]
print(size, flush=True)
sys.stdin.read()
"""


def make(mib: int) -> subprocess.Popen[str]:
    """A process with this much memory, filled."""
    process = subprocess.Popen(
        [sys.executable, "-c", CHILD.format(mib=mib)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout
    process.stdout.readline()
    return process


def measure(pid: int) -> tuple[float, float]:
    """Wall time in seconds, and peak memory in MiB, of one estimate."""
    start = time.perf_counter()
    child = subprocess.Popen([*COMMAND, "--pid", str(pid)], stdout=subprocess.DEVNULL)
    _, status, usage = os.wait4(child.pid, 0)
    seconds = time.perf_counter() - start
    child.returncode = os.waitstatus_to_exitcode(status)
    if child.returncode:
        raise SystemExit(f"estimate failed: {child.returncode}")
    return seconds, usage.ru_maxrss / 1024


def main() -> int:
    """Print both."""
    sizes = [int(word) for word in sys.argv[1:]] or [256, 4096]
    makers = {mib: make(mib) for mib in sizes}
    results: dict[int, list[tuple[float, float]]] = {mib: [] for mib in sizes}
    try:
        for _ in range(ROUNDS):
            for mib, process in makers.items():
                results[mib].append(measure(process.pid))
    finally:
        for process in makers.values():
            process.kill()
            process.communicate()
    for mib, rows in results.items():
        seconds = sorted(row[0] for row in rows)
        peak = max(row[1] for row in rows)
        print(
            f"{mib:5d} MiB: {statistics.median(seconds):.2f} s (best {seconds[0]:.2f}, "
            f"worst {seconds[-1]:.2f}), peak {peak:.0f} MiB"
        )
    if len(sizes) == 2:
        ratios = [b[0] / a[0] for a, b in zip(*results.values(), strict=True)]
        print(f"big / small: {statistics.median(ratios):.2f} of the time")
    return 0


if __name__ == "__main__":
    sys.exit(main())
