# SPDX-License-Identifier: MIT
"""What tests/vm/capture.py recorded of real kernels is read as what was stored there."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

import pyzram

CAPTURED = Path(__file__).resolve().parents[2] / "data/sysfs"
KERNELS = sorted(path.name for path in CAPTURED.glob("vm-*"))
PAGE = 4096


def captured(kernel: str, state: str, root: Path) -> pyzram.Sysfs:
    """Make a root from what a kernel showed."""
    shutil.copytree(CAPTURED / kernel / state, root / "sys")
    (root / "proc/self").mkdir(parents=True)
    (root / "proc/swaps").write_text("Filename\t\t\t\tType\t\tSize\t\tUsed\t\tPriority\n")
    (root / "proc/self/mountinfo").write_text("")
    return pyzram.Sysfs(str(root))


def test_kernels_of_every_generation_were_captured():
    assert {name.split(".")[0] for name in KERNELS} == {"vm-6", "vm-7"}


@pytest.mark.parametrize("kernel", KERNELS)
def test_a_fresh_device_holds_nothing(kernel, tmp_path):
    seen = json.loads((CAPTURED / kernel / "kernel.json").read_text())
    with pyzram.Zram(0, sysfs=captured(kernel, "fresh", tmp_path)) as device:
        assert list(device.read_algorithms()) == seen["algorithms"]
        stats = device.stats()
    assert (stats.disksize, stats.initstate) == (0, False)
    assert (stats.mm_stat.orig_data_size, stats.io_stat.failed_writes) == (0, 0)
    assert (stats.bd_stat is not None) == ("writeback" in seen["features"])
    assert stats.recomp_algorithms == ({} if "recompress" in seen["features"] else None)
    assert stats.backing_dev is None


@pytest.mark.parametrize("kernel", KERNELS)
def test_a_used_device_holds_what_was_stored(kernel, tmp_path):
    seen = json.loads((CAPTURED / kernel / "kernel.json").read_text())
    with pyzram.Zram(0, sysfs=captured(kernel, "used", tmp_path)) as device:
        stats = device.stats()
    assert stats.disksize == 64 << 20
    assert stats.comp_algorithm in seen["algorithms"]
    memory = stats.mm_stat
    assert (memory.orig_data_size, memory.same_pages, memory.huge_pages) == (350 * PAGE, 100, 50)
    assert 50 * PAGE < memory.compr_data_size <= memory.mem_used_total < 250 * PAGE
    assert stats.recomp_algorithms == ({1: "zstd"} if "recompress" in seen["features"] else None)
    assert stats.stat.write_ios == 350
