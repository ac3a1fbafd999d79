# SPDX-License-Identifier: MIT
"""In a guest: write pages one by one and compare what each adds with the prediction.

Reads /out/pages, writes /out/report.json; pages have the size of the running kernel's.
"""

from __future__ import annotations

import json
import mmap
import os
import subprocess
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent))

from page_growth import growth

import pyzram
from pyzram.pages.codec.codec import length_bounds, zstd_release

PAGE = mmap.PAGESIZE
LEVELS = {"deflate": (None, 1, 3, 4, 9), "zstd": (None, 9), "lz4": (None,), "lz4hc": (None,)}


def compare(device: pyzram.Zram, data: bytes, name: str, level: int | None) -> dict[str, object]:
    device.configure(disksize=len(data), algorithm=pyzram.Algorithm(name, level=level))
    model = pyzram.PoolModel()
    kernel = growth(device, data)
    ours = [
        PAGE if length >= model.huge_class_size else length
        for length in pyzram.compressed_sizes(data, name, level=level)
    ]
    generation = "6.12" if os.uname().release.startswith("6.12.") else "7.x"
    row = {
        "algorithm": name,
        "level": level,
        "exact": length_bounds(name, level) is None
        and (name != "zstd" or zstd_release()[1] == generation),
        "kernel": kernel,
        "ours": ours,
        "used": device.read_mm_stat().mem_used_total,
        "model": model.store(ours).mem_used_total,
        "model_of_kernels": model.store(kernel).mem_used_total,
    }
    device.reset()
    return row


def swap(device: pyzram.Zram) -> str:
    """The area's size as the kernel sees it, and what zram_stats says meanwhile."""
    device.configure(disksize=1024 * PAGE, algorithm="lz4")
    subprocess.run(["mkswap", device.node], check=True, capture_output=True)
    subprocess.run(["swapon", device.node], check=True)
    try:
        with open("/proc/swaps") as file:
            size = file.read().split("\n")[1].split()[2]
        shown = subprocess.run(["zram_stats"], check=True, capture_output=True, text=True).stdout
        assert f" {1023 * PAGE}\n" in shown.partition("swap_size:")[2], shown
    finally:
        subprocess.run(["swapoff", device.node], check=True)
        device.reset()
    return size


def service() -> list[str]:
    """start, reload and stop: what /proc/swaps holds after each."""

    def areas() -> str:
        with open("/proc/swaps") as file:
            return " ".join(line.split()[2] for line in file.read().split("\n")[1:-1])

    found = []
    for words, pages in (("start", 1024), ("reload", 2048), ("stop", 2048)):
        with open("/tmp/zram", "w") as file:
            file.write(f"ZRAM_SIZE_0={pages * PAGE // 1024}K\nZRAM_PRIORITY_0=5\n")
        done = subprocess.run(
            ["pyzram", "-c", "/tmp/zram", words], capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stderr
        found.append(areas())
    return found


def main() -> None:
    with open("/out/pages", "rb") as file:
        data = file.read()
    device = pyzram.Zram.add()
    try:
        names = [name for name in LEVELS if name in device.read_algorithms()]
        rows = [compare(device, data, name, level) for name in names for level in LEVELS[name]]
        swap_kib = swap(device)
    finally:
        device.remove()
    areas = service()
    with open("/out/report.json", "w") as file:
        report = {"release": os.uname().release, "page": PAGE, "rows": rows}
        json.dump({**report, "swap": swap_kib, "service": areas}, file)


if __name__ == "__main__":
    main()
