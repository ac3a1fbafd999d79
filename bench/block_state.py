# SPDX-License-Identifier: MIT
"""Reading block_state: slots a second, and memory, on synthetic text of any length.

``python bench/block_state.py [SLOTS]`` (default 4194304, a full 16 GiB device) writes the text
to a file and reads it with the API and line by line in plain Python, in turns. With
``--device zramN`` it reads that device's own file instead, and compares with reading alone: what
the kernel takes to write the lines.
"""

from __future__ import annotations

import os
import resource
import shutil
import statistics
import sys
import tempfile
import time
from pathlib import Path

import pyzram
from pyzram.device import block_state

CAPTURED = Path(__file__).parent.parent / "tests/data/sysfs/6.18/used"
ROUNDS = 3
FLAGS = ("......", "...i..", "..h..n", "s.....", ".w.i..", "....r.")


def synthetic(folder: Path, slots: int) -> pyzram.Zram:
    """Put the text into a captured tree; the caller closes its device."""
    shutil.copytree(CAPTURED, folder / "sys")
    path = folder / "sys/kernel/debug/zram/zram0"
    path.mkdir(parents=True)
    with (path / "block_state").open("w") as file:
        for start in range(0, slots, 65536):
            file.writelines(
                f"{i:12d} {i % 99991:12d}.{i % 1000000:06d} {FLAGS[i % 6]}\n"
                for i in range(start, min(start + 65536, slots))
            )
    return pyzram.Zram(0, sysfs=pyzram.Sysfs(str(folder)))


def plain(device: pyzram.Zram) -> int:
    """What you would write without the API; on a real file a text layer would not even work."""
    count = 0
    with open(block_state.path_of(device), buffering=1 << 20) as file:
        for line in file:
            index, accessed, _flags = line.split()
            int(index), float(accessed)
            count += 1
    return count


def reading(device: pyzram.Zram) -> int:
    """Read the file's bytes and only count its lines."""
    count = 0
    fd = os.open(block_state.path_of(device), os.O_RDONLY)
    try:
        while chunk := os.read(fd, block_state.READ_SIZE):
            count += chunk.count(b"\n")
    finally:
        os.close(fd)
    return count


def measure(device: pyzram.Zram, real: bool) -> None:
    kinds = {
        "summary()": lambda: block_state.summary(device).slots,
        "slots()": lambda: sum(1 for _ in block_state.slots(device)),
    }
    if real:
        kinds["reading alone"] = lambda: reading(device)
    else:
        kinds["plain Python"] = lambda: plain(device)
    rates: dict[str, list[float]] = {name: [] for name in kinds}
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    peak = before
    for _ in range(ROUNDS):
        for name, call in kinds.items():
            start = time.perf_counter()
            count = call()
            rates[name].append(count / (time.perf_counter() - start))
            if name != "plain Python":
                peak = max(peak, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)
    print(f"{count} slots")
    for name, found in rates.items():
        print(f"{name:14} {statistics.median(found) / 1e6:7.2f} million slots/s")
    if real:
        # The rest of a slot's time, without the kernel's part.
        alone = statistics.median(rates["reading alone"])
        own = 1 / statistics.median(rates["summary()"]) - 1 / alone
        print(
            f"summary()'s own part: {own * alone:.0%} of reading alone, {own * 1e9:.0f} ns a slot"
        )
    print(f"memory         {(peak - before) / 1024:7.1f} MiB more at the peak")


def main(arguments: list[str]) -> int:
    """Print rates and memory."""
    if arguments[:1] == ["--device"]:
        with pyzram.Zram(arguments[1]) as device:
            measure(device, real=True)
        return 0
    slots = int(arguments[0]) if arguments else 1 << 22
    with tempfile.TemporaryDirectory() as folder, synthetic(Path(folder), slots) as device:
        measure(device, real=False)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
